"""Shapes, the parts made of them, and the sketch in which a category puts its parts together.

Everything stays SVG markup in object units: a box of side 100 around (0, 0), y downwards. A part is drawn
twice from the same outlines: in its colours for the picture, and flat in one identity colour for its mask.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from zfutils.data.parts.colours import Palette, Style

Point = tuple[float, float]
UNITS = 'gradientUnits="userSpaceOnUse"'
CRISP = 'stroke="none" shape-rendering="crispEdges"'


@dataclass(frozen=True)
class Shape:
    """An outline (an SVG element without its end) and the colour it is filled with."""

    outline: str
    colour: str

    def svg(self, colour: str | None = None) -> str:
        """The element, in its own colour or in the given one."""
        return f'{self.outline} fill="{colour or self.colour}"/>'


@dataclass(frozen=True)
class Paint:
    """What a texture is painted with: an SVG gradient, which costs a quarter of shapes that are clipped."""

    element: str  # linearGradient or radialGradient
    attributes: str
    stops: str

    def svg(self, key: str) -> str:
        """The definition under an identifier."""
        return f'<{self.element} id="{key}" {self.attributes}>{self.stops}</{self.element}>'


@dataclass(frozen=True)
class Part:
    """A named part: shapes from back to front, a texture painted over the first, and its key point."""

    name: str
    shapes: tuple[Shape, ...]
    key_point: Point
    texture: tuple[Paint, ...] = ()
    line: tuple[float, str] | None = None  # outline width and colour

    def svg(self, key: str) -> str:
        """The part in its colours; `key` is an identifier nothing else in the document uses."""
        first, *rest = self.shapes
        if self.texture:
            drawn = f'{first.outline} fill="{first.colour}" stroke="none"/>'
            for n, paint in enumerate(self.texture):  # whose edge is faint: crisp, since that is faster
                drawn += f'{paint.svg(f"{key}-{n}")}{first.outline} fill="url(#{key}-{n})" {CRISP}/>'
            drawn += first.svg("none") if self.line else ""
        else:
            drawn = first.svg()
        drawn += "".join(shape.svg() for shape in rest)
        return outlined(drawn, self.line)

    def flat(self, colour: str) -> str:
        """The part's silhouette in one colour."""
        line = (self.line[0], colour) if self.line else None
        return outlined("".join(shape.svg(colour) for shape in self.shapes), line)


def outlined(drawn: str, line: tuple[float, str] | None) -> str:
    """Markup with an outline of the given width and colour around every shape, or as it is."""
    if line is None:
        return drawn
    return f'<g stroke="{line[1]}" stroke-width="{line[0]:.2f}" stroke-linejoin="round">{drawn}</g>'


def ellipse(x: float, y: float, rx: float, ry: float | None = None, turn: float = 0.0) -> str:
    """An ellipse about (x, y), or a circle; turned clockwise by degrees."""
    ry = rx if ry is None else ry
    turned = f' transform="rotate({turn:.1f} {x:.1f} {y:.1f})"' if turn else ""
    return f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{rx:.2f}" ry="{ry:.2f}"{turned}'


def box(left: float, top: float, right: float, bottom: float, corner: float = 0.0) -> str:
    """An upright rectangle with rounded corners."""
    size = f'width="{right - left:.2f}" height="{bottom - top:.2f}" rx="{corner:.2f}"'
    return f'<rect x="{left:.2f}" y="{top:.2f}" {size}'


