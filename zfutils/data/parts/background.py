"""What lies behind the objects: a textured ground, loose clutter and distractors, whatever the category.

A texture is a function of the place in the world, not of the pixel, so the same ground can be drawn at any
size and over a wider field. The picture's own field is the unit square; noise repeats every `PERIOD` units.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from zfutils.data.parts.colours import Palette, Rgb, Style
from zfutils.data.parts.difficulty import CLUTTER, GROUND_PERIOD
from zfutils.data.parts.distractors import draw_distractors
from zfutils.data.parts.placing import Placed
from zfutils.data.parts.shapes import Shape, box, discs, ellipse, outlined, path, polygon, ring_of, star

PERIOD = 2  # world units after which the noise of a texture repeats


@dataclass(frozen=True)
class Texture:
    """A ground of two colours, and the numbers that fix its pattern."""

    kind: str
    colours: tuple[Rgb, Rgb]
    angle: float  # radians
    period: float  # world units
    phase: float
    noise: int  # key of the noise grids

    def draw(self, size: int, field: float = 1.0) -> Float[np.ndarray, "3 size size"]:
        """The ground over a square of `field` world units about the middle, RGB in 0…1."""
        rng = np.random.default_rng(self.noise)
        places = _places(size, field)
        clouds = _noise(rng, size, field, 4, 4) + 0.6 * _noise(rng, size, field, 11, 11)
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        u = np.add.outer(sin * places, cos * places) / self.period + self.phase
        sharp = self.period * size / field  # pixels a period: edges one pixel wide
        if self.kind in ("checks", "dots", "bricks"):
            v = np.add.outer(cos * places, -sin * places) / self.period + self.phase
        if self.kind == "gradient":
            share = 0.5 + 0.45 * self.period * (u - self.phase) * 1.6
        elif self.kind == "stripes":
            share = _edge(np.cos(2 * np.pi * u), sharp / 6.3)
        elif self.kind == "checks":
            share = _edge(np.sin(np.pi * u) * np.sin(np.pi * v), sharp / 3.1)
        elif self.kind == "dots":
            share = _edge(np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v) - 0.75, sharp / 9)
        elif self.kind == "waves":
            share = 0.5 + 0.5 * np.cos(2 * np.pi * (u + 0.55 * clouds))
        elif self.kind == "planks":
            share = 0.5 + 0.5 * _planks(rng, size, field) - 0.7 * _groove(u, sharp)
        elif self.kind == "zigzag":
            v = np.add.outer(cos * places, -sin * places) / self.period
            share = _edge(np.cos(2 * np.pi * (u + 0.5 * np.abs(v % 2 - 1))), sharp / 9)
        elif self.kind == "rings":
            middle = (
                np.float32(0.5 + 0.5 * np.cos(7 * self.phase)),
                np.float32(0.5 + 0.5 * np.sin(7 * self.phase)),
            )
            radius = np.hypot.outer(places - middle[0], places - middle[1])
            share = 0.5 + 0.5 * np.cos(2 * np.pi * (radius / self.period + 0.12 * clouds))
        elif self.kind == "bricks":
            row = np.floor(u)
            share = 0.35 + 0.5 * np.maximum(_groove(u, sharp), _groove(v / 2 + 0.5 * (row % 2), 2 * sharp))
        else:  # clouds, paper
            share = 0.5 + (1.1 if self.kind == "clouds" else 0.35) * clouds
        share = np.asarray(share + 0.16 * clouds, dtype=np.float32)
        first, second = (np.array(colour, np.float32)[:, None, None] for colour in self.colours)
        ground = (second - first) * share
        ground += first
        return ground


@dataclass(frozen=True)
class Background:
    """Everything of a scene that is not its object: ground, clutter (100 units to the side), distractors."""

    texture: Texture
    clutter: tuple[Shape, ...]
    line: tuple[float, str] | None = None  # outline width and colour of the clutter
    distractors: tuple[Placed, ...] = ()

    def svg(self) -> str:
        """What lies on the ground, as markup."""
        clutter = outlined("".join(shape.svg() for shape in self.clutter), self.line)
        return clutter + "".join(thing.svg(f"d{k}") for k, thing in enumerate(self.distractors))


def draw_background(rng: np.random.Generator, palette: Palette, style: Style) -> Background:
    """A random ground in the palette's two ground colours, with clutter and distractors on it."""
    kinds = style.background_textures
    texture = Texture(
        kind=kinds[int(rng.integers(len(kinds)))],
        colours=palette.ground,
        angle=2 * np.pi * rng.random(),
        period=GROUND_PERIOD[0] + (GROUND_PERIOD[1] - GROUND_PERIOD[0]) * rng.random(),
        phase=rng.random(),
        noise=int(rng.integers(2**31)),
    )
    colours = (palette.main, palette.second, palette.accent, palette.light, palette.dark, palette.shade)
    pieces: list[Shape] = []
    for _ in range(int(rng.integers(CLUTTER[0], CLUTTER[1] + 1))):
        x, y, radius = 100 * rng.random(), 100 * rng.random(), 4 + 6.5 * rng.random()
        kind, turn = int(rng.integers(8)), 360 * rng.random()
        first, second = (colours[int(k)] for k in rng.integers(len(colours), size=2))
        pieces.extend(_piece(kind, x, y, radius, turn, first, second))
    line = (0.7 * style.line, palette.ink) if style.line else None
    return Background(texture, tuple(pieces), line, draw_distractors(rng, palette, style))


