"""The convnet, the deconvnet, and the switches between them (Zeiler & Fergus 2013, Fig. 1).

Above, one layer on the way up and the same layer on the way down. Below, max pooling worked out on a small
map: the one idea is that its numbers are computed by the rules they explain, so that they cannot be wrong.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from torch import Tensor, nn

from zfutils.plotting.style import BLUE, CYCLE, FAINT, INK, VERMILLION, WIDTH, new, styled

KERNEL, STRIDE = 3, 2
MAP = ((1, 0, 2, 4, 1), (3, 5, 9, 2, 0), (0, 1, 4, 3, 2), (8, 2, 0, 1, 7), (1, 4, 2, 5, 3))
ABOVE = ((3, 2), (4, 6))  # a signal that comes down; any would do
# All in inches.
HEIGHT = 6.0
BOX, ROW = 2.3, 0.41  # width of an operation, height of a line
SIDES = (1.45, WIDTH - 1.45)  # centres of the two ways
TOP = HEIGHT - 0.55
CELL, FLOOR = 0.33, 0.38  # side of a cell of the example, and where the example stands
SMALL = 9  # points
DASHED = (0, (4, 2))  # where switches go


class Example(NamedTuple):
    """Max pooling and its way back on one map, 3×3 windows two apart."""

    values: Float[Tensor, "h w"]  # the rectified map
    maxima: Float[Tensor, "rows columns"]
    switches: Int64[Tensor, "rows columns"]  # place of each maximum in the map, row × w + column
    above: Float[Tensor, "rows columns"]  # the signal that comes down
    unpooled: Float[Tensor, "h w"]  # the signal where the switches point; shared switches add


def pooled_and_unpooled(values: Float[Tensor, "h w"], above: Float[Tensor, "rows columns"]) -> Example:
    """The example of the schematic, for any map and any signal.

    Args:
        values: the map; equal values in a window: the first in reading order is its maximum.
        above: the signal, one number for each window.
    """
    maxima, switches = nn.functional.max_pool2d(values[None], KERNEL, STRIDE, return_indices=True)
    unpooled = torch.zeros(values.numel()).index_add(0, switches.flatten(), above.flatten())
    return Example(values, maxima[0], switches[0], above, unpooled.view_as(values))


@styled
def schematic() -> Figure:
    """One layer up and down, joined by its switches, and max pooling and unpooling worked out on numbers.

    Colours tell the four windows apart. The two upper windows share a switch, and on the way down both their
    signals arrive there and add up.
    """
    figure = new(height=HEIGHT, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    _draw_layer(axes)
    _draw_example(axes, pooled_and_unpooled(torch.tensor(MAP).float(), torch.tensor(ABOVE).float()))
    return figure


# ---- one layer


def _draw_layer(axes: Axes) -> None:
    """Two columns of seven lines; what undoes what stands on one line."""
    up = (
        "pooled maps, to the layer above",
        "max pooling",
        "rectified feature maps",
        "rectified linear",
        "feature maps",
        "filtering with {F}",
        "pooled maps of the layer below",
    )
    down = (
        "signal from the layer above",
        "max unpooling",
        "unpooled maps",
        "rectified linear",
        "rectified unpooled maps",
        "filtering with {Fᵀ}",
        "signal, to the layer below",
    )
    headings = (("the way up: convnet", BLUE, up), ("the way down: deconvnet", VERMILLION, down))
    for x, (heading, colour, lines) in zip(SIDES, headings, strict=True):
        axes.text(x, HEIGHT - 0.1, heading, ha="center", va="top", fontsize=11, color=colour, weight="bold")
        for line, words in enumerate(lines):
            _draw_line(axes, x, TOP - line * ROW, words, colour, operation=line % 2 == 1)
        for line in range(6):
            here, there = TOP - line * ROW - 0.13, TOP - (line + 1) * ROW + 0.13
            start, end = (there, here) if lines is up else (here, there)
            _arrow(axes, (x, start), (x, end), colour)
    y = TOP - ROW
    left, right = SIDES[0] + BOX / 2, SIDES[1] - BOX / 2
    _arrow(axes, (left + 0.05, y), (right - 0.05, y), INK, linestyle=DASHED, width=1.6)
    middle = (left + right) / 2
    axes.text(middle, y + 0.07, "switches", ha="center", va="bottom", weight="bold")
    notes = "where in its window\neach maximum stood"
    axes.text(middle, y - 0.08, notes, ha="center", va="top", fontsize=SMALL, linespacing=1.25)
    notes = "contrast norm, where there is\none, is left out on the way down"
    axes.text(middle, TOP + 0.02, notes, ha="center", va="bottom", fontsize=SMALL, linespacing=1.25)
    notes = "the same filters,\nflipped in both\ndirections; no biases"
    axes.text(middle, TOP - 5 * ROW, notes, ha="center", va="center", fontsize=SMALL, linespacing=1.25)


def _draw_line(axes: Axes, x: float, y: float, words: str, colour: str, *, operation: bool) -> None:
    """What is done to a map in a round box, what a map is without one."""
    if operation:
        style = {"facecolor": to_rgba(colour, 0.12), "edgecolor": colour, "linewidth": 1.2}
        corner = (x - BOX / 2, y - 0.14)
        axes.add_patch(FancyBboxPatch(corner, BOX, 0.28, boxstyle="round,pad=0,rounding_size=0.07", **style))
    axes.text(x, y, words, ha="center", va="center", fontsize=10 if operation else SMALL + 0.5)


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    *,
    linestyle: str | tuple = "-",
    width: float = 1.2,
) -> None:
    style = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch(start, end, color=colour, linestyle=linestyle, linewidth=width, **style))


# ---- the example


def _draw_example(axes: Axes, example: Example) -> None:
    """From left to right: the map, its maxima, the switches, the signal from above, the unpooled map."""
    size, windows = example.values.shape[0], example.maxima.shape[0]
    whole, part, mini = size * CELL, windows * CELL, 1.06
    gap = (WIDTH - 0.2 - 2 * whole - 2 * part - mini) / 4
    lefts, left = [], 0.1
    for width in (whole, part, mini, part, whole):
        lefts.append(left)
        left += width + gap
    middle = FLOOR + whole / 2
    titles = ("rectified map", "its maxima", "switches", "from above", "unpooled map")
    tops = (whole / 2, part / 2, mini / 2, part / 2, whole / 2)
    for left, width, above, title in zip(lefts, (whole, part, mini, part, whole), tops, titles, strict=True):
        axes.text(
            left + width / 2, middle + above + 0.08, title, ha="center", va="bottom", fontsize=SMALL + 0.5
        )
    owners = _owners(example)
    _draw_numbers(axes, example.values, (lefts[0], middle + whole / 2), owners)
    _draw_frames(axes, (lefts[0], middle + whole / 2), windows)
    each = {(r, c): [r * windows + c] for r in range(windows) for c in range(windows)}
    _draw_numbers(axes, example.maxima, (lefts[1], middle + part / 2), each)
    _draw_switches(axes, example, (lefts[2], middle + mini / 2), mini)
    _draw_numbers(axes, example.above, (lefts[3], middle + part / 2), each)
    _draw_numbers(axes, example.unpooled, (lefts[4], middle + whole / 2), owners)
    ends = [left + width for left, width in zip(lefts, (whole, part, mini, part, whole), strict=True)]
    _arrow(axes, (ends[0] + 0.06, middle), (lefts[1] - 0.06, middle), BLUE)
    _arrow(axes, (ends[3] + 0.06, middle), (lefts[4] - 0.06, middle), VERMILLION)
    below = middle - part / 2 - 0.12
    for end, start in ((ends[0], lefts[2]), (ends[2], lefts[4])):
        _arrow(axes, (end + 0.06, below), (start - 0.06, below), INK, linestyle=DASHED)
    _describe(axes, example, owners)


def _owners(example: Example) -> dict[tuple[int, int], list[int]]:
    """The windows that have their maximum in a cell, by the cell's row and column."""
    found: dict[tuple[int, int], list[int]] = {}
    for window, place in enumerate(example.switches.flatten().tolist()):
        found.setdefault(divmod(place, example.values.shape[1]), []).append(window)
    return found


