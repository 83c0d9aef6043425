"""A chain layer by layer, for what has to reach single ones: their weights, their gradients, their time.

What asks only for activations goes through `activations`, the one walk that keeps them.
"""

from collections.abc import Iterator
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from zfutils.nets.chains import chain


class Ran(NamedTuple):
    """A layer that has run: what it was given and what it gave."""

    name: str
    module: nn.Module
    input: Tensor
    output: Tensor


def layers_of(model: nn.Module, *kinds: type[nn.Module]) -> dict[str, nn.Module]:
    """The layers of a chain, or those of some kinds, by name, from the first to the last.

    Args:
        model: a chain of layers (`chains.chain`).
        kinds: such as `nn.Conv2d`; default all.

    Raises:
        ValueError: no chain.
    """
    kinds = kinds or (nn.Module,)
    return {name: module for name, module in chain(model)._modules.items() if isinstance(module, kinds)}


def layer_by_layer(
    model: nn.Sequential, images: Float[Tensor, "n channels h w"], *, apart: bool = False
) -> Iterator[Ran]:
    """Run a chain on a batch, one layer for each item that is asked for.

    The network stays in the mode that it is in, and gradients are recorded where they are enabled.

    Args:
        model: a flat chain without layers that work in place, as `NetworkSpec.build` gives it.
        images: as the network takes them, where its weights are.
        apart: cut each layer off from those before it, so that it can be run backward by itself: its input is
            a leaf, whose gradient is recorded in all layers but the first.
    """
    x, first = images, True
    for name, module in model._modules.items():
        given = x.detach().requires_grad_(not first) if apart else x
        x, first = module(given), False
        yield Ran(name, module, given, x)
