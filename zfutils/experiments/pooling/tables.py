"""Tables of chapter 12; numbers in words, as they are read."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from zfutils.experiments.pooling.comparisons import (
    POINTS,
    RANDOM,
    SEEDS,
    TRAINED,
    Comparison,
    farther,
    gain_learnt,
)
from zfutils.experiments.pooling.networks import FIRST, Runs, errors
from zfutils.experiments.pooling.steadiness import DIRECTIONS, SHIFTS
from zfutils.experiments.pooling.tolerance import POOLED, Tolerance
from zfutils.nets.specs import NetworkSpec
from zfutils.plotting.tiles import words
from zfutils.stats.comparisons import in_words
from zfutils.stats.formatting import ranged, rounded
from zfutils.stats.intervals import t_interval, where_enough
from zfutils.training.outcomes import NOT_RUN, origin


def gains(found: Mapping[tuple[str, str], Tolerance], *, seed: int = 0) -> pd.DataFrame:
    """What each pooling adds in tolerance under each kind of change, trained and with random weights.

    Args:
        found: by network and kind of change.
        seed: of the bootstrap.
    """
    rows = []
    for kind in dict.fromkeys(kind for _, kind in found):
        for pair in POOLED:
            learnt = where_enough(gain_learnt, *_both(found, kind), [pair], seed=seed)
            row = {"change": kind, "pooling of": words(pair[0])}
            rows.append(row | _in_words(learnt, (TRAINED, RANDOM, "difference"), digits=3))
    return pd.DataFrame(rows)


def distances_after(found: Mapping[tuple[str, str], Tolerance], *, seed: int = 0) -> str:
    """How far maps are from those of the unchanged image after pooling, trained against random weights.

    Args:
        found: by network and kind of change.
        seed: of the bootstrap.
    """
    kinds = dict.fromkeys(kind for _, kind in found)
    compared = [
        where_enough(farther, *_both(found, kind), after, seed=seed) for kind in kinds for _, after in POOLED
    ]
    intervals = [one.interval for one in compared if one]
    above, below = (sum(test) for test in ([i.low > 0 for i in intervals], [i.high < 0 for i in intervals]))
    return (
        "A gain does not say where maps end. After pooling the trained maps are farther from those of the "
        f"unchanged image than maps of random filters in {above} of {len(compared)} panels and nearer in "
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
        said.append(f"in *{name}* {random} % with random weights and {trained} % trained")
    return (
        f"Before the steps of convolution 1 the share is {'; '.join(said)} (means over seeds with 95 % t "
        "intervals)."
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


def arms(compared: Mapping[str, Comparison | None], *, digits: int = 1) -> pd.DataFrame:
    """Comparisons in words: both arms and their difference, with intervals, and what could be detected."""
    rows = []
    for name, one in compared.items():
        row = {"quantity": name} | _in_words(one, ("measured", "control", "difference"), digits=digits)
        row["detectable"] = rounded(one.detectable if one else None, digits=digits)
        rows.append(row | {"n": str(one.interval.n) if one else "–"})
    return pd.DataFrame(rows)


def _in_words(one: Comparison | None, names: Sequence[str], *, digits: int) -> dict[str, str]:
    """Both arms and their difference, with intervals."""
    intervals = (one.measured, one.control, one.interval) if one else (None,) * 3
    return {name: in_words(i, digits=digits) for name, i in zip(names, intervals, strict=True)}


def _mean(values: Mapping[int, float]) -> str:
    """A mean of percentages over seeds, with its t interval where there are two or more."""
    numbers = [value for value in values.values() if np.isfinite(value)]
    interval = where_enough(t_interval, numbers, resampled=SEEDS)
    if interval is None:
        return rounded(numbers[0] if numbers else None)
    return ranged(interval.estimate, max(interval.low, 0), min(interval.high, POINTS))
