"""What a covered picture does to a network, as the paper's Fig. 7 shows it, and how a cheat looks in it.

The one idea: a map of positions lies on the picture's own pixels, each position a square of one stride about
the patch's centre, so that panels can be read across.
"""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch as Swatch
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from zfutils.experiments.occlusion.map_projections import MapProjections
from zfutils.experiments.occlusion.sliding_patch import Occlusion, Patch
from zfutils.plotting.style import (
    BLUE,
    CYCLE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    ORDERED,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    bare,
    new,
    styled,
)
from zfutils.plotting.tiles import eight_bits, shades

CLASS_COLOURS = (BLUE, VERMILLION, YELLOW, GREEN, PURPLE, SKY, ORANGE)  # the followed class first
REST = "another class"
MOST = 1.5  # times the whole picture's activation; a patch can also make a map answer more
TITLES = (
    "image",
    "map's activity",
    "its projection",
    "elsewhere",
    "P(class)",
    "log-odds lost",
    "most probable",
)
CASED = [withStroke(linewidth=3, foreground=INK)]  # readable on white stickers and on bright maps
WIDE = 10.5  # inches; a figure that takes the page's margin too
FALLS = "magma"


@styled
def fig_7(
    images: UInt8[np.ndarray, "n h w 3"],
    found: Occlusion,
    projections: Sequence[MapProjections],
    classes: Sequence[str],
    *,
    masks: Bool[np.ndarray, "n h w"] | None = None,
) -> Figure:
    """The panels of the paper's Fig. 7, one row per picture.

    From the left: the picture, with the patch in a corner; the followed map's summed activation by position,
    as a share of that on the whole picture (no scale goes beyond `MOST`); the map's projection on this
    picture and, if given, where it is strongest on another, each with a contrast of its own; the probability
    of the class that is followed, and by how much its log-odds fall, which the paper does not show; the most
    probable class.

    Args:
        images: the pictures, as the network saw them.
        found: what was measured on them, in this order.
        projections: of their maps, in this order.
        classes: names.
        masks: the object of each picture, whose outline is then drawn.
    """
    n = len(found)
    figure = new(width=WIDE, height=1.32 * n + 0.75)
    elsewhere = any(len(one.projections) > 1 for one in projections)
    widths = (1, 1, 1, 1 if elsewhere else 0.01, 1, 1, 1, 1.1)
    ratios = {"width_ratios": widths, "height_ratios": (*[1] * n, 0.06)}
    grid = figure.add_gridspec(n + 1, 8, **ratios).subplots(squeeze=False)
    whole = np.where(found.plain_activations == 0, 1, found.plain_activations)
    activity, lost = found.activations / whole[:, None, None], found.fall("log-odds").clip(min=0)
    most = min(MOST, max(1.0, float(activity.max())))
    scales = {
        1: (activity, {"cmap": ORDERED, "vmin": 0, "vmax": most}, "share"),
        4: (found.probability, {"cmap": ORDERED, "vmin": 0, "vmax": 1}, "probability"),
        5: (lost, {"cmap": FALLS, "vmin": 0, "vmax": max(float(lost.max()), 1e-12)}, "nats"),
    }
    for i, line in enumerate(grid[:n]):
        side = images[i].shape[:2]
        line[0].imshow(images[i])
        outlined_patch(line[0], found.patch, side)
        shown = {
            column: positions(line[column], values[i], found.patch, side, **look)
            for column, (values, look, _) in scales.items()
        }
        for axes, projection in zip(line[2:4], projections[i].projections, strict=False):
            axes.imshow(eight_bits(shades(projection[None], np.ones((1, *side), dtype=bool)))[0])
        line[2].set_xlabel(f"map {projections[i].number}", fontsize=9, labelpad=1)
        _classes(line[6], line[7], found, i, classes, side)
        for place, axes in enumerate(line[:7]):
            bare(axes)
            if masks is not None and place not in (2, 3):
                axes.contour(masks[i], levels=[0.5], colors="white", linewidths=0.9)
        line[0].set_ylabel(fill(classes[found.labels[i]], 15, max_lines=2, placeholder="…"), fontsize=9)
    for axes, title in zip(grid[0], TITLES, strict=False):
        axes.set_title(title, fontsize=9)
    for axes in [*grid[n, [0, 2, 3, 6, 7]], *([] if elsewhere else grid[:, 3])]:
        axes.axis("off")
        axes.set_title("")
    for column, (values, _, unit) in scales.items():
        end = "max" if column == 1 and values.max() > most else "neither"
        bar = figure.colorbar(shown[column], cax=grid[n, column], orientation="horizontal", extend=end)
        bar.set_label(unit, fontsize=9)
        bar.ax.tick_params(labelsize=9)
    return figure


