"""Sizes and receptive fields of a stack of windows: integers only.

Zeiler & Fergus 2013, Fig. 3. A convolution and a pooling layer are the same thing here, a window that
slides; a stack of windows is again one window, and that is the whole idea.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Window(NamedTuple):
    """A square window that slides over a map: side, step and zero padding (pixels of what it slides over)."""

    kernel: int
    stride: int = 1
    padding: int = 0


class Span(NamedTuple):
    """Pixels `start` to `stop` (excluded) along one axis; may reach past the border of an image."""

    start: int
    stop: int


def output_size(size: int, window: Window) -> int:
    """How many positions a window has along one axis; 0 or less where it does not fit.

    Args:
        size: side of the map the window slides over (pixels).
        window: kernel, stride and padding.

    Returns:
        The side of the resulting map, rounded down as the paper's figure (and PyTorch) does.
    """
    return (size + 2 * window.padding - window.kernel) // window.stride + 1


def receptive_field(windows: Sequence[Window]) -> Window:
    """The window of input pixels that one unit sees, after a stack of windows.

    Args:
        windows: kernel, stride and padding of each layer, first to last (pixels of its own input).

    Returns:
        One window equal to the whole stack: `kernel` is the receptive field's side, `stride` the jump
        between neighbouring units, `padding` how far unit 0 reaches past the border (input pixels).

    Source: Zeiler & Fergus 2013, Fig. 3; the recurrence is Le & Borji 2017, eq. 2.
    """
    kernel, stride, padding = 1, 1, 0
    for window in windows:
        kernel += (window.kernel - 1) * stride
        padding += window.padding * stride
        stride *= window.stride
    return Window(kernel, stride, padding)


def seen_by(unit: int, field: Window) -> Span:
    """The input pixels that unit number `unit` of an axis sees; not cut at the border.

    Args:
        unit: index along one axis, from 0.
        field: receptive field, as `receptive_field` gives it.
    """
    start = unit * field.stride - field.padding
    return Span(start, start + field.kernel)
