"""What chapter 14 claims: two arms of the same pictures, measured and control, and their difference.

The one idea: each claim is one function, from what the page has measured to a `Compared`, or to None where
too few pictures have both arms.
"""

from typing import NamedTuple

import pandas as pd
from numpy.typing import ArrayLike

from zfutils.stats.intervals import Interval, paired_difference, where_enough

UPPER, LOWER = ("fc6", "fc7", "fc8"), ("conv1", "conv2", "conv3")


class Compared(NamedTuple):
    """A difference of means over the same pictures, with its interval, and the two means."""

    interval: Interval
    arms: tuple[float, float]  # measured, control


def paired(measured: ArrayLike, control: ArrayLike, *, seed: int = 0) -> Compared | None:
    """Measured minus control by picture; pictures without one of the two (NaN) are left out."""
    both = pd.DataFrame({"measured": measured, "control": control}).dropna()
    found = where_enough(
        paired_difference, both["measured"], both["control"], resampled="pictures", seed=seed
    )
    return found and Compared(found, (float(both["measured"].mean()), float(both["control"].mean())))


def recovery(table: pd.DataFrame, *, seed: int = 0) -> Compared | None:
    """Likeness of two maps in one picture minus that of one map in two (`faithfulness.recovery`)."""
    return paired(table["same_picture"], table["same_map"], seed=seed)


def edges(table: pd.DataFrame, *, seed: int = 0) -> Compared | None:
    """Correlation with the picture's own edges minus that with the others' (`faithfulness.recovery`)."""
    return paired(table["edges"], table["other_edges"], seed=seed)


def switches(lost: pd.DataFrame, moving: pd.DataFrame, *, seed: int = 0) -> Compared | None:
    """Variance lost with random switches minus that lost by moving the projection as a whole.

    Args:
        lost, moving: as `switches.lost_with_other_switches` and `switches.lost_by_moving` give them.
        seed: of the resampling.
    """
    both = lost.merge(moving, on="picture", validate="one_to_one")
    return paired(both["random"], both["moved"], seed=seed)


def survival(
    table: pd.DataFrame, method: str = "deconvnet", *, measure: str = "spearman", seed: int = 0
) -> Compared | None:
    """What survives of a map with layers 6 to 8 random by one method, minus what survives by the gradient.

    Args:
        table: as `randomisation.randomisation` gives it.
        method: to reverse the ReLU.
        measure: spearman or ssim.
        seed: of the resampling.
    """
    there = table[(table["order"] == "cascading") & (table["layer"] == "fc6")]
    wide = there.pivot(index="picture", columns="method", values=measure)
    return paired(wide[method], wide["gradient"], seed=seed)


def upper_and_lower(table: pd.DataFrame, method: str = "deconvnet", *, seed: int = 0) -> Compared | None:
    """What survives of a map with one of layers 6 to 8 random, minus with one of layers 1 to 3.

    Args:
        table: as `randomisation.randomisation` gives it.
        method: to reverse the ReLU.
        seed: of the resampling.
    """
    there = table[(table["order"] == "independent") & (table["method"] == method)]
    wide = there.pivot(index="picture", columns="layer", values="spearman")
    return paired(*(wide[list(layers)].mean(axis=1, skipna=False) for layers in (UPPER, LOWER)), seed=seed)


def convergence(table: pd.DataFrame, method: str = "deconvnet", *, seed: int = 0) -> Compared | None:
    """Cosine of signals of two starts at the pixels of one picture, minus that by the gradient.

    Args:
        table: as `convergence.convergence` gives it.
        method: to reverse the ReLU.
        seed: of the resampling.
    """
    at_pixels = table[table["layer"] == "conv1"]
    wide = at_pixels.pivot(index="picture", columns="method", values="same_picture")
    return paired(wide[method], wide["gradient"], seed=seed)
