"""Means over pictures with their intervals, as every table and figure of chapter 14 shows them."""

import numpy as np
from numpy.typing import ArrayLike

from zfutils.stats.intervals import bootstrap_interval, where_enough

RESAMPLES = 1999  # of what is drawn and tabled; a claim's interval has as many as the study's others


def mean_over_pictures(values: ArrayLike, *, seed: int = 0) -> dict[str, float]:
    """Mean of the values that are known, and a 95 % interval with pictures resampled.

    Args:
        values: one per picture; NaN where it has none.
        seed: of the resampling.

    Returns:
        estimate, low, high, n; no ends where pictures are too few, no estimate where there are none.
    """
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    found = where_enough(bootstrap_interval, known, resampled="pictures", seed=seed, resamples=RESAMPLES)
    ends = (found.low, found.high) if found else (np.nan, np.nan)
    estimate = float(known.mean()) if known.size else np.nan
    return {"estimate": estimate, "low": ends[0], "high": ends[1], "n": known.size}
