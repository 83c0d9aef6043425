"""Photographs, in the layouts that torchvision's own data set classes read.

Everything lies below the folder that `ZFUTILS_DATA` names. A set that is missing is downloaded through
torchvision where that is allowed, and otherwise refused with the folder, the layout and the command.
Every image is squashed to one square before anything else, so that neither shape nor aspect can give a
data set away; byte-identical files with different labels are left out and listed.
"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Self

import numpy as np
from PIL import Image

from zfutils.data import UndecodableImage, tiny_imagenet

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


def data_folder() -> Path:
    """The folder that holds the photographs: `ZFUTILS_DATA`, or `data/` of the working copy."""
    return Path(os.environ.get("ZFUTILS_DATA") or Path(__file__).parents[2] / "data")


class MissingData(FileNotFoundError):
    """A data set that is not where it is looked for."""

    def __init__(self, name: str, folder: Path, layout: str) -> None:
        fetch = f", or fetch it with: python -m zfutils prepare --download {name}" * (name in DOWNLOADS)
        super().__init__(
            f"the data set {name} is not complete in {folder}: expected {layout}. "
            f"Set ZFUTILS_DATA to the folder that holds it{fetch}"
        )
        self.asked = name, folder, layout

    def __reduce__(self) -> tuple[type["MissingData"], tuple[str, Path, str]]:
        """So that it also reaches the caller from another process."""
        return MissingData, self.asked


def _digest(path: Path) -> str:
    """A digest of a file's bytes."""
    status = path.stat()
    return _digest_of(str(path), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1 << 17)
def _digest_of(path: str, size: int, changed: int) -> str:
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()


def decode(path: Path, size: int, *, name: str | None = None) -> np.ndarray:
    """An image file, squashed to a square.

    Args:
        path: any file that Pillow reads.
        size: side (pixels).

    Returns:
        uint8 (size, size, 3), RGB.

    Raises:
        UndecodableImage: the file is broken, truncated or no image.
    """
    try:
        with Image.open(path) as image:
            return squashed(image, size)
    except Exception as error:  # what a decoder raises on broken bytes is not listed anywhere
        raise UndecodableImage(name or str(path), str(error)) from None


def squashed(image: Image.Image, size: int) -> np.ndarray:
    """An opened image, squashed to a square; uint8 (size, size, 3), RGB."""
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))


