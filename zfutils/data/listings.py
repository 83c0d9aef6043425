"""What lies in a folder of pictures: classes, files, and what is passed over.

A set has `train/CLASS/…` and `val/CLASS/…`, or classes alone, which are then split by what their files hold.
Names with a dot in front and the folders that systems leave behind are neither classes nor pictures.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from zfutils.data import tiny_imagenet
from zfutils.data.decoding import printable
from zfutils.data.digests import digests
from zfutils.data.downloads import MissingData, datasets

ENDINGS = (
    ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
LEFT_BEHIND = ("@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")
SPLITS = ("train", "val")
META = "meta.bin"  # names of the classes of ImageNet, which torchvision writes as it unpacks the archives
VALIDATION_SHARE = 0.2  # of each class, where a set has no splits of its own


class Listing(NamedTuple):
    """One split of a set, or a folder of classes."""

    classes: Sequence[str]  # as they are called
    samples: Sequence[tuple[str, int]]  # path below the folder, index of its class
    passed_over: Mapping[str, int] = {}  # by ending, files that are no pictures


def class_folders(folder: Path) -> Listing:
    """The classes of a folder, one folder each, with all pictures below them, in order of their names.

    Folders whose names differ only in how their letters are composed (é) are one class.

    Raises:
        FileNotFoundError: no class, or one without a picture; names it.
    """
    found = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not _hidden(entry.name))
    if not found:
        raise FileNotFoundError(f"{folder.name}/ holds no class folder")
    names = [unicodedata.normalize("NFC", printable(name)) for name in found]
    classes = list(dict.fromkeys(names))
    samples: list[tuple[str, int]] = []
    passed_over = Counter[str]()
    for name, kind in zip(found, names, strict=True):
        pictures, others = _pictures(folder / name, f"the class {kind}")
        samples += [(f"{name}/{path}", classes.index(kind)) for path in pictures]
        passed_over += others
    return Listing(classes, samples, dict(passed_over))


def pictures_below(folder: Path) -> Listing:
    """All pictures below a folder, whatever folders they are in, in order of their paths, as one class.

    Raises:
        FileNotFoundError: a folder without a picture; says what else it holds.
    """
    pictures, others = _pictures(folder, str(folder))
    return Listing(("",), [(path, 0) for path in pictures], dict(others))


def _pictures(folder: Path, called: str) -> tuple[list[str], Counter[str]]:
    """The pictures below a folder, and how many other files there are, by ending."""
    files = [(path, os.path.splitext(path)[1].lower()) for path in _files(folder)]
    pictures = [path for path, ending in files if ending in ENDINGS]
    others = Counter(ending or "without an ending" for _, ending in files if ending not in ENDINGS)
    if not pictures:
        only = f", but {counted(others)}" if others else ""
        raise FileNotFoundError(f"{called} holds no picture ({', '.join(ENDINGS)}){only}")
    return pictures, others


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in LEFT_BEHIND


def counted(passed_over: Mapping[str, int]) -> str:
    """Files that were passed over, by ending, in words."""
    return ", ".join(f"{n:,} {ending}" for ending, n in sorted(passed_over.items()))


def _files(folder: Path) -> Iterator[str]:
    """Paths of files below a folder; links are followed, but none to where it is in or was before."""
    entered = {(s.st_dev, s.st_ino) for s in map(os.stat, folder.resolve().parents)}
    found = []
    for here, inner, files in os.walk(folder, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in entered:
            inner.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        inner[:] = [name for name in inner if not _hidden(name)]
        found.append((here, sorted(name for name in files if not _hidden(name))))
    for here, files in sorted(found):
        below = os.path.relpath(here, folder)
        yield from (name if below == "." else f"{below}/{name}" for name in files)


def splits(root: Path, name: str) -> dict[str, Listing]:
    """Both splits of a set, "train" and "val", with the same classes; paths are from the set's folder.

    Args:
        root: the data folder.
        name: of the set below it.

    Raises:
        MissingData: the set or a split is not there, or a class is empty or stands in one split alone.
    """
    folder = root / name
    layout = (
        f"{folder.name}/train/CLASS/*.JPEG and {folder.name}/val/CLASS/*.JPEG, or {folder.name}/CLASS/*.JPEG"
    )
    try:
        if tiny_imagenet.is_layout(folder):
            classes, found = tiny_imagenet.splits(folder)
            return {part: Listing(classes, samples) for part, samples in found.items()}
        there = [part for part in SPLITS if (folder / part).is_dir()]
        if not there and folder.is_dir():
            return _split_by_content(root, name)
        if len(there) < len(SPLITS):
            raise MissingData(name, folder, layout)
        listings = {part: class_folders(folder / part) for part in SPLITS}
    except MissingData:
        raise
    except (OSError, ValueError) as error:
        raise MissingData(name, folder, f"{layout}; {error}") from None
    train, val = listings["train"], listings["val"]
    if lacking := sorted(set(train.classes) ^ set(val.classes)):
        raise MissingData(name, folder, f"{layout}; the class {lacking[0]} stands in one split alone")
    called = imagenet_names(folder, train.classes)
    below = {part: [(f"{part}/{path}", k) for path, k in one.samples] for part, one in listings.items()}
    return {part: Listing(called, below[part], one.passed_over) for part, one in listings.items()}


def imagenet_names(folder: Path, numbers: Sequence[str]) -> Sequence[str]:
    """Classes of ImageNet by the first of their names, all different; by their numbers where none are known.

    Args:
        folder: of the set, in torchvision's layout.
        numbers: the classes as their folders are called, "n01440764" and so on.
    """
    if not (folder / META).is_file():
        return numbers
    known, _ = datasets().imagenet.load_meta_file(folder)  # tensors and plain data alone are read
    first = {number: known[number][0] if number in known else number for number in numbers}
    often = Counter(first.values())  # two are called "crane"
    return [name if often[name] == 1 else f"{name} ({number})" for number, name in first.items()]


def _split_by_content(root: Path, name: str) -> dict[str, Listing]:
    """A set without splits: of each class those files validate whose digests come first.

    So copies of a file stand on one side, and a file that is added moves at most one other.
    """
    whole = class_folders(root / name)
    known = digests(root, [f"{name}/{path}" for path, _ in whole.samples])
    of_class: dict[int, set[str]] = {}
    for (_, label), digest in zip(whole.samples, known, strict=True):
        of_class.setdefault(label, set()).add(digest)
    first = set()
    for label, different in of_class.items():
        if len(different) < 2:
            raise ValueError(f"the class {whole.classes[label]} holds one picture; two are the least")
        n = max(1, round(VALIDATION_SHARE * len(different)))
        first |= {(label, digest) for digest in sorted(different)[:n]}
    parts: dict[str, list[tuple[str, int]]] = {part: [] for part in SPLITS}
    for sample, digest in zip(whole.samples, known, strict=True):
        parts["val" if (sample[1], digest) in first else "train"].append(sample)
    return {
        "train": whole._replace(samples=parts["train"]),
        "val": Listing(whole.classes, parts["val"]),
    }
