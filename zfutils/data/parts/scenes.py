"""A scene: objects put on a background and seen by a camera, and what is known about the picture of it.

Picture i of a split is a function of (seed, split, i) alone. The scene keeps its parts as markup, so it can
be drawn again (moved, larger, on another ground, with nothing in front of its object), and its truth (masks,
key points) comes from the same markup.
"""

import io
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
import resvg_py
from jaxtyping import Bool, Float, UInt8
from PIL.PngImagePlugin import PngImageFile

from zfutils.data.parts import catalogue
from zfutils.data.parts import held_out as held_out_world
from zfutils.data.parts.background import Background, draw_background
from zfutils.data.parts.camera import Camera, draw_camera, take
from zfutils.data.parts.catalogue import Category
from zfutils.data.parts.colours import HELD_OUT_STYLE, MAIN_STYLE, Palette, Style, draw_palette
from zfutils.data.parts.difficulty import (
    BEYOND,
    BEYOND_HELD_OUT,
    HIDDEN_SCENES,
    ROTATION,
    SMALLEST,
    STRETCH,
)
from zfutils.data.parts.hiding import draw_cover
from zfutils.data.parts.placing import PlacedObject
from zfutils.data.parts.shapes import Part, Sketch

SPLITS = ("train", "validation", "test", "probe")
SIZES = (32, 1024)  # pixels, smallest and largest picture
USUAL_AREA = 0.45  # share of its box that an object covers; one that covers less has a larger box
GRID = 28  # cells along a box's side, on which the cover of an object is measured


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
        objects = tuple(o.moved(dx, dy, scale, rotation) for o in self.objects)
        return replace(self, objects=objects)

    def uncovered(self) -> "Scene":
        """The scene without what lies in front of its objects."""
        return replace(self, objects=tuple(replace(o, cover=()) for o in self.objects))

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
        objects = "".join(o.svg(f"o{n}") for n, o in enumerate(self.objects))
        drawing = _rasterised(self.background.svg() + objects, size, field, crisp=False)
        return take(self.camera, self.background.texture.draw(size, field), drawing, field=field)

    def probe(self, size: int, *, field: float = 1.0, of: int = 0) -> ProbeSample:
        """The picture with the truth about object number `of`, as far as it shows.

        Masks have crisp edges and hold what is seen: where parts lie over each other, the front one has the
        pixel, and none has it where something lies in front of the object. A key point is visible if the
        pixel under it belongs to its part.
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
        firsts = np.cumsum([1, *(len(o.parts) for o in self.objects)]).tolist()  # parts are numbered through
        drawn = "".join(o.flat(first) for o, first in zip(self.objects, firsts, strict=False))
        numbers = _rasterised(drawn, size, field, crisp=True)[..., 2]
        return {part.name: numbers == k for k, part in enumerate(self.objects[of].parts, firsts[of])}


def categories(held_out: bool = False) -> tuple[Category, ...]:
    """The categories of the main networks, or those held out for transfer."""
    return held_out_world.CATEGORIES if held_out else catalogue.CATEGORIES


def scene(
    split: str,
    index: int,
    *,
    seed: int = 0,
    held_out: bool = False,
    label: int | None = None,
) -> Scene:
    """Scene number `index` of a split; its label is `index` modulo the number of categories.

    Args:
        split: one of `SPLITS`.
        index: 0 or more.
        seed: of the whole world.
        held_out: draw the held-out categories, in their own style.
        label: of another category, drawn in this scene's colours and pose on this scene's ground.
    """
    check_stream(split, seed)
    if operator.index(index) < 0:
        raise ValueError(f"index is {index}; it must be 0 or more")
    chosen = categories(held_out)
    label = index % len(chosen) if label is None else label
    if not 0 <= label < len(chosen):
        raise ValueError(f"label is {label}; there are categories 0 … {len(chosen) - 1}")
    category = chosen[label]
    style = HELD_OUT_STYLE if held_out else MAIN_STYLE
    # Two streams: what is drawn independently of the category cannot depend on how much the category draws.
    surroundings, drawing = (
        np.random.default_rng((seed, SPLITS.index(split), index, int(held_out), k)) for k in range(2)
    )
    palette = draw_palette(surroundings, style)
    background, camera = draw_background(surroundings, palette, style), draw_camera(surroundings, style)
    pose = surroundings.random(7).tolist()
    sketch = Sketch(drawing, palette, style)
    category.draw(sketch)
    outline = _outline(category, style)
    side = SMALLEST + (1 - SMALLEST) * pose[0]
    placed = PlacedObject(
        category=category.name,
        label=label,
        parts=tuple(sketch.parts),
        x=0.0,
        y=0.0,
        scale=min(max(side * math.sqrt(USUAL_AREA / outline.area), SMALLEST), 1.0),
        rotation=ROTATION * (2 * pose[3] - 1),
        stretch=STRETCH[0] + (STRETCH[1] - STRETCH[0]) * pose[4],
        flipped=category.faces_either_way and pose[5] < 0.5,
        cover=_cover(surroundings, sketch.parts, palette, style) if pose[6] < HIDDEN_SCENES else (),
    )
    beyond = BEYOND_HELD_OUT if held_out else BEYOND
    reach = outline.reach(placed)
    across, down = (
        _anywhere(reached, where, beyond) for reached, where in zip(reach, pose[1:3], strict=True)
    )
    return Scene((placed.moved(across, down, 1.0, 0.0),), background, camera)


def _anywhere(reached: Float[np.ndarray, " points"], where: float, beyond: float) -> float:
    """A shift along one axis, after which an object reaches beyond the picture by a share of itself at most.

    Args:
        reached: places of an object along the axis, world units.
        where: 0 as far to the low end as may be, 1 to the high end.
        beyond: the share.
    """
    low, high = float(reached.min()), float(reached.max())
    room = max(0.0, 1 - (high - low)) + 2 * beyond * (high - low)
    return 0.5 - (low + high) / 2 + room * (where - 0.5)


class _Outline(NamedTuple):
    """What an object reaches, measured on the drawing without jitter."""

    area: float  # share of the box
    points: Float[np.ndarray, "2 points"]  # the farthest in every direction, object units

    def reach(self, placed: PlacedObject) -> Float[np.ndarray, "2 points"]:
        """Where these points of an object that stands at (0, 0) lie, in world units."""
        return np.array([placed.place((1, 0)), placed.place((0, 1))]).T @ self.points


@cache
def _outline(category: Category, style: Style) -> _Outline:
    rng = np.random.default_rng(0)
    sketch = Sketch(rng, draw_palette(rng, style), style, jitter=0.0)
    category.draw(sketch)
    points = _silhouette(sketch.parts, 128)
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    farthest = np.unique(np.argmax(points @ np.stack([np.cos(turns), np.sin(turns)]), axis=0))
    return _Outline(len(points) / 128**2, points[farthest].T)


def _silhouette(parts: Sequence[Part], cells: int) -> Float[np.ndarray, "points 2"]:
    """Points of a grid of so many cells along the side of the box that an object covers; object units."""
    flat = "".join(part.flat("#000000") for part in parts)
    drawn = f'<g transform="translate(50 50)">{flat}</g>'
    rows, columns = np.nonzero(_rasterised(drawn, cells, 1.0, crisp=True)[..., 3])
    return (np.stack([columns, rows], axis=1) + 0.5) * (100 / cells) - 50


def _cover(
    rng: np.random.Generator, parts: Sequence[Part], palette: Palette, style: Style
) -> tuple[Part, ...]:
    """Something in front of an object, in colours of its own or in those of the ground."""
    colours = replace(draw_palette(rng, style), ground=palette.ground)
    key_points = np.array([part.key_point for part in parts])
    return draw_cover(rng, _silhouette(parts, GRID), key_points, colours, style)


def _rasterised(drawn: str, size: int, field: float, *, crisp: bool) -> UInt8[np.ndarray, "size size 4"]:
    """Markup in 100 units to the world's one, over a field of it, as RGBA, with soft or with crisp edges."""
    low, side = 50 - 50 * field, 100 * field
    view = f'viewBox="{low:.3f} {low:.3f} {side:.3f} {side:.3f}"'
    opened = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" {view}>'
    png = resvg_py.svg_to_bytes(
        svg_string=f"{opened}{drawn}</svg>",
        skip_system_fonts=True,
        shape_rendering="crisp_edges" if crisp else "geometric_precision",
    )
    return np.asarray(PngImageFile(io.BytesIO(png)))


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
