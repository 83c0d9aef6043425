"""Figures of chapter 7: faces and what covers them (Fig. 8), and how alike networks answer (Table 1)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from zfutils.experiments.correspondence.comparisons import OVER_PLACES
from zfutils.experiments.correspondence.consistency import MEASURES
from zfutils.experiments.correspondence.faces import PARTS
from zfutils.experiments.correspondence.occluders import PLACE
from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import (
    BLUE,
    CYCLE,
    GREEN,
    INK,
    MARKERS,
    VERMILLION,
    bare,
    new,
    styled,
)
from zfutils.plotting.tiles import words

POINT_LOOKS = {"right eye": (VERMILLION, "o"), "left eye": (BLUE, "s"), "nose": (GREEN, "^")}
SHORT = {PLACE: "random place\non the face", OVER_PLACES: "all parts over\nrandom places"}
WIDE = 10.5  # inches; a figure that takes the page's margin too
SHOWN = MEASURES | {"advantage": "share by which Δ lies below the control's"}


@styled
def fig_8(pictures: UInt8[np.ndarray, "lines n side side 3"], names: Sequence[str]) -> Figure:
    """Faces, one column each; one row for each way of covering them.

    Args:
        pictures: the first line usually uncovered.
        names: of the lines.
    """
    lines, columns = pictures.shape[:2]
    left, gap = 1.0, 0.04
    side = min((WIDE - left) / columns, 1.5)
    figure = new(width=left + columns * side, height=lines * side, layout="none")
    axes = _sheet(figure)
    for line, name in enumerate(names):
        axes.text(
            left - 0.1, (line + 0.5) * side, name.replace(" ", "\n"), ha="right", va="center", fontsize=9.5
        )
        for column in range(columns):
            _tile(axes, pictures[line, column], left + column * side, line * side, side, gap)
    axes.set(xlim=(0, left + columns * side), ylim=(lines * side, 0))
    return figure


@styled
def contact_sheet(
    images: UInt8[np.ndarray, "n side side 3"], points: Float[np.ndarray, "n parts 2"]
) -> Figure:
    """Faces with their points, eight in a line.

    Args:
        points: x and y of right eye, left eye and nose (pixels).
    """
    columns = min(8, len(images))
    lines, side, head = -(-len(images) // columns), WIDE / 8, 0.35
    figure = new(width=WIDE, height=head + lines * side, layout="none")
    axes = _sheet(figure)
    for i, (image, at) in enumerate(zip(images, points, strict=True)):
        line, column = divmod(i, columns)
        left, top, gap = column * side, head + line * side, 0.03
        _tile(axes, image, left, top, side, gap)
        scale = (side - gap) / image.shape[0]
        for part, (x, y) in zip(PARTS, at, strict=True):
            colour, marker = POINT_LOOKS[part]
            where = (left + gap / 2 + x * scale, top + gap / 2 + y * scale)
            axes.plot(*where, marker, ms=6, mfc="none", mec="white", mew=2.6)
            axes.plot(*where, marker, ms=6, mfc="none", mec=colour, mew=1.3)
    for part, (colour, marker) in POINT_LOOKS.items():
        axes.plot([], [], marker, ls="", mfc="none", mec=colour, mew=1.4, label=part)
    axes.set(xlim=(0, WIDE), ylim=(head + lines * side, 0))
    figure.legend(loc="upper center", ncols=len(PARTS))
    return figure


@styled
def sign_changes(
    tables: Mapping[str, pd.DataFrame], *, measure: str = "delta", paper: pd.DataFrame | None = None
) -> Figure:
    """A measure by what was covered, one panel per layer, networks side by side, with 95 % intervals.

    Args:
        tables: by name of the network, at most five, as `Consistency.summary` or `comparisons.advantages`
            gives them.
        measure: "delta", "kappa" or "changed" of the former, "advantage" of the latter.
        paper: Table 1, as `sign_changes.PAPER`, for "delta".
    """
    first = next(iter(tables.values()))
    layers, covered = (list(dict.fromkeys(first[name])) for name in ("layer", "occluded"))
    figure = new(height=0.9 + 0.52 * len(covered))
    panels = figure.subplots(1, len(layers), sharey=True, sharex=True, squeeze=False)[0]
    shown = len(tables) + (paper is not None)
    for axes, layer in zip(panels, layers, strict=True):
        for k, (name, table) in enumerate(tables.items()):
            own = table[table["layer"] == layer].set_index("occluded").loc[covered]
            places = np.arange(len(covered)) + 0.2 * (k - (shown - 1) / 2)
            columns = (measure, f"{measure}_low", f"{measure}_high")
            look = {"color": CYCLE[k], "marker": MARKERS[k], "ls": "", "label": name}
            estimates(axes, places, own, columns=columns, along="y", **look)
        if paper is not None:
            _paper(axes, paper, layer, covered, 0.2 * (shown - 1) / 2)
        axes.set_title(words(layer))
        axes.set_xlabel(SHOWN[measure])
        axes.grid(axis="x")
        if measure in ("changed", "advantage"):
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    panels[0].set_yticks(range(len(covered)), [SHORT.get(name, name) for name in covered])
    panels[0].set_ylim(len(covered) - 0.45, -0.55)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=shown)
    return figure


def _paper(axes: Axes, paper: pd.DataFrame, layer: str, covered: Sequence[str], shift: float) -> None:
    """The paper's values, its random row at our random places."""
    places = [covered.index(PLACE if row == "random" else row) for row in paper["occluded"]]
    value, spread = paper[layer], paper[f"{layer}_spread"]
    table = pd.DataFrame({"estimate": value, "low": value - spread, "high": value + spread})
    look = {"color": INK, "marker": "D", "mfc": "white", "ls": "", "label": "the paper, five faces"}
    estimates(axes, np.array(places) + shift, table, along="y", **look)


def _sheet(figure: Figure) -> Axes:
    """Axes over the whole figure, in inches from the top left once limits are set."""
    return bare(figure.add_axes((0, 0, 1, 1)))


def _tile(axes: Axes, image: np.ndarray, left: float, top: float, side: float, gap: float) -> None:
    where = (left + gap / 2, left + side - gap / 2, top + side - gap / 2, top + gap / 2)
    axes.imshow(image, extent=where, interpolation="antialiased", aspect="auto")
