"""Scenes of several held-out objects, for what a network makes of more than one thing (chapter 9).

Zeiler & Fergus 2013, §5.2 (Table 6), lay their weaker result on PASCAL VOC to its scenes of several objects,
where ImageNet has one, centred. Here two to four of the held-out categories lie side by side on one ground,
each drawn as in a picture of its own, smaller and with nothing in front of it. The ground is the lightest of
those that the objects came with: a held-out object is darker than the first colour of its own ground by a set
contrast, so it is on this one too.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Int8

from zfutils.data.parts.drawn import DrawnImages
from zfutils.data.parts.placing import PlacedObject
from zfutils.data.parts.scenes import Scene, scene

COUNTS = (2, 3, 4)  # objects in a scene, by turns of one picture a category
SHRINK = {2: 0.76, 3: 0.66, 4: 0.58}  # of an object's size, against a picture of its own
LEAST = 0.33  # side of an object's box over the side of the picture: 32 px of 96
GIVE = 0.97  # of an object's size, where there is no room
FIRST_ROUND = 1 << 20  # of the scenes that objects are taken from, each with one scene per category
LAYOUTS = 64  # drawn at once
STREAMS = 2  # a scene's own have 0 or 1, for its world, there
DRAWING = 2  # raised by hand whenever scenes change here


class SeveralParts(DrawnImages):
    """The first n scenes of several held-out objects of different categories, drawn on access.

    Arguments as `DrawnImages`; objects of a split stand in no other one, and in no picture of one object.

    `present` is int8 (n, classes), 1 where a category is in the picture and 0 where it is not; in every turn
    of as many pictures as there are categories, each is there equally often. `labels` is the first object's.
    """

    def __init__(self, split: str, *, n: int, size: int, seed: int = 0, field: float = 1.0) -> None:
        super().__init__(split, n=n, size=size, seed=seed, field=field, held_out=True, kind="several")
        self.present: Int8[np.ndarray, "n classes"] = np.zeros((n, len(self.classes)), dtype=np.int8)
        for index in range(n):
            self.present[index, self._labels(index)] = 1

    @property
    def identity(self) -> dict[str, object]:
        """What fixes every pixel of this source."""
        drawn = self._fixed("split", "n", "size", "seed", "field")
        return {"source": "several parts", "version": self.version, "drawing": DRAWING} | drawn

    def _scene(self, index: int) -> Scene:
        classes, most = len(self.classes), max(COUNTS)
        numbers = [
            classes * (FIRST_ROUND + most * index + place) + label
            for place, label in enumerate(self._labels(index))
        ]
        taken = [scene(self.split, number, seed=self.seed, held_out=True) for number in numbers]
        placed = _side_by_side(self._rng(index, STREAMS, 0), [s.uncovered().objects[0] for s in taken])
        lightest = max(taken, key=lambda s: sum(s.background.texture.colours[0]))
        return replace(lightest, objects=placed)

    def _labels(self, index: int) -> list[int]:
        """The categories in picture `index`; a turn of pictures has them by shifts of one choice."""
        classes = len(self.classes)
        turn = index // classes
        others = 1 + self._rng(turn, STREAMS, 1).permutation(classes - 1)[: COUNTS[turn % len(COUNTS)] - 1]
        return [(index + shift) % classes for shift in (0, *others.tolist())]


def _side_by_side(rng: np.random.Generator, objects: list[PlacedObject]) -> tuple[PlacedObject, ...]:
    """The objects, smaller, at places drawn at random where the boxes round them do not meet.

    Boxes are taken as they are before they are turned, so that corners may touch; while no place is found,
    the objects shrink a little, down to `LEAST`.
    """
    factor = SHRINK[len(objects)]
    one, other = np.triu_indices(len(objects), k=1)
    while True:
        scales = np.array([max(LEAST, factor * o.scale) for o in objects])
        stretches = np.sqrt([o.stretch for o in objects])
        sides = np.stack([scales * stretches, scales / stretches], axis=-1)
        middles = sides / 2 + (1 - sides) * rng.random((LAYOUTS, *sides.shape))
        apart = (sides[one] + sides[other]) / 2
        free = (np.abs(middles[:, one] - middles[:, other]) >= apart).any(-1).all(-1)
        if free.any():
            found = zip(objects, scales.tolist(), middles[np.argmax(free)].tolist(), strict=True)
            return tuple(replace(o, scale=scale, x=x, y=y) for o, scale, (x, y) in found)
        factor *= GIVE
