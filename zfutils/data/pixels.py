"""The one road from a store of pixels to the device.

Training reads the store's memory map directly; crops, mirror images and centring happen on the device, and
which crop an image gets depends on (seed, epoch, image) alone, whatever the batch size or the number of
devices.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from zfutils.data import windows
from zfutils.runtime.seeds import mixed


@dataclass(frozen=True)
class Batch:
    """Images as the network takes them, their labels, and their rows in the store."""

    images: Float[Tensor, "n channels side side"]
    labels: Int64[Tensor, " n"]
    rows: Int64[Tensor, " n"]


@dataclass(frozen=True)
class Pixels:
    """A store: all images of a split, uint8, and what is needed to crop and centre them.

    `mean` is the store's own per-pixel mean, (size, size, channels), in 0…255; a validation store is
    centred with the training store's (`centred_as`).
    """

    pixels: UInt8[Tensor, "n size size channels"]
    labels: Int64[Tensor, " n"]
    mean: Float[Tensor, "size size channels"]
    classes: tuple[str, ...]
    names: tuple[str, ...]
    identity: dict[str, Any]
    undecodable: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: Path) -> "Pixels":
        """A complete store.

        Raises:
            FileNotFoundError: there is none, or it is half built.
        """
        if not (folder / "store.json").is_file():
            raise FileNotFoundError(f"{folder} holds no complete pixel store; build it first")
        record = json.loads((folder / "store.json").read_text())
        rows = np.load(folder / "rows.npy")
        pixels = np.load(folder / "pixels.npy", mmap_mode="c")[: len(rows)]
        return cls(
            torch.from_numpy(pixels),
            torch.from_numpy(np.load(folder / "labels.npy")[rows]),
            torch.from_numpy(np.load(folder / "mean.npy")),
            tuple(record["classes"]),
            tuple(record["names"]),
            record["identity"],
            tuple(record["undecodable"]),
            tuple(record["left_out"]),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> int:
        """Side of a stored image (pixels)."""
        return self.pixels.shape[1]

    def _far(self, side: int) -> int:
        """The last place of a crop along an axis (pixels)."""
        if not 1 <= side <= self.size:
            raise ValueError(f"a crop of {side} px does not fit in an image of {self.size} px")
        return self.size - side

    def centred_as(self, other: "Pixels", *, beyond: bool = False) -> "Pixels":
        """The same images, centred with another store's mean: the training set's, for any other split.

        Args:
            other: whose mean.
            beyond: these images may be larger and show more around; the mean's border goes on there.

        Raises:
            ValueError: images of another size, or smaller ones.
        """
        mean, margin = other.mean, self.size - other.size
        if margin and not (beyond and margin > 0):
            raise ValueError(f"images of {self.size} px cannot be centred as those of {other.size} px are")
        if margin:
            around = (margin // 2, margin - margin // 2) * 2
            mean = torch.nn.functional.pad(mean.permute(2, 0, 1), around, mode="replicate").permute(1, 2, 0)
        return Pixels(**{**self.__dict__, "mean": mean})

    def only(self, rows: Int64[Tensor, " n"]) -> "Pixels":
        """Some of the images as a set of their own, centred with their own mean.

        Args:
            rows: which, each once.

        Raises:
            ValueError: none, one twice, or one that is not there.
        """
        chosen = rows.tolist()
        if not chosen or len(set(chosen)) < len(chosen) or not 0 <= min(chosen) <= max(chosen) < len(self):
            raise ValueError(f"rows must be some of 0 … {len(self) - 1}, each once; {len(chosen)} came")
        pixels = self.pixels[rows]
        digest = hashlib.blake2b(repr(chosen).encode(), digest_size=16).hexdigest()
        return Pixels(
            **self.__dict__
            | {"pixels": pixels, "labels": self.labels[rows], "mean": pixels.float().mean(0)}
            | {"names": tuple(self.names[row] for row in chosen)}
            | {"identity": {"only": digest, "of": self.identity}}
        )

    def to(self, device: torch.device) -> "Pixels":
        """The same store, resident on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("pixels", "labels", "mean")}
        return Pixels(**{**self.__dict__, **moved})

    def crops(
        self,
        rows: Int64[Tensor, " n"],
        tops: Int64[Tensor, " n"],
        lefts: Int64[Tensor, " n"],
        mirrored: Tensor,
        *,
        side: int,
        scale: float,
        dtype: torch.dtype = torch.float32,
    ) -> Float[Tensor, "n channels side side"]:
        """Crops of images, centred by the mean of the same pixels, times `scale`, mirrored where asked.

        Args:
            rows: which images.
            tops, lefts: the crop's corner in the stored image (pixels).
            mirrored: bool (n,), left and right exchanged after cropping.
            side: the crop's side (pixels).
            scale: 1 leaves pixels in about ±128.
            dtype: of the result.
        """
        places = (rows, tops, lefts, mirrored)
        images = windows.crops(self.pixels, self.mean.to(dtype), *places, side=side, scale=scale)
        return images.permute(0, 3, 1, 2)

    def shuffled(
        self,
        rows: Int64[Tensor, " n"],
        *,
        seed: int,
        epoch: int,
        batch: int,
        side: int,
        scale: float,
        dtype: torch.dtype = torch.float32,
        rank: int = 0,
        ranks: int = 1,
    ) -> Iterator[Batch]:
        """One epoch of training batches: every image once, at a random crop, mirrored or not.

        Order, crop and mirror of an image depend on (seed, epoch, image) alone; rank r of several takes
        every `ranks`-th image of the order.
        """
        far, device = self._far(side), self.pixels.device
        generator = torch.Generator().manual_seed(mixed(seed, epoch))
        corners = torch.randint(0, far + 1, (len(self), 2), generator=generator).to(device)
        mirror = (torch.rand(len(self), generator=generator) < 0.5).to(device)
        order = torch.randperm(len(rows), generator=generator)
        order = rows[order[rank::ranks]].to(device)
        for chosen in order.split(batch):
            tops, lefts = corners[chosen].T
            images = self.crops(chosen, tops, lefts, mirror[chosen], side=side, scale=scale, dtype=dtype)
            yield Batch(images, self.labels[chosen], chosen)

    def views(
        self,
        rows: Int64[Tensor, " n"],
        *,
        crops: Literal[1, 10],
        batch: int,
        side: int,
        scale: float,
        dtype: torch.dtype = torch.float32,
    ) -> Iterator[tuple[Batch, ...]]:
        """Batches for testing: the centre crop, or the ten crops of Krizhevsky 2012, one batch a crop.

        Ten are the four corners and the centre, each with its mirror image.
        """
        if crops not in (1, 10):
            raise ValueError(f"a test sees 1 crop of an image or 10, not {crops}")
        far = self._far(side)
        places = [(far // 2, far // 2)]
        if crops == 10:
            places += [(0, 0), (0, far), (far, 0), (far, far)]
        for chosen in rows.to(self.pixels.device).split(batch):
            labels, views = self.labels[chosen], []
            for top, left in places:
                corner = [torch.full_like(chosen, place) for place in (top, left)]
                for mirrored in (False, True)[: 1 if crops == 1 else 2]:
                    flags = torch.full_like(chosen, mirrored, dtype=torch.bool)
                    images = self.crops(chosen, *corner, flags, side=side, scale=scale, dtype=dtype)
                    views.append(Batch(images, labels, chosen))
            yield tuple(views)
