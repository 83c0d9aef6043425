"""Figures of chapter 5: how features move when the picture moves (Zeiler & Fergus 2013, Fig. 5).

The one idea: a distance has the same meaning in every panel, 0 the untransformed picture and 1 another
picture, so that panels can be read against each other. A random network stands behind every curve.
"""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, MultipleLocator

from zfutils.experiments.invariance.feature_distances import Responses
from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import BLUE, CYCLE, FAINT, INK, MARKERS, ORDERED, VERMILLION, bare, new, styled
from zfutils.plotting.tiles import words

TITLES = {"translation": "Vertical translation", "scale": "Scale", "rotation": "Rotation"}
AXES = {"translation": "shift downwards (px)", "scale": "size, as a factor", "rotation": "clockwise (°)"}
SEEN = "#e8e8e8"
WIDE = 10.5  # inches; a figure that takes the page's margin too


@styled
def fig_5(
    trained: Mapping[str, Responses],
    random: Mapping[str, Responses],
    tiles: Mapping[str, UInt8[np.ndarray, "pictures shown side side 3"]],
) -> Figure:
    """The paper's figure: a row a transformation; a few pictures, their distances in layers 1 and 7, and the
    probability of the true class.

    A colour and marker is a picture; grey is the same pictures in the random network, whose probabilities
    are left out, since it knows no classes.

    Args:
        trained, random: by kind of transformation, of the same few pictures, as many as there are colours
            at most.
        tiles: by kind, these pictures by some amounts of change.
    """
    figure = new(width=WIDE, height=0.45 + 3 * len(trained))
    panels = figure.subplots(len(trained), 4, squeeze=False, width_ratios=(1.35, 1, 1, 1))
    for row, (kind, one) in zip(panels, trained.items(), strict=True):
        _tiles(row[0], tiles[kind])
        row[0].set_title(TITLES[kind])
        for axes, layer in zip(row[1:], ("relu1", "relu7", None), strict=True):
            behind = [] if layer is None else random[kind].layer(layer)
            for curve in behind:
                axes.plot(one.amounts, curve, color=FAINT, lw=0.8, zorder=1)
            for number, curve in enumerate(one.probabilities if layer is None else one.layer(layer)):
                _line(axes, one.amounts, curve, number)
            axes.set_title(f"{words(layer)}: distance" if layer else "P(true class)")
            axes.set_ylim(-0.03, 1.05 if layer is None else None)
            axes.set_xlabel(AXES[kind])
            _ticks(axes, kind)
    top = max(axes.get_ylim()[1] for row in panels for axes in row[1:3])
    for axes in (axes for row in panels for axes in row[1:3]):
        axes.set_ylim(-0.03 * top, top)
        axes.axhline(1, color=INK, ls=":", lw=0.9, zorder=0.5)
    marks = [
        Line2D([], [], color=CYCLE[0], marker=MARKERS[0], label="trained, one colour per image"),
        Line2D([], [], color=FAINT, lw=0.8, label="random weights, the same images"),
        Line2D([], [], color=INK, ls=":", lw=0.9, label="1: as far as another image"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3)
    return figure


def _line(axes: Axes, x: np.ndarray, y: np.ndarray, number: int) -> None:
    every = (number, max(len(x) // 6, 1))
    look = {"color": CYCLE[number], "marker": MARKERS[number], "markevery": every, "ms": 4}
    axes.plot(x, y, lw=1.3, zorder=2, **look)


def _tiles(axes: Axes, tiles: UInt8[np.ndarray, "pictures shown side side 3"]) -> None:
    bare(axes)
    gap = 0.06
    for number, line in enumerate(tiles):
        for column, picture in enumerate(line):
            where = (column + gap, column + 1 - gap, number + 1 - gap, number + gap)
            axes.imshow(picture, extent=where, interpolation="antialiased", aspect="auto")
        look = {"color": CYCLE[number], "marker": MARKERS[number], "ms": 5, "clip_on": False}
        axes.plot([-0.25], [number + 0.5], **look)
    axes.set(xlim=(-0.45, tiles.shape[1]), ylim=(len(tiles), 0), aspect="equal", anchor="W")


@styled
def every_layer(table: pd.DataFrame, *, seen: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """Mean curves of all layers: a column a transformation, a row a network, and below the probability that
    the first network gives the true class.

    Args:
        table: as `summaries.curve_table` gives it, for all transformations and networks.
        seen: by kind, from where to where changes occur in training; shaded.
    """
    kinds, networks = (list(dict.fromkeys(table[name])) for name in ("kind", "network"))
    layers = [layer for layer in dict.fromkeys(table["layer"]) if layer != "probability"]
    colours = dict(zip(layers, mpl.colormaps[ORDERED](np.linspace(0, 0.92, len(layers))), strict=True))
    figure = new(width=WIDE, height=2.3 * (len(networks) + 1) + 0.4)
    panels = figure.subplots(len(networks) + 1, len(kinds), squeeze=False, sharex="col", sharey="row")
    distances = table[table["layer"] != "probability"]
    for row, network in zip(panels, [*networks, None], strict=True):
        for axes, kind in zip(row, kinds, strict=True):
            own = table[table["kind"] == kind]
            if network is None:
                chosen = (own["network"] == networks[0]) & (own["layer"] == "probability")
                _band(axes, own[chosen], color=BLUE)
                axes.set_ylim(0, 1.02)
            else:
                for layer in layers:
                    _band(
                        axes, own[(own["network"] == network) & (own["layer"] == layer)], color=colours[layer]
                    )
                axes.set_ylim(0, 1.05 * max(1, distances["high"].max()))
                axes.axhline(1, color=INK, ls=":", lw=0.9, zorder=0.5)
            for low, high in seen.get(kind, ()):
                axes.axvspan(low, high, color=SEEN, zorder=0, lw=0)
            _ticks(axes, kind)
            axes.set_xlim(own["amount"].min(), own["amount"].max())
        row[0].set_ylabel(
            f"P(true class),\n{networks[0]}" if network is None else f"distance,\n{network} network"
        )
    for column, kind in zip(panels.T, kinds, strict=True):
        column[0].set_title(TITLES[kind])
        column[-1].set_xlabel(AXES[kind])
    marks = [Line2D([], [], color=colours[layer], lw=2.5, label=words(layer)) for layer in layers]
    marks.append(mpl.patches.Patch(color=SEEN, label="in training"))
    figure.legend(handles=marks, loc="outside right center")
    return figure


@styled
def compared(table: pd.DataFrame, *, by: str) -> Figure:
    """Mean curves side by side: a row a transformation, a column layer 1, layer 7 and the true class.

    A colour is what is compared; lines are the first network, dashes the second, a control that knows
    no classes and has no place in a panel of probabilities.

    Args:
        table: as `summaries.curve_table` gives it, with one column more; at most two networks.
        by: that column's name; at most two values.
    """
    layers = ("relu1", "relu7", "probability")
    kinds, networks, values = (list(dict.fromkeys(table[name])) for name in ("kind", "network", by))
    figure = new(height=2.15 * len(kinds) + 0.7)
    panels = figure.subplots(len(kinds), len(layers), squeeze=False)
    looks = {
        (value, network): {"color": colour, "ls": style}
        for value, colour in zip(values, (BLUE, VERMILLION), strict=False)
        for network, style in zip(networks, ("-", "--"), strict=False)
    }
    for row, kind in zip(panels, kinds, strict=True):
        for axes, layer in zip(row, layers, strict=True):
            chance = layer == "probability"
            for (value, network), look in looks.items():
                if chance and network != networks[0]:
                    continue
                key = (table["kind"] == kind) & (table["network"] == network) & (table[by] == value)
                _band(axes, table[key & (table["layer"] == layer)], marked=True, **look)
            axes.set_title("P(true class)" if chance else f"{words(layer)}: distance")
            axes.set_ylim(0, 1.02 if chance else max(1.05, axes.get_ylim()[1]))
            axes.set_xlabel(AXES[kind])
            _ticks(axes, kind)
    marks = [Line2D([], [], label=f"{value}, {network}", **look) for (value, network), look in looks.items()]
    figure.legend(handles=marks, loc="outside lower center", ncols=2)
    return figure


@styled
def by_layer(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Numbers by layer, a panel each, for the trained and the random network, with their intervals.

    Args:
        tables: by what the panel is called (a title, a line break, the unit); columns network, layer,
            estimate, low, high.
    """
    wide = min(len(tables), 3)
    deep = -(-len(tables) // wide)
    figure = new(height=2.4 * deep + 0.4)
    panels = figure.subplots(deep, wide, squeeze=False).flat
    for axes in panels[len(tables) :]:
        axes.set_visible(False)
    for axes, (heading, table) in zip(panels, tables.items(), strict=False):
        layers = list(dict.fromkeys(table["layer"]))
        for number, (network, own) in enumerate(table.groupby("network", sort=False)):
            x = [layers.index(layer) + 0.12 * number for layer in own["layer"]]
            colour = (BLUE, FAINT, *CYCLE[1:])[number]
            look = {"color": colour, "mfc": "white", "ls": "--"} if number else {"color": colour}
            estimates(axes, x, own, marker=MARKERS[number], label=network, **look)
        title, _, unit = heading.partition("\n")
        axes.set(title=title, ylabel=unit, xlabel="layer")
        axes.set_xticks(range(len(layers)), [layer.removeprefix("relu") for layer in layers])
        low, high = axes.get_ylim()
        axes.set_ylim(min(0, low), high + 0.04 * (high - min(0, low)))
        axes.grid(axis="y")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _band(axes: Axes, own: pd.DataFrame, *, marked: bool = False, **look) -> None:
    """A mean curve and its interval."""
    mark = {"marker": "o", "ms": 3} if marked and len(own) <= 20 else {}
    estimates(axes, own["amount"], own, intervals="band", lw=1.4, **mark, **look)


def _ticks(axes: Axes, kind: str) -> None:
    if kind == "rotation":
        axes.xaxis.set_major_locator(MultipleLocator(90))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.margins(x=0.02)
