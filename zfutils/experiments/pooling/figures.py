"""Figures of chapter 12: maps before and after pooling, and networks that subsample in three ways.

The one idea: dashed is before a pooling and solid is after it; blue is trained and grey has random weights,
wherever maps are compared. Where networks are compared, each has one colour and marker throughout.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from zfutils.experiments.pooling.comparisons import RANDOM, TRAINED
from zfutils.experiments.pooling.steadiness import SHIFTS
from zfutils.experiments.pooling.tolerance import POOLED, moving_with_the_picture
from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import BLUE, CYCLE, FAINT, INK, MARKERS, WIDE, bare, new, styled
from zfutils.plotting.tiles import block, words

AXES = {"shift": "shift down (px)", "scale": "enlarged, as a factor", "rotation": "rotation (°)"}
SHOWN = 4  # projections of each network and layer
MEASURES = {"distances": "distance", "stayed": "maxima that stay"}
COLOURS = {TRAINED: BLUE, RANDOM: FAINT}
BEFORE, AFTER = (0, (4, 1.5)), "-"


@styled
def curves(table: pd.DataFrame, measure: str, *, steps: Mapping[str, int] | None = None) -> Figure:
    """Every kind of change in a row, every pooling in a column: its maps before and after.

    Args:
        table: as `comparisons.curve_table` gives it.
        measure: "distances" or "stayed".
        steps: of the layers' grids (pixels); then what shifts leave in place of maxima that move with the
            picture is drawn too.

    Raises:
        ValueError: another measure.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure is {measure!r}; allowed are {', '.join(MEASURES)}")
    table = table[table["measure"] == measure]
    kinds = list(dict.fromkeys(table["kind"]))
    figure = new(height=0.7 + 1.9 * len(kinds))
    grid = figure.subplots(len(kinds), len(POOLED), sharex="row", sharey="row", squeeze=False)
    for line, kind in zip(grid, kinds, strict=True):
        for axes, pair in zip(line, POOLED, strict=True):
            own = table[table["kind"] == kind]
            for network, colour in COLOURS.items():
                for layer, dashes in zip(pair, (BEFORE, AFTER), strict=True):
                    rows = own[(own["network"] == network) & (own["layer"] == layer)]
                    look = {"color": colour, "linestyle": dashes}
                    estimates(axes, rows["amount"], rows, intervals="band", **look)
            if kind == "shift":
                for layer, dashes in zip(pair, (BEFORE, AFTER), strict=True) if steps else ():
                    at = np.linspace(0, own["amount"].max(), 100)
                    expected = moving_with_the_picture(at, steps[layer])
                    axes.plot(at, expected, color=INK, linewidth=0.8, linestyle=dashes, zorder=1)
                axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set(xlabel=AXES[kind], ylabel="")
        line[0].set_ylabel(MEASURES[measure])
        line[0].set_ylim(bottom=0, top=1.02 if measure == "stayed" else None)
    for axes, pair in zip(grid[0], POOLED, strict=True):
        axes.set_title(f"pooling of {words(pair[0])}")
    marks = [
        Line2D([], [], color=colour, linestyle=dashes, label=f"{network}, {when}")
        for network, colour in COLOURS.items()
        for dashes, when in ((BEFORE, "before"), (AFTER, "after"))
    ]
    if steps:
        marks += [
            Line2D([], [], color=INK, linewidth=0.8, linestyle=dashes, label=f"moving along, {when}")
            for dashes, when in ((BEFORE, "before"), (AFTER, "after"))
        ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3 if steps else 4)
    return figure