class FileImages:
    """Image files below a folder, squashed to a square, with labels.

    Args:
        root: the data folder.
        names: paths from `root`.
        labels: int64 (n,), index into `classes`.
        classes: what the labels are called.
        size: side of the squashed square (pixels).
        left_out: names of files that are not used because their bytes stand under two classes.
    """

    def __init__(
        self,
        root: Path,
        names: Sequence[str],
        labels: Sequence[int],
        classes: Sequence[str],
        *,
        size: int,
        left_out: Sequence[str] = (),
    ) -> None:
        self.root, self.size = root, size
        self.names, self.classes, self.left_out = tuple(names), tuple(classes), tuple(left_out)
        self.labels = np.array(labels, dtype=np.int64)
        content = hashlib.blake2b(digest_size=16)
        for name in self.names:
            content.update(_digest(root / name).encode())
        self.identity: dict[str, Any] = {
            "source": "photos",
            "size": size,
            "names": hashlib.blake2b("\n".join(self.names).encode(), digest_size=16).hexdigest(),
            "content": content.hexdigest(),
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
        names, labels = [self.names[row] for row in rows], self.labels[rows].tolist()
        return type(self)(self.root, names, labels, self.classes, size=self.size, left_out=self.left_out)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        return decode(self.root / self.names[index], self.size, name=self.names[index])


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
        sets: folder names below the data folder, each with `train/` and `val/`.
        split: "train" or "val".
        size: side of the squashed square (pixels).
        root: the data folder; default as `data_folder`.
        per_class: take at most this many images of each class, the first by name.
        first_classes: take this many classes alone, the first in the order of the sets.

    Raises:
        ValueError: more classes than there are.
        MissingData: a set or split is not there, or a class is empty or stands in one split alone.
    """
    _refuse_split(split)
    root = root or data_folder()
    changed = tuple(_changed(root / name) for name in sets)
    found, classes, left_out = _listed(root, tuple(sets), first_classes, changed)
    names: list[str] = []
    labels: list[int] = []
    taken = Counter[int]()
    for name, label in found[split]:
        if name not in left_out and (per_class is None or taken[label] < per_class):
            taken[label] += 1
            names.append(name)
            labels.append(label)
    return FileImages(root, names, labels, classes, size=size, left_out=sorted(left_out))


def _changed(folder: Path) -> int:
    """When a file was last put into a set or taken away (ns)."""
    inside = (path for level in ("*", "*/*", "*/*/images") for path in folder.glob(level))
    return max((path.stat().st_mtime_ns for path in inside if path.is_dir()), default=0)


@lru_cache(maxsize=8)
def _listed(
    root: Path, sets: tuple[str, ...], first_classes: int | None, changed: tuple[int, ...]
) -> tuple[dict[str, list[tuple[str, int]]], list[str], set[str]]:
    """Files and labels by split, the classes, and what is left out; read once, since it takes seconds.

    Args:
        root, sets, first_classes: as `folders` takes them.
        changed: when the sets last changed, so that it is read again then.
    """
    found: dict[str, list[tuple[str, int]]] = {"train": [], "val": []}
    classes: list[str] = []
    for name in sets:
        for part, listing in _splits(root / name).items():
            found[part] += [(f"{name}/{part}/{file}", k + len(classes)) for file, k in listing.samples]
        classes += [WORDNET.get(c, c) for c in listing.classes]
    if first_classes is not None:
        if not 2 <= first_classes <= len(classes):
            raise ValueError(
                f"first_classes is {first_classes}; {', '.join(sets)} have {len(classes)} classes"
            )
        classes = classes[:first_classes]
        found = {part: [one for one in rows if one[1] < first_classes] for part, rows in found.items()}
    return found, classes, conflicting(root, found["train"] + found["val"])


def caltech101(*, size: int, root: Path | None = None) -> FileImages:
    """Caltech-101 with all its folders, BACKGROUND_Google among them, in torchvision's layout.

    Raises:
        MissingData: it is not there, or one of its classes is empty.
    """
    root = root or data_folder()
    inside = "caltech101/101_ObjectCategories"
    layout = f"{inside}/CLASS/*.jpg"
    if not (root / inside).is_dir():
        raise MissingData("caltech101", root / "caltech101", layout)
    try:
        found = _Listing(root / inside)
    except FileNotFoundError as error:
        raise MissingData("caltech101", root / "caltech101", f"{layout}; {error}") from None
    names = [f"{inside}/{path}" for path, _ in found.samples]
    return FileImages(root, names, [label for _, label in found.samples], found.classes, size=size)


class MnistImages:
    """MNIST (LeCun 1998) through torchvision; images are uint8 (28, 28, 1).

    Raises:
        MissingData: the four files are not below `MNIST/raw`, or one is truncated.
    """

    def __init__(self, split: Split, *, root: Path | None = None) -> None:
        _refuse_split(split)
        root = root or data_folder()
        try:
            listing = _datasets().MNIST(str(root), train=split == "train")
        except (RuntimeError, OSError, ValueError, TypeError, LookupError, AssertionError) as error:
            raise MissingData("MNIST", root / "MNIST", f"MNIST/raw/*-ubyte; {error}") from None
        self.pixels = listing.data.numpy()[..., None]
        self.labels = listing.targets.numpy().astype(np.int64)
        self.classes = tuple(str(digit) for digit in range(10))
        self.names = tuple(f"MNIST/{split}/{i}" for i in range(len(self.labels)))
        content = hashlib.blake2b(self.pixels.tobytes(), digest_size=16).hexdigest()
        self.identity = {"source": "MNIST", "split": split, "content": content}

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.pixels[index]


def _datasets() -> ModuleType:
    """torchvision's; importing it takes as long as importing PyTorch, and drawn pictures do without."""
    from torchvision import datasets

    return datasets


def download(name: str, root: Path | None = None) -> None:
    """Fetch a set through torchvision into the data folder; what is already there is left as it is.

    Args:
        name: one of `DOWNLOADS`.
        root: the data folder; default as `data_folder`.

    Raises:
        ValueError: no such set.
    """
    if name not in DOWNLOADS:
        raise ValueError(f"{name!r} cannot be downloaded; these can: {', '.join(DOWNLOADS)}")
    root = root or data_folder()
    root.mkdir(parents=True, exist_ok=True)
    DOWNLOADS[name](str(root))


def fetch_missing(sets: Sequence[str], root: Path | None = None) -> None:
    """Download those sets that are not there at all and can be downloaded.

    Raises:
        MissingData: the download failed; names the folder, the layout and the command.
    """
    root = root or data_folder()
    for name in sets:
        if name in DOWNLOADS and not (root / name).exists():
            try:
                download(name, root)
            except (OSError, RuntimeError) as error:
                raise MissingData(name, root / name, f"{name}/; the download failed: {error}") from None


def _imagewoof(root: str) -> None:
    """Imagewoof has no class in torchvision; its archive is fast.ai's, like Imagenette's."""
    _datasets().utils.download_and_extract_archive(
        "https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2-160.tgz",
        root,
        md5="3d200a7be99704a0d7509be2a9fbfe15",
    )


def _tiny_imagenet(root: str) -> None:
    """Tiny-ImageNet has no class in torchvision; its archive is that of Stanford's course CS231n."""
    _datasets().utils.download_and_extract_archive(
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip", root, md5="90528d7ca1a48142e341f4ef8d21d0de"
    )


DOWNLOADS: dict[str, Callable[[str], object]] = {
    "imagenette2-160": lambda root: _datasets().Imagenette(root, size="160px", download=True),
    "imagewoof2-160": _imagewoof,
    "tiny-imagenet-200": _tiny_imagenet,
    "caltech101": lambda root: _datasets().Caltech101(root, download=True),
    "MNIST": lambda root: _datasets().MNIST(root, download=True),
    "caltech256": lambda root: _datasets().Caltech256(root, download=True),
    "VOCdevkit/VOC2012": lambda root: _datasets().VOCDetection(root, year="2012", download=True),
}


class _Listing:
    """What an ImageFolder lists, with paths from its own folder."""

    def __init__(self, folder: Path) -> None:
        listing = _datasets().ImageFolder(str(folder))
        self.classes = listing.classes
        self.samples = [(str(Path(path).relative_to(folder)), label) for path, label in listing.samples]


def _refuse_split(split: str) -> None:
    if split not in ("train", "val"):
        raise ValueError(f"split {split!r} is not one of a set's; it is 'train' or 'val'")


def _splits(folder: Path) -> dict[str, Any]:
    """Both splits of a set in ImageFolder layout, with the same classes."""
    layout = f"{folder.name}/train/CLASS/*.JPEG and {folder.name}/val/CLASS/*.JPEG"
    if tiny_imagenet.is_layout(folder):
        try:
            return tiny_imagenet.splits(folder)
        except (OSError, ValueError) as error:
            raise MissingData(folder.name, folder, f"the layout of its archive; {error}") from None
    if not (folder / "train").is_dir() or not (folder / "val").is_dir():
        raise MissingData(folder.name, folder, layout)
    try:
        listings = {part: _Listing(folder / part) for part in ("train", "val")}
    except FileNotFoundError as error:  # an empty class folder: a copy that broke off
        raise MissingData(folder.name, folder, f"{layout}; {error}") from None
    lacking = sorted(set(listings["train"].classes) ^ set(listings["val"].classes))
    if lacking:
        raise MissingData(folder.name, folder, f"{layout}; the class {lacking[0]} stands in one split alone")
    return listings


def conflicting(root: Path, samples: Sequence[tuple[str, int]]) -> set[str]:
    """Names of files with the same bytes and different labels."""
    groups: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, label in samples:
        groups[_digest(root / name)].append((name, label))
    conflicts = [group for group in groups.values() if len({label for _, label in group}) > 1]
    return {name for group in conflicts for name, _ in group}
