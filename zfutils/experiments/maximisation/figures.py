"""Figures of chapter 11: images that were made, beside the pictures they stand for, and what they reach.

The one idea: every row is one map, every column one way of looking at it, so that a row can be read across.
"""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64, UInt8
from matplotlib.figure import Figure

from zfutils.data.inputs import Inputs
from zfutils.deconv.top_projections import TopProjections
from zfutils.experiments.maximisation.ascent import Made, PixelRange
from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import CYCLE, FAINT, INK, MARKERS, WIDE, bare, logarithmic, new, styled
from zfutils.plotting.tiles import block, colours_and_mask

DPI = 160  # fine enough for four windows in one cell
SMALL = 9  # points
GAP = 0.05  # inches between cells
LEFT = 0.76  # inches of room for the names of the rows
HEAD = 0.17  # inches for a line of the names of the columns
FOUR = 216  # screen pixels of the four windows together, about

Picture = UInt8[np.ndarray, "h w 3"]


def four(top: TopProjections, index: int) -> tuple[Picture, Picture]:
    """A map's four strongest patches as one picture, and their projections as another.

    Args:
        top: of a layer.
        index: of the map in `top`, not its number in the layer.
    """
    colours, patches, inside = (shown[:4] for shown in colours_and_mask(top, index))
    side = top.projections.shape[2]
    tile = side * max(1, round(FOUR / 2 / side))
    gap = max(1, tile // 24)
    return block(patches, inside, tile=tile, gap=gap), block(colours, inside, tile=tile, gap=gap)


def rows_of(top: TopProjections, made: Sequence[Made], pixels: PixelRange) -> list[list[Picture]]:
    """One row of pictures per map: its four patches, their projections, and its image from each set.

    Args:
        top: the maps that are shown.
        made: images of the same maps, and of others after them; the first start of each is shown.
        pixels: the range of the images.
    """
    if any(one.goal.maps[: len(top.maps)] != tuple(top.maps.tolist()) for one in made):
        raise ValueError(f"the images are not of the maps {top.maps.tolist()}")
    images = [pixels.pixels(one.images[:, 0]) for one in made]
    return [[*four(top, i), *(shown[i] for shown in images)] for i in range(len(top.maps))]


def rows_of_maps(
    inputs: Inputs, rows: Int64[np.ndarray, " maps"], made: Sequence[Made], pixels: PixelRange
) -> list[list[Picture]]:
    """The pictures that excite some maps most, in one row, and the images made for these maps, a row per set.

    Args:
        inputs: the pictures that were searched.
        rows: of the strongest picture of each map, in the set.
        made: images of the same maps; the first start of each is shown.
        pixels: the range of the images.
    """
    unique, place = np.unique(rows, return_inverse=True)
    pictures = inputs.at(torch.from_numpy(unique)).pixels()[place]
    return [list(pictures), *(list(pixels.pixels(one.images[:, 0])) for one in made)]


def rows_of_starts(made: Sequence[Made], count: int, pixels: PixelRange) -> list[list[Picture]]:
    """One row per map with all its starts, set by set.

    Args:
        made: images of the same maps.
        count: how many maps.
        pixels: the range of the images.
    """
    images = [pixels.pixels(one.images[:count]) for one in made]
    return [[start for shown in images for start in shown[i]] for i in range(count)]


@styled
def gallery(
    cells: Sequence[Sequence[Picture]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    groups: Sequence[tuple[str, int]] = (),
) -> Figure:
    """Square pictures in rows and columns with their names, as wide as page and margin together.

    Args:
        cells: one sequence of pictures per row, of any size.
        rows, columns: their names.
        groups: names of neighbouring columns together, each with how many columns it has.
    """
    side = (WIDE - LEFT) / len(columns)
    names = [fill(name, int(11 * side), break_long_words=False) for name in columns]
    lines = max(name.count("\n") + 1 for name in names) + bool(groups)
    head = 0.08 + HEAD * lines + 0.06 * bool(groups)
    height = head + side * len(rows)
    figure = new(width=WIDE, height=height, layout="none")
    figure.set_dpi(DPI)
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    for column, name in enumerate(names):
        middle = LEFT + (column + 0.5) * side - GAP / 2
        axes.text(middle, head - 0.05, name, ha="center", va="bottom", fontsize=SMALL, linespacing=1.1)
    first = 0
    for name, n in groups:
        left, right = LEFT + first * side, LEFT + (first + n) * side - GAP
        axes.text((left + right) / 2, 0.04, name, ha="center", va="top", fontsize=SMALL)
        axes.plot([left, right], [0.06 + HEAD] * 2, color=FAINT, linewidth=0.8)
        first += n
    for line, (name, pictures) in enumerate(zip(rows, cells, strict=True)):
        top, wrapped = head + line * side, "\n".join(fill(part, 9) for part in name.split("\n"))
        axes.text(LEFT - 0.08, top + (side - GAP) / 2, wrapped, ha="right", va="center", fontsize=SMALL)
        for column, picture in enumerate(pictures):
            left = LEFT + column * side
            where = (left, left + side - GAP, top + side - GAP, top)
            how = "nearest" if len(picture) < DPI * side else "antialiased"
            axes.imshow(picture, extent=where, interpolation=how, aspect="auto")
    axes.set(xlim=(0, WIDE), ylim=(height, 0))
    return figure


@styled
def reached(table: pd.DataFrame) -> Figure:
    """Activation reached over the strongest real one, layer by layer, one panel per network.

    Args:
        table: as `tables.reached_table` gives it.
    """
    networks, ways = table["network"].unique(), table["way"].unique()
    figure = new(height=3.4)
    panels = figure.subplots(1, len(networks), sharex=True, sharey=True, squeeze=False)[0]
    for axes, network in zip(panels, networks, strict=True):
        for i, way in enumerate(ways):
            chosen = table[(table["network"] == network) & (table["way"] == way)]
            at = chosen["layer"] + 0.14 * (i - (len(ways) - 1) / 2)
            estimates(axes, at, chosen, color=CYCLE[i], marker=MARKERS[i], label=way)
        axes.axhline(1, color=INK, linewidth=0.8, linestyle="--")
        axes.set(title=f"{network} weights", xlabel="layer")
        axes.set_xticks(sorted(table["layer"].unique()))
        logarithmic(axes)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    panels[0].set_ylabel("times the strongest real activation")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(ways))
    return figure
