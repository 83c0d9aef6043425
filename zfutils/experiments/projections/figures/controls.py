"""Figure of chapter 3's parts: whether maps see them, and whether projections show them."""

from itertools import chain

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import CYCLE, FAINT, INK, MARKERS, new, styled


@styled
def parts_by_layer(shares: pd.DataFrame, energy: pd.DataFrame) -> Figure:
    """Maps that detect a part, and a projection's energy on its map's part, layer by layer.

    Args:
        shares: columns network, layer, estimate, low, high, as `dissection.detector_shares` gives them.
        energy: the same columns, as `part_energy.energy_scores` gives them (powers of two).
    """
    networks = list(dict.fromkeys([*shares["network"], *energy["network"]]))
    figure = new(height=3.5)
    left, right = figure.subplots(1, 2)
    _by_layer(left, shares, networks)
    _by_layer(right, energy, networks)
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    left.set(title="Maps that detect a part", ylabel="share of the layer's maps")
    left.set_ylim(bottom=0)
    right.set(title="Energy on the map's part", ylabel="over its area (powers of two)")
    right.axhline(0, color=INK, linewidth=0.8)
    drawn = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in (left, right)]
    handles = {name: handle for handle, name in chain(*drawn)}
    figure.legend([handles[n] for n in networks], networks, loc="outside upper right", ncols=len(networks))
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
