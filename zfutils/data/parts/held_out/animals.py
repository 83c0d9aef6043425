"""Held-out animals: faces, wings, shells and claws in arrangements that the main categories do not have."""

from zfutils.data.parts.shapes import Shape, Sketch, ellipse, limb, path, polygon
from zfutils.data.parts.shared_parts import add_nose


def mouse(s: Sketch) -> None:
    p, r = s.palette, s.about(21)
    s.pair(
        "ear", Shape(ellipse(28, -26, r), p.main), Shape(ellipse(28, -26, 0.62 * r), p.accent), at=(33, -33)
    )
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


def elephant(s: Sketch) -> None:
    p, wide, swing = s.palette, s.about(20), s.spread(9)
    s.pair(
        "ear",
        Shape(ellipse(30, -8, wide, s.about(29)), p.main),
        Shape(ellipse(31, -6, 0.6 * wide, 18), p.accent),
        at=(40, -8),
    )
    s.add("head", (0, -28), Shape(ellipse(0, -8, s.about(25), s.about(31)), p.main), textured=True)
    for name, side in (("left tusk", -1), ("right tusk", 1)):
        tusk = polygon((side * 7, 18), (side * 18, 14), (side * 24, 37))
        s.add(name, (side * 17, 24), Shape(tusk, p.light))
    tip = 20 + swing
    snout = f"M-9 2H9L8 22Q8 36 {tip:.1f} 35L{tip + 1:.1f} 48Q-8 51 -8 26Z"
    s.add("snout", (0, 20), Shape(path(snout), p.second))
    s.eyes(12.5, -14, 8)


def snail(s: Sketch) -> None:
    p, r = s.palette, s.about(28, 0.06)
    for name, x in (("rear eye", 27), ("front eye", 42)):
        stalk = polygon((x - 2, -18), (x + 2, -18), (39, 26), (33, 26))
        s.add(name.replace("eye", "stalk"), (36, 12), Shape(stalk, p.main))
        s.eye(name, x, -22, 8.5)
    foot = "M-49 47Q-40 34 -20 34H22Q26 12 38 12Q49 13 48 28Q46 47 26 47Z"
    s.add("foot", (38, 36), Shape(path(foot), p.main), textured=True)
    s.add("shell", (-30, 14), Shape(ellipse(-10, 10, r), p.second))
    coil = Shape(ellipse(-7, 12, 0.68 * r), p.accent), Shape(ellipse(-4, 10, 0.36 * r), p.dark)
    s.add("coil", (-12, 24), *coil)


def fish(s: Sketch) -> None:
    p, high = s.palette, s.about(27)
    s.add("tail", (-40, 2), Shape(polygon((-24, 2), (-49, -24), (-42, 2), (-49, 28)), p.second))
    upper = f"M-18 -14Q-12 {-high - 17:.1f} 18 {-high - 13:.1f}L20 -14Z"
    s.add("upper fin", (-2, -32), Shape(path(upper), p.accent))
    lower = f"M-12 16Q-10 {high + 16:.1f} 10 {high + 14:.1f}L12 16Z"
    s.add("lower fin", (-4, 34), Shape(path(lower), p.accent))
    back, below = f"Q-8 {-1.35 * high:.1f} 24 {-0.86 * high:.1f}", f"24 {0.9 * high:.1f}Q-8 {1.4 * high:.1f}"
    flank = f"M-32 2{back}Q44 -14 49 4Q42 22 {below} -32 2Z"
    s.add("flank", (-8, 8), Shape(path(flank), p.main), textured=True)
    s.add("side fin", (0, 12), Shape(path("M10 4Q-8 2 -14 16Q0 24 10 14Z"), p.second))
    s.eye("eye", 27, -6, 9.5)


def butterfly(s: Sketch) -> None:
    p, spread, spot = s.palette, s.about(25), s.about(8, 0.05)
    for name, side in (("left", -1), ("right", 1)):
        feeler = polygon((side * 2, -26), (side * 18, -48), (side * 22, -45), (side * 4, -22))
        s.add(f"{name} feeler", (side * 15, -41), Shape(feeler, p.dark))
        lower = Shape(ellipse(side * 22, 26, s.about(19), s.about(20), side * -30), p.second)
        s.add(f"{name} lower wing", (side * 30, 34), lower)
        upper = Shape(ellipse(side * 27, -10, spread, s.about(22), side * -35), p.main)
        s.add(f"{name} upper wing", (side * 40, -18), upper, textured=True)
        s.add(f"{name} spot", (side * 27, -9), Shape(ellipse(side * 27, -9, spot), p.accent))
    s.add("thorax", (0, 20), Shape(ellipse(0, 8, 6.5, 34), p.dark))


def crab(s: Sketch) -> None:
    p, wide, lift = s.palette, s.about(32), s.spread(5)
    for name, side in (("left", -1), ("right", 1)):
        legs = ((side * 22, 26 + a, side * (44 - 4 * k), 34 + 6 * k) for k, a in enumerate((-6, 2, 10)))
        strokes = (limb(*leg, 2.6) for leg in legs)
        s.add(f"{name} legs", (side * 39, 36), Shape(path("".join(strokes)), p.second))
        arm = limb(side * 24, 10, side * 38, -8 + lift, 4)
        s.add(f"{name} arm", (side * 33, -1 + lift), Shape(path(arm), p.second))
        x, y = side * 36, -24 + lift
        pinch = f"L{x - side} {y + 1:.1f}L{x - 12 * side} {y - 16:.1f}"
        claw = (
            f"M{x} {y + 16:.1f}Q{x + 18 * side} {y + 8:.1f} {x + 11 * side} {y - 18:.1f}"
            f"{pinch}Q{x - 18 * side} {y + 6:.1f} {x} {y + 16:.1f}Z"
        )
        s.add(f"{name} claw", (x, y + 9), Shape(path(claw), p.accent))
        s.add(f"{name} stalk", (side * 11, -6), Shape(path(limb(side * 11, 6, side * 11, -16, 2.6)), p.main))
    s.add("carapace", (0, 32), Shape(ellipse(0, 20, wide, s.about(22)), p.main), textured=True)
    s.eyes(11.5, -19, 8.5)
    s.add("mouth", (0, 26), Shape(path("M-13 21Q0 27 13 21Q10 33 0 33Q-10 33 -13 21Z"), p.light))
