"""Does occlusion give away a network that learnt the background? (Zeiler & Fergus 2013, §4.2)

The paper asks whether a network sees the object or uses what surrounds it. Here a network is known to do the
latter, because its training pictures have a background that gives the label away, and the question becomes
whether its occlusion maps tell.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from scipy.stats import rankdata
from torch import Tensor, nn

from zfutils.data.pixels import Pixels
from zfutils.experiments.occlusion.localisation import means_on_and_off, on_object
from zfutils.experiments.occlusion.sliding_patch import Occlusion
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
    right: Mapping[str, tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]],
) -> dict[str, Interval]:
    """How much accuracy a network loses (points) when each scene has another class's background.

    Args:
        right: by network, whether it is right on each scene with its class's background, and with another's.
    """
    return {
        name: paired_difference(100.0 * own, 100.0 * other, resampled="scenes")
        for name, (own, other) in right.items()
    }


def right(
    model: nn.Module, images: Pixels, chosen: Int64[Tensor, " n"], *, side: int, scale: float
) -> Bool[np.ndarray, " n"]:
    """Whether a network gives each picture its class, from the centre crop, in float32."""
    found = []
    with torch.no_grad():
        for (view,) in images.views(chosen, crops=1, batch=64, side=side, scale=scale):
            found.append((model(view.images.float()).argmax(1) == view.labels).numpy())
    return np.concatenate(found)
