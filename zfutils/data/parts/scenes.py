"""A scene: objects put on a background and seen by a camera, and what is known about the picture of it.

Picture i of a split is a function of (seed, split, i) alone. The scene keeps its parts as markup, so it can
be drawn again (moved, larger, on another ground), and its truth (masks, key points) comes from the same
markup.
"""

import io
import math
import operator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import resvg_py
from jaxtyping import Bool, UInt8
from PIL import Image

from zfutils.data.parts import catalogue, held_out_catalogue
from zfutils.data.parts.background import Background, draw_background
from zfutils.data.parts.camera import Camera, draw_camera, take
from zfutils.data.parts.catalogue import Category
from zfutils.data.parts.colours import HELD_OUT_STYLE, MAIN_STYLE, Style, draw_palette
from zfutils.data.parts.shapes import Part, Point, Sketch

SPLITS = ("train", "validation", "test", "probe")
SIZES = (32, 1024)  # pixels, smallest and largest picture
AREA = (0.17, 0.27)  # share of the picture that an object covers, before the jitter of its parts
SCALE = (0.5, 1.0)  # side of an object's box over the side of the picture
ROTATION = 15.0  # degrees, either way
STRETCH = (0.88, 1.12)  # width over height, against the drawing


@dataclass(frozen=True)
class PlacedObject:
    """An object somewhere in the world: where its middle lies, how large its box is, and its parts."""

    category: str
    label: int
    parts: tuple[Part, ...]
    x: float  # of the middle, in world units: the picture is 0…1, y downwards
    y: float
    scale: float  # side of its box, in world units
    rotation: float  # degrees, clockwise
    stretch: float = 1.0  # width over height, at the same area
    flipped: bool = False

    def place(self, point: Point) -> Point:
        """Object units (box side 100) to world units."""
        turn, unit = math.radians(self.rotation), self.scale / 100
        right = point[0] * unit * math.sqrt(self.stretch) * (-1 if self.flipped else 1)
        down = point[1] * unit / math.sqrt(self.stretch)
        return (
            self.x + right * math.cos(turn) - down * math.sin(turn),
            self.y + right * math.sin(turn) + down * math.cos(turn),
        )

    def transform(self) -> str:
        """The same as SVG, in a document of 100 units to the world's one."""
        wide, high = self.scale * math.sqrt(self.stretch), self.scale / math.sqrt(self.stretch)
        wide = -wide if self.flipped else wide
        return (
            f"translate({100 * self.x:.4f} {100 * self.y:.4f}) rotate({self.rotation:.3f}) "
            f"scale({wide:.5f} {high:.5f})"
        )


@dataclass(frozen=True)
class ProbeSample:
    """A picture and the truth about one of its objects."""

    image: UInt8[np.ndarray, "size size 3"]
    label: int
    object_mask: Bool[np.ndarray, "size size"]
    part_masks: dict[str, Bool[np.ndarray, "size size"]]
    key_points: dict[str, tuple[float, float, bool]]  # x and y in pixels, and whether the part shows there


@dataclass(frozen=True)
class Scene:
    """What is in a picture; the first object gives the label."""

    objects: tuple[PlacedObject, ...]
    background: Background
    camera: Camera

    @property
    def label(self) -> int:
        """Class of the first object."""
        return self.objects[0].label

    def moved(
        self, dx: float = 0.0, dy: float = 0.0, *, scale: float = 1.0, rotation: float = 0.0
    ) -> "Scene":
        """The scene with its objects elsewhere, background and camera as they were.

        Args:
            dx, dy: shift to the right and downwards, in sides of the picture.
            scale: factor on the objects' size, about each one's own middle.
            rotation: degrees clockwise, about each one's own middle.
        """
        if not scale > 0:
            raise ValueError(f"scale is {scale}; it must be above 0")
        objects = tuple(
            replace(o, x=o.x + dx, y=o.y + dy, scale=o.scale * scale, rotation=o.rotation + rotation)
            for o in self.objects
        )
        return replace(self, objects=objects)

    def with_background(self, background: Background) -> "Scene":
        """The same objects and camera before another background: that of another scene, for instance."""
        return replace(self, background=background)

    def render(self, size: int, *, field: float = 1.0) -> UInt8[np.ndarray, "size size 3"]:
        """The picture.

        Args:
            size: side in pixels.
            field: side of what is seen, in sides of the scene's own picture; `render(192, field=1.5)` shows
                more of the world at the pixel scale of `render(128)`.

        Returns:
            RGB, 0…255.
        """
        check_picture(size, field)
        drawing = _rasterised(self._document(size, field), crisp=False)
        return take(self.camera, self.background.texture.draw(size, field), drawing, field=field)

    def render_background(self, size: int, *, field: float = 1.0) -> UInt8[np.ndarray, "size size 3"]:
        """The picture as it would be without its objects: ground, clutter, the same camera."""
        return replace(self, objects=()).render(size, field=field)

    def probe(self, size: int, *, field: float = 1.0, of: int = 0) -> ProbeSample:
        """The picture with the truth about object number `of`, as far as it shows.

        Masks have crisp edges and hold what is seen: where parts lie over each other, the front one has the
        pixel. A key point is visible if the pixel under it belongs to its part.
        """
        masks, key_points = self.part_masks(size, field=field, of=of), {}
        chosen = self.objects[of]
        for part in chosen.parts:
            x, y = (size * ((c - 0.5) / field + 0.5) for c in chosen.place(part.key_point))
            inside = 0 <= x < size and 0 <= y < size
            key_points[part.name] = (x, y, bool(inside and masks[part.name][int(y), int(x)]))
        whole = np.any(list(masks.values()), axis=0)
        return ProbeSample(self.render(size, field=field), chosen.label, whole, masks, key_points)

    def part_masks(
        self, size: int, *, field: float = 1.0, of: int = 0
    ) -> dict[str, Bool[np.ndarray, "size size"]]:
        """The masks of `probe` by themselves, without the picture."""
        check_picture(size, field)
        if not 0 <= of < len(self.objects):
            raise ValueError(f"of is {of}; this scene has objects 0 … {len(self.objects) - 1}")
        identities = self._identities(size, field)
        before = sum(len(o.parts) for o in self.objects[:of])
        return {part.name: identities == before + k + 1 for k, part in enumerate(self.objects[of].parts)}

    def _document(self, size: int, field: float) -> str:
        objects = "".join(
            f'<g transform="{o.transform()}">{"".join(p.svg(f"c{n}-{k}") for k, p in enumerate(o.parts))}</g>'
            for n, o in enumerate(self.objects)
        )
        return _document(size, field, self.background.clutter_svg() + objects)

    def _identities(self, size: int, field: float) -> UInt8[np.ndarray, "size size"]:
        """Number of the part seen at each pixel, counted through all objects from 1; 0 is background."""
        drawn, number = "", 0
        for placed in self.objects:
            flat = ""
            for part in placed.parts:
                number += 1
                flat += part.flat(f"#0000{number:02x}")
            drawn += f'<g transform="{placed.transform()}">{flat}</g>'
        return _rasterised(_document(size, field, drawn), crisp=True)[..., 2]


