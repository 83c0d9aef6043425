"""What a network's layers are like at every snapshot: as trained, and with its weights moved in step.

Zeiler & Fergus 2013, §4 and Fig. 4, say that lower layers converge first. But a layer's features depend on
all layers below it: were the weights of all layers moved at one pace, the upper ones might still come later.
The one idea here is a control that does just that. At each snapshot it puts the weights on the straight line
between first and last ones, as far along as all weights together had come.
"""

import copy
import time
from collections.abc import Mapping, Sequence
from math import nan

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.experiments.evolution.similarity import (
    ConstantFeatures,
    debiased_cka,
    pooled_features,
    probe_accuracy,
)
from zfutils.runtime.devices import to_host

LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5", "relu7")
AS_TRAINED, IN_STEP = "as trained", "weights moved in step"
RUNS = {AS_TRAINED: "", IN_STEP: "_in_step"}  # what ends the names of a run's arrays
MEASURES = ("cka", "probe")
VERSION = 1  # raised by hand when `measure` changes its meaning, so that kept curves are measured again

Features = Mapping[str, Float[np.ndarray, "n maps"]]


def measure(
    snapshots: Mapping[int, nn.Module],
    training: Inputs,
    validation: Inputs,
    *,
    layers: Sequence[str] = LAYERS,
    name: str = "network",
) -> dict[str, np.ndarray]:
    """One network's curves: how alike its layers are to their own end, and what linear probes read from them.

    Prints one line for each snapshot.

    Args:
        snapshots: the network after each epoch, 0 for before training; a mapping may load them when asked.
        training: images that probes learn from.
        validation: images that probes are scored on and that CKA compares; 1,000 at least for a claim.
        layers: names such as "relu1".
        name: for the printed lines.

    Returns:
        epochs and along (s), the snapshots and how far along the straight line the weights had come
        (`shares_of_the_way`); cka and probe (s, layers), debiased linear CKA with the last snapshot and a
        probe's accuracy; cka_in_step and probe_in_step, the same of the control. CKA is NaN where a layer's
        features are constant, or differ in one image alone.

    Raises:
        ValueError: fewer than two snapshots, none before training, or what `pooled_features` refuses.
    """
    epochs = sorted(snapshots)
    if len(epochs) < 2 or epochs[0] != 0:
        raise ValueError(f"{name}: a way leads from epoch 0 to a later one, got snapshots {epochs}")
    sets = (training, validation)
    labels = [to_host(inputs.labels) for inputs in sets]
    along = shares_of_the_way(snapshots)
    first, last = snapshots[0], snapshots[epochs[-1]]

    def features(model: nn.Module) -> tuple[Features, ...]:
        return tuple(pooled_features(model, inputs, layers=layers) for inputs in sets)

    def read(learnt: Features, test: Features) -> np.ndarray:
        cka = [similarity(test[layer], ends[epochs[-1]][1][layer]) for layer in layers]
        probe = [probe_accuracy(learnt[layer], labels[0], test[layer], labels[1]) for layer in layers]
        return np.array([cka, probe])

    ends = {0: features(first), epochs[-1]: features(last)}  # where both runs begin and end
    found: dict[str, list[np.ndarray]] = {run: [] for run in RUNS}
    for epoch in epochs:
        began = time.perf_counter()
        both = read(*(ends[epoch] if epoch in ends else features(snapshots[epoch])))
        control = both if epoch in ends else read(*features(between(first, last, along[epoch])))
        found[AS_TRAINED].append(both)
        found[IN_STEP].append(control)
        said = ", ".join(f"{layer} {cka:.2f}" for layer, cka in zip(layers, both[0], strict=True))
        seconds = time.perf_counter() - began
        print(f"{name}, epoch {epoch:g}: CKA with the last {said} ({seconds:.1f} s)", flush=True)
    arrays = {"epochs": np.array(epochs), "along": np.array(list(along.values()))}
    for run, ending in RUNS.items():
        stacked = np.stack(found[run], axis=1).astype(np.float32)
        arrays |= {f"{m}{ending}": values for m, values in zip(MEASURES, stacked, strict=True)}
    return arrays


def shares_of_the_way(snapshots: Mapping[int, nn.Module]) -> dict[int, float]:
    """How far along the straight line from first to last weights all weights together had come.

    Args:
        snapshots: the network by epoch.

    Returns:
        By epoch, the nearest point of the line as a share of it: 0 at the first snapshot, 1 at the last.
    """
    epochs = sorted(snapshots)
    first, last = (_weights(snapshots[epoch]) for epoch in (epochs[0], epochs[-1]))
    way = last - first
    return {e: float((_weights(snapshots[e]) - first) @ way / (way @ way)) for e in epochs[:-1]} | {
        epochs[-1]: 1.0
    }


def between(first: nn.Module, last: nn.Module, share: float) -> nn.Module:
    """A network whose weights lie on the straight line between those of two others.

    Args:
        first, last: networks of the same layers.
        share: of the way from the first to the last.
    """
    model = copy.deepcopy(first)
    with torch.no_grad():
        for own, end in zip(model.parameters(), last.parameters(), strict=True):
            own.add_(share * (end - own))
    return model


def similarity(first: Float[np.ndarray, "n a"], second: Float[np.ndarray, "n b"]) -> float:
    """CKA; NaN where a layer is dead, so that one dead layer does not end a chapter."""
    try:
        return debiased_cka(first, second)
    except ConstantFeatures:
        return nan


def _weights(model: nn.Module) -> Float[Tensor, " weights"]:
    """All weights and biases as one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()]).double()
