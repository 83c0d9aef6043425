"""Intervals for everything the study measures.

Every interval is 95 % and names what was resampled, because that decides what it may be generalised to:
images (another draw of pictures), filters or maps (this network's others), faces, folds, seeds (another
training). Many units are bootstrapped; a handful, such as seeds or folds, is given a t interval, since
the resamples of three values know nothing of the fourth. Too few values, NaN and samples that do not
match raise ValueError.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

CONFIDENCE = 0.95
FEWEST_TO_BOOTSTRAP = 8  # eight values have 6,435 distinct resamples, three have ten
RESAMPLES = 9999
CELLS_AT_ONCE = 2_000_000  # resampled values held in memory at one time (16 MB)
TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)  # quantiles at the ends of an interval


class TooFew(ValueError):
    """Fewer units than an interval of this kind needs."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval.

    Args:
        estimate: the value measured on the data themselves.
        low: lower end.
        high: upper end.
        n: how many units were resampled (the smaller group's, where there are two).
        resampled: what these units are, e.g. `"validation images"`.

    Raises:
        ValueError: `low <= estimate <= high` fails or is not finite, or `n < 1`.
    """

    estimate: float
    low: float
    high: float
    n: int
    resampled: str

    def __post_init__(self) -> None:
        if not -math.inf < self.low <= self.estimate <= self.high < math.inf:
            numbers = f"{self.low}, {self.estimate}, {self.high}"
            raise ValueError(f"an interval needs finite low <= estimate <= high, got {numbers}")
        if self.n < 1 or not self.resampled:
            raise ValueError(f"n must be at least 1 and resampled named, got {self.n}, {self.resampled!r}")

    def times(self, factor: float) -> Self:
        """The same in another unit: both ends times a positive number that is known."""
        ends = {name: getattr(self, name) * factor for name in ("estimate", "low", "high")}
        return replace(self, **ends)

    def shifted(self, by: float) -> Self:
        """Both ends moved by a number that is known."""
        ends = {name: getattr(self, name) + by for name in ("estimate", "low", "high")}
        return replace(self, **ends)


def where_enough(interval: Callable[..., Interval], *data: Any, **options: Any) -> Interval | None:
    """An interval, or None where there are too few units for one, as in a tiny edition.

    Args:
        interval: what gives it, called with the data and options; any other error of its is raised.
    """
    try:
        return interval(*data, **options)
    except TooFew:
        return None


def ends(interval: Interval | None, name: str = "") -> dict[str, float]:
    """Both ends as columns of a table, `name` before their own; NaN where there is no interval."""
    return {f"{name}{end}": getattr(interval, end, math.nan) for end in ("low", "high")}


def bootstrap_interval(
    *samples: ArrayLike,
    resampled: str,
    statistic: Callable[..., np.floating | NDArray] = np.mean,
    paired: bool = False,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """A BCa bootstrap interval of a statistic of one or more samples.

    Where the acceleration is undefined (a statistic that no single unit can change), the percentile
    interval is returned; an interval that would leave out the estimate is widened to hold it; samples
    of one value each give an interval of no width.

    Args:
        samples: one-dimensional, at least eight values each.
        resampled: what one value stands for.
        statistic: takes the samples, and `axis` where it can work on many resamples at once.
        paired: the samples are columns of one table, whose rows are resampled together.

    Raises:
        ValueError: too few values (use `t_interval`), NaN, or paired samples of unequal length.

    Source: Efron 1987, Better bootstrap confidence intervals; scipy.stats.bootstrap.
    """
    arrays = [_finite(sample, resampled) for sample in samples]
    n = min((len(array) for array in arrays), default=0)
    _enough_to_bootstrap(n, resampled)
    if paired:
        _equally_long(*arrays)
    estimate = float(statistic(*arrays))
    if all(np.ptp(array) == 0 for array in arrays):
        return Interval(estimate, estimate, estimate, n, resampled)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        for method in ("BCa", "percentile"):
            low, high = stats.bootstrap(
                arrays,
                statistic,
                n_resamples=resamples,
                batch=max(1, CELLS_AT_ONCE // max(len(array) for array in arrays)),
                paired=paired,
                confidence_level=CONFIDENCE,
                method=method,
                random_state=np.random.default_rng(seed),
            ).confidence_interval
            if np.isfinite(low) and np.isfinite(high):
                break
    return _holding(estimate, low, high, n, resampled)


def paired_difference(first: ArrayLike, second: ArrayLike, *, resampled: str, seed: int = 0) -> Interval:
    """Mean of `first - second`, unit by unit, with a bootstrap over the units.

    Args:
        first: one value per unit, e.g. 1 where network A errs on an image.
        second: the same units in the same order, e.g. 1 where network B errs.
    """
    a, b = _finite(first, resampled), _finite(second, resampled)
    _equally_long(a, b)
    return bootstrap_interval(a - b, resampled=resampled, seed=seed)


def unpaired_difference(first: ArrayLike, second: ArrayLike, *, resampled: str, seed: int = 0) -> Interval:
    """Mean of `first` less mean of `second`, two independent samples bootstrapped each on its own."""
    return bootstrap_interval(first, second, resampled=resampled, statistic=_mean_difference, seed=seed)


def pairs_interval(table: ArrayLike, *, resampled: str, seed: int = 0) -> Interval:
    """Mean over all pairs i ≠ j of n units, with the units resampled and not the pairs.

    Rows and columns are drawn together; the pairs that a draw makes of a unit with its own copy are
    left out, since their distance of zero says nothing.

    Args:
        table: (n, n), a value per ordered pair, at least eight units; the diagonal is never read.

    Source: Snijders & Borgatti 1999, the vertex bootstrap.
    """
    values = np.array(table, dtype=float)
    n = len(values)
    if values.shape != (n, n):
        raise ValueError(f"pairs need a square table, got shape {values.shape}")
    np.fill_diagonal(values, 0.0)
    values = _finite(values, resampled, ndim=2)
    _enough_to_bootstrap(n, resampled)
    rng = np.random.default_rng(seed)
    copies = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(float)  # of each unit, per draw
    copies = copies[copies.max(axis=1) < n]  # a draw of one unit alone has no pairs
    sums = np.einsum("bi,bi->b", copies @ values, copies)
    means = sums / (n**2 - (copies**2).sum(axis=1))
    return _holding(values.sum() / (n * (n - 1)), *np.quantile(means, TAILS), n, resampled)


def of_draws(values: ArrayLike, n: int, *, resampled: str) -> Interval:
    """The percentile interval of what was computed again for every draw of the units.

    Args:
        values: of the units themselves, then of each draw.
        n: how many units.
    """
    return _holding(values[0], *np.quantile(values[1:], TAILS), n, resampled)


def proportion_interval(successes: int, n: int, *, resampled: str) -> Interval:
    """Wilson's score interval of a proportion: sound at 0 and at 1, where a bootstrap has no width.

    Source: Wilson 1927, through scipy.stats.binomtest.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0…n with n at least 1, got {successes} of {n}")
    low, high = stats.binomtest(int(successes), int(n)).proportion_ci(CONFIDENCE, method="wilson")
    return _holding(successes / n, low, high, n, resampled)


def proportion_difference(first: tuple[int, int], second: tuple[int, int], *, resampled: str) -> Interval:
    """Proportion of `first` less that of `second`, each given as (successes, n), independent samples.

    Source: Newcombe 1998, method 10 (two Wilson intervals joined).
    """
    return joined_difference(*(proportion_interval(*one, resampled=resampled) for one in (first, second)))


def joined_difference(a: Interval, b: Interval) -> Interval:
    """The first less the second, of independent samples, from the interval that either has.

    Source: Zou & Donner 2008, Construction of confidence limits about effect measures.
    """
    difference = a.estimate - b.estimate
    below = math.hypot(a.estimate - a.low, b.high - b.estimate)
    above = math.hypot(a.high - a.estimate, b.estimate - b.low)
    return Interval(difference, difference - below, difference + above, min(a.n, b.n), a.resampled)


def auc_interval(first: ArrayLike, second: ArrayLike, *, resampled: str) -> Interval:
    """Share of pairs in which `first` has the larger value (ties count half), the area under a ROC curve.

    Like Wilson's interval it has a width where the samples do not overlap.

    Args:
        first, second: independent samples.

    Source: Newcombe 2006, Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic, part 2, method 5.
    """
    a, b = _finite(first, resampled), _finite(second, resampled)
    difference = a[:, None] - b
    area = float(((difference > 0) + 0.5 * (difference == 0)).mean())
    critical, others = stats.norm.ppf(TAILS[1]), (len(a) + len(b)) / 2 - 1

    def beyond(theta: float) -> float:
        spread = 1 + others * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (area - theta) ** 2 - critical**2 * theta * (1 - theta) * spread / (len(a) * len(b))

    low = optimize.brentq(beyond, 0, area) if 0 < area < 1 else 0.0
    high = optimize.brentq(beyond, area, 1) if 0 < area < 1 else 1.0
    if area == 1:  # at the end itself the equation holds as well
        low = optimize.brentq(beyond, 1e-9, 1 - 1e-9)
    elif area == 0:
        high = optimize.brentq(beyond, 1e-9, 1 - 1e-9)
    return _holding(area, low, high, min(len(a), len(b)), resampled)


def t_interval(values: ArrayLike, *, resampled: str) -> Interval:
    """Student's interval of a mean: what two or three seeds, or five folds, are given.

    Args:
        values: one per seed or fold, at least two; differences, for a paired comparison.
    """
    array = _finite(values, resampled)
    n = len(array)
    if n < 2:
        raise TooFew(f"a t interval needs at least two {resampled}, got {n}")
    half = stats.t.ppf(TAILS[1], n - 1) * array.std(ddof=1) / math.sqrt(n)
    return Interval(float(array.mean()), float(array.mean() - half), float(array.mean() + half), n, resampled)


def hierarchical_interval(values: ArrayLike, *, resampled: str = "seeds × images", seed: int = 0) -> Interval:
    """Mean over seeds and images that were all crossed, with both resampled.

    Images are bootstrapped, the same draw for every seed. The few seeds are not: each draw is moved
    by the mean's t distribution over seeds. Without a spread between images this is `t_interval`,
    without one between seeds a bootstrap over images; noise of the single cells counts twice, so
    that where there is nothing else the interval is too wide.

    Args:
        values: (seeds, images), at least 2 × 8; differences, for a paired comparison. n is the seeds'.
    """
    table = _finite(values, resampled, ndim=2)
    seeds, images = table.shape
    if seeds < 2:
        raise TooFew(f"{resampled} must be a table of at least two rows, got shape {table.shape}")
    _enough_to_bootstrap(images, "images")
    rng, per_image = np.random.default_rng(seed), table.mean(axis=0)
    chunks = np.array_split(np.arange(RESAMPLES), 1 + RESAMPLES * images // CELLS_AT_ONCE)
    means = [per_image[rng.integers(0, images, size=(len(chunk), images))].mean(axis=1) for chunk in chunks]
    shift = stats.t.ppf((rng.permutation(RESAMPLES) + 0.5) / RESAMPLES, seeds - 1)
    draws = np.concatenate(means) + shift * table.mean(axis=1).std(ddof=1) / math.sqrt(seeds)
    return _holding(table.mean(), *np.quantile(draws, TAILS), seeds, resampled)


def _finite(sample: ArrayLike, resampled: str, *, ndim: int = 1) -> NDArray[np.float64]:
    array = np.asarray(sample, dtype=float)
    if array.ndim != ndim:
        raise ValueError(f"the {resampled} need values in {ndim} dimensions, got shape {array.shape}")
    if not array.size:
        raise TooFew(f"there are no {resampled} to resample")
    if not np.isfinite(array).all():
        raise ValueError(f"{int((~np.isfinite(array)).sum())} values of the {resampled} are not finite")
    return array


def _equally_long(*samples: NDArray[np.float64]) -> None:
    if len({len(sample) for sample in samples}) > 1:
        raise ValueError(f"paired samples need equal lengths, got {[len(sample) for sample in samples]}")


def _enough_to_bootstrap(n: int, resampled: str) -> None:
    if n < FEWEST_TO_BOOTSTRAP:
        least = f"at least {FEWEST_TO_BOOTSTRAP} are needed"
        raise TooFew(f"{n} {resampled} are too few to bootstrap, {least}: use t_interval")


def _mean_difference(first: NDArray, second: NDArray, axis: int = -1) -> NDArray | np.floating:
    return np.mean(first, axis=axis) - np.mean(second, axis=axis)


def _holding(estimate: float, low: float, high: float, n: int, resampled: str) -> Interval:
    estimate = float(estimate)
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate), int(n), resampled)
