"""The eight categories held out for transfer: known kinds of parts in new arrangements.

They are drawn in a style of their own (`HELD_OUT_STYLE`): ink lines, dusty colours, hatching. A network
trained on the main categories has seen wheels, windows, eyes and ears, but none of these things.
"""

from zfutils.data.parts.catalogue import Category
from zfutils.data.parts.shapes import Shape, Sketch, box, ellipse, path, polygon, rectangles, ring_of
from zfutils.data.parts.shared_parts import add_nose, add_window


def mouse(s: Sketch) -> None:
    p, r = s.palette, s.about(21)
    s.ears(Shape(ellipse(28, -26, r), p.main), Shape(ellipse(28, -26, 0.62 * r), p.accent), at=(33, -33))
    face = path("M-34 4Q-32 -28 0 -28Q32 -28 34 4Q30 32 0 46Q-30 32 -34 4Z")
    s.add("head", (0, -8), Shape(face, p.main), textured=True)
    s.eyes(14, 2, 8.5)
    add_nose(s, 0, 36, 17, 15)


def frog(s: Sketch) -> None:
    p, wide, r = s.palette, s.about(46), s.about(19)
    for name, side in (("left brow", -1), ("right brow", 1)):
        s.add(name, (side * 38.5, -25), Shape(ellipse(side * 24, -21, r), p.main))
    s.add("head", (0, 0), Shape(ellipse(0, 10, wide, s.about(32)), p.main), textured=True)
    s.eyes(24, -24, 11)
    s.add("mouth", (0, 27), Shape(path("M-32 16Q0 26 32 16Q24 36 0 36Q-24 36 -32 16Z"), p.accent))


def tractor(s: Sketch) -> None:
    p, roof = s.palette, s.about(-42, 0.06)
    s.add("chimney", (28, -26), Shape(box(22, -38, 34, -8, 2), p.dark))
    s.add("bonnet", (30, 6), Shape(box(-4, -12, 46, 22, 5), p.main), textured=True)
    s.add("cab", (-37, -16), Shape(polygon((-40, roof), (4, roof), (8, 10), (-40, 10)), p.second))
    add_window(s, "window", -33, -33, -4, -8)
    s.wheel("rear wheel", -22, 20, s.about(26, 0.06))
    s.wheel("front wheel", 32, 30, 15)


def locomotive(s: Sketch) -> None:
    p = s.palette
    funnel = s.about(-40, 0.06)
    s.add("chimney", (32, -30), Shape(polygon((25, -10), (21, funnel), (43, funnel), (39, -10)), p.dark))
    s.add("dome", (6, -24), Shape(box(-5, -32, 17, -8, 10), p.accent))
    s.add("boiler", (20, 0), Shape(box(-22, -14, 49, 16, 7), p.main), textured=True)
    s.add("cab", (-34, 8), Shape(box(-46, -32, -14, 16), p.second))
    s.add("roof", (-40, -38), Shape(box(-50, -46, -10, -30, 3), p.dark))
    add_window(s, "window", -40, -25, -20, -6)
    s.add("frame", (45, 20), Shape(box(-48, 12, 49, 27, 2), p.light))
    for name, x in (("rear wheel", -32), ("middle wheel", -2), ("front wheel", 28)):
        s.wheel(name, x, 30, 13.5)


def cactus(s: Sketch) -> None:
    p, left, right = s.palette, s.spread(6), s.spread(6)
    arm = path(f"M-8 18H-20Q-38 18 -38 {left:.1f}V-12A8 8 0 0 1 -22 -12V0H-8Z")
    s.add("left arm", (-30, left - 4), Shape(arm, p.main))
    arm = path(f"M8 10H20Q38 10 38 {right - 8:.1f}V-22A8 8 0 0 0 22 -22V-8H8Z")
    s.add("right arm", (31, right - 12), Shape(arm, p.main))
    s.add("stem", (0, -10), Shape(box(-15, s.about(-46, 0.05), 15, 28, 15), p.main), textured=True)
    tips, dents = ring_of(5, 13, 0, (0, -38)), ring_of(5, 6.5, 36, (0, -38))
    star = polygon(*(point for pair in zip(tips, dents, strict=True) for point in pair))
    s.add("blossom", (0, -38), Shape(star, p.accent))
    s.add("pot", (0, 38), Shape(polygon((-26, 22), (26, 22), (19, 49), (-19, 49)), p.second))


