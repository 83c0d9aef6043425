"""Parts: a rendered world whose truth is known, so that what a method claims to see can be checked.

Categories made of shared parts for the main networks and others held out for transfer, each scene a small
SVG document rendered by resvg on a ground that has nothing to do with the category. How hard it is stands in
`zfutils.data.parts.difficulty`.
"""

import operator

import numpy as np
from jaxtyping import Int64, UInt8

from zfutils.data.parts.background import Background, Texture
from zfutils.data.parts.camera import Camera
from zfutils.data.parts.difficulty import SMALLEST
from zfutils.data.parts.placing import PlacedObject
from zfutils.data.parts.scenes import (
    SIZES,
    SPLITS,
    ProbeSample,
    Scene,
    categories,
    check_picture,
    check_smallest,
    check_stream,
    scene,
)

__all__ = [
    "SIZES",
    "SPLITS",
    "Background",
    "Camera",
    "PartsImages",
    "PlacedObject",
    "ProbeSample",
    "Scene",
    "Texture",
    "categories",
    "scene",
]

# Of the main world and of the held-out one; raised by hand whenever the drawing changes, so that pixels
# stored before are drawn anew.
VERSION = {"main": 3, "held-out": 4}


class PartsImages:
    """The first n pictures of a split of the parts world, drawn on access.

    Args:
        split: one of `SPLITS`; the splits are disjoint random streams.
        n: number of pictures; picture i does not depend on it.
        size: side in pixels.
        seed: of the whole world.
        held_out: the categories held out for transfer, in their own style.
        field: side of what is seen over the side of the ordinary picture, which is what the centre crop of a
            stored picture shows (see `Scene.render`).
        smallest: side of an object's box, at least, over the side of the ordinary picture.

    Labels go round: picture i has label i modulo the number of categories.
    """

    def __init__(
        self,
        split: str,
        *,
        n: int,
        size: int,
        seed: int = 0,
        held_out: bool = False,
        field: float = 1.0,
        smallest: float = SMALLEST,
    ) -> None:
        check_stream(split, seed)
        check_picture(size, field)
        check_smallest(smallest)
        self.smallest = smallest
        if n < 1:
            raise ValueError(f"n is {n}; it must be 1 or more")
        self.split, self.n, self.size, self.seed = split, n, size, seed
        self.held_out, self.field = held_out, field
        self.classes: tuple[str, ...] = tuple(category.name for category in categories(held_out))
        self.labels: Int64[np.ndarray, " n"] = np.arange(n, dtype=np.int64) % len(self.classes)
        world = "held-out" if held_out else "main"
        self.names: tuple[str, ...] = tuple(f"parts-{world}-{seed}-{split}-{i:06d}" for i in range(n))

    @property
    def identity(self) -> dict[str, object]:
        """What fixes every pixel of this source."""
        return {
            "source": "parts",
            "version": VERSION["held-out" if self.held_out else "main"],
            "split": self.split,
            "n": self.n,
            "size": self.size,
            "seed": self.seed,
            "held_out": self.held_out,
            "field": self.field,
            "smallest": self.smallest,
        }

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "size size 3"]:
        return self.scene(index).render(self.size, field=self.field)

    def scene(self, index: int) -> Scene:
        """The scene of picture `index`, to be moved, probed or drawn again."""
        if not 0 <= operator.index(index) < self.n:
            raise IndexError(f"picture {index}; this source has pictures 0 … {self.n - 1}")
        options = {"seed": self.seed, "held_out": self.held_out}
        return scene(self.split, operator.index(index), **options, smallest=self.smallest)
