"""Projections beside the patches they came from (Zeiler & Fergus 2013, Fig. 2, and Fig. 6 d, e).

The one idea: a window is shown on whole screen pixels. The figure's resolution follows from the window's
side, so that no pixel of a 7 px window is blurred and none of a 139 px window is lost. The walk from one
activation down to the pixels has a module of its own and is named here too.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfutils.deconv.top_projections import TopProjections
from zfutils.plotting.style import WIDTH, new, styled
from zfutils.plotting.tiles import block, check, colours_and_mask, eight_bits, in_colour, shades, titled

COARSE, FINE = 150, 300  # dots per inch: the least, and the most where windows must be scaled down
SMALL = 9  # points
TILE, BLOCK, HALVES = 0.013, 0.1, 0.26  # inches between tiles, maps and the two halves
LABEL, HEADING = 0.21, 0.29  # inches of room above a map, and above them all
EDGE = 0.03  # inches between the upper edge and the writing


class _Grid(NamedTuple):
    """A figure's resolution, and its lengths in screen pixels."""

    dpi: float
    tile: int
    gap: int  # between the tiles of a map
    space: int  # between maps


@styled
def nine(top: TopProjections, *, columns: int) -> Figure:
    """The strongest projections of some maps at the left, their patches in the same places at the right.

    Strongest first, in reading order. The contrast of projections is `CONTRAST`'s; patches are the picture's
    own pixels. Hatched is what lies outside the picture, or where a map answers to no further picture. The
    figure has at least one screen pixel for every pixel of a window, as far as 300 dots per inch allow.

    Args:
        top: the maps to show, in this order.
        columns: maps in a line of either half.

    Raises:
        ValueError: no maps, or arrays that do not belong together; fewer columns than 1.
    """
    check(top)
    if columns < 1:
        raise ValueError(f"columns is {columns}; it must be 1 or more")
    count, k, side = top.projections.shape[:3]
    columns, wide = min(columns, count), int(np.ceil(np.sqrt(k)))
    fixed = HALVES + 2 * (columns - 1) * BLOCK + 2 * columns * (wide - 1) * TILE
    grid = _grid(2 * columns * wide, side, fixed)
    box = wide * (grid.tile + grid.gap) - grid.gap
    tall = -(-k // wide) * (grid.tile + grid.gap) - grid.gap
    halves, label, heading = (round(grid.dpi * inches) for inches in (HALVES, LABEL, HEADING))
    half = columns * (box + grid.space) - grid.space
    lines = -(-count // columns)
    axes = _page(grid, 2 * half + halves, heading + lines * (label + tall + grid.space) - grid.space)
    name = titled(top.strongest.layer)
    for left, heading_text in ((0, f"{name}: projections"), (half + halves, f"patches, {side}×{side} px")):
        axes.text(left, EDGE * grid.dpi, heading_text, va="top", fontsize=10.5)
    for index in range(count):
        line, column = divmod(index, columns)
        y, x = heading + line * (label + tall + grid.space) + label, column * (box + grid.space)
        colours, patches, inside = colours_and_mask(top, index)
        for tiles, left in ((colours, x), (patches, x + half + halves)):
            _show(axes, block(tiles, inside, tile=grid.tile, gap=grid.gap), left, y)
            above = y - 0.03 * grid.dpi
            axes.text(left, above, f"map {int(top.maps[index])}", va="bottom", fontsize=SMALL)
    return axes.figure


def _grid(tiles: int, side: int, fixed: float) -> _Grid:
    """The resolution at which tiles of whole pixels and `fixed` inches of gaps fill the page's width."""
    room = WIDTH - fixed
    if room <= 0.05 * tiles:
        raise ValueError(f"{tiles} tiles do not fit on {WIDTH:g} inches; take fewer columns")
    times = max(1, int(np.ceil(COARSE * room / (tiles * side))))
    tile, dpi = times * side, tiles * times * side / room
    if dpi > FINE:
        tile, dpi = int(FINE * room / tiles), FINE
    return _Grid(dpi, tile, max(1, round(TILE * dpi)), max(1, round(BLOCK * dpi)))


def _page(grid: _Grid, width: int, height: int) -> Axes:
    """An empty page of so many screen pixels; its one pair of axes counts them from the upper left corner."""
    dpi = width / WIDTH  # gaps were rounded to pixels
    figure = new(height=(height + 1e-6) / dpi, width=(width + 1e-6) / dpi, layout="none")
    figure.set_dpi(dpi)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, width), ylim=(height, 0))
    return axes


def _show(axes: Axes, page: np.ndarray, left: float, top: float) -> None:
    limits = axes.get_xlim(), axes.get_ylim()
    height, width = page.shape[:2]
    axes.imshow(page, extent=(left, left + width, top + height, top), aspect="auto")
    axes.set(xlim=limits[0], ylim=limits[1])


@styled
def second_layers(tops: Mapping[str, TopProjections]) -> Figure:
    """The strongest projection of every map of two networks, side by side (the paper's Fig. 6 d, e).

    A pixel of the picture has the same size on both sides, so that structure of the same frequency looks
    the same; the larger windows are therefore fewer. Each tile has its own map's contrast (`CONTRAST`). A
    map that answers to nothing is hatched.

    Args:
        tops: name of the network, its maps in the order in which they are shown, as many as fit.

    Raises:
        ValueError: not two networks, or arrays that do not belong together.
    """
    if len(tops) != 2:
        raise ValueError(f"two networks stand side by side, not {len(tops)}: {', '.join(tops) or 'none'}")
    for top in tops.values():
        check(top)
    largest = max(top.projections.shape[2] for top in tops.values())
    across = max(2, round((WIDTH - HALVES) / 2 / 0.72))  # tiles of 0.72 inches
    grid = _grid(2 * across, largest, HALVES + 2 * (across - 1) * TILE)
    half = across * (grid.tile + grid.gap) - grid.gap
    halves, heading = round(HALVES * grid.dpi), round(0.45 * grid.dpi)
    pages, titles = [], []
    for name, top in tops.items():
        side = top.projections.shape[2]
        tile = max(1, round(grid.tile * side / largest))
        fit = (half + grid.gap) // (tile + grid.gap)
        count = min(fit * fit, len(top.maps))
        count -= count % fit if count > fit else 0  # whole rows
        shown = [_strongest_alone(top, index) for index in range(count)]
        colours, inside = (np.concatenate(part) for part in zip(*shown, strict=True))
        pages.append(block(colours, inside, tile=tile, gap=grid.gap, columns=fit))
        titles.append(f"{name}\n{count} of {len(top.maps)} maps, windows of {side} px")
    axes = _page(grid, 2 * half + halves, heading + max(len(page) for page in pages))
    for x, page, title in zip((0, half + halves), pages, titles, strict=True):
        axes.text(x, EDGE * grid.dpi, title, va="top", fontsize=SMALL + 0.5, linespacing=1.2)
        _show(axes, page, x, heading)
    return axes.figure


def _strongest_alone(top: TopProjections, index: int) -> tuple[np.ndarray, np.ndarray]:
    inside = top.inside[index][:1] & (float(top.strongest.values[index][0]) > 0)
    colours = shades(top.projections[index][:1], inside)
    return in_colour(eight_bits(colours)), inside
