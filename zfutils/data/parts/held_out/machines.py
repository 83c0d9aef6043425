"""Held-out machines: wheels, windows and eyes on things that the main categories do not have."""

from zfutils.data.parts.shapes import Shape, Sketch, box, ellipse, limb, path, polygon, rectangles, ring_of
from zfutils.data.parts.shared_parts import add_window


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


def bicycle(s: Sketch) -> None:
    p, lean = s.palette, s.spread(3)
    s.wheel("rear wheel", -27, 22, 22)
    s.wheel("front wheel", 27, 22, 22)
    tubes = (-28, 20, -10, -16), (-10, -16, 20, -14), (-2, 24, 20, -14), (-2, 24, -12, -20), (-28, 20, -2, 24)
    frame = "".join(limb(*tube, 3) for tube in tubes)
    s.add("frame", (5, -15), Shape(path(frame), p.main))
    s.add("fork", (24, 4), Shape(path(limb(28, 22, 18 + lean, -34, 3)), p.main))
    s.add(
        "saddle", (-14, -24), Shape(path("M-30 -28Q-14 -32 0 -25Q0 -19 -8 -19H-22Q-32 -20 -30 -28Z"), p.dark)
    )
    bar = f"M{14 + lean:.1f} -42h20q12 2 10 16h-8q1 -7 -4 -8h-18Z"
    s.add("handlebar", (24 + lean, -38), Shape(path(bar), p.second))
    s.add("crank", (-2, 24), Shape(ellipse(-2, 24, 8.5), p.accent))


def submarine(s: Sketch) -> None:
    p, top = s.palette, s.about(-24, 0.1)
    s.add("periscope", (9, top - 12), Shape(path(f"M2 -2V{top - 16:.1f}H24V{top - 7:.1f}H10V-2Z"), p.dark))
    s.add("tower", (-14, top + 6), Shape(polygon((-19, 4), (-14, top), (16, top), (20, 4)), p.second))
    blades = polygon((-40, 12), (-49, -10), (-44, -12), (-38, 8), (-44, 38), (-49, 36))
    s.add("propeller", (-45, 0), Shape(blades, p.accent))
    s.add("hull", (-26, 22), Shape(ellipse(4, 14, 45, s.about(25, 0.06)), p.main), textured=True)
    for k, x in enumerate((-17, 8, 32)):
        pane = Shape(ellipse(x, 10, 9.5), p.dark), Shape(ellipse(x, 10, 6.5), p.light)
        s.add(f"window {k + 1}", (x, 10), *pane)


def robot(s: Sketch) -> None:
    p, wide, high = s.palette, s.about(25), s.about(-36, 0.05)
    s.add("antenna", (0, high - 9), Shape(path(f"M-2 -30V{high - 4:.1f}H2V-30Z"), p.dark),
          Shape(ellipse(0, high - 7, 5.5), p.accent))  # fmt: skip
    for name, side in (("left", -1), ("right", 1)):
        arm, leg = side * 38, side * 13
        s.add(f"{name} arm", (arm, 18), Shape(box(arm - 6, 0, arm + 6, s.about(33), 6), p.second))
        s.add(f"{name} leg", (leg, 44), Shape(box(leg - 8, 32, leg + 8, 49, 2), p.dark))
    s.add("torso", (-20, 30), Shape(box(-30, 0, 30, 38, 5), p.main), textured=True)
    s.add("head", (0, -5), Shape(box(-wide, high + 2, wide, -3, 6), p.second))
    s.eyes(11.5, -21, 8.5)
    s.add("mouth", (0, -8), Shape(rectangles([(-12, -10.5, 12, -5.5)]), p.dark))
    for k, x in enumerate((-13, 0, 13)):
        s.add(f"button {k + 1}", (x, 14), Shape(ellipse(x, 14, 5), p.accent))


def balloon(s: Sketch) -> None:
    p, wide = s.palette, s.about(35)
    for name, side in (("left rope", -1), ("right rope", 1)):
        rope = polygon((side * 18, 10), (side * 22, 8), (side * 12, 36), (side * 8, 36))
        s.add(name, (side * 14, 26), Shape(rope, p.dark))
    left, right = f"Q{-wide - 4:.1f} 2 {-wide:.1f} -18", f"{wide:.1f} -18Q{wide + 4:.1f} 2 12 20"
    skin = f"M-12 20{left}A{wide:.1f} 31 0 0 1 {right}Z"
    s.add("envelope", (-0.8 * wide, -12), Shape(path(skin), p.main), textured=True)
    gore = "M-5 20Q-19 -12 0 -49Q19 -12 5 20Z"
    s.add("gore", (0, -20), Shape(path(gore), p.accent))
    s.add("basket", (0, 42), Shape(polygon((-14, 32), (14, 32), (11, 49), (-11, 49)), p.second))


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
