"""Figures of chapter 14: the same units side by side, and how alike projections and signals are."""

from collections.abc import Mapping
from itertools import product
from textwrap import fill

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfutils.experiments.trial.convergence import ONE_RECTIFICATION, START
from zfutils.experiments.trial.faithfulness import PAIRS
from zfutils.experiments.trial.randomisation import MEASURES
from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import CYCLE, FAINT, INK, MARKERS, WIDE, bare, new, styled

CLIPPED = 99.5  # percentile of a projection's absolute values that is shown as full contrast
TITLES = {"spearman": "rank correlation", "ssim": "SSIM"}
ORDERS = {"cascading": "this layer and all above", "independent": "this layer alone", "control": "control"}
KINDS = {"same_picture": "two starts, one image", "same_start": "one start, two images"}


@styled
def grid(columns: Mapping[str, Shaped[np.ndarray, "n h w 3"]]) -> Figure:
    """Pictures and projections side by side, one line per unit.

    Grey is zero. Each projection has a contrast of its own: full black or white is the 99.5th percentile of
    its absolute values.

    Args:
        columns: by title, in the same order of units: pictures of 8 bits, or projections; at most eight.
    """
    lines, gap, side = len(next(iter(columns.values()))), 0.05, min(WIDE / len(columns), 1.6)
    names = [fill(name, int(10.5 * side), break_long_words=False) for name in columns]
    head = 0.1 + 0.16 * max(1 + name.count("\n") for name in names)
    figure = new(width=len(columns) * side, height=head + lines * side, layout="none")
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    for column, (name, values) in enumerate(zip(names, columns.values(), strict=True)):
        middle = (column + 0.5) * side
        axes.text(middle, head - 0.06, name, ha="center", va="bottom", fontsize=9.5, linespacing=1.1)
        for line, picture in enumerate(values if values.dtype == np.uint8 else in_grey(values)):
            left, top = column * side + gap / 2, head + line * side + gap / 2
            where = (left, left + side - gap, top + side - gap, top)
            axes.imshow(picture, extent=where, interpolation="antialiased", aspect="auto")
    axes.set(xlim=(0, len(columns) * side), ylim=(head + lines * side, 0))
    return figure


def in_grey(projections: Float[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n h w 3"]:
    """Projections as pictures in 0…1 around grey, each at a contrast of its own; one of zeros is grey."""
    values = np.asarray(projections, dtype=float)
    most = np.percentile(np.abs(values), CLIPPED, axis=(1, 2, 3), keepdims=True)
    most = np.where(most > 0, most, np.abs(values).max(axis=(1, 2, 3), keepdims=True))
    return np.clip(0.5 + values / (2 * np.where(most > 0, most, 1)), 0, 1)


@styled
def by_layer(table: pd.DataFrame) -> Figure:
    """How alike projections are, layer by layer: two maps in one picture against one map in two.

    Args:
        table: as `faithfulness.by_layer` gives it.
    """
    figure, networks = new(height=3.1), list(table["network"].unique())
    panels = figure.subplots(1, len(networks), sharey=True, squeeze=False)[0]
    for axes, network in zip(panels, networks, strict=True):
        for i, (pair, words) in enumerate(PAIRS.items()):
            one = table[(table["network"] == network) & (table["pair"] == pair)]
            places = np.arange(len(one)) + 0.1 * (i - 0.5)
            estimates(axes, places, one, color=CYCLE[i], marker=MARKERS[i], label=words)
        axes.set_xticks(range(len(one)), [layer.removeprefix("relu") for layer in one["layer"]])
        axes.set(title=_weights(network), xlabel="layer")
        _level(axes)
    panels[0].set_ylabel("correlation of projections")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


@styled
def randomisation(curves: pd.DataFrame) -> Figure:
    """How alike the true class's map stays with initial weights in some layers, beside what differs anyway.

    Args:
        curves: as `randomisation.randomisation_curves` gives them.
    """
    methods, orders = list(curves["method"].unique()), list(ORDERS)
    figure = new(height=5.4)
    wide = [curves.loc[curves["order"] == order, "layer"].nunique() for order in orders]
    panels = figure.subplots(
        len(MEASURES), len(orders), sharex="col", sharey=True, width_ratios=wide, squeeze=False
    )
    for (row, measure), (column, order) in product(enumerate(MEASURES), enumerate(orders)):
        axes, here = panels[row, column], curves["measure"].eq(measure) & curves["order"].eq(order)
        ticks = list(curves.loc[here, "layer"].unique())
        for i, method in enumerate(methods):
            table = curves[here & (curves["method"] == method)]
            places = np.arange(len(ticks)) + 0.16 * (i - (len(methods) - 1) / 2)
            line = "none" if order == "control" else "-"
            look = {"color": CYCLE[i], "marker": MARKERS[i], "linestyle": line}
            estimates(axes, places, table, label=method, **look)
        axes.set_xticks(range(len(ticks)), [tick.replace(" ", "\n") for tick in ticks], rotation=90)
        axes.set_xlim(-0.5, len(ticks) - 0.5)
        _level(axes)
        if not row:
            axes.set_title(ORDERS[order])
        if not column:
            axes.set_ylabel(TITLES[measure])
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=len(methods))
    return figure


@styled
def convergence(curves: pd.DataFrame) -> Figure:
    """Cosine of signals on their way down: of two starts in one image above, of one start in two below.

    Args:
        curves: as `convergence.curves` gives them.
    """
    figure, networks = new(height=5.2), list(curves["network"].unique())
    grid = figure.subplots(len(KINDS), len(networks), sharex=True, sharey=True, squeeze=False)
    methods = list(curves["method"].unique())
    for (row, kind), (column, network) in product(enumerate(KINDS), enumerate(networks)):
        axes = grid[row, column]
        for i, method in enumerate(methods):
            here = curves["network"].eq(network) & curves["method"].eq(method) & curves["kind"].eq(kind)
            places = np.arange(here.sum()) + 0.2 * (i - (len(methods) - 1) / 2)
            estimates(axes, places, curves[here], color=CYCLE[i], marker=MARKERS[i], label=method)
        ticks = [START, *(f"below {layer}" for layer in curves[here]["layer"][1:])]
        axes.set_xticks(range(len(ticks)), ticks, rotation=90)
        axes.axhline(ONE_RECTIFICATION, color=FAINT, linewidth=0.8, linestyle=":", zorder=1)
        axes.set_title(f"{KINDS[kind]}, {_weights(network)}")
        _level(axes)
        if not column:
            axes.set_ylabel("absolute cosine")
    lines = grid[0, 0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside upper right", ncols=len(methods))
    return figure


def _weights(network: str) -> str:
    return f"{network} weights" if network == "random" else f"{network} network"


def _level(axes: Axes) -> None:
    """Lines at the levels, the one at 0 drawn through."""
    axes.axhline(0, color=INK, linewidth=0.8, zorder=1)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
