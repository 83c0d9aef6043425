"""Scenes of two objects of the main categories, and the same scenes with one of the two alone (chapter 6).

Zeiler & Fergus 2013, §4.2, conclude from occlusion that a network localises the object in the scene. One
object in the middle cannot tell that from a liking for the middle, so here two lie side by side, the centre
between them. They are alike but for their category: in one scene's colours and pose, with nothing in front of
them, as large as each other. With the second left out, the first lies off the centre. A network has learnt
from objects that are larger and in the middle, so these lie as near to it as their shapes allow.
"""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy.ndimage import binary_dilation

from zfutils.data.parts.drawn import DrawnImages
from zfutils.data.parts.placing import PlacedObject
from zfutils.data.parts.scenes import Scene, scene
from zfutils.data.parts.several import FIRST_ROUND

AREA = 0.2  # of either object over the picture's; some of it may lie beyond the border
CELLS = 32  # along the picture's side, on which objects are laid out
GAP = 1  # cells that are kept between the two
FARTHER = 1.25  # times the least distance of two objects, at which they may lie
TURNS = 24  # directions from the first to the second
SHARES = (0.5, *(0.5 + sign * step / 20 for step in range(1, 7) for sign in (1, -1)))  # of it, to the middle
STREAMS = 3  # single scenes have 0 or 1 there, those of several held-out objects 2
DRAWING = 1  # raised by hand whenever scenes change here


class PairedParts(DrawnImages):
    """The first n scenes of two objects of different categories, drawn on access.

    Args:
        split, n, size, seed, field: as for `DrawnImages`; objects of a split stand in no other one, and in no
            picture of one object.
        alone: leave out the second object; the first stays where it is.

    `labels` are the first objects', `others` (n,) the second ones'; in every turn of as many pictures as
    there are categories, each comes once as the first and once as the second.
    """

    def __init__(
        self, split: str, *, n: int, size: int, seed: int = 0, field: float = 1.0, alone: bool = False
    ) -> None:
        kind = "alone" if alone else "pair"
        super().__init__(split, n=n, size=size, seed=seed, field=field, held_out=False, kind=kind)
        self.alone, classes = alone, len(self.classes)
        shifts = [int(self._rng(turn, STREAMS, 1).integers(1, classes)) for turn in range(-(-n // classes))]
        self.others: Int64[np.ndarray, " n"] = (self.labels + np.repeat(shifts, classes)[:n]) % classes

    @property
    def identity(self) -> dict[str, object]:
        """What fixes every pixel of this source."""
        drawn = self._fixed("split", "n", "size", "seed", "field", "alone")
        return {"source": "pairs of parts", "version": self.version, "drawing": DRAWING} | drawn

    def _scene(self, index: int) -> Scene:
        number = len(self.classes) * FIRST_ROUND + index
        both = [
            scene(self.split, number, seed=self.seed, label=int(label)).uncovered()
            for label in (self.labels[index], self.others[index])
        ]
        placed = _beside_each_other(self._rng(index, STREAMS, 0), *both)
        return replace(both[0], objects=placed[:1] if self.alone else placed)


def _beside_each_other(rng: np.random.Generator, *scenes: Scene) -> tuple[PlacedObject, ...]:
    """The objects of two scenes, equally large, as near as they may lie, the picture's middle between them.

    The direction from one to the other is drawn from those in which they can lie nearly as close as in any.
    """
    objects = [_in_the_middle(each) for each in scenes]
    first, second = (_mask(each, placed) for each, placed in zip(scenes, objects, strict=True))
    wide = binary_dilation(first, np.ones((2 * GAP + 1, 2 * GAP + 1)))
    overlap = np.fft.irfft2(np.fft.rfft2(wide) * np.fft.rfft2(second).conj(), s=wide.shape)
    moves = np.argwhere(overlap < 0.5)  # of the second, in cells, downwards and to the right
    moves = np.where(moves > CELLS, moves - 2 * CELLS, moves)
    far = np.hypot(*moves.T)
    near = far <= FARTHER * far.min()
    turns = np.round(np.arctan2(*moves.T) * TURNS / (2 * np.pi))
    alike = np.flatnonzero(near & (turns == rng.choice(np.unique(turns[near]))))
    move = moves[alike[np.argmin(far[alike])]]
    shares = [t for t in SHARES if not (first[*_cell(t * move)] or second[*_cell((t - 1) * move)])]
    t = shares[0] if shares else SHARES[0]
    down, right = move / CELLS
    there = objects[0].moved(-t * right, -t * down, 1.0, 0.0)
    return there, objects[1].moved((1 - t) * right, (1 - t) * down, 1.0, 0.0)


def _cell(off: Float[np.ndarray, " 2"]) -> Int64[np.ndarray, " 2"]:
    """The cell so far off the middle of a mask."""
    return (CELLS + off).round().astype(int)


def _in_the_middle(drawn: Scene) -> PlacedObject:
    """A scene's object in the middle of the picture, scaled to `AREA`."""
    placed = replace(drawn.objects[0], x=0.5, y=0.5)
    return replace(placed, scale=placed.scale * math.sqrt(AREA / (4 * _mask(drawn, placed).mean())))


def _mask(drawn: Scene, placed: PlacedObject) -> Bool[np.ndarray, "cells cells"]:
    """Where an object is, in a picture of twice the side, so that none of it is beyond the border."""
    parts = replace(drawn, objects=(placed,)).part_masks(2 * CELLS, field=2.0)
    return np.any(list(parts.values()), axis=0)