def _piece(
    kind: int, x: float, y: float, r: float, turn: float, first: str, second: str
) -> tuple[Shape, ...]:
    """One loose thing: a plain shape, or something that could have been part of an object."""
    if kind == 0:  # a disc in a disc: a wheel, an eye
        return Shape(ellipse(x, y, r), first), Shape(ellipse(x, y, 0.5 * r), second)
    if kind == 1:  # a leaf, an ear
        return (Shape(ellipse(x, y, 0.45 * r, 1.2 * r, turn), first),)
    if kind == 2:  # a slab, a window
        turned = f' transform="rotate({turn:.1f} {x:.1f} {y:.1f})"'
        return (Shape(box(x - r, y - 0.7 * r, x + r, y + 0.7 * r, 1.5) + turned, first),)
    if kind == 3:  # a triangle: a roof, a sail
        return (Shape(polygon(*ring_of(3, 1.1 * r, turn, (x, y))), first),)
    if kind == 4:  # a star
        return (Shape(star(x, y, 1.15 * r, 0.5 * r, turn), first),)
    if kind == 5:  # a bar
        turned = f' transform="rotate({turn:.1f} {x:.1f} {y:.1f})"'
        return (Shape(box(x - 1.7 * r, y - 0.28 * r, x + 1.7 * r, y + 0.28 * r, 0.28 * r) + turned, first),)
    if kind == 6:  # a crescent
        turned = f' transform="rotate({turn:.1f} {x:.1f} {y:.1f})"'
        outer, inner = (
            f"a{r:.1f} {r:.1f} 0 0 1 0 {2 * r:.1f}",
            f"a{1.5 * r:.1f} {1.5 * r:.1f} 0 0 0 0 {-2 * r:.1f}",
        )
        return (Shape(path(f"M{x:.1f} {y - r:.1f}{outer}{inner}Z") + turned, first),)
    return (Shape(discs((a, b, 0.42 * r) for a, b in ring_of(3, 0.62 * r, turn, (x, y))), first),)  # berries


def _edge(wave: Float[np.ndarray, "size size"], sharp: float) -> Float[np.ndarray, "size size"]:
    """A wave about 0 turned into 0 and 1, with an edge one pixel wide at the given pixels a unit of phase."""
    return np.clip(0.5 + wave * sharp, 0, 1)


def _groove(u: Float[np.ndarray, "size size"], sharp: float) -> Float[np.ndarray, "size size"]:
    """1 in a thin line at every whole number of u, 0 elsewhere."""
    return np.clip(1.3 - np.abs(u - np.rint(u)) * sharp, 0, 1)


def _planks(rng: np.random.Generator, size: int, field: float) -> Float[np.ndarray, "size size"]:
    """Noise drawn out into horizontal fibres."""
    return _noise(rng, size, field, 50, 3) + 0.5 * _noise(rng, size, field, 14, 2)


def _noise(
    rng: np.random.Generator, size: int, field: float, rows: int, columns: int
) -> Float[np.ndarray, "size size"]:
    """Smooth noise of about unit range: a random grid of so many cells a unit, interpolated."""
    grid = rng.random((PERIOD * rows, PERIOD * columns), np.float32) - np.float32(0.5)
    return _interpolation(size, field, rows) @ grid @ _interpolation(size, field, columns).T


@lru_cache(maxsize=64)
def _places(size: int, field: float) -> Float[np.ndarray, " size"]:
    """World coordinates of the pixels' centres along one side."""
    return (0.5 + ((np.arange(size) + 0.5) / size - 0.5) * field).astype(np.float32)


@lru_cache(maxsize=64)
def _interpolation(size: int, field: float, cells: int) -> Float[np.ndarray, "size points"]:
    """Weights that take a row of grid points, so many cells a unit, smoothly to the pixels of one side."""
    at = _places(size, field).astype(np.float64) * cells
    low = np.floor(at).astype(int)
    share = (at - low) ** 2 * (3 - 2 * (at - low))
    weights = np.zeros((size, PERIOD * cells), np.float32)
    pixels = np.arange(size)
    weights[pixels, low % (PERIOD * cells)] = 1 - share
    weights[pixels, (low + 1) % (PERIOD * cells)] = share
    return weights
