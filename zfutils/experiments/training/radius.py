"""What renormalisation does where it binds (Zeiler & Fergus 2013, §3).

Filters whose RMS exceeds a radius are scaled back to it. Where no filter gets there, a network with the
radius and one without it are the same, and their comparison says nothing. So networks are compared under
several radii, and a claim has a verdict only where filters of the network without renormalisation pass the
radius.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from zfutils.nets.filters import dominance
from zfutils.stats.formatting import ranged, rounded
from zfutils.stats.intervals import (
    Interval,
    paired_difference,
    proportion_interval,
    where_enough,
)
from zfutils.training.outcomes import Outcome, origin

Sweep = Mapping[float | None, Outcome | None]  # by radius, None: no radius; None where it was not run yet


def largest(outcome: Outcome) -> float:
    """RMS of the largest filter that any convolution had before training or after any epoch."""
    return float(outcome.measured["largest_rms"].max())


def error_without(
    unbounded: Outcome, twin: Outcome, *, seed: int = 0
) -> tuple[Interval, tuple[float, float]]:
    """Ten-crop error without renormalisation minus that of a twin that has it (points).

    Args:
        unbounded, twin: of networks that differ in the radius alone, asked about the same pictures.
        seed: of the resampling.

    Returns:
        The difference, validation pictures resampled, paired; then the two errors (%).
    """
    wrong = [100 * one.answers[10].wrong() for one in (unbounded, twin)]
    found = paired_difference(*wrong, resampled="validation pictures", seed=seed)
    return found, (float(wrong[0].mean()), float(wrong[1].mean()))


def by_radius(sweep: Sweep, *, seed: int = 0) -> pd.DataFrame:
    """Error, and how much the largest filter of layer 1 stands out, one row for each radius.

    Args:
        sweep: outcomes by radius.
        seed: of the resampling.

    Returns:
        Columns radius (in words), error, error_low, error_high (%, ten crops, Wilson), dominance,
        dominance_low, dominance_high (largest over median filter RMS; the ends NaN where there are too few
        filters), largest (RMS of the largest filter of any convolution after any epoch), ended, scores. NaN
        where a network was not run yet.
    """
    rows = []
    for radius, one in sweep.items():
        row = {"radius": "none" if radius is None else f"{radius:g}"}
        numbers = [f"{name}{end}" for name in ("error", "dominance") for end in ("", "_low", "_high")]
        row |= dict.fromkeys((*numbers, "largest"), np.nan) | {"ended": False}
        if one is not None:
            wrong, sizes = one.answers[10].wrong(), one.measured["rms"][1]
            error = proportion_interval(int(wrong.sum()), len(wrong), resampled="images").times(100)
            row |= {"error": error.estimate, "error_low": error.low, "error_high": error.high}
            row["dominance"] = sizes.max() / np.median(sizes)
            if found := where_enough(dominance, sizes, seed=seed):
                row |= {"dominance_low": found.low, "dominance_high": found.high}
            row |= {"largest": one.measured["largest_rms"][1:].max(), "ended": one.ended.ended}
        rows.append(row | {"scores": origin([one.published] if one else [])})
    return pd.DataFrame(rows)


def radius_table(rows: pd.DataFrame, *, papers: float) -> pd.DataFrame:
    """`by_radius` for reading.

    Args:
        rows: as `by_radius` gives it.
        papers: the paper's radius, by which the largest filter is measured.
    """
    lines = []
    for row in rows.to_dict("records"):
        line = {"radius": row["radius"]}
        line["error (%)"] = ranged(row["error"], row["error_low"], row["error_high"])
        line["largest / median, layer 1"] = ranged(
            row["dominance"], row["dominance_low"], row["dominance_high"], digits=2
        )
        line[f"largest filter of any layer, over {papers:g}"] = rounded(row["largest"] / papers, digits=2)
        known = not np.isnan(row["error"])
        lines.append(
            line | {"ended": ("yes" if row["ended"] else "no") if known else "", "scores": row["scores"]}
        )
    return pd.DataFrame(lines)
