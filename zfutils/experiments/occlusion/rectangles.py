"""Rectangles of a picture that change, and the windows of every map that hold what they reach.

Integers only, on the host, and all of it before any picture is seen. A stretch of an axis is seen by a
stretch of the axis above; that is `geometry` the other way round. The one idea: many rectangles can share
windows of one size, and do so cheaply where they reach about as far.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int64

from zfutils.nets.geometry import Window

TOGETHER = 60  # rectangles whose windows have one size: more waste work, fewer leave the processor idle
Corners = list[tuple[int, int]]  # top and left of each window


class Spans(NamedTuple):
    """Stretches of one axis, stops excluded."""

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

    def ends(self) -> list[tuple[int, int, int, int]]:
        """Of each: first row, row after the last, first column, column after the last."""
        return list(zip(*(ends.tolist() for axis in self for ends in axis), strict=True))


class Windows(NamedTuple):
    """Equal windows of a map, one for each of some rectangles."""

    corners: Corners
    size: tuple[int, int]  # height and width

    @classmethod
    def holding(cls, rectangles: Rectangles, size: tuple[int, int]) -> Self:
        """Windows that hold rectangles and lie in a map of that height and width."""
        rows, columns = (axis.together(n) for axis, n in zip(rectangles, size, strict=True))
        return cls(list(zip(rows[0].tolist(), columns[0].tolist(), strict=True)), (rows[1], columns[1]))


class Group(NamedTuple):
    """Rectangles that are computed together."""

    places: Int64[np.ndarray, " m"]  # among all rectangles
    ends: list[tuple[int, int, int, int]]
    windows: list[Windows]  # in the picture, then in the output of every layer


def planned(
    rectangles: Rectangles, layers: Sequence[Window], sizes: Sequence[tuple[int, int]], *, batch: int
) -> list[list[Group]]:
    """All rectangles in groups that reach about as far, so that windows of one size waste little.

    Args:
        rectangles: of the picture.
        layers: what slides in each layer, from the first on.
        sizes: height and width of the picture, then of every layer's output.
        batch: of the groups that are listed together, so many rectangles at most.
    """
    batches: list[list[Group]] = []
    for places in _alike(rectangles, layers, sizes, batch):
        if not batches or sum(len(group.places) for group in batches[-1]) + len(places) > batch:
            batches.append([])
        batches[-1].append(_group(rectangles, places, layers, sizes))
    return batches


def _alike(
    rectangles: Rectangles, layers: Sequence[Window], sizes: Sequence[tuple[int, int]], batch: int
) -> Iterator[Int64[np.ndarray, " m"]]:
    """Places of rectangles that reach about as far along either axis, no more than a batch at a time."""
    runs = math.ceil(math.sqrt(len(rectangles) / TOGETHER))
    group = np.zeros(len(rectangles), dtype=np.int64)
    for number, axis in enumerate(rectangles):
        ends, place = np.unique(np.stack(axis), axis=1, return_inverse=True)
        reach = _reach(Spans(*ends), layers, [size[number] for size in sizes[1:]])
        rank = reach.argsort(kind="stable").argsort()
        group = group * runs + rank[place.ravel()] * runs // len(rank)
    for number in np.unique(group):
        members = np.flatnonzero(group == number)
        yield from np.array_split(members, math.ceil(len(members) / batch))


def _reach(spans: Spans, layers: Sequence[Window], sizes: Sequence[int]) -> Float[np.ndarray, " n"]:
    """How much of their axis stretches of the picture reach, summed over the layers."""
    total = np.zeros(len(spans.starts))
    for window, size in zip(layers, sizes, strict=True):
        spans = spans.above(window, size)
        total += (spans.stops - spans.starts) / size
    return total


def _group(
    rectangles: Rectangles,
    places: Int64[np.ndarray, " m"],
    layers: Sequence[Window],
    sizes: Sequence[tuple[int, int]],
) -> Group:
    reached = rectangles.of(places)
    ends, windows = reached.ends(), [Windows.holding(reached, sizes[0])]
    for window, size in zip(layers, sizes[1:], strict=True):
        reached = reached.above(window, size)
        windows.append(Windows.holding(reached, size))
    return Group(places, ends, windows)
