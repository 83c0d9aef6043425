"""Images that are made to excite a unit, or a whole map, by ascent in the space of pixels.

Erhan et al. 2009 began it, Simonyan et al. 2014 brought it to convolutional networks; Zeiler & Fergus 2013 do
none of it. The one idea: three ways of ascent differ in what they ask of the image and in nothing else. Decay
and blur are Yosinski et al.'s (2015), jitter is Mordvintsev et al.'s (2015). The signal that is followed is
the one before the ReLU, so that a start to which a unit is silent has a gradient too; what is reported is the
activation after it, of the image itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from operator import call
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.data.transformations import blurred
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.nets.activations import forward, known_layers
from zfutils.nets.chains import chain
from zfutils.runtime.devices import device_of, dtype_of, to_host
from zfutils.runtime.parallel import side_by_side
from zfutils.runtime.seeds import mixed

Of = Literal["unit", "map"]
TINY = 1e-12  # of a gradient's root mean square: below it there is nothing to follow


@dataclass(frozen=True)
class Way:
    """One way of ascent; lengths are in grey levels of 0…255 and in pixels."""

    steps: int = 48
    step: float = 6.0  # root mean square of a step over pixels and colours (grey levels)
    noise: float = 10.0  # standard deviation of the start about the mean colour (grey levels)
    decay: float = 0.0  # share of the image's distance from the mean colour that is lost before each step
    blur: float = 0.0  # standard deviation of a Gaussian (pixels)
    every: int = 2  # steps from one blur to the next
    jitter: float = 0.0  # largest shift in a step, in either direction, as a share of the image's side


WAYS = {
    "plain": Way(),
    "decay and blur": Way(decay=0.01, blur=0.8),
    "with jitter": Way(decay=0.01, blur=0.8, jitter=0.1),
}


@dataclass(frozen=True)
class PixelRange:
    """What values a centred and scaled pixel can have, colour by colour: `Inputs`' mean and scale."""

    mean: tuple[float, ...]  # of each colour over the training pictures (0…255)
    scale: float  # what a grey level is multiplied by

    @classmethod
    def of(cls, inputs: Inputs) -> "PixelRange":
        """That of a set of pictures."""
        return cls(tuple(to_host(inputs.mean().mean((1, 2))).tolist()), inputs.scale)

    def clip(self, images: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n channels h w"]:
        """Images with every pixel within 0…255."""
        mean = images.new_tensor(self.mean)[:, None, None]
        return images.clamp(-mean * self.scale, (255 - mean) * self.scale)

    def pixels(self, images: Float[np.ndarray, "*n channels h w"]) -> UInt8[np.ndarray, "*n h w channels"]:
        """Images as they are looked at."""
        last = np.moveaxis(images, -3, -1) / self.scale + np.array(self.mean)
        return np.rint(last.clip(0, 255)).astype(np.uint8)


@dataclass(frozen=True)
class Goal:
    """What is to be maximised: single units in the middle of a picture, or means over whole maps."""

    layer: str
    maps: tuple[int, ...]
    of: Of = "unit"
    starts: int = 3
    side: int = 0  # of the pictures that whole maps are made on (pixels); a unit has its window


@dataclass(frozen=True)
class Made:
    """The images that ascent ended in, and what they excite."""

    goal: Goal
    images: Float[
        np.ndarray, "maps starts channels side side"
    ]  # centred and scaled, as the network takes them
    reached: Float[np.ndarray, "maps starts"]  # the layer's activation; of a whole map its mean


@dataclass(frozen=True)
class Probe:
    """Reads one number of each map from an image: of the unit that sees just this image, or the mean."""

    model: nn.Module
    layer: str
    below: str  # the layer that this layer's ReLU takes
    of: Of
    side: int  # of the images (pixels)
    place: int  # row and column of the unit
    margin: int  # pixels in front of its window, so that the window begins in the picture

    @classmethod
    def of_goal(cls, model: nn.Module, goal: Goal) -> "Probe":
        """The probe of a goal's images.

        Raises:
            ValueError: no such layer, or pictures smaller than the window of a unit.
        """
        window = Deconvnet(model).window(goal.layer)
        layers = model, goal.layer, below(model, goal.layer)
        if goal.of == "map":
            if goal.side < window.kernel:
                raise ValueError(
                    f"a map of {goal.layer} needs pictures of {window.kernel} px, not {goal.side}"
                )
            return cls(*layers, "map", goal.side, 0, 0)
        place = -(-window.padding // window.stride)
        margin = place * window.stride - window.padding
        return cls(*layers, "unit", window.kernel, place, margin)

    def __call__(
        self, images: Float[Tensor, "n channels side side"], *, before_relu: bool = False
    ) -> Float[Tensor, "n maps"]:
        """What each map gives; with a gradient where it is the signal before the ReLU.

        Args:
            images: of the probe's side.
            before_relu: the signal that the layer's ReLU takes.
        """
        placed = nn.functional.pad(images, (self.margin, 0, self.margin, 0))
        layer = self.below if before_relu else self.layer
        found = forward(self.model, placed, [layer], gradient=before_relu)[layer]
        return found.mean((2, 3)) if self.of == "map" else found[:, :, self.place, self.place]


def below(model: nn.Module, layer: str) -> str:
    """The layer that a ReLU stands upon; another layer is its own."""
    steps = known_layers(model, [layer])
    step = next(step for step in steps if step.name == layer)
    return steps[step.inputs[0] - 1].name if step.kind == "relu" else layer


def maximise(
    model: nn.Module, goal: Goal, way: Way, pixels: PixelRange, *, seed: int = 0, batch: int = 48
) -> Made:
    """Ascend from noise to images that excite units or maps, each from several starts.

    Every step moves each image along its own gradient, scaled to a root mean square of `way.step`, and puts
    every pixel back into the range that a picture can have. A shift is drawn once a step, for all images.
    Where all units below are silent there is no gradient, and the image is moved by noise as strong as its
    start.

    Args:
        model: a chain of layers (`chains.chain`); used as in evaluation.
        goal: what is maximised.
        way: how.
        pixels: the range, and the scale of a grey level.
        seed: of the starts and of the shifts.
        batch: images at a time; bounds the memory.

    Raises:
        ValueError: as `Probe.of_goal`, or a map that is not there.
    """
    probe, channels = Probe.of_goal(model, goal), len(pixels.mean)
    maps = torch.tensor(goal.maps).repeat_interleave(goal.starts)
    draw = torch.Generator().manual_seed(mixed(seed, 11))
    start = torch.randn(len(maps), channels, probe.side, probe.side, generator=draw)
    start = start * (way.noise * pixels.scale)
    ends, reached = [], []
    for images, chosen in zip(start.split(batch), maps.split(batch), strict=True):
        where = {"device": device_of(model), "dtype": dtype_of(model)}
        images, chosen = images.to(**where), chosen.to(where["device"])
        images = _ascended(probe, images, chosen, way, pixels, seed)
        ends.append(to_host(images))
        reached.append(to_host(_chosen(probe(images), chosen, goal.layer)))
    shape = (len(goal.maps), goal.starts)
    images = np.concatenate(ends)
    return Made(goal, images.reshape(*shape, *images.shape[1:]), np.concatenate(reached).reshape(shape))


def _ascended(
    probe: Probe, x: Tensor, maps: Int64[Tensor, " n"], way: Way, pixels: PixelRange, seed: int
) -> Tensor:
    x = pixels.clip(x)
    draw, fresh = (torch.Generator().manual_seed(mixed(seed, number)) for number in (12, 13))
    reach = int(way.jitter * probe.side)
    size = 2 * round(2 * way.blur) + 1  # of the blur's kernel (pixels)
    for step in range(way.steps):
        x = x * (1 - way.decay)
        if way.blur and step % way.every == 0:
            x = blurred(x, way.blur, side=size)
        x = x.detach().requires_grad_()
        shift = torch.randint(-reach, reach + 1, (2,), generator=draw).tolist()
        signal = _chosen(probe(x.roll(shift, (2, 3)), before_relu=True), maps, probe.layer)
        climbed, silent = climb(x, signal, way, pixels)
        if silent.any():
            noise = way.noise * torch.randn(x.shape, generator=fresh).to(x)
            climbed = torch.where(silent, pixels.clip(x.detach() + pixels.scale * noise), climbed)
        x = climbed
    return x


def climb(
    images: Float[Tensor, "n channels side side"],
    signal: Float[Tensor, " n"],
    way: Way,
    pixels: PixelRange,
) -> tuple[Tensor, Tensor]:
    """One step of ascent: each image along its signal's gradient, and which images have none to follow.

    Args:
        images: centred and scaled; the signal was computed from them.
        signal: of each image, with a gradient.
        way: how far a step goes.
        pixels: the range that every pixel is put back into.

    Returns:
        Images of the same shape, and (n, 1, 1, 1) true for one without a gradient.
    """
    (gradient,) = torch.autograd.grad(signal.sum(), images)
    length = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
    step = pixels.scale * (way.step * gradient / length.clamp(min=TINY))
    return pixels.clip(images.detach() + step), length < TINY


def _chosen(values: Float[Tensor, "n maps"], maps: Int64[Tensor, " n"], layer: str) -> Float[Tensor, " n"]:
    if maps.min() < 0 or maps.max() >= values.shape[1]:
        raise ValueError(f"{layer} has maps 0…{values.shape[1] - 1}, asked for were {maps.unique().tolist()}")
    return values.gather(1, maps[:, None])[:, 0]


def by_every_way(
    models: Mapping[str, nn.Module], goals: Mapping[str, Goal], pixels: PixelRange, *, seed: int = 0
) -> dict[tuple[str, str, str], Made]:
    """Images for the same goals in several networks, by all ways of ascent; by network, layer and way.

    Side by side on a CPU, one after another elsewhere.

    Args:
        models: by name.
        goals: by layer.
        pixels: the range of the images.
        seed: of the starts and of the shifts.
    """
    jobs = {
        (network, layer, way): partial(maximise, _upto(model, layer), goal, settings, pixels, seed=seed)
        for network, model in models.items()
        for layer, goal in goals.items()
        for way, settings in WAYS.items()
    }
    on_cpu = all(device_of(model).type == "cpu" for model in models.values())
    made = side_by_side(call, list(jobs.values()), workers=None if on_cpu else 1)
    return dict(zip(jobs, made, strict=True))


def _upto(model: nn.Module, layer: str) -> nn.Sequential:
    """The layers that an ascent climbs, which is all that another process needs."""
    flat = chain(model)
    return flat[: list(flat._modules).index(layer) + 1]
