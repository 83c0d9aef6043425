"""Filters of a first layer as images (Zeiler & Fergus 2013, Fig. 6 a-c).

Mid-grey is a weight of 0. Filters stand in the order of their RMS, the largest first, so that one that
dominates comes first and blank ones come last.
"""

from collections.abc import Mapping
from textwrap import fill
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from torch import Tensor

from zfutils.plotting.style import VERMILLION, WIDTH, bare, new, styled
from zfutils.runtime.devices import to_host

Scale = Literal["own", "layer"]
COLUMNS = 12  # of a layer that has the page to itself
APART = 0.12  # inches to either side of a layer among others
DEAD = {"silent": ("o", 12), "blank": ("x", 6)}  # a column of the table: its marker and size (points)
MARK: dict[str, Any] = {
    "color": VERMILLION,
    "linestyle": "",
    "markerfacecolor": "none",
    "markeredgewidth": 1.8,
    "path_effects": [withStroke(linewidth=4, foreground="white")],
}


@styled
def filter_images(
    weight: Float[Tensor, "maps channels k k"], *, scale: Scale = "own", table: pd.DataFrame | None = None
) -> Figure:
    """A layer's filters as images, ordered by RMS, the largest first.

    Args:
        weight: filters on 1 or 3 colours.
        scale: mid-grey is 0, and full range is the filter's "own" largest absolute weight, which shows its
            form, or the "layer"'s, which shows its strength.
        table: with columns blank and silent, to mark the dead.

    Raises:
        ValueError: another number of colours, or another scale.
    """
    tiles, places = mosaic(weight, COLUMNS, scale)
    kinds = _dead(table)
    figure = new(height=WIDTH * tiles.shape[0] / tiles.shape[1] + (0.3 if kinds else 0))
    axes = bare(figure.subplots())
    axes.imshow(tiles)
    _mark(axes, places, table)
    _legend(figure, kinds)
    return figure


@styled
def fig_6(
    layers: Mapping[str, Float[Tensor, "maps channels k k"]],
    tables: Mapping[str, pd.DataFrame],
    *,
    scale: Scale = "layer",
) -> Figure:
    """First layers side by side, dead filters marked (the paper's Fig. 6 a-c).

    Args:
        layers: title and filters of each, two to four.
        tables: the same titles, with columns blank and silent.
        scale: as for `filter_images`; the layer's, so that a filter that dominates is seen to.

    Raises:
        ValueError: a layer without a table.
    """
    if lacking := set(layers) - set(tables):
        raise ValueError(
            f"no table for {', '.join(sorted(lacking))}; there are {', '.join(tables) or 'none'}"
        )
    mosaics = {title: mosaic(w, round((len(w) * 0.75) ** 0.5), scale) for title, w in layers.items()}
    tallest = max(tiles.shape[0] / tiles.shape[1] for tiles, _ in mosaics.values())
    titles = {title: fill(title, 84 // len(layers)) for title in layers}
    kinds = [kind for kind in DEAD if any(kind in _dead(tables[title]) for title in layers)]
    lines = 1 + max(title.count("\n") for title in titles.values()) + bool(kinds)
    figure = new(height=(WIDTH / len(layers) - 2 * APART) * tallest + 0.22 * lines)
    figure.get_layout_engine().set(w_pad=APART)
    panels = figure.subplots(1, len(layers), squeeze=False)[0]
    for axes, (title, (tiles, places)) in zip(panels, mosaics.items(), strict=True):
        bare(axes).imshow(tiles)
        axes.set_title(titles[title])
        axes.set_anchor("N")
        _mark(axes, places, tables[title])
    _legend(figure, kinds)
    return figure


def mosaic(
    weight: Float[Tensor, "maps channels k k"], columns: int, scale: Scale
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "maps 2"]]:
    """Filters side by side, one white pixel apart, and each one's centre (x, y) by its number in the layer.

    Args:
        weight: filters on 1 or 3 colours.
        columns: how many in a line, at most.
        scale: as for `filter_images`.
    """
    if weight.ndim != 4 or weight.shape[1] not in (1, 3):
        raise ValueError(f"filters on 1 or 3 colours can be shown, not of shape {tuple(weight.shape)}")
    if scale not in ("own", "layer"):
        raise ValueError(f"scale is 'own' or 'layer', not {scale!r}")
    filters = to_host(weight.permute(0, 2, 3, 1)).astype(np.float32)
    filters = np.broadcast_to(filters, (*filters.shape[:3], 3))
    largest = np.abs(filters).max((1, 2, 3) if scale == "own" else None, keepdims=True)
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


def _dead(table: pd.DataFrame | None) -> list[str]:
    """Which kinds of dead filters there are."""
    return [] if table is None else [kind for kind in DEAD if table[kind].any()]


def _mark(axes: Axes, places: np.ndarray, table: pd.DataFrame | None) -> None:
    for kind in _dead(table):
        axes.plot(
            *places[table[kind].to_numpy(bool)].T, marker=DEAD[kind][0], markersize=DEAD[kind][1], **MARK
        )


def _legend(figure: Figure, kinds: list[str]) -> None:
    if kinds:
        looks = [{"marker": DEAD[k][0], "markersize": DEAD[k][1], "label": f"dead: {k}"} for k in kinds]
        handles = [Line2D([], [], **look, **MARK) for look in looks]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
