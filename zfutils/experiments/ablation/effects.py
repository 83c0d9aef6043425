"""What a change of the network does to its error, over seeds and pictures.

Every network is trained from the same seeds and asked about the same pictures, so that its answers are a
table, seeds × pictures, of which pictures it errs on. An effect is a weighted sum of such tables: one network
minus another, or a change minus what its parts do. Seeds are paired by their number, which gives the pictures
of each epoch the same order and crops, and leaves the t distribution its n − 1 degrees of freedom.

The interval resamples both. So does the smallest detectable difference: few seeds alone would promise more
than an interval can keep that also allows for other pictures.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from zfutils.stats.intervals import CONFIDENCE, Interval, hierarchical_interval, t_interval
from zfutils.stats.power import smallest_detectable_difference
from zfutils.training.evaluation import Scores
from zfutils.training.outcomes import Answers

POINTS = 100  # of an error of 1
POWER = 0.8

Runs = Mapping[int, Answers | Scores]  # of one network, by the seed it was trained from


@dataclass(frozen=True)
class Effect:
    """A difference in points with its interval, and what that interval could have told from none."""

    interval: Interval
    detectable: float  # the true difference that the interval leaves 0 out of with power 0.8


def wrong(runs: Runs, *, k: int = 1) -> Bool[np.ndarray, "seeds pictures"]:
    """Which pictures a network errs on (top-k), one row for each seed, smallest seed first.

    Raises:
        ValueError: seeds were asked about different pictures, or k is too large.
    """
    seeds = sorted(runs)
    for seed in seeds[1:]:
        _same_pictures(runs[seeds[0]], runs[seed], f"seeds {seeds[0]} and {seed}")
    return np.stack([runs[seed].wrong(k) for seed in seeds])


def differences(
    networks: Mapping[str, Runs], weights: Mapping[str, float]
) -> Float[np.ndarray, "seeds pictures"]:
    """The weighted sum of the networks' errors, for every seed and picture (points).

    Args:
        networks: their scores, by name and seed, from the same seeds.
        weights: of the networks that take part, by name: 1 and −1 for a difference.

    Raises:
        ValueError: they were asked about different pictures.
    """
    tables = {name: wrong(networks[name]) for name in weights}
    first, *others = tables
    for name in others:
        pair = (next(iter(networks[n].values())) for n in (first, name))
        _same_pictures(*pair, f"{first!r} and {name!r}")
    return POINTS * sum(weight * tables[name] for name, weight in weights.items())


def log_odds(runs: Runs) -> Float[np.ndarray, " seeds"]:
    """Log-odds of a network's top-1 error, one value for each seed, smallest seed first.

    An error cannot exceed 1, so that changes of it need not add up where one of them is large; on this scale
    there is no ceiling. Half a picture is added to the wrong ones and to the right ones, which keeps an error
    of 0 or 1 finite.

    Source: Haldane 1956, Anscombe 1956 for the half.
    """
    table = wrong(runs)
    errors = table.sum(1)
    return np.log((errors + 0.5) / (table.shape[1] - errors + 0.5))


def over_seeds_and_pictures(values: Float[np.ndarray, "seeds pictures"], *, seed: int = 0) -> Effect:
    """An effect with seeds and pictures resampled.

    The detectable difference belongs to that interval: what the t interval over seeds could tell from none
    and what an interval over pictures could, joined as the sides of a right angle are. The one is exact
    where pictures do not matter, the other where seeds do not; between the two, simulated studies of three
    and five seeds had a power of 0.80 to 0.83 at it. It is estimated from the very differences that are
    reported, and from three seeds roughly.

    Args:
        values: as `differences` gives them.

    Raises:
        TooFew: fewer than two seeds, or than eight pictures.
    """
    table = np.asarray(values, dtype=float)
    interval = hierarchical_interval(table, resampled="seeds and validation pictures", seed=seed)
    of_pictures = table.mean(0).std(ddof=1) / math.sqrt(table.shape[1])
    normal = stats.norm.ppf((1 + CONFIDENCE) / 2) + stats.norm.ppf(POWER)
    detectable = math.hypot(_detectable(table.mean(1)), normal * of_pictures)
    return Effect(interval, detectable)


def over_seeds(values: Float[np.ndarray, " seeds"]) -> Effect:
    """An effect with seeds alone resampled, by Student's t.

    Args:
        values: one difference for each seed.

    Raises:
        TooFew: fewer than two seeds.
    """
    array = np.asarray(values, dtype=float)
    return Effect(t_interval(array, resampled="seeds (t)"), _detectable(array))


def within(interval: Interval) -> Interval:
    """An error's interval, its ends cut to the 0 … 100 points that an error can have."""
    return replace(interval, low=max(interval.low, 0.0), high=min(interval.high, float(POINTS)))


def _detectable(values: Float[np.ndarray, " seeds"]) -> float:
    return smallest_detectable_difference(values.std(ddof=1), len(values), power=POWER)


def _same_pictures(first: Answers | Scores, second: Answers | Scores, which: str) -> None:
    if not np.array_equal(first.labels, second.labels):
        raise ValueError(
            f"{which} were asked about different pictures ({len(first.labels)} and {len(second.labels)}, or "
            "other labels)"
        )
