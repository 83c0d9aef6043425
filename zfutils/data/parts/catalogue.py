"""The sixteen categories of the main networks: which parts they have and how these are arranged.

Categories share their parts (eyes, noses, ears; wheels; windows, doors) and differ by which parts there are
and where they sit, never by colour. Each function draws one object into a sketch, in object units.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zfutils.data.parts.shapes import Shape, Sketch, box, discs, ellipse, path, polygon, rectangles, ring_of
from zfutils.data.parts.shared_parts import add_face, add_fruit, add_window, often


@dataclass(frozen=True)
class Category:
    """A category: its name, how it is drawn, and whether it may face either way."""

    name: str
    draw: Callable[[Sketch], None]
    faces_either_way: bool = False


def cat(s: Sketch) -> None:
    p, wide, tip = s.palette, s.about(40), s.about(34)
    s.ears(
        Shape(polygon((9, -20), (tip, -49), (39, -2)), p.main),
        Shape(polygon((18, -20), (tip - 2, -40), (34, -10)), p.accent),
        at=(29, -24),
    )
    s.add("head", (0, -15), Shape(ellipse(0, 9, wide, s.about(34)), p.main), textured=True)
    add_face(s, eyes_at=(17, 2), nose_at=21, typical=["whiskers"])


def dog(s: Sketch) -> None:
    p, hang = s.palette, s.about(25)
    s.add("head", (0, -26), Shape(ellipse(0, 2, s.about(33), s.about(40)), p.main), textured=True)
    s.ears(Shape(ellipse(34, -6, s.about(12.5), hang, -14), p.second), at=(35, -4))
    add_face(s, eyes_at=(14, -9), nose_at=14, typical=["muzzle", "tongue"])


def rabbit(s: Sketch) -> None:
    p, lean, ear = s.palette, s.about(9, 0.6), s.about(25)
    s.ears(
        Shape(ellipse(15, -24, s.about(11), ear, lean), p.main),
        Shape(ellipse(15, -23, 5.5, 0.72 * ear, lean), p.accent),
        at=(16, -26),
    )
    s.add("head", (0, 3), Shape(ellipse(0, 20, s.about(33), s.about(29)), p.main), textured=True)
    add_face(s, eyes_at=(15, 13), nose_at=26, typical=["teeth"])


def bear(s: Sketch) -> None:
    p, r = s.palette, s.about(15.5)
    s.ears(Shape(ellipse(30, -28, r), p.main), Shape(ellipse(30, -28, 0.6 * r), p.dark), at=(31, -31))
    s.add("head", (0, -22), Shape(ellipse(0, 6, s.about(41, 0.05), s.about(38, 0.05)), p.main), textured=True)
    add_face(s, eyes_at=(17, -3), nose_at=18, typical=["muzzle"])


def owl(s: Sketch) -> None:
    p, wide = s.palette, s.about(35)
    s.ears(Shape(polygon((6, -32), (33, -50), (34, -18)), p.main), at=(27, -38))
    s.add("body", (0, -27), Shape(ellipse(0, 4, wide, 44), p.main), textured=True)
    s.add("belly", (0, 36), Shape(ellipse(0, 26, s.about(20), s.about(19)), p.second))
    for name, side in (("left wing", -1), ("right wing", 1)):
        s.add(name, (side * 33, 18), Shape(ellipse(side * 32, 16, 10, s.about(24), side * -12), p.accent))
    s.eyes(16.5, -13, 15)
    s.add("beak", (0, 3), Shape(polygon((-8, -4), (8, -4), (0, s.about(14))), p.accent))


def car(s: Sketch) -> None:
    p, roof, back = s.palette, s.about(-27), -28 + s.spread(9)  # from saloon to estate
    s.add("cabin", (0, roof + 3), Shape(polygon((-38, 2), (back, roof), (15, roof), (31, 2)), p.second))
    add_window(s, "rear window", max(back + 3, -27), roof + 6, -3.5, -2)
    add_window(s, "front window", 1.5, roof + 6, 17, -2)
    body = "M-48 6Q-48 -3 -40 -3H33Q48 0 48 10V22Q48 25 45 25H-45Q-48 25 -48 22Z"
    s.add("body", (0, 10), Shape(path(body), p.main), textured=True)
    apart = s.about(28)
    s.wheel("rear wheel", -apart, 24, 13.5)
    s.wheel("front wheel", apart, 24, 13.5)


def bus(s: Sketch) -> None:
    p, top, count = s.palette, s.about(-33), 2 + s.chance(0.9) + s.chance(0.3)
    s.add("body", (0, 12), Shape(box(-49, top, 49, 25, s.about(8, 0.5)), p.main), textured=True)
    pitch = 70 / count
    for k in range(count):
        left = -43 + pitch * k
        add_window(s, f"window {k + 1}", left, top + 8, left + pitch - 3.5, top + 27)
    s.add("door", (37, 6), Shape(box(29, top + 8, 45, 25, 2), p.second))
    apart = s.about(27)
    s.wheel("rear wheel", -apart, 25, 12.5)
    s.wheel("front wheel", apart - s.about(8, 1), 25, 12.5)


def truck(s: Sketch) -> None:
    p, top, joint = s.palette, s.about(-34), s.about(12, 0.3)
    s.add("cargo", (joint - 28, 10), Shape(box(-49, top, joint, 18, 3), p.main), textured=True)
    if often(s, False):
        add_window(s, "rear window", joint - 50, top + 8, joint - 32, top + 26)
        add_window(s, "middle window", joint - 26, top + 8, joint - 8, top + 26)
    cab = f"M{joint + 3:.1f} -14H36Q40 -14 42 -8L48 4V25H-48V18H{joint + 3:.1f}Z"
    s.add("cab", (30, 12), Shape(path(cab), p.second))
    add_window(s, "front window", joint + 9, -9, joint + 24, 5)
    s.wheel("rear wheel", -35, 25, 11)
    s.wheel("middle wheel", -11, 25, 11)
    s.wheel("front wheel", 33, 25, 11)


def tree(s: Sketch) -> None:
    p, half, fork = s.palette, s.about(7.5), s.about(-14, 0.3)
    lobes = [(x, y, s.about(20)) for x, y in ring_of(6, s.about(22), s.spread(30), (0, -14))]
    s.add("crown", (-8, -22), Shape(discs([(0, -14, 26), *lobes]), p.main), textured=True)
    branches = (
        f"L-22 {fork:.1f}L-16 {fork - 3:.1f}L-2 4L-3 {fork - 6:.1f}H3L2 4L16 {fork - 3:.1f}L22 {fork:.1f}"
    )
    forks = branches if often(s, True) else ""
    trunk = f"M{-half - 4:.1f} 49L{-half:.1f} 12{forks}L{half:.1f} 12L{half + 4:.1f} 49Z"
    s.add("trunk", (0, 36), Shape(path(trunk), p.dark))
    add_fruit(s, ring_of(3, 25, s.spread(15), (0, -14)), typical=True)


def fir(s: Sketch) -> None:
    p, wide, snowed = s.palette, s.about(40), often(s, True)
    s.add("trunk", (0, 46), Shape(box(-8.5, 34, 8.5, 50), p.dark))
    tiers = (("lower tier", 10, 40, 1.0), ("middle tier", -14, 19, 0.82), ("upper tier", -40, -3, 0.62))
    for name, top, bottom, share in tiers:
        half = s.about(wide * share, 0.06)
        shapes = [Shape(polygon((0, top - 12), (half, bottom), (-half, bottom)), p.main)]
        if snowed:
            hem = [(x, bottom - (7 if k % 2 else 1)) for k, x in enumerate(np.linspace(-half, half, 8)[1:-1])]
            shapes.append(Shape(polygon((-half, bottom), *hem, (half, bottom)), p.light))
        else:
            shapes.append(Shape(polygon((0, top - 12), (half, bottom), (0.3 * half, bottom)), p.shade))
        s.add(name, (-1, bottom - 8), *shapes)
    add_fruit(s, [(-15, 29), (12, 29), (0, -25)], typical=False)


def flower(s: Sketch) -> None:
    p, count = s.palette, int(s.rng.integers(5, 8)) if s.jitter else 6
    phase, reach, streaked = 180 * s.rng.random(), s.about(29, 0.05), often(s, True)
    half = 76 / count + s.spread(1.2)
    for k, (x, y) in enumerate(ring_of(count, reach, phase)):
        turn = phase + 360 * k / count
        shapes = [Shape(ellipse(x, y, half, 20, turn), p.main if k % 2 or count % 2 else p.shade)]
        if streaked:
            shapes.append(Shape(ellipse(x, y, 0.28 * half, 14, turn), p.light))
        s.add(f"petal {k + 1}", (1.25 * x, 1.25 * y), *shapes)
    middle = s.about(16)
    seeds = discs((x, y, 2.2) for x, y in ring_of(6, 0.6 * middle, phase))
    s.add("centre", (0, 0), Shape(ellipse(0, 0, middle), p.dark), Shape(seeds, p.accent))


def house(s: Sketch) -> None:
    p, half, eaves, ridge = s.palette, s.about(36), s.about(-6, 0.5), s.about(-47, 0.05)
    if s.chance(0.6):
        s.add("chimney", (24, -38), Shape(box(16, -46, 32, -10), p.accent))
    s.add("wall", (0, 2), Shape(box(-half, eaves - 3, half, 48), p.main), textured=True)
    beam = Shape(polygon((-49, eaves), (-44, eaves - 4.5), (44, eaves - 4.5), (49, eaves)), p.light)
    tiles, planks = (p.dark, p.second) if often(s, True) else (p.second, p.dark)
    s.add("roof", (0, -22), Shape(polygon((-49, eaves), (0, ridge), (49, eaves)), tiles), beam)
    at = s.spread(5)
    door = Shape(box(at - 26, 12, at - 7, 48, 2), planks), Shape(ellipse(at - 11, 31, 2.4), p.light)
    s.add("door", (at - 17, 30), *door)
    add_window(s, "window", at + 4, 9, at + 25, 29)


def castle(s: Sketch) -> None:
    p, half = s.palette, s.about(11.5)
    wall = rectangles([(-34, -4, 34, 49)] + [(x, -13, x + 9, -2) for x in (-22.5, -4.5, 13.5)])
    s.add("wall", (0, 6), Shape(wall, p.main), textured=True)
    for name, x in (("left tower", -36), ("right tower", 36)):
        top = s.about(-34)
        teeth = ((x + left, top - 10, x + left + 6.5, top) for left in (-13, -3.25, 6.5))
        tower = rectangles([(x - 13, top, x + 13, 49), *teeth])
        s.add(name, (x, 30), Shape(tower, p.second), Shape(box(x - 4.5, -18, x + 4.5, 4, 4.5), p.dark))
    gate = f"M{-half:.1f} 49V26A{half:.1f} {half:.1f} 0 0 1 {half:.1f} 26V49Z"
    bars = rectangles((x - 0.9, 24, x + 0.9, 49) for x in ((-5.4, 0, 5.4) if often(s, True) else ()))
    s.add("gate", (2.7, 34), Shape(path(gate), p.dark), Shape(bars, p.light))


def clock(s: Sketch) -> None:
    p, rim = s.palette, s.about(37, 0.05)
    s.add("rim", (0, -43.5), Shape(ellipse(0, 0, 48), p.main), textured=True)
    s.add("dial", (0, -20), Shape(ellipse(0, 0, rim), p.light))
    ticks = discs((x, y, 3.4 if k % 3 == 0 else 1.6) for k, (x, y) in enumerate(ring_of(12, rim - 6)))
    s.add("hours", (0, 6 - rim), Shape(ticks, p.dark))
    minute = 360 * s.rng.random()
    hour = minute + 60 + 240 * s.rng.random()  # never along the minute hand: the pair stays wider than 8 px
    hands = (
        box(-half, -long, half, 7, half) + f' transform="rotate({turn:.1f})"'
        for turn, long, half in ((minute, 29, 2.8), (hour, 21, 3.8))
    )
    s.add("hands", (0, 0), *(Shape(hand, p.dark) for hand in hands), Shape(ellipse(0, 0, 6), p.accent))


def ball(s: Sketch) -> None:
    p, turn = s.palette, 60 * s.rng.random()
    x, y = s.spread(13), s.spread(13)
    gores = []
    for k, colour in enumerate((p.light, p.second, p.light, p.accent, p.light)):
        (ax, ay), (bx, by) = (ring_of(1, 48, turn + 60 * j)[0] for j in (k, k + 1))
        (cx, cy), (dx, dy) = (ring_of(1, 27, turn + 60 * j + 22)[0] for j in (k, k + 1))
        gore = (
            f"M{x:.1f} {y:.1f}Q{cx:.1f} {cy:.1f} {ax:.1f} {ay:.1f}A48 48 0 0 1 {bx:.1f} {by:.1f}"
            f"Q{dx:.1f} {dy:.1f} {x:.1f} {y:.1f}Z"
        )
        gores.append(Shape(path(gore), colour))
    s.add("gores", (0, 36), Shape(ellipse(0, 0, 48), p.main), *gores)
    rim, core = (p.dark, p.light) if s.chance(0.5) else (p.light, p.dark)
    s.add("cap", (x, y), Shape(ellipse(x, y, s.about(9)), rim), Shape(ellipse(x, y, 3.5), core))


def boat(s: Sketch) -> None:
    p, top = s.palette, s.about(-44, 0.06)
    s.add("mast", (0, 18), Shape(box(-6, top - 3, 6, 26, 2), p.dark))
    s.add("main sail", (18, 4), Shape(polygon((6, top), (s.about(43), 15), (6, 15)), p.light))
    s.add("jib", (-16, 5), Shape(polygon((-6, top + 9), (-6, 15), (s.about(-36), 15)), p.second))
    s.add("hull", (0, 32), Shape(path("M-49 20H49Q44 46 26 48H-26Q-44 46 -49 20Z"), p.main), textured=True)


CATEGORIES = (
    Category("cat", cat),
    Category("dog", dog),
    Category("rabbit", rabbit),
    Category("bear", bear),
    Category("owl", owl),
    Category("car", car, faces_either_way=True),
    Category("bus", bus, faces_either_way=True),
    Category("truck", truck, faces_either_way=True),
    Category("tree", tree),
    Category("fir", fir),
    Category("flower", flower),
    Category("house", house, faces_either_way=True),
    Category("castle", castle),
    Category("clock", clock),
    Category("ball", ball),
    Category("boat", boat, faces_either_way=True),
)
