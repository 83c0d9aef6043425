"""The one road from a store of pixels to the device.

Training reads the store's memory map directly; crops, mirror images and centring happen on the device, and
which crop an image gets depends on (seed, pass, image) alone, whatever the batch size or the number of
devices. Batches are cut from one endless sequence of passes over the images, so that every one is full.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from zfutils.data import windows
from zfutils.data.digests import digest
from zfutils.runtime.seeds import mixed


@dataclass(frozen=True)
class Batch:
    """Images as the network takes them, their labels, and their rows in the store."""

    images: Float[Tensor, "n channels side side"]
    labels: Int64[Tensor, " n"]
    rows: Int64[Tensor, " n"]

    def on(self, device: torch.device) -> "Batch":
        """The same on a device; from pinned memory without waiting."""
        return Batch(*(t.to(device, non_blocking=True) for t in (self.images, self.labels, self.rows)))

    def pinned(self) -> "Batch":
        """The same in memory that a GPU reads by itself."""
        return Batch(*(t.pin_memory() for t in (self.images, self.labels, self.rows)))


@dataclass(frozen=True)
class Pixels:
    """A store: all images of a split, uint8, and what is needed to crop and centre them.

    `mean` is the store's own per-pixel mean, (size, size, channels), in 0…255; a validation store is
    centred by the training store's (`centred_by`).
    """

    pixels: UInt8[Tensor, "n size size channels"]
    labels: Int64[Tensor, " n"]
    mean: Float[Tensor, "size size channels"]
    classes: tuple[str, ...]
    names: tuple[str, ...]
    identity: dict[str, Any]
    undecodable: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    passed_over: dict[str, int] = field(default_factory=dict)  # files beside them, by ending
    chiral: bool = False  # mirror images show something else, as of digits; training then mirrors none

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
            record.get("passed_over", {}),
            record.get("chiral", False),
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

    def centred_by(self, mean: Float[Tensor, "size size channels"]) -> "Pixels":
        """The same images, centred by another set's mean: the training set's, for any other split.

        Args:
            mean: of that set, in 0…255.

        Raises:
            ValueError: the mean of images of another size.
        """
        if self.mean.shape != mean.shape:
            shapes = tuple(self.mean.shape), tuple(mean.shape)
            raise ValueError("images of shape {} cannot be centred by a mean of shape {}".format(*shapes))
        return replace(self, mean=mean)

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
        pixels, names = self.pixels[rows], tuple(self.names[row] for row in chosen)
        some = {"pixels": pixels, "labels": self.labels[rows], "mean": pixels.float().mean(0)}
        return replace(self, **some, names=names, identity=self.identity_of(rows))

    def identity_of(self, rows: Int64[Tensor, " n"]) -> dict[str, Any]:
        """The identity of some of the images, in an order, as a set of their own."""
        return {"only": digest(repr(rows.tolist()).encode()), "of": self.identity}

    def to(self, device: torch.device) -> "Pixels":
        """The same store, resident on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("pixels", "labels", "mean")}
        return replace(self, **moved)

    def resident(self, device: torch.device) -> "Pixels":
        """The store on a device, where it takes at most half of the memory that is free there.

        A larger one stays where it is and is streamed (`prefetched`).
        """
        if device.type != "cuda":
            return self if device.type == "cpu" else self.to(device)
        free, _ = torch.cuda.mem_get_info(device)
        return self.to(device) if self.pixels.numel() <= free / 2 else self

    def crops(
        self,
        rows: Int64[Tensor, " n"],
        tops: Int64[Tensor, " n"],
        lefts: Int64[Tensor, " n"],
        mirrored: Tensor,
        *,
        side: int,
        scale: float | tuple[float, ...],
        dtype: torch.dtype = torch.float32,
    ) -> Float[Tensor, "n channels side side"]:
        """Crops of images, centred by the mean of the same pixels, times `scale`, mirrored where asked.

        Args:
            rows: which images.
            tops, lefts: the crop's corner in the stored image (pixels).
            mirrored: bool (n,), left and right exchanged after cropping.
            side: the crop's side (pixels).
            scale: of all channels, or of each; 1 leaves pixels in about ±128.
            dtype: of the result.
        """
        places = (rows, tops, lefts, mirrored)
        mean = self.mean.to(dtype)
        scale = torch.tensor(scale).to(mean) if isinstance(scale, tuple) else scale
        images = windows.crops(self.pixels, mean, *places, side=side, scale=scale)
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
        """One epoch of training batches, all of them full, of images at a random crop, mirrored or not.

        Each pass holds every image once, in an order of its own. The passes follow one another without end
        and are cut into batches; an epoch takes the batches that end within its pass, so that what one epoch
        leaves over comes first in the next. Order, crop and mirror depend on (seed, pass, image) alone;
        chiral images are never mirrored.

        Args:
            rows: which images; where they are fewer than a batch, all of them are one.
            seed: of order, crops and mirroring.
            epoch: which, from 1.
            batch: images a step and process.
            side: of a crop (pixels).
            scale: 1 leaves pixels in about ±128.
            dtype: of the images.
            rank, ranks: which of how many processes; each takes every `ranks`-th image of a step's `batch`
                times `ranks`. Where these are more than there are images, a step takes as many as can be
                shared out equally.

        Raises:
            ValueError: a crop that does not fit, no image for each process, or an epoch before the first.
        """
        if len(rows) < ranks:
            raise ValueError(f"{len(rows)} images cannot be shared among {ranks} processes")
        if epoch < 1:
            raise ValueError(f"epochs are counted from 1, not {epoch}")
        size = min(batch * ranks, len(rows) - len(rows) % ranks)
        left_over = (epoch - 1) * len(rows) % size
        options = {"seed": seed, "far": self._far(side)}
        order, corners, mirror = self._pass(rows, number=epoch, **options)
        if left_over:
            before = (t[-left_over:] for t in self._pass(rows, number=epoch - 1, **options))
            order, corners, mirror = map(torch.cat, zip(before, (order, corners, mirror), strict=True))
        shares = [slice(i + rank, i + size, ranks) for i in range(0, len(order) - size + 1, size)]
        for number, own in enumerate(shares):
            for share in shares[number + bool(number) : number + 2]:  # the next, and at first its own
                windows.read_ahead(self.pixels, order[share])
            tops, lefts = corners[own].T
            images = self.crops(order[own], tops, lefts, mirror[own], side=side, scale=scale, dtype=dtype)
            yield Batch(images, self.labels[order[own]], order[own])

    def _pass(
        self, rows: Int64[Tensor, " n"], *, seed: int, number: int, far: int
    ) -> tuple[Int64[Tensor, " n"], Int64[Tensor, "n 2"], Bool[Tensor, " n"]]:
        """Rows in the order of a pass, the corner of each one's crop, and whether it is mirrored."""
        generator, device = torch.Generator().manual_seed(mixed(seed, number)), self.pixels.device
        corners = torch.randint(0, far + 1, (len(self), 2), generator=generator)
        mirror = torch.rand(len(self), generator=generator) < (0 if self.chiral else 0.5)
        order = rows[torch.randperm(len(rows), generator=generator)]
        return order.to(device), corners[order].to(device), mirror[order].to(device)

    def views(
        self,
        rows: Int64[Tensor, " n"],
        *,
        crops: Literal[1, 10],
        batch: int,
        side: int,
        scale: float | tuple[float, ...],
        dtype: torch.dtype = torch.float32,
    ) -> Iterator[tuple[Batch, ...]]:
        """Batches for testing: the centre crop, or the ten crops of Krizhevsky 2012, one batch a crop.

        Ten are the four corners and the centre, each with its mirror image.

        Raises:
            ValueError: another number of crops, a crop that does not fit, or ten of images that mirroring
                turns into something else.
        """
        if crops not in (1, 10):
            raise ValueError(f"a test sees 1 crop of an image or 10, not {crops}")
        if crops == 10 and self.chiral:
            raise ValueError("mirror images of these show something else; a test sees 1 crop of an image")
        places = windows.ten_crops(self._far(side))[:crops]
        for chosen in rows.to(self.pixels.device).split(batch):
            labels, views = self.labels[chosen], []
            for top, left, mirrored in places:
                corner = [torch.full_like(chosen, place) for place in (top, left)]
                flags = torch.full_like(chosen, mirrored, dtype=torch.bool)
                images = self.crops(chosen, *corner, flags, side=side, scale=scale, dtype=dtype)
                views.append(Batch(images, labels, chosen))
            yield tuple(views)


def prefetched(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Batches on a device, the next one made ready in pinned memory while one is worked on.

    Batches that are there already, and those for a CPU, are handed on as they are.
    """
    if device.type != "cuda":
        yield from (batch.on(device) for batch in batches)
        return

    def ready() -> Batch | None:
        batch = next(batches, None)
        return batch.pinned() if batch is not None and batch.images.device.type == "cpu" else batch

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(ready)
        while (batch := coming.result()) is not None:
            coming = thread.submit(ready)
            yield batch.on(device)


def steps_taken(n: int, *, batch: int, epochs: int) -> int:
    """Steps that `Pixels.shuffled` gives in all epochs from the first.

    Args:
        n: images of a pass.
        batch: images a step, all processes together.
        epochs: how many.
    """
    return epochs * n // min(batch, n)
