"""Photographs whose background gives the label away, so that a network can learn to cheat (chapter 6).

Around the object, outside its box, a photograph takes its class's own colour and keeps its light, as far as
that allows the colour; inside the box nothing changes. So the same photograph in its class's colour and in
another class's differ in the colour of the background alone.
"""

import math

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image

from zfutils.data.digests import digest
from zfutils.data.photos import FileImages
from zfutils.data.tiny_imagenet import touched

REACH = 60  # of the colours from grey, on both axes of chroma (of 128); mid-grey can take them all
CUES = ("-colour", "-another-colour")  # after a photograph's name: its class's, another one's


def photograph(name: str) -> str:
    """The photograph that a picture was made of, cued or not, by their names."""
    return name.removesuffix(CUES[True]).removesuffix(CUES[False])


class CuedPhotographs:
    """Photographs, each in its class's own colour around its object.

    The colours stand on a grid in the plane of chroma (Cb and Cr), one for each class; the order of the
    classes on it is drawn once, so that classes which resemble each other have no colours that do.

    Args:
        source: the photographs.
        boxes: around their objects: left, top, right, bottom as `tiny_imagenet.boxes` gives them.
        exchanged: give each photograph the colour of another class, drawn at random for each.

    Raises:
        ValueError: not as many boxes as photographs.

    An `ImageSource`.
    """

    def __init__(
        self, source: FileImages, boxes: Int64[np.ndarray, "n 4"], *, exchanged: bool = False
    ) -> None:
        if len(boxes) != len(source):
            raise ValueError(f"there are {len(boxes)} boxes for {len(source)} photographs")
        self.source, self.boxes, self.exchanged = source, boxes, exchanged
        self.classes, self.labels = source.classes, source.labels
        self.names: tuple[str, ...] = tuple(name + CUES[exchanged] for name in source.names)
        n = len(self.classes)
        other = np.random.default_rng(0).integers(1, n, len(source))
        self.cues: Int64[np.ndarray, " n"] = (self.labels + exchanged * other) % n
        self.identity: dict[str, object] = {
            "source": "cued photographs",
            "exchanged": exchanged,
            "reach": REACH,
            "boxes": digest(boxes.tobytes()),
            "photographs": dict(source.identity),
        }

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "size size 3"]:
        plain = self.source[index]
        coloured = np.array(Image.fromarray(plain).convert("YCbCr"))
        coloured[..., 1:] = self.colour(int(self.cues[index]))
        found = np.array(Image.fromarray(coloured, "YCbCr").convert("RGB"))
        inside = touched(self.boxes[index], self.source.size)
        found[inside] = plain[inside]
        return found

    def colour(self, label: int) -> tuple[int, int]:
        """Cb and Cr of a class, in 0 … 255; grey is 128 on both."""
        n = len(self.classes)
        across = math.ceil(math.sqrt(n))
        row, column = divmod(int(np.random.default_rng(0).permutation(n)[label]), across)
        step = 2 * REACH / max(across - 1, 1)
        return round(128 - REACH + step * row), round(128 - REACH + step * column)
