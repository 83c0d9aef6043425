"""Projections in torchvision's ResNet-18, which is no chain, against the deconvnet as autograd gives it.

The peer is what anyone would write in a few lines: every ReLU is replaced by one whose backward pass
rectifies the gradient, and the activation is the gradient at the top. It takes whole pictures. In eval mode
batch norm is linear, so that both give the same values, which is checked. Weights are initial ones.
"""

import copy
import statistics
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from benchmarks import SCALE, Options, difference, drawn, ratios, row, side_by_side
from benchmarks.projections import multiply_adds, placed
from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.units import Units
from zfutils.runtime.devices import chosen_device
from zfutils.study.speed import Row

STAGES = ("layer1", "layer2", "layer3", "layer4")
BELOW = 4  # modules before the first stage
BATCH = 16


class Rectified(torch.autograd.Function):
    """ReLU whose backward pass is ReLU of the gradient."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.relu()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient.relu()


class Rectifier(nn.Module):
    """The same as a module."""

    def forward(self, x: Tensor) -> Tensor:
        return Rectified.apply(x)


def measure(options: Options) -> Iterator[Row]:
    """A row for each of the four stages, from drawn pictures."""
    torch.manual_seed(0)
    model = resnet18().eval().to(chosen_device(), memory_format=torch.channels_last)
    images = Inputs.of(drawn(options.pictures, options.side), scale=SCALE)[:BATCH].tensor(chosen_device())
    deconvnet, parts = Deconvnet(model), [*rectified(model).children()]
    for number, stage in enumerate(STAGES):
        layer = [step.name for step in deconvnet.steps if step.name.startswith(f"{stage}.1.relu")][-1]
        units = strongest(deconvnet, images, layer, BATCH)
        ours = partial(deconvnet.project, images, layer, units)
        theirs = partial(by_gradient, nn.Sequential(*parts[: BELOW + number + 1]), images, units)
        apart = difference(layer, *placed(ours(), theirs(), images))
        seconds = side_by_side({"ours": ours, "theirs": theirs}, repeats=options.repeats)
        window, whole = multiply_adds(deconvnet, layer, images[:1])
        yield row(
            f"graph/{stage}",
            f"projections in ResNet-18, stage {number + 1}",
            "autograd with rectified gradients",
            ratios(seconds["theirs"], seconds["ours"]),
            "times as fast",
            ceiling=whole / window,
            difference=apart,
            context={"projections a second": len(units.maps) / statistics.median(seconds["ours"])},
        )


def rectified(model: nn.Module) -> nn.Module:
    """A copy of a network in which all rectifiers are the peer's."""
    model = copy.deepcopy(model)
    for name, module in [*model.named_modules()]:
        if isinstance(module, nn.ReLU):
            model.set_submodule(name, Rectifier())
    return model


def strongest(deconvnet: Deconvnet, images: Tensor, layer: str, n: int) -> Units:
    """Of the first n maps, each map's strongest activation in one picture after another."""
    recording = deconvnet.forward(images, layer)
    maps = torch.arange(n, device=images.device) % recording.activations.shape[1]
    found = [recording.strongest(part) for part in maps.split(len(images)) if len(part) == len(images)]
    return Units(*(torch.cat(columns) for columns in zip(*found, strict=True)))


def by_gradient(model: nn.Module, images: Tensor, units: Units) -> Tensor:
    """Patterns of units of the last layer, on whole pictures, for signals of 1."""
    found = []
    for part in units.split(BATCH):
        pixels = images[part.images].contiguous(memory_format=torch.channels_last).requires_grad_()
        at = torch.arange(len(part.maps))
        seeds = model(pixels)[at, part.maps, part.rows, part.columns]
        found.append(torch.autograd.grad(seeds.sum(), pixels)[0])
    return torch.cat(found)
