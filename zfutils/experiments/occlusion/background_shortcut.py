"""Does occlusion give away a network that learnt the background? (Zeiler & Fergus 2013, §4.2)

The paper asks whether a network sees the object or uses what surrounds it. Here a network is known to do the
latter, because its training pictures have a background that gives the label away, and the question becomes
whether its occlusion maps tell.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from zfutils.experiments.occlusion.localisation import means_on_and_off, on_object
from zfutils.experiments.occlusion.sliding_patch import Occlusion
from zfutils.stats.comparisons import Comparison
from zfutils.stats.formatting import between, rounded
from zfutils.stats.intervals import Interval, bootstrap_interval


def background_share(found: Occlusion, masks: Bool[np.ndarray, "n side side"]) -> Float[np.ndarray, " n"]:
    """Mean fall of probability on the background over the sum of those on background and object.

    Falls below 0 are taken as 0. One half, which says nothing, where nothing falls at all.

    Args:
        found: what was measured.
        masks: the object of each picture.
    """
    inside, outside = means_on_and_off(found.fall("probability").clip(min=0), on_object(found, masks))
    total = inside + outside
    return np.where(total > 0, outside / np.where(total > 0, total, 1), 0.5)


def auc(higher: Float[np.ndarray, " n"], lower: Float[np.ndarray, " m"]) -> float:
    """Chance that a number of the first group is the greater; ties count half."""
    ranks = rankdata(np.concatenate([higher, lower]))
    n, m = len(higher), len(lower)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def told_apart_beyond_seeds(
    cheat: Float[np.ndarray, " n"], honest: Float[np.ndarray, " n"], other: Float[np.ndarray, " n"]
) -> tuple[Interval, tuple[float, float]]:
    """`auc` of a cheat against an honest network, minus that of two honest networks, in either direction.

    Args:
        cheat, honest: a number of the same scenes seen by either network; a cheat's is said to be greater.
        other: by an honest network of another seed.

    Returns:
        The difference, scenes resampled with all three of their numbers, and its two arms.

    Raises:
        TooFew: fewer scenes than an interval needs.
    """
    options = {"paired": True, "resampled": "scenes", "resamples": 1999}
    interval = bootstrap_interval(cheat, honest, other, statistic=_beyond_seeds, **options)
    return interval, (auc(cheat, honest), either_way(other, honest))


def either_way(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"]) -> float:
    """`auc` in whichever direction tells the groups apart: 0.5 or more."""
    found = auc(first, second)
    return max(found, 1 - found)


def _beyond_seeds(cheat: np.ndarray, honest: np.ndarray, other: np.ndarray) -> float:
    return auc(cheat, honest) - either_way(other, honest)


def reliance(
    correct: Mapping[str, tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]],
) -> dict[str, Comparison]:
    """Accuracy (points) with the usual background, and with another class's, scene by scene.

    Args:
        correct: by network, whether it classifies each scene correctly with its class's background, and with
            another's.
    """
    return {name: Comparison(*(100.0 * one for one in both), "scenes") for name, both in correct.items()}


def told_apart_table(found: Interval | None, arms: tuple[float, float] | None) -> pd.DataFrame:
    """What `told_apart_beyond_seeds` gives, in words; dashes where there were too few scenes."""
    cheat, seeds = (rounded(arm, digits=2) for arm in arms or (None, None))
    rows = {"cheat and honest": cheat, "honest and honest, another seed": seeds}
    rows["difference"] = between(found, digits=2, otherwise="–")
    return pd.DataFrame({"told apart": rows.keys(), "AUC": rows.values()})