def _draw_numbers(
    axes: Axes, grid: Tensor, corner: tuple[float, float], owners: dict[tuple[int, int], list[int]]
) -> None:
    """A grid of numbers from its upper left corner; a cell takes the colours of the windows that own it."""
    for row in range(grid.shape[0]):
        for column in range(grid.shape[1]):
            x, y = corner[0] + column * CELL, corner[1] - (row + 1) * CELL
            whose = owners.get((row, column), [])
            for i, window in enumerate(whose[:2]):
                halves = [(x, y), (x + CELL, y), (x + CELL, y + CELL), (x, y + CELL)]
                corners = halves if len(whose) == 1 else (halves[3], halves[2 * i], halves[1])
                axes.add_patch(Polygon(corners, facecolor=to_rgba(CYCLE[window], 0.38), edgecolor="none"))
            axes.add_patch(Rectangle((x, y), CELL, CELL, facecolor="none", edgecolor=FAINT, linewidth=0.6))
            number = float(grid[row, column])
            style = {"weight": "bold"} if whose else {"color": INK if number else FAINT}
            place = (x + CELL / 2, y + CELL / 2 - 0.01)
            axes.text(*place, f"{number:g}", ha="center", va="center", fontsize=SMALL + 0.5, **style)


def _draw_frames(axes: Axes, corner: tuple[float, float], windows: int) -> None:
    """The windows over the map, each a little smaller than the last, so that all sides are seen."""
    for window in range(windows * windows):
        row, column = divmod(window, windows)
        inset = 0.02 + 0.016 * window
        x = corner[0] + column * STRIDE * CELL + inset
        y = corner[1] - (row * STRIDE + KERNEL) * CELL + inset
        side = KERNEL * CELL - 2 * inset
        style = {"facecolor": "none", "edgecolor": CYCLE[window], "linewidth": 1.5}
        axes.add_patch(Rectangle((x, y), side, side, **style))


