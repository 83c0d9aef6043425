"""ImageNet-1k (Russakovsky 2015) in torchvision's layout: train/ and val/ by WordNet number, names beside.

From the official archives (ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and the devkit) torchvision makes
this layout (`python -m zfutils prepare --download imagenet`), and `meta.bin` with the names of the classes.
Without that file a class is called by its number.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from zfutils.data.downloads import datasets

META = "meta.bin"


def names(folder: Path, numbers: Sequence[str]) -> Sequence[str]:
    """Classes by the first of their names, all different; by their numbers where no names are known.

    Args:
        folder: of the set.
        numbers: the classes as their folders are called, "n01440764" and so on.
    """
    if not (folder / META).is_file():
        return numbers
    known, _ = datasets().imagenet.load_meta_file(folder)  # tensors and plain data alone are read
    first = {number: known[number][0] if number in known else number for number in numbers}
    often = Counter(first.values())  # two are called "crane"
    return [name if often[name] == 1 else f"{name} ({number})" for number, name in first.items()]