def windmill(s: Sketch) -> None:
    p, turn, foot = s.palette, 90 * s.rng.random(), s.about(25)
    walls = polygon((-15, -10), (15, -10), (foot, 49), (-foot, 49))
    s.add("tower", (0.7 * foot, 42), Shape(walls, p.main), textured=True)
    s.add("roof", (17, -12), Shape(path("M-21 -8Q-16 -36 0 -38Q16 -36 21 -8Z"), p.second))
    s.add("door", (0, 40), Shape(path("M-8.5 49V32A8.5 8.5 0 0 1 8.5 32V49Z"), p.dark))
    for k, (x, y) in enumerate(ring_of(4, 24, turn, (0, -16))):
        vane = box(-7.5, -50, 7.5, -23, 1) + f' transform="rotate({turn + 90 * k:.1f} 0 -16)"'
        s.add(f"vane {k + 1}", (x, y), Shape(vane, p.light))
    s.add("hub", (0, -16), Shape(ellipse(0, -16, 8), p.accent))


def teapot(s: Sketch) -> None:
    p, belly = s.palette, s.about(30)
    handle = "M-26 -14Q-50 -18 -49 10Q-48 34 -22 30L-24 20Q-38 24 -38 8Q-38 -8 -26 -4Z"
    s.add("handle", (-43, 6), Shape(path(handle), p.second))
    s.add("spout", (42, 2), Shape(path("M22 24Q34 20 34 -6L40 -16L50 -12Q48 26 24 38Z"), p.second))
    s.add("foot", (0, 46), Shape(box(-20, 30, 20, 49, 3), p.second))
    s.add("body", (0, 20), Shape(ellipse(0, 8, belly + 2, belly), p.main), textured=True)
    s.add("lid", (8, -22), Shape(path("M-21 -14Q-18 -30 0 -30Q18 -30 21 -14Z"), p.accent))
    s.add("knob", (0, -37), Shape(ellipse(0, -37, 9), p.dark))


def gear(s: Sketch) -> None:
    p, count = s.palette, int(s.rng.integers(7, 11)) if s.jitter else 8
    turn, half = 360 * s.rng.random(), 3.2
    points = []
    for k in range(count):
        middle = turn + 360 * k / count
        for radius, offset in ((36, -1.6 * half), (48, -half), (48, half), (36, 1.6 * half)):
            points.append(ring_of(1, radius, middle + offset * 24 / count)[0])
    s.add("teeth", ring_of(1, 42, turn)[0], Shape(polygon(*points), p.main), textured=True)
    s.add("disc", (0, -24), Shape(ellipse(0, 0, s.about(30)), p.second))
    spokes = rectangles([(-4, -22, 4, 22), (-22, -4, 22, 4)]) + f' transform="rotate({turn:.1f})"'
    s.add("spokes", ring_of(1, 17, turn)[0], Shape(spokes, p.light))
    s.add("bore", (0, 0), Shape(ellipse(0, 0, 10), p.dark))


CATEGORIES = (
    Category("mouse", mouse),
    Category("frog", frog),
    Category("tractor", tractor, faces_either_way=True),
    Category("locomotive", locomotive, faces_either_way=True),
    Category("cactus", cactus, faces_either_way=True),
    Category("windmill", windmill),
    Category("teapot", teapot, faces_either_way=True),
    Category("gear", gear),
)
