"""How far a network's features move when the picture moves (Zeiler & Fergus 2013, §4, Fig. 5).

A distance is Euclidean, between a layer's features of the transformed and of the untransformed picture,
divided by the layer's mean distance between different pictures: 0 is invariance, 1 as far as another
picture. That makes layers, and networks, comparable. All layers of all networks come out of one pass over
the poses, and what is kept is a number for each picture, pose and layer, not the features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.experiments.invariance.transformed_images import UNCHANGED, Kind, TransformedImages
from zfutils.nets import chains

LAYERS = tuple(f"relu{number}" for number in range(1, 8))


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
    poses: TransformedImages,
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


def _responses(name: str, tables: _Tables, poses: TransformedImages, layers: tuple[str, ...]) -> Responses:
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
