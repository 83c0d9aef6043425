"""Figures of chapter 8: the errors of every row, and what each change does (Table 3)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import BLUE, INK, VERMILLION, new, styled

# A row of Table 3, and how it is called in a figure.
ROWS = {
    "none": "whole",
    "without layers 3, 4": "without 3, 4",
    "without layer 7": "without 7",
    "without layers 6, 7": "without 6, 7",
    "without layers 3, 4, 6, 7": "without 3, 4, 6, 7",
    "layers 6, 7: 2048 units": "6, 7: 2048",
    "layers 6, 7: 8192 units": "6, 7: 8192",
    "layers 3, 4, 5: 512, 1024, 512 maps": "3, 4, 5: 512, 1024, 512",
    "layers 6, 7: 8192 units; 3, 4, 5: 512, 1024, 512 maps": "both wider",
}
BASES = {"krizhevsky": ("Krizhevsky", VERMILLION), "zfnet": ("ZFNet", BLUE)}
SPLITS = {"validation": "validation top-1 error (%)", "train": "training top-1 error (%)"}
UNTOLD = "#e4e4e4"


@styled
def errors(table: pd.DataFrame, seeds: pd.DataFrame) -> Figure:
    """Validation and training error of every row, a line each, with its depth and size.

    A marker without filling is a row of which some seed was under-trained. Small dots are seeds.

    Args:
        table: as `contributions.table_3` gives it.
        seeds: as `contributions.by_seed` gives it.
    """
    figure = new(height=1.5 + 0.42 * len(table))
    panels = figure.subplots(1, len(SPLITS), sharey=True)
    for axes, split in zip(panels, SPLITS, strict=True):
        for y, (_, row) in enumerate(table.iterrows()):
            colour = BASES[row["base"]][1]
            own = seeds[seeds["name"] == row["name"]]
            if len(own) > 1:
                axes.plot(own[split], [y + 0.24] * len(own), ".", color=colour, ms=4)
            filling = "white" if row["under_trained"] else colour
            look = {"color": colour, "marker": "o", "mfc": filling, "ms": 6, "ls": "", "label": row["name"]}
            columns = (split, f"{split}_low", f"{split}_high")
            estimates(axes, y, row, columns=columns, along="y", **look)
        axes.set(xlabel=SPLITS[split], xlim=_limits(table, seeds, split))
        axes.grid(axis="x")
    panels[0].set_yticks(range(len(table)), [_described(row) for _, row in table.iterrows()])
    panels[0].set_ylim(len(table) - 0.4, -0.6)
    figure.legend(handles=_legend(table), loc="outside upper left", ncols=4)
    return figure


@styled
def effects(table: pd.DataFrame) -> Figure:
    """What each change does to the errors of its network, with the paper's effects beside.

    Args:
        table: as `contributions.effects` gives it.
    """
    names = list(dict.fromkeys(table["name"]))
    figure = new(height=1.4 + 0.4 * len(names))
    panels = figure.subplots(1, len(SPLITS), sharey=True)
    titles = ("change of the validation error", "change of the training error")
    for axes, measure, title in zip(panels, SPLITS, titles, strict=True):
        own = table[table["measure"] == measure].set_index("name").loc[names]
        at = np.arange(len(names))
        axes.use_sticky_edges = False  # a bar's end is no end of the axis
        axes.barh(at, 2 * own["detectable"].fillna(0), 0.8, left=-own["detectable"].fillna(0), color=UNTOLD)
        axes.axvline(0, color=INK, lw=0.8)
        for base, (_, colour) in BASES.items():
            of_base = (own["base"] == base).to_numpy()
            look = {"color": colour, "marker": "o", "ls": ""}
            estimates(axes, at[of_base] - 0.13, own[of_base], along="y", **look)
        axes.plot(own["paper"], at + 0.2, "D", mfc="white", mec=INK, ms=5.5)
        axes.set(title=title, xlabel="points of top-1 error; right is worse")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
    shown = table.drop_duplicates("name").set_index("name").loc[names]
    labels = [f"{BASES[one['base']][0]}, {ROWS[one['row']]}" for _, one in shown.iterrows()]
    panels[0].set_yticks(range(len(names)), labels)
    panels[0].set_ylim(len(names) - 0.45, -0.55)
    handles = [
        Line2D([], [], color=INK, marker="o", label="here, with 95 % interval"),
        Line2D([], [], ls="", marker="D", mfc="white", mec=INK, label="the paper"),
        Patch(color=UNTOLD, label="too small to be detected here"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    return figure


@styled
def depth(errors: pd.DataFrame) -> Figure:
    """Validation and training error of four and of eight layers, by the number of training pictures.

    Args:
        errors: as `depth.errors` gives them, of one network at least.
    """
    figure = new(height=3.4)
    panels = figure.subplots(1, len(SPLITS))
    sizes = sorted(set(errors["pictures"]))
    for axes, (split, label) in zip(panels, SPLITS.items(), strict=True):
        columns = (split, f"{split}_low", f"{split}_high")
        for layers, colour, marker in ((4, VERMILLION, "s"), (8, BLUE, "o")):
            for wider, shift, filling in ((False, 1, colour), (True, 1.09, "white")):
                own = errors[(errors["layers"] == layers) & (errors["wider"] == wider)]
                if len(own):
                    name = f"{layers} layers" + ", wider" * wider
                    look = {"color": colour, "marker": marker, "mfc": filling, "ms": 6, "label": name}
                    estimates(axes, own["pictures"] * shift, own, columns=columns, **look)
        axes.set(xscale="log", xlabel="training images", ylabel=label)
        axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
        axes.set_xticks([], minor=True)
        axes.grid(axis="y")
    panels[0].set_yscale("log")  # where errors are small, their ratio is what is left to see
    panels[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[0].yaxis.set_major_formatter("{x:g}")
    panels[0].yaxis.set_minor_formatter(NullFormatter())
    panels[1].set_ylim(bottom=0)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4)
    return figure


def _limits(table: pd.DataFrame, seeds: pd.DataFrame, split: str) -> tuple[float, float]:
    """All means, seeds and intervals, with a margin; an interval of few seeds that reaches far is cut."""
    values = np.concatenate([table[split], seeds[split]])
    reach = max(4.0, 0.2 * np.ptp(values))
    low = max(values.min() - reach, table[f"{split}_low"].min())
    high = min(values.max() + reach, table[f"{split}_high"].max())
    low, high = np.fmin(low, values.min()), np.fmax(high, values.max())  # no row may have an interval
    margin = max(0.5, 0.05 * (high - low))
    return max(0.0, low - margin), min(100.0, high + margin)


def _described(row: pd.Series) -> str:
    """A row's name, and below it how deep and how large the network is."""
    size = f"{row['layers']} layers, {row['parameters'] / 1e6:.2f} million"
    return f"{BASES[row['base']][0]}, {ROWS[row['row']]}\n{size}"


def _legend(table: pd.DataFrame) -> list[Line2D]:
    look = {"ls": "", "color": INK}
    handles = [
        Line2D([], [], lw=5, color=BASES[base][1], label=BASES[base][0])
        for base in BASES
        if base in set(table["base"])
    ]
    handles.append(Line2D([], [], marker="o", ms=6, label="mean over seeds", **look))
    handles.append(Line2D([], [], marker=".", ms=4, label="a seed", **look))
    if table["under_trained"].any():
        handles.append(Line2D([], [], marker="o", mfc="white", label="under-trained", **look))
    return handles
