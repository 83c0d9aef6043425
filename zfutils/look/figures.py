"""Panels of one covered picture, each a figure of its own: a narrow page sets them below each other."""

from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from PIL import Image

from zfutils.experiments.occlusion.figures import FALLS, most_probable, outlined_patch, positions
from zfutils.experiments.occlusion.sliding_patch import Occlusion
from zfutils.plotting.style import ORDERED, bare, new, styled
from zfutils.plotting.tiles import in_colour

SIDE = 2.6  # inches of a panel's longer side
SCALE = 0.45  # inches below it for the scale of values
QUALITY = 85  # of WebP


@styled
def picture(image: UInt8[np.ndarray, "h w channels"], found: Occlusion) -> Figure:
    """A picture, with the patch in a corner."""
    figure = _panel(image.shape[:2])
    axes = figure.axes[0]
    axes.imshow(in_colour(image))
    outlined_patch(axes, found.patch, image.shape[:2])
    return figure


@styled
def lost_beside(image: UInt8[np.ndarray, "h w channels"], found: Occlusion) -> Figure:
    """A picture with the patch, and beside it how far the log-odds of its class fall, by position (nats)."""
    figure = new(height=3.1)
    left, right = figure.subplots(1, 2)
    bare(left).imshow(in_colour(image))
    outlined_patch(left, found.patch, image.shape[:2])
    falls = found.fall("log-odds")[0].clip(min=0)
    look = {"cmap": FALLS, "vmin": 0, "vmax": max(float(falls.max()), 1e-12)}
    shown = positions(bare(right), falls, found.patch, image.shape[:2], **look)
    figure.colorbar(shown, ax=right, label="nats")
    return figure


@styled
def probability(size: tuple[int, int], found: Occlusion, i: int) -> Figure:
    """The probability of the class that is followed, by position of the patch."""
    most = max(float(found.plain_probability[i]), float(found.probability[i].max()))
    return _scaled(size, found, found.probability[i], cmap=ORDERED, vmin=0, vmax=most)


@styled
def lost(size: tuple[int, int], found: Occlusion, i: int) -> Figure:
    """How far the log-odds of the class fall, by position of the patch (nats); rises are shown as 0."""
    falls = found.fall("log-odds")[i].clip(min=0)
    return _scaled(size, found, falls, cmap=FALLS, vmin=0, vmax=max(float(falls.max()), 1e-12))


@styled
def classes(size: tuple[int, int], found: Occlusion, i: int) -> Figure:
    """The most probable class by position, in the colours of `most_probable`."""
    named, place, colours = most_probable(found, i)
    figure = _panel(size)
    look = {"cmap": ListedColormap(colours), "vmin": -0.5, "vmax": len(named) + 0.5}
    positions(figure.axes[0], place, found.patch, size, **look)
    return figure


def _panel(size: tuple[int, int], below: float = 0.0) -> Figure:
    h, w = (SIDE * n / max(size) for n in size)
    figure = new(width=w, height=h + below, layout="none")
    bare(figure.add_axes((0, below / (h + below), 1, h / (h + below))))
    return figure


def _scaled(size: tuple[int, int], found: Occlusion, values: np.ndarray, **look) -> Figure:
    figure = _panel(size, SCALE)
    shown = positions(figure.axes[0], values, found.patch, size, **look)
    whole = figure.get_figheight()
    bar = figure.add_axes((0.06, (SCALE - 0.14) / whole, 0.88, 0.09 / whole))
    figure.colorbar(shown, cax=bar, orientation="horizontal").ax.tick_params(labelsize=9)
    return figure


def save(figure: Figure, path: Path) -> tuple[int, int]:
    """Write a figure as WebP; its width and height (pixels)."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as image:
        image.convert("RGB").save(path, quality=QUALITY, method=4)
        return image.size
