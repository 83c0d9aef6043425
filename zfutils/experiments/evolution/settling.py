"""When the layers of a network settle while it trains (Zeiler & Fergus 2013, §4 and Fig. 4).

The paper shows each map's strongest projection at eight epochs and says that lower layers converge within a
few epochs, upper ones only after 40 to 50. The one idea here: convergence is a time. A curve, of a layer's
similarity to its last snapshot, of a linear probe's accuracy or of the loss, is rescaled from 0 before
training to 1 at its own end, and settles where it reaches 90 % and stays there.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import nan
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import ArrayLike

from zfutils.experiments.evolution.trajectories import LAYERS, MEASURES, RUNS, Features, similarity

SETTLED = 0.9  # share of the way from the start to the end


def evolution_table(
    measured: Mapping[int, Mapping[str, np.ndarray]], *, layers: Sequence[str] = LAYERS
) -> pd.DataFrame:
    """The curves of several networks, rescaled between step 0 and each network's own end.

    Args:
        measured: by seed, as `trajectories.measure` gives them.
        layers: that they were measured of.

    Returns:
        Columns run (as trained, or with weights moved in step), seed, layer, epoch, cka, cka_rescaled, probe,
        probe_rescaled; NaN where an end is not above the start. No rows where no network was measured.
    """
    measures = [name for measure in MEASURES for name in (measure, f"{measure}_rescaled")]
    found = [pd.DataFrame(columns=["run", "seed", "layer", "epoch", *measures], dtype=float)]
    for run, ending in RUNS.items():
        for seed, arrays in measured.items():
            for number, layer in enumerate(layers):
                one = {"run": run, "seed": seed, "layer": layer, "epoch": arrays["epochs"]}
                for measure, end in (("cka", 1.0), ("probe", None)):
                    curve = arrays[f"{measure}{ending}"][:, number].astype(float)
                    end = curve[-1] if end is None else end
                    one |= {measure: curve, f"{measure}_rescaled": rescaled(curve, end=end)}
                found.append(pd.DataFrame(one))
    return pd.concat(found[1:] or found, ignore_index=True)


def between_seeds(lasts: Mapping[int, Features], table: pd.DataFrame) -> dict[str, float]:
    """How alike two trained networks are, on the scale of the rescaled curves.

    Args:
        lasts: features of the same images at the last snapshot, by seed.
        table: as `evolution_table` gives it.

    Returns:
        By layer, CKA between last snapshots of different seeds, mean over pairs, where a network's own CKA at
        step 0, mean over seeds, is 0 and its end is 1. Nothing where there are fewer than two seeds.
    """
    pairs = list(combinations(lasts.values(), 2))
    start = table[(table["run"] == next(iter(RUNS))) & (table["epoch"] == 0)].groupby("layer")["cka"].mean()
    found = {}
    for layer in start.index if pairs else ():
        value = float(np.mean([similarity(a[layer], b[layer]) for a, b in pairs]))
        found[layer] = float(rescaled([start[layer], value], end=1.0)[1])
    return found


def rescaled(values: ArrayLike, *, end: float) -> Float[np.ndarray, " snapshots"]:
    """A curve moved and stretched, so that its first value is 0 and `end` is 1; NaN unless end > start."""
    curve = np.asarray(values, dtype=float)
    return (curve - curve[0]) / (end - curve[0]) if end > curve[0] else np.full_like(curve, nan)


def rate_drops(history: pd.DataFrame) -> list[int]:
    """Epochs after which the rate was lowered.

    Args:
        history: as `Trained.history`, one row for each epoch.
    """
    return [int(epoch) for epoch in history["epoch"][history["rate"].diff(-1) > 0]]


def loss_curve(history: pd.DataFrame, start: float) -> tuple[np.ndarray, np.ndarray]:
    """The training loss as a rising curve: 0 before training, 1 in the last epoch.

    Args:
        history: one row for each epoch from 1, with its mean loss; epoch 0 is left aside.
        start: loss before training.

    Returns:
        Times (epochs) and values. The mean over an epoch stands in the epoch's middle. NaN where the loss did
        not fall.
    """
    own = history[history["epoch"] > 0]
    losses = np.array([start, *own["loss"]])
    return np.array([0, *(own["epoch"] - 0.5)]), rescaled(-losses, end=-losses[-1])


class Settled(NamedTuple):
    """When a curve settles (epochs), and the snapshots between which that lies; NaN where it never does."""

    time: float
    before: float
    after: float


def time_to(values: ArrayLike, epochs: ArrayLike) -> Settled:
    """When a rescaled curve first reaches 90 % of its end and stays there, linear between snapshots.

    Where it is reached by the first snapshot after step 0, the time lies on the line from step 0 to it, as
    between any two others: the snapshots cannot tell more, and `before` is 0. A curve that falls below them
    again counts from its last rise. One that ends below it, or holds a NaN because its end was not
    above its start, never settles: all three NaN. One that is there from its first snapshot on settles at
    that, with an interval of no width.

    Args:
        values: at every snapshot, in order.
        epochs: of the snapshots, increasing.
    """
    curve, at = np.asarray(values, dtype=float), np.asarray(epochs, dtype=float)
    if np.isnan(curve).any() or curve[-1] < SETTLED:
        return Settled(nan, nan, nan)
    below = np.flatnonzero(curve < SETTLED)
    if len(below) == 0:
        return Settled(at[0], at[0], at[0])
    i = below[-1]
    part = (SETTLED - curve[i]) / (curve[i + 1] - curve[i])
    return Settled(float(at[i] + part * (at[i + 1] - at[i])), float(at[i]), float(at[i + 1]))


def times(table: pd.DataFrame) -> pd.DataFrame:
    """When every layer of every network settles, by CKA and by probe.

    Args:
        table: as `evolution_table` gives it.

    Returns:
        Columns run, seed, layer, time, before, after (epochs; NaN as in `time_to`), measure.
    """
    found = []
    for (run, seed, layer), one in table.groupby(["run", "seed", "layer"], sort=False):
        one = one.sort_values("epoch")
        for measure in MEASURES:
            settled = time_to(one[f"{measure}_rescaled"], one["epoch"])
            found.append((run, seed, layer, *settled, measure))
    return pd.DataFrame(found, columns=["run", "seed", "layer", *Settled._fields, "measure"])
