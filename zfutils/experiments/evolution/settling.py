"""When the layers of a network settle while it trains (Zeiler & Fergus 2013, §4 and Fig. 4).

The paper shows each map's strongest projection at eight epochs and says that lower layers converge within a
few epochs, upper ones only after 40 to 50. The one idea here: convergence is a time. A curve, of a layer's
similarity to its last snapshot or of a linear probe's accuracy, is rescaled from 0 before training to 1 at
its end, and settles where it reaches 90 % and stays there.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import nan
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.experiments.evolution.similarity import (
    ConstantFeatures,
    debiased_cka,
    pooled_features,
    probe_accuracy,
)
from zfutils.runtime.devices import to_host
from zfutils.stats.intervals import Interval, TooFew, t_interval

SETTLED = 0.9  # share of the way from the start to the end
MEASURES = ("cka", "probe")

Features = Mapping[str, Float[np.ndarray, "n maps"]]


def trajectory(
    snapshots: Mapping[float, nn.Module],
    training: Inputs,
    validation: Inputs,
    *,
    layers: Sequence[str],
    batch: int = 256,
    name: str = "network",
) -> tuple[pd.DataFrame, Features]:
    """One network's way: similarity of every snapshot to the last, and what a linear probe reads from it.

    Prints one line for each snapshot.

    Args:
        snapshots: the network after each epoch, 0 for before training; each is asked for once, the last
            first, so that a mapping may load it then.
        training: images that probes learn from.
        validation: images that probes are scored on and that CKA compares; 1,000 at least for a claim.
        layers: names such as "relu1".
        batch: images at a time.
        name: for the printed lines.

    Returns:
        Columns layer, epoch (both in order), cka (debiased linear CKA with the last snapshot) and probe
        (accuracy); cka is NaN where a layer's features are constant, or differ in one image alone. And the
        last snapshot's features of the validation images, by layer.

    Raises:
        ValueError: fewer than two snapshots, none before training, or what `pooled_features` refuses.
    """
    epochs = sorted(snapshots)
    if len(epochs) < 2 or epochs[0] != 0:
        raise ValueError(f"{name}: a way leads from epoch 0 to a later one, got snapshots {epochs}")
    sets = (training, validation)
    labels = [to_host(inputs.labels) for inputs in sets]
    last: Features = {}
    found = []
    for epoch in reversed(epochs):
        began, model = time.perf_counter(), snapshots[epoch]
        learnt, test = (pooled_features(model, inputs, layers=layers, batch=batch) for inputs in sets)
        last = last or test
        one = pd.DataFrame(
            {
                "layer": layers,
                "epoch": epoch,
                "cka": [_similarity(test[layer], last[layer]) for layer in layers],
                "probe": [probe_accuracy(learnt[x], labels[0], test[x], labels[1]) for x in layers],
            }
        )
        found.append(one)
        read = ", ".join(f"{layer} {cka:.2f}" for layer, cka in zip(one["layer"], one["cka"], strict=True))
        seconds = time.perf_counter() - began
        print(f"{name}, epoch {epoch:g}: CKA with the last {read} ({seconds:.1f} s)", flush=True)
    return pd.concat(found[::-1], ignore_index=True), last


def evolution_table(
    networks: Mapping[tuple[str, int], Mapping[float, nn.Module]],
    training: Inputs,
    validation: Inputs,
    *,
    layers: Sequence[str],
    batch: int = 256,
) -> pd.DataFrame:
    """Every network's way, rescaled: CKA between step 0 and the ceiling of two seeds, probes to their last.

    Args:
        networks: by run and seed, each as `trajectory` takes its snapshots.
        training, validation, layers, batch: as for `trajectory`.

    Returns:
        Columns run, seed, layer, epoch, cka, cka_rescaled, probe, probe_rescaled. CKA's ceiling is as
        `ceilings` gives it; the last snapshot, which is equal to itself, lies above it. NaN where there is
        no ceiling, or an end that is not above the start.
    """
    ways = {
        (run, seed): trajectory(
            snapshots, training, validation, layers=layers, batch=batch, name=f"{run}, seed {seed}"
        )
        for (run, seed), snapshots in networks.items()
    }
    ceiling = ceilings({key: last for key, (_, last) in ways.items()})
    found = []
    for (run, seed), (table, _) in ways.items():
        for layer, one in table.groupby("layer", sort=False):
            one = one.assign(
                run=run,
                seed=seed,
                cka_rescaled=rescaled(one["cka"], end=ceiling[run][layer]),
                probe_rescaled=rescaled(one["probe"], end=one["probe"].iloc[-1]),
            )
            found.append(one)
    columns = ["run", "seed", "layer", "epoch", "cka", "cka_rescaled", "probe", "probe_rescaled"]
    return pd.concat(found, ignore_index=True)[columns]


def ceilings(lasts: Mapping[tuple[str, int], Features]) -> dict[str, dict[str, float]]:
    """How alike two trained networks are: CKA between last snapshots of different seeds, by run and layer.

    The mean over all pairs of the run's seeds. A run of one seed is compared with the other runs' networks
    of other seeds; where there is none either, NaN.
    """
    found: dict[str, dict[str, float]] = {}
    for run in dict.fromkeys(run for run, _ in lasts):
        own = [key for key in lasts if key[0] == run]
        others = [key for key in lasts if key[0] != run and key[1] != own[0][1]]
        pairs = list(combinations(own, 2)) or [(own[0], other) for other in others]
        found[run] = {
            layer: float(np.mean([_similarity(lasts[a][layer], lasts[b][layer]) for a, b in pairs] or [nan]))
            for layer in lasts[own[0]]
        }
    return found


def rescaled(values: ArrayLike, *, end: float) -> Float[np.ndarray, " snapshots"]:
    """A curve moved and stretched, so that its first value is 0 and `end` is 1; NaN unless end > start."""
    curve = np.asarray(values, dtype=float)
    return (curve - curve[0]) / (end - curve[0]) if end > curve[0] else np.full_like(curve, nan)


def rate_drops(history: pd.DataFrame) -> list[int]:
    """Epochs that were trained at a lower rate than the one before.

    Args:
        history: as `Trained.history`, one row for each epoch.
    """
    return history["epoch"][history["rate"].diff() < 0].tolist()


class Settled(NamedTuple):
    """When a curve settles (epochs), and the snapshots between which that lies; NaN where it never does."""

    time: float
    before: float
    after: float


def time_to(values: ArrayLike, epochs: ArrayLike, *, share: float = SETTLED) -> Settled:
    """When a rescaled curve first reaches a share of its end and stays there, linear between snapshots.

    Where it is reached by the first snapshot after step 0, the time lies on the line from step 0 to it, as
    between any two others: the snapshots cannot tell more, and `before` is 0. A curve that falls below the
    share again counts from its last rise. One that ends below it, or holds a NaN because its end was not
    above its start, never settles: all three NaN. One that is there from its first snapshot on settles at
    that, with an interval of no width.

    Args:
        values: at every snapshot, in order.
        epochs: of the snapshots, increasing.

    Raises:
        ValueError: lengths that differ, no values, epochs that do not increase, or a share outside (0, 1].
    """
    curve, at = np.asarray(values, dtype=float), np.asarray(epochs, dtype=float)
    if curve.ndim != 1 or curve.shape != at.shape or not len(at) or (np.diff(at) <= 0).any():
        raise ValueError(f"values need as many increasing epochs, got {curve.shape} and {at.tolist()}")
    if not 0 < share <= 1:
        raise ValueError(f"the share to reach lies in (0, 1], got {share}")
    if np.isnan(curve).any() or curve[-1] < share:
        return Settled(nan, nan, nan)
    below = np.flatnonzero(curve < share)
    if len(below) == 0:
        return Settled(at[0], at[0], at[0])
    i = below[-1]
    part = (share - curve[i]) / (curve[i + 1] - curve[i])
    return Settled(float(at[i] + part * (at[i + 1] - at[i])), float(at[i]), float(at[i + 1]))


def times(table: pd.DataFrame, *, share: float = SETTLED) -> pd.DataFrame:
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
            found.append(
                (run, seed, layer, *time_to(one[f"{measure}_rescaled"], one["epoch"], share=share), measure)
            )
    return pd.DataFrame(found, columns=["run", "seed", "layer", *Settled._fields, "measure"])


def doublings(
    settled: pd.DataFrame, *, run: str, measure: str = "cka", lower: str = "relu1", upper: str = "relu5"
) -> Interval:
    """log2 of the upper layer's time over the lower one's, over seeds; above 0 the lower settles first.

    Args:
        settled: as `times` gives it. Seeds in which either layer never settles are left out; n says how
            many remain.

    Raises:
        TooFew: fewer than two seeds remain.
        ValueError: no such run, measure or layer.
    """
    by_seed = _by_seed(settled, run, measure, (lower, upper))
    return t_interval(np.log2(by_seed[upper] / by_seed[lower]), resampled="seeds")


def share_of_training(
    settled: pd.DataFrame, *, run: str, layers: Sequence[str], epochs: float, measure: str = "cka"
) -> Interval:
    """Mean time of some layers over the length of the training, over seeds.

    Args:
        settled: as for `doublings`, seeds left out likewise.
        layers: whose times are averaged within a seed.
        epochs: of the whole training.
    """
    if epochs <= 0:
        raise ValueError(f"the training's length is a positive number of epochs, not {epochs}")
    return t_interval(_by_seed(settled, run, measure, layers).mean(axis=1) / epochs, resampled="seeds")


def _similarity(first: np.ndarray, second: np.ndarray) -> float:
    """CKA; NaN where a layer is dead, so that one dead layer does not end a chapter."""
    try:
        return debiased_cka(first, second)
    except ConstantFeatures:
        return nan


def _by_seed(settled: pd.DataFrame, run: str, measure: str, layers: Iterable[str]) -> pd.DataFrame:
    """Times by seed (rows) and layer; seeds without one of them are left out."""
    for column, names in (("run", [run]), ("measure", [measure]), ("layer", list(layers))):
        if absent := set(names) - set(settled[column]):
            there = ", ".join(map(str, settled[column].unique()))
            raise ValueError(f"{column} {', '.join(sorted(absent))} was not measured; there are {there}")
    own = settled[
        (settled["run"] == run) & (settled["measure"] == measure) & settled["layer"].isin(list(layers))
    ]
    by_seed = own.pivot(index="seed", columns="layer", values="time").dropna()
    if len(by_seed) < 2:
        raise TooFew(f"{run}, {measure}: {', '.join(layers)} settle in {len(by_seed)} seeds; 2 are needed")
    return by_seed
