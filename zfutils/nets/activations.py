"""The one walk through a network that keeps what its layers give.

Layer l of a convolution or a fully connected layer is its ReLU's output ("relu5"), before pooling and norm,
in eval mode (Zeiler & Fergus 2013, §2). Everything that asks a network what its layers say of images comes
here: the walk ends at the last layer that is asked for, runs where the weights are and in their type, copies
what a later in-place layer would overwrite, and leaves the network in the mode that it was in.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.nets.chains import chain
from zfutils.runtime.devices import device_of, dtype_of


class Activations(NamedTuple):
    """What layers give for one batch of images, where the network's weights are."""

    layers: Mapping[str, Tensor]  # (n, maps, h, w), or (n, units), by name in the order asked for
    images: Float[Tensor, "n channels side side"]
    labels: Int64[Tensor, " n"]
    rows: Int64[Tensor, " n"]  # of the images in their set


@contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """Networks in eval mode, without gradients; each module gets its own mode back, whatever happens."""
    modes = [(module, module.training) for model in models for module in model.modules()]
    try:
        for model in models:
            model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def known_layers(model: nn.Module, layers: Sequence[str]) -> nn.Sequential:
    """The model as a chain, once all layers that are asked for are seen to be in it.

    Raises:
        ValueError: no layer is asked for, or one that is not there (names those that are); no chain.
    """
    flat = chain(model)
    if not layers:
        raise ValueError(f"no layer is asked for; the network has {', '.join(flat._modules)}")
    if unknown := [layer for layer in layers if layer not in flat._modules]:
        raise ValueError(f"layer {unknown[0]!r} is not in this network; it has {', '.join(flat._modules)}")
    return flat


def forward(
    model: nn.Module,
    images: Float[Tensor, "n channels h w"],
    layers: Sequence[str],
    *,
    gradient: bool = False,
) -> dict[str, Tensor]:
    """What several layers give for images that are at hand, in one pass.

    Args:
        model: a chain of layers (`chains.chain`).
        images: as the network takes them; sent where its weights are, in their type.
        layers: names in the chain: "relu5" is the paper's layer 5, the last name the logits.
        gradient: keep what a gradient with respect to the images needs.

    Returns:
        By name, in the order asked for; later layers leave them as they are.

    Raises:
        ValueError: a layer that is not there, or images that a layer cannot take; names the layer.
    """
    flat = known_layers(model, layers)
    x = images.to(device_of(model), dtype_of(model))
    x = x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
    with evaluating(model), torch.set_grad_enabled(gradient):
        return _walk(flat, x, layers)


def activations(
    model: nn.Module, inputs: Inputs, layers: Sequence[str], *, batch: int = 64
) -> Iterator[Activations]:
    """What several layers give for the images of a set, a batch at a time.

    Args:
        model: a chain of layers (`chains.chain`).
        inputs: the images as the network sees them.
        layers: names in the chain, as for `forward`.
        batch: images at a time; bounds the memory.

    Raises:
        ValueError: a layer that is not there, or images that a layer cannot take; names the layer. Before the
            first batch is asked for.
    """
    flat = known_layers(model, layers)
    return _batches(model, flat, inputs, layers, batch)


def _batches(
    model: nn.Module, flat: nn.Sequential, inputs: Inputs, layers: Sequence[str], batch: int
) -> Iterator[Activations]:
    for view in inputs.batches(batch, device=device_of(model), dtype=dtype_of(model)):
        with evaluating(model):
            found = _walk(flat, view.images, layers)
        yield Activations(found, view.images, view.labels, view.rows)


def _walk(flat: nn.Sequential, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    steps = list(flat._modules.items())  # named_children() leaves out a module that stands there twice
    steps = steps[: 1 + max(i for i, (name, _) in enumerate(steps) if name in layers)]
    in_place = max((i for i, (_, m) in enumerate(steps) if getattr(m, "inplace", False)), default=-1)
    found: dict[str, Tensor] = {}
    if in_place >= 0:
        x = x.clone()  # the images are the caller's
    for i, (name, module) in enumerate(steps):
        try:
            x = module(x)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ValueError(
                f"{name} ({type(module).__name__}) cannot take what comes to it, {tuple(x.shape)}: {error}"
            ) from None
        if name in layers:
            found[name] = x.clone() if i < in_place else x
    return {layer: found[layer] for layer in layers}
