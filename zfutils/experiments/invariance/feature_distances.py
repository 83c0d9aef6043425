"""How far a network's features move when the picture moves (Zeiler & Fergus 2013, §4, Fig. 5).

A distance is Euclidean, between a layer's features of the transformed and of the untransformed picture,
divided by the layer's mean distance between different pictures: 0 is invariance, 1 as far as another
picture. That makes layers, and networks, comparable. All layers of all networks come out of one pass over
the transformed images, and what is kept is a number for each picture, amount and layer, not the features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.experiments.invariance.transformed_images import UNCHANGED, Kind, TransformedImages
from zfutils.nets.activations import forward, known_layers
from zfutils.runtime.devices import device_of, to_host

LAYERS = tuple(f"relu{number}" for number in range(1, 8))


@dataclass(frozen=True)
class Responses:
    """What a network answers to n pictures, each transformed by several amounts."""

    kind: Kind
    amounts: Float[np.ndarray, " amounts"]  # pixels down, factor, or degrees clockwise
    layers: tuple[str, ...]
    pictures: Int64[np.ndarray, " n"]  # rows of the set
    distances: Float[np.ndarray, "n amounts layers"]  # to the untransformed; 1 is another picture's
    probabilities: Float[np.ndarray, "n amounts"]  # of the true label
    untransformed: Float[np.ndarray, " n"]  # the same for the untransformed picture
    units: Float[np.ndarray, " layers"]  # mean distance between different pictures

    def layer(self, name: str) -> Float[np.ndarray, "n amounts"]:
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
        fields = ("pictures", "distances", "probabilities", "untransformed")
        return replace(self, **{name: getattr(self, name)[chosen] for name in fields})

    @property
    def sizes(self) -> Float[np.ndarray, " amounts"]:
        """How large each change is, whichever way it goes: pixels, factor minus 1, degrees up to 180."""
        away = np.abs(self.amounts - UNCHANGED[self.kind])
        return np.minimum(away % 360, -away % 360) if self.kind == "rotation" else away


def responses(
    models: Mapping[str, nn.Module],
    series: TransformedImages,
    *,
    layers: Sequence[str] = LAYERS,
    batch: int = 64,
) -> dict[str, Responses]:
    """Distances by layer and the true label's probability, of every network, picture and amount.

    Memory holds the features of two batches at a time, whatever the number of pictures and amounts.

    Args:
        models: chains of layers (`chains.chain`) that give logits, used as in evaluation.
        series: pictures, as `Transformed` or `rendered` gives them; at least two.
        layers: names of layers: "relu5" is the paper's layer 5.
        batch: pictures at a time.

    Raises:
        ValueError: no such layer; fewer than two pictures; features that are not finite, or the same for all
            pictures, so that distances have no unit.
    """
    if (n := len(series.inputs)) < 2:
        raise ValueError(f"distances between different pictures need at least two, got {n}")
    networks = {name: _Network(model, series, layers) for name, model in models.items()}
    device = next(map(device_of, models.values()))
    chunks = [slice(start, start + batch) for start in range(0, n, batch)]
    for number, chunk in enumerate(chunks):
        view = series.view(chunk, None, device=device)
        for network in networks.values():
            network.rest(chunk, view)
        for amount in range(len(series.amounts)):
            view = series.view(chunk, amount, device=device)
            for network in networks.values():
                network.move(chunk, amount, view)
        for other in chunks[number + 1 :]:
            view = series.view(other, None, device=device)
            for network in networks.values():
                network.compare(view)
    return {name: network.responses(name, series) for name, network in networks.items()}


class _Network:
    """A network, and what is filled in while the pictures go through it."""

    def __init__(self, model: nn.Module, series: TransformedImages, layers: Sequence[str]) -> None:
        self.model, self.layers, self.labels = model, tuple(layers), to_host(series.inputs.labels)
        self.last = known_layers(model, layers)[-1].name
        n, amounts = len(series.inputs), len(series.amounts)
        self.distances = np.empty((n, amounts, len(layers)))
        self.probabilities, self.untransformed = np.empty((n, amounts)), np.empty(n)
        self.between = np.zeros(len(layers))  # sum over unordered pairs of pictures
        self.at_rest: list[Tensor] = []  # features of one batch

    def rest(self, chunk: slice, view: Float[Tensor, "m channels side side"]) -> None:
        """Take in untransformed pictures, which the next ones are compared with."""
        self.at_rest, logits = self._answer(view)
        self.untransformed[chunk] = self._probability(logits, chunk)
        self.between += _sums([torch.pdist(features) for features in self.at_rest])

    def move(self, chunk: slice, amount: int, view: Float[Tensor, "m channels side side"]) -> None:
        """Take in the same pictures, transformed."""
        moved, logits = self._answer(view)
        pairs = zip(moved, self.at_rest, strict=True)
        norms = torch.stack([torch.linalg.vector_norm(a - b, dim=1) for a, b in pairs], 1)
        self.distances[chunk, amount] = to_host(norms)
        self.probabilities[chunk, amount] = self._probability(logits, chunk)

    def compare(self, view: Float[Tensor, "k channels side side"]) -> None:
        """Take in other untransformed pictures."""
        pairs = zip(self.at_rest, self._answer(view)[0], strict=True)
        self.between += _sums([torch.cdist(a, b) for a, b in pairs])

    def responses(self, name: str, series: TransformedImages) -> Responses:
        """What came out, in units of the mean distance between different pictures."""
        n = len(self.labels)
        units = self.between / (n * (n - 1) / 2)
        for layer, unit in zip(self.layers, units, strict=True):
            if not 0 < unit < np.inf:
                what = "the same for all pictures" if unit == 0 else "not finite"
                raise ValueError(f"the features of {layer} of the network {name!r} are {what}")
        rows, distances = to_host(series.inputs.rows), self.distances / units
        measured = (distances, self.probabilities, self.untransformed, units)
        return Responses(series.kind, series.amounts, self.layers, rows, *measured)

    def _answer(self, images: Tensor) -> tuple[list[Float[Tensor, "n features"]], Float[Tensor, "n classes"]]:
        found = forward(self.model, images, [*self.layers, self.last])
        return [_vectors(found[layer]) for layer in self.layers], found[self.last]

    def _probability(self, logits: Tensor, chunk: slice) -> Float[np.ndarray, " m"]:
        labels = self.labels[chunk]
        return to_host(logits.float().softmax(1))[np.arange(len(labels)), labels]


def _vectors(x: Tensor) -> Float[Tensor, "n features"]:
    """A layer's values picture by picture, in the order of memory, so that maps need not be copied."""
    return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).flatten(1)


def _sums(by_layer: list[Tensor]) -> Float[np.ndarray, " layers"]:
    return to_host(torch.stack(by_layer)).reshape(len(by_layer), -1).sum(1, dtype=np.float64)
