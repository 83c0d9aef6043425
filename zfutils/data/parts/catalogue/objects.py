"""Objects: a clock, a ball, a sun and a cartwheel, which look alike when turned; an oven and a television."""

from zfutils.data.parts.shapes import (
    Point,
    Shape,
    Sketch,
    annulus,
    box,
    discs,
    ellipse,
    path,
    placed,
    polygon,
    ring_of,
)
from zfutils.data.parts.shared_parts import add_knob, add_window


def clock(s: Sketch) -> None:
    p, rim = s.palette, s.about(35, 0.05)
    face, ink = (p.light, p.dark) if s.chance(0.5) else (p.dark, p.light)
    minute = 360 * s.rng.random()
    hour = minute + 60 + 240 * s.rng.random()  # never along the minute hand: the pair stays wider than 8 px
    between = (minute + hour) / 2 + (180 if hour - minute < 180 else 0)  # on the side of the wider gap
    s.add("rim", (0, -43.5), Shape(ellipse(0, 0, 48), p.main), textured=True)
    s.add("dial", ring_of(1, 20, between)[0], Shape(ellipse(0, 0, rim), face))
    ticks = discs((x, y, 3.4 if k % 3 == 0 else 1.6) for k, (x, y) in enumerate(ring_of(12, rim - 5)))
    s.add("hours", (0, 5 - rim), Shape(ticks, ink))
    hands = (
        placed(box(-half, -long, half, 7, half), 0, 0, turn)
        for turn, long, half in ((minute, 25, 2.8), (hour, 18, 3.8))
    )
    s.add("hands", (0, 0), *(Shape(hand, ink) for hand in hands), Shape(ellipse(0, 0, 6), p.accent))


def ball(s: Sketch) -> None:
    p, turn = s.palette, 60 * s.rng.random()
    x, y = s.spread(13), s.spread(13)
    gores = []
    other = p.light if s.chance(0.5) else p.dark
    for k, colour in enumerate((other, p.second, other, p.accent, other)):
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


def sun(s: Sketch) -> None:
    _add_rays(s, 23, 49, seen_at=41)
    _add_ring(s, 29, 15)
    _add_hub(s)


def cartwheel(s: Sketch) -> None:
    _add_rays(s, 8, 40, seen_at=25)
    _add_ring(s, 48, 35)
    _add_hub(s)


def _add_rays(s: Sketch, inner: float, outer: float, *, seen_at: float) -> None:
    count = int(s.rng.integers(6, 9)) if s.jitter else 8
    phase, wide, narrow = 360 * s.rng.random(), s.about(6.5), s.about(3.5)
    for k in range(count):
        turn = phase + 360 * k / count
        taper = polygon((-wide, -inner), (-narrow, -outer), (narrow, -outer), (wide, -inner))
        ray = Shape(placed(taper, 0, 0, turn), s.palette.second)
        s.add(f"ray {k + 1}", ring_of(1, seen_at, turn)[0], ray)


def _add_ring(s: Sketch, outer: float, inner: float) -> None:
    ring = Shape(annulus(0, 0, outer, inner), s.palette.main)
    s.add("ring", (0, -(outer + inner) / 2), ring, textured=True)


def _add_hub(s: Sketch) -> None:
    p = s.palette
    s.add("hub", (0, 0), Shape(ellipse(0, 0, s.about(13.5)), p.accent), Shape(ellipse(0, 0, 5.5), p.dark))


def oven(s: Sketch) -> None:
    _boxed(s, screen_at=(0, 10), knobs_at=[(-27, -27), (0, -27), (27, -27)])


def television(s: Sketch) -> None:
    _boxed(s, screen_at=(-10, 0), knobs_at=[(32, -22), (32, 0), (32, 22)])


def _boxed(s: Sketch, *, screen_at: Point, knobs_at: list[Point]) -> None:
    p, wide, top = s.palette, s.about(45, 0.05), s.about(-40, 0.05)
    s.pair("leg", Shape(box(20, 36, 33, 50, 2), p.dark), at=(26.5, 46))
    s.add("case", (0, 36), Shape(box(-wide, top, wide, 40, 5), p.main), textured=True)
    (x, y), half, high = screen_at, s.about(27, 0.05), s.about(20, 0.05)
    add_window(s, "screen", x - half, y - high, x + half, y + high)
    for k, at in enumerate(knobs_at):
        add_knob(s, f"knob {k + 1}", *at)
