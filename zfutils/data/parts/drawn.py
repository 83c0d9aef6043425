"""What all sources of drawn pictures have in common: the first n pictures of a split, drawn on access."""

import operator
from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Int64, UInt8

from zfutils.data.parts.scenes import SPLITS, Scene, categories, check_picture, check_stream

# Of the main world and of the held-out one; raised by hand whenever the drawing changes, so that pixels
# stored before are drawn anew.
VERSION = {"main": 3, "held-out": 4}


class DrawnImages(ABC):
    """The first n pictures of a split, drawn on access: an `ImageSource` whose scenes can be drawn again.

    Args:
        split: one of `SPLITS`; the splits are disjoint random streams.
        n: number of pictures; picture i does not depend on it.
        size: side in pixels.
        seed: of the whole world.
        field: side of what is seen over the side of the ordinary picture, which is what the centre crop of a
            stored picture shows (see `Scene.render`).
        held_out: whether the categories are those held out for transfer.
        kind: of pictures, as their names say.

    Raises:
        ValueError: no such split, or a number out of range; says what is allowed.

    Labels go round: picture i has label i modulo the number of categories.
    """

    def __init__(
        self, split: str, *, n: int, size: int, seed: int, field: float, held_out: bool, kind: str
    ) -> None:
        check_stream(split, seed)
        check_picture(size, field)
        if n < 1:
            raise ValueError(f"n is {n}; it must be 1 or more")
        self.split, self.n, self.size, self.seed, self.field = split, n, size, seed, field
        self.held_out, self.version = held_out, VERSION["held-out" if held_out else "main"]
        self.classes: tuple[str, ...] = tuple(category.name for category in categories(held_out))
        self.labels: Int64[np.ndarray, " n"] = np.arange(n, dtype=np.int64) % len(self.classes)
        self.names: tuple[str, ...] = tuple(f"parts-{kind}-{seed}-{split}-{i:06d}" for i in range(n))

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "size size 3"]:
        return self.scene(index).render(self.size, field=self.field)

    def scene(self, index: int) -> Scene:
        """The scene of picture `index`, to be moved, probed or drawn again.

        Raises:
            IndexError: there is no such picture.
        """
        index = operator.index(index)
        if not 0 <= index < self.n:
            raise IndexError(f"picture {index}; this source has pictures 0 … {self.n - 1}")
        return self._scene(index)

    @abstractmethod
    def _scene(self, index: int) -> Scene:
        """The scene of a picture that there is."""

    def _fixed(self, *names: str) -> dict[str, object]:
        """These attributes, in this order, for an identity."""
        return {name: getattr(self, name) for name in names}

    def _rng(self, *numbers: int) -> np.random.Generator:
        """A stream of this source's split."""
        return np.random.default_rng((self.seed, SPLITS.index(self.split), *numbers))
