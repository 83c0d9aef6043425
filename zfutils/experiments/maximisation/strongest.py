"""What real pictures reach: the yardstick of every image that is made.

The one idea: an activation means little by itself, so each is given as a share of the strongest that any
picture of a set causes in the same map, at one unit or as the mean over the whole map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.top_activations import TopActivations, greatest
from zfutils.experiments.maximisation.ascent import Goal, Of
from zfutils.nets.activations import activations
from zfutils.runtime.devices import to_host


@dataclass(frozen=True)
class Strongest:
    """The strongest answers of one layer's maps to a set of pictures."""

    unit: Float[np.ndarray, " maps"]  # largest activation
    map: Float[np.ndarray, " maps"]  # largest mean over the map
    pictures: Int64[np.ndarray, " maps"]  # row of the picture with the largest mean

    def over(self, of: Of) -> Float[np.ndarray, " maps"]:
        """What shares are taken of: NaN for a map that no picture excites."""
        values = {"unit": self.unit, "map": self.map}[of]
        return np.where(values > 0, values, np.nan)


def strongest(
    model: nn.Module, inputs: Inputs, layers: Sequence[str], *, batch: int = 64
) -> dict[str, Strongest]:
    """The strongest activation and the strongest mean of every map of some layers, in one pass.

    Args:
        model: a chain of layers (`chains.chain`).
        inputs: the pictures.
        layers: of convolutions.
        batch: pictures at a time.
    """
    peaks: dict[str, list] = {layer: [] for layer in layers}
    means: dict[str, list] = {layer: [] for layer in layers}
    for seen in activations(model, inputs, layers, batch=batch):
        for layer, x in seen.layers.items():
            peaks[layer].append(to_host(greatest(x)))
            means[layer].append(to_host(x.mean((2, 3))))
    found, rows = {}, to_host(inputs.rows)
    for layer in layers:
        mean = np.concatenate(means[layer])
        peak = np.concatenate(peaks[layer]).max(0)
        found[layer] = Strongest(peak, mean.max(0), rows[mean.argmax(0)])
    return found


def maps_shown_first(found: TopActivations, shown: int, measured: int, *, seed: int) -> tuple[int, ...]:
    """Maps of a layer by chance (`TopActivations.some`), those that figures show first, as in chapter 3.

    Args:
        found: the strongest activations of the layer.
        shown: how many the figures show.
        measured: how many in all, where there are so many.
        seed: of the choice.
    """
    first = found.some(min(shown, measured), seed=seed).tolist()
    rest = [m for m in found.some(measured, seed=seed).tolist() if m not in first]
    return tuple((first + rest)[:measured])


def goals(
    found: Mapping[str, TopActivations], *, units: int, side: int, seed: int
) -> tuple[dict[str, Goal], dict[str, Goal]]:
    """What images are made for: units of every layer, and the whole maps that the figures show.

    Of the last layer images start from three points and six maps are shown, of the others from one and two.

    Args:
        found: the strongest activations by layer, the last one last.
        units: how many of the last layer, and of the others too where it is fewer than eight.
        side: of the images for whole maps (pixels).
        seed: of the choice of maps.

    Returns:
        The goals of units and those of whole maps, each by layer; the maps shown are the latter's.
    """
    of_units, of_maps = {}, {}
    for layer, top in found.items():
        last = layer == list(found)[-1]
        shown, measured, starts = (6, units, 3) if last else (2, min(units, 8), 1)
        maps = maps_shown_first(top, shown, measured, seed=seed)
        of_units[layer] = Goal(layer, maps, "unit", starts)
        of_maps[layer] = Goal(layer, maps[:shown], "map", 2 if last else 1, side)
    return of_units, of_maps