def polygon(*points: Point) -> str:
    """A closed polygon."""
    return path("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points) + "Z")


def path(commands: str) -> str:
    """An SVG path; several closed curves in it count as one shape."""
    return f'<path d="{commands}"'


def rectangles(corners: Iterable[tuple[float, float, float, float]]) -> str:
    """Several upright rectangles (left, top, right, bottom) as one shape."""
    return path("".join(f"M{a:.2f} {b:.2f}H{c:.2f}V{d:.2f}H{a:.2f}Z" for a, b, c, d in corners))


def discs(centres: Iterable[tuple[float, float, float]]) -> str:
    """Several circles (x, y, radius) as one shape."""
    return path("".join(_circle(x, y, r) for x, y, r in centres))


def annulus(x: float, y: float, outer: float, inner: float) -> str:
    """A ring about (x, y) with a hole in it, as one shape."""
    return path(_circle(x, y, outer) + _circle(x, y, inner, hole=True))


def placed(outline: str, x: float, y: float, turn: float) -> str:
    """An outline drawn about the origin, turned clockwise by degrees there and put at (x, y)."""
    return f'{outline} transform="translate({x:.2f} {y:.2f}) rotate({turn:.1f})"'


def ring_of(count: int, radius: float, phase: float = 0.0, centre: Point = (0.0, 0.0)) -> list[Point]:
    """`count` points evenly on a circle, the first `phase` degrees clockwise from the top."""
    angles = [math.radians(phase + 360 * k / count) for k in range(count)]
    return [(centre[0] + radius * math.sin(a), centre[1] - radius * math.cos(a)) for a in angles]


def limb(x: float, y: float, to_x: float, to_y: float, half: float) -> str:
    """A straight limb from one point to another, of so much half width, as the commands of a closed curve."""
    length = math.hypot(to_x - x, to_y - y)
    a, b = half * (to_y - y) / length, half * (x - to_x) / length
    corners = (x + a, y + b), (to_x + a, to_y + b), (to_x - a, to_y - b), (x - a, y - b)
    return "M" + "L".join(f"{u:.1f} {v:.1f}" for u, v in corners) + "Z"


def star(x: float, y: float, tips: float, dents: float, turn: float = 0.0) -> str:
    """A star about (x, y): how far its five tips and its dents lie from there, turned clockwise."""
    rings = ring_of(5, tips, turn, (x, y)), ring_of(5, dents, turn + 36, (x, y))
    return polygon(*(point for pair in zip(*rings, strict=True) for point in pair))


class Sketch:
    """One object in the making: a palette, a source of jitter, and the parts drawn so far.

    Args:
        rng: where jitter comes from.
        palette: the colours to use.
        style: line and textures.
        jitter: 1 as in the pictures, 0 for the plain drawing that areas are measured on.
    """

    def __init__(
        self, rng: np.random.Generator, palette: Palette, style: Style, *, jitter: float = 1.0
    ) -> None:
        self.rng, self.palette, self.style, self.jitter = rng, palette, style, jitter
        self.parts: list[Part] = []
        self.gaze = (self.spread(0.16), self.spread(0.16))
        self.pupil = self.about(0.56, 0.18)
        self.hub = self.about(0.46, 0.2)
        self.lit = self.chance(0.6)  # whether windows are light
        kinds = style.object_textures
        self.texture_kind = kinds[int(rng.integers(len(kinds)))] if jitter else "plain"

    def spread(self, width: float) -> float:
        """A number in ±width."""
        return self.jitter * width * (2 * self.rng.random() - 1)

    def about(self, value: float, share: float = 0.08) -> float:
        """The value, up to a share of it more or less."""
        return value * (1 + self.spread(share))

    def chance(self, probability: float) -> bool:
        """True that often; without jitter, where it is true more often than not."""
        return self.rng.random() < probability if self.jitter else probability > 0.5

    def add(self, name: str, at: Point, *shapes: Shape, textured: bool = False) -> None:
        """Put a part on top of those drawn so far; `at` is its key point."""
        texture = self._texture() if textured else ()
        line = (self.style.line, self.palette.ink) if self.style.line else None
        self.parts.append(Part(name, shapes, at, texture, line))

    def eye(self, name: str, x: float, y: float, radius: float) -> None:
        """An eye: white, pupil, glint; both eyes of a face look the same way."""
        x, y, radius = x + self.spread(1.2), y + self.spread(1.2), self.about(radius)
        gx, gy = x + self.gaze[0] * radius, y + self.gaze[1] * radius
        pupil = self.pupil * radius
        self.add(
            name,
            (x, y),
            Shape(ellipse(x, y, radius), self.palette.light),
            Shape(ellipse(gx, gy, pupil), self.palette.dark),
            Shape(ellipse(gx - 0.4 * pupil, gy - 0.4 * pupil, 0.32 * pupil), self.palette.light),
        )

    def eyes(self, apart: float, y: float, radius: float) -> None:
        """A pair of eyes, left and right as the picture shows them."""
        apart, y, radius = self.about(apart), y + self.spread(2.0), self.about(radius)
        self.eye("left eye", -apart, y, radius)
        self.eye("right eye", apart, y, radius)

    def pair(self, kind: str, *shapes: Shape, at: Point) -> None:
        """A part on either side: the shapes of the right one, and their mirror image."""
        mirrored = (Shape(_mirrored(shape.outline), shape.colour) for shape in shapes)
        self.add(f"left {kind}", (-at[0], at[1]), *mirrored)
        self.add(f"right {kind}", at, *shapes)

    def wheel(self, name: str, x: float, y: float, radius: float) -> None:
        """A wheel: tyre, rim, hub."""
        x, y, radius = x + self.spread(1.0), y + self.spread(0.6), self.about(radius, 0.05)
        self.add(
            name,
            (x, y),
            Shape(ellipse(x, y, radius), self.palette.dark),
            Shape(ellipse(x, y, radius * (0.2 + self.hub)), self.palette.light),
            Shape(ellipse(x, y, radius * 0.55 * self.hub), self.palette.accent),
        )

    def _texture(self) -> tuple[Paint, ...]:
        """Stripes, rings, patches, hatching or a grid, in the shade of the main colour."""
        rng, kind, shade = self.rng, self.texture_kind, self.palette.shade
        turn = 180 * rng.random()
        if kind == "stripes":
            return (_stripes(12 + 10 * rng.random(), 0.45, turn, shade),)
        if kind == "rings":
            centre = ring_of(1, 30 + 25 * rng.random(), 2 * turn)[0]
            return (_rings(centre, 11 + 8 * rng.random(), 0.45, "repeat", shade),)
        if kind == "patches":
            x, y, r = rng.uniform(-32, 32, 3), rng.uniform(-32, 32, 3), rng.uniform(9, 19, 3)
            blots = zip(x.tolist(), y.tolist(), r.tolist(), strict=True)
            return tuple(_rings((a, b), c, 0.93, "pad", shade) for a, b, c in blots)
        if kind == "hatch":
            return (_stripes(6.5, 0.25, turn, shade),)
        if kind == "grid":
            return tuple(_stripes(11.0, 0.17, turn + quarter, shade) for quarter in (0, 90))
        return ()


def _stripes(period: float, share: float, turn: float, colour: str) -> Paint:
    """Stripes over `share` of a period, turned clockwise by degrees."""
    line = f'x1="0" y1="0" x2="0" y2="{period:.2f}" gradientTransform="rotate({turn:.1f})"'
    return Paint("linearGradient", f'{UNITS} {line} spreadMethod="repeat"', _stops(period, share, colour))


def _rings(centre: Point, period: float, share: float, beyond: str, colour: str) -> Paint:
    """Rings over `share` of a period about a centre, or ("pad") the innermost of them alone: a disc."""
    circle = f'cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="{period:.2f}"'
    return Paint("radialGradient", f'{UNITS} {circle} spreadMethod="{beyond}"', _stops(period, share, colour))


def _stops(period: float, share: float, colour: str) -> str:
    """A colour from a little after the start of a period over a share of it, its edges a little soft."""
    soft = 0.5 / period
    stops = ((0, 1), (share, 1), (share + soft, 0), (1 - soft, 0), (1, 0 if share > 0.9 else 1))
    return "".join(f'<stop offset="{at:.3f}" stop-color="{colour}" stop-opacity="{on}"/>' for at, on in stops)


def _circle(x: float, y: float, r: float, *, hole: bool = False) -> str:
    """A circle as the commands of a closed curve; the other way round it is a hole in what lies around."""
    arc = f"a{r:.2f} {r:.2f} 0 1 {int(hole)}"
    return f"M{x - r:.2f} {y:.2f}{arc} {2 * r:.2f} 0{arc} {-2 * r:.2f} 0Z"


def _mirrored(outline: str) -> str:
    """The outline with left and right exchanged."""
    if 'transform="' in outline:
        return outline.replace('transform="', 'transform="scale(-1 1) ')
    return outline + ' transform="scale(-1 1)"'