def outlined_patch(axes: Axes, patch: Patch, side: tuple[int, int]) -> None:
    """The patch's size, drawn at the first position that is not cut."""
    spans = [patch.spans(n) for n in side]
    top, left = (starts[np.argmax(stops - starts)] - 0.5 for starts, stops in spans)
    for colour, width in (("white", 2.2), (INK, 0.9)):
        look = {"fill": False, "edgecolor": colour, "linewidth": width}
        axes.add_patch(Rectangle((left, top), patch.size, patch.size, **look))


def positions(axes: Axes, values: np.ndarray, patch: Patch, side: tuple[int, int], **look):
    """A map of positions on the pixels of the picture."""
    rows, columns = (patch.centres(n) for n in side)
    half = patch.stride / 2
    extent = (columns[0] - half, columns[-1] + half, rows[-1] + half, rows[0] - half)
    shown = axes.imshow(values, extent=extent, aspect="equal", **look)
    axes.set(xlim=(-0.5, side[1] - 0.5), ylim=(side[0] - 0.5, -0.5))
    axes.set_facecolor("#eeeeee")
    return shown


def most_probable(found: Occlusion, i: int) -> tuple[list[int], Int64[np.ndarray, "p q"], list[str]]:
    """The most probable class by position, as colours.

    Returns:
        The classes that have a colour, the followed one first; of each position its class's place among
        them, or their number for any other; the colours, the last one of the others.
    """
    predicted, own = found.predicted[i], int(found.labels[i])
    numbers, counts = np.unique(predicted[predicted != own], return_counts=True)
    named = [own, *numbers[np.argsort(-counts, kind="stable")][: len(CLASS_COLOURS) - 1].tolist()]
    place = np.full(predicted.shape, len(named))
    for index, number in enumerate(named):
        place[predicted == number] = index
    return named, place, [*CLASS_COLOURS[: len(named)], "#bbbbbb"]


def _classes(axes: Axes, beside: Axes, found: Occlusion, i: int, classes: Sequence[str], side) -> None:
    """The most probable class by position; the commonest have colours of their own, named beside."""
    named, place, colours = most_probable(found, i)
    positions(axes, place, found.patch, side, cmap=ListedColormap(colours), vmin=-0.5, vmax=len(named) + 0.5)
    names = [classes[number] for number in named] + ([REST] if (place == len(named)).any() else [])
    swatches = [Swatch(facecolor=c, label=_short(n)) for c, n in zip(colours, names, strict=False)]
    beside.legend(
        handles=swatches, loc="center left", fontsize=9, handlelength=0.8, labelspacing=0.25, borderaxespad=0
    )
    beside.axis("off")


def _short(name: str, most: int = 20) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


@styled
def cheat(
    images: UInt8[np.ndarray, "n h w 3"],
    falls: Mapping[str, Float[np.ndarray, "n p q"]],
    shares: Mapping[str, Float[np.ndarray, " m"]],
    patch: Patch,
    *,
    masks: Bool[np.ndarray, "n h w"],
) -> Figure:
    """Where two networks lose what they know of the same scenes, and the one number that tells them apart.

    Each map has a scale of its own, from 0 to its greatest fall, which is written below it.

    Args:
        images: the scenes, as the networks saw them.
        falls: of the true class, by network; falls below 0 are shown as 0.
        shares: of the fall on the background, by network, over all scenes
            (`background_shortcut.background_share`).
        patch: whose positions the falls have.
        masks: the object of each scene, whose outline is drawn.
    """
    n = len(images)
    figure = new(width=WIDE, height=1.75 * n + 0.45)
    left, right = figure.subfigures(1, 2, width_ratios=(1.25 * (1 + len(falls)), 3))
    side = images[0].shape[:2]
    for i, line in enumerate(left.subplots(n, 1 + len(falls), squeeze=False)):
        line[0].imshow(images[i])
        for axes, values in zip(line[1:], falls.values(), strict=True):
            _falls(axes, values[i], patch, side)
        for axes in line:
            bare(axes).contour(masks[i], levels=[0.5], colors="white", linewidths=0.9)
        if i == 0:
            for axes, title in zip(line, ("scene", *falls), strict=True):
                axes.set_title(title, fontsize=9.5)
    _distributions(right.subplots(), shares)
    return figure


