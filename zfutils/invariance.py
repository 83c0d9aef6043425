"""How far a network's features move when the picture moves (Zeiler & Fergus 2013, §4, Fig. 5).

A distance is Euclidean, between a layer's features of the transformed and of the untransformed picture,
divided by the layer's mean distance between different pictures: 0 is invariance, 1 as far as another
picture. That makes layers, and networks, comparable. All layers of all networks come out of one pass over
the poses, and what is kept is a number for each picture, pose and layer, not the features.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from zfutils import chains
from zfutils.poses import UNCHANGED, Kind, Poses
from zfutils.statistics import (
    Interval,
    bootstrap_interval,
    paired_difference,
    t_interval,
    unpaired_difference,
)

LAYERS = tuple(f"relu{number}" for number in range(1, 8))
PICTURES = "pictures never trained on"


@dataclass(frozen=True)
class Responses:
    """What a network answers to n pictures in p poses."""

    kind: Kind
    amounts: Float[np.ndarray, " poses"]  # pixels down, factor, or degrees clockwise
    layers: tuple[str, ...]
    pictures: Int64[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]
    distances: Float[np.ndarray, "n poses layers"]  # to the untransformed; 1 is another picture's
    probabilities: Float[np.ndarray, "n poses"]  # of the true label
    untransformed: Float[np.ndarray, " n"]  # the same for the untransformed picture
    units: Float[np.ndarray, " layers"]  # mean distance between different pictures

    def layer(self, name: str) -> Float[np.ndarray, "n poses"]:
        """Distances in one layer."""
        if name not in self.layers:
            raise ValueError(f"layer {name!r} was not measured; there are {', '.join(self.layers)}")
        return self.distances[..., self.layers.index(name)]

    def of(self, pictures: Int64[Tensor, " m"]) -> Self:
        """Those of some of the pictures, by their rows in the set, in the same units."""
        places = {int(row): place for place, row in enumerate(self.pictures)}
        if missing := [int(row) for row in pictures if int(row) not in places]:
            raise ValueError(f"pictures {missing} were not measured")
        chosen = [places[int(row)] for row in pictures]
        fields = ("pictures", "labels", "distances", "probabilities", "untransformed")
        return replace(self, **{name: getattr(self, name)[chosen] for name in fields})

    @property
    def sizes(self) -> Float[np.ndarray, " poses"]:
        """How large each change is, whichever way it goes: pixels, factor less 1, degrees up to 180."""
        away = np.abs(self.amounts - UNCHANGED[self.kind])
        return np.minimum(away % 360, -away % 360) if self.kind == "rotation" else away


@torch.no_grad()
def responses(
    models: Mapping[str, nn.Module],
    poses: Poses,
    *,
    layers: Sequence[str] = LAYERS,
    batch: int = 32,
) -> dict[str, Responses]:
    """Distances by layer and the true label's probability, of every network for every picture and pose.

    Memory holds the features of two batches at a time, whatever the number of pictures and poses.

    Args:
        models: chains of layers (`chains.chain`) that give logits, used as in evaluation.
        poses: pictures, as `poses.Transformed` or `poses.rendered` gives them; at least two.
        layers: names of layers: "relu5" is the paper's layer 5.
        batch: pictures at a time.

    Raises:
        ValueError: no such layer; a label outside the classes; fewer than two pictures; features that are
            not finite, or the same for all pictures, so that distances have no unit.
    """
    n, shape = len(poses.pictures), (len(poses.pictures), len(poses.amounts), len(layers))
    if n < 2:
        raise ValueError(f"distances between different pictures need at least two, got {n}")
    if not layers or not len(poses.amounts):
        raise ValueError("there are no layers or no poses to measure")
    for model in models.values():
        _refuse_unknown(model, layers)
    chunks = [slice(start, min(start + batch, n)) for start in range(0, n, batch)]
    labels = torch.from_numpy(poses.labels)
    found = {name: _Tables(shape) for name in models}
    modes = {name: model.training for name, model in models.items()}
    try:
        for model in models.values():
            model.eval()
        for number, chunk in enumerate(chunks):
            view = poses.view(chunk, None)
            at_rest = {}
            for name, model in models.items():
                at_rest[name], said = features(model, view, layers)
                found[name].untransformed[chunk] = _probability(said, labels[chunk])
            for pose in range(shape[1]):
                view = poses.view(chunk, pose)
                for name, model in models.items():
                    moved, said = features(model, view, layers)
                    pairs = zip(moved, at_rest[name], strict=True)
                    norms = [torch.linalg.vector_norm(a - b, dim=1).cpu() for a, b in pairs]
                    found[name].distances[chunk, pose] = torch.stack(norms, 1).numpy()
                    found[name].probabilities[chunk, pose] = _probability(said, labels[chunk])
            for other in chunks[number:]:
                view = poses.view(other, None) if other is not chunk else None
                for name, model in models.items():
                    theirs = at_rest[name] if view is None else features(model, view, layers)[0]
                    found[name].between += _between(at_rest[name], theirs)
    finally:
        for name, model in models.items():
            model.train(modes[name])
    return {name: _responses(name, tables, poses, tuple(layers)) for name, tables in found.items()}


class _Tables:
    """What is filled in while the pictures go through."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.distances = np.empty(shape)
        self.probabilities, self.untransformed = np.empty(shape[:2]), np.empty(shape[0])
        self.between = np.zeros(shape[2])  # sum over unordered pairs of pictures


