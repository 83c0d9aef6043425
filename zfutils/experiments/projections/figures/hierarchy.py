"""Figures of chapter 3: what grows from layer to layer, beside what a network of random weights gives.

The one idea: trained and random stand side by side at every layer, each with its own colour, marker and
line style, so that the eye compares the two before it compares the layers.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import BLUE, FAINT, INK, ORANGE, VERMILLION, new, styled

LOOKS = {
    "trained": {"color": BLUE, "marker": "o", "linestyle": "-", "markerfacecolor": BLUE},
    "random": {"color": VERMILLION, "marker": "s", "linestyle": "--", "markerfacecolor": "white"},
}
NAMES = {"trained": "trained", "random": "random weights"}
TITLES = {  # measure: title of its panel, what its axis counts
    "orientation": ("One orientation", "coherence"),
    "colour": ("Colour", "share of energy"),
    "texture": ("Texture (tiles shuffled)", "response kept"),
    "class": ("Most frequent class", "share of nine images"),
    "likeness": ("Within minus across maps", "correlation"),
}
PAIRS = {"within": (BLUE, "o", "-"), "across": (ORANGE, "D", "--")}  # columns of the rows
APART, SPREAD = 0.16, 0.1  # layers; of the two kinds of pairs, and of the maps' dots
SHIFT = 0.09  # layers; keeps the two networks' bars apart
COLUMNS = 3


@styled
def hierarchy(table: pd.DataFrame, *, chance: Mapping[str, float]) -> Figure:
    """Every measure by layer, trained against random weights; bars are intervals over maps.

    Args:
        table: columns layer (number), network ("trained" or "random"), measure, estimate, low, high, as
            `selectivity.table` gives it; a panel for each measure that is there.
        chance: of some measures, what chance gives; a dotted line.
    """
    there = set(table["measure"])
    measures = [measure for measure in TITLES if measure in there]
    lines = -(-len(measures) // COLUMNS)
    figure = new(height=0.55 + 2.35 * lines)
    panels = figure.subplots(lines, min(COLUMNS, len(measures)), squeeze=False).ravel()
    for axes, measure in zip(panels, measures, strict=False):
        rows = table[table["measure"] == measure]
        for network, group in rows.groupby("network"):
            x = group["layer"] + SHIFT * (-1 if network == "trained" else 1)
            estimates(axes, x, group, **LOOKS[network])
        title, counts = TITLES[measure]
        axes.set(title=title, ylabel=counts)
        _layers(axes, table["layer"])
        if measure in chance:
            axes.axhline(chance[measure], color=INK, linestyle=":", linewidth=1.2, zorder=1)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, 0), high)
        if low < 0:
            axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
    for axes in panels[len(measures) :]:
        axes.remove()
    networks = [network for network in LOOKS if network in set(table["network"])]
    handles = [Line2D([], [], label=NAMES[network], **LOOKS[network]) for network in networks]
    handles.append(Line2D([], [], color=INK, linestyle=":", linewidth=1.2, label="chance"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


@styled
def likeness(rows: pd.DataFrame) -> Figure:
    """Correlations within and across maps by layer: a dot for each map, a line for their means.

    Args:
        rows: as `within_map_similarity.every_layer` gives them; projections and patches have a row of
            panels each.
    """
    kinds = list(rows["of"].unique())
    networks = [network for network in LOOKS if network in set(rows["network"])]
    figure = new(height=0.7 + 2.6 * len(kinds))
    panels = figure.subplots(len(kinds), len(networks), sharex=True, sharey="row", squeeze=False)
    for kind, line in zip(kinds, panels, strict=True):
        some = rows[rows["of"] == kind]
        for axes, network in zip(line, networks, strict=True):
            for i, pairs in enumerate(PAIRS):
                _dots(axes, some[some["network"] == network], pairs, (2 * i - 1) * APART)
            axes.set_title(f"{NAMES[network]}, {kind}")
            axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
            _layers(axes, rows["layer"])
        line[0].set_ylabel("correlation")
        for axes in line[1:]:
            axes.set_ylabel("")
    for axes in panels[:-1].ravel():
        axes.set_xlabel("")
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle=style, label=f"{pairs} maps: mean")
        for pairs, (colour, marker, style) in PAIRS.items()
    ]
    handles.append(Line2D([], [], color=FAINT, marker=".", markersize=6, linestyle="", label="one map"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _dots(axes: Axes, group: pd.DataFrame, pairs: str, shift: float) -> None:
    """Every map's correlation beside its layer, and a line through the layers' means."""
    colour, marker, style = PAIRS[pairs]
    x = group["layer"] + shift + np.random.default_rng(0).uniform(-SPREAD, SPREAD, len(group))
    axes.plot(x, group[pairs], ".", color=colour, markersize=4, alpha=0.45, markeredgewidth=0, zorder=2)
    mean = group.groupby("layer")[pairs].mean()
    axes.plot(mean.index + shift, mean, color=colour, marker=marker, linestyle=style, markeredgecolor="white")


def _layers(axes: Axes, layers: pd.Series) -> None:
    """Layers along x, whole numbers, the same in all panels."""
    axes.set(xlim=(layers.min() - 0.5, layers.max() + 0.5), xlabel="layer")
    axes.set_xticks(range(int(layers.min()), int(layers.max()) + 1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=(1, 2, 5, 10)))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
