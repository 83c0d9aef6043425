"""Figures of chapter 9: learning curves (Fig. 9), layers (Table 7), average precision by class (Table 6)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from zfutils.experiments.transfer.comparisons import RANDOM
from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import CYCLE, FAINT, INK, MARKERS, WIDTH, bare, new, styled

MEAN = ("accuracy", "low", "high")
UNTRAINED = 2  # the place of random weights among the networks of the other figures, so that colours agree
DODGE = 0.035  # between networks, as a share of n


@styled
def learning_curves(
    results: pd.DataFrame,
    means: pd.DataFrame,
    *,
    chance: float,
    paper: Mapping[str, pd.DataFrame],
) -> Figure:
    """Accuracy against training pictures a class: every fold a dot, the mean with its t interval.

    Args:
        results: one row for each network, step and fold, as `probing.probe` gives them; one layer each.
        means: of the same, as `probing.curves` gives them.
        chance: share, drawn as a line.
        paper: other curves, by name, drawn faintly; columns per_class and mean (%).
    """
    networks = list(dict.fromkeys(means["network"]))
    figure = new(height=4.4)
    axes = figure.subplots()
    for k, network in enumerate(networks):
        shift = 1 + DODGE * (k - (len(networks) - 1) / 2)
        own = means[means["network"] == network]
        folds = results[results["network"] == network]
        dots = {"color": CYCLE[k], "ms": 4, "alpha": 0.5, "mew": 0, "ls": "", "zorder": 1}  # under the means
        axes.plot(folds["per_class"] * shift, 100 * folds["accuracy"], "o", **dots)
        look = {"color": CYCLE[k], "marker": MARKERS[k], "label": network}
        estimates(axes, own["per_class"] * shift, own, columns=MEAN, **look)
    for (name, said), style in zip(paper.items(), ("--", ":", "-."), strict=False):
        look = {"color": INK, "alpha": 0.45, "marker": "x", "ms": 5, "lw": 1.1, "zorder": 1}
        axes.plot(said["per_class"], said["mean"], style, label=name, **look)
    axes.axhline(100 * chance, color=FAINT, lw=1, ls=(0, (4, 3)), label="chance")
    theirs = [n for said in paper.values() for n in said["per_class"]]
    _pictures(axes, sorted({*means["per_class"], *theirs}))
    axes.set(ylabel="accuracy, mean over classes (%)", ylim=(0, min(100, axes.get_ylim()[1])))
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@styled
def layers(means: pd.DataFrame) -> Figure:
    """Accuracy by layer, one panel for each classifier, networks side by side.

    Args:
        means: as `probing.curves` gives them, at one number of pictures a class.
    """
    kinds, networks, names = (
        list(dict.fromkeys(means[column])) for column in ("classifier", "network", "layer")
    )
    figure = new(height=3.5)
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        for k, network in enumerate(networks):
            own = means[(means["classifier"] == kind) & (means["network"] == network)]
            x = np.array([names.index(name) for name in own["layer"]]) + 0.1 * (k - (len(networks) - 1) / 2)
            estimates(axes, x, own, columns=MEAN, color=CYCLE[k], marker=MARKERS[k], label=network)
        axes.set_title({"svm": "linear SVM"}.get(kind, kind))
        axes.set_xticks(range(len(names)), [name.removeprefix("relu") for name in names])
        axes.set_xlabel("layer")
        axes.grid(axis="y")
    panels[0].set(ylabel="accuracy, mean over classes (%)", ylim=(0, min(100, panels[0].get_ylim()[1])))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


@styled
def precisions(tables: Mapping[str, Mapping[str, pd.DataFrame]]) -> Figure:
    """Average precision above chance of every class, the best class of the first table on top.

    A network has one colour and marker, filled for the first set and hollow for the second; a line joins the
    two.

    Args:
        tables: by set, one or two, and by network, as `average_precision.table` gives them; of the same
            networks and classes.
    """
    first = next(iter(tables.values()))
    networks = list(first)
    classes = list(first[networks[0]]["class"])
    figure = new(height=1.3 + 0.3 * len(classes))
    axes, at = figure.subplots(), np.arange(len(classes))
    order = np.argsort(-first[networks[0]]["above"].to_numpy(), kind="stable")
    for place, network in enumerate(networks):
        y = at + 0.26 * (place - (len(networks) - 1) / 2)
        k = UNTRAINED if network == RANDOM else place
        values = [own[network]["above"].to_numpy()[order] for own in tables.values()]
        axes.hlines(y, np.min(values, 0), np.max(values, 0), color=CYCLE[k], lw=0.8, alpha=0.6)
        for name, here, filling in zip(tables, values, (CYCLE[k], "white"), strict=False):
            look = {"color": CYCLE[k], "mfc": filling, "ls": "", "label": f"{network}, {name}"}
            axes.plot(here, y, MARKERS[k], **look)
    axes.set_yticks(at, [classes[i] for i in order])
    axes.set(ylim=(len(classes) - 0.5, -0.5), xlabel="average precision above chance")
    axes.axvline(0, color=FAINT, lw=0.8)
    axes.set_xlim(right=1.02)
    axes.grid(axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@styled
def pairs(
    first: UInt8[np.ndarray, "n a a 3"],
    second: UInt8[np.ndarray, "n b b 3"],
    names: Sequence[str],
) -> Figure:
    """Near-duplicates: a picture of the source over its like in the target, six pairs in a line.

    Args:
        first, second: of the source and of the target.
        names: written above each pair.
    """
    columns = min(6, len(names))
    lines, side = -(-len(names) // columns), WIDTH / 6
    figure = new(width=columns * side, height=lines * (2 * side + 0.3), layout="none")
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    for i, name in enumerate(names):
        line, column = divmod(i, columns)
        top, left = line * (2 * side + 0.3), column * side
        axes.text(left + side / 2, top + 0.15, name, ha="center", va="center", fontsize=9)
        for k, picture in enumerate((first[i], second[i])):
            y = top + 0.3 + k * side
            where = (left + 0.03, left + side - 0.03, y + side - 0.03, y + 0.01)
            axes.imshow(picture, extent=where, interpolation="antialiased", aspect="auto")
    axes.set(xlim=(0, columns * side), ylim=(lines * (2 * side + 0.3), 0))
    return figure


def _pictures(axes: Axes, steps: Sequence[int]) -> None:
    """A logarithmic axis with the numbers of pictures that were measured."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(steps))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="training images per class", xlim=(min(steps) / 1.25, max(steps) * 1.25))
