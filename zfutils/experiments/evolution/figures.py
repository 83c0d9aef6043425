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

Scale = Literal["row", "own"]
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
    scale: Scale = "row",
) -> Figure:
    """Maps of one layer while it forms: the strongest projection at every snapshot, its patch below.

    A row is a map, a column a snapshot. Mid-grey is a projection of 0. A triangle on the boundary of two
    columns says that another image has become the strongest. As wide as a page with its margin.

    Args:
        projections: of each map's strongest activation, on its unit's window.
        patches: the same windows of the pictures.
        images: which picture that is; where its number differs from the one before stands a triangle.
        epochs: of the snapshots.
        maps: their numbers, for the labels.
        scale: the one contrast rule. "row": full range is the 99.5th percentile of the absolute values of
            all projections in the row, so that strength can be compared along it; "own": of the single
            projection, so that the form of weak early ones can be seen.

    Raises:
        ValueError: shapes that do not match, no maps or snapshots, or another scale.
    """
    projections, patches, images = (np.asarray(a) for a in (projections, patches, images))
    shape = (len(maps), len(epochs))
    if 0 in shape or any(a.shape[:2] != shape for a in (projections, patches, images)):
        came = ", ".join(str(a.shape[:2]) for a in (projections, patches, images))
        raise ValueError(f"{len(maps)} maps at {len(epochs)} snapshots need arrays of that shape, got {came}")
    shown = 0.5 + 0.5 * _contrast(projections, scale)
    side = min((WIDE - LABELS) / len(epochs), 1.1)
    block = 2 * side + 0.1  # a projection, its patch, and room before the next map
    height = HEADER + len(maps) * block + 0.32
    figure = new(width=WIDE, height=height, layout="none")
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    axes.text(LABELS - 0.08, HEADER - 0.1, "epoch", ha="right", va="baseline")
    for column, epoch in enumerate(epochs):
        left = LABELS + column * side
        axes.text(left + side / 2, HEADER - 0.1, f"{epoch:g}", ha="center", va="baseline")
        for row in range(len(maps)):
            top = HEADER + row * block
            for picture, y in ((shown[row, column], top), (patches[row, column], top + side - GAP / 2)):
                where = (left + GAP / 2, left + side - GAP / 2, y + side - GAP / 2, y + GAP / 2)
                axes.imshow(picture, extent=where, interpolation="antialiased", aspect="auto")
    for row, number in enumerate(maps):
        axes.text(LABELS - 0.08, HEADER + row * block + side, f"map\n{number}", ha="right", va="center")
    other = images[:, 1:] != images[:, :-1]
    rows, columns = np.nonzero(other)
    look = {"marker": "v", "ls": "", "color": VERMILLION, "mec": "white", "mew": 0.8, "ms": 8}
    (marks,) = axes.plot(LABELS + (columns + 1) * side, HEADER + rows * block + 0.03, **look, clip_on=False)
    marks.set_gid("changes")
    axes.set(xlim=(0, WIDE), ylim=(height, 0))
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

    A row is a map, a column a snapshot. Mid-grey is a projection of 0; the contrast is each projection's own.

    Args:
        projections: of each map's strongest activation, by layer, on its unit's window.
        epochs: of the snapshots.
        maps: their numbers, by layer.

    Raises:
        ValueError: no layer, or shapes that do not match.
    """
    rows = [(layer, row) for layer, numbers in maps.items() for row in range(len(numbers))]
    came = {layer: np.shape(own)[:2] for layer, own in projections.items()}
    if not rows or came != {layer: (len(numbers), len(epochs)) for layer, numbers in maps.items()}:
        raise ValueError(f"{len(epochs)} snapshots of the maps {dict(maps)} need such arrays, got {came}")
    left_edge = 2 * LABELS
    side = (WIDTH - left_edge) / max(len(epochs), 5)
    figure = new(height=HEADER + len(rows) * side, layout="none")
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    axes.text(left_edge - 0.08, HEADER - 0.1, "epoch", ha="right", va="baseline")
    shown = {layer: 0.5 + 0.5 * _contrast(np.asarray(own), "own") for layer, own in projections.items()}
    for column, epoch in enumerate(epochs):
        left = left_edge + column * side
        axes.text(left + side / 2, HEADER - 0.1, f"{epoch:g}", ha="center", va="baseline")
        for line, (layer, row) in enumerate(rows):
            top = HEADER + line * side
            where = (left + GAP / 2, left + side - GAP / 2, top + side - GAP / 2, top + GAP / 2)
            axes.imshow(shown[layer][row, column], extent=where, interpolation="nearest", aspect="auto")
    for line, (layer, row) in enumerate(rows):
        said = f"{_named(layer)}\nmap {maps[layer][row]}"
        axes.text(left_edge - 0.08, HEADER + (line + 0.5) * side, said, ha="right", va="center")
    axes.set(xlim=(0, WIDTH), ylim=(HEADER + len(rows) * side, 0))
    return figure


def _contrast(projections: np.ndarray, scale: Scale) -> np.ndarray:
    """Values in -1…1 by the contrast rule of `fig_4`."""
    if scale not in ("row", "own"):
        raise ValueError(f"scale is 'row' or 'own', not {scale!r}")
    over = (1, 2, 3, 4) if scale == "row" else (2, 3, 4)
    full = np.percentile(np.abs(projections), 99.5, axis=over, keepdims=True)
    return np.clip(projections / np.maximum(full, np.finfo(np.float32).tiny), -1, 1)


@styled
def curves(
    table: pd.DataFrame,
    *,
    measure: Literal["cka", "probe"],
    rescaled: bool = True,
    lowered: Mapping[str, Sequence[float]] | None = None,
    between: Mapping[str, float] | None = None,
) -> Figure:
    """How every layer comes to what it is: a panel a run, a colour a layer, a thin line a seed.

    Args:
        table: as `settling.evolution_table` gives it; curves that are NaN are left out.
        measure: similarity to the last snapshot, or a linear probe's accuracy.
        rescaled: from step 0 to the end, with the 90 % that count as settled; or as measured.
        lowered: by run, the epochs after which the rate was lowered, of all its seeds; dotted.
        between: by layer, how alike the ends of two seeds are, on the same scale; a line at the right edge of
            the first panel, or a triangle at its foot where that lies below all curves.

    Raises:
        ValueError: another measure, or a column is missing.
    """
    column = f"{measure}_rescaled" if rescaled else measure
    if measure not in MEASURES or (lacking := {"run", "seed", "layer", "epoch", column} - set(table.columns)):
        wrong = f"no measure {measure!r}" if measure not in MEASURES else f"no column {', '.join(lacking)}"
        raise ValueError(f"{wrong}; measures are {', '.join(MEASURES)}")
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
        for epoch in sorted(set((lowered or {}).get(run, ()))):
            axes.axvline(epoch, color=INK, ls=":", lw=1.2, zorder=0.5)
        if rescaled:
            axes.axhline(SETTLED, color=FAINT, ls="--", lw=1, zorder=0.5)
        axes.set(title=run, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
    low, _ = panels[0].get_ylim()
    panels[0].set_ylim(max(low, lowest - 0.1))  # one seed far below the means would flatten all
    _mark_between(panels[0], between or {}, looks)
    if not rescaled and measure == "probe":
        panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    panels[0].set_ylabel(MEASURES[measure] + (f",\n{ENDS}" if rescaled else ""))
    marks = [Line2D([], [], lw=2, ms=4.5, label=_named(layer), **look) for layer, look in looks.items()]
    if rescaled:
        marks.append(Line2D([], [], color=FAINT, ls="--", lw=1, label="90 %"))
    if between:
        below = any(value < panels[0].get_ylim()[0] for value in between.values())
        look = {"lw": 3, "marker": "v" if below else "", "ms": 6}
        marks.append(Line2D([], [], color=INK, label="two seeds", **look))
    if any((lowered or {}).get(run) for run in runs):
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
    figure = new(height=1.2 + len(layers) * max(0.34, 0.06 * len(networks)))
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, measure in zip(panels, measures, strict=True):
        own = times[times["measure"] == measure].dropna(subset="time")
        for (run, layer), mean in own.groupby(["run", "layer"])["time"].mean().items():
            reach = [layers.index(layer) + y for (name, _), y in height.items() if name == run]
            axes.vlines(mean, min(reach), max(reach), color=INK, lw=1.6, zorder=3)
        for row in own.itertuples():
            which = runs.index(row.run)
            y = layers.index(row.layer) + height[row.run, row.seed]
            colour = CYCLE[which % len(CYCLE)]
            axes.plot([row.before, row.after], [y, y], color=colour, lw=1.2, alpha=0.6)
            axes.plot(row.time, y, MARKERS[which % len(MARKERS)], color=colour, ms=4.5, clip_on=False)
        for line in range(1, len(layers)):
            axes.axhline(line - 0.5, color="#dddddd", lw=0.6, zorder=0)
        axes.set(title=MEASURES[measure], xlabel="epoch at which 90 % is reached to stay", xlim=(0, epochs))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(layers)), [_named(layer) for layer in layers])
    panels[0].set_ylim(len(layers) - 0.5, -0.5)
    marks = [
        Line2D(
            [], [], color=CYCLE[i % len(CYCLE)], marker=MARKERS[i % len(MARKERS)], lw=1.2, ms=4.5, label=run
        )
        for i, run in enumerate(runs)
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return figure


@styled
def picture_changes(changes: pd.DataFrame) -> Figure:
    """How often a map's strongest image changes: percent of maps, by layer, between two snapshots.

    A row is a layer, a column the time between two snapshots; seeds, where there is a column of that name,
    are averaged.

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
    axes.set_yticks(range(len(grid)), [_named(layer) for layer in grid.index])
    axes.set(xlabel="epochs", title="maps with another strongest image (%)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _looks(table: pd.DataFrame) -> dict[str, dict]:
    """Colour and marker of every layer, in the order in which the table names them."""
    layers = list(dict.fromkeys(table["layer"]))
    colours = mpl.colormaps[ORDERED](np.linspace(0, 0.92, len(layers)))
    return {
        layer: {"color": tuple(colour), "marker": LAYER_MARKERS[i % len(LAYER_MARKERS)]}
        for i, (layer, colour) in enumerate(zip(layers, colours, strict=True))
    }


def _named(layer: str) -> str:
    """ "relu5" is the paper's layer 5."""
    return f"layer {layer.removeprefix('relu')}" if layer.startswith("relu") else layer
