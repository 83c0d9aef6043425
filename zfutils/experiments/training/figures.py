"""Figures of chapter 2: how the networks trained, and what that cost (Zeiler & Fergus 2013, §3).

The one idea: what a line or a segment is stands beside it, so that nobody looks up a colour in a legend.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.stats import gmean

from zfutils.plotting import style
from zfutils.plotting.estimates import estimates
from zfutils.stats.formatting import percent
from zfutils.training.outcomes import NOT_RUN

RULES = {
    "literal": "0.01\nin every layer",
    "fan-in": "0.01, corrected\nfor the fan-in",
    "he": "He's rule",
    "small-first": "0.01 in layer 1,\nHe's rule above",
}
KINDS = {
    "convolution": style.BLUE,
    "contrast norm": style.VERMILLION,
    "max pooling": style.GREEN,
    "ReLU": style.ORANGE,
    "fully connected": style.SKY,
    "dropout": style.PURPLE,
    "data": style.YELLOW,
    "loss": "#555555",
    "optimiser": style.FAINT,
    "renormalise": "#bbbbbb",
}
PHASES = {
    "forward": "#4477aa",
    "backward": "#99bbdd",
    "optimiser": style.FAINT,
    "renormalise": "#bbbbbb",
    "data": style.YELLOW,
}
LINES = ("-", "--", ":")
LEADER = {"arrowstyle": "-", "color": style.FAINT, "lw": 0.6, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)}
SMALL = 0.025  # of a step; smaller pieces are shown together


def _apart(heights: Sequence[float], sizes: Sequence[float], top: float) -> list[float]:
    """Middles of labels of these sizes, moved so that none overlap and none reaches above `top`."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for below, above in pairwise(order):
        placed[above] = max(placed[above], placed[below] + (sizes[below] + sizes[above]) / 2)
    for which in reversed(order):
        placed[which] = min(placed[which], top - sizes[which] / 2)
        top = placed[which] - sizes[which] / 2
    return placed


