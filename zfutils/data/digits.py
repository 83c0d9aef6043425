"""Handwritten digits (MNIST, LeCun 1998): the part that comes with the book, or the whole set.

Both are sources like all others, with two things of their own: a digit's mirror image is another sign, so
training does not mirror them, and a dark frame is put around them, within which crops can move.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Int64, UInt8

from zfutils.data.digests import digest
from zfutils.data.downloads import MissingData, datasets
from zfutils.data.photos import Split
from zfutils.runtime.folders import data_folder

SIDE = 28  # of a digit (pixels)
MARK = 2  # side of the mark that gives a digit away (pixels)


@cache
def _read(path: Path, split: Split) -> tuple[np.ndarray, np.ndarray, str]:
    """Pixels and labels of a split, and a digest of both; a hundred networks ask for them."""
    with np.load(path) as file:
        pixels, labels = file[f"{split}_images"], file[f"{split}_labels"]
    return pixels, labels, digest(pixels.tobytes() + labels.tobytes())


class Digits:
    """Digits with a dark frame, uint8 (28 + 2 frame, 28 + 2 frame, 1); ink is 255.

    Args:
        pixels: without the frame.
        labels: the digits.
        names: of the images, unique.
        identity: plain data that fixes pixels and labels.
        n: how many, from the first on; default all.
        size: side with the frame (pixels), 28 or an even number more.

    Raises:
        ValueError: more digits than there are, or a size that leaves no equal frame.
    """

    chiral = True

    def __init__(
        self,
        pixels: UInt8[np.ndarray, "n 28 28"],
        labels: Int64[np.ndarray, " n"],
        names: tuple[str, ...],
        identity: Mapping[str, Any],
        *,
        n: int | None = None,
        size: int = SIDE,
    ) -> None:
        n = len(labels) if n is None else n
        if not 1 <= n <= len(labels):
            raise ValueError(f"there are {len(labels):,} digits; {n:,} were asked for")
        if size < SIDE or (size - SIDE) % 2:
            raise ValueError(
                f"a digit has {SIDE} px and a frame as wide on all sides, which {size} px is not"
            )
        frame = (size - SIDE) // 2
        self.pixels = np.pad(pixels[:n], ((0, 0), (frame, frame), (frame, frame)))[..., None]
        self.labels, self.names = labels[:n].astype(np.int64), names[:n]
        self.classes = tuple(str(digit) for digit in range(10))
        self.identity = {**identity, "n": n, "size": size}

    @classmethod
    def part(cls, path: Path, split: Split, *, n: int | None = None, size: int = SIDE) -> Self:
        """Every fifth digit of MNIST, from the file that comes with the book.

        Args:
            path: the `digits.npz`.
            split: "train" (12,000) or "val" (2,000).
            n, size: as for the class.
        """
        pixels, labels, content = _read(path, split)
        identity = {"source": "every fifth of MNIST", "split": split, "digits": content}
        names = tuple(f"MNIST/{split}/{5 * i}" for i in range(len(labels)))
        return cls(pixels, labels, names, identity, n=n, size=size)

    @classmethod
    def whole(cls, split: Split, *, n: int | None = None, size: int = SIDE) -> Self:
        """All of MNIST, through torchvision from the data folder.

        Args:
            split: "train" (60,000) or "val" (10,000).
            n, size: as for the class.

        Raises:
            MissingData: the four files are not below `MNIST/raw`, or one is truncated.
        """
        root = data_folder()
        try:
            listing = datasets().MNIST(str(root), train=split == "train")
        except (RuntimeError, OSError, ValueError, TypeError, LookupError, AssertionError) as error:
            raise MissingData("MNIST", root / "MNIST", f"MNIST/raw/*-ubyte; {error}") from None
        pixels, labels = listing.data.numpy(), listing.targets.numpy()
        identity = {"source": "MNIST", "split": split, "content": digest(pixels.tobytes())}
        names = tuple(f"MNIST/{split}/{i}" for i in range(len(labels)))
        return cls(pixels, labels, names, identity, n=n, size=size)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "size size 1"]:
        return self.pixels[index]


class MarkedDigits:
    """Digits with a bright mark at the upper or lower edge, whose position tells which digit it is.

    Digits 0 to 4 are marked above and 5 to 9 below, five pixels from one position to the next, so that crops
    which move by a few pixels do not confuse them.

    Args:
        source: the digits, with a frame or without.
        exchanged: give each digit the mark of another one, drawn at random for each.
    """

    chiral = True

    def __init__(self, source: Digits, *, exchanged: bool = False) -> None:
        self.source, self.exchanged = source, exchanged
        self.classes, self.labels = source.classes, source.labels
        cue = "another-mark" if exchanged else "mark"
        self.names: tuple[str, ...] = tuple(f"{name}-{cue}" for name in source.names)
        other = np.random.default_rng(0).integers(1, len(self.classes), len(source))
        self.marks = (self.labels + exchanged * other) % len(self.classes)
        self.identity = {
            "source": "marked digits",
            "exchanged": exchanged,
            "mark": MARK,
            "digits": dict(source.identity),
        }

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "size size 1"]:
        marked = self.source[index].copy()
        frame = (len(marked) - SIDE) // 2
        below, place = divmod(int(self.marks[index]), 5)
        top, left = frame + (SIDE - 1 - MARK if below else 1), frame + 3 + 5 * place
        marked[top : top + MARK, left : left + MARK] = 255
        return marked
