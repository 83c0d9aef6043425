"""Distractors: lone parts and plain shapes beside the object, drawn without regard to it.

They lie on the ground, behind the object, and towards the borders of the picture, where most of them shows.
"""

import numpy as np

from zfutils.data.parts.colours import Palette, Style
from zfutils.data.parts.difficulty import DISTRACTOR_SIDE, DISTRACTORS
from zfutils.data.parts.placing import Placed
from zfutils.data.parts.shapes import Shape, Sketch, box, ellipse, path, polygon, star
from zfutils.data.parts.shared_parts import add_nose, add_window

BORDER = 0.22  # sides of the picture: how far from a border the middle of a distractor may lie


def _wheel(s: Sketch) -> None:
    s.wheel("wheel", 0, 0, 46)


def _eye(s: Sketch) -> None:
    s.eye("eye", 0, 0, 45)


def _window(s: Sketch) -> None:
    add_window(s, "window", -38, -44, 38, 44)


def _nose(s: Sketch) -> None:
    add_nose(s, 0, 0, 92, 82)


def _ear(s: Sketch) -> None:
    outer, inner = ellipse(0, 0, 27, 49), ellipse(0, 4, 15, 34)
    s.add("ear", (0, 0), Shape(outer, s.palette.main), Shape(inner, s.palette.accent))


def _fruit(s: Sketch) -> None:
    stalk, glint = box(-5, -50, 5, -30, 2), ellipse(-14, -10, 11)
    s.add("fruit", (0, 0), Shape(stalk, s.palette.dark), Shape(ellipse(0, 6, 42), s.palette.accent),
          Shape(glint, s.palette.light))  # fmt: skip


def _leaf(s: Sketch) -> None:
    blade, rib = path("M-50 0Q0 -56 50 0Q0 56 -50 0Z"), box(-50, -3, 34, 3, 3)
    s.add("leaf", (0, 0), Shape(blade, s.palette.second), Shape(rib, s.palette.light))


def _door(s: Sketch) -> None:
    panel = path("M-28 50V-22A28 28 0 0 1 28 -22V50Z")
    s.add("door", (0, 0), Shape(panel, s.palette.second), Shape(ellipse(15, 8, 6), s.palette.light))


def _roof(s: Sketch) -> None:
    s.add("roof", (0, 0), Shape(polygon((-50, 34), (0, -38), (50, 34)), s.palette.dark))


def _star(s: Sketch) -> None:
    s.add("star", (0, 0), Shape(star(0, 0, 50, 22), s.palette.accent))


def _beak(s: Sketch) -> None:
    s.add("beak", (0, 0), Shape(polygon((-36, -34), (36, -34), (0, 48)), s.palette.accent))


def _block(s: Sketch) -> None:
    s.add("block", (0, 0), Shape(box(-46, -26, 46, 26, 6), s.palette.main), textured=True)


KINDS = (_wheel, _eye, _window, _nose, _ear, _fruit, _leaf, _door, _roof, _star, _beak, _block)


def draw_distractors(rng: np.random.Generator, palette: Palette, style: Style) -> tuple[Placed, ...]:
    """`DISTRACTORS` different things, each along another border of the picture."""
    first, (smallest, largest) = int(rng.integers(4)), DISTRACTOR_SIDE
    placed = []
    for number, kind in enumerate(rng.permutation(len(KINDS))[:DISTRACTORS].tolist()):
        sketch = Sketch(rng, palette, style)
        KINDS[kind](sketch)
        along, depth, size, turn = rng.random(4).tolist()
        depth *= BORDER
        x, y = ((along, depth), (1 - depth, along), (along, 1 - depth), (depth, along))[(first + number) % 4]
        side = smallest + (largest - smallest) * size
        placed.append(Placed(tuple(sketch.parts), x, y, side, rotation=60 * (turn - 0.5)))
    return tuple(placed)
