"""Builds a store of pixels from any image source: a uint8 memory map, filled once.

A store is a folder with `pixels.npy` (n, size, size, channels), `labels.npy`, `mean.npy` (the per-pixel
mean) and `store.json`, which is written last: a folder without it is half built and goes on where it
stopped.
"""

import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from filelock import FileLock

from zfutils.data import ImageSource, UndecodableImage
from zfutils.data.listings import counted
from zfutils.data.pixels import Pixels
from zfutils.runtime.files import write_json
from zfutils.runtime.parallel import cores, side_by_side
from zfutils.runtime.ranks import in_turn

CHUNK = 256  # images that are built, or set right after an interruption, together
# Images that cannot be decoded are set aside, up to the larger of these many and of this share of all; of a
# class up to one, or this share, and never all.
FEW, SHARE, CLASS_SHARE = 20, 0.001, 0.05


@dataclass(frozen=True)
class Store:
    """A store that may not be built yet: what fixes its pixels is known before they are there."""

    source: ImageSource
    folder: Path
    centred_as: Self | None = None  # the store whose mean centres these images; None: its own

    @property
    def identity(self) -> dict[str, Any]:
        """As that of the pixels."""
        return _plain(self.source)

    def __len__(self) -> int:
        return len(self.source)

    def opened(self) -> Pixels:
        """The pixels, built where they are not there yet."""
        own = build(self.source, self.folder)
        return own if self.centred_as is None else own.centred_by(self.centred_as.opened().mean)


def build(source: ImageSource, folder: Path, *, workers: int | None = None, progress: bool = True) -> Pixels:
    """The store of a source: opened where it is complete and the same, built or completed otherwise.

    Of several ranks the first builds it, and the others wait.

    Args:
        source: images with labels.
        folder: where the store lies; its own folder.
        workers: processes that decode or draw; default one a core.
        progress: print a line now and then.

    Raises:
        ValueError: too many images cannot be decoded, of all or of a class; names them.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with in_turn(), FileLock(folder.with_suffix(".lock")):
        return _build(source, folder, workers or cores(), progress)


def _build(source: ImageSource, folder: Path, workers: int, progress: bool) -> Pixels:
    wanted = _plain(source)
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
        _reserve(folder / "pixels.npy")
        np.save(folder / "labels.npy", source.labels)
        write_json(wanted, plan)
    chunks = range(-(-len(source) // CHUNK))
    todo = [c for c in chunks if not (folder / f"chunk-{c}.json").is_file()]
    filled = side_by_side(partial(_fill, source, folder), todo, workers=min(workers, max(len(todo) // 2, 1)))
    for done, _ in enumerate(filled, start=len(chunks) - len(todo) + 1):
        if progress and (done % 16 == 0 or done == len(chunks)):
            print(f"{folder.name}: {min(done * CHUNK, len(source)):,} of {len(source):,} images", flush=True)
    bad = {i: r for c in chunks for i, r in json.loads((folder / f"chunk-{c}.json").read_text()).items()}
    unreadable = [f"{source.names[int(i)]}: {reason}" for i, reason in bad.items()]
    if excess := _too_many(source, [int(i) for i in bad]):
        shutil.rmtree(folder)
        raise ValueError(
            f"{excess}: {'; '.join(unreadable[:5])}{' …' * (len(bad) > 5)}. Replace or remove them"
        )
    passed_over = getattr(source, "passed_over", {})
    if progress and unreadable:
        print(f"{folder.name}: {len(bad)} images set aside that cannot be decoded: {'; '.join(unreadable)}")
    if progress and passed_over:
        print(f"{folder.name}: files passed over because of their ending: {counted(passed_over)}")
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
        "passed_over": dict(passed_over),
        "chiral": getattr(source, "chiral", False),
    }
    write_json(record, folder / "store.json")
    for chunk in chunks:
        (folder / f"chunk-{chunk}.json").unlink()
    return Pixels.open(folder)


def _reserve(path: Path) -> None:
    """Take the space of a file that is all holes yet: a disk that fills up later kills who writes to its map.

    Raises:
        OSError: there is no room for it; says how much it takes.
    """
    size = path.stat().st_size
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):  # this file system cannot say
                return
            path.unlink()
            raise OSError(
                error.errno, f"{error.strerror}; {size / 1e6:,.1f} MB are needed", str(path)
            ) from None


def _too_many(source: ImageSource, bad: Sequence[int]) -> str | None:
    """Why so many images are more than can be set aside; None where they are not."""
    allowed = max(FEW, int(SHARE * len(source)))
    if len(bad) > allowed:
        return f"{len(bad)} of {len(source):,} images cannot be decoded, more than {allowed}"
    sizes = np.bincount(source.labels, minlength=len(source.classes))
    if len(sizes) == 1:  # nothing is to be learnt of classes
        return None
    for label, n in Counter(source.labels[bad].tolist()).items():
        size = int(sizes[label])
        if n > (allowed := min(max(1, int(CLASS_SHARE * size)), size - 1)):
            kind = source.classes[label]
            return f"{n} of {size:,} images of the class {kind} cannot be decoded, more than {allowed}"
    return None


def _plain(source: ImageSource) -> dict[str, Any]:
    """A source's identity as it comes back from a file."""
    return json.loads(json.dumps(dict(source.identity)))


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
    write_json(bad, folder / f"chunk-{chunk}.json")


def _closed_up(n: int, bad: Sequence[int]) -> np.ndarray:
    """Which image stands in each place once the last good ones stand in the places of the bad."""
    rows = np.arange(n - len(bad))
    good = np.setdiff1d(np.arange(len(rows), n), bad)
    rows[[i for i in bad if i < len(rows)]] = good
    return rows
