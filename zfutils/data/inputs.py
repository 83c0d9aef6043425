"""Images of a set as a network sees them: which, how large a crop, on which scale.

Whatever looks at images through a network takes this one object instead of a set, rows, a side and a scale;
what does not fit together is refused here, once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped, UInt8
from torch import Tensor

from zfutils.data.pixels import Batch, Pixels
from zfutils.runtime.devices import to_host


@dataclass(frozen=True, eq=False)
class Inputs:
    """Some images of a set, in an order, cropped to `side` at their middle, centred, times `scale`.

    Args:
        images: the set, centred as the network's training images.
        rows: which of them, each at most once; `Inputs.of` takes all by default.
        side: of the crop (pixels); that of the images shows them whole.
        scale: what centred pixels are multiplied by, as in training, all channels alike or each by its own;
            1 leaves them in about ±128.

    Raises:
        ValueError: no rows, one twice or one that the set lacks; a crop that does not fit; a scale of 0, or
            not one for each channel.
    """

    images: Pixels
    rows: Int64[Tensor, " n"]
    side: int
    scale: float | tuple[float, ...]

    def __post_init__(self) -> None:
        rows, there = self.rows, len(self.images)
        if rows.ndim != 1 or not len(rows) or rows.min() < 0 or rows.max() >= there:
            raise ValueError(f"rows must name at least one of the {there} images, 0…{there - 1}")
        if len(rows.unique()) < len(rows):
            raise ValueError(f"an image stands twice among the {len(rows)} rows")
        if not 1 <= self.side <= self.images.size:
            raise ValueError(f"a crop of {self.side} px does not fit in images of {self.images.size} px")
        each, channels = np.atleast_1d(self.scale), self.images.pixels.shape[3]
        if not (each > 0).all():
            raise ValueError(f"scale is {self.scale}; it must be above 0")
        if isinstance(self.scale, tuple) and len(each) != channels:
            raise ValueError(f"{len(each)} scales for images of {channels} channels")

    @classmethod
    def of(
        cls,
        images: Pixels,
        rows: Int64[Tensor, " n"] | None = None,
        *,
        side: int | None = None,
        scale: float | tuple[float, ...] = 1.0,
    ) -> Self:
        """All images of a set, or some; whole, or cropped.

        Args:
            images, rows, side, scale: the fields of `Inputs`; by default all rows, and whole images.
        """
        every = torch.arange(len(images)) if rows is None else torch.as_tensor(rows)
        return cls(images, every, images.size if side is None else side, scale)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: slice | Int64[Tensor, " m"]) -> Self:
        """Some of these images, by their places here."""
        return replace(self, rows=self.rows[places])

    def at(self, rows: Int64[Tensor, " m"]) -> Self:
        """Other images of the same set, by their rows in it, seen likewise."""
        return replace(self, rows=torch.as_tensor(rows))

    def whole(self) -> Self:
        """The same images, not cropped."""
        return replace(self, side=self.images.size)

    def unlabelled(self) -> Self:
        """The same images, of which nobody knows what they show: their labels are -1."""
        unknown = torch.full_like(self.images.labels, -1)
        return replace(self, images=replace(self.images, labels=unknown))

    @property
    def labels(self) -> Int64[Tensor, " n"]:
        """Classes of the images, in their order, on the CPU."""
        return self.images.labels[self.rows.to(self.images.labels.device)].cpu()

    @property
    def identity(self) -> dict[str, Any]:
        """What fixes the images, whatever is seen of them."""
        every = torch.equal(self.rows.cpu(), torch.arange(len(self.images)))
        return self.images.identity if every else self.images.identity_of(self.rows)

    @property
    def corner(self) -> int:
        """Where the crop begins in the stored image, along either axis (pixels)."""
        return (self.images.size - self.side) // 2

    def pixels(self) -> UInt8[np.ndarray, "n side side channels"]:
        """The crops as they are stored, to be looked at."""
        here = slice(self.corner, self.corner + self.side)
        return to_host(self.images.pixels[self.rows.to(self.images.pixels.device)][:, here, here])

    def mean(self) -> Float[Tensor, "channels side side"]:
        """What is subtracted from a crop, in 0…255."""
        here = slice(self.corner, self.corner + self.side)
        return self.images.mean[here, here].permute(2, 0, 1)

    def centred(
        self, levels: Shaped[Tensor, "*n channels side side"]
    ) -> Float[Tensor, "*n channels side side"]:
        """Crops in 0…255 as the network sees them."""
        return (levels - self.mean().to(levels.device)) * self._factor(levels.device)

    def levels(
        self, images: Float[Tensor, "*n channels side side"]
    ) -> Float[Tensor, "*n channels side side"]:
        """What the network sees, back in 0…255."""
        return images / self._factor(images.device) + self.mean().to(images.device)

    def in_levels(self, patterns: Float[Tensor, "*n channels h w"]) -> Float[Tensor, "*n channels h w"]:
        """Patterns of what the network sees as differences of levels, up to one factor for all channels.

        Where one scale serves all channels they stay as they are.
        """
        if isinstance(self.scale, tuple):
            return patterns * (np.mean(self.scale) / self._factor(patterns.device)).to(patterns.dtype)
        return patterns

    def _factor(self, device: torch.device) -> float | Tensor:
        """The scale, as channels of pictures (…, channels, h, w) are multiplied by it."""
        if isinstance(self.scale, tuple):
            return torch.tensor(self.scale, device=device)[:, None, None]
        return self.scale

    def views(
        self,
        batch: int,
        *,
        crops: Literal[1, 10] = 1,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Iterator[tuple[Batch, ...]]:
        """Batches on a device: the centre crop, or the ten crops of Krizhevsky 2012, one batch for each crop.

        Args:
            batch: images at a time.
            crops: 1, or 10 (four corners and the centre, each with its mirror image).
            device, dtype: of the images.
        """
        if batch < 1:
            raise ValueError(f"a batch has at least 1 image, not {batch}")
        seen = {"crops": crops, "batch": batch, "side": self.side, "scale": self.scale}
        exact = torch.float32 if dtype == torch.float64 else dtype
        for views in self.images.views(self.rows, **seen, dtype=exact):
            yield tuple(
                Batch(
                    view.images.to(device, dtype, memory_format=torch.channels_last),
                    view.labels.to(device),
                    view.rows.to(device),
                )
                for view in views
            )

    def batches(
        self, batch: int, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> Iterator[Batch]:
        """Batches of the centre crops on a device, in order (`views` with one crop)."""
        for (view,) in self.views(batch, device=device, dtype=dtype):
            yield view

    def tensor(
        self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "n channels side side"]:
        """All of them at once; memory grows with their number."""
        (batch,) = self.batches(len(self), device=device, dtype=dtype)
        return batch.images