def _label_ends(axes: Axes, ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Write each line's name to the right of the axes at the height where the line ends (x, y, colour)."""
    low, high = axes.get_ylim()
    fractions = [(y - low) / (high - low) for _, y, _ in ends.values()]
    sizes = [0.07 * (name.count("\n") + 1) for name in ends]
    for (name, (x, y, colour)), at in zip(ends.items(), _apart(fractions, sizes, 1), strict=True):
        axes.annotate(
            name,
            (x, y),
            (1.03, at),
            textcoords="axes fraction",
            color=colour,
            va="center",
            annotation_clip=False,
            arrowprops={**LEADER, "color": colour, "alpha": 0.5},
        )


def _alike(histories: Mapping[str, pd.DataFrame]) -> list[list[str]]:
    """Names of networks, those whose curves are the same together."""
    groups: dict[tuple[float, ...], list[str]] = {}
    for name, history in histories.items():
        drawn = history[["loss", "held_out_error"]].fillna(-1).to_numpy().ravel()
        groups.setdefault(tuple(drawn), []).append(name)
    return list(groups.values())


@style.styled
def curves(
    histories: Mapping[str, pd.DataFrame], *, snapshots: Mapping[str, Sequence[int]] | None = None
) -> Figure:
    """Loss and held-out error over the epochs; where the rate was lowered and where weights were kept.

    Networks whose curves are the same have one line, with all their names; a curve of one epoch is a dot. An
    axis begins at 0 unless all of its values lie far above.

    Args:
        histories: by the name that is written beside the line; columns epoch, loss, held_out_error (share)
            and rate.
        snapshots: epochs whose weights were kept, by name.
    """
    figure = style.new(height=3.9)
    panels = figure.subplots(1, 2, sharex=True)
    groups = _alike(histories)
    for axes, column, factor in zip(panels, ("loss", "held_out_error"), (1, 100), strict=True):
        ends = {}
        for i, (name, *others) in enumerate(groups):
            history = histories[name]
            colour, values = style.CYCLE[i % len(style.CYCLE)], factor * history[column]
            line, dot = LINES[i // len(style.CYCLE) % len(LINES)], "." if values.count() == 1 else ""
            axes.plot(history.epoch, values, color=colour, ls=line, marker=dot, ms=10)
            lowered = history.rate.shift(-1) < history.rate  # after this epoch
            axes.plot(history.epoch[lowered], values[lowered], "v", color=colour, ms=8)
            kept = history.epoch.isin((snapshots or {}).get(name, ()))
            axes.plot(history.epoch[kept], values[kept], "o", color=colour, mfc="white", ms=5)
            ends["\n= ".join((name, *others))] = (history.epoch.iloc[-1], values.iloc[-1], colour)
        low, high = axes.get_ylim()
        axes.set_ylim(0 if low < high / 2 else low)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
    panels[0].set_title("training loss (nats)")
    panels[1].set_title("held-out top-1 error (%)")
    _label_ends(panels[1], ends)
    looks = {
        "o": {"mfc": "white", "label": "snapshot kept"},
        "v": {"ms": 8, "label": "rate lowered after this epoch"},
    }
    drawn = {line.get_marker() for line in panels[0].lines if len(line.get_xdata())}
    marks = [Line2D([], [], ls="", marker=m, color=style.INK, **looks[m]) for m in looks if m in drawn]
    if marks:
        figure.legend(handles=marks, loc="outside lower left", ncols=2)
    return figure


@style.styled
def propagation(table: pd.DataFrame) -> Figure:
    """Standard deviation of activations (above) and of gradients (below) by layer, one column for each rule.

    Lines are geometric means over seeds; bands reach from the smallest to the largest.

    Args:
        table: as `propagation.by_rule` gives it.
    """
    rules, networks = list(table.rule.unique()), list(table.network.unique())
    layers = table.sort_values("depth").drop_duplicates("depth")
    names = [name.removeprefix("conv").removeprefix("fc") for name in layers.layer]
    styles = zip(networks, style.CYCLE, style.MARKERS, LINES, strict=False)
    looks = {name: {"color": colour, "marker": mark, "ls": line} for name, colour, mark, line in styles}
    figure = style.new(height=4.6)
    grid = figure.subplots(2, len(rules), sharex=True, sharey="row", squeeze=False)
    titles = {"activation": "activations", "activation gradient": "gradients of the\nactivations"}
    for line, (quantity, title) in zip(grid, titles.items(), strict=True):
        rows = table[(table.quantity == quantity) & (table["std"] > 0)]
        for (rule, network), own in rows.groupby(["rule", "network"], sort=False):
            seeds = own.groupby("depth")["std"].agg(estimate=gmean, low="min", high="max")
            estimates(line[rules.index(rule)], seeds.index, seeds, intervals="band", ms=4.5, **looks[network])
        for axes in line:
            axes.set(yscale="log", xlabel="", ylabel="")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.grid(axis="y")
        line[0].set_ylabel(f"standard deviation,\n{title}")
    for axes, rule in zip(grid[0], rules, strict=True):
        axes.set_title(RULES[rule])
    for axes in grid[1]:
        axes.set_xticks(layers.depth, names)
    grid[1][0].set_xlabel(f"layer ({names[-1]}: the logits)", loc="left")
    widths = [Line2D([], [], label=name, **look) for name, look in looks.items()]
    figure.legend(handles=widths, loc="outside lower right", ncols=len(widths))
    return figure


@style.styled
def radius_sweep(table: pd.DataFrame) -> Figure:
    """Error, and how much the largest filter of layer 1 stands out, by the radius of renormalisation.

    What was not run yet is said in its place; a training that had not ended is hollow.

    Args:
        table: as `radius.by_radius` gives it.
    """
    figure = style.new(height=3.6)
    titles = {"error": "top-1 error, ten crops (%)", "dominance": "largest over median filter RMS, layer 1"}
    missing = table["error"].isna()
    for axes, (name, title) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        for ended, rows in table[~missing].groupby("ended"):
            ends = rows.rename(columns={name: "estimate", f"{name}_low": "low", f"{name}_high": "high"})
            face = style.BLUE if ended else "white"
            estimates(axes, rows.index, ends, color=style.BLUE, marker="o", ls="", markerfacecolor=face)
        for x in table.index[missing]:
            across = axes.get_xaxis_transform()
            axes.text(x, 0.5, NOT_RUN, rotation=90, ha="center", va="center", transform=across)
        axes.set(title=title, xlabel="radius", ylabel="", xlim=(-0.5, len(table) - 0.5))
        axes.set_xticks(table.index, table["radius"])
        axes.grid(axis="y")
        if missing.all():
            axes.set_yticks([])
    looks = {"training ended": style.BLUE, "had not ended": "white"}
    handles = [
        Line2D([], [], ls="", marker="o", color=style.BLUE, markerfacecolor=face, label=label)
        for label, face in looks.items()
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=2)
    return figure


@style.styled
def step_time(parts: pd.DataFrame, *, bound: float, whole: float) -> Figure:
    """Where a training step's time goes, by kind of layer and by phase, beside the arithmetic alone.

    Args:
        parts: as `throughput.step_time` gives it.
        bound: what the step would take at the matrix rate (s).
        whole: what it takes undivided (s).
    """
    figure = style.new(height=4.4)
    axes = figure.subplots()
    total = 1000 * parts.seconds.sum()
    top = 1.08 * max(total, 1000 * bound, 1000 * whole)
    for x, column, colours in ((0, "kind", KINDS), (1, "phase", PHASES)):
        sums = 1000 * parts.groupby(column).seconds.sum()
        large = sums.reindex(list(colours))
        large = large[large >= SMALL * total]
        if len(large) < len(sums):
            large["all else"] = total - large.sum()
        base = large.cumsum() - large
        fill = [colours.get(name, style.FAINT) for name in large.index]
        axes.bar(x, large, 0.3, bottom=base, color=fill, ec="white", lw=0.6)
        middles = (base + large / 2).tolist()
        for name, middle, at in zip(
            large.index, middles, _apart(middles, [top / 18] * len(large), top), strict=True
        ):
            axes.annotate(
                f"{name}  {percent(large[name] / total)}", (x + 0.15, middle), (x + 0.22, at), va="center",
                arrowprops=LEADER,
            )  # fmt: skip
    bars = {"in pieces,\nby kind of layer": (0, total), "in pieces,\nby phase": (1, total)}
    single = {"undivided": (1.9, 1000 * whole), "arithmetic\nbound": (2.35, 1000 * bound)}
    for (x, ms), colour in zip(single.values(), (style.FAINT, style.INK), strict=True):
        axes.bar(x, ms, 0.3, color=colour)
    bars |= single
    for x, ms in bars.values():
        said = f"{ms:,.0f} ms" if ms >= 100 else f"{ms:.3g} ms"
        axes.annotate(said, (x, ms), (0, 3), textcoords="offset points", ha="center")
    axes.set_xticks([x for x, _ in bars.values()], list(bars))
    axes.set(ylabel="time of one training step (ms)", ylim=(0, top))
    axes.margins(x=0.02)
    axes.tick_params(axis="x", length=0)
    return figure


@style.styled
def crop_errors(table: pd.DataFrame) -> Figure:
    """Errors from one crop and from ten, with their intervals.

    Args:
        table: as `tables.crop_errors` gives it; a panel for each top.
    """
    tops = sorted(table["top"].unique())
    networks, crops = list(table.network.unique()), list(table.crops.unique())
    styles = zip(crops, style.CYCLE, style.MARKERS, strict=False)
    looks = {one: {"color": colour, "marker": marker, "ls": ""} for one, colour, marker in styles}
    figure = style.new(height=1.3 + 0.26 * len(networks) * (len(crops) + 0.6))
    panels = figure.subplots(1, len(tops), sharey=True, squeeze=False)[0]
    for axes, top in zip(panels, tops, strict=True):
        for _, row in table[table["top"] == top].iterrows():
            look, beside = looks[row["crops"]], (crops.index(row["crops"]) + 0.5) / len(crops) - 0.5
            y, percent = networks.index(row["network"]) + 0.8 * beside, 100 * row[["estimate", "low", "high"]]
            estimates(axes, y, percent, along="y", **look)
            axes.annotate(f"{percent['estimate']:.1f}", (percent["high"], y), (5, 0),
                          textcoords="offset points", va="center", color=look["color"])  # fmt: skip
        axes.set_xlabel(f"top-{top} error (%)")
        axes.grid(axis="x")
        axes.margins(x=0.15)
    panels[0].set_yticks(range(len(networks)), networks)
    panels[0].set_ylim(len(networks) - 0.5, -0.5)
    names = {1: "one crop", 10: "ten crops"}
    handles = [Line2D([], [], label=names[one], **look) for one, look in looks.items()]
    figure.legend(handles=handles, loc="outside lower right", ncols=len(crops))
    return figure
