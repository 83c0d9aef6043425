"""Figures of chapter 10: every map and unit for every digit, and their projections.

The one idea: a board has one row per digit, the digit itself first, and all its tiles have the same size, so
that a map is followed down a column and a digit along a row.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from zfutils.experiments.lenet.patterns import Patterns
from zfutils.plotting.style import INK, SIGNED, WIDE, bare, new, styled
from zfutils.plotting.tiles import block, eight_bits, in_colour, shades

SMALL = 9  # points
SIDE, GAP = 140, 6  # of a tile and between tiles (pixels of the drawing); 28, 14, 10 and 5 divide 140
BETWEEN = 0.35  # tiles between two panels
HEADING, FOOT = 0.42, 0.55  # inches above a line of panels, and below them all for a colour bar
LABEL = {"facecolor": "white", "edgecolor": "none", "pad": 1}

Pictures = UInt8[np.ndarray, "n h w 1"]
Tiles = UInt8[np.ndarray, "n k h w 3"]


def _board(
    pictures: Pictures,
    lines: Sequence[Mapping[str, Tiles]],
    *,
    numbers: bool = True,
    chosen: Sequence[int] | None = None,
    foot: float = 0.0,
) -> tuple[Figure, list[Axes]]:
    """Lines of panels below one another, each panel with one row per digit; the digits stand before each.

    It is as wide as page and margin together. The columns are numbered in order, or as they were chosen.
    """
    _as_many(pictures, *(tiles for line in lines for tiles in line.values()))
    widths = [1 + sum(BETWEEN + tiles.shape[1] for tiles in line.values()) for line in lines]
    inch = (WIDE - 0.06) / max(widths)  # a tile with its gap
    tall = (HEADING if numbers else HEADING / 2) + len(pictures) * inch
    height = len(lines) * tall + foot
    figure, panels = new(width=WIDE, height=height, layout="none"), []
    digits = in_colour(pictures)[:, None]
    for index, line in enumerate(lines):
        left, bottom = 0.03, height - (index + 1) * tall
        for title, tiles in {"digit": digits, **line}.items():
            k = tiles.shape[1]
            place = (left / WIDE, bottom / height, k * inch / WIDE, len(tiles) * inch / height)
            axes = bare(figure.add_axes(place))
            _show(axes, tiles)
            if numbers and title != "digit":
                middles = (SIDE + GAP) * np.arange(k) + SIDE / 2 - 0.5
                axes.set_xticks(middles, chosen or range(k), fontsize=SMALL)
                axes.xaxis.tick_top()
                axes.tick_params(length=0, pad=1)
            axes.set_title(title, fontsize=SMALL + 0.5, pad=14 if numbers else 4)
            left += (k + BETWEEN) * inch
            panels.append(axes)
    return figure, panels


def _show(axes: Axes, tiles: Tiles) -> None:
    flat = tiles.reshape(-1, *tiles.shape[2:])
    inside = np.ones(flat.shape[:3], dtype=bool)
    page = block(flat, inside, tile=SIDE, gap=GAP, columns=tiles.shape[1])
    axes.imshow(page, aspect="auto", interpolation="antialiased")


@styled
def maps(pictures: Pictures, lines: Sequence[Mapping[str, Float[np.ndarray, "n k h w"]]]) -> Figure:
    """Every map of a layer for one digit per row: filtered, rectified, pooled, on one scale around zero.

    Args:
        pictures: the digits, as the network saw them.
        lines: lines of panels; a panel's maps by its title.

    Raises:
        ValueError: a panel that is not of these digits.
    """
    most = max(float(np.abs(values).max()) for line in lines for values in line.values()) or 1.0
    scale = ScalarMappable(Normalize(-most, most), SIGNED)
    coloured = [
        {title: scale.to_rgba(values, bytes=True)[..., :3] for title, values in line.items()}
        for line in lines
    ]
    figure, _ = _board(pictures, coloured, foot=FOOT)
    _bar(figure, scale, "activation, one scale for the layer")
    return figure


def _bar(figure: Figure, scale: ScalarMappable, label: str) -> None:
    height = figure.get_figheight()
    axes = figure.add_axes((0.3, 0.36 / height, 0.4, 0.09 / height))
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal")
    bar.set_label(label, fontsize=SMALL, labelpad=1)
    bar.ax.tick_params(labelsize=SMALL, pad=1)


@styled
def units(layers: Mapping[str, Mapping[str, Float[np.ndarray, "n units"]]], classes: Sequence[str]) -> Figure:
    """What every unit of the fully connected layers gives for one digit per row, each layer on its own scale.

    Args:
        layers: by title, what each gives, by what was done; the last layer's units are the classes.
        classes: names of the digits, one per row.

    Raises:
        ValueError: a layer that is not of these digits.
    """
    strips = [(layer, stage, values) for layer, stages in layers.items() for stage, values in stages.items()]
    _as_many(np.arange(len(classes)), *(values for *_, values in strips))
    figure = new(height=1.28 * len(strips))
    longest = max(values.shape[1] for *_, values in strips)
    for axes, (layer, stage, values) in zip(figure.subplots(len(strips), 1), strips, strict=True):
        n, most = values.shape[1], max(float(np.abs(v).max()) for v in layers[layer].values()) or 1.0
        last = layer == strips[-1][0]
        step = longest / n if last else 1  # a class score is drawn wider than a unit
        edges = (-0.5, step * n - 0.5, len(classes) - 0.5, -0.5)
        shown = axes.imshow(values, extent=edges, aspect="auto", cmap=SIGNED, vmin=-most, vmax=most)
        axes.set_xlim(-0.5, longest - 0.5)
        ticks = np.arange(n) if last else np.arange(0, n, 20)
        axes.set_xticks(step * (ticks + 0.5) - 0.5, ticks)
        axes.set_yticks(range(0, len(classes), 3), classes[::3])
        axes.tick_params(labelsize=SMALL, length=2)
        axes.set_title(f"{layer}, {stage}", fontsize=SMALL + 0.5)
        axes.set_ylabel("digit", fontsize=SMALL)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(shown, ax=axes, pad=0.01, aspect=9)
        bar.set_ticks([-most, 0, most], labels=[f"{value:.3g}" for value in (-most, 0, most)])
        bar.ax.tick_params(labelsize=SMALL)
    axes.set_xlabel("unit", fontsize=SMALL)
    return figure


@styled
def projected_maps(
    pictures: Pictures,
    lines: Sequence[Mapping[str, Float[np.ndarray, "n k h w"]]],
    *,
    chosen: Sequence[int] | None = None,
) -> Figure:
    """Projections of maps for one digit per row; each column has one contrast, mid-grey for zero.

    Args:
        pictures: the digits, as the network saw them.
        lines: lines of panels; a panel's projections by its title.
        chosen: the numbers of the maps; by default all of the layer.

    Raises:
        ValueError: a panel that is not of these digits.
    """
    shown = [{title: _by_column(values) for title, values in line.items()} for line in lines]
    return _board(pictures, shown, chosen=chosen)[0]


@styled
def projected_units(pictures: Pictures, layers: Mapping[str, Patterns]) -> Figure:
    """Projections of a few units for one digit per row, numbered in the corner, each with its own contrast.

    Args:
        pictures: the digits, as the network saw them.
        layers: by title.

    Raises:
        ValueError: a layer that is not of these digits.
    """
    shown = {title: _each(found.pixels) for title, found in layers.items()}
    figure, panels = _board(pictures, [shown], numbers=False)
    for axes, found in zip(panels[1:], layers.values(), strict=True):
        for (row, column), number in np.ndenumerate(found.maps):
            at = (SIDE + GAP) * np.array([column, row]) + 4
            axes.text(*at, number, fontsize=SMALL, va="top", color=INK, bbox=LABEL)
    return figure


@styled
def columns(pictures: Pictures, rows: Mapping[str, Float[np.ndarray, "n h w"]]) -> Figure:
    """One digit per column and under it one projection of it per row, each with its own contrast.

    Args:
        pictures: the digits, as the network saw them.
        rows: by what each row is called.

    Raises:
        ValueError: a row that is not of these digits.
    """
    _as_many(pictures, *rows.values())
    wide = 0.14  # of the width, for the rows' names
    inch = (1 - wide) * WIDE / len(pictures)
    figure = new(width=WIDE, height=(1 + len(rows)) * inch + 0.04, layout="none")
    axes = bare(figure.add_axes((wide, 0, 1 - wide, 1)))
    tiles = np.stack([in_colour(pictures)] + [_each(row[:, None])[:, 0] for row in rows.values()])
    _show(axes, tiles)
    for index, name in enumerate(("digit", *rows)):
        middle = (SIDE + GAP) * index + SIDE / 2
        axes.text(-0.3 * GAP - 14, middle, name, ha="right", va="center", fontsize=SMALL)
    return figure


@styled
def by_hand(
    picture: UInt8[np.ndarray, "h w 1"],
    written_out: Float[np.ndarray, "h w"],
    package: Float[np.ndarray, "h w"],
) -> Figure:
    """A digit, its projection written out, the package's, and their difference on the scale of either.

    Args:
        picture: the digit, as the network saw it.
        written_out, package: the projections.
    """
    figure = new(height=2.0)
    most = float(np.abs(package).max()) or 1.0
    panels = {"written out": written_out, "the package": package, "difference": written_out - package}
    first, *rest = figure.subplots(1, 4)
    bare(first).imshow(picture[..., 0], cmap="gray", vmin=0, vmax=255)
    first.set_title("digit")
    for axes, (title, values) in zip(rest, panels.items(), strict=True):
        bare(axes).imshow(values, cmap="gray", vmin=-most, vmax=most)
        axes.set_title(title)
    return figure


def _each(values: Float[np.ndarray, "n k h w"]) -> Tiles:
    """Projections in grey, each with a contrast of its own."""
    flat = values.reshape(-1, 1, *values.shape[2:], 1)
    grey = np.stack([shades(one, np.ones(one.shape[:3], bool)) for one in flat])
    return in_colour(eight_bits(grey)).reshape(*values.shape, 3)


def _by_column(values: Float[np.ndarray, "n k h w"]) -> Tiles:
    """Projections in grey, those of a map on one scale."""
    grey = [shades(column[..., None], np.ones(column.shape, bool)) for column in values.swapaxes(0, 1)]
    return in_colour(eight_bits(np.stack(grey, 1)))


def _as_many(pictures: np.ndarray, *panels: np.ndarray) -> None:
    if wrong := [len(values) for values in panels if len(values) != len(pictures)]:
        raise ValueError(f"{len(pictures)} digits beside a panel of {wrong[0]}")
