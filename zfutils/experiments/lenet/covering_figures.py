"""Figures of chapter 10: what a covered digit is read as, position by position and counted."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int64, UInt8
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from zfutils.experiments.lenet.covering import Covered
from zfutils.experiments.lenet.own_ink import ink
from zfutils.plotting.style import FAINT, INK, ORANGE, VERMILLION, WIDE, bare, new, styled

SMALL = 9  # points
FALLS = "magma"
MISREAD = ListedColormap(["#eeeeee", ORANGE])  # read as its own class, and as another


@styled
def covered(pictures: UInt8[np.ndarray, "n h w 1"], found: Covered, classes: Sequence[str]) -> Figure:
    """Digits in columns; below each the drop in its class's probability, and where it is misread.

    Under the last stand the classes that it is misread as, the commonest first.

    Args:
        pictures: the digits, as the network saw them.
        found: what was measured on them, in this order.
        classes: names.

    Raises:
        ValueError: other pictures than were measured.
    """
    if len(pictures) != len(found):
        raise ValueError(f"{len(pictures)} digits beside a panel of {len(found)}")
    n, side = len(found), pictures.shape[1]
    figure = new(width=WIDE, height=3.3)
    grid = figure.subplots(3, n, squeeze=False)
    panels = zip(pictures, ink(pictures), found.fall, found.read, strict=True)
    for i, (picture, inside, fall, read) in enumerate(panels):
        top, middle, below = (bare(axes) for axes in grid[:, i])
        top.imshow(picture[..., 0], cmap="gray", vmin=0, vmax=255)
        if i == 0:
            top.add_patch(
                Rectangle((0, 0), found.size, found.size, fill=False, edgecolor=VERMILLION, linewidth=1.2)
            )
        extent = _extent(found)
        shown = middle.imshow(fall, extent=extent, cmap=FALLS, vmin=0, vmax=1)
        misread = read != found.labels[i]
        below.imshow(misread, extent=extent, cmap=MISREAD, vmin=0, vmax=1)
        for axes in (middle, below):
            colour = "white" if axes is middle else INK
            axes.contour(inside, levels=[0.5], colors=colour, linewidths=0.7)
            axes.set(xlim=(-0.5, side - 0.5), ylim=(side - 0.5, -0.5))
        others, times = np.unique(read[misread], return_counts=True)
        named = [classes[c] for c in others[np.argsort(-times, kind="stable")][:3]]
        below.set_xlabel(", ".join(named) or "–", fontsize=SMALL, labelpad=2)
    for axes, name in zip(grid[:, 0], ("digit", "drop", "misread"), strict=True):
        axes.set_ylabel(name, fontsize=SMALL)
    bar = figure.colorbar(shown, ax=grid[1], pad=0.01, aspect=8)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def _extent(found: Covered) -> tuple[float, float, float, float]:
    half = (found.centres[1] - found.centres[0]) / 2
    ends = found.centres[0] - half, found.centres[-1] + half
    return (*ends, *ends[::-1])


@styled
def confusions(panels: Mapping[str, Int64[np.ndarray, "k k"]], classes: Sequence[str]) -> Figure:
    """Counts of what each class is read as, side by side; the colour is the share of the row that is misread.

    Args:
        panels: by title; rows are the digits' classes, columns what they are read as.
        classes: names.
    """
    figure, k = new(height=4.1), len(classes)
    for axes, (title, counts) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        misread = np.where(np.eye(k, dtype=bool), 0, counts) / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(misread, cmap="Reds", vmin=0, vmax=max(0.1, float(misread.max())))
        for (row, column), count in np.ndenumerate(counts):
            if count:
                look = {"color": FAINT} if row == column else {"color": INK}
                axes.text(column, row, count, ha="center", va="center", fontsize=SMALL, **look)
        axes.set_xticks(range(k), classes)
        axes.set_yticks(range(k), classes)
        axes.set(xlabel="read as", ylabel="digit", title=title)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return figure
