"""What an image undergoes before a network sees it, said once: size, crop, channels, mean and scale.

Files, arrays and folders end in one `Inputs`, the pictures' own bytes beside the mean and the scale of each
channel, so that what is shown are those bytes and what is computed with is what the network takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from zfutils.data import stores
from zfutils.data.decoding import Fit, Resampling, decode, fitted, printable
from zfutils.data.inputs import Inputs
from zfutils.data.listings import pictures_below
from zfutils.data.pixels import Pixels

# Of ImageNet's pixels in 0…1, as torchvision's weights take them; for other numbers of channels a half.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = 0.5
LEVELS = 255

Picture = Path | str | UInt8[np.ndarray, "h w channels"]


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """What an image undergoes before a network sees it.

    An image is brought to a square of `size` pixels, of which the network sees the middle, `side` pixels
    wide. From its values in 0…1 the mean is subtracted, and they are divided by the standard deviation.

    Args:
        side: of what the network sees (pixels).
        channels: 3, RGB; 1, grey; another number for arrays alone.
        mean: of values in 0…1, of each channel, one for all, or of each pixel of the square; ImageNet's by
            default, a half where there are not 3 channels.
        std: likewise, of each channel or one for all.
        size: of the square (pixels); `side` by default.
        fit: "crop" takes the middle of an image that is not square, "squash" all of it.
        resampling: "bicubic" or "bilinear".

    Raises:
        ValueError: a number out of range, or not one for each channel; names it.
    """

    side: int = 224
    channels: int = 3
    mean: Float[Tensor, "size size channels"] | Sequence[float] | float | None = None
    std: Sequence[float] | float | None = None
    size: int | None = None
    fit: Fit = "crop"
    resampling: Resampling = "bicubic"

    def __post_init__(self) -> None:
        if self.side < 1 or self.channels < 1:
            raise ValueError(f"side and channels are 1 or more, not {self.side} and {self.channels}")
        if (self.size or self.side) < self.side:
            raise ValueError(f"a square of {self.size} px holds no picture of {self.side} px")
        for name, allowed in (("fit", Fit), ("resampling", Resampling)):
            if (came := getattr(self, name)) not in allowed.__args__:
                raise ValueError(f"{name} is one of {', '.join(allowed.__args__)}, not {came!r}")
        object.__setattr__(self, "size", self.size or self.side)
        object.__setattr__(self, "std", self._by_channel("std", IMAGENET_STD))
        if not (min(self.std) > 0 and np.isfinite(self.std).all()):
            raise ValueError(f"std is {self.std}; it must be above 0")
        if not isinstance(self.mean, Tensor):
            object.__setattr__(self, "mean", self._by_channel("mean", IMAGENET_MEAN))
        elif self.mean.shape != (shape := (self.size, self.size, self.channels)):
            raise ValueError(f"a mean by pixel has the form {shape}, not {tuple(self.mean.shape)}")
        values = torch.as_tensor(self.mean)
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"mean is {self.mean}; of values in 0…1 it lies there too (divide by 255)")

    def _by_channel(self, name: str, imagenet: tuple[float, ...]) -> tuple[float, ...]:
        came = getattr(self, name)
        came = came if came is not None else imagenet if self.channels == len(imagenet) else HALF
        values = tuple(map(float, np.atleast_1d(came)))
        values *= self.channels if len(values) == 1 else 1
        if len(values) != self.channels:
            raise ValueError(f"{name} has {len(values)} numbers for {self.channels} channels")
        return values

    @classmethod
    def of_transform(cls, transform: Any) -> Self:
        """That of the transform which comes with torchvision's weights (`weights.transforms()`).

        Raises:
            ValueError: a transform that does not say what it does, as those for detection.
        """
        if missing := [name for name in ("mean", "std", "resize_size") if not hasattr(transform, name)]:
            raise ValueError(
                f"{type(transform).__name__} does not say its {missing[0]}; give side, mean, std"
            )
        (size, *_), (side, *_) = transform.resize_size, getattr(transform, "crop_size", transform.resize_size)
        how = getattr(transform.interpolation, "value", "bilinear")
        resampling = how if how in Resampling.__args__ else "bilinear"
        means = {"mean": tuple(transform.mean), "std": tuple(transform.std)}
        return cls(side, len(means["mean"]), **means, size=max(size, side), resampling=resampling)

    # ---- pictures

    def picture(self, image: Picture, *, name: str | None = None) -> UInt8[np.ndarray, "size size channels"]:
        """One image as the square of which the network sees the middle.

        Args:
            image: a file, or bytes (h, w, channels); (h, w) is one channel.
            name: what a file is called when it is refused; its path by default.

        Raises:
            ValueError: another array; a file for a network of neither 1 nor 3 channels. An `UndecodableImage`
                names a file that is no image.
        """
        how = {"fit": self.fit, "resampling": self.resampling}
        if isinstance(image, Path | str):
            if self.channels not in (1, 3):
                raise ValueError(f"a file is read in 1 channel or 3, not {self.channels}; give arrays")
            return decode(Path(image), self.size, name=name, channels=self.channels, **how)
        array = np.asarray(image)
        array = array[..., None] if array.ndim == 2 else array
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != self.channels:
            came = f"{array.dtype} {np.shape(image)}"
            raise ValueError(f"an array is uint8 (h, w, {self.channels}), not {came}")
        parts = [array] if self.channels == 3 else np.moveaxis(array, 2, 0)
        grey = 3 if self.channels == 3 else 1
        fit = [fitted(Image.fromarray(part), self.size, channels=grey, **how) for part in parts]
        return np.concatenate(fit, axis=2)

    def inputs(self, images: Picture | Sequence[Picture], *, progress: bool = False) -> Inputs:
        """Images as the network sees them; what they show is not known, their labels are -1.

        Args:
            images: a folder, of which all images at any depth are taken, and a few that cannot be decoded
                are set aside by name; a file; an array of bytes (h, w, channels) or (n, h, w, channels); or
                several files and arrays.
            progress: print a line now and then while a folder is read.

        Raises:
            ValueError: no image; an array of another form; too many of a folder's files cannot be decoded.
                An `UndecodableImage` names a file that is no image.
        """
        if isinstance(images, Path | str) and Path(images).is_dir():
            pixels = self._below(Path(images), progress)
        else:
            one = isinstance(images, Path | str) or (isinstance(images, np.ndarray) and images.ndim < 4)
            given = [images] if one else list(images)
            if not given:
                raise ValueError("name at least one image")
            named = [str(i) if isinstance(image, np.ndarray) else str(image) for i, image in enumerate(given)]
            stack = torch.from_numpy(np.stack([self.picture(image) for image in given]))
            labels = torch.zeros(len(given), dtype=torch.int64)
            pixels = Pixels(stack, labels, stack[0].float(), (), tuple(named), {"source": "own images"})
        mean = self.mean if isinstance(self.mean, Tensor) else torch.tensor(self.mean)
        mean = (LEVELS * mean.float()).expand(self.size, self.size, self.channels)
        unknown = torch.full_like(pixels.labels, -1)
        pixels = replace(pixels, mean=mean.contiguous(), labels=unknown, classes=())
        scales = {1 / (LEVELS * std) for std in self.std}
        scale = scales.pop() if len(scales) == 1 else tuple(1 / (LEVELS * std) for std in self.std)
        return Inputs.of(pixels, side=self.side, scale=scale)

    def _below(self, folder: Path, progress: bool) -> Pixels:
        """All pictures below a folder; their file is unlinked, and lasts as long as they are used."""
        listing = pictures_below(folder)
        paths = tuple(path for path, _ in listing.samples)
        with TemporaryDirectory(prefix="zfutils-") as beside:
            source = _Files(self, folder, paths, dict(listing.passed_over))
            return stores.build(source, Path(beside) / folder.name, progress=progress)


@dataclass(frozen=True)
class _Files:
    """Picture files below a folder as a source of images, all of one class."""

    preprocessing: Preprocessing
    folder: Path
    paths: Sequence[str]
    passed_over: Mapping[str, int]
    classes: tuple[str, ...] = ("picture",)
    identity: Mapping[str, Any] = field(default_factory=lambda: {"source": "own images"})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(printable, self.paths))

    @property
    def labels(self) -> np.ndarray:
        return np.zeros(len(self.paths), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        path = self.paths[index]
        return self.preprocessing.picture(self.folder / path, name=printable(path))
