"""The one road from any image source to the device: a uint8 memory map, built once.

A store is a folder with `pixels.npy` (n, size, size, channels), `labels.npy`, `mean.npy` (the per-pixel
mean) and `store.json`, which is written last: a folder without it is half built and goes on where it
stopped. Training reads the map directly; crops, mirror images and centring happen on the device, and which
crop an image gets depends on (seed, epoch, image) alone, whatever the batch size or the number of devices.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Float, Int64, UInt8
from joblib import Parallel, delayed
from torch import Tensor

from zfutils.images import ImageSource, UndecodableImage, windows

CHUNK = 256  # images that are built, or set right after an interruption, together
UNDECODABLE_ALLOWED = 0.001  # of all images


def build(
    source: ImageSource, folder: Path, *, workers: int | None = None, progress: bool = True
) -> "Pixels":
    """The store of a source: opened where it is complete and the same, built or completed otherwise.

    Args:
        source: images with labels.
        folder: where the store lies; its own folder.
        workers: processes that decode or draw; default one a core.
        progress: print a line now and then.

    Raises:
        ValueError: more than 0.1 % of the images cannot be decoded; names them.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        return _build(source, folder, workers or os.cpu_count() or 1, progress)


def _build(source: ImageSource, folder: Path, workers: int, progress: bool) -> "Pixels":
    wanted = json.loads(json.dumps(dict(source.identity)))
    if (folder / "store.json").is_file() and json.loads((folder / "store.json").read_text())[
        "identity"
    ] == wanted:
        return Pixels.open(folder)
    plan = folder / "plan.json"
    if not (plan.is_file() and json.loads(plan.read_text()) == wanted):
        for part in ("store.json", "plan.json"):  # first, so that what is left of another store is never read
            (folder / part).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shape = (len(source), *source[_first(source)].shape)
        np.lib.format.open_memmap(folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=shape).flush()
        np.save(folder / "labels.npy", source.labels)
        _write_json(wanted, plan)
    chunks = range(-(-len(source) // CHUNK))
    todo = [c for c in chunks if not (folder / f"chunk-{c}.json").is_file()]
    jobs = Parallel(n_jobs=min(workers, max(len(todo) // 2, 1)), return_as="generator_unordered")
    for done, _ in enumerate(
        jobs(delayed(_fill)(source, folder, c) for c in todo), start=len(chunks) - len(todo) + 1
    ):
        if progress and (done % 16 == 0 or done == len(chunks)):
            print(f"{folder.name}: {min(done * CHUNK, len(source)):,} of {len(source):,} images", flush=True)
    bad = {i: r for c in chunks for i, r in json.loads((folder / f"chunk-{c}.json").read_text()).items()}
    unreadable = [f"{source.names[int(i)]}: {reason}" for i, reason in bad.items()]
    if len(bad) > UNDECODABLE_ALLOWED * len(source):
        shutil.rmtree(folder)
        raise ValueError(
            f"{len(bad)} of {len(source):,} images cannot be decoded, more than {UNDECODABLE_ALLOWED:.1%}: "
            + "; ".join(unreadable[:5])
            + (" …" if len(bad) > 5 else "")
        )
    rows = _closed_up(len(source), sorted(int(i) for i in bad))
    np.save(folder / "rows.npy", rows)
    pixels = np.load(folder / "pixels.npy", mmap_mode="r+")
    for place in np.flatnonzero(rows != np.arange(len(rows))):
        pixels[place] = pixels[rows[place]]
    pixels.flush()
    used = pixels[: len(rows)]
    total = sum(used[i : i + CHUNK].sum(0, dtype=np.int64) for i in range(0, len(rows), CHUNK))
    np.save(folder / "mean.npy", (total / len(rows)).astype(np.float32))
    record = {
        "identity": wanted,
        "classes": list(source.classes),
        "names": [source.names[i] for i in rows],
        "undecodable": unreadable,
        "left_out": list(getattr(source, "left_out", ())),
    }
    _write_json(record, folder / "store.json")
    for chunk in chunks:
        (folder / f"chunk-{chunk}.json").unlink()
    return Pixels.open(folder)


def _first(source: ImageSource) -> int:
    """The first image that can be decoded; it gives the shape of all."""
    for index in range(len(source)):
        try:
            source[index]
        except UndecodableImage:
            continue
        return index
    raise ValueError(f"none of the {len(source)} images can be decoded")


def _fill(source: ImageSource, folder: Path, chunk: int) -> None:
    """Write one chunk into the map, then say so; what cannot be decoded is noted by index."""
    pixels = np.load(folder / "pixels.npy", mmap_mode="r+")
    bad: dict[int, str] = {}
    for index in range(chunk * CHUNK, min((chunk + 1) * CHUNK, len(source))):
        try:
            pixels[index] = source[index]
        except UndecodableImage as error:
            bad[index] = error.reason
    pixels.flush()
    _write_json(bad, folder / f"chunk-{chunk}.json")


def _write_json(data: Any, path: Path) -> None:
    """Write plain data beside its place, then rename."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(data))
    beside.replace(path)


def _closed_up(n: int, bad: Sequence[int]) -> np.ndarray:
    """Which image stands in each place once the last good ones stand in the places of the bad."""
    rows = np.arange(n - len(bad))
    good = np.setdiff1d(np.arange(len(rows), n), bad)
    rows[[i for i in bad if i < len(rows)]] = good
    return rows


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


def mixed(*numbers: int) -> int:
    """One seed from several numbers; near numbers give unrelated seeds."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
