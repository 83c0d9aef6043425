"""Animals and other faces: ears, horns and bows around a head, and an owl."""

from zfutils.data.parts.shapes import Point, Shape, Sketch, discs, ellipse, path, polygon, ring_of
from zfutils.data.parts.shared_parts import add_ears, add_head, horn


def cat(s: Sketch) -> None:
    high = s.about(33)
    outer = polygon((-15, 8), (3, -high), (15, 4))
    inner = polygon((-8, 4), (2.5, 9 - high), (9, 2))
    add_ears(s, outer, inner, (25, -17), s.about(10, 1), (28, -30))
    add_head(s, 9, 40, 34, whiskers=True)


def rabbit(s: Sketch) -> None:
    _long_eared(s, y=19, root=(13, -2), turn=s.about(9, 0.6), ears_at=(19, -32))


def dog(s: Sketch) -> None:
    _long_eared(s, y=0, root=(28, -21), turn=s.about(161, 0.03), ears_at=(39, -6))


def _long_eared(s: Sketch, *, y: float, root: Point, turn: float, ears_at: Point) -> None:
    half, length = s.about(11), s.about(24)
    outer, inner = ellipse(0, -length, half, length), ellipse(0, -length, 5.5, 0.7 * length)
    add_ears(s, outer, inner, root, turn, ears_at)
    add_head(s, y, 34, 29, whiskers=True)


def bear(s: Sketch) -> None:
    _round_eared(s, y=7, ears_at=(26, -23))


def monkey(s: Sketch) -> None:
    _round_eared(s, y=0, ears_at=(36, 0))


def _round_eared(s: Sketch, *, y: float, ears_at: Point) -> None:
    r = s.about(14)
    add_ears(s, ellipse(0, 0, r), ellipse(0, 0, 0.6 * r), ears_at, 0, (ears_at[0] + 5, ears_at[1] - 8))
    add_head(s, y, 34, 34, whiskers=True)


def unicorn(s: Sketch) -> None:
    _one_horned(s, y=13, horn_at=-15)


def rhino(s: Sketch) -> None:
    _one_horned(s, y=4, horn_at=2)


def _one_horned(s: Sketch, *, y: float, horn_at: float) -> None:
    _add_small_ears(s, (19, y - 26), 28)
    add_head(s, y, 32, 36)
    s.add("horn", (0, horn_at - 8), *horn(s, 0, horn_at, s.spread(3)))


def goat(s: Sketch) -> None:
    _add_small_ears(s, (25, -4), 85)
    s.pair("horn", *horn(s, 16, -18, s.about(38, 0.15)), at=(21, -25))
    add_head(s, 11, 31, 36)


def boar(s: Sketch) -> None:
    _add_small_ears(s, (25, -14), 85)
    add_head(s, 0, 31, 36)
    s.pair("horn", *horn(s, 24, 24, s.about(38, 0.15)), at=(29, 17))


def _add_small_ears(s: Sketch, root: Point, turn: float) -> None:
    outer, inner = path("M-7 4Q-11 -12 0 -24Q11 -12 7 4Z"), path("M-3.5 2Q-5 -10 0 -17Q5 -10 3.5 2Z")
    turn += s.spread(8)
    add_ears(s, outer, inner, root, turn, ring_of(1, 15, turn, root)[0])


def doll(s: Sketch) -> None:
    _with_bow(s, y=12, bow_at=-30)


def clown(s: Sketch) -> None:
    _with_bow(s, y=-12, bow_at=32)


def _with_bow(s: Sketch, *, y: float, bow_at: float) -> None:
    p, half, dyed = s.palette, s.about(24), s.chance(0.5)
    lobes = ((21, -27), (31, -18), (37, -6), (35, 6))
    curls = discs((x, y + dy, s.about(8.5)) for x, dy in lobes)
    s.pair("hair", Shape(curls, p.accent if dyed else p.dark), at=(40, y - 5))
    s.add(
        "head", (0, y - 22), Shape(ellipse(0, y, s.about(32, 0.06), s.about(30, 0.06)), p.main), textured=True
    )
    s.eyes(13, y - 8, 9)
    s.add(
        "nose",
        (0, y + 4),
        Shape(ellipse(0, y + 4, s.about(7)), p.second),
        Shape(ellipse(-2, y + 2, 2), p.light),
    )
    smile = f"M-17 {y + 10:.1f}Q0 {y + 20:.1f} 17 {y + 10:.1f}Q{s.about(13):.1f} {y + 25:.1f} 0 {y + 25:.1f}"
    smile += f"Q-13 {y + 25:.1f} -17 {y + 10:.1f}Z"
    s.add("mouth", (0, y + 20), Shape(path(smile), p.dark))
    loops = polygon((-half, bow_at - 12), (half, bow_at + 12), (half, bow_at - 12), (-half, bow_at + 12))
    s.add("bow", (0.8 * half, bow_at), Shape(loops, p.accent), Shape(ellipse(0, bow_at, 6.5), p.light))


def owl(s: Sketch) -> None:
    p = s.palette
    s.pair("ear", Shape(polygon((6, -32), (33, -50), (34, -18)), p.main), at=(27, -38))
    s.add("body", (0, -27), Shape(ellipse(0, 4, s.about(35), 44), p.main), textured=True)
    s.add("belly", (0, 36), Shape(ellipse(0, 26, s.about(20), s.about(19)), p.second))
    s.pair("wing", Shape(ellipse(32, 16, 10, s.about(24), -12), p.accent), at=(33, 18))
    s.eyes(16.5, -13, 15)
    s.add("beak", (0, 3), Shape(polygon((-8, -4), (8, -4), (0, s.about(14))), p.accent))
