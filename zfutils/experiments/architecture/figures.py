"""The figures of chapter 1: the images, the network, and what layer 1 has made of them (Figs. 3 and 6).

The drawing of the network and the filters as images have modules of their own and are named here too, so
that a notebook finds its chapter's figures in one place.
"""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from torch import Tensor

from zfutils.experiments.architecture.filter_images import fig_6, filter_images
from zfutils.experiments.architecture.network_drawing import network_to_scale
from zfutils.nets.filters import MIDDLE, filter_table, radial_average
from zfutils.plotting.style import CYCLE, INK, MARKERS, WIDE, bare, logarithmic, new, styled
from zfutils.stats.formatting import percent

__all__ = [
    "contact_sheet",
    "fig_6",
    "filter_images",
    "network_to_scale",
    "spectra",
]
NOISE = "noise of that size"
BAND = "#e8e8e8"


@styled
def contact_sheet(
    images: UInt8[np.ndarray, "n h w 3"],
    labels: Int64[np.ndarray, " n"],
    classes: tuple[str, ...],
    *,
    examples: int = 4,
) -> Figure:
    """The first images of every category, with its name, on the full width of the page.

    Categories stand in up to three columns, where there are many.

    Args:
        images: as they are stored; may be a memory map, of which only what is shown is read.
        labels: category of each.
        classes: names of the categories.
        examples: images of each category.

    Raises:
        ValueError: a category has fewer images than that; names it.
    """
    labels = np.asarray(labels)
    few = [name for i, name in enumerate(classes) if (labels == i).sum() < examples]
    if few or examples < 1:
        raise ValueError(
            f"a sheet of {examples} images a category: {', '.join(few) or 'it needs 1'} has fewer"
        )
    blocks = min(3, 1 + len(classes) // 7)
    lines, names, gap = -(-len(classes) // blocks), 1.12, 0.04
    block = WIDE / blocks
    side = min((block - names - 0.1) / examples, 1.1)
    figure = new(width=WIDE, height=lines * side, layout="none")
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    axes.set(xlim=(0, WIDE), ylim=(lines * side, 0))
    for index, name in enumerate(classes):
        left, top = block * (index // lines), side * (index % lines)
        text = fill(name.replace("_", " "), 13)
        axes.text(
            left + names - 0.08, top + side / 2, text, ha="right", va="center", fontsize=9.5, linespacing=1.1
        )
        for i, row in enumerate(np.flatnonzero(labels == index)[:examples]):
            x = left + names + i * side
            where = (x, x + side - gap, top + side - gap / 2, top + gap / 2)
            axes.imshow(
                np.asarray(images[int(row)]), extent=where, interpolation="antialiased", aspect="auto"
            )
    axes.set(xlim=(0, WIDE), ylim=(lines * side, 0))
    return figure


@styled
def spectra(
    layers: Mapping[str, Float[Tensor, "maps channels k k"]],
    tables: Mapping[str, pd.DataFrame],
    strides: Mapping[str, int],
    *,
    image: int,
    noise: Mapping[str, Float[Tensor, "many channels k k"]],
) -> Figure:
    """Which frequencies the filters take: mean spectra, and where each filter's spectrum is greatest.

    Every live filter counts the same, whatever its strength; the tinted range holds the middle half of them.
    Dotted lines are the Nyquist frequencies of the strides, beyond which a stride cannot carry a wave along
    its own axis. The numbers at the right are shares of filters whose peak lies in the grey band.

    Args:
        layers: name and filters of each, two to four.
        tables: the same names, with the column dead.
        strides: the same names.
        image: side of the images that both work on (pixels).
        noise: the same names, Gaussian noise filters of the same size: dashed lines and hollow points, of
            which as many are shown as the layer has filters.
    """
    figure = new(height=3.9)
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    lines: list[str] = []
    for name, weight, colour, marker in zip(layers, layers.values(), CYCLE, MARKERS, strict=False):
        live = weight[~tables[name]["dead"].to_numpy(bool)]
        for label, filters, face in ((name, live, colour), (NOISE, noise[name], "none")):
            _draw_spectrum(left, filters, colour, image=image, hollow=label == NOISE)
            table = filter_table(filters, image=image)
            up = np.random.default_rng(0).uniform(-0.25, 0.25, min(len(table), len(weight))) + len(lines)
            style = {"edgecolor": colour, "facecolor": face, "marker": marker, "s": 16, "alpha": 0.75}
            right.scatter(image * table["peak_frequency"][: len(up)], up, linewidth=0.8, **style)
            right.text(0.74 * image, len(lines), percent(table["middle"].mean()), va="center")
            lines.append("noise" if label == NOISE else fill(label, 16))
        for axes in (left, right):
            axes.axvline(0.5 * image / strides[name], color=colour, linestyle=":", linewidth=1.4)
    left.set(xlim=(0, 0.5 * image), xlabel="frequency (cycles per image)", title="Mean spectrum")
    logarithmic(left).set_ylabel("power (white noise is 1)")
    right.axvspan(*MIDDLE, color=BAND, zorder=0, linewidth=0)
    right.set(
        xlim=(-0.02 * image, 0.72 * image),
        xlabel="peak frequency (cycles per image)",
        title="Peak of every filter",
    )
    right.set_yticks(range(len(lines)), lines)
    right.set_ylim(len(lines) - 0.5, -0.5)
    marks = [Line2D([], [], color=c, linewidth=2, label=n) for n, c in zip(layers, CYCLE, strict=False)]
    marks += [
        Line2D([], [], color=INK, linestyle="--", linewidth=1.2, label=NOISE),
        Line2D([], [], color=INK, linestyle=":", linewidth=1.4, label="Nyquist frequency of the stride"),
        Patch(color=BAND, label="middle, and share of filters there"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3)
    return figure


def _draw_spectrum(axes: Axes, filters: Tensor, colour: str, *, image: int, hollow: bool) -> None:
    """The mean over filters, and the range of the middle half of them; of noise the mean alone."""
    table = radial_average(filters)
    power = table[table["frequency"] <= 0.5].groupby("frequency")["power"]
    mean = power.mean()
    frequency = image * mean.index
    style = {"linestyle": "--", "linewidth": 1.2} if hollow else {"linestyle": "-", "linewidth": 2}
    axes.plot(frequency, mean, color=colour, **style)
    if not hollow:  # by hand, since the mean may lie outside the middle half, as no estimate may
        low, high = power.quantile(0.25).clip(lower=mean.min() / 3), power.quantile(0.75)
        axes.fill_between(frequency, low, high, color=colour, alpha=0.15, linewidth=0)
