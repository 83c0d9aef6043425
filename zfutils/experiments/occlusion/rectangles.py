"""Rectangles of pixels, and how far each reaches in the layers above: integers only.

A stretch of an axis is seen by a stretch of the axis above; that is `geometry` the other way round. The one
idea: many rectangles can share windows of one size, and do so cheaply where they reach about as far.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Int64

from zfutils.nets.geometry import Window

TOGETHER = 60  # rectangles whose windows have one size: more waste work, fewer leave the processor idle
Corners = list[tuple[int, int]]  # upper and left end of windows


class Spans(NamedTuple):
    """Stretches of one axis, ends excluded."""

    starts: Int64[np.ndarray, " n"]
    stops: Int64[np.ndarray, " n"]

    def above(self, window: Window, size: int) -> Self:
        """The units of the layer above that see any of each stretch; one, where none does.

        Args:
            window: what slides over the axis.
            size: how many units there are above.
        """
        first = -(-(self.starts + window.padding - window.kernel + 1) // window.stride)
        last = (self.stops - 1 + window.padding) // window.stride
        starts = first.clip(0, size - 1)
        return type(self)(starts, (last + 1).clip(starts + 1, size))

    def together(self, size: int) -> tuple[Int64[np.ndarray, " n"], int]:
        """Starts, and one length, of equal stretches that hold these and lie on an axis of that size."""
        length = int((self.stops - self.starts).max())
        return self.starts.clip(max=size - length), length


class Rectangles(NamedTuple):
    """Pixels of a picture, or units of a map, that change: n rectangles, one at a time."""

    rows: Spans
    columns: Spans

    def __len__(self) -> int:
        return len(self.rows.starts)

    def of(self, places: Int64[np.ndarray, " m"]) -> Self:
        """Some of them."""
        return type(self)(*(Spans(axis.starts[places], axis.stops[places]) for axis in self))

    def above(self, window: Window, size: tuple[int, int]) -> Self:
        """What they reach in the layer above, whose map has that height and width."""
        return type(self)(*(axis.above(window, n) for axis, n in zip(self, size, strict=True)))

    def together(self, size: tuple[int, int]) -> tuple[Corners, tuple[int, int]]:
        """Corners, and one height and width, of equal rectangles that hold these in a map of that size."""
        rows, columns = (axis.together(n) for axis, n in zip(self, size, strict=True))
        return list(zip(rows[0].tolist(), columns[0].tolist(), strict=True)), (rows[1], columns[1])


def grouped(rectangles: Rectangles, batch: int, reach: Callable) -> Iterator[Int64[np.ndarray, " m"]]:
    """Places of rectangles that reach about as far, so that windows of one size waste little.

    Args:
        rectangles: all of them.
        batch: at most so many in a group.
        reach: how far stretches of the first or second axis (0, 1) reach; any measure.
    """
    runs = math.ceil(math.sqrt(len(rectangles) / TOGETHER))
    group = np.zeros(len(rectangles), dtype=np.int64)
    for number, axis in enumerate(rectangles):
        ends, place = np.unique(np.stack(axis), axis=1, return_inverse=True)
        rank = reach(Spans(*ends), number).argsort(kind="stable").argsort()
        group = group * runs + rank[place.ravel()] * runs // len(rank)
    for number in np.unique(group):
        members = np.flatnonzero(group == number)
        yield from np.array_split(members, math.ceil(len(members) / batch))
