"""Parts that several categories have, so that none of them gives a category away for certain.

Most cats have whiskers and most rabbits show their teeth; some do not, and some dogs do.
"""

from collections.abc import Sequence

from zfutils.data.parts.shapes import Point, Shape, Sketch, box, ellipse, path, polygon, rectangles

TYPICAL, EXCEPTIONAL = 0.75, 0.25  # how often a detail is there, of a kind that has it or of another one


def often(s: Sketch, typical: bool) -> bool:
    """Whether this individual has a detail that is typical of its kind, or is not."""
    return s.chance(TYPICAL if typical else EXCEPTIONAL)


def add_face(s: Sketch, *, eyes_at: Point, nose_at: float, typical: Sequence[str]) -> None:
    """Eyes and a nose, and what else a face may have: muzzle, whiskers, and a tongue or teeth."""
    p, x = s.palette, s.about(eyes_at[0])
    if often(s, "muzzle" in typical):
        patch = ellipse(0, nose_at + 5, s.about(20), s.about(15))
        s.add("muzzle", (13, nose_at + 8), Shape(patch, p.light if s.chance(0.5) else p.second))
    s.eyes(x, eyes_at[1], s.about(9, 0.05))
    if often(s, "whiskers" in typical):
        _add_whiskers(s, nose_at)
    if often(s, "tongue" in typical):
        low = nose_at + s.about(22, 0.1)
        tongue = f"M-7.5 {nose_at + 4:.1f}H7.5V{low:.1f}A7.5 6 0 0 1 -7.5 {low:.1f}Z"
        s.add("tongue", (0, low), Shape(path(tongue), p.accent))
    elif often(s, "teeth" in typical):
        low = nose_at + s.about(19, 0.1)
        pair = rectangles([(-7.5, nose_at + 4, -0.6, low), (0.6, nose_at + 4, 7.5, low)])
        s.add("teeth", (4, low - 4), Shape(pair, p.light))
    add_nose(s, 0, nose_at, 17, 15)


def _add_whiskers(s: Sketch, nose_at: float) -> None:
    ends = ((-3, 49, -10), (1, 50, 2), (5, 48, 13))
    lines = [
        ((20, nose_at + a - 0.9), (c, nose_at + b - 0.5), (c, nose_at + b + 0.5), (20, nose_at + a + 0.9))
        for a, c, b in ends
    ]
    for name, side in (("left whiskers", -1), ("right whiskers", 1)):
        strokes = ("M" + "L".join(f"{side * x:.1f} {y:.1f}" for x, y in line) + "Z" for line in lines)
        s.add(name, (side * 30, nose_at + 1.3), Shape(path("".join(strokes)), s.palette.dark))


def add_nose(s: Sketch, x: float, y: float, width: float, height: float) -> None:
    """A nose: a rounded triangle with its point downwards."""
    w, h = s.about(width) / 2, s.about(height) / 2
    outline = (
        f"M{x - w:.1f} {y - h:.1f}Q{x:.1f} {y - 1.5 * h:.1f} {x + w:.1f} {y - h:.1f}"
        f"Q{x + w:.1f} {y + 0.4 * h:.1f} {x:.1f} {y + h:.1f}"
        f"Q{x - w:.1f} {y + 0.4 * h:.1f} {x - w:.1f} {y - h:.1f}Z"
    )
    s.add("nose", (x, y), Shape(path(outline), s.palette.dark))


def add_window(s: Sketch, name: str, left: float, top: float, right: float, bottom: float) -> None:
    """A window with a glare across its pane."""
    middle = (left + right) / 2, (top + bottom) / 2
    pane = Shape(box(left, top, right, bottom, 2), s.palette.light)
    corners = (left + 2, bottom - 2), (left + 2, middle[1]), (middle[0], top + 2), (right - 3, top + 2)
    s.add(name, middle, pane, Shape(polygon(*corners), s.palette.second))


def add_fruit(s: Sketch, places: Sequence[Point], *, typical: bool) -> None:
    """Fruit, on most trees of a kind that has it."""
    if often(s, typical):
        for k, (x, y) in enumerate(places):
            x, y = x + s.spread(3), y + s.spread(3)
            glint = Shape(ellipse(x - 2.5, y - 2.5, 2.6), s.palette.light)
            s.add(f"fruit {k + 1}", (x, y), Shape(ellipse(x, y, 8.2), s.palette.accent), glint)
