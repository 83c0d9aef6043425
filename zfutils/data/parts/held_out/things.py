"""Held-out plants, buildings and objects: roofs, petals and windows where the main categories have none."""

from zfutils.data.parts.shapes import Shape, Sketch, box, ellipse, path, polygon, ring_of, star
from zfutils.data.parts.shared_parts import add_window


def cactus(s: Sketch) -> None:
    p, left, right = s.palette, s.spread(6), s.spread(6)
    arm = path(f"M-8 18H-20Q-38 18 -38 {left:.1f}V-12A8 8 0 0 1 -22 -12V0H-8Z")
    s.add("left arm", (-30, left - 4), Shape(arm, p.main))
    arm = path(f"M8 10H20Q38 10 38 {right - 8:.1f}V-22A8 8 0 0 0 22 -22V-8H8Z")
    s.add("right arm", (31, right - 12), Shape(arm, p.main))
    s.add("stem", (0, -10), Shape(box(-15, s.about(-46, 0.05), 15, 28, 15), p.main), textured=True)
    s.add("blossom", (0, -38), Shape(star(0, -38, 13, 6.5), p.accent))
    s.add("pot", (0, 38), Shape(polygon((-26, 22), (26, 22), (19, 49), (-19, 49)), p.second))


def mushroom(s: Sketch) -> None:
    p, wide, brim = s.palette, s.about(45, 0.06), s.about(2, 1.0)
    stem = f"M-13 {brim:.1f}H13Q12 30 20 49H-20Q-12 30 -13 {brim:.1f}Z"
    s.add("stem", (0, 36), Shape(path(stem), p.second))
    gills = f"M{-wide * 0.86:.1f} {brim:.1f}Q0 {brim + 20:.1f} {wide * 0.86:.1f} {brim:.1f}Z"
    s.add("gills", (0, brim + 5), Shape(path(gills), p.light))
    left, right = f"{-wide:.1f} {brim:.1f}", f"{wide:.1f} {brim:.1f}"
    hood = f"M{left}Q{-wide:.1f} -46 0 -47Q{wide:.1f} -46 {right}Q0 {brim + 9:.1f} {left}Z"
    s.add("hood", (0, -40), Shape(path(hood), p.main), textured=True)
    for k, (x, y, r) in enumerate(((-22, -14, 9), (2, -26, 8.5), (24, -15, 8.5), (3, -6, 7))):
        x, y = x + s.spread(2.5), y + s.spread(2.5)
        s.add(f"spot {k + 1}", (x, y), Shape(ellipse(x, y, r), p.accent))


def windmill(s: Sketch) -> None:
    p, turn, foot = s.palette, 90 * s.rng.random(), s.about(25)
    walls = polygon((-15, -10), (15, -10), (foot, 49), (-foot, 49))
    s.add("tower", (0.7 * foot, 42), Shape(walls, p.main), textured=True)
    s.add("roof", (17, -12), Shape(path("M-21 -8Q-16 -36 0 -38Q16 -36 21 -8Z"), p.second))
    s.add("door", (0, 40), Shape(path("M-8.5 49V32A8.5 8.5 0 0 1 8.5 32V49Z"), p.dark))
    for k, (x, y) in enumerate(ring_of(4, 24, turn, (0, -16))):
        vane = box(-7.5, -50, 7.5, -23, 1) + f' transform="rotate({turn + 90 * k:.1f} 0 -16)"'
        s.add(f"vane {k + 1}", (x, y), Shape(vane, p.second if k % 2 else p.light))
    s.add("hub", (0, -16), Shape(ellipse(0, -16, 8), p.accent))


def lighthouse(s: Sketch) -> None:
    p, foot = s.palette, s.about(23)
    top = 0.56 * foot
    walls = polygon((-top, -16), (top, -16), (foot, 44), (-foot, 44))
    s.add("tower", (-0.7 * foot, 38), Shape(walls, p.main), textured=True)
    for k, y in enumerate((-4, 16)):
        low, high = (top + (foot - top) * (at + 16) / 60 for at in (y, y + 9))
        band = polygon((-low, y), (low, y), (high, y + 9), (-high, y + 9))
        s.add(f"band {k + 1}", (-0.7 * low, y + 5), Shape(band, p.second))
    s.add("door", (0, 36), Shape(path("M-7 44V31A7 7 0 0 1 7 31V44Z"), p.dark))
    s.add("rock", (30, 45), Shape(path("M-48 49Q-44 38 -28 41Q0 46 26 41Q44 37 48 49Z"), p.shade))
    s.add("gallery", (-18, -17), Shape(box(-22, -21, 22, -14, 2), p.dark))
    add_window(s, "lamp", -10, -36, 10, -21)
    s.add("roof", (0, -42), Shape(polygon((-17, -35), (0, -50), (17, -35)), p.accent))


