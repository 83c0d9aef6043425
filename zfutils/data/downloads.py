"""Data sets that are fetched, and what is said of one that is missing."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from zfutils.runtime.folders import data_folder


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


def datasets() -> ModuleType:
    """torchvision's; importing it takes as long as importing PyTorch, and drawn pictures do without."""
    from torchvision import datasets

    return datasets


def download(name: str, root: Path | None = None) -> None:
    """Fetch a set through torchvision into the data folder; what is already there is left as it is.

    A set that was being unpacked when its process was killed is fetched anew.

    Args:
        name: one of `DOWNLOADS`.
        root: the data folder; default as `data_folder`.

    Raises:
        ValueError: no such set.
        MissingData: the download failed, or what came is not the whole archive.
    """
    if name not in DOWNLOADS:
        raise ValueError(f"{name!r} cannot be downloaded; these can: {', '.join(DOWNLOADS)}")
    root = root or data_folder()
    root.mkdir(parents=True, exist_ok=True)
    folder, begun = root / name, _begun(name, root)
    if begun.exists():
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        begun.touch()
    try:
        DOWNLOADS[name](str(root))
    except MissingData:
        raise
    except (OSError, RuntimeError) as error:
        raise MissingData(name, folder, f"{name}/; the download failed: {error}") from None
    begun.unlink(missing_ok=True)


def _begun(name: str, root: Path) -> Path:
    """A file that is there from before the first file of a set is fetched until the last is there."""
    return root / f".{name.replace('/', '-')}.unfinished"


def fetch_missing(sets: Sequence[str], root: Path | None = None) -> None:
    """Download those sets that are not there, or were begun and not finished, and can be downloaded.

    Raises:
        MissingData: the download failed; names the folder, the layout and the command.
    """
    root = root or data_folder()
    for name in sets:
        if name in DOWNLOADS and (_begun(name, root).exists() or not (root / name).exists()):
            download(name, root)


def _archive(address: str, md5: str) -> Callable[[str], None]:
    """What fetches a set that has no class in torchvision."""
    return lambda root: datasets().utils.download_and_extract_archive(address, root, md5=md5)


def _imagenet(root: str) -> None:
    """ImageNet's archives cannot be fetched freely; those that lie in `imagenet/` are unpacked."""
    folder = Path(root) / "imagenet"
    try:
        for split in ("train", "val"):
            datasets().ImageNet(str(folder), split=split)
    except RuntimeError as error:
        raise MissingData("imagenet", folder, f"imagenet/train/ and imagenet/val/, or: {error}") from None


DOWNLOADS: dict[str, Callable[[str], object]] = {
    "imagenette2-160": lambda root: datasets().Imagenette(root, size="160px", download=True),
    "imagewoof2-160": _archive(
        "https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2-160.tgz", "3d200a7be99704a0d7509be2a9fbfe15"
    ),
    "tiny-imagenet-200": _archive(
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip", "90528d7ca1a48142e341f4ef8d21d0de"
    ),
    "imagenet": _imagenet,
    "caltech101": lambda root: datasets().Caltech101(root, download=True),
    "MNIST": lambda root: datasets().MNIST(root, download=True),
    "caltech256": lambda root: datasets().Caltech256(root, download=True),
    "VOCdevkit/VOC2012": lambda root: datasets().VOCDetection(root, year="2012", download=True),
}
