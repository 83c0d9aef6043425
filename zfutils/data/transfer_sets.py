"""Target sets of chapter 9: what features learnt elsewhere are tried on.

Photographs are read in the layouts that torchvision's own classes read, squashed to one square like all
others. A picture of several classes has a row of `present`, for which average
precision is worked out class by class, and one label beside it, which a softmax is trained on.

BACKGROUND_Google and 257.clutter are left out: they are what a search engine gave for no class in particular,
and Zeiler & Fergus 2013, §5.2, do not say whether they count. Faces and Faces_easy, the same people with
surroundings and without, both stay, as in the papers that the table compares.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int8

from zfutils.data import photos
from zfutils.data.digests import digest
from zfutils.data.downloads import MissingData
from zfutils.data.listings import class_folders
from zfutils.data.parts.several import SeveralParts
from zfutils.data.photos import FileImages, Split
from zfutils.runtime.folders import data_folder

LEFT_OUT = ("BACKGROUND_Google", "clutter")  # pictures of no class
VOC = "VOCdevkit/VOC2012"
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car",
    "cat", "chair", "cow", "diningtable", "dog", "horse", "motorbike",
    "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
PRESENT, ABSENT, DIFFICULT = 1, 0, -1  # in `present`; a difficult picture is not scored for that class
_FLAGS = {"1": PRESENT, "-1": ABSENT, "0": DIFFICULT}  # as the official lists write them


class MultiLabelImages(FileImages):
    """Image files of several classes each.

    Args:
        root: the data folder.
        names: paths from `root`.
        present: int8 (n, classes): 1 present, 0 absent, -1 difficult, which is not scored for that class.
        classes: what they are called.
        size: side of the squashed square (pixels).
        left_out: names of files that are not used because they show none of the classes.

    `labels` is the first class that is present, or the first difficult one where there is nothing else.
    """

    def __init__(
        self,
        root: Path,
        names: Sequence[str],
        present: Int8[np.ndarray, "n classes"],
        classes: Sequence[str],
        *,
        size: int,
        left_out: Sequence[str] = (),
    ) -> None:
        shown = (present == PRESENT).any(1)
        labels = np.where(shown, (present == PRESENT).argmax(1), (present == DIFFICULT).argmax(1))
        super().__init__(root, names, labels, classes, size=size, left_out=left_out)
        self.present = np.asarray(present, dtype=np.int8)
        flags = digest(self.present.tobytes())
        self.identity |= {"source": "photos of several classes", "present": flags}


def caltech101(*, size: int, root: Path | None = None) -> FileImages:
    """The 101 classes of Caltech-101, without BACKGROUND_Google.

    Raises:
        MissingData: it is not there, or one of its classes is empty.
    """
    root = root or data_folder()
    inside = "caltech101/101_ObjectCategories"
    try:
        found = class_folders(root / inside)
    except FileNotFoundError as error:
        raise MissingData("caltech101", root / "caltech101", f"{inside}/CLASS/*.jpg; {error}") from None
    samples = [(f"{inside}/{path}", found.classes[k]) for path, k in found.samples]
    return _of_one_class(root, samples, size=size)


def caltech256(*, size: int, root: Path | None = None) -> FileImages:
    """The 256 classes of Caltech-256, without 257.clutter; `001.ak47` is called "ak47".

    Only files such as `001_0001.jpg` count, as for torchvision: the official archive holds some others.

    Raises:
        MissingData: it is not there, or one of its classes is empty.
    """
    root = root or data_folder()
    inside = "caltech256/256_ObjectCategories"
    layout = f"{inside}/001.ak47/001_0001.jpg and so on"
    folders = sorted(f for f in (root / inside).glob("[0-9][0-9][0-9].*") if f.is_dir())
    if not folders:
        raise MissingData("caltech256", root / "caltech256", layout)
    samples: list[tuple[str, str]] = []
    for folder in folders:
        number, kind = folder.name.split(".", 1)
        found = sorted(path.name for path in folder.glob(f"{number}_*.jpg"))
        if not found:
            reason = f"{layout}; the class {folder.name} is empty"
            raise MissingData("caltech256", root / "caltech256", reason)
        samples += [(f"{inside}/{folder.name}/{name}", kind) for name in found]
    return _of_one_class(root, samples, size=size)


def voc2012(split: Split, *, size: int, root: Path | None = None) -> MultiLabelImages:
    """One split of PASCAL VOC 2012's classification task, 20 classes.

    Args:
        split: "train" or "val"; the official test set has no published labels.
        size: side of the squashed square (pixels).
        root: the data folder, with `VOCdevkit/VOC2012/`; default as `data_folder`.

    Raises:
        MissingData: the folder, a list or a picture is not there, a list does not name the split's pictures,
            or a class stands in none of them.
    """
    root = root or data_folder()
    lists = root / VOC / "ImageSets" / "Main"
    names = [words[0] for words in _listed(root, lists / f"{split}.txt", words=1)]
    present = np.zeros((len(names), len(VOC_CLASSES)), dtype=np.int8)
    for k, kind in enumerate(VOC_CLASSES):
        path = lists / f"{kind}_{split}.txt"
        flags = {name: flag for name, flag in _listed(root, path, words=2)}
        if flags.keys() != set(names):
            odd = sorted(flags.keys() ^ set(names))[0]
            raise _missing_voc(root, f"{path.name} and {split}.txt do not name the same pictures: {odd}")
        if wrong := sorted(set(flags.values()) - set(_FLAGS)):
            raise _missing_voc(root, f"{path.name} says {wrong[0]!r}; it may say {', '.join(_FLAGS)}")
        present[:, k] = [_FLAGS[flags[name]] for name in names]
        if not (present[:, k] == PRESENT).any():
            raise _missing_voc(root, f"no picture of {split} shows the class {kind}")
    paths = np.array([f"{VOC}/JPEGImages/{name}.jpg" for name in names])
    for path in paths:
        if not (root / path).is_file():
            raise _missing_voc(root, f"the picture {Path(path).name} of {split}.txt is not there")
    shown = (present != ABSENT).any(1)
    left_out = paths[~shown].tolist()
    return MultiLabelImages(
        root, paths[shown].tolist(), present[shown], VOC_CLASSES, size=size, left_out=left_out
    )


def voc2012_whole(*, size: int, root: Path | None = None) -> MultiLabelImages:
    """Both splits of VOC 2012, the training pictures first; errors as `voc2012`."""
    train, val = (voc2012(split, size=size, root=root) for split in ("train", "val"))
    present = np.concatenate([train.present, val.present])
    left_out = (*train.left_out, *val.left_out)
    return MultiLabelImages(
        train.root, (*train.paths, *val.paths), present, train.classes, size=size, left_out=left_out
    )


def of_one_class(source: MultiLabelImages) -> FileImages:
    """Those pictures of a set of several classes that show one alone, labelled by it; none is difficult."""
    alone = ((source.present != ABSENT).sum(1) == 1) & (source.present == PRESENT).any(1)
    paths = [path for path, one in zip(source.paths, alone, strict=True) if one]
    return FileImages(source.root, paths, source.labels[alone], source.classes, size=source.size)


def presence(source: MultiLabelImages | SeveralParts, names: Sequence[str]) -> Int8[np.ndarray, "n classes"]:
    """Rows of `present` for pictures by name: a store may lack some of the source's, and moves others.

    Raises:
        ValueError: a name that the source lacks.
    """
    rows = {name: row for row, name in enumerate(source.names)}
    if unknown := [name for name in names if name not in rows]:
        raise ValueError(f"{unknown[0]} is none of this source's {len(rows)} pictures")
    return source.present[[rows[name] for name in names]]


def _of_one_class(root: Path, samples: Sequence[tuple[str, str]], *, size: int) -> FileImages:
    """Files with the names of their classes, without `LEFT_OUT` and those whose bytes stand under two."""
    classes = [kind for kind in dict.fromkeys(kind for _, kind in samples) if kind not in LEFT_OUT]
    labelled = [(name, classes.index(kind)) for name, kind in samples if kind not in LEFT_OUT]
    left_out = photos.conflicting(root, labelled)
    kept = [(name, label) for name, label in labelled if name not in left_out]
    names, labels = [name for name, _ in kept], [label for _, label in kept]
    return FileImages(root, names, labels, classes, size=size, left_out=sorted(left_out))


def _missing_voc(root: Path, reason: str) -> MissingData:
    layout = f"{VOC}/{{Annotations,ImageSets/Main,JPEGImages}}"
    return MissingData(VOC, root / VOC, f"{layout}; {reason}")


def _listed(root: Path, path: Path, *, words: Literal[1, 2]) -> list[list[str]]:
    """The lines of one of VOC's lists, word by word."""
    if not path.is_file():
        raise _missing_voc(root, f"ImageSets/Main/{path.name} is not there")
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    if not lines or any(len(line) != words for line in lines):
        raise _missing_voc(root, f"{path.name} needs lines of {words} words, and at least one")
    return lines