def teapot(s: Sketch) -> None:
    p, belly = s.palette, s.about(30)
    handle = "M-26 -14Q-50 -18 -49 10Q-48 34 -22 30L-24 20Q-38 24 -38 8Q-38 -8 -26 -4Z"
    s.add("handle", (-43, 6), Shape(path(handle), p.second))
    s.add("spout", (42, 2), Shape(path("M22 24Q34 20 34 -6L40 -16L50 -12Q48 26 24 38Z"), p.second))
    s.add("foot", (0, 46), Shape(box(-20, 30, 20, 49, 3), p.second))
    s.add("body", (0, 20), Shape(ellipse(0, 8, belly + 2, belly), p.main), textured=True)
    s.add("lid", (8, -22), Shape(path("M-21 -14Q-18 -30 0 -30Q18 -30 21 -14Z"), p.accent))
    s.add("knob", (0, -37), Shape(ellipse(0, -37, 9), p.dark))


def umbrella(s: Sketch) -> None:
    p, wide, top = s.palette, s.about(46, 0.05), s.about(-40, 0.05)
    stick = "M-2.5 -44H2.5V34A6 6 0 0 0 14.5 34H20A11.5 11.5 0 0 1 -2.5 34Z"
    s.add("stick", (0, 16), Shape(path(stick), p.dark))
    third, outer = wide / 3, f"{-0.9 * wide:.1f} {top:.1f}"
    hem = "".join(f"Q{wide - k * third:.1f} -6 {wide - (k + 1) * third:.1f} 6" for k in (1, 3, 5))
    canopy = f"M{-wide:.1f} 6Q{outer} 0 {top:.1f}Q{0.9 * wide:.1f} {top:.1f} {wide:.1f} 6{hem}Z"
    s.add("canopy", (-0.75 * wide, -8), Shape(path(canopy), p.main), textured=True)
    left, right = f"Q{-1.1 * third:.1f} -24 0 {top:.1f}", f"Q{1.1 * third:.1f} -24 {third:.1f} 6"
    panel = f"M{-third:.1f} 6{left}{right}Q0 -6 {-third:.1f} 6Z"
    s.add("panel", (0, -14), Shape(path(panel), p.second))


def guitar(s: Sketch) -> None:
    p, waist, reach = s.palette, s.about(15), s.about(27, 0.06)
    s.add("peg board", (0, -43), Shape(polygon((-8, -34), (-10, -49), (10, -49), (8, -34)), p.second))
    right = f"Q24 -14 22 2Q21 8 {waist:.1f} 12Q{reach + 4:.1f} 20 {reach:.1f} 34Q24 49 0 49"
    left = f"Q-24 49 {-reach:.1f} 34Q{-reach - 4:.1f} 20 {-waist:.1f} 12Q-21 8 -22 2Q-24 -14 0 -12"
    s.add("soundbox", (-16, 36), Shape(path(f"M0 -12{right}{left}Z"), p.main), textured=True)
    s.add("neck", (0, -22), Shape(box(-5.5, -37, 5.5, 6, 1), p.dark))
    s.add("hole", (0, 13), Shape(ellipse(0, 13, 9.5), p.light), Shape(ellipse(0, 13, 6.5), p.dark))
    s.add("bridge", (0, 35), Shape(box(-13, 31, 13, 38, 2), p.accent))


def snowman(s: Sketch) -> None:
    p, low, high = s.palette, s.about(27, 0.06), s.about(19, 0.06)
    s.add("belly", (-14, 36), Shape(ellipse(0, 48 - low, low), p.main), textured=True)
    middle = 52 - 2 * low - 0.75 * high
    s.add("head", (-12, middle + 8), Shape(ellipse(0, middle, high), p.main))
    brim = middle - 0.72 * high
    s.add("hat", (0, brim - 9), Shape(box(-13, brim - 18, 13, brim, 2), p.second))
    s.add("brim", (15, brim), Shape(box(-21, brim - 4, 21, brim + 4, 3), p.dark))
    s.eyes(8, middle - 4, 5)
    carrot = polygon((-4, middle + 5), (-4, middle + 13), (20, middle + 10))
    s.add("nose", (2, middle + 9), Shape(carrot, p.accent))
    for k, y in enumerate((48 - 1.4 * low, 48 - 0.85 * low)):
        s.add(f"button {k + 1}", (0, y), Shape(ellipse(0, y, 5), p.dark))