@styled
def labels(table: pd.DataFrame) -> Figure:
    """Share of labels kept by shift, each network a line through the means over its seeds, each seed a dot.

    Args:
        table: as `networks.label_table` gives it.
    """
    figure = new(height=2.9)
    sets, names = (list(dict.fromkeys(table[column])) for column in ("pictures", "network"))
    panels = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
    for axes, pictures in zip(panels, sets, strict=True):
        for number, name in enumerate(names):
            own = table[(table["pictures"] == pictures) & (table["network"] == name)]
            look = {"color": CYCLE[number], "marker": MARKERS[number]}
            at = own["shift"] + 0.08 * (number - (len(names) - 1) / 2)
            axes.scatter(at, own["share"], s=14, alpha=0.45, linewidths=0, **look)
            means = own.groupby("shift")["share"].mean()
            axes.plot(means.index, means, markersize=0, label=name, **look)
        counts = table.loc[table["pictures"] == pictures, "n"]
        ends = dict.fromkeys((counts.min(), counts.max()))  # over seeds
        axes.set_title(f"{pictures}\nn = {' to '.join(f'{n:,}' for n in ends)}")
        axes.set(xlabel="shift (px)", xlim=(min(SHIFTS) - 0.3, max(SHIFTS) + 0.3))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel("label kept (% of shifts)")
    _key(figure, names)
    return figure


@styled
def energy(table: pd.DataFrame) -> Figure:
    """Share of energy beyond Nyquist before each subsampling, a mark for each seed; hollow: random weights.

    Args:
        table: as `networks.energy_table` gives it.
    """
    names = list(dict.fromkeys(table["network"]))
    layers = sorted(set(table["layer"]), key=lambda layer: (layer[-1], layer))
    figure = new(height=3.1)
    axes = figure.subplots()
    for number, name in enumerate(names):
        for weights in (RANDOM, TRAINED):
            own = table[(table["network"] == name) & (table["weights"] == weights)]
            at = own["layer"].map(layers.index) + 0.24 * (number - (len(names) - 1) / 2)
            face = CYCLE[number] if weights == TRAINED else "none"
            look = {"marker": MARKERS[number], "facecolors": face, "edgecolors": CYCLE[number]}
            axes.scatter(at + (0.045 if weights == TRAINED else -0.045), own["share"], s=22, **look)
    axes.set_xticks(range(len(layers)), layers)
    top = 1.08 * table["share"].max()
    axes.set(xlim=(-0.5, len(layers) - 0.5), ylim=(0, top), ylabel="energy beyond Nyquist")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    hollow = {"linestyle": "none", "markerfacecolor": "none", "markeredgecolor": INK, "marker": "o"}
    _key(figure, names, [Line2D([], [], label="random weights", **hollow)])
    return figure


def _key(figure: Figure, names: Sequence[str], more: Sequence[Line2D] = ()) -> None:
    """Each network's colour and marker, below the figure."""
    marks = [
        Line2D([], [], color=CYCLE[i], marker=MARKERS[i], linestyle="none" if more else "-", label=name)
        for i, name in enumerate(names)
    ]
    figure.legend(handles=[*marks, *more], loc="outside lower center", ncols=len(marks) + len(more))


@styled
def projections(tiles: Mapping[str, Mapping[str, UInt8[np.ndarray, "maps side side 3"]]]) -> Figure:
    """The strongest projections of a few maps of several networks side by side, a row for each layer.

    A pixel of the picture has the same size for all networks, so that structure of one frequency looks alike.

    Args:
        tiles: by layer and network, the same networks in each; each tile has the contrast of its own map.
    """
    figure = new(width=WIDE, height=0.3 + 3.6 * len(tiles))
    grid = figure.subplots(len(tiles), len(next(iter(tiles.values()))), squeeze=False)
    for line, (layer, networks) in zip(grid, tiles.items(), strict=True):
        pages = {name: _page(one) for name, one in networks.items()}
        largest = max(len(page) for page in pages.values())
        for axes, (name, page) in zip(line, pages.items(), strict=True):
            _centred(bare(axes), page, largest)
            side = networks[name].shape[1]
            axes.set_title(f"{name}\n{words(layer)}, receptive field {side} px", fontsize=9.5)
    return figure


def _page(tiles: UInt8[np.ndarray, "maps side side 3"]) -> UInt8[np.ndarray, "h w 3"]:
    side, shown = tiles.shape[1], tiles[:SHOWN]
    return block(shown, np.ones(shown.shape[:3], bool), tile=4 * side, gap=4)


def _centred(axes: Axes, page: UInt8[np.ndarray, "h w 3"], largest: int) -> None:
    """A page in the upper left corner of a square in which the largest one just fits."""
    axes.imshow(page, interpolation="nearest")
    axes.set(xlim=(-0.5, largest - 0.5), ylim=(largest - 0.5, -0.5))