def _responses(name: str, tables: _Tables, poses: Poses, layers: tuple[str, ...]) -> Responses:
    n = len(poses.pictures)
    units = tables.between / (n * (n - 1) / 2)
    for layer, unit in zip(layers, units, strict=True):
        if not 0 < unit < np.inf:
            what = "the same for all pictures" if unit == 0 else "not finite"
            raise ValueError(f"the features of {layer} of the network {name!r} are {what}")
    return Responses(
        poses.kind,
        poses.amounts,
        layers,
        poses.pictures,
        poses.labels,
        tables.distances / units,
        tables.probabilities,
        tables.untransformed,
        units,
    )


@torch.no_grad()
def features(
    model: nn.Module, images: Float[Tensor, "n channels side side"], layers: Sequence[str]
) -> tuple[list[Float[Tensor, "n features"]], Float[Tensor, "n classes"]]:
    """The features of several layers, flattened, and the logits, from one pass."""
    x = images.to(next(model.parameters()).device).contiguous(memory_format=torch.channels_last)
    found: dict[str, Tensor] = {}
    for step in chains.steps(model):
        x = step.module(x)
        if step.name in layers:
            found[step.name] = x.flatten(1)
    return [found[layer] for layer in layers], x


def _between(first: list[Tensor], second: list[Tensor]) -> Float[np.ndarray, " layers"]:
    """Sum of the distances between the pictures of two batches; within one batch each pair counts once."""
    if first is second:
        return np.array([torch.pdist(a).double().sum().item() for a in first])
    pairs = zip(first, second, strict=True)
    return np.array([torch.cdist(a, b).double().sum().item() for a, b in pairs])


def _probability(logits: Tensor, labels: Int64[Tensor, " n"]) -> Float[np.ndarray, " n"]:
    if logits.ndim != 2 or int(labels.min()) < 0 or int(labels.max()) >= logits.shape[1]:
        came = f"labels {int(labels.min())} … {int(labels.max())}"
        raise ValueError(f"{came} do not fit a network whose output has shape {tuple(logits.shape)}")
    chances = logits.float().softmax(1).cpu()
    return chances.gather(1, labels[:, None])[:, 0].numpy()


def _refuse_unknown(model: nn.Module, layers: Sequence[str]) -> None:
    names = [step.name for step in chains.steps(model)]
    unknown = [layer for layer in layers if layer not in names]
    if unknown:
        raise ValueError(f"layers {unknown} are not in this network; it has {', '.join(names)}")


# ---- numbers


def curve_table(found: Mapping[str, Responses]) -> pd.DataFrame:
    """Mean curves with 95 % t intervals over pictures.

    Returns:
        A row a network, pose and layer: network, kind, amount, layer, estimate, low, high; the layer
        "probability" is the true label's.

    Raises:
        TooFew: of one picture.
    """
    rows = []
    for network, one in found.items():
        columns = {layer: one.layer(layer) for layer in one.layers} | {"probability": one.probabilities}
        for layer, values in columns.items():
            for amount, of_pose in zip(one.amounts, values.T, strict=True):
                mean = t_interval(of_pose, resampled=PICTURES)
                rows.append((network, one.kind, amount, layer, mean.estimate, mean.low, mean.high))
    return pd.DataFrame(rows, columns=["network", "kind", "amount", "layer", "estimate", "low", "high"])


def near(one: Responses, layer: str, *, within: float) -> Float[np.ndarray, " n"]:
    """Mean distance of each picture over all changes that are not larger than `within`.

    Args:
        within: pixels, factor less 1, or degrees.

    Raises:
        ValueError: no pose is that near, or no such layer.
    """
    return one.layer(layer)[:, _within(one, within)].mean(1)


def between(one: Responses, layer: str, *, low: float, high: float) -> Float[np.ndarray, " n"]:
    """Mean distance of each picture over amounts from `low` to `high`."""
    return one.layer(layer)[:, _among(one, low, high)].mean(1)


def first_less_last(one: Responses, *, within: float, seed: int = 0) -> Interval:
    """Mean distance near the untransformed picture: first layer less last, paired over pictures."""
    ends = (near(one, layer, within=within) for layer in (one.layers[0], one.layers[-1]))
    return paired_difference(*ends, resampled=PICTURES, seed=seed)