def categories(held_out: bool = False) -> tuple[Category, ...]:
    """The sixteen categories of the main networks, or the eight held out for transfer."""
    return held_out_catalogue.CATEGORIES if held_out else catalogue.CATEGORIES


def scene(split: str, index: int, *, seed: int = 0, held_out: bool = False) -> Scene:
    """Scene number `index` of a split; its label is `index` modulo the number of categories.

    Args:
        split: one of `SPLITS`.
        index: 0 or more.
        seed: of the whole world.
        held_out: draw the eight held-out categories, in their own style.
    """
    check_stream(split, seed)
    if operator.index(index) < 0:
        raise ValueError(f"index is {index}; it must be 0 or more")
    chosen = categories(held_out)
    label = index % len(chosen)
    category = chosen[label]
    style = HELD_OUT_STYLE if held_out else MAIN_STYLE
    # Two streams: what is drawn independently of the category cannot depend on how much the category draws.
    surroundings, drawing = (
        np.random.default_rng((seed, SPLITS.index(split), index, int(held_out), k)) for k in range(2)
    )
    palette = draw_palette(surroundings, style)
    background, camera = draw_background(surroundings, palette, style), draw_camera(surroundings, style)
    pose = surroundings.random(6).tolist()
    rotation, stretch = ROTATION * (2 * pose[3] - 1), STRETCH[0] + (STRETCH[1] - STRETCH[0]) * pose[4]
    sketch = Sketch(drawing, palette, style)
    category.draw(sketch)
    area = AREA[0] + (AREA[1] - AREA[0]) * pose[0]
    scale = min(max(math.sqrt(area / _reference_area(category, style)), SCALE[0]), SCALE[1])
    x, y = (
        0.5 + max(0.0, 1.02 - side) * (where - 0.5)
        for side, where in zip(_extent(scale, rotation, stretch), pose[1:3], strict=True)
    )
    placed = PlacedObject(
        category=category.name,
        label=label,
        parts=tuple(sketch.parts),
        x=x,
        y=y,
        scale=scale,
        rotation=rotation,
        stretch=stretch,
        flipped=category.faces_either_way and pose[5] < 0.5,
    )
    return Scene((placed,), background, camera)


def _extent(scale: float, rotation: float, stretch: float) -> tuple[float, float]:
    """Width and height of an object's turned box, in world units."""
    cos, sin = abs(math.cos(math.radians(rotation))), abs(math.sin(math.radians(rotation)))
    wide, high = scale * math.sqrt(stretch), scale / math.sqrt(stretch)
    return cos * wide + sin * high, sin * wide + cos * high


@cache
def _reference_area(category: Category, style: Style) -> float:
    """Share of its box that an object covers, measured on the drawing without jitter."""
    rng = np.random.default_rng(0)
    sketch = Sketch(rng, draw_palette(rng, style), style, jitter=0.0)
    category.draw(sketch)
    flat = "".join(part.flat("#000000") for part in sketch.parts)
    document = _document(128, 1.2, f'<g transform="translate(50 50)">{flat}</g>')
    return float((_rasterised(document, crisp=True)[..., 3] > 0).mean() * 1.2**2)


def _document(size: int, field: float, drawn: str) -> str:
    low, side = 50 - 50 * field, 100 * field
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" '
        f'viewBox="{low:.3f} {low:.3f} {side:.3f} {side:.3f}">{drawn}</svg>'
    )


def _rasterised(document: str, *, crisp: bool) -> UInt8[np.ndarray, "size size 4"]:
    """An SVG document as RGBA, with soft or with crisp edges."""
    png = resvg_py.svg_to_bytes(
        svg_string=document,
        skip_system_fonts=True,
        shape_rendering="crisp_edges" if crisp else "geometric_precision",
    )
    return np.asarray(Image.open(io.BytesIO(png)))


def check_stream(split: str, seed: int) -> None:
    """Refuse a split or a seed that there is not."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; allowed are {', '.join(SPLITS)}")
    if operator.index(seed) < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")


def check_picture(size: int, field: float) -> None:
    """Refuse a size or a field that cannot be drawn."""
    if not SIZES[0] <= operator.index(size) <= SIZES[1]:
        raise ValueError(f"size is {size} px; allowed are {SIZES[0]} … {SIZES[1]}")
    if not field > 0:
        raise ValueError(f"field is {field}; it must be above 0")
