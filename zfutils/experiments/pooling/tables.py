"""Tables of chapter 12; numbers in words, as they are read."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from zfutils.experiments.pooling.comparisons import (
    POINTS,
    RANDOM,
    SEEDS,
    TRAINED,
    OverSeeds,
    farther,
    gain_learnt,
)
from zfutils.experiments.pooling.networks import FIRST, Runs, errors
from zfutils.experiments.pooling.steadiness import DIRECTIONS, SHIFTS
from zfutils.experiments.pooling.tolerance import POOLED, Tolerance
from zfutils.nets.specs import NetworkSpec
from zfutils.plotting.tiles import words
from zfutils.stats.comparisons import comparison_table
from zfutils.stats.formatting import between, ranged, rounded
from zfutils.stats.intervals import t_interval, where_enough
from zfutils.training.outcomes import NOT_RUN, origin


def gains(found: Mapping[tuple[str, str], Tolerance], *, seed: int = 0) -> pd.DataFrame:
    """What each pooling adds in tolerance under each kind of change, trained and with random weights.

    Args:
        found: by network and kind of change.
        seed: of the bootstrap.
    """
    compared = {
        (kind, words(pair[0])): gain_learnt(*_both(found, kind), [pair], seed=seed)
        for kind in dict.fromkeys(kind for _, kind in found)
        for pair in POOLED
    }
    names = ["change", "pooling of"]
    return comparison_table(compared, names, measured=TRAINED, control=RANDOM, digits=3).drop(columns="n")


def distances_after(found: Mapping[tuple[str, str], Tolerance], *, seed: int = 0) -> str:
    """How far maps are from those of the unchanged image after pooling, trained against random weights.

    Args:
        found: by network and kind of change.
        seed: of the bootstrap.
    """
    kinds = dict.fromkeys(kind for _, kind in found)
    panels = [(*_both(found, kind), after) for kind in kinds for _, after in POOLED]
    intervals = [farther(*panel, seed=seed).interval for panel in panels]
    above, below = sum(i.low > 0 for i in intervals if i), sum(i.high < 0 for i in intervals if i)
    return (
        "A gain does not say where maps end. After pooling the trained maps are farther from those of the "
        f"unchanged image than maps of random filters in {above} of {len(panels)} panels and nearer in "
        f"{below} (means over the amounts, by the 95 % interval of their difference, images resampled)."
    )


def _both(found: Mapping[tuple[str, str], Tolerance], kind: str) -> tuple[Tolerance, Tolerance]:
    return found[TRAINED, kind], found[RANDOM, kind]


def energy_at_first(energies: pd.DataFrame) -> str:
    """Energy beyond Nyquist before the first convolution's steps, random and trained, as a sentence.

    Args:
        energies: as `networks.energy_table` gives it.
    """
    there = energies[energies["layer"] == FIRST]
    said = []
    for name, own in there.groupby("network", sort=False):
        shares = (POINTS * own.loc[own["weights"] == weights, "share"] for weights in (RANDOM, TRAINED))
        random, trained = (_mean(dict(enumerate(one))) for one in shares)
        said.append(f"for *{name}* it is {random} % with random weights and {trained} % after training")
    listed = "; ".join(said)
    return (
        f"The share before the steps of convolution 1: {listed} (means over seeds, with 95 % t intervals "
        "where there are at least two)."
    )


def first_layers(specs: Mapping[str, NetworkSpec]) -> pd.DataFrame:
    """What the networks do to an image before layer 3: kernel/stride, and the size of what comes out."""
    rows = []
    for name, spec in specs.items():
        row = {"network": name}
        for stage in (s for s in spec.stages() if s.window and s.name[-1] in "12"):
            place = stage.name.replace("pool", "max pooling ").replace("conv", "convolution ")
            place = place.replace("blur", "blur ")
            row[place] = f"{stage.window.kernel}/{stage.window.stride}"
        rows.append(row)
    order = ["network"] + [f"{word} {n}" for n in (1, 2) for word in ("convolution", "max pooling", "blur")]
    table = pd.DataFrame(rows)
    return table[[column for column in order if column in table]].fillna("–")


def outcomes(networks: Mapping[str, Runs]) -> pd.DataFrame:
    """Errors, labels kept and whether the trainings ended, means over seeds with 95 % t intervals."""
    rows = []
    for name, runs in networks.items():
        row = {"network": name, "seeds": len(runs)}
        row["training error, %"] = _mean({s: POINTS * one.training_error for s, one in runs.items()})
        row["error, %"] = _mean(errors(runs))
        for place in (0, len(SHIFTS) - 1):
            kept = {
                s: POINTS * one.measured["kept"][:, place].mean() / len(DIRECTIONS) for s, one in runs.items()
            }
            row[f"label kept at {SHIFTS[place]} px, %"] = _mean(kept)
        row["ended"] = f"{sum(one.ended.ended for one in runs.values())} of {len(runs)}" if runs else "–"
        row["last fall of the loss, %"] = ", ".join(
            rounded(POINTS * one.ended.fall) for _, one in sorted(runs.items())
        )
        rows.append(row | {"scores": origin(one.published for one in runs.values()) if runs else NOT_RUN})
    return pd.DataFrame(rows)


def arms(compared: Mapping[str, OverSeeds | None], *, digits: int = 1) -> pd.DataFrame:
    """Comparisons in words: both arms and their difference, with intervals, and what could be detected."""
    rows = []
    for name, one in compared.items():
        intervals = (one.measured, one.control, one.interval) if one else (None,) * 3
        said = [between(interval, digits=digits, otherwise="–") for interval in intervals]
        row = {"quantity": name} | dict(zip(("measured", "control", "difference"), said, strict=True))
        row["detectable"] = rounded(one.detectable if one else None, digits=digits)
        rows.append(row | {"n": str(one.interval.n) if one else "–"})
    return pd.DataFrame(rows)


def _mean(values: Mapping[int, float]) -> str:
    """A mean of percentages over seeds, with its t interval where there are two or more."""
    numbers = [value for value in values.values() if np.isfinite(value)]
    interval = where_enough(t_interval, numbers, resampled=SEEDS)
    if interval is None:
        return rounded(numbers[0] if numbers else None)
    return ranged(interval.estimate, max(interval.low, 0), min(interval.high, POINTS))
