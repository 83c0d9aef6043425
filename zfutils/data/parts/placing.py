"""Parts put somewhere in the world: an object with what lies in front of it, or a loose thing."""

import math
from dataclasses import dataclass, replace
from typing import Self

from zfutils.data.parts.shapes import Part, Point


@dataclass(frozen=True)
class Placed:
    """Parts, where their middle lies and how large their box is; in world units: the picture is 0…1."""

    parts: tuple[Part, ...]
    x: float  # of the middle
    y: float  # downwards
    scale: float  # side of the box
    rotation: float  # degrees, clockwise
    stretch: float = 1.0  # width over height, at the same area
    flipped: bool = False

    def place(self, point: Point) -> Point:
        """Object units (box side 100) to world units."""
        turn, unit = math.radians(self.rotation), self.scale / 100
        right = point[0] * unit * math.sqrt(self.stretch) * (-1 if self.flipped else 1)
        down = point[1] * unit / math.sqrt(self.stretch)
        return (
            self.x + right * math.cos(turn) - down * math.sin(turn),
            self.y + right * math.sin(turn) + down * math.cos(turn),
        )

    def moved(self, dx: float, dy: float, scale: float, rotation: float) -> Self:
        """Shifted, and scaled and turned about its own middle."""
        there = {"x": self.x + dx, "y": self.y + dy}
        return replace(self, **there, scale=self.scale * scale, rotation=self.rotation + rotation)

    def svg(self, key: str) -> str:
        """Markup in a document of 100 units to the world's one; `key` is used by nothing else in it."""
        return self._group(_drawn(self.parts, key))

    def _group(self, drawn: str) -> str:
        wide, high = self.scale * math.sqrt(self.stretch), self.scale / math.sqrt(self.stretch)
        wide = -wide if self.flipped else wide
        return (
            f'<g transform="translate({100 * self.x:.4f} {100 * self.y:.4f}) rotate({self.rotation:.3f}) '
            f'scale({wide:.5f} {high:.5f})">{drawn}</g>'
        )


@dataclass(frozen=True, kw_only=True)
class PlacedObject(Placed):
    """An object of a category, and what hides some of it: parts in its own units, which move with it."""

    category: str
    label: int
    cover: tuple[Part, ...] = ()

    def svg(self, key: str) -> str:
        """Markup, as `Placed.svg`; the cover in front."""
        return self._group(_drawn(self.parts, key) + _drawn(self.cover, f"{key}-cover"))

    def flat(self, first: int) -> str:
        """Each part in the blue of its number, counted from `first`; the cover in black."""
        parts = [part.flat(f"#0000{number:02x}") for number, part in enumerate(self.parts, first)]
        return self._group("".join(parts + [part.flat("#000000") for part in self.cover]))


def _drawn(parts: tuple[Part, ...], key: str) -> str:
    return "".join(part.svg(f"{key}-{k}") for k, part in enumerate(parts))