def slopes(found: Mapping[str, Responses], *, within: float, per: float = 1.0) -> pd.DataFrame:
    """How fast each layer moves away near the untransformed picture.

    A picture's slope is that of the straight line through 0 that fits its distances best (least squares).

    Args:
        within: the largest change that counts (pixels, factor less 1, or degrees).
        per: what the slope is per, in the same unit.

    Returns:
        A row a network and layer: network, kind, layer, estimate, low, high (95 % t intervals over pictures).

    Raises:
        ValueError: no pose is that near.
    """
    rows = []
    for network, one in found.items():
        chosen = _within(one, within)
        x = one.sizes[chosen]
        for layer in one.layers:
            slope = t_interval(per * (one.layer(layer)[:, chosen] @ x) / (x @ x), resampled=PICTURES)
            rows.append((network, one.kind, layer, slope.estimate, slope.low, slope.high))
    return pd.DataFrame(rows, columns=["network", "kind", "layer", "estimate", "low", "high"])


def linearity(one: Responses, layer: str) -> Float[np.ndarray, " n"]:
    """R² of a straight line through each picture's distance against the size of the change.

    Both directions of a translation lie on one line. NaN for a picture whose distance never changes.
    """
    if len(np.unique(one.sizes)) < 3:
        raise ValueError(f"a line needs at least three sizes of change, got {len(np.unique(one.sizes))}")
    x, y = one.sizes - one.sizes.mean(), one.layer(layer)
    y = y - y.mean(1, keepdims=True)
    total = (y**2).sum(1)
    explained = (y @ x) ** 2 / (x @ x)
    return np.divide(explained, total, out=np.full(len(y), np.nan), where=total > 0)


def linearity_interval(one: Responses, layer: str, *, seed: int = 0) -> Interval:
    """Mean R² over pictures."""
    values = linearity(one, layer)
    return bootstrap_interval(values[np.isfinite(values)], resampled=PICTURES, seed=seed)


def linearity_table(found: Mapping[str, Responses], *, seed: int = 0) -> pd.DataFrame:
    """`linearity_interval` by network and layer: columns network, layer, estimate, low, high."""
    return _by_layer({name: [one] for name, one in found.items()}, linearity_interval, seed)


def turned_interval(
    one: Responses, layer: str, *, low: float = 90, high: float = 270, seed: int = 0
) -> Interval:
    """Mean distance over angles from `low` to `high`."""
    return bootstrap_interval(between(one, layer, low=low, high=high), resampled=PICTURES, seed=seed)


def symmetry_interval(
    plain: Responses, symmetric: Responses, layer: str, *, low: float = 30, high: float = 330, seed: int = 0
) -> Interval:
    """Mean distance over angles: objects without rotational symmetry less objects with it."""
    groups = (between(one, layer, low=low, high=high) for one in (plain, symmetric))
    return unpaired_difference(*groups, resampled="pictures of either group", seed=seed)


def symmetry_table(groups: Mapping[str, tuple[Responses, Responses]], *, seed: int = 0) -> pd.DataFrame:
    """`symmetry_interval` by network and layer: columns network, layer, estimate, low, high.

    Args:
        groups: by network, objects without rotational symmetry and with it.
    """
    return _by_layer(groups, symmetry_interval, seed)


def _by_layer(
    found: Mapping[str, Sequence[Responses]], interval: Callable[..., Interval], seed: int
) -> pd.DataFrame:
    rows = []
    for network, parts in found.items():
        for layer in parts[0].layers:
            measured = interval(*parts, layer, seed=seed)
            rows.append((network, layer, measured.estimate, measured.low, measured.high))
    return pd.DataFrame(rows, columns=["network", "layer", "estimate", "low", "high"])


def fall(one: Responses, *, low: float, high: float) -> Float[np.ndarray, " n"]:
    """By how much the true label's probability is lower over amounts from `low` to `high`."""
    return one.untransformed - one.probabilities[:, _among(one, low, high)].mean(1)


def _within(one: Responses, size: float) -> Bool[np.ndarray, " poses"]:
    chosen = (one.sizes > 0) & (one.sizes <= size + 1e-9)
    if not chosen.any():
        smallest = one.sizes[one.sizes > 0].min(initial=np.inf)
        raise ValueError(f"no {one.kind} is within {size:g}; the smallest change is {smallest:g}")
    return chosen


def _among(one: Responses, low: float, high: float) -> Bool[np.ndarray, " poses"]:
    chosen = (one.amounts >= low) & (one.amounts <= high)
    if not chosen.any():
        ends = f"{one.amounts.min():g} … {one.amounts.max():g}"
        raise ValueError(f"no {one.kind} lies in {low:g} … {high:g}; the range is {ends}")
    return chosen
