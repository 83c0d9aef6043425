"""Crops of many images, centred and mirrored: one gather on a GPU, image by image on a CPU.

Both ways give the same numbers, bit for bit where the scale is a power of two. On a CPU an image that stays
in the cache through all it undergoes takes half the time of one pass over the whole batch after another.
"""

import ctypes
import mmap
import sys

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor


def crops(
    stack: UInt8[Tensor, "n h w channels"],
    mean: Float[Tensor, "h w channels"],
    rows: Int64[Tensor, " m"],
    tops: Int64[Tensor, " m"],
    lefts: Int64[Tensor, " m"],
    mirrored: Bool[Tensor, " m"],
    *,
    side: int,
    scale: float | Float[Tensor, " channels"],
) -> Float[Tensor, "m side side channels"]:
    """A square window of each image, minus the mean of the same pixels, times `scale`, in the mean's type.

    Args:
        stack: images.
        mean: of the images, pixel by pixel.
        rows: which images.
        tops, lefts: the window's corner in its image (pixels); it must lie inside.
        mirrored: left and right exchanged after cropping.
        side: of the window (pixels).
        scale: what the centred pixels are multiplied by, all channels or each.
    """
    way = one_by_one if stack.device.type == "cpu" else gathered
    return way(stack, mean, rows, tops, lefts, mirrored, side, scale)


def read_ahead(stack: UInt8[Tensor, "n h w channels"], rows: Int64[Tensor, " m"]) -> None:
    """Ask the system to read images of a memory map from the disk while something else is done.

    Without it a batch waits for the disk at every few pages of every image. Images that are in memory stay
    there; nothing is done for those on a GPU, or where the system is not Linux.

    Args:
        stack: images, contiguous.
        rows: which are going to be needed.
    """
    if stack.device.type != "cpu" or sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for row in rows.tolist():
        start = stack.data_ptr() + row * stack.stride(0)
        before = start % mmap.PAGESIZE
        madvise(start - before, before + stack.stride(0), mmap.MADV_WILLNEED)


def ten_crops(far: int) -> list[tuple[int, int, bool]]:
    """The ten crops of Krizhevsky 2012: the centre and the corners, each as it is and mirrored.

    Args:
        far: side of the image minus side of a crop (pixels).

    Returns:
        Top and left of each crop in the image (pixels), and whether left and right are exchanged.
    """
    corners = [(0, 0), (0, far), (far, 0), (far, far)]
    places = [(far // 2, far // 2), *corners]
    return [(*at, mirror) for at in places for mirror in (False, True)]


def one_by_one(stack, mean, rows, tops, lefts, mirrored, side, scale) -> Tensor:
    """As `crops`; reads nothing but the windows, from a memory map too."""
    out = torch.empty(len(rows), side, side, stack.shape[3], dtype=mean.dtype)
    minus = mean * -scale
    # Bytes are mirrored faster than the numbers that they become.
    turned, far = minus.flip(1), stack.shape[2] - side
    places = (out, rows.tolist(), tops.tolist(), lefts.tolist(), mirrored.tolist())
    for image, row, top, left, mirror in zip(*places, strict=True):
        pixels, below = stack[row, top : top + side, left : left + side], minus
        if mirror:
            pixels, below, left = pixels.flip(1), turned, far - left
        image.copy_(pixels)
        _added(below[top : top + side, left : left + side], image, scale, out=image)
    return out


def gathered(stack, mean, rows, tops, lefts, mirrored, side, scale) -> Tensor:
    """As `crops`; one indexing of all windows of all images, which are a view, not a copy."""

    def windows(images: Tensor, chosen: Tensor) -> Tensor:
        every = images.unfold(1, side, 1).unfold(2, side, 1)  # (n, y, x, channels, side, side)
        return every[chosen, tops, lefts].permute(0, 2, 3, 1)

    minus = windows((mean * -scale)[None], torch.zeros_like(rows))
    out = _added(minus, windows(stack, rows).to(mean.dtype), scale, out=minus)
    return torch.where(mirrored[:, None, None, None], out.flip(2), out)


def _added(minus: Tensor, pixels: Tensor, scale: float | Tensor, *, out: Tensor) -> Tensor:
    """`minus` plus pixels times `scale`, in one pass."""
    if isinstance(scale, Tensor):
        return torch.addcmul(minus, pixels, scale, out=out)
    return torch.add(minus, pixels, alpha=scale, out=out)
