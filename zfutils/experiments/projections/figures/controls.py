"""Figures of chapter 3's controls: what else a projection could come from, and whether maps see parts."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import CYCLE, FAINT, INK, MARKERS, WIDTH, bare, new, styled

CLIPPED = 99.5  # percentile of a projection's absolute values that is shown as full contrast
TITLES = {"spearman": "Rank correlation (Spearman)", "ssim": "Structural similarity (SSIM)"}


@styled
def method_grid(
    images: UInt8[np.ndarray, "n h w 3"], projections: Mapping[str, Float[np.ndarray, "n h w 3"]]
) -> Figure:
    """One line per picture: the picture, then its projection by every method.

    Grey is zero. Each projection has a contrast of its own: full black or white is the 99.5th percentile of
    its absolute values.

    Args:
        images: the pictures, or the windows that the projections lie on.
        projections: by name of the method, in the same order of pictures; at most seven.

    Raises:
        ValueError: no method or more than seven, or projections of another shape than the pictures.
    """
    if not 1 <= len(projections) <= 7:
        raise ValueError(f"a grid shows one to seven methods, not {len(projections)}")
    for name, values in projections.items():
        if np.shape(values) != np.shape(images):
            raise ValueError(f"{name}: shape {np.shape(values)} beside pictures of {np.shape(images)}")
    columns, lines = 1 + len(projections), len(images)
    gap, side = 0.05, min(WIDTH / columns, 1.6)
    names = [fill(name, int(10.5 * side)) for name in ("picture", *projections)]
    head = 0.1 + 0.16 * max(1 + name.count("\n") for name in names)
    figure = new(width=columns * side, height=head + lines * side, layout="none")
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    axes.set(xlim=(0, columns * side), ylim=(head + lines * side, 0))
    shown = [np.asarray(images), *map(in_grey, projections.values())]
    for column, (name, pictures) in enumerate(zip(names, shown, strict=True)):
        middle = (column + 0.5) * side
        axes.text(middle, head - 0.06, name, ha="center", va="bottom", fontsize=9.5, linespacing=1.1)
        for line, picture in enumerate(pictures):
            left, top = column * side + gap / 2, head + line * side + gap / 2
            where = (left, left + side - gap, top + side - gap, top)
            axes.imshow(picture, extent=where, interpolation="antialiased", aspect="auto")
    axes.set(xlim=(0, columns * side), ylim=(head + lines * side, 0))
    return figure


def in_grey(projections: Float[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n h w 3"]:
    """Projections as pictures in 0…1 around grey, each at a contrast of its own; one of zeros is grey."""
    values = np.asarray(projections, dtype=float)
    most = np.percentile(np.abs(values), CLIPPED, axis=(1, 2, 3), keepdims=True)
    most = np.where(most > 0, most, np.abs(values).max(axis=(1, 2, 3), keepdims=True))
    return np.clip(0.5 + values / (2 * np.where(most > 0, most, 1)), 0, 1)


@styled
def randomisation(curves: pd.DataFrame) -> Figure:
    """How alike the true class's map stays while layers are given initial weights, from the top.

    Args:
        curves: columns method, lowest, randomised, measure, estimate, low, high, as
            `randomisation.randomisation_curves` gives them.

    Raises:
        ValueError: a column is missing; names it.
    """
    _columns(curves, "method", "lowest", "randomised", "measure", "estimate", "low", "high")
    methods, measures = curves["method"].unique(), curves["measure"].unique()
    steps = curves.drop_duplicates("randomised").set_index("randomised")["lowest"].sort_index()
    figure = new(height=3.7)
    panels = figure.subplots(1, len(measures), sharex=True, sharey=True, squeeze=False)[0]
    for axes, measure in zip(panels, measures, strict=True):
        for i, method in enumerate(methods):
            chosen = (curves["measure"] == measure) & (curves["method"] == method)
            table = curves[chosen].sort_values("randomised")
            places = table["randomised"] + 0.16 * (i - (len(methods) - 1) / 2)
            estimates(axes, places, table, color=CYCLE[i], marker=MARKERS[i], label=method)
            # none randomised: the map is itself
            axes.plot([0, places.iloc[0]], [1, table["estimate"].iloc[0]], color=CYCLE[i], linestyle=":")
        axes.plot(0, 1, "o", color=INK)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_title(TITLES.get(measure, measure))
        axes.set_xticks([0, *steps.index], ["none", *steps], rotation=45)
        axes.grid(axis="y")
    panels[0].set_ylabel("likeness to the trained network's map")
    figure.supxlabel("lowest layer given initial weights, as have all above it", fontsize=10)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(methods))
    return figure


@styled
def parts_by_layer(shares: pd.DataFrame, energy: pd.DataFrame) -> Figure:
    """Maps that detect a part, and a projection's energy on its map's part, layer by layer.

    Args:
        shares: columns network, layer, estimate, low, high, as `dissection.detector_shares` gives them.
        energy: the same columns, as `part_energy.energy_scores` gives them (powers of two).

    Raises:
        ValueError: a column is missing, or there are more than six networks.
    """
    networks = list(dict.fromkeys([*shares.get("network", []), *energy.get("network", [])]))
    if len(networks) > len(CYCLE):
        raise ValueError(f"a figure tells {len(CYCLE)} networks and controls apart, not {len(networks)}")
    figure = new(height=3.5)
    left, right = figure.subplots(1, 2)
    for axes, table in ((left, shares), (right, energy)):
        _columns(table, "network", "layer", "estimate", "low", "high")
        _by_layer(axes, table, networks)
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    left.set(title="Maps that detect a part", ylabel="share of the layer's maps")
    left.set_ylim(bottom=0)
    right.set(title="Energy on the map's part", ylabel="over its area (powers of two)")
    right.axhline(0, color=INK, linewidth=0.8)
    handles = dict(zip(*reversed([*_legend(left, right)]), strict=True))
    ordered = [name for name in networks if name in handles]
    figure.legend([handles[n] for n in ordered], ordered, loc="outside upper right", ncols=len(ordered))
    return figure


def _by_layer(axes: Axes, table: pd.DataFrame, networks: list[str]) -> None:
    layers = list(dict.fromkeys(table["layer"]))
    for name, group in table.groupby("network", sort=False):
        i = networks.index(name)
        x = [layers.index(layer) + 0.12 * (i - (len(networks) - 1) / 2) for layer in group["layer"]]
        look = {"color": (CYCLE[0], FAINT, *CYCLE[1:])[i], "marker": MARKERS[i], "label": name}
        estimates(axes, x, group, **look, **({"mfc": "white", "ls": "--"} if i else {}))
    axes.set_xticks(range(len(layers)), [layer.removeprefix("relu") for layer in layers])
    axes.set_xlabel("layer")
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def _legend(*panels: Axes) -> tuple[list, list[str]]:
    found = [panel.get_legend_handles_labels() for panel in panels]
    return [h for handles, _ in found for h in handles], [n for _, names in found for n in names]


def _columns(table: pd.DataFrame, *needed: str) -> None:
    if missing := set(needed) - set(table.columns):
        raise ValueError(f"the table lacks {', '.join(sorted(missing))}")
