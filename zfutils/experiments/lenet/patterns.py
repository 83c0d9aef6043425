"""Projections of chosen units of several digits at once, each in its place in the picture (§2.1).

The one idea: for every digit a row of maps or units is named, and the strongest activation of each is
projected, so that every map of a convolution and the strongest units of a fully connected layer go one way.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.deconv.deconvnet import Deconvnet, Units
from zfutils.nets.activations import forward
from zfutils.runtime.devices import to_host

FEW = 5  # units of a fully connected layer
LAYERS = {
    "layer 1, every map": ("relu1", None),
    "layer 2, every map": ("relu2", None),
    f"layer 3, {FEW} strongest units": ("relu3", FEW),
    f"layer 4, {FEW} strongest units": ("relu4", FEW),
    "layer 5, the true class": ("fc5", "label"),
}


class Patterns(NamedTuple):
    """What k units of each of n digits project to; all zero where a unit's activation is not above 0."""

    pixels: Float[np.ndarray, "n k h w"]  # zero outside a unit's window
    maps: Int64[np.ndarray, "n k"]  # map or unit of the layer
    values: Float[np.ndarray, "n k"]  # the activations


def project(
    model: nn.Module,
    images: Float[Tensor, "n 1 h w"],
    layer: str,
    maps: Int64[Tensor, "n k"] | int | None = None,
) -> Patterns:
    """The strongest activation of some maps in each image, projected.

    Args:
        model: a chain of layers (`chains.chain`) for images of one channel.
        images: as the network takes them.
        layer: of the units.
        maps: which for each image; a number: so many of the strongest; by default every map, in order.

    Raises:
        ValueError: no such layer, a map that is not there, or images of another form.
    """
    recording = Deconvnet(model).forward(images, layer)
    largest = recording.activations.reshape(*recording.activations.shape[:2], -1).amax(2)
    if maps is None:
        chosen = torch.arange(largest.shape[1]).expand(largest.shape)
    else:
        chosen = maps if torch.is_tensor(maps) else largest.topk(maps).indices
    units = [recording.strongest(column) for column in chosen.to(largest.device).unbind(1)]
    together = Units(*(torch.stack(parts, 1).flatten() for parts in zip(*units, strict=True)))
    found = recording.project(together, batch=256)
    placed = found.placed(*images.shape[2:])[:, 0] * (found.values > 0)[:, None, None]
    return Patterns(
        to_host(placed.unflatten(0, chosen.shape)),
        to_host(chosen),
        to_host(found.values.unflatten(0, chosen.shape)),
    )


def of_layers(
    model: nn.Module,
    images: Float[Tensor, "n 1 h w"],
    labels: Int64[Tensor, " n"],
    names: Sequence[str] = tuple(LAYERS),
) -> dict[str, Patterns]:
    """LeNet-5's projections, by the names of `LAYERS`: of every map, of a few units, of the true class.

    Args:
        model, images: as for `project`.
        labels: true classes of the images.
        names: which.
    """
    found = {}
    for name in names:
        layer, maps = LAYERS[name]
        found[name] = project(model, images, layer, labels[:, None] if maps == "label" else maps)
    return found


def of_pairs(model: nn.Module, images: Float[Tensor, "n 1 h w"], layer: str) -> Float[np.ndarray, "n h w"]:
    """The projection of one unit for both images of a pair: the unit whose smaller answer is largest.

    Args:
        model: as for `project`.
        images: the first pair, the second, and so on.
        layer: fully connected.

    Raises:
        ValueError: no such layer, or images of another form.
    """
    given = forward(model, images, [layer])[layer]
    units = given.unflatten(0, (-1, 2)).amin(1).argmax(1).repeat_interleave(2)
    return project(model, images, layer, units[:, None]).pixels[:, 0]


def project_whole_maps(
    model: nn.Module, images: Float[Tensor, "n 1 h w"], layer: str
) -> Float[np.ndarray, "n maps h w"]:
    """All activations of a map at once, for every map of a convolution in each image.

    Args:
        model, images: as for `project`.
        layer: of the maps.

    Raises:
        ValueError: no such layer, or images of another form.
    """
    recording = Deconvnet(model).forward(images, layer)
    maps = range(recording.activations.shape[1])
    return to_host(torch.stack([recording.project_maps(m)[:, 0] for m in maps], 1))


def likeness(patterns: Float[np.ndarray, "n k h w"]) -> Float[np.ndarray, " n"]:
    """Mean cosine between each pair of the k patterns of a row; NaN where fewer than two are not zero.

    Args:
        patterns: of k units in one image, or of one unit in k images.
    """
    flat = patterns.reshape(*patterns.shape[:2], -1).astype(np.float64)
    length = np.linalg.norm(flat, axis=2, keepdims=True)
    directions = np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)
    active = (length[..., 0] > 0).sum(1)
    pairs = np.square(directions.sum(1)).sum(1) - active  # Σ over ordered pairs
    return np.divide(pairs, active * (active - 1), out=np.full(len(flat), np.nan), where=active > 1)


def likeness_within_classes(
    found: Patterns, labels: Int64[np.ndarray, " n"]
) -> Float[np.ndarray, " classes"]:
    """Mean cosine between the projections of one class's digits from the same unit, by class.

    Args:
        found: of one unit for each digit, that of its class.
        labels: of the digits.
    """
    return np.concatenate([likeness(found.pixels[labels == c].swapaxes(0, 1)) for c in np.unique(labels)])


def half_energy(patterns: Float[np.ndarray, "n k h w"]) -> Float[np.ndarray, " n"]:
    """The fewest pixels that hold half of a pattern's energy, mean over the k patterns of a row.

    Patterns that are zero do not count; NaN where all of a row are.
    """
    energy = np.square(patterns.reshape(*patterns.shape[:2], -1).astype(np.float64))
    ordered = np.sort(energy, axis=2)[..., ::-1].cumsum(2)
    total = ordered[..., -1]
    fewest = 1 + (ordered < total[..., None] / 2).sum(2)
    active = total > 0
    sums = np.where(active, fewest, 0).sum(1)
    return np.divide(sums, active.sum(1), out=np.full(len(sums), np.nan), where=active.any(1))
