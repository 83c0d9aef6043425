"""What chapter 14 claims: two arms of the same pictures, measured and control, and their difference.

The one idea: whatever was measured becomes two numbers of each picture, which `paired` compares; None where
too few pictures have both.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from zfutils.stats.comparisons import Compared
from zfutils.stats.intervals import bootstrap_interval, paired_difference, where_enough

UPPER, LOWER = ("fc6", "fc7", "fc8"), ("conv1", "conv2", "conv3")
RESAMPLES = 1999  # of what is drawn and tabled; a claim's interval has as many as the study's others


def mean_over_pictures(values: ArrayLike, *, seed: int = 0) -> dict[str, float]:
    """Mean of the values that are known, and a 95 % interval with pictures resampled.

    Args:
        values: one per picture; NaN where it has none.
        seed: of the resampling.

    Returns:
        estimate, low, high, n; no ends where pictures are too few, no estimate where there are none.
    """
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    found = where_enough(bootstrap_interval, known, resampled="pictures", seed=seed, resamples=RESAMPLES)
    ends = (found.low, found.high) if found else (np.nan, np.nan)
    estimate = float(known.mean()) if known.size else np.nan
    return {"estimate": estimate, "low": ends[0], "high": ends[1], "n": known.size}


def paired(measured: ArrayLike, control: ArrayLike, *, seed: int = 0) -> Compared | None:
    """Measured minus control by picture; pictures without one of the two (NaN) are left out."""
    both = pd.DataFrame({"measured": measured, "control": control}).dropna()
    found = where_enough(
        paired_difference, both["measured"], both["control"], resampled="pictures", seed=seed
    )
    return found and Compared(found, (float(both["measured"].mean()), float(both["control"].mean())))


def switches(lost: pd.DataFrame, moving: pd.DataFrame, *, seed: int = 0) -> Compared | None:
    """Variance lost with random switches minus that lost by moving the projection as a whole.

    Args:
        lost, moving: as `switches.lost_with_other_switches` and `switches.lost_by_moving` give them.
        seed: of the resampling.
    """
    both = lost.merge(moving, on="picture", validate="one_to_one")
    return paired(both["random"], both["moved"], seed=seed)


def survival(
    table: pd.DataFrame, method: str = "deconvnet", *, measure: str = "spearman", seed: int = 0
) -> Compared | None:
    """What survives of a map with layers 6 to 8 random by one method, minus what survives by the gradient.

    Args:
        table: as `randomisation.randomisation` gives it.
        method: to reverse the ReLU.
        measure: spearman or ssim.
        seed: of the resampling.
    """
    there = table[(table["order"] == "cascading") & (table["layer"] == "fc6")]
    wide = there.pivot(index="picture", columns="method", values=measure)
    return paired(wide[method], wide["gradient"], seed=seed)


def upper_and_lower(table: pd.DataFrame, method: str = "deconvnet", *, seed: int = 0) -> Compared | None:
    """What survives of a map with one of layers 6 to 8 random, minus with one of layers 1 to 3.

    Args:
        table: as `randomisation.randomisation` gives it.
        method: to reverse the ReLU.
        seed: of the resampling.
    """
    there = table[(table["order"] == "independent") & (table["method"] == method)]
    wide = there.pivot(index="picture", columns="layer", values="spearman")
    return paired(*(wide[list(layers)].mean(axis=1, skipna=False) for layers in (UPPER, LOWER)), seed=seed)


def convergence(table: pd.DataFrame, method: str = "deconvnet", *, seed: int = 0) -> Compared | None:
    """Cosine of signals of two starts at the pixels of one picture, minus that by the gradient.

    Args:
        table: as `convergence.convergence` gives it.
        method: to reverse the ReLU.
        seed: of the resampling.
    """
    at_pixels = table[table["layer"] == "conv1"]
    wide = at_pixels.pivot(index="picture", columns="method", values="same_picture")
    return paired(wide[method], wide["gradient"], seed=seed)
