"""The one walk through a network that keeps what its layers give.

Layer l of a convolution or a fully connected layer is its ReLU's output ("relu5"), before pooling and norm,
in eval mode (Zeiler & Fergus 2013, §2). Everything that asks a network what its layers say of images comes
here: the walk ends at the last layer that is asked for, runs where the weights are and in their type, lets no
in-place layer overwrite what another gave, and leaves the network in the mode that it was in.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Batch
from zfutils.data.preprocessing import Picture, Preprocessing
from zfutils.nets.chains import Step
from zfutils.nets.graphs import evaluating, values_of
from zfutils.nets.tracing import graph
from zfutils.runtime.devices import device_of, dtype_of, to_host

Images = Inputs | Tensor | np.ndarray | Path | str | Sequence[Picture]


class Activations(NamedTuple):
    """What layers give for one batch of images, where the network's weights are."""

    layers: Mapping[str, Tensor]  # (n, maps, h, w), or (n, units), by name in the order asked for
    images: Float[Tensor, "n channels side side"]
    labels: Int64[Tensor, " n"]
    rows: Int64[Tensor, " n"]  # of the images in their set


def known_layers(model: nn.Module, layers: Sequence[str]) -> tuple[Step, ...]:
    """The model's steps, once all layers that are asked for are seen to be among them.

    Raises:
        ValueError: no layer is asked for, or one that is not there (names those that are); or a network
            that cannot be traced.
    """
    steps = graph(model)
    names = [step.name for step in steps if step.kind not in ("value", "constant", "pieces")]
    if not layers:
        raise ValueError(f"no layer is asked for; the network has {', '.join(names)}")
    if unknown := [layer for layer in layers if layer not in names]:
        raise ValueError(f"layer {unknown[0]!r} is not in this network; it has {', '.join(names)}")
    return steps


def taken(
    model: nn.Module, images: Images, preprocessing: Preprocessing | None = None
) -> Inputs | Float[Tensor, "n channels h w"]:
    """Pictures in whatever form as a network takes them.

    Args:
        model: the network, whose first convolution says how many channels a picture has.
        images: `Inputs`; floating-point tensors or arrays (n, channels, h, w) or (channels, h, w), which are
            taken as they are; or what is still to be preprocessed: a folder, files, arrays of bytes
            (n, h, w, channels) or (h, w, channels), tensors of bytes (n, channels, h, w) or (channels, h, w).
        preprocessing: of the latter; by default what torchvision's weights for ImageNet ask for, 224 px.

    Raises:
        ValueError: as `Preprocessing.inputs`.
    """
    if isinstance(images, Inputs):
        return images
    if isinstance(images, np.ndarray) and images.dtype.kind == "f":
        images = torch.from_numpy(images)
    if isinstance(images, Tensor):
        images = images[None] if images.ndim == 3 else images
        if images.is_floating_point():
            return images
        images = np.moveaxis(to_host(images), 1, -1) if images.ndim == 4 else to_host(images)
    return (preprocessing or default_preprocessing(model)).inputs(images)


def default_preprocessing(model: nn.Module) -> Preprocessing:
    """What torchvision's weights for ImageNet ask for, 224 px, in the channels of the first convolution."""
    first = (module.in_channels for module in model.modules() if isinstance(module, nn.Conv2d))
    return Preprocessing(channels=next(first, 3))


def as_tensor(inputs: Inputs | Tensor) -> Float[Tensor, "n channels h w"]:
    """Pictures that were `taken`, all at once."""
    return inputs if isinstance(inputs, Tensor) else inputs.tensor()


def forward(
    model: nn.Module,
    images: Float[Tensor, "n channels h w"],
    layers: Sequence[str],
    *,
    gradient: bool = False,
) -> dict[str, Tensor]:
    """What several layers give for images that are at hand, in one pass.

    Args:
        model: any network that `tracing.graph` takes.
        images: as the network takes them; sent where its weights are, in their type.
        layers: names of its steps: "relu5" is the paper's layer 5, the last name the logits.
        gradient: keep what a gradient with respect to the images needs.

    Returns:
        By name, in the order asked for; later layers leave them as they are.

    Raises:
        ValueError: a layer that is not there, or images that a layer cannot take; names the layer.
    """
    steps = known_layers(model, layers)
    x = images.to(device_of(model), dtype_of(model))
    x = x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
    with evaluating(model), torch.set_grad_enabled(gradient):
        return _walk(steps, x, layers)


def activations(
    model: nn.Module, inputs: Images, layers: Sequence[str], *, batch: int = 64
) -> Iterator[Activations]:
    """What several layers give for the images of a set, a batch at a time.

    Args:
        model: any network that `tracing.graph` takes.
        inputs: the images, in any form that `taken` takes; those without labels have -1.
        layers: names of its steps, as for `forward`.
        batch: images at a time; bounds the memory.

    Raises:
        ValueError: a layer that is not there, or images that a layer cannot take; names the layer. Before the
            first batch is asked for.
    """
    steps = known_layers(model, layers)
    return _batches(model, steps, taken(model, inputs), layers, batch)


def _batches(
    model: nn.Module, steps: Sequence[Step], inputs: Inputs | Tensor, layers: Sequence[str], batch: int
) -> Iterator[Activations]:
    for view in batches(inputs, batch, device=device_of(model), dtype=dtype_of(model)):
        with evaluating(model):
            found = _walk(steps, view.images, layers)
        yield Activations(found, view.images, view.labels, view.rows)


def batches(
    inputs: Inputs | Tensor, batch: int, *, device: torch.device, dtype: torch.dtype
) -> Iterator[Batch]:
    """Pictures that were `taken`, so many at a time, on a device; those of a tensor have the label -1."""
    if isinstance(inputs, Inputs):
        yield from inputs.batches(batch, device=device, dtype=dtype)
        return
    for rows in torch.arange(len(inputs), device=device).split(batch):
        yield Batch(inputs[rows.to(inputs.device)].to(device, dtype), torch.full_like(rows, -1), rows)


def _walk(steps: Sequence[Step], x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    places = {step.name: i for i, step in enumerate(steps)}
    found = values_of(steps, x, [places[layer] for layer in layers])
    return {layer: found[places[layer]] for layer in layers}
