"""Image files as people have them, as upright RGB pictures of one square.

Orientation is applied, transparency is laid on white, 16-bit and floating-point greys become 256 levels, and
of an animation the first frame counts.
"""

import os
import stat
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zfutils.data import UndecodableImage

Fit = Literal["squash", "crop"]  # of a picture into a square
Resampling = Literal["bicubic", "bilinear"]

WHITE = (255, 255, 255, 255)


def printable(name: str) -> str:
    r"""A file's name as text that can be printed; bytes that are not UTF-8 as `\xe9`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def decode(
    path: Path,
    size: int,
    *,
    name: str | None = None,
    fit: Fit = "squash",
    channels: int = 3,
    resampling: Resampling = "bicubic",
) -> np.ndarray:
    """An image file as a square.

    Args:
        path: any file that Pillow reads.
        size: side (pixels).
        name: what the file is called when it is refused; default its path.
        fit, channels, resampling: as for `fitted`.

    Returns:
        uint8 (size, size, channels).

    Raises:
        UndecodableImage: the file is missing, empty, broken, truncated or no image.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no regular file")
        if not status.st_size:
            raise ValueError("it is empty")
        with warnings.catch_warnings():  # what Pillow only warns of, it has read
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return fitted(image, size, fit=fit, channels=channels, resampling=resampling)
    except Exception as error:  # what a decoder raises on broken bytes is not listed anywhere
        raise UndecodableImage(printable(name or str(path)), _reason(error)) from None


def _reason(error: Exception) -> str:
    """What is wrong with a file, without its path."""
    if isinstance(error, UnidentifiedImageError):
        return "its bytes are no image that Pillow reads"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def fitted(
    image: Image.Image,
    size: int,
    *,
    fit: Fit = "squash",
    channels: int = 3,
    resampling: Resampling = "bicubic",
) -> np.ndarray:
    """An opened image as a square.

    Args:
        image: as Pillow opened it.
        size: side (pixels).
        fit: "squash", or "crop": the centre, once the shorter side is `size` (Krizhevsky 2012, §2).
        channels: 3, RGB, or 1, grey.
        resampling: how a pixel of the square is made of the image's.

    Returns:
        uint8 (size, size, channels).

    Raises:
        ValueError: a grey picture whose values have no known scale.
    """
    upright = _rgb(ImageOps.exif_transpose(image))
    upright = upright.convert("L") if channels == 1 else upright
    how = Image.Resampling[resampling.upper()]
    square = (size, size)
    found = upright.resize(square, how) if fit == "squash" else ImageOps.fit(upright, square, how)
    return np.asarray(found).reshape(size, size, channels)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image), image.mode)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """Grey values of 16 bits, or floating-point ones in 0…1 or 0…255, in 256 levels.

    Raises:
        ValueError: values outside these ranges, or not finite.
    """
    low, high = float(values.min()), float(values.max())
    whole = mode.startswith("I")
    full = 65535.0 if whole else 1.0 if high <= 1 else 255.0
    if not 0 <= low <= high <= full:
        allowed = "0…65535" if whole else "0…1 or 0…255"
        raise ValueError(
            f"its mode is {mode!r}, whose values must lie in {allowed}; they lie in {low:g}…{high:g}"
        )
    return np.rint(values.astype(np.float64) * (255 / full)).astype(np.uint8)
