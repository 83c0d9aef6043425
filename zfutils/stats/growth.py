"""How a cost grows: the exponent b of a·xᵇ, by least squares in logarithms."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from zfutils.stats.intervals import Interval, t_interval


def exponent(sizes: Sequence[float], costs: ArrayLike) -> Interval:
    """The exponent with which a cost grows, from repeats at each of several sizes.

    Every repeat gives a line of its own through all sizes; the interval is Student's of their slopes.

    Args:
        sizes: at least two, positive, each another.
        costs: (sizes, repeats), positive, two repeats or more.

    Raises:
        ValueError: anything else.
    """
    x, y = np.asarray(sizes, dtype=float), np.asarray(costs, dtype=float)
    if len(np.unique(x)) < 2 or len(np.unique(x)) < len(x) or y.ndim != 2 or len(y) != len(x):
        raise ValueError(f"a row of costs for each of two or more different sizes; got {y.shape} for {sizes}")
    if not (x > 0).all() or not (y > 0).all():
        raise ValueError("sizes and costs must be positive, or they have no logarithm")
    slopes = np.polyfit(np.log(x), np.log(y), 1)[0]
    return t_interval(slopes, resampled="repeats")
