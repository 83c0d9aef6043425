"""One activation on its way down to the pixels, step by step (Zeiler & Fergus 2013, §2.1).

The one idea: inside the network a signal has too many maps to be looked at, so what is shown is where its
energy is; only at the pixels has it colours.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from zfutils.plotting.style import FAINT, ORDERED, WIDTH, bare, new, styled
from zfutils.plotting.tiles import eight_bits, hatched, in_colour, shades
from zfutils.runtime.devices import to_host

COLUMNS = 4  # of small pictures
SMALL = 9  # points
# All in inches.
SIDE, LARGE, GAP = 1.16, 2.32, 0.1
ABOVE, BELOW = 0.4, 0.68  # room for the lines above a small picture and below it
TITLE, NUMBERS = 0.27, 0.3  # above a large one and below it


@styled
def walk(
    steps: Sequence[tuple[str, Tensor]],
    patch: UInt8[np.ndarray, "h w channels"],
    *,
    corner: tuple[int, int] = (0, 0),
) -> Figure:
    """One activation on its way down to the pixels, and the patch it came from.

    A step is shown by its energy at every position, the root of the sum of squares over maps, in the square
    where it is not zero; every panel on its own scale, from zero. Below it: the part shown and the map's
    size, how many maps are not zero, and the norm, the root of the sum of squares over maps and positions.
    The last step is the projection, mid-grey where it is zero and its contrast as in `tiles.CONTRAST`.

    Args:
        steps: name and signal after each step, (maps, h, w) or (1, maps, h, w); the last has 3 maps, or 1.
        patch: the picture, or the unit's window of it.
        corner: row and column of the patch's corner in the last step, may be negative (pixels).

    Raises:
        ValueError: fewer than two steps, a step that is no stack of maps, a last one that is no picture, or
            a patch outside it.
    """
    signals = [(name, _maps(name, signal)) for name, signal in steps]
    if len(signals) < 2 or len(signals[-1][1]) not in (1, 3):
        last = f", the last with {len(signals[-1][1])} maps" if signals else ""
        asked = "a walk has two or more steps, the last one with 1 or 3 maps"
        raise ValueError(f"{asked}; got {len(signals)}{last}")
    pixels, inside = _window(signals[-1][1].transpose(1, 2, 0), corner, patch.shape[:2])
    line = ABOVE + SIDE + BELOW
    large = LARGE * patch.shape[0] / max(patch.shape[:2])
    height = max(line * -(-(len(signals) - 1) // COLUMNS), 2 * (large + TITLE + NUMBERS))
    figure = new(height=height, layout="none")
    for number, (name, signal) in enumerate(signals[:-1]):
        row, column = divmod(number, COLUMNS)
        axes = _axes(figure, GAP / 2 + column * (SIDE + GAP), row * line + ABOVE, SIDE, SIDE)
        _draw_energy(axes, signal)
        layer, _, done = name.partition(": ")
        axes.set_title(f"{number + 1}  {layer}\n{done or 'the activation'}", fontsize=SMALL, linespacing=1.2)
    shades_of_it = in_colour(shades(pixels[None], inside[None])[0])
    shown = ((shades_of_it, "projection"), (in_colour(patch), "the image there"))
    for place, (colours, title) in enumerate(shown):
        top = TITLE + place * (large + TITLE + NUMBERS)
        axes = _axes(
            figure, WIDTH - LARGE - GAP / 2, top, LARGE * patch.shape[1] / max(patch.shape[:2]), large
        )
        _draw_pixels(axes, eight_bits(colours) if place == 0 else colours, inside)
        number = f"{len(signals)}  {signals[-1][0].replace(':', '')}: " if place == 0 else ""
        axes.set_title(f"{number}{title}", fontsize=SMALL + 0.5)
        size = f"{_norm(signals[-1][1])}" if place == 0 else f"{patch.shape[0]}×{patch.shape[1]} px"
        axes.set_xlabel(size, fontsize=SMALL, loc="left", labelpad=3)
    return figure


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the upper left corner."""
    tall = figure.get_size_inches()[1]
    box = (left / WIDTH, 1 - (top + height) / tall, width / WIDTH, height / tall)
    return bare(figure.add_axes(box))


def _maps(name: str, signal: Tensor) -> Float[np.ndarray, "maps h w"]:
    array = to_host(signal).astype(np.float32)
    array = array[0] if array.ndim == 4 and len(array) == 1 else array
    if array.ndim != 3:
        raise ValueError(f"step {name!r} must be one stack of maps (maps, h, w), not {tuple(signal.shape)}")
    return array


def _norm(signal: np.ndarray) -> str:
    return f"norm {np.sqrt(np.square(signal, dtype=np.float64).sum()):.3g}"


def _window(
    pixels: np.ndarray, corner: tuple[int, int], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the last step that the patch covers, and which of its pixels lie in it."""
    rows, columns = (np.arange(size) + start for size, start in zip(shape, corner, strict=True))
    height, width = pixels.shape[:2]
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    if not inside.any():
        raise ValueError(
            f"a patch of {shape} px at {corner} lies outside the last step of {height}×{width} px"
        )
    part = pixels[np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))]
    return np.where(inside[..., None], part, 0), inside


def _draw_pixels(axes: Axes, colours: np.ndarray, inside: np.ndarray) -> None:
    times = max(1, -(-300 // max(inside.shape)))  # fine enough for the hatching
    large = colours.repeat(times, 0).repeat(times, 1), inside.repeat(times, 0).repeat(times, 1)
    axes.imshow(hatched(*large), interpolation="antialiased", aspect="auto")
    axes.spines[:].set(visible=True, color=FAINT, linewidth=0.6)


def _draw_energy(axes: Axes, signal: np.ndarray) -> None:
    """One step as its energy over maps, cropped to a square about its support, with its numbers below."""
    energy = np.sqrt(np.square(signal, dtype=np.float64).sum(0))
    part = energy[support(energy)]
    axes.imshow(part, cmap=ORDERED, vmin=0, vmax=part.max() or 1, interpolation="antialiased")
    live = int((signal != 0).any((1, 2)).sum())
    sizes = f"{part.shape[0]}×{part.shape[1]} of {energy.shape[0]}×{energy.shape[1]}"
    sizes = sizes if len(sizes) <= 16 else sizes.replace(" of", "\nof")  # what a small picture's width holds
    below = f"{sizes}\n{live} of {len(signal)} maps\n{_norm(signal)}"
    axes.set_xlabel(below, fontsize=SMALL, loc="left", linespacing=1.2, labelpad=3)


def support(energy: Float[np.ndarray, "h w"], *, margin: int = 1, least: int = 5) -> tuple[slice, slice]:
    """The square of a map that holds all that is not zero; the whole map where all is zero.

    Args:
        energy: not negative.
        margin: positions around it, where the map has them.
        least: side of the square at least, where the map is as large.

    Returns:
        Rows and columns. A side of the map shorter than the square is taken whole.
    """
    places = np.argwhere(energy > 0)
    if not len(places):
        return slice(0, energy.shape[0]), slice(0, energy.shape[1])
    low, high = places.min(0), places.max(0) + 1
    side = max(*(high - low + 2 * margin), least)
    starts = [
        int(np.clip((a + b - side) // 2, 0, max(size - side, 0)))
        for a, b, size in zip(low, high, energy.shape, strict=True)
    ]
    rows, columns = (
        slice(start, min(start + side, size)) for start, size in zip(starts, energy.shape, strict=True)
    )
    return rows, columns
