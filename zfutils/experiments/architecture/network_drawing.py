"""A network drawn to scale from its spec (Zeiler & Fergus 2013, Fig. 3).

The one idea: nothing is placed by hand. Heights, depths and widths are the sizes and numbers of the maps;
the width of a map's worth of drawing is whatever fills the page once every label has its room.
"""

from dataclasses import dataclass
from itertools import pairwise

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from zfutils.nets.geometry import Window
from zfutils.nets.specs import NetworkSpec, Stage
from zfutils.plotting.style import BLUE, FAINT, INK, ORANGE, ORDERED, VERMILLION, WIDTH, new, styled

# All in inches.
HEIGHT = 3.75
MARGIN = 0.1
BASE = 1.0  # where the boxes stand; labels are below
LINE = 0.17  # between lines of labels
IMAGE = 1.95  # side of the input as it is drawn
BAR = 0.65  # height of the widest fully connected layer
LOW = 0.75  # boxes no higher leave room above them
SLOT, FIRST_SLOT, GAP = 0.49, 1.22, 0.13  # least room for a label, for the rows' headings; between boxes
OBLIQUE = 0.27  # how far a map's other side runs to the right and up, of its length
FACES = {"conv": BLUE, "pool": FAINT, "fc": ORANGE, "image": "#b0b0b0"}
SMALL = 9  # points


@dataclass(frozen=True)
class _Box:
    """One drawn layer: its lower left corner, width and height (inches)."""

    stage: Stage
    left: float
    width: float
    height: float
    slant: float  # how far its sides run to the right and up
    slot: tuple[float, float]  # the room it has, left and right


@styled
def network_to_scale(spec: NetworkSpec) -> Figure:
    """The network as a row of boxes, and what a unit of each layer sees of the image.

    A box is as high as its map and as wide as it has maps, all boxes on one scale; the map's other side runs
    into the page, shortened. A fully connected layer is a bar as high as it has units, on a scale of its
    own. The small square on a map is the window of the layer that follows. Receptive fields are drawn about
    the centre of the image (grey) and reach past it where they are larger than it.

    Args:
        spec: of any network, image size and width.
    """
    figure = new(height=HEIGHT, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT), aspect="equal")
    axes.axis("off")
    boxes = _placed(spec)
    for before, box in pairwise(boxes):
        if box.stage.window is not None:
            _draw_window(axes, before, box, box.stage.window)
    for box in boxes:
        _draw_box(axes, box)
    _label(axes, spec, boxes)
    _draw_receptive_fields(axes, spec, boxes)
    return figure


def _placed(spec: NetworkSpec) -> list[_Box]:
    """Every layer's box, the image first; as many inches a map as fill the width."""
    image = Stage("image", "image", None, spec.channels, spec.image, Window(1), 0, 0)
    stages = (image, *spec.stages())
    pixel, most = IMAGE / spec.image, max(s.maps for s in stages if s.kind == "fc")
    heights = [BAR * s.maps / most if s.kind == "fc" else pixel * s.size for s in stages]
    slants = [0.06 if s.kind == "fc" else OBLIQUE * h for s, h in zip(stages, heights, strict=True)]

    def widths(inches_a_map: float) -> list[float]:
        return [0.07 if s.kind == "fc" else inches_a_map * s.maps for s in stages]

    def slots(inches_a_map: float) -> list[float]:
        needed = (w + s + GAP for w, s in zip(widths(inches_a_map), slants, strict=True))
        return [max(FIRST_SLOT if i == 0 else SLOT, room) for i, room in enumerate(needed)]

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(slots(middle)) < WIDTH - 2 * MARGIN else (low, middle)
    boxes, left = [], MARGIN
    columns = zip(stages, widths(low), heights, slants, slots(low), strict=True)
    for stage, width, height, slant, slot in columns:
        start = left if stage.kind == "image" else left + (slot - width - slant) / 2
        boxes.append(_Box(stage, start, width, height, slant, (left, left + slot)))
        left += slot
    return boxes


def _on_side(box: _Box, across: float, up: float) -> tuple[float, float]:
    """A point of the map's plane, which is the box's right side: fractions along its two axes."""
    return box.left + box.width + across * box.slant, BASE + up * box.height + across * box.slant


