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
    corner: tuple[int, int],
) -> Figure:
    """One activation on its way down to the pixels, and the patch it came from.

    A step is shown by its energy at every position, the root of the sum of squares over maps, in the square
    where it is not zero; every panel on its own scale, from zero. Below it: the part shown and the map's
    size, how many maps are not zero, and the norm, the root of the sum of squares over maps and positions.
    The last step is the projection, mid-grey where it is zero and its contrast as in `tiles.CONTRAST`.

    Args:
        steps: name and signal after each step, (1, maps, h, w), as `Recording.walk` gives them.
        patch: the picture, or the unit's window of it.
        corner: row and column of the patch's corner in the last step, may be negative (pixels).
    """
    *signals, (end, projection) = [(name, to_host(one)[0].astype(np.float32)) for name, one in steps]
    pixels, inside = _window(projection.transpose(1, 2, 0), corner, patch.shape[:2])
    line = ABOVE + SIDE + BELOW
    tall, wide = (LARGE * side / max(patch.shape[:2]) for side in patch.shape[:2])
    height = max(line * -(-len(signals) // COLUMNS), 2 * (tall + TITLE + NUMBERS))
    figure = new(height=height, layout="none")
    for number, (name, signal) in enumerate(signals):
        row, column = divmod(number, COLUMNS)
        axes = _axes(figure, GAP / 2 + column * (SIDE + GAP), row * line + ABOVE, SIDE, SIDE)
        _draw_energy(axes, signal)
        layer, _, done = name.partition(": ")
        axes.set_title(f"{number + 1}  {layer}\n{done or 'the activation'}", fontsize=SMALL, linespacing=1.2)
    of_projection = eight_bits(in_colour(shades(pixels[None], inside[None])[0]))
    title = f"{len(steps)}  {end.replace(':', '')}: projection"
    size = f"{patch.shape[0]}×{patch.shape[1]} px"
    shown = (of_projection, title, _norm(projection)), (in_colour(patch), "the image there", size)
    for place, (colours, title, below) in enumerate(shown):
        top = TITLE + place * (tall + TITLE + NUMBERS)
        axes = _axes(figure, WIDTH - LARGE - GAP / 2, top, wide, tall)
        _draw_pixels(axes, colours, inside)
        axes.set_title(title, fontsize=SMALL + 0.5)
        axes.set_xlabel(below, fontsize=SMALL, loc="left", labelpad=3)
    return figure


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the upper left corner."""
    tall = figure.get_size_inches()[1]
    box = (left / WIDTH, 1 - (top + height) / tall, width / WIDTH, height / tall)
    return bare(figure.add_axes(box))


def _norm(signal: np.ndarray) -> str:
    return f"norm {np.sqrt(np.square(signal, dtype=np.float64).sum()):.3g}"


def _window(
    pixels: np.ndarray, corner: tuple[int, int], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the last step that the patch covers, and which of its pixels lie in it."""
    rows, columns = (np.arange(size) + start for size, start in zip(shape, corner, strict=True))
    height, width = pixels.shape[:2]
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
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


def support(energy: Float[np.ndarray, "h w"]) -> tuple[slice, slice]:
    """The square of a map that holds all that is not zero; the whole map where all is zero.

    Where the map has them, with a position around it and five along a side at least.

    Args:
        energy: not negative.

    Returns:
        Rows and columns. A side of the map shorter than the square is taken whole.
    """
    places = np.argwhere(energy > 0)
    if not len(places):
        return slice(0, energy.shape[0]), slice(0, energy.shape[1])
    low, high = places.min(0), places.max(0) + 1
    side = max(*(high - low + 2), 5)
    starts = [
        int(np.clip((a + b - side) // 2, 0, max(size - side, 0)))
        for a, b, size in zip(low, high, energy.shape, strict=True)
    ]
    return tuple(slice(start, start + side) for start in starts)
