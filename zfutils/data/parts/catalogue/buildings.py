"""Buildings: walls, roofs, doors, windows, posts and towers."""

from zfutils.data.parts.shapes import Shape, Sketch, box, ellipse, path, polygon, rectangles
from zfutils.data.parts.shared_parts import add_window, often


def house(s: Sketch) -> None:
    at = s.spread(4)
    _gabled(s, door_at=at - 18, window_at=(at + 15, 20))


def barn(s: Sketch) -> None:
    at = s.spread(3)
    _gabled(s, door_at=at, window_at=(at, -18))


def _gabled(s: Sketch, *, door_at: float, window_at: tuple[float, float]) -> None:
    p, half, eaves, ridge = s.palette, s.about(36), s.about(-5, 0.4), s.about(-47, 0.05)
    if often(s):
        s.add("chimney", (26, -38), Shape(box(18, -46, 34, -10), p.accent))
    s.add("wall", (-half + 5, 2), Shape(box(-half, eaves - 3, half, 48), p.main), textured=True)
    beam = Shape(polygon((-49, eaves), (-44, eaves - 4.5), (44, eaves - 4.5), (49, eaves)), p.light)
    tiles, planks = (p.dark, p.second) if often(s) else (p.second, p.dark)
    s.add("roof", (0, -35), Shape(polygon((-49, eaves), (0, ridge), (49, eaves)), tiles), beam)
    door = box(door_at - 10, 12, door_at + 10, 48, 2)
    s.add("door", (door_at, 30), Shape(door, planks), Shape(ellipse(door_at + 6, 31, 2.4), p.light))
    (x, y), side = window_at, s.about(8.5, 0.06)
    add_window(s, "window", x - side, y - side, x + side, y + side)


def well(s: Sketch) -> None:
    _on_posts(s, posts=(-24, 18), wall=(14, 48), bucket=-9)


def stilt_house(s: Sketch) -> None:
    _on_posts(s, posts=(8, 49), wall=(-24, 10), bucket=20)


def _on_posts(s: Sketch, *, posts: tuple[float, float], wall: tuple[float, float], bucket: float) -> None:
    p, apart, half = s.palette, s.about(29, 0.06), s.about(39, 0.05)
    s.pair(
        "post", Shape(box(apart - 5.5, posts[0], apart + 5.5, posts[1]), p.dark), at=(apart, sum(posts) / 2)
    )
    low = bucket + s.about(3, 1)
    rope = box(-1.6, posts[0], 1.6, low + 2)
    pail = path(f"M-10.5 {low:.1f}H10.5L8 {low + 18:.1f}H-8Z")
    s.add("bucket", (0, low + 10), Shape(rope, p.dark), Shape(pail, p.accent))
    s.add("wall", (0, sum(wall) / 2), Shape(box(-half, wall[0], half, wall[1], 2), p.main), textured=True)
    roof = polygon((-48, -22), (s.about(-22, 0.3), -47), (s.about(22, 0.3), -47), (48, -22))
    s.add("roof", (0, -32), Shape(roof, p.second))


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
    bars = rectangles((x - 0.9, 24, x + 0.9, 49) for x in ((-5.4, 0, 5.4) if often(s) else ()))
    s.add("gate", (2.7, 34), Shape(path(gate), p.dark), Shape(bars, p.light))