@styled
def shares(by_network: Mapping[str, Float[np.ndarray, " m"]]) -> Figure:
    """The number that tells two networks apart, alone, as `cheat` shows it beside maps."""
    figure = new(height=len(by_network) + 0.7)
    _distributions(figure.subplots(), by_network)
    return figure


def _falls(axes: Axes, values: Float[np.ndarray, "p q"], patch: Patch, side: tuple[int, int]) -> None:
    """A map of falls on a scale of its own."""
    most = float(values.max())
    positions(axes, values.clip(min=0), patch, side, cmap=FALLS, vmin=0, vmax=max(most, 1e-12))
    axes.set_xlabel(f"0 to {most:.2g}" if most > 0 else "no drop", fontsize=9, labelpad=2)


def _distributions(axes: Axes, shares: Mapping[str, np.ndarray]) -> None:
    """Every scene a dot, spread at random across its row; a bar at the median."""
    draw = np.random.default_rng(0)
    for place, values in enumerate(shares.values()):
        spread = place + 0.5 * (draw.random(len(values)) - 0.5)
        axes.scatter(values, spread, s=7, color=CYCLE[place], alpha=0.55, linewidths=0)
        axes.plot([np.median(values)] * 2, [place - 0.36, place + 0.36], color=INK, linewidth=2)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.axvline(0.5, color=FAINT, linewidth=0.8, linestyle=":")
    names = [f"{fill(name, 12)}\n({len(values)} scenes)" for name, values in shares.items()]
    axes.set_yticks(range(len(shares)), names, fontsize=9)
    axes.set(xlim=(-0.03, 1.03), ylim=(len(shares) - 0.45, -0.55), xlabel="share on the background")
    axes.grid(axis="x")
    axes.set_axisbelow(True)


@styled
def pointing(
    images: UInt8[np.ndarray, "n h w 3"],
    falls: Float[np.ndarray, "n p q"],
    patch: Patch,
    titles: Sequence[str],
    *,
    named: Bool[np.ndarray, "n h w"],
    others: Bool[np.ndarray, "n h w"],
) -> Figure:
    """Scenes of two objects, one per column, and under each where the probability of the named class falls.

    Each map has a scale of its own, from 0 to its greatest fall, whose position has a cross.

    Args:
        images: the scenes, as the network saw them.
        falls: of the class that the network names; falls below 0 are shown as 0.
        patch: whose positions the falls have.
        titles: the named class of each scene.
        named, others: the object of that class, outlined in blue, and the other one, dashed in white.
    """
    n = len(images)
    figure, side = new(width=WIDE, height=2 * WIDE / n), images[0].shape[:2]
    for i, column in enumerate(figure.subplots(2, n, squeeze=False).T):
        column[0].imshow(images[i])
        column[0].set_title(fill(titles[i], 15, max_lines=2, placeholder="…"), fontsize=9)
        _falls(column[1], falls[i], patch, side)
        row, place = np.unravel_index(falls[i].argmax(), falls[i].shape)
        at = patch.centres(side[1])[place], patch.centres(side[0])[row]
        cross = {"marker": "x", "color": INK, "markersize": 9, "markeredgewidth": 2, "zorder": 5}
        column[1].plot(*at, **cross, path_effects=[withStroke(linewidth=4, foreground="white")])
        for axes in column:
            for mask, look in (
                (others[i], {"colors": "white", "linestyles": "dashed"}),
                (named[i], {"colors": SKY}),
            ):
                line = bare(axes).contour(mask, levels=[0.5], linewidths=1.3, **look)
                line.set(path_effects=CASED)
    return figure
