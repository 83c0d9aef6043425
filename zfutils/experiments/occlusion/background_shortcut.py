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
from zfutils.stats.formatting import ranged
from zfutils.stats.intervals import Interval, bootstrap_interval, paired_difference


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


def auc_interval(higher: Float[np.ndarray, " n"], lower: Float[np.ndarray, " n"]) -> Interval:
    """`auc` of the same scenes seen by two networks, scenes resampled with both their numbers."""
    return bootstrap_interval(higher, lower, statistic=auc, paired=True, resampled="scenes", resamples=1999)


def reliance(
    correct: Mapping[str, tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]],
) -> dict[str, Interval]:
    """How much accuracy a network loses (points) when each scene has another class's background.

    Args:
        correct: by network, whether it classifies each scene correctly with its class's background, and with
            another's.
    """
    return {
        name: paired_difference(100.0 * usual, 100.0 * exchanged, resampled="scenes")
        for name, (usual, exchanged) in correct.items()
    }


def accuracy_table(
    correct: Mapping[str, tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]],
    lost: Mapping[str, Interval],
) -> pd.DataFrame:
    """Accuracies in words, one row per network, and what is lost with another class's background.

    Args:
        correct: as for `reliance`.
        lost: what `reliance` gives; may be empty where there are too few scenes.
    """
    rows = []
    for name, (usual, exchanged) in correct.items():
        row = {"network": name, "own background": f"{usual.mean():.1%}"}
        row["another class's"] = f"{exchanged.mean():.1%}"
        ends = (getattr(lost.get(name), end, np.nan) for end in ("estimate", "low", "high"))
        rows.append(row | {"loses (points)": ranged(*ends)})
    return pd.DataFrame(rows)