def _draw_switches(axes: Axes, example: Example, corner: tuple[float, float], width: float) -> None:
    """Each switch as a small picture of its window, with the maximum's place in it filled."""
    windows, size = example.switches.shape[1], example.values.shape[1]
    step = width / windows
    cell = (step - 0.1) / KERNEL
    for window, place in enumerate(example.switches.flatten().tolist()):
        row, column = divmod(window, windows)
        inner = (place // size - row * STRIDE, place % size - column * STRIDE)
        x, y = corner[0] + column * step + 0.05, corner[1] - row * step - 0.05
        for r in range(KERNEL):
            for c in range(KERNEL):
                face = CYCLE[window] if (r, c) == inner else "white"
                style = {"facecolor": face, "edgecolor": FAINT, "linewidth": 0.6}
                axes.add_patch(Rectangle((x + c * cell, y - (r + 1) * cell), cell, cell, **style))


def _describe(axes: Axes, example: Example, owners: dict[tuple[int, int], list[int]]) -> None:
    """Under the example, what the windows are and where two signals meet."""
    axes.text(
        0.1,
        FLOOR - 0.12,
        f"windows of {KERNEL}×{KERNEL}, stride {STRIDE}: they overlap by {KERNEL - STRIDE}",
        va="top",
        fontsize=SMALL,
    )
    for (row, column), whose in owners.items():
        if len(whose) > 1:
            parts = " + ".join(f"{float(example.above.flatten()[window]):g}" for window in whose)
            total = f"{float(example.unpooled[row, column]):g}"
            words = f"a switch shared by {len(whose)} windows: {parts} = {total}"
            axes.text(WIDTH - 0.1, FLOOR - 0.12, words, ha="right", va="top", fontsize=SMALL)
