"""Correlations of projections with each other and with the edges of their pictures (chapter 14).

Pearson's, over the part of a projection's window that lies in the picture; what is constant there has none.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from zfutils.deconv.units import Projections
from zfutils.deconv.unpooling import Frame
from zfutils.runtime.devices import to_host


def edge_correlations(
    projections: Projections, pictures: Float[Tensor, "p channels h w"]
) -> Float[np.ndarray, "n p"]:
    """Pearson correlation of projections' magnitudes with the gradient magnitude of every picture.

    Over the projection's own window, where it lies in the picture; NaN where either is constant.

    Args:
        projections: on their windows.
        pictures: all of one size, those that were projected from among them.
    """
    gradients, magnitudes = to_host(gradient_magnitude(pictures)), to_host(projections.pixels.norm(dim=1))
    inside = inside_picture(projections, pictures.shape[-2:])
    height, width = magnitudes.shape[1:]
    corners = (to_host(t) for t in (projections.tops, projections.lefts))
    found = []
    for top, left, magnitude, seen in zip(*corners, magnitudes, inside, strict=True):
        there = gradients[:, max(top, 0) : top + height, max(left, 0) : left + width]
        there = there.reshape(len(there), -1).astype(np.float64)
        found.append(row_correlations(magnitude[seen].astype(np.float64)[None], there))
    return np.array(found)


def gradient_magnitude(pictures: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n h w"]:
    """Length of the brightness gradient at every pixel: Sobel's differences of the mean over colours."""
    grey = nn.functional.pad(pictures.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    smooth, step = grey.new_tensor([1.0, 2.0, 1.0]) / 4, grey.new_tensor([-1.0, 0.0, 1.0]) / 2
    kernels = torch.stack([torch.outer(smooth, step), torch.outer(step, smooth)])[:, None]
    return nn.functional.conv2d(grey, kernels).norm(dim=1)


def correlation(
    first: Float[np.ndarray, "channels h w"],
    second: Float[np.ndarray, "channels h w"],
    inside: Bool[np.ndarray, "h w"],
) -> float:
    """Pearson correlation over all colours of the pixels inside; NaN where either is constant there."""
    pair = (values[:, inside].astype(np.float64).reshape(1, -1) for values in (first, second))
    return float(row_correlations(*pair)[0]) if inside.any() else np.nan


def row_correlations(
    first: Float[np.ndarray, "#n m"], second: Float[np.ndarray, "n m"]
) -> Float[np.ndarray, " n"]:
    """Pearson correlation of each row with its partner, or of a single one with each; NaN where constant."""
    first, second = (x - x.mean(1, keepdims=True) for x in (first, second))
    size = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    with np.errstate(invalid="ignore"):
        return np.where(size > 0, (first * second).sum(1) / size, np.nan)


def inside_picture(projections: Projections, picture: tuple[int, int]) -> Bool[np.ndarray, "n h w"]:
    """Which pixels of each window lie in a picture of that height and width."""
    frame = Frame(projections.tops, projections.lefts, *projections.pixels.shape[-2:], picture)
    return to_host(frame.fill_(torch.ones_like(projections.pixels[:, :1], dtype=torch.bool), False)[:, 0])
