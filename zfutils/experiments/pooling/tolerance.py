"""How tolerant maps are to a change of the picture, before each pooling and after it.

Scherer et al. 2010 and Boureau et al. 2010 say that pooling by maxima lets small shifts pass. Two measures of
the same maps: how far they move, in units of the distance between different pictures, and how often a map's
greatest value stays where it was on the map's own grid. A maximum that just moves with the picture stays for
as long as its step lasts; so a coarser grid alone keeps more of them in place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.data import transformations
from zfutils.data.inputs import Inputs
from zfutils.nets.activations import forward
from zfutils.runtime.devices import device_of, to_host

Kind = Literal["shift", "scale", "rotation"]
KINDS: tuple[Kind, ...] = get_args(Kind)
POOLED = (("relu1", "pool1"), ("relu2", "pool2"), ("relu5", "pool5"))  # before and after
LAYERS = tuple(layer for pair in POOLED for layer in pair)
FARTHEST = 8  # px
SCALES, ANGLES = (1.05, 1.1, 1.2, 1.3, 1.4, 1.5), (5.0, 10.0, 15.0, 20.0, 30.0, 45.0)


@dataclass(frozen=True)
class Tolerance:
    """What maps do when n pictures are changed by several amounts."""

    amounts: Float[np.ndarray, " amounts"]  # pixels down, factor, or degrees clockwise
    layers: tuple[str, ...]
    distances: Float[np.ndarray, "n amounts layers"]  # to the unchanged picture; 1 is another picture's
    stayed: Float[np.ndarray, "n amounts layers"]  # share of maps whose maximum is where it was; may be NaN

    def distance(self, layer: str) -> Float[np.ndarray, "n amounts"]:
        """Distances in one layer."""
        return self.distances[..., self.layers.index(layer)]


def amounts(kind: Kind, inputs: Inputs) -> Float[np.ndarray, " amounts"]:
    """The changes that are tried; shifts go as far as the stored picture reaches, `FARTHEST` at most.

    Raises:
        ValueError: another kind, or pictures that are stored no larger than they are seen.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; allowed are {', '.join(KINDS)}")
    if kind == "shift":
        if inputs.corner < 1:
            raise ValueError(f"pictures of {inputs.images.size} px leave no margin around {inputs.side} px")
        return np.arange(1.0, min(FARTHEST, inputs.corner) + 1)
    if kind == "rotation":
        return np.array(ANGLES)
    size = {"size": inputs.images.size, "side": inputs.side}
    return np.unique([transformations.possible_scale(scale, **size) for scale in SCALES])


def tolerance(model: nn.Module, inputs: Inputs, kind: Kind, *, layers: tuple[str, ...] = LAYERS) -> Tolerance:
    """Distances and maxima of some layers under all amounts of one kind of change.

    Holds the maps of all pictures at once, twice: meant for a hundred pictures or so.

    Args:
        model: a chain of layers, used as in evaluation.
        inputs: at least two pictures, stored larger than they are seen.
        kind: of change.
        layers: of maps, by name.

    Raises:
        ValueError: fewer than two pictures, another kind, or a layer that is the same for all pictures.
    """
    if len(inputs) < 2:
        raise ValueError(f"distances between different pictures need at least two, got {len(inputs)}")
    sizes = amounts(kind, inputs)
    views = _views(inputs, kind, sizes, device_of(model))
    rest = forward(model, next(views), layers)
    units = {layer: torch.pdist(maps.flatten(1)).mean() for layer, maps in rest.items()}
    if alike := [layer for layer, unit in units.items() if not unit > 0]:
        raise ValueError(f"the maps of {alike[0]} are the same for all pictures")
    distances, stayed = [], []
    for view in views:
        moved = forward(model, view, layers)
        away = {layer: (moved[layer] - rest[layer]).flatten(1) for layer in layers}
        distances.append(torch.stack([away[layer].norm(dim=1) / units[layer] for layer in layers], 1))
        stayed.append(torch.stack([maxima_that_stay(rest[layer], moved[layer]) for layer in layers], 1))
    found = (to_host(torch.stack(one, 1)) for one in (distances, stayed))
    return Tolerance(sizes, layers, *found)


def maxima_that_stay(
    before: Float[Tensor, "n maps h w"], after: Float[Tensor, "n maps h w"]
) -> Float[Tensor, " n"]:
    """Share of each picture's maps whose greatest value is at the same position of the map as before.

    Of equal values the first in reading order counts. Maps that answered to nothing before do not count, and
    one that answers to nothing afterwards has lost its maximum; NaN where no map counts.
    """
    flat = [maps.flatten(2) for maps in (before, after)]
    (there, then), (first, second) = ((maps.amax(2) > 0 for maps in flat), (maps.argmax(2) for maps in flat))
    return (there & then & (first == second)).sum(1) / there.sum(1)


def moving_with_the_picture(shifts: Float[np.ndarray, " k"], step: int) -> Float[np.ndarray, " k"]:
    """Share of maxima that stay on a grid if each moves just as far as the picture, from a random phase.

    Args:
        shifts: of the picture (pixels).
        step: of the grid (pixels).
    """
    return np.clip(1 - np.asarray(shifts) / step, 0, 1)


def _views(
    inputs: Inputs, kind: Kind, sizes: Float[np.ndarray, " amounts"], device: torch.device
) -> Iterator[Float[Tensor, "n channels side side"]]:
    """The pictures unchanged, then changed by each amount."""
    here = "cpu" if device.type == "mps" else device  # which resamples bilinearly at most
    whole, side = inputs.whole().tensor(here).contiguous(), inputs.side
    change = {
        "shift": transformations.translated,
        "scale": transformations.scaled,
        "rotation": transformations.rotated,
    }[kind]
    unchanged = 1.0 if kind == "scale" else 0.0
    for amount in (unchanged, *map(float, sizes)):
        yield change(whole, amount, side=side).to(device)
