"""Figures of chapter 13: how sick networks look, which sign tells what, and the signs that were chosen."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from zfutils.experiments.diagnosis.faults import HEALTHY
from zfutils.experiments.diagnosis.pictures import Pictures
from zfutils.experiments.diagnosis.signs import SIGNS
from zfutils.experiments.diagnosis.telling import COIN, Told, halves
from zfutils.plotting.style import BLUE, FAINT, INK, ORDERED, VERMILLION, WIDE, bare, new, styled
from zfutils.plotting.tiles import block, colours_and_mask, in_colour, words

TILE, GAP = 70, 6  # screen pixels; a multiple of filters of 5 and 7 px and of windows of 14
SHOWN_MAPS = 4
ROW = 1.9  # inches
SHOWN = {"relu3": 4, "relu5": 2}  # of the maps that are kept of a small ZFNet


@styled
def look(shown: Mapping[str, Pictures]) -> Figure:
    """A network in each row: filters, projections over their patches, digits and what falls under the square.

    It is as wide as page and margin together.

    Args:
        shown: by kind of network.
    """
    digits = len(next(iter(shown.values())).shown)
    figure = new(width=WIDE, height=0.45 + ROW * len(shown))
    widths = [1.5, 3.8, *[1.0] * (2 * digits)]
    panels = figure.subplots(len(shown), len(widths), width_ratios=widths, squeeze=False)
    for row, (name, one) in zip(panels, shown.items(), strict=True):
        row[0].imshow(_tiles(in_colour(one.filters), columns=3))
        every = [colours_and_mask(one.projections, i) for i in range(SHOWN_MAPS)]
        maps = [np.stack([parts[k][0] for parts in every]) for k in range(3)]
        row[1].imshow(_over_patches(*maps))
        for k, inside in enumerate(maps[2]):
            if not inside.any():
                middle = k * (TILE + GAP) + TILE / 2
                row[1].text(middle, TILE + GAP / 2, "dead", ha="center", va="center", fontsize=9.5)
        for k in range(digits):
            row[2 + 2 * k].imshow(one.shown[k], cmap="gray", vmin=0, vmax=255)
            row[3 + 2 * k].imshow(one.falls[k], cmap=ORDERED, vmin=0, vmax=max(1e-6, one.falls[k].max()))
        _name(row[0], name)
        for axes in row:
            bare(axes)
    titles = ["filters", "layer 2: projections over patches", *["digit", "fall"] * digits]
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize=9.5)
    return figure


def _over_patches(projections: np.ndarray, patches: np.ndarray, inside: np.ndarray) -> np.ndarray:
    both = np.concatenate([projections, patches]), np.concatenate([inside, inside])
    return block(*both, tile=TILE, gap=GAP, columns=len(projections))


def _tiles(colours: np.ndarray, *, columns: int) -> np.ndarray:
    inside = np.ones(colours.shape[:3], dtype=bool)
    return block(colours, inside, tile=TILE, gap=GAP, columns=columns)


def _name(axes: Axes, name: str) -> None:
    axes.set_ylabel(fill(name, 12), rotation=0, ha="right", va="center", labelpad=8, fontsize=9.5)


@styled
def areas(table: pd.DataFrame) -> Figure:
    """What each sign tells of each fault: AUC on seeds that had no part in the choice of its direction.

    Bold where the whole interval lies above chance.

    Args:
        table: as `tables.areas` gives it: one row for each sign, one column for each fault.
    """
    figure = new(height=1.1 + 0.27 * len(table))
    axes = figure.subplots()
    estimates = table.map(lambda area: area.estimate).to_numpy(dtype=float)
    axes.imshow(estimates, cmap="Blues", vmin=COIN, vmax=3 * COIN, aspect="auto")
    for (i, j), area in np.ndenumerate(table.to_numpy()):
        weight = "bold" if area.low > COIN else "normal"
        axes.text(j, i, f"{area.estimate:.2f}", ha="center", va="center", fontsize=9.5, weight=weight)
    axes.set_xticks(range(len(table.columns)), [fill(name, 10) for name in table.columns])
    axes.set_yticks(range(len(table)), [SIGNS[name][0] for name in table.index])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    where = [SIGNS[name][1] for name in table.index]
    for i in range(1, len(where)):
        if where[i] != where[i - 1]:
            axes.axhline(i - 0.5, color="white", lw=5)
    return figure


@styled
def chosen(table: pd.DataFrame, found: Mapping[str, Told]) -> Figure:
    """For each fault the sign that was chosen, in every network, and the threshold.

    Args:
        table: one row for each network.
        found: by fault.
    """
    columns = 3
    lines = -(-len(found) // columns)
    figure = new(height=0.5 + 2.2 * lines)
    panels = figure.subplots(lines, columns, squeeze=False).flatten()
    fixing, _ = halves(table)
    for axes, (fault, one) in zip(panels, found.items(), strict=False):
        for place, (name, colour) in enumerate(((HEALTHY, BLUE), (fault, VERMILLION))):
            own = table[table["network"] == name].sort_values("seed")
            at = place + np.linspace(-0.25, 0.25, len(own))
            fixed = own["seed"].isin(fixing).to_numpy()
            for part, filling in ((fixed, "white"), (~fixed, colour)):
                axes.plot(at[part], own[one.choice.sign][part], "o", color=colour, mfc=filling, ms=4.5)
        axes.axhline(one.choice.threshold, color=INK, lw=0.8, ls="--")
        axes.set_xticks([0, 1], [HEALTHY, fill(fault, 16)])
        axes.set_xlim(-0.5, 1.5)
        axes.set_title(fill(SIGNS[one.choice.sign][0], 28), fontsize=9.5)
    for axes in panels[len(found) :]:
        axes.set_visible(False)
    look = {"color": FAINT, "marker": "o", "ls": ""}
    handles = [
        Line2D([], [], mfc="white", label="seeds of the choice", **look),
        Line2D([], [], label="other seeds", **look),
        Line2D([], [], color=INK, lw=0.8, ls="--", label="threshold"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    return figure


@styled
def confusion(counts: Mapping[str, pd.DataFrame]) -> Figure:
    """How often networks of each kind (rows) are named as each kind (columns).

    Args:
        counts: as `tables.confusion` gives them, by what was read.
    """
    figure = new(height=3.6)
    panels = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
    for axes, (title, table) in zip(panels, counts.items(), strict=True):
        axes.imshow(table, cmap="Blues", vmin=0, vmax=1.5 * table.to_numpy().max(), aspect="auto")
        for (i, j), value in np.ndenumerate(table.to_numpy()):
            if value:
                axes.text(j, i, str(value), ha="center", va="center")
            if i == j:
                axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, ec=INK, lw=0.8))
        axes.set_xticks(range(len(table)), [fill(name, 14) for name in table.columns], rotation=90)
        axes.set(xlabel="named as", title=f"from {title}")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    panels[0].set_yticks(range(len(table)), table.index)
    panels[0].set_ylabel("kind of network")
    return figure


@styled
def on_pictures(kept: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """A small ZFNet in each row: filters, and projections of layers 3 and 5 over their patches.

    Args:
        kept: by kind of network, what `pictures.kept` gives, with or without patches.
    """
    figure = new(width=WIDE, height=0.45 + 2.4 * len(kept))
    widths = [2.0, *SHOWN.values()]
    panels = figure.subplots(len(kept), len(widths), width_ratios=widths, squeeze=False)
    for row, (name, one) in zip(panels, kept.items(), strict=True):
        row[0].imshow(_tiles(one["filters"], columns=4))
        for axes, (layer, maps) in zip(row[1:], SHOWN.items(), strict=True):
            lines = [one[k][:maps] for k in (f"projections_{layer}", f"patches_{layer}") if k in one]
            axes.imshow(_tiles(np.concatenate(lines), columns=maps))
        _name(row[0], name)
        for axes in row:
            bare(axes)
    for axes, title in zip(panels[0], ["filters", *map(words, SHOWN)], strict=True):
        axes.set_title(title, fontsize=9.5)
    return figure
