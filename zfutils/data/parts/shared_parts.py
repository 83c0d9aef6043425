"""Parts that several categories have, so that none of them gives a category away for certain.

Whatever may be there or not (whiskers, tongue, chimney, fruit) is equally probable in all categories that
have it at all, so that it never tells them apart either.
"""

from collections.abc import Sequence

from zfutils.data.parts.shapes import (
    Point,
    Shape,
    Sketch,
    box,
    discs,
    ellipse,
    path,
    placed,
    polygon,
    rectangles,
    ring_of,
)

OFTEN = 0.5  # probability of an optional detail


def often(s: Sketch) -> bool:
    """Whether this individual has an optional detail."""
    return s.chance(OFTEN)


def add_head(s: Sketch, y: float, wide: float, high: float, *, whiskers: bool = False) -> None:
    """A head seen from the front, with its face.

    Args:
        s: the sketch.
        y: of the head's middle.
        wide, high: half its width and height.
        whiskers: whether there may be some.
    """
    p, wide, high = s.palette, s.about(wide, 0.06), s.about(high, 0.06)
    eyes_at, nose_at = y - 0.22 * high, y + 0.26 * high
    s.add("head", (0.6 * wide, y - 0.62 * high), Shape(ellipse(0, y, wide, high), p.main), textured=True)
    if often(s):
        patch = ellipse(0, nose_at + 5, s.about(18), s.about(14))
        s.add("muzzle", (13, nose_at + 6), Shape(patch, p.light if s.chance(0.5) else p.second))
    s.eyes(0.47 * wide, eyes_at, 9)
    if whiskers and often(s):
        _add_whiskers(s, nose_at)
    if often(s):
        _add_tongue(s, nose_at)
    elif often(s):
        low = nose_at + s.about(19, 0.1)
        pair = rectangles([(-7.5, nose_at + 4, -0.6, low), (0.6, nose_at + 4, 7.5, low)])
        s.add("teeth", (4, low - 3), Shape(pair, p.light))
    add_nose(s, 0, nose_at, 17, 15)


def _add_tongue(s: Sketch, nose_at: float) -> None:
    low = nose_at + s.about(18, 0.1)
    tongue = f"M-7.5 {nose_at + 4:.1f}H7.5V{low:.1f}A7.5 6 0 0 1 -7.5 {low:.1f}Z"
    s.add("tongue", (0, low), Shape(path(tongue), s.palette.accent))


def _add_whiskers(s: Sketch, nose_at: float) -> None:
    ends = ((-3, 49, -10), (1, 50, 2), (5, 48, 13))
    lines = [
        ((20, nose_at + a - 0.9), (c, nose_at + b - 0.5), (c, nose_at + b + 0.5), (20, nose_at + a + 0.9))
        for a, c, b in ends
    ]
    strokes = ("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) + "Z" for line in lines)
    s.pair("whiskers", Shape(path("".join(strokes)), s.palette.dark), at=(30, nose_at + 1.3))


def add_nose(s: Sketch, x: float, y: float, width: float, height: float) -> None:
    """A nose: a rounded triangle with its point downwards."""
    w, h = s.about(width) / 2, s.about(height) / 2
    outline = (
        f"M{x - w:.1f} {y - h:.1f}Q{x:.1f} {y - 1.5 * h:.1f} {x + w:.1f} {y - h:.1f}"
        f"Q{x + w:.1f} {y + 0.4 * h:.1f} {x:.1f} {y + h:.1f}"
        f"Q{x - w:.1f} {y + 0.4 * h:.1f} {x - w:.1f} {y - h:.1f}Z"
    )
    s.add("nose", (x, y), Shape(path(outline), s.palette.dark))


def add_ears(s: Sketch, outer: str, inner: str, root: Point, turn: float, key_point: Point) -> None:
    """A pair of ears, each with its inside.

    Args:
        s: the sketch.
        outer, inner: outlines of an ear that stands upright on the origin.
        root: where the right one stands.
        turn: how far it leans outwards, in degrees.
        key_point: on the right one.
    """
    p = s.palette
    colours = p.main if s.chance(0.5) else p.second, p.accent if s.chance(0.5) else p.dark
    shapes = (Shape(placed(o, *root, turn), c) for o, c in zip((outer, inner), colours, strict=True))
    s.pair("ear", *shapes, at=key_point)


def horn(s: Sketch, x: float, y: float, turn: float) -> tuple[Shape, Shape]:
    """A ringed horn that stands on (x, y), 28 units long, turned clockwise by degrees."""
    p, half = s.palette, s.about(6.5)
    cone = path(f"M{-half:.1f} 2Q0 6 {half:.1f} 2L0.8 -28H-0.8Z")
    rings = path("M-6 -2L6 -5V-1.5L-6 1.5ZM-4 -10L4 -12.5V-9.5L-4 -7Z")
    return Shape(placed(cone, x, y, turn), p.light), Shape(placed(rings, x, y, turn), p.dark)


def add_window(s: Sketch, name: str, left: float, top: float, right: float, bottom: float) -> None:
    """A window with a glare across its pane."""
    middle = (left + right) / 2, (top + bottom) / 2
    pane = Shape(box(left, top, right, bottom, 2), s.palette.light if s.lit else s.palette.dark)
    corners = (left + 2, bottom - 2), (left + 2, middle[1]), (middle[0], top + 2), (right - 3, top + 2)
    s.add(name, middle, pane, Shape(polygon(*corners), s.palette.second))


def add_knob(s: Sketch, name: str, x: float, y: float) -> None:
    """A round thing with a ring around it: a lamp or a knob."""
    r = s.about(6.8, 0.05)
    s.add(
        name,
        (x, y),
        Shape(ellipse(x, y, r), s.palette.light),
        Shape(ellipse(x, y, 0.66 * r), s.palette.accent),
    )


def add_leaf(s: Sketch, name: str, x: float, y: float, turn: float) -> None:
    """A leaf that grows out of (x, y), 34 units long; it points upwards, turned clockwise by degrees."""
    bend, turn = s.about(25), turn + s.spread(4)
    blade = path(f"M0 0Q{-bend:.1f} -14 0 -34Q{bend:.1f} -14 0 0Z")
    (dx, dy) = ring_of(1, 17, turn)[0]
    rib = box(-1, -28, 1, -3)
    shapes = Shape(placed(blade, x, y, turn), s.palette.main), Shape(placed(rib, x, y, turn), s.palette.light)
    s.add(name, (x + dx, y + dy), *shapes)


def add_fruit(s: Sketch, places: Sequence[Point]) -> None:
    """Fruit, numbered."""
    for k, (x, y) in enumerate(places):
        x, y = x + s.spread(1.5), y + s.spread(1.5)
        glint = Shape(ellipse(x - 2.5, y - 2.5, 2.6), s.palette.light)
        s.add(f"fruit {k + 1}", (x, y), Shape(ellipse(x, y, 8.2), s.palette.accent), glint)


def add_blossom(s: Sketch, x: float, y: float) -> None:
    """A round blossom of six lobes."""
    lobes = discs([(x, y, 10), *((a, b, 9.5) for a, b in ring_of(6, 12.5, s.spread(30), (x, y)))])
    middle = Shape(ellipse(x, y, 7.5), s.palette.dark if s.chance(0.5) else s.palette.light)
    s.add("blossom", (x, y), Shape(lobes, s.palette.second), middle)
