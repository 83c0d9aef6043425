"""What chapter 4 claims of its curves: two arms for each claim, seed by seed, and what its conditions ask.

A layer's time to 90 % says little by itself. It is compared with the same network whose weights were moved in
step, or with the time in which the network's own training loss makes 90 % of its fall.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from zfutils.experiments.evolution.settling import loss_curve, time_to
from zfutils.experiments.evolution.trajectories import AS_TRAINED, IN_STEP
from zfutils.stats.intervals import Interval, t_interval, where_enough

LOWER, UPPER = "relu1", "relu5"
EARLY = ("relu1", "relu2")
POINTS = 100


@dataclass(frozen=True)
class Comparison:
    """A claim's two arms and their difference or ratio, over the seeds that have both."""

    interval: Interval | None  # None below two seeds
    arms: tuple[float, float] | None  # measured and control
    seeds: tuple[int, ...]


def comparisons(settled: pd.DataFrame, loss: Mapping[int, float]) -> dict[str, Comparison]:
    """The chapter's claims on curves, by the end of their names.

    Args:
        settled: as `settling.times` gives it.
        loss: by seed, the time in which the training loss makes 90 % of its fall (epochs).
    """
    return {
        "lower-layers-first-by-own-end": beyond_in_step(settled, measure="cka"),
        "lower-layers-first-by-probe-gain": beyond_in_step(settled, measure="probe"),
        "lower-layers-ahead-of-the-loss": over_the_loss(settled, loss, layers=EARLY),
        "upper-layers-behind-the-loss": over_the_loss(settled, loss, layers=(UPPER,)),
    }


def beyond_in_step(settled: pd.DataFrame, *, measure: str) -> Comparison:
    """log2 of layer 5's time over layer 1's, minus the same with weights moved in step.

    Args:
        settled: as `settling.times` gives it.
        measure: "cka" or "probe".

    Returns:
        The paired difference over seeds (Student's t), and the means of both arms. Seeds in which a layer
        never settles are left out.
    """
    lags = {}
    for run in (AS_TRAINED, IN_STEP):
        times = _by_seed(settled, run, measure, (LOWER, UPPER))
        lags[run] = np.log2(times[UPPER] / times[LOWER])
    both = pd.DataFrame(lags).dropna()
    difference = both[AS_TRAINED] - both[IN_STEP]
    return _compared(t_interval, difference, (both[AS_TRAINED].mean(), both[IN_STEP].mean()))


def over_the_loss(settled: pd.DataFrame, loss: Mapping[int, float], *, layers: Sequence[str]) -> Comparison:
    """Time of some layers, by CKA, over the loss's time.

    Args:
        settled: as `settling.times` gives it.
        loss: by seed (epochs); NaN where the loss did not fall.
        layers: whose times are averaged within a seed.

    Returns:
        The geometric mean of the ratio over seeds, by Student's t of its logarithm, and the geometric means
        of both times (epochs), whose ratio it is. Seeds in which a layer never settles are left out.
    """
    measured = _by_seed(settled, AS_TRAINED, "cka", layers).mean(axis=1)
    both = np.log(pd.DataFrame({"measured": measured, "control": pd.Series(loss, dtype=float)})).dropna()
    ratio = both["measured"] - both["control"]
    return _compared(_geometric, ratio, tuple(np.exp(both.mean())))


def loss_times(histories: Mapping[int, pd.DataFrame], starts: Mapping[int, float]) -> dict[int, float]:
    """When the training loss has made 90 % of its fall, by seed (epochs); NaN where it did not fall.

    Args:
        histories: by seed, as `settling.loss_curve` takes them.
        starts: by seed, the loss before training.
    """
    curves = {seed: loss_curve(history, starts[seed]) for seed, history in histories.items()}
    return {seed: time_to(values, epochs).time for seed, (epochs, values) in curves.items()}


def probe_gain(table: pd.DataFrame) -> float:
    """What a probe's accuracy gains from step 0 to the end, the smaller of layers 1 and 5 (points).

    Args:
        table: as `settling.evolution_table` gives it.

    Returns:
        The mean over seeds of the smaller gain in each.
    """
    own = table[(table["run"] == AS_TRAINED) & table["layer"].isin([LOWER, UPPER])]
    ends = own.sort_values("epoch").groupby(["seed", "layer"])["probe"].agg(["first", "last"])
    return float(POINTS * (ends["last"] - ends["first"]).groupby("seed").min().mean())


def _by_seed(settled: pd.DataFrame, run: str, measure: str, layers: Sequence[str]) -> pd.DataFrame:
    """Times by seed (rows) and layer; seeds without one of them are left out."""
    own = settled[(settled["run"] == run) & (settled["measure"] == measure)]
    by_seed = own[own["layer"].isin(list(layers))].pivot(index="seed", columns="layer", values="time")
    return by_seed.reindex(columns=list(layers)).astype(float).dropna()


def _compared(interval: Callable[..., Interval], values: pd.Series, arms: tuple[float, float]) -> Comparison:
    """An interval over seeds with its arms, where there are enough."""
    found = where_enough(interval, values, resampled="seeds")
    arms = (float(arms[0]), float(arms[1])) if found else None
    return Comparison(found, arms, tuple(int(seed) for seed in values.index))


def _geometric(logs: pd.Series, *, resampled: str) -> Interval:
    """The geometric mean, by Student's t of the logarithms."""
    found = t_interval(logs, resampled=resampled)
    ends = (float(np.exp(value)) for value in (found.estimate, found.low, found.high))
    return Interval(*ends, found.n, resampled)
