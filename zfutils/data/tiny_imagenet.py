"""Tiny-ImageNet's own layout: 200 classes of ImageNet at 64 px, with a box around each picture's object.

    tiny-imagenet-200/wnids.txt, words.txt
    tiny-imagenet-200/train/n01443537/images/n01443537_0.JPEG, …/n01443537_boxes.txt
    tiny-imagenet-200/val/images/val_0.JPEG, val/val_annotations.txt

The test split has no labels and is left aside. Source: Stanford's course CS231n, 2015; 100,000 training and
10,000 validation pictures.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

NAME = "tiny-imagenet-200"
SIDE = 64  # of a picture as it is published (pixels)


class _Line(NamedTuple):
    """What the lists say of one picture."""

    path: str  # from the set's folder
    wnid: str
    box: tuple[int, int, int, int]  # left, top, right, bottom; the last two belong to it


def is_layout(folder: Path) -> bool:
    """Whether a folder is laid out as Tiny-ImageNet is."""
    return (folder / "wnids.txt").is_file()


def splits(folder: Path) -> tuple[list[str], dict[str, list[tuple[str, int]]]]:
    """The classes in words and, for "train" and "val", each picture's path and the index of its class.

    Args:
        folder: the set's, from which paths begin.

    Raises:
        FileNotFoundError: a list, a class or a picture of a list is not there; names it.
        ValueError: a line of a list cannot be read; names list and line.
    """
    wnids = sorted((folder / "wnids.txt").read_text().split())
    words = dict(_read(folder / "words.txt", 2))
    if unnamed := [wnid for wnid in wnids if wnid not in words]:
        raise ValueError(f"words.txt has no words for {unnamed[0]}, which wnids.txt lists")
    first = [words[wnid].split(",")[0] for wnid in wnids]
    classes = [words[w] if first.count(name) > 1 else name for w, name in zip(wnids, first, strict=True)]
    index = {wnid: k for k, wnid in enumerate(wnids)}
    found = {}
    for part in ("train", "val"):
        lines = list(_lines(folder, part, wnids))
        there = {str(path.relative_to(folder)) for path in (folder / part).rglob("*.JPEG")}
        if lacking := sorted({line.path for line in lines} - there):
            raise FileNotFoundError(f"{lacking[0]} is listed and not there")
        if unknown := sorted({line.wnid for line in lines} - set(wnids)):
            raise ValueError(f"{part} has pictures of {unknown[0]}, which wnids.txt does not list")
        found[part] = sorted((line.path, index[line.wnid]) for line in lines)
    return classes, found


def boxes(root: Path, names: Sequence[str]) -> Int64[np.ndarray, "n 4"]:
    """The box around the object of each picture: left, top, right, bottom (pixels of 64, all inside it).

    Args:
        root: the data folder.
        names: paths from it, as the set's pictures are called.

    Raises:
        ValueError: a name that is none of the set's.
    """
    folder = root / NAME
    wnids = (folder / "wnids.txt").read_text().split()
    parts = {name.split("/")[1] for name in names if name.count("/") > 1} & {"train", "val"}
    known = {f"{NAME}/{line.path}": line.box for part in parts for line in _lines(folder, part, wnids)}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{unknown[0]} is no picture of {NAME}")
    return np.array([known[name] for name in names], dtype=np.int64).reshape(-1, 4)


def touched(
    box: Int64[np.ndarray, "4"] | Sequence[int], size: int, *, side: int | None = None
) -> tuple[slice, slice]:
    """Rows and columns that a box touches of its picture at another size, or of the crop at its centre.

    Args:
        box: as `boxes` gives it.
        size: side of the picture (pixels).
        side: of the crop (pixels); default the whole.
    """
    left, top, right, bottom = (int(edge) for edge in box)
    side = size if side is None else side
    first = (size - side) // 2

    def along(low: int, high: int) -> slice:
        ends = low * size // SIDE - first, -(-(high + 1) * size // SIDE) - first
        return slice(*(min(max(end, 0), side) for end in ends))

    return along(top, bottom), along(left, right)


def box_masks(boxes: Int64[np.ndarray, "n 4"], size: int, *, side: int) -> Bool[np.ndarray, "n side side"]:
    """Where the boxes of pictures are in the crops at their centres.

    Args:
        boxes: as `boxes` gives them.
        size: side of the pictures (pixels).
        side: of the crops (pixels).
    """
    masks = np.zeros((len(boxes), side, side), dtype=bool)
    for mask, box in zip(masks, boxes, strict=True):
        mask[touched(box, size, side=side)] = True
    return masks


def _lines(folder: Path, part: str, wnids: Sequence[str]) -> Iterator[_Line]:
    """What the lists of a split say."""
    if part == "val":
        for name, wnid, *box in _read(folder / "val" / "val_annotations.txt", 6):
            yield _Line(f"val/images/{name}", wnid, tuple(map(int, box)))
        return
    for wnid in wnids:
        for name, *box in _read(folder / "train" / wnid / f"{wnid}_boxes.txt", 5):
            yield _Line(f"train/{wnid}/images/{name}", wnid, tuple(map(int, box)))


def _read(path: Path, columns: int) -> Iterator[list[str]]:
    """The lines of a list, column by column."""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        found = line.strip().split("\t")
        if len(found) != columns or not all(word.isdecimal() for word in found[-4:] if columns > 4):
            raise ValueError(f"{path.name}, line {number}: expected {columns} columns, came {line[:60]!r}")
        yield found
