"""Figures of chapter 4: how features form while a network trains (Zeiler & Fergus 2013, Fig. 4).

The one idea: layers have an order, and one ramp of colours from the first to the last keeps it in every
figure. Thin lines are single seeds, broad ones their mean.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from jaxtyping import Float, Int64, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from zfutils.experiments.evolution.settling import SETTLED
from zfutils.plotting.style import (
    CYCLE,
    FAINT,
    INK,
    MARKERS,
    ORDERED,
    VERMILLION,
    WIDE,
    WIDTH,
    bare,
    new,
    styled,
)
from zfutils.plotting.tiles import words

LAYER_MARKERS = (*MARKERS, "X")
MEASURES = {"cka": "CKA with the last snapshot", "probe": "accuracy of a linear probe"}
ENDS = "0 at step 0, 1 at the last snapshot"
LABELS, HEADER, GAP = 0.62, 0.42, 0.05  # inches: row labels, column headings, between two cells


@styled
def fig_4(
    projections: Float[np.ndarray, "maps epochs s s 3"],
    patches: UInt8[np.ndarray, "maps epochs s s 3"],
    images: Int64[np.ndarray, "maps epochs"],
    *,
    epochs: Sequence[float],
    maps: Sequence[int],
) -> Figure:
    """Maps of one layer while it forms: the strongest projection at every snapshot, its patch below.

    A row is a map, a column a snapshot. A triangle on the boundary of two columns says that another image has
    become the strongest. As wide as a page with its margin.

    Args:
        projections: of each map's strongest activation, on its unit's window; the contrast is as in
            `_contrast`.
        patches: the same windows of the pictures.
        images: which picture that is; where its number differs from the one before stands a triangle.
        epochs: of the snapshots.
        maps: their numbers, for the labels.
    """
    shown = _contrast(projections)
    side = min((WIDE - LABELS) / len(epochs), 1.1)
    block = 2 * side + 0.1  # a projection, its patch, and room before the next map
    figure, axes = _sheet(epochs, left=LABELS, side=side, width=WIDE, below=len(maps) * block + 0.32)
    for row, number in enumerate(maps):
        top = HEADER + row * block
        for column in range(len(epochs)):
            left = LABELS + column * side
            _cell(axes, shown[row, column], left, top, side, interpolation="antialiased")
            below = top + side - GAP / 2
            _cell(axes, patches[row, column], left, below, side, interpolation="antialiased")
        axes.text(LABELS - 0.08, top + side, f"map\n{number}", ha="right", va="center")
    rows, columns = np.nonzero(images[:, 1:] != images[:, :-1])
    look = {"marker": "v", "ls": "", "color": VERMILLION, "mec": "white", "mew": 0.8, "ms": 8}
    (marks,) = axes.plot(LABELS + (columns + 1) * side, HEADER + rows * block + 0.03, **look, clip_on=False)
    marks.set_gid("changes")
    note = Line2D([], [], **look, label="another image than at the snapshot before")
    axes.legend(handles=[note], loc="lower right", borderaxespad=0, bbox_to_anchor=(1, 0.0))
    return figure


@styled
def without_patches(
    projections: Mapping[str, Float[np.ndarray, "maps epochs s s 3"]],
    *,
    epochs: Sequence[float],
    maps: Mapping[str, Sequence[int]],
) -> Figure:
    """Maps of several layers while they form, for pictures that must not be handed on: no patch is in it.

    A row is a map, a column a snapshot.

    Args:
        projections: of each map's strongest activation, by layer, on its unit's window; the contrast is as in
            `_contrast`.
        epochs: of the snapshots.
        maps: their numbers, by layer.
    """
    rows = [
        (layer, *row)
        for layer, own in projections.items()
        for row in zip(maps[layer], _contrast(own), strict=True)
    ]
    edge = 2 * LABELS
    side = (WIDTH - edge) / max(len(epochs), 5)
    figure, axes = _sheet(epochs, left=edge, side=side, width=WIDTH, below=len(rows) * side)
    for line, (layer, number, shown) in enumerate(rows):
        for column, picture in enumerate(shown):
            left, top = edge + column * side, HEADER + line * side
            _cell(axes, picture, left, top, side, interpolation="nearest")
        said = f"{words(layer)}\nmap {number}"
        axes.text(edge - 0.08, HEADER + (line + 0.5) * side, said, ha="right", va="center")
    return figure


def _contrast(projections: np.ndarray) -> np.ndarray:
    """Mid-grey is a projection of 0, full range the 99.5th percentile of its own absolute values."""
    full = np.percentile(np.abs(projections), 99.5, axis=(2, 3, 4), keepdims=True)
    return 0.5 + 0.5 * np.clip(projections / np.maximum(full, np.finfo(np.float32).tiny), -1, 1)


def _sheet(
    epochs: Sequence[float], *, left: float, side: float, width: float, below: float
) -> tuple[Figure, Axes]:
    """An empty sheet in inches from the upper left corner, its columns headed by their epochs."""
    figure = new(width=width, height=HEADER + below, layout="none")
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    axes.set(xlim=(0, width), ylim=(HEADER + below, 0))
    axes.text(left - 0.08, HEADER - 0.1, "epoch", ha="right", va="baseline")
    for column, epoch in enumerate(epochs):
        axes.text(left + (column + 0.5) * side, HEADER - 0.1, f"{epoch:g}", ha="center", va="baseline")
    return figure, axes


def _cell(
    axes: Axes, picture: np.ndarray, left: float, top: float, side: float, *, interpolation: str
) -> None:
    where = (left + GAP / 2, left + side - GAP / 2, top + side - GAP / 2, top + GAP / 2)
    axes.imshow(picture, extent=where, interpolation=interpolation, aspect="auto")


@styled
def curves(
    table: pd.DataFrame,
    *,
    measure: Literal["cka", "probe"],
    lowered: Sequence[float] = (),
    between: Mapping[str, float] | None = None,
) -> Figure:
    """How every layer comes to what it is: a panel a run, a colour a layer, a thin line a seed.

    Similarity is shown from step 0 to the end, with the 90 % that count as settled, a probe as measured.

    Args:
        table: as `settling.evolution_table` gives it; curves that are NaN are left out.
        measure: similarity to the last snapshot, or a linear probe's accuracy.
        lowered: the epochs after which the rate was lowered; dotted.
        between: by layer, how alike the ends of two seeds are, on the same scale; a line at the right edge of
            the first panel, or a triangle at its foot where that lies below all curves.
    """
    rescaled = measure == "cka"
    column = "cka_rescaled" if rescaled else measure
    runs, looks = list(dict.fromkeys(table["run"])), _looks(table)
    figure = new(height=4.0)
    panels = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    lowest = 0.0
    for axes, run in zip(panels, runs, strict=True):
        for layer, look in looks.items():
            own = table[(table["run"] == run) & (table["layer"] == layer)]
            by_epoch = own.pivot(index="epoch", columns="seed", values=column).dropna(axis=1)
            if by_epoch.empty:
                continue
            axes.plot(by_epoch.index, by_epoch, color=look["color"], lw=0.6, alpha=0.7)
            mean = by_epoch.mean(axis=1)
            axes.plot(mean.index, mean, lw=2, ms=4.5, **look)
            lowest = min(lowest, mean.min())
        for epoch in lowered:
            axes.axvline(epoch, color=INK, ls=":", lw=1.2, zorder=0.5)
        if rescaled:
            axes.axhline(SETTLED, color=FAINT, ls="--", lw=1, zorder=0.5)
        axes.set(title=run, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
    low, _ = panels[0].get_ylim()
    panels[0].set_ylim(max(low, lowest - 0.1))  # one seed far below the means would flatten all
    _mark_between(panels[0], between or {}, looks)
    if not rescaled:
        panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    panels[0].set_ylabel(MEASURES[measure] + (f",\n{ENDS}" if rescaled else ""))
    marks = [Line2D([], [], lw=2, ms=4.5, label=words(layer), **look) for layer, look in looks.items()]
    if rescaled:
        marks.append(Line2D([], [], color=FAINT, ls="--", lw=1, label="90 %"))
    if between:
        below = any(value < panels[0].get_ylim()[0] for value in between.values())
        look = {"lw": 3, "marker": "v" if below else "", "ms": 6}
        marks.append(Line2D([], [], color=INK, label="two seeds", **look))
    if lowered:
        marks.append(Line2D([], [], color=INK, ls=":", lw=1.2, label="rate lowered"))
    figure.legend(handles=marks, loc="outside right center")
    return figure


def _mark_between(axes: Axes, between: Mapping[str, float], looks: Mapping[str, Mapping]) -> None:
    """Lines at the right edge; those below the axis are triangles at its foot, side by side."""
    low, high = axes.get_ylim()
    for place, (layer, value) in enumerate(between.items()):
        colour = {"color": looks[layer]["color"], "gid": "between seeds"}
        if value >= low:
            axes.axhline(value, 0.93, 1, lw=3, **colour)
        else:
            where = {"transform": axes.get_yaxis_transform(), "clip_on": False}
            axes.plot(0.97 - 0.04 * place, low, "v", ms=6, **where, **colour)
    axes.set_ylim(low, high)


@styled
def settling_times(times: pd.DataFrame, *, epochs: float) -> Figure:
    """When every layer settles: a dot a network, its bar the two snapshots between which that lies.

    Colour and marker are the run; its seeds stand below one another, crossed by their mean. A panel a
    measure. Networks that never settle are left out.

    Args:
        times: as `settling.times` gives it.
        epochs: the training's length, where the axis ends.
    """
    measures = list(dict.fromkeys(times["measure"]))
    layers, runs = list(dict.fromkeys(times["layer"])), list(dict.fromkeys(times["run"]))
    networks = list(dict.fromkeys(zip(times["run"], times["seed"], strict=True)))
    networks.sort(key=lambda network: runs.index(network[0]))
    height = {one: 0.7 * ((i + 0.5) / len(networks) - 0.5) for i, one in enumerate(networks)}
    looks = {run: {"color": c, "marker": m} for run, c, m in zip(runs, CYCLE, MARKERS, strict=False)}
    figure = new(height=1.2 + len(layers) * max(0.34, 0.06 * len(networks)))
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, measure in zip(panels, measures, strict=True):
        own = times[times["measure"] == measure].dropna(subset="time")
        for (run, layer), mean in own.groupby(["run", "layer"])["time"].mean().items():
            reach = [layers.index(layer) + y for (name, _), y in height.items() if name == run]
            axes.vlines(mean, min(reach), max(reach), color=INK, lw=1.6, zorder=3)
        for row in own.itertuples():
            y, look = layers.index(row.layer) + height[row.run, row.seed], looks[row.run]
            axes.plot([row.before, row.after], [y, y], color=look["color"], lw=1.2, alpha=0.6)
            axes.plot(row.time, y, ls="", ms=4.5, clip_on=False, **look)
        for line in range(1, len(layers)):
            axes.axhline(line - 0.5, color="#dddddd", lw=0.6, zorder=0)
        axes.set(title=MEASURES[measure], xlabel="epoch at which 90 % is reached to stay", xlim=(0, epochs))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(layers)), [words(layer) for layer in layers])
    panels[0].set_ylim(len(layers) - 0.5, -0.5)
    marks = [Line2D([], [], lw=1.2, ms=4.5, label=run, **look) for run, look in looks.items()]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return figure


@styled
def picture_changes(changes: pd.DataFrame) -> Figure:
    """How often a map's strongest image changes: percent of maps, by layer, between two snapshots.

    A row is a layer, a column the time between two snapshots.

    Args:
        changes: as `appearance.changes` gives it.
    """
    grid = 100 * changes.pivot_table("changed", "layer", ["from_epoch", "to_epoch"], sort=False)
    figure = new(height=1.1 + 0.34 * len(grid))
    axes = figure.subplots()
    axes.imshow(grid, cmap=ORDERED, vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(grid.to_numpy()):
        ink = "white" if value < 60 else INK
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=ink)
    axes.set_xticks(range(grid.shape[1]), [f"{start:g}–{end:g}" for start, end in grid.columns])
    axes.set_yticks(range(len(grid)), [words(layer) for layer in grid.index])
    axes.set(xlabel="epochs", title="maps with another strongest image (%)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _looks(table: pd.DataFrame) -> dict[str, dict]:
    """Colour and marker of every layer, in the order in which the table names them."""
    layers = list(dict.fromkeys(table["layer"]))
    colours = mpl.colormaps[ORDERED](np.linspace(0, 0.92, len(layers)))
    return {
        layer: {"color": tuple(colour), "marker": marker}
        for layer, colour, marker in zip(layers, colours, LAYER_MARKERS, strict=False)
    }
