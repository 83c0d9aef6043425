"""Figures of chapter 8: errors against depth and size, and what each change does (Table 3)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import BLUE, INK, VERMILLION, new, styled

# A row of Table 3: how it is called in a figure, and its marker.
ROWS = {
    "none": ("whole", "o"),
    "without layers 3, 4": ("without 3, 4", "s"),
    "without layer 7": ("without 7", "^"),
    "without layers 6, 7": ("without 6, 7", "v"),
    "without layers 3, 4, 6, 7": ("without 3, 4, 6, 7", "D"),
    "layers 6, 7: 2048 units": ("6, 7: 2048", "<"),
    "layers 6, 7: 8192 units": ("6, 7: 8192", ">"),
    "layers 3, 4, 5: 512, 1024, 512 maps": ("3, 4, 5: 512, 1024, 512", "P"),
    "layers 6, 7: 8192 units; 3, 4, 5: 512, 1024, 512 maps": ("both wider", "X"),
}
BASES = {"krizhevsky": ("Krizhevsky", VERMILLION), "zfnet": ("ZFNet", BLUE)}
SPLITS = {"validation": "validation top-1 error (%)", "train": "training top-1 error (%)"}
AXES = {"layers": "layers with weights", "parameters": "parameters"}
UNTOLD = "#e4e4e4"


@styled
def errors(table: pd.DataFrame, seeds: pd.DataFrame) -> Figure:
    """Validation and training error against depth and against the number of parameters.

    Networks of one depth stand side by side. A marker without filling is a row of which some seed was
    under-trained. Small dots are seeds.

    Args:
        table: as `contributions.table_3` gives it.
        seeds: as `contributions.by_seed` gives it.

    Raises:
        ValueError: no rows, or one that is not in Table 3.
    """
    _refuse_unknown(table)
    figure = new(height=7.4)
    panels = figure.subplots(len(SPLITS), len(AXES), sharex="col", sharey="row", width_ratios=(6, 5))
    for line, split in zip(panels, SPLITS, strict=True):
        for axes, against in zip(line, AXES, strict=True):
            places = _side_by_side(table[against]) if against == "layers" else table[against].astype(float)
            for (_, row), x in zip(table.iterrows(), places, strict=True):
                _network(axes, row, seeds[seeds["name"] == row["name"]], split, x)
            axes.grid(axis="y")
        line[0].set_ylabel(SPLITS[split])
        line[0].set_ylim(_limits(table, seeds, split))
    panels[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[-1, 1].set_xscale("log")
    panels[-1, 1].set_xlim(_decade(table["parameters"]))
    panels[-1, 1].xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    panels[-1, 1].xaxis.set_major_formatter(FuncFormatter(_plain))
    panels[-1, 1].xaxis.set_minor_formatter(NullFormatter())
    for axes, name in zip(panels[-1], AXES.values(), strict=True):
        axes.set_xlabel(name)
    figure.legend(handles=_legend(table), loc="outside upper left", ncols=3)
    return figure


@styled
def effects(table: pd.DataFrame) -> Figure:
    """What each change does to the errors of its network, with the paper's effects beside.

    Args:
        table: as `contributions.effects` gives it.

    Raises:
        ValueError: no rows, or one that is not in Table 3.
    """
    _refuse_unknown(table)
    names = list(dict.fromkeys(table["name"]))
    figure = new(height=1.4 + 0.4 * len(names))
    panels = figure.subplots(1, len(SPLITS), sharey=True)
    titles = ("change of the validation error", "change of the training error")
    for axes, measure, title in zip(panels, SPLITS, titles, strict=True):
        own = table[table["measure"] == measure].set_index("name").loc[names]
        at = np.arange(len(names))
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
    labels = [f"{BASES[one['base']][0]}, {ROWS[one['row']][0]}" for _, one in shown.iterrows()]
    panels[0].set_yticks(range(len(names)), labels)
    panels[0].set_ylim(len(names) - 0.45, -0.55)
    handles = [
        Line2D([], [], color=INK, marker="o", label="here, with 95 % interval"),
        Line2D([], [], ls="", marker="D", mfc="white", mec=INK, label="the paper"),
        Patch(color=UNTOLD, label="could not be told from none here"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    return figure


def _network(axes: Axes, row: pd.Series, seeds: pd.DataFrame, split: str, x: float) -> None:
    """One row of the table: its mean and its interval, and right of them its seeds."""
    colour, marker = BASES[row["base"]][1], ROWS[row["row"]][1]
    beside = axes.transData + ScaledTranslation(5 / 72, 0, axes.figure.dpi_scale_trans)
    axes.plot([x] * len(seeds), seeds[split], ".", color=colour, ms=3.5, transform=beside)
    filling = "white" if row["under_trained"] else colour
    look = {"color": colour, "marker": marker, "mfc": filling, "ms": 6, "ls": "", "label": row["name"]}
    estimates(axes, x, row, columns=(split, f"{split}_low", f"{split}_high"), **look)


def _side_by_side(depths: pd.Series) -> np.ndarray:
    """Places of networks on the axis of depth: those of one depth next to one another, in their order."""
    places = depths.to_numpy(dtype=float)
    for depth in np.unique(places):
        same = np.flatnonzero(depths.to_numpy() == depth)
        places[same] += (np.arange(len(same)) - (len(same) - 1) / 2) * min(0.2, 0.9 / len(same))
    return places


def _limits(table: pd.DataFrame, seeds: pd.DataFrame, split: str) -> tuple[float, float]:
    """All means and seeds, with a margin; an interval of few seeds may reach further, and is cut."""
    values = np.concatenate([table[split], seeds[split]])
    margin = max(4.0, 0.2 * np.ptp(values))
    return max(0.0, values.min() - margin), min(100.0, values.max() + margin)


def _decade(sizes: pd.Series) -> tuple[float, float]:
    """All sizes with a margin, and a decade at least, in which 1 and 3 are ticks."""
    low, high = sizes.min() / 1.3, sizes.max() * 1.3
    widen = max(1.0, (10 / (high / low)) ** 0.5)
    return low / widen, high * widen


def _plain(value: float, _: int) -> str:
    return f"{value / 1e6:,.0f} million" if value >= 1e6 else f"{value:,.0f}"


def _legend(table: pd.DataFrame) -> list[Line2D]:
    rows = [row for row in ROWS if row in set(table["row"])]
    bases = [base for base in BASES if base in set(table["base"])]
    look = {"ls": "", "color": INK, "ms": 7}
    handles = [Line2D([], [], marker=ROWS[row][1], label=ROWS[row][0], **look) for row in rows]
    for base in bases:
        name, colour = BASES[base]
        handles.append(Line2D([], [], lw=5, color=colour, label=name))
    if table["under_trained"].any():
        handles.append(
            Line2D([], [], marker="o", mfc="white", label="without filling: under-trained", **look)
        )
    return handles


def _refuse_unknown(table: pd.DataFrame) -> None:
    unknown: Sequence[str] = [row for row in table["row"] if row not in ROWS]
    if unknown or not len(table):
        came = f"{unknown[0]!r}" if unknown else "no rows"
        raise ValueError(f"Table 3's rows are shown, {', '.join(ROWS)}; {came} came")
