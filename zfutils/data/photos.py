"""Photographs, in the layouts that torchvision's own data set classes read.

Everything lies below the folder that `ZFUTILS_DATA` names. Every image is squashed to one square before
anything else, so that neither shape nor aspect can give a data set away; byte-identical files with different
labels are left out and listed.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from zfutils.data.decoding import Fit, decode, printable
from zfutils.data.digests import digest, digests
from zfutils.data.listings import splits
from zfutils.runtime.folders import data_folder

WORDNET = {
    "n01440764": "tench", "n02102040": "English springer", "n02979186": "cassette player",
    "n03000684": "chain saw", "n03028079": "church", "n03394916": "French horn",
    "n03417042": "garbage truck", "n03425413": "gas pump", "n03445777": "golf ball",
    "n03888257": "parachute", "n02086240": "Shih-Tzu", "n02087394": "Rhodesian ridgeback",
    "n02088364": "beagle", "n02089973": "English foxhound", "n02093754": "Border terrier",
    "n02096294": "Australian terrier", "n02099601": "golden retriever",
    "n02105641": "Old English sheepdog", "n02111889": "Samoyed", "n02115641": "dingo",
}  # fmt: skip

Split = Literal["train", "val"]
EMPTY = digest(b"")


class FileImages:
    """Image files below a folder, squashed to a square (`fitted`: or cropped), with labels.

    Args:
        root: the data folder.
        paths: of the files, from `root`; `names` are the same, as text that can be printed.
        labels: int64 (n,), index into `classes`.
        classes: what the labels are called.
        size: side of the squashed square (pixels).
        left_out: paths of files that are not used because their bytes stand under two classes.
        passed_over: how many files beside them are no pictures, by ending.
    """

    fit: Fit = "squash"

    def __init__(
        self,
        root: Path,
        paths: Sequence[str],
        labels: Sequence[int],
        classes: Sequence[str],
        *,
        size: int,
        left_out: Sequence[str] = (),
        passed_over: Mapping[str, int] | None = None,
    ) -> None:
        self.root, self.size, self.paths, self.classes = root, size, tuple(paths), tuple(classes)
        self.names, self.left_out = tuple(map(printable, paths)), tuple(map(printable, left_out))
        self.passed_over = dict(passed_over or {})
        self.labels = np.array(labels, dtype=np.int64)
        contents = "".join(digests(root, self.paths))
        self.identity: dict[str, Any] = {
            "source": "photos",
            "size": size,
            "names": digest(os.fsencode("\n".join(self.paths))),
            "content": digest(contents.encode(errors="surrogateescape")),
        }

    def first_of_each(self, n: int) -> Self:
        """The first photographs of each class, as many of each.

        Args:
            n: of all classes together.

        Raises:
            ValueError: a number that cannot be shared out equally, or more than a class has.
        """
        each, rest = divmod(n, len(self.classes))
        fewest = int(np.bincount(self.labels, minlength=len(self.classes)).min())
        if rest or not 1 <= each <= fewest:
            raise ValueError(
                f"{n:,} photographs were asked for; {len(self.classes)} classes can give equally many each, "
                f"from 1 to {fewest}"
            )
        rows = np.sort(np.concatenate([np.flatnonzero(self.labels == k)[:each] for k in set(self.labels)]))
        paths, labels = [self.paths[row] for row in rows], self.labels[rows].tolist()
        beside = {"left_out": self.left_out, "passed_over": self.passed_over}
        return type(self)(self.root, paths, labels, self.classes, size=self.size, **beside)

    def fitted(self, fit: Fit) -> Self:
        """The same files, squashed or cropped to the square."""
        if fit == self.fit:
            return self
        other = copy(self)
        other.fit, other.identity = fit, {key: v for key, v in self.identity.items() if key != "fit"}
        if fit != "squash":
            other.identity["fit"] = fit
        return other

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        return decode(self.root / self.paths[index], self.size, name=self.names[index], fit=self.fit)


def folders(
    sets: Sequence[str],
    split: Split,
    *,
    size: int,
    root: Path | None = None,
    per_class: int | None = None,
    first_classes: int | None = None,
) -> FileImages:
    """One split of one or more sets in ImageFolder's layout or in Tiny-ImageNet's, as one set of classes.

    Args:
        sets: different folders below the data folder, each with `train/` and `val/`, or with classes alone
            (`listings`). Classes of the same name are one class.
        split: "train" or "val".
        size: side of the squashed square (pixels).
        root: the data folder; default as `data_folder`.
        per_class: take at most this many images of each class, the first by name.
        first_classes: take this many classes alone, the first in the order of the sets.

    Raises:
        ValueError: more classes than there are, or all pictures of one stand under another class too.
        MissingData: a set or split is not there, or a class is empty or stands in one split alone.
    """
    root = root or data_folder()
    changed = tuple(_changed(root / name) for name in sets)
    listed = _listed(root, tuple(sets), first_classes, changed)
    paths: list[str] = []
    labels: list[int] = []
    taken = Counter[int]()
    for path, label in listed.samples[split]:
        if path not in listed.left_out and (per_class is None or taken[label] < per_class):
            taken[label] += 1
            paths.append(path)
            labels.append(label)
    if gone := [kind for label, kind in enumerate(listed.classes) if not taken[label]]:
        raise ValueError(f"every picture of {gone[0]} in {split} stands under another class too")
    beside = {"left_out": sorted(listed.left_out), "passed_over": listed.passed_over[split]}
    return FileImages(root, paths, labels, listed.classes, size=size, **beside)


def _changed(folder: Path, below: int = 3) -> int:
    """When a file was last put into a set or taken away (ns); pictures lie three levels below at most."""
    if not folder.is_dir():
        return 0
    inner = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir()] if below else []
    return max([folder.stat().st_mtime_ns, *(_changed(path, below - 1) for path in inner)])


class _Listed(NamedTuple):
    """The files of some sets together."""

    samples: Mapping[str, list[tuple[str, int]]]  # by split: path from the data folder, label
    classes: list[str]
    left_out: set[str]  # of both splits
    passed_over: Mapping[str, Mapping[str, int]]  # by split


@lru_cache(maxsize=8)
def _listed(
    root: Path, sets: tuple[str, ...], first_classes: int | None, changed: tuple[int, ...]
) -> _Listed:
    """What is in some sets; read once, since it takes seconds.

    Args:
        root, sets, first_classes: as `folders` takes them.
        changed: when the sets last changed, so that it is read again then.
    """
    samples: dict[str, list[tuple[str, int]]] = {"train": [], "val": []}
    passed_over = {part: Counter[str]() for part in samples}
    classes: list[str] = []
    for name in sets:
        for part, listing in splits(root, name).items():
            called = [WORDNET.get(kind, kind) for kind in listing.classes]
            classes += [kind for kind in dict.fromkeys(called) if kind not in classes]
            labels = [classes.index(kind) for kind in called]
            samples[part] += [(f"{name}/{path}", labels[k]) for path, k in listing.samples]
            passed_over[part] += Counter(listing.passed_over)
    if first_classes is not None:
        if not 2 <= first_classes <= len(classes):
            raise ValueError(
                f"first_classes is {first_classes}; {', '.join(sets)} have {len(classes)} classes"
            )
        classes = classes[:first_classes]
        samples = {part: [one for one in rows if one[1] < first_classes] for part, rows in samples.items()}
    left_out = conflicting(root, samples["train"] + samples["val"])
    return _Listed(samples, classes, left_out, passed_over)


def conflicting(root: Path, samples: Sequence[tuple[str, int]]) -> set[str]:
    """Paths of files with the same bytes and different labels; empty ones are no pictures of anything."""
    groups: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for sample, content in zip(samples, digests(root, [path for path, _ in samples]), strict=True):
        groups[content].append(sample)
    groups.pop(EMPTY, None)
    conflicts = [group for group in groups.values() if len({label for _, label in group}) > 1]
    return {path for group in conflicts for path, _ in group}
