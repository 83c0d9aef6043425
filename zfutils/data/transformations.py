"""Pictures moved, enlarged, turned (Zeiler & Fergus 2013, Fig. 5) or blurred, each once from the original.

A picture is stored larger than the network's crop, and what comes into the crop comes from there, so that
small changes need no border that somebody has to make up. Where the picture ends all the same, a border
rule fills in: grey, the picture reflected, or the picture wrapped. Pictures are centred by the training
mean, so grey, the mean, is 0. The untransformed picture is always the centre crop, bit for bit.
"""

import math
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Border = Literal["grey", "reflect", "wrap"]
PADDING = {"grey": "constant", "reflect": "reflect", "wrap": "circular"}


def translated(
    images: Float[Tensor, "n channels h h"],
    down: float,
    right: float = 0,
    *,
    side: int,
    border: Border = "grey",
) -> Float[Tensor, "n channels {side} {side}"]:
    """The centre crop with the picture moved by whole pixels; nothing is interpolated.

    Args:
        images: centred pictures, as large as they are stored.
        down, right: how far the picture moves (pixels, whole; negative is up and left).
        side: of the crop (pixels).
        border: what stands where the stored picture has ended.

    Raises:
        ValueError: a fraction of a pixel, a shift by as much as the picture's side, another border rule, or
            a crop that is larger than the pictures.
    """
    size, margin = _checked(images, side)
    if border not in PADDING:
        raise ValueError(f"border is {border!r}; allowed are {', '.join(PADDING)}")
    if down != int(down) or right != int(right):
        raise ValueError(f"a picture is moved by whole pixels, not by {down} and {right}")
    if max(abs(down), abs(right)) >= size:
        raise ValueError(f"a picture of {size} px cannot be moved by {down} and {right} px")
    top, left = margin // 2 - int(down), margin // 2 - int(right)
    beyond = (max(-left, 0), max(left - margin, 0), max(-top, 0), max(top - margin, 0))
    if any(beyond):
        images = functional.pad(images, beyond, mode=PADDING[border])
    top, left = max(top, 0), max(left, 0)
    return images[..., top : top + side, left : left + side]


def scaled(
    images: Float[Tensor, "n channels h h"], factor: float, *, side: int
) -> Float[Tensor, "n channels {side} {side}"]:
    """The centre crop with the picture enlarged about its middle: bicubic, antialiased where it shrinks.

    Args:
        images: centred pictures, as large as they are stored.
        factor: of their size, as `possible_scale` gives it.
        side: of the crop (pixels).

    Raises:
        ValueError: a factor that is not possible, or so small that the picture no longer fills the crop.
    """
    size, margin = _checked(images, side)
    images = _even(images, margin)
    size -= margin % 2
    target = round(factor * size)
    nearest = possible_scale(factor, size=size, side=side)
    if not math.isclose(factor, nearest):
        raise ValueError(f"a picture of {size} px cannot be enlarged {factor} times, but {nearest} times")
    if target != size:
        images = functional.interpolate(images, size=(target, target), mode="bicubic", antialias=True)
    corner = (target - side) // 2
    return images[..., corner : corner + side, corner : corner + side]


def possible_scale(factor: float, *, size: int, side: int) -> float:
    """The nearest factor that leaves a picture's middle where it is, on the pixels' own grid.

    The enlarged picture has a whole number of pixels, of the crop's parity.

    Args:
        factor: what is wanted.
        size: side of the stored picture (pixels).
        side: of the crop (pixels).

    Raises:
        ValueError: the picture would no longer fill the crop.
    """
    size -= (size - side) % 2
    target = side + 2 * round((factor * size - side) / 2)
    if target < side:
        raise ValueError(f"at a scale of {factor} a picture of {size} px does not fill a crop of {side} px")
    return target / size


def rotated(
    images: Float[Tensor, "n channels h h"], degrees: float, *, side: int
) -> Float[Tensor, "n channels {side} {side}"]:
    """The centre crop with the picture turned clockwise, inside a soft-edged disc; around it, grey.

    The disc is applied at every angle, 0° included, so that no corner comes or goes with the angle. Bicubic;
    quarter turns exchange pixels and interpolate nothing.

    Args:
        images: centred pictures, as large as they are stored.
        degrees: clockwise.
        side: of the crop (pixels).
    """
    _, margin = _checked(images, side)
    images = _even(images, margin)
    if degrees % 90 == 0:
        crop = translated(images, 0, side=side)
        turned = torch.rot90(crop, -int(degrees // 90) % 4, dims=(-2, -1))
    else:
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        way_back = torch.tensor([[cos, sin, 0.0], [-sin, cos, 0.0]], dtype=images.dtype)
        way_back = (way_back * (side / images.shape[-1])).to(images.device).expand(len(images), 2, 3)
        shape = [*images.shape[:2], side, side]
        places = functional.affine_grid(way_back, shape, align_corners=False)
        near = images.contiguous(memory_format=torch.channels_last)  # three times as fast
        turned = functional.grid_sample(near, places, mode="bicubic", align_corners=False)
    return turned * disc(side).to(turned)


def blurred(
    images: Float[Tensor, "... channels h w"], sigma: float, *, side: int
) -> Float[Tensor, "... channels h w"]:
    """The pictures under a Gaussian; beyond the border they are reflected.

    torchvision's `gaussian_blur`, without an import that takes as long as PyTorch's.

    Args:
        images: one picture or several.
        sigma: standard deviation (pixels).
        side: where the Gaussian is cut off (pixels, odd, less than twice the pictures' sides).

    Raises:
        ValueError: another side.
    """
    channels, *sides = images.shape[-3:]
    if not (side % 2 and 1 <= side < 2 * min(sides)):
        raise ValueError(f"a Gaussian of {side} px cannot blur pictures of {' × '.join(map(str, sides))} px")
    along = torch.arange(side, dtype=images.dtype, device=images.device) - side // 2
    weights = torch.exp(-0.5 * (along / sigma).square())
    weights = weights / weights.sum()
    kernel = torch.outer(weights, weights).expand(channels, 1, side, side)
    return functional.conv2d(functional.pad(images, [side // 2] * 4, "reflect"), kernel, groups=channels)


@lru_cache(maxsize=16)
def disc(side: int) -> Float[Tensor, "{side} {side}"]:
    """1 inside the crop's inscribed circle, 0 outside, with a cosine edge as wide as a 16th of the side."""
    middle, edge = (side - 1) / 2, side / 16
    along = torch.arange(side, dtype=torch.float64) - middle
    radius = torch.hypot(along[:, None], along)
    depth = ((side / 2 - radius) / edge).clamp(0, 1)  # 0 on the circle, 1 where the edge ends
    return (0.5 - 0.5 * torch.cos(math.pi * depth)).float()


def _checked(images: Tensor, side: int) -> tuple[int, int]:
    """Side of the pictures, and how much of it is not in the crop."""
    size = images.shape[-1]
    if images.ndim != 4 or images.shape[-2] != size or not 1 <= side <= size:
        raise ValueError(f"a crop of {side} px does not fit in pictures of shape {tuple(images.shape)}")
    return size, size - side


def _even(images: Tensor, margin: int) -> Tensor:
    """The pictures less one row and column where the centre crop would else not lie in the middle."""
    last = images.shape[-1] - margin % 2
    return images[..., :last, :last]