def _draw_box(axes: Axes, box: _Box) -> None:
    left, right, top, slant = box.left, box.left + box.width, BASE + box.height, box.slant
    style = {"edgecolor": INK, "linewidth": 0.6, "facecolor": FACES[box.stage.kind]}
    front = [(left, BASE), (right, BASE), (right, top), (left, top)]
    lid = [(left, top), (right, top), (right + slant, top + slant), (left + slant, top + slant)]
    side = [(right, BASE), (right + slant, BASE + slant), (right + slant, top + slant), (right, top)]
    for corners, alpha in ((front, 0.75), (lid, 0.45), (side, 0.25)):
        axes.add_patch(Polygon(corners, **style, alpha=alpha))


def _draw_window(axes: Axes, before: _Box, box: _Box, window: Window) -> None:
    """The window on the map it slides over, and lines from it to the layer that it feeds."""
    half = min(window.kernel / before.stage.size, 1) / 2
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    corners = [_on_side(before, 0.5 + a * half, 0.5 + b * half) for a, b in signs]
    axes.add_patch(Polygon(corners, facecolor=VERMILLION, edgecolor=VERMILLION, linewidth=0.5, zorder=3))
    for corner in (corners[1], corners[2]):
        target = (box.left, BASE + box.height / 2)
        axes.plot(*zip(corner, target, strict=True), color=VERMILLION, linewidth=0.5, zorder=3)


def _label(axes: Axes, spec: NetworkSpec, boxes: list[_Box]) -> None:
    """Lines of text below the boxes, with headings below the image."""
    normed = {c.name for c in spec.convolutions if c.norm}
    pooled = {c.name for c in spec.convolutions if c.pool is not None}
    stars = {n.replace("conv", "pool") if n in pooled else n for n in normed}
    headings = ["", "window / stride", "maps, units", "map, pixels", "sees, pixels"]
    for line, heading in enumerate(headings):
        axes.text(MARGIN, BASE - LINE * (line + 0.8), heading, fontsize=SMALL, va="center")
    top = BASE + boxes[0].height + boxes[0].slant
    axes.text(MARGIN, top + 0.06, f"image, {spec.image} px", fontsize=SMALL, va="bottom")
    if stars:
        axes.text(MARGIN, BASE - LINE * 0.8, "* norm follows", fontsize=SMALL, va="center")
    for box in boxes[1:]:
        stage = box.stage
        cells = [
            stage.name + "*" * (stage.name in stars),
            f"{stage.window.kernel} / {stage.window.stride}" if stage.window else "",
            f"{stage.maps}",
            f"{stage.size}" if stage.field else "",
            f"{stage.field.kernel}" if stage.field else "all",
        ]
        for line, cell in enumerate(cells):
            place = (sum(box.slot) / 2, BASE - LINE * (line + 0.8))
            weight = "bold" if line == 0 else "normal"
            axes.text(*place, cell, fontsize=SMALL, ha="center", va="center", weight=weight)


def _draw_receptive_fields(axes: Axes, spec: NetworkSpec, boxes: list[_Box]) -> None:
    """Nested squares about the image's centre, largest first, each with its name at the right."""
    stages = [b.stage for b in boxes[1:] if b.stage.field is not None]
    tall = [i for i, box in enumerate(boxes) if box.height + box.slant > LOW]
    free = boxes[tall[-1] + 1].slot[0]  # from here on, the room above the boxes is empty
    names = WIDTH - MARGIN - 1.05  # where the labels begin
    room = min(HEIGHT - 0.3 - BASE - LOW - 0.1, names - 0.25 - free)
    inches = room / max(spec.image, *(s.field.kernel for s in stages))
    x, y = names - 0.25 - room / 2, HEIGHT - 0.3 - room / 2
    side = spec.image * inches
    axes.add_patch(Rectangle((x - side / 2, y - side / 2), side, side, facecolor="#d9d9d9", edgecolor="none"))
    axes.text(x - room / 2, HEIGHT - 0.24, "what a unit sees of the image", fontsize=SMALL, va="bottom")
    colours = colormaps[ORDERED]
    for i, stage in enumerate(reversed(stages)):
        side, colour = stage.field.kernel * inches, colours(0.9 * i / max(len(stages) - 1, 1))
        corner = (x - side / 2, y - side / 2)
        axes.add_patch(Rectangle(corner, side, side, facecolor="none", edgecolor=colour, linewidth=1.2))
        level = HEIGHT - 0.3 - LINE * (i + 0.5)
        axes.plot((x + side / 2, names - 0.05), (y + side / 2, level), color=colour, linewidth=0.6)
        axes.text(names, level, f"{stage.name}  {stage.field.kernel} px", fontsize=SMALL, va="center")
