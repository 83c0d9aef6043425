"""The same activations brought back in several ways, to be looked at side by side (chapter 14).

One unit in each picture, the strongest at the position that chapter 14 takes everywhere. Where networks or
methods are compared, units are seeded with 1 in place of their activation, so that a network that gives the
unit none can be asked too; a projection's contrast is its own anyway.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.units import Projections, Units
from zfutils.deconv.unpooling import Frame
from zfutils.experiments.trial.correlations import inside_picture
from zfutils.experiments.trial.faithfulness import units_of
from zfutils.experiments.trial.randomisation import METHODS, seeded_with_ones
from zfutils.experiments.trial.switches import partners, with_other_switches
from zfutils.runtime.devices import to_host

Columns = dict[str, Shaped[np.ndarray, "n h w channels"]]  # images of 8 bits and projections, by title


def by_method(trained: nn.Module, random: nn.Module, inputs: Inputs, *, layer: str = "relu5") -> Columns:
    """A picture's window, and one unit by every method; another unit there; the unit with random weights.

    Args:
        trained, random: the network, and the same with initial weights.
        inputs: the pictures, one line each.
        layer: of the units.
    """
    pictures, first, second = inputs.tensor(), *_two(trained, inputs, layer)
    found = {m: _seeded(Deconvnet(trained, nonlinearity=m), pictures, layer, first) for m in METHODS}
    found["another unit"] = _seeded(Deconvnet(trained), pictures, layer, second)
    found["random weights"] = _seeded(Deconvnet(random), pictures, layer, first)
    shown = {title: _shown(projections) for title, projections in found.items()}
    return {"image": _windows(inputs, found["deconvnet"], first.images)} | shown


def by_switches(model: nn.Module, inputs: Inputs, *, layer: str = "relu5", seed: int = 0) -> Columns:
    """A picture's window, and one unit by the deconvnet with its own switches and with others'.

    Args:
        model: the network.
        inputs: the pictures, one line each; at least two.
        layer: of the units.
        seed: of the switches that are drawn.
    """
    deconvnet, pictures, (units, _) = Deconvnet(model), inputs.tensor(), _two(model, inputs, layer)
    recorded = deconvnet.project(pictures, layer, units)
    found = with_other_switches(deconvnet, pictures, layer, units, seed=seed)
    there = partners(len(pictures), seed=seed).to(units.images.device)[units.images]
    return {
        "image": _windows(inputs, recorded, units.images),
        "recorded": _shown(recorded),
        "centred": _shown(found["centred"]),
        "random": _shown(found["random"]),
        "tiles shuffled": _shown(found["tiles"]),
        "another image's": _shown(found["another"]),
        "the other image": _windows(inputs, recorded, there),
    }


def inside(model: nn.Module, inputs: Inputs, *, layer: str = "relu5") -> Bool[np.ndarray, "n h w"]:
    """Which pixels of the windows of `by_switches` lie in the images."""
    recorded = Deconvnet(model).project(inputs.tensor(), layer, _two(model, inputs, layer)[0])
    return inside_picture(recorded, (inputs.side, inputs.side))


def _seeded(deconvnet: Deconvnet, pictures: Tensor, layer: str, units: Units) -> Projections:
    return seeded_with_ones(deconvnet.forward(pictures, layer)).project(units)


def _two(model: nn.Module, inputs: Inputs, layer: str) -> tuple[Units, Units]:
    """The strongest unit and the second, at one position of every picture that has any."""
    units = units_of(Deconvnet(model), inputs, layer, 2, 32)
    places = [torch.where(units.images == image)[0] for image in units.images.unique()]
    return tuple(
        Units(*(t[torch.stack([place[which] for place in places])] for t in units)) for which in (0, -1)
    )


def _shown(projections: Projections) -> Float[np.ndarray, "n h w channels"]:
    return to_host(projections.pixels.permute(0, 2, 3, 1))


def _windows(inputs: Inputs, projections: Projections, images: Tensor) -> UInt8[np.ndarray, "n h w channels"]:
    """What the pictures show where projections lie; black outside."""
    pixels = torch.from_numpy(inputs.pixels()).permute(0, 3, 1, 2)
    tops, lefts, which = (torch.from_numpy(to_host(t)) for t in (projections.tops, projections.lefts, images))
    frame = Frame(tops, lefts, *projections.pixels.shape[-2:], (inputs.side, inputs.side))
    return to_host(frame.cut(pixels, which).permute(0, 2, 3, 1))
