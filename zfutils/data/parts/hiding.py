"""What lies in front of an object and hides some of it: a plank, a leaf, a cushion, a cloud of the ground.

The cover stands in the object's own units and moves with it, so that a scene drawn again shows as much of the
object as before. Of many places drawn at random the first is taken at which the share of the object's area
that is hidden lies within `COVERED` and the key points of most parts stay free.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from zfutils.data.parts.colours import Palette, Style, hexadecimal
from zfutils.data.parts.difficulty import COVERED, HIDDEN_KEY_POINTS
from zfutils.data.parts.shapes import Part, Shape, box, discs, ellipse, path, rectangles

TRIES = 24  # places and sizes that are looked at
MARGIN = 0.02  # kept from the limits of `COVERED`: the share is measured on a coarse grid
EDGE = 1.4  # width of the cut edge, object units
PUFFS = ((-0.55, 0.2, 0.48), (0.05, -0.2, 0.62), (0.58, 0.22, 0.45))  # of a cloud: middles and radii

Points = Float[np.ndarray, "tries points"]


@dataclass(frozen=True)
class _Kind:
    """Range of half the length, and of half the width over half the length."""

    half: tuple[float, float]  # object units
    slenderness: tuple[float, float]


KINDS = {
    "plank": _Kind((70, 70), (0.09, 0.2)),
    "leaf": _Kind((28, 50), (0.36, 0.6)),
    "cushion": _Kind((14, 25), (0.75, 1.0)),
    "cloud": _Kind((18, 34), (1.0, 1.0)),
}


def draw_cover(
    rng: np.random.Generator,
    silhouette: Float[np.ndarray, "points 2"],
    key_points: Float[np.ndarray, "parts 2"],
    palette: Palette,
    style: Style,
) -> tuple[Part, ...]:
    """A cover for an object, or nothing where no place was found.

    Args:
        rng: where it comes from.
        silhouette: points spread evenly over the object (object units).
        key_points: of its parts (object units).
        palette: colours of the cover.
        style: whose lines it has.

    Returns:
        An outlined part and its details, in object units; or none.
    """
    name = tuple(KINDS)[int(rng.integers(len(KINDS)))]
    kind = KINDS[name]
    middles = silhouette[rng.integers(len(silhouette), size=TRIES)]
    sizes, turns = rng.random((2, TRIES)), 360 * rng.random(TRIES)
    half = kind.half[0] + (kind.half[1] - kind.half[0]) * sizes[0]
    wide = half * (kind.slenderness[0] + (kind.slenderness[1] - kind.slenderness[0]) * sizes[1])
    edge = style.line or EDGE
    points = np.concatenate([silhouette, key_points])
    u, v = _in_its_own_axes(points, middles, turns)
    inside = _inside(name, u, v, half[:, None] + edge / 2, wide[:, None] + edge / 2)
    share = inside[:, : len(silhouette)].mean(1)
    hidden = inside[:, len(silhouette) :].mean(1)
    fits = (share >= COVERED[0] + MARGIN) & (share <= COVERED[1] - MARGIN) & (hidden <= HIDDEN_KEY_POINTS)
    if not fits.any():
        return ()
    found = int(np.argmax(fits))
    x, y = middles[found].tolist()
    there = f' transform="translate({x:.2f} {y:.2f}) rotate({turns[found]:.1f})"'
    shapes = _shapes(name, float(half[found]), float(wide[found]), palette)
    outline, *details = (Shape(shape.outline + there, shape.colour) for shape in shapes)
    line = (edge, palette.ink if style.line else palette.light)
    return Part(name, (outline,), (x, y), line=line), Part(f"{name}'s details", tuple(details), (x, y))


def _in_its_own_axes(
    points: Float[np.ndarray, "points 2"],
    middles: Float[np.ndarray, "tries 2"],
    turns: Float[np.ndarray, " tries"],
) -> tuple[Points, Points]:
    """How far points lie from each middle, along an axis turned clockwise by degrees and across it."""
    across, down = (points[:, axis] - middles[:, axis, None] for axis in (0, 1))
    cos, sin = (f(np.radians(turns))[:, None] for f in (np.cos, np.sin))
    return cos * across + sin * down, cos * down - sin * across


def _inside(
    name: str, u: Points, v: Points, half: Float[np.ndarray, "tries 1"], wide: Float[np.ndarray, "tries 1"]
) -> Bool[np.ndarray, "tries points"]:
    """Which points a cover of a kind lies over; its outlines are those of `_shapes`."""
    if name == "plank":
        return (np.abs(u) < half) & (np.abs(v) < wide)
    if name == "leaf":
        return np.abs(v) < wide * (1 - (u / half) ** 2)
    if name == "cushion":
        return (u / half) ** 4 + (v / wide) ** 4 < 1
    return np.any([(u - a * half) ** 2 + (v - b * half) ** 2 < (r * half) ** 2 for a, b, r in PUFFS], axis=0)


def _shapes(name: str, half: float, wide: float, palette: Palette) -> tuple[Shape, ...]:
    """A cover about (0, 0), its length to the right: its outline, and details within."""
    if name == "plank":
        grain = rectangles((-half, k * wide - 0.7, half, k * wide + 0.7) for k in (-0.4, 0.35))
        return Shape(box(-half, -wide, half, wide, 1.5), palette.second), Shape(grain, palette.dark)
    if name == "leaf":
        blade = path(f"M{-half:.1f} 0Q0 {-2 * wide:.1f} {half:.1f} 0Q0 {2 * wide:.1f} {-half:.1f} 0Z")
        return Shape(blade, palette.main), Shape(box(-half, -0.8, 0.8 * half, 0.8, 0.8), palette.shade)
    if name == "cushion":
        whole, seam = (box(-f * half, -f * wide, f * half, f * wide, 0.42 * f * half) for f in (1.0, 0.72))
        button = Shape(ellipse(0, 0, 0.14 * half), palette.dark)
        return Shape(whole, palette.main), Shape(seam, palette.second), button
    first, second = (hexadecimal(colour) for colour in palette.ground)
    puffs = discs((a * half, b * half, r * half) for a, b, r in PUFFS)
    inner = discs((a * half, b * half, 0.6 * r * half) for a, b, r in PUFFS)
    return Shape(puffs, first), Shape(puffs, first), Shape(inner, second)
