"""Plants: crowns, leaves, petals and fruit, on a stem or without one."""

import numpy as np

from zfutils.data.parts.shapes import (
    Point,
    Shape,
    Sketch,
    box,
    discs,
    ellipse,
    path,
    polygon,
    ring_of,
)
from zfutils.data.parts.shared_parts import add_blossom, add_fruit, add_leaf, often


def tree(s: Sketch) -> None:
    p, half, fork = s.palette, s.about(7.5), s.about(-14, 0.3)
    lobes = [(x, y, s.about(19, 0.06)) for x, y in ring_of(6, s.about(22), s.spread(30), (0, -10))]
    s.add("crown", (-8, -18), Shape(discs([(0, -10, 26), *lobes]), p.main), textured=True)
    branches = (
        f"L-22 {fork:.1f}L-16 {fork - 3:.1f}L-2 4L-3 {fork - 6:.1f}H3L2 4L16 {fork - 3:.1f}L22 {fork:.1f}"
    )
    forks = branches if often(s) else ""
    trunk = f"M{-half - 4:.1f} 49L{-half:.1f} 12{forks}L{half:.1f} 12L{half + 4:.1f} 49Z"
    s.add("trunk", (0, 36), Shape(path(trunk), p.dark))
    if often(s):
        add_fruit(s, ring_of(3, 25, s.spread(15), (0, -11)))


def fir(s: Sketch) -> None:
    p, wide, snowed = s.palette, s.about(45, 0.06), often(s)
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
    if often(s):
        add_fruit(s, [(-15, 29), (12, 29), (0, -25)])


def flower(s: Sketch) -> None:
    count = _petal_count(s)
    phase, step = 360 * s.rng.random(), 360 / count
    _add_petals(s, (0, 0), s.about(29, 0.05), [phase + step * k for k in range(count)])


def fan(s: Sketch) -> None:
    count = _petal_count(s)
    side = s.about(86, 0.05)
    _add_petals(s, (0, 26), s.about(32, 0.04), np.linspace(-side, side, count).tolist())


def _petal_count(s: Sketch) -> int:
    return int(s.rng.integers(5, 8)) if s.jitter else 6


def _add_petals(s: Sketch, pivot: Point, reach: float, turns: list[float]) -> None:
    p, half, streaked = s.palette, 76 / len(turns) + s.spread(1.2), often(s)
    other = p.shade if s.chance(0.5) else p.second
    for k, turn in enumerate(turns):
        (x, y), key_point = (ring_of(1, r, turn, pivot)[0] for r in (reach, 1.3 * reach))
        shapes = [Shape(ellipse(x, y, half, 20, turn), p.main if k % 2 else other)]
        if streaked:
            shapes.append(Shape(ellipse(x, y, 0.28 * half, 14, turn), p.light))
        s.add(f"petal {k + 1}", key_point, *shapes)
    middle, disc = s.about(15), p.dark if s.chance(0.5) else p.light
    seeds = discs((x, y, 2.2) for x, y in ring_of(6, 0.6 * middle, turns[0], pivot))
    s.add("centre", pivot, Shape(ellipse(*pivot, middle), disc), Shape(seeds, p.accent))


def palm(s: Sketch) -> None:
    _add_stem(s, 49, -14, seen_at=21)
    droop = s.about(118, 0.05)
    for k, turn in enumerate((-droop, droop, -60, 60, 0)):
        (x, y) = ring_of(1, 4, turn, (0, -12))[0]
        add_leaf(s, f"leaf {k + 1}", x, y, turn)
    if often(s):
        add_fruit(s, [(-8.5, -5), (8.5, -5), (0, 6)])


def vine(s: Sketch) -> None:
    _add_stem(s, 49, -14, seen_at=21)
    lower, upper = 34 + s.spread(3), 8 + s.spread(3)
    for k, (y, turn) in enumerate(((lower, -60), (lower, 60), (upper, -60), (upper, 60), (-15, 0))):
        add_leaf(s, f"leaf {k + 1}", 0, y, turn)
    if often(s):
        add_fruit(s, [(0, -14), (0, upper), (0, lower)])


def flowerpot(s: Sketch) -> None:
    _add_stem(s, 24, -24, seen_at=0)
    for name, side in (("leaf 1", -1), ("leaf 2", 1)):
        add_leaf(s, name, 0, 18, 52 * side)
    add_blossom(s, 0, -28)
    _add_pot(s, 20)


def hanging_basket(s: Sketch) -> None:
    _add_stem(s, 24, -24, seen_at=0)
    for name, side in (("leaf 1", -1), ("leaf 2", 1)):
        add_leaf(s, name, 0, -16, 118 * side)
    add_blossom(s, 0, 28)
    _add_pot(s, -49)


def _add_stem(s: Sketch, bottom: float, top: float, *, seen_at: float) -> None:
    half = s.about(6.2)
    s.add("stem", (0, seen_at), Shape(box(-half, top, half, bottom, 2), s.palette.dark))


def _add_pot(s: Sketch, top: float) -> None:
    p, half = s.palette, s.about(29)
    pot = polygon((-half, top), (half, top), (0.75 * half, top + 29), (-0.75 * half, top + 29))
    rim = Shape(box(-half - 4, top, half + 4, top + 9, 2), p.accent)
    s.add("pot", (0, top + 18), Shape(pot, p.main), rim, textured=True)


def wreath(s: Sketch) -> None:
    phase = 72 * s.rng.random()
    for k in range(5):
        turn = phase + 72 * k
        (x, y), (dx, dy) = ring_of(1, s.about(34, 0.04), turn)[0], ring_of(1, 17, turn + 90)[0]
        add_leaf(s, f"leaf {k + 1}", x - dx, y - dy, turn + 90)
    add_fruit(s, ring_of(5, 38, phase + 36))


def holly(s: Sketch) -> None:
    phase = 72 * s.rng.random()
    for k, (x, y) in enumerate(ring_of(5, 14, phase)):
        add_leaf(s, f"leaf {k + 1}", x, y, phase + 72 * k)
    add_fruit(s, [(0, 0), *ring_of(4, s.about(15), phase + 36)])
