"""What `zfutils.plotting.estimates` drew, read from the axes."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D


def series(axes: Axes) -> list[tuple[Line2D, Float[np.ndarray, "points 2"]]]:
    """Every series with error bars, in the order of drawing: its line, and the ends of its bars.

    Ends are NaN where there is no interval.
    """
    found = []
    for bars in (box for box in axes.containers if isinstance(box, ErrorbarContainer)):
        line = axes.lines[axes.lines.index(bars.lines[0]) - 1]  # seaborn draws it right before its bars
        values = 0 if bars.has_xerr else 1
        segments = bars.lines[2][0].get_segments()
        found.append((line, np.array([s[:, values] if len(s) else (np.nan, np.nan) for s in segments])))
    return found
