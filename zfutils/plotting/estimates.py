"""Estimates with their intervals, drawn by seaborn from intervals that were computed elsewhere.

seaborn computes its own error bars from observations. The one idea: low, estimate and high are handed to it
as three observations, whose median is the estimate and whose range is the interval.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

ROUNDING = 1e-9  # relative; an interval may miss its estimate by as much


def estimates(
    axes: Axes,
    at: ArrayLike,
    table: pd.DataFrame | pd.Series,
    *,
    columns: Sequence[str] = ("estimate", "low", "high"),
    along: Literal["x", "y"] = "x",
    intervals: Literal["bars", "band"] = "bars",
    **look: Any,
) -> None:
    """Draw one series of estimates, in the order of their positions, each with its interval.

    Args:
        axes: to draw on; its labels and limits are left to the caller.
        at: the position of each row on the axis `along`.
        table: one row per position, or a single row.
        columns: those of the estimate and of the two ends of its interval, both NaN where there is none.
        along: the axis of the positions; the other one is that of the values.
        intervals: one bar per estimate, behind the markers, or one band.
        look: of the line and its markers, as matplotlib's `plot` takes it (color, marker, linestyle, label).

    Raises:
        ValueError: two rows at one position, or an interval that does not contain its estimate.
    """
    import seaborn  # takes as long to import as PyTorch, and whatever draws no estimates does without

    position, estimate, low, high = (
        np.array(values, dtype=float, ndmin=1) for values in (at, *(table[column] for column in columns))
    )
    if len(np.unique(position)) < len(position):
        raise ValueError(f"two rows stand at one position of {position.tolist()}")
    slack = ROUNDING * np.abs(estimate)
    contained = (low <= estimate + slack) & (estimate - slack <= high) | np.isnan(low) & np.isnan(high)
    if not contained.all():
        wrong = np.argmin(contained)
        raise ValueError(f"[{low[wrong]}, {high[wrong]}] does not contain its estimate {estimate[wrong]}")
    observations = np.tile(position, 3), np.concatenate([low, estimate, high])
    x, y = observations if along == "x" else reversed(observations)
    look = {"markeredgecolor": look.get("color"), "markeredgewidth": 1, "zorder": 2.1} | look
    bars = {"linewidth": 1, "capsize": 2, "zorder": look["zorder"] - 0.1}
    seaborn.lineplot(
        x=x,
        y=y,
        orient=along,
        estimator="median",
        errorbar=("pi", 100),
        err_style=intervals,
        err_kws=bars if intervals == "bars" else {"linewidth": 0, "alpha": 0.18},
        ax=axes,
        legend=False,
        **look,
    )
