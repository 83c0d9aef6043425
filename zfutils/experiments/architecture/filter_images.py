"""Filters of a first layer as images (Zeiler & Fergus 2013, Fig. 6 a-c).

Mid-grey is a weight of 0. Filters stand in the order of their RMS, the largest first, so that one that
dominates comes first and blank ones come last.
"""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from torch import Tensor

from zfutils.plotting.style import VERMILLION, WIDTH, bare, new, styled
from zfutils.runtime.devices import to_host

COLUMNS = 12  # of a layer that has the page to itself
APART = 0.12  # inches to either side of a layer among others
DEAD: dict[str, dict[str, Any]] = {  # by column of the table
    "silent": {"marker": "o", "markersize": 12},
    "blank": {"marker": "x", "markersize": 6},
}
MARK: dict[str, Any] = {
    "color": VERMILLION,
    "linestyle": "",
    "markerfacecolor": "none",
    "markeredgewidth": 1.8,
    "path_effects": [withStroke(linewidth=4, foreground="white")],
}


@styled
def filter_images(weight: Float[Tensor, "maps channels k k"]) -> Figure:
    """A layer's filters as images, ordered by RMS, each on the scale of its own largest absolute weight.

    Args:
        weight: filters on 1 or 3 colours.

    Raises:
        ValueError: another number of colours.
    """
    tiles, _ = mosaic(weight, COLUMNS, each=True)
    figure = new(height=WIDTH * tiles.shape[0] / tiles.shape[1])
    bare(figure.subplots()).imshow(tiles)
    return figure


@styled
def fig_6(
    layers: Mapping[str, Float[Tensor, "maps channels k k"]],
    tables: Mapping[str, pd.DataFrame],
) -> Figure:
    """First layers side by side, dead filters marked (the paper's Fig. 6 a-c).

    A layer is on one scale, so that a filter that dominates is seen to.

    Args:
        layers: title and filters of each, two to four.
        tables: the same titles, with columns blank and silent.
    """
    mosaics = {title: mosaic(w, round((len(w) * 0.75) ** 0.5), each=False) for title, w in layers.items()}
    tallest = max(tiles.shape[0] / tiles.shape[1] for tiles, _ in mosaics.values())
    titles = {title: fill(title, 84 // len(layers)) for title in layers}
    kinds = [kind for kind in DEAD if any(tables[title][kind].any() for title in layers)]
    lines = 1 + max(title.count("\n") for title in titles.values()) + bool(kinds)
    figure = new(height=(WIDTH / len(layers) - 2 * APART) * tallest + 0.22 * lines)
    figure.get_layout_engine().set(w_pad=APART)
    panels = figure.subplots(1, len(layers), squeeze=False)[0]
    for axes, (title, (tiles, places)) in zip(panels, mosaics.items(), strict=True):
        bare(axes).imshow(tiles)
        axes.set_title(titles[title])
        axes.set_anchor("N")
        for kind in (kind for kind in kinds if tables[title][kind].any()):
            axes.plot(*places[tables[title][kind].to_numpy(bool)].T, **MARK, **DEAD[kind])
    if kinds:
        handles = [Line2D([], [], label=f"dead: {kind}", **MARK, **DEAD[kind]) for kind in kinds]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def mosaic(
    weight: Float[Tensor, "maps channels k k"], columns: int, *, each: bool
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "maps 2"]]:
    """Filters side by side, one white pixel apart, and each one's centre (x, y) by its number in the layer.

    Args:
        weight: filters on 1 or 3 colours.
        columns: how many in a line, at most.
        each: whether each filter is on a scale of its own, which shows its form, or all on that of the
            layer's largest absolute weight, which shows its strength.
    """
    if weight.ndim != 4 or weight.shape[1] not in (1, 3):
        raise ValueError(f"filters on 1 or 3 colours can be shown, not of shape {tuple(weight.shape)}")
    filters = to_host(weight.permute(0, 2, 3, 1)).astype(np.float32)
    filters = np.broadcast_to(filters, (*filters.shape[:3], 3))
    largest = np.abs(filters).max((1, 2, 3) if each else None, keepdims=True)
    shown = 0.5 + 0.5 * filters / np.maximum(largest, np.finfo(np.float32).tiny)
    maps, k = filters.shape[:2]
    columns = max(1, min(columns, maps))
    tiles = np.ones((-(-maps // columns) * (k + 1) - 1, columns * (k + 1) - 1, 3), dtype=np.float32)
    places = np.empty((maps, 2))
    for place, one in enumerate(np.argsort(-np.square(filters).mean((1, 2, 3)), kind="stable")):
        y, x = np.array(divmod(place, columns)) * (k + 1)
        tiles[y : y + k, x : x + k] = shown[one]
        places[one] = x + (k - 1) / 2, y + (k - 1) / 2
    return tiles, places
