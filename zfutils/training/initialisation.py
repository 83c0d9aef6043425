"""Initial weights, and the radius that filters are scaled back to (Zeiler & Fergus 2013, §3).

Both belong to a scale of the inputs: the paper's are in about ±128, and neither means the same on inputs
of unit scale. The rules below say what each becomes there, and in a network narrower than the paper's.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.nets.filters import filter_rms
from zfutils.nets.layers import layers_of
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.seeds import mixed
from zfutils.training.recipe import Initialisation, Training

STD = 0.01  # the paper's "1e-2"


def initialise(model: nn.Sequential, rule: Initialisation, *, seed: int, paper: NetworkSpec) -> None:
    """Set all weights from Gaussians and all biases to 0, in place.

    Args:
        model: as `NetworkSpec.build` gives it.
        rule: "literal": standard deviation 0.01 everywhere, the paper's words; "fan-in": the same, times the
            square root of the paper's fan-in over ours, so that the signal does not shrink because a network
            is narrow or its first windows are small; "he": sqrt(2 / fan-in) (He 2015); "small-first": as
            "fan-in" in layer 1 and He's above.
        seed: of the network.
        paper: the network at the paper's size, for "fan-in" and "small-first".

    Source: Zeiler & Fergus 2013, §3 ("to 1e-2", read as a standard deviation).
    """
    layers = [s for s in paper.stages() if s.kind != "pool"]
    theirs = {s.name: s.multiply_adds // (s.maps * s.size**2) for s in layers}
    generator = torch.Generator().manual_seed(mixed(seed, 0))
    for depth, (name, module) in enumerate(layers_of(model, nn.Conv2d, nn.Linear).items()):
        fan_in = module.weight[0].numel()
        std = STD
        if rule == "he" or (rule == "small-first" and depth):
            std = math.sqrt(2 / fan_in)
        elif rule in ("fan-in", "small-first"):
            std *= math.sqrt(theirs.get(name, fan_in) / fan_in)
        with torch.no_grad():
            module.weight.copy_(torch.randn(module.weight.shape, generator=generator) * std)
            module.bias.zero_()


@torch.no_grad()
def take_over(model: nn.Sequential, source: nn.Sequential, *, but: str) -> None:
    """Copy the weights of every layer but one from another network, in place.

    Raises:
        ValueError: a layer that the other network lacks, or has in another shape; names it.
    """
    theirs = source.state_dict()
    for name, own in model.state_dict().items():
        if name.rpartition(".")[0] == but:
            continue
        if name not in theirs or theirs[name].shape != own.shape:
            there = tuple(theirs[name].shape) if name in theirs else "nothing"
            raise ValueError(f"{name} is {tuple(own.shape)}, and the network to start from has {there}")
        own.copy_(theirs[name])


@torch.no_grad()
def renormalise(
    weight: Float[Tensor, "maps channels k k"],
    radius: float,
) -> None:
    """Scale every filter whose RMS exceeds the radius back to it, in place (Zeiler & Fergus 2013, §3)."""
    factor = (radius / filter_rms(weight)).clamp_(max=1)
    weight.mul_(factor[:, None, None, None])


def radii(model: nn.Sequential, recipe: Training) -> dict[str, float]:
    """The radius of each convolution: layer 1's is divided by the input scale, so that it means the same.

    A network on inputs of scale s with layer-1 filters 1/s as large computes what the paper's computes.
    """
    if recipe.radius is None:
        return {}
    names = layers_of(model, nn.Conv2d)
    return {n: recipe.radius / (1 if i else recipe.input_scale) for i, n in enumerate(names)}
