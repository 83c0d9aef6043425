"""What a covered digit is taken for, and how much more often than the whole digit.

The one idea: each digit is its own control. How often it is taken for a 3 under the square, minus whether the
whole digit is, is one number per digit, and digits are what is resampled.
"""

import numpy as np
import pandas as pd
from jaxtyping import Int64
from sklearn.metrics import confusion_matrix

from zfutils.experiments.lenet.covering import Covered
from zfutils.stats.comparisons import Comparison
from zfutils.stats.intervals import bootstrap_interval, proportion_interval, where_enough

PERCENT = 100


def counts(covered: Covered) -> Int64[np.ndarray, "classes classes"]:
    """Covered digits, by their class (rows) and the class they are taken for (columns)."""
    read = covered.read.reshape(len(covered), -1)
    labels = np.broadcast_to(covered.labels[:, None], read.shape)
    return confusion_matrix(labels.ravel(), read.ravel(), labels=range(covered.whole.shape[1]))


def counts_whole(covered: Covered) -> Int64[np.ndarray, "classes classes"]:
    """The same of the whole digits."""
    return confusion_matrix(covered.labels, covered.read_whole, labels=range(covered.whole.shape[1]))


def misread(covered: Covered) -> Comparison:
    """Share of a digit's covered pictures that are misread (%), against whether the whole digit is."""
    read = covered.read.reshape(len(covered), -1) != covered.labels[:, None]
    whole = covered.read_whole != covered.labels
    return Comparison(PERCENT * read.mean(1), PERCENT * whole.astype(float), "digits")


def increases(covered: Covered, *, seed: int = 0) -> pd.DataFrame:
    """How much more often each class is taken for each other one under the square, the largest first.

    Args:
        covered: the digits.
        seed: of the resampling.

    Returns:
        One row per pair of classes: `digit`, `taken for`, `covered` and `whole` (intervals of the share,
        in %; None where there are too few digits), `estimate`, `low` and `high` (points; NaN likewise), `n`
        digits.
    """
    classes, rows = covered.whole.shape[1], []
    read = covered.read.reshape(len(covered), -1)
    for digit in range(classes):
        own = covered.labels == digit
        for other in (c for c in range(classes) if c != digit and own.any()):
            share = PERCENT * (read[own] == other).mean(1)
            whole = PERCENT * (covered.read_whole[own] == other)
            more, hits = share - whole, np.count_nonzero(whole)
            resampled = {"resampled": "digits", "seed": seed}
            interval = where_enough(bootstrap_interval, more, **resampled)
            rows.append(
                {
                    "digit": digit,
                    "taken for": other,
                    "covered": where_enough(bootstrap_interval, share, **resampled),
                    "whole": proportion_interval(hits, len(whole), resampled="digits").times(PERCENT),
                    "estimate": more.mean(),
                    "low": interval.low if interval else np.nan,
                    "high": interval.high if interval else np.nan,
                    "n": int(own.sum()),
                }
            )
    return pd.DataFrame(rows).sort_values("estimate", ascending=False, kind="stable", ignore_index=True)
