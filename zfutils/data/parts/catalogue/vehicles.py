"""Vehicles: cabins, windows, wheels and loads in different orders; a rocket, a plane and a boat."""

from zfutils.data.parts.shapes import Shape, Sketch, box, ellipse, path, polygon
from zfutils.data.parts.shared_parts import add_knob, add_window


def car(s: Sketch) -> None:
    _saloon(s)
    add_knob(s, "lamp", 41.5, 4.5)


def police_car(s: Sketch) -> None:
    roof = _saloon(s)
    add_knob(s, "lamp", s.about(-6, 0.5), roof - 5)


def _saloon(s: Sketch) -> float:
    """A car from saloon to estate; returns where its roof is."""
    p, roof, back = s.palette, s.about(-27), -28 + s.spread(9)
    s.add("cabin", (-5, roof + 3), Shape(polygon((-38, 2), (back, roof), (15, roof), (31, 2)), p.second))
    add_window(s, "rear window", max(back + 3, -27), roof + 6, -3.5, -2)
    add_window(s, "front window", 1.5, roof + 6, 17, -2)
    body = "M-48 6Q-48 -3 -40 -3H33Q48 0 48 10V22Q48 25 45 25H-45Q-48 25 -48 22Z"
    s.add("body", (0, 10), Shape(path(body), p.main), textured=True)
    apart = s.about(28)
    s.wheel("rear wheel", -apart, 24, 13.5)
    s.wheel("front wheel", apart, 24, 13.5)
    return roof


def bus(s: Sketch) -> None:
    _coach(s, columns=(-43, -25.5, -8, 9.5), rows=(8,))


def double_decker(s: Sketch) -> None:
    _coach(s, columns=(-41, -7), rows=(6, 25))


def _coach(s: Sketch, *, columns: tuple[float, ...], rows: tuple[float, ...]) -> None:
    p, top = s.palette, s.about(-34, 0.06)
    s.add("body", (-16, 10), Shape(box(-49, top, 49, 25, s.about(8, 0.5)), p.main), textured=True)
    corners = [(x, top + y) for y in rows for x in columns]
    for k, (x, y) in enumerate(corners):
        add_window(s, f"window {k + 1}", x, y, x + 14, y + 14)
    s.add("door", (37, 6), Shape(box(29, top + 8, 45, 25, 2), p.second))
    apart = s.about(27)
    s.wheel("rear wheel", -apart, 25, 12)
    s.wheel("front wheel", apart - s.about(8, 1), 25, 12)


def truck(s: Sketch) -> None:
    p, top, joint = s.palette, s.about(-14, 0.25), s.about(12, 0.2)
    s.add("pipe", (joint + 6, -30), Shape(box(joint, s.about(-44, 0.06), joint + 11, 4, 3), p.accent))
    s.add("box", (joint - 28, 4), Shape(box(-49, top, joint - 1, 24, 3), p.main), textured=True)
    s.add(
        "cab",
        (joint + 25, 8),
        Shape(path(f"M{joint + 1:.1f} -17H36Q40 -17 42 -10L47 4V24H{joint + 1:.1f}Z"), p.second),
    )
    add_window(s, "window", joint + 9, -11, joint + 25, 3)
    _wheels(s, (-34, -9, 31))


def tank(s: Sketch) -> None:
    p, top, half = s.palette, s.about(-8, 0.25), s.about(43, 0.05)
    s.add("pipe", (35, -21), Shape(box(4, -26, s.about(47, 0.04), -15, 3), p.accent))
    s.add("cab", (-9, -32), Shape(polygon((-19, top), (-14, -38), (13, -38), (18, top)), p.second))
    add_window(s, "window", -8, -32, 8, -18)
    s.add("box", (0, 3), Shape(box(-half, top, half, 24, 6), p.main), textured=True)
    _wheels(s, (-28, 0, 28))


def _wheels(s: Sketch, at: tuple[float, float, float]) -> None:
    for name, x in zip(("rear wheel", "middle wheel", "front wheel"), at, strict=True):
        s.wheel(name, x, 26, 11)


def rocket(s: Sketch) -> None:
    _winged(s, fins_at=13)


def plane(s: Sketch) -> None:
    _winged(s, fins_at=-18)


def _winged(s: Sketch, *, fins_at: float) -> None:
    p, top, sweep = s.palette, fins_at + s.spread(3), s.about(14, 0.3)
    s.add("tail", (0, 44), Shape(polygon((-11, 34), (11, 34), (23, 49), (-23, 49)), p.dark))
    fin = polygon((9, top - 4), (48, top + sweep - 2), (48, top + sweep + 14), (9, top + 25))
    s.pair("fin", Shape(fin, p.second), at=(33, top + 0.6 * sweep + 9))
    body = "M0 -49Q17 -36 17 -10V36Q17 42 11 42H-11Q-17 42 -17 36V-10Q-17 -36 0 -49Z"
    s.add("fuselage", (0, 30), Shape(path(body), p.main), textured=True)
    for k, y in enumerate((-22, 0)):
        glare = Shape(ellipse(-2, y - 2, 2.5), p.second)
        s.add(f"window {k + 1}", (0, y), Shape(ellipse(0, y, s.about(7.5, 0.05)), p.light), glare)


def boat(s: Sketch) -> None:
    p, top = s.palette, s.about(-44, 0.06)
    sails = (p.light, p.second) if s.chance(0.5) else (p.second, p.accent)
    s.add("mast", (0, 18), Shape(box(-6, top - 3, 6, 26, 2), p.dark))
    s.add("main sail", (18, 4), Shape(polygon((6, top), (s.about(43), 15), (6, 15)), sails[0]))
    s.add("jib", (-16, 5), Shape(polygon((-6, top + 9), (-6, 15), (s.about(-36), 15)), sails[1]))
    s.add("hull", (0, 32), Shape(path("M-49 20H49Q44 46 26 48H-26Q-44 46 -49 20Z"), p.main), textured=True)
