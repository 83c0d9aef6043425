"""What the study's intervals promise, against hand-worked values and independent oracles."""

import numpy as np
import pytest
from scipy import stats

from zfutils.stats.intervals import (
    Interval,
    TooFew,
    auc_interval,
    bootstrap_interval,
    hierarchical_interval,
    of_draws,
    paired_difference,
    pairs_interval,
    proportion_difference,
    proportion_interval,
    t_interval,
    unpaired_difference,
    where_enough,
)
from zfutils.stats.intervals import ends as columns

SKEWED = np.random.default_rng(0).exponential(size=40)


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


@pytest.mark.parametrize(
    ("low", "estimate", "high"),
    [(0.0, 2.0, 1.0), (1.0, 0.5, 0.0), (0.0, float("nan"), 1.0), (float("-inf"), 0.0, 1.0)],
)
def test_an_interval_holds_its_estimate_and_is_finite(low, estimate, high):
    with pytest.raises(ValueError, match="finite low <= estimate <= high"):
        Interval(estimate, low, high, 10, "images")


def test_an_interval_names_what_was_resampled():
    with pytest.raises(ValueError, match="resampled"):
        Interval(0.5, 0.0, 1.0, 10, "")


def test_wilson_interval_of_eight_in_ten_is_the_textbook_one():
    assert ends(proportion_interval(8, 10, resampled="images")) == pytest.approx((0.49016, 0.94331), abs=1e-5)


def test_wilson_interval_of_none_in_ten_ends_at_z_squared_over_n_plus_z_squared():
    z = 1.959964
    interval = proportion_interval(0, 10, resampled="images")
    assert ends(interval) == pytest.approx((0.0, z**2 / (10 + z**2)), abs=1e-6)


def test_newcombe_interval_agrees_with_his_worked_example():
    """56/70 less 48/80 (Newcombe 1998, Table II, contrast a, method 10)."""
    interval = proportion_difference((56, 70), (48, 80), resampled="filters")
    assert (interval.estimate, *ends(interval)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert interval.n == 70


@pytest.mark.parametrize(("successes", "n"), [(11, 10), (-1, 10), (0, 0)])
def test_an_impossible_proportion_is_refused(successes, n):
    with pytest.raises(ValueError, match=rf"got {successes} of {n}"):
        proportion_interval(successes, n, resampled="images")


def test_auc_interval_counts_pairs_and_covers_the_truth_with_eight_in_each_sample():
    found = auc_interval([1, 2, 3], [0, 2], resampled="networks")
    assert (found.estimate, found.n) == (4.5 / 6, 2)
    rng, covered = np.random.default_rng(0), 0
    truth = stats.norm.cdf(1.5 / np.sqrt(2))
    for _ in range(300):
        one = auc_interval(rng.normal(1.5, 1, 8), rng.normal(0, 1, 8), resampled="networks")
        covered += one.low <= truth <= one.high
    assert 0.92 <= covered / 300 <= 0.98


def test_auc_interval_has_a_width_where_the_samples_do_not_overlap():
    above = auc_interval(range(8, 16), range(8), resampled="networks")
    below = auc_interval(range(8), range(8, 16), resampled="networks")
    assert (above.estimate, above.high, below.low) == (1, 1, 0)
    # at theta = low, (1 - theta)^2 = z^2 V(theta) with Newcombe's variance for 8 and 8
    theta, z = above.low, stats.norm.ppf(0.975)
    variance = theta * (1 - theta) * (1 + 7 * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / 64
    assert (1 - theta) ** 2 == pytest.approx(z**2 * variance, rel=1e-4)
    assert 0.7 < theta < 0.8
    assert below.high == pytest.approx(1 - above.low)
    # more networks tell more
    assert auc_interval(range(80, 160), range(80), resampled="networks").low > 0.95


def test_t_interval_of_one_two_three_by_hand():
    """Mean 2, standard deviation 1, t(0.975, 2) = 4.302653: 2 ± 4.302653 / √3."""
    interval = t_interval([1, 2, 3], resampled="seeds")
    assert (interval.estimate, *ends(interval)) == pytest.approx((2, -0.484138, 4.484138), abs=1e-6)
    assert (interval.n, interval.resampled) == (3, "seeds")


@pytest.mark.parametrize(
    ("interval", "data", "said"),
    [
        (bootstrap_interval, [np.arange(7)], "7 units are too few to bootstrap.*t_interval"),
        (bootstrap_interval, [[]], "no units"),
        (paired_difference, [np.arange(7), np.ones(7)], "t_interval"),
        (unpaired_difference, [np.arange(7), np.arange(20)], "t_interval"),
        (pairs_interval, [np.ones((7, 7))], "t_interval"),
        (hierarchical_interval, [np.zeros((1, 30))], "at least two rows"),
        (hierarchical_interval, [np.zeros((3, 5))], "5 images are too few"),
        (t_interval, [[38.4]], "at least two units, got 1"),
        (t_interval, [[]], "no units"),
    ],
)
def test_where_there_are_too_few_units_there_is_no_interval(interval, data, said):
    with pytest.raises(TooFew, match=said):
        interval(*data, resampled="units")
    assert where_enough(interval, *data, resampled="units") is None


def test_where_there_are_enough_the_interval_is_that_of_the_function_with_its_options():
    assert where_enough(t_interval, [1, 2], resampled="seeds") == t_interval([1, 2], resampled="seeds")
    found = where_enough(bootstrap_interval, SKEWED, resampled="images", statistic=np.median, seed=3)
    assert found == bootstrap_interval(SKEWED, resampled="images", statistic=np.median, seed=3)


def test_other_mistakes_are_not_taken_for_too_few_units():
    with pytest.raises(ValueError, match="1 values of the seeds are not finite"):
        where_enough(t_interval, [1, np.nan], resampled="seeds")
    with pytest.raises(ValueError, match=r"equal lengths, got \[10, 9\]"):
        where_enough(paired_difference, np.zeros(10), np.zeros(9), resampled="images")
    with pytest.raises(ValueError, match="2 dimensions"):
        where_enough(hierarchical_interval, np.zeros(30))
    with pytest.raises(TypeError):
        where_enough(t_interval, [1, 2])


def test_bootstrap_is_efrons_bias_corrected_and_accelerated_interval():
    """Written out from Efron 1987 with draws of its own: 200,000 resamples, jackknife acceleration."""
    rng, n = np.random.default_rng(1), len(SKEWED)
    means = np.sort(SKEWED[rng.integers(0, n, size=(200_000, n))].mean(axis=1))
    bias = stats.norm.ppf((means < SKEWED.mean()).mean())
    influence = SKEWED - SKEWED.mean()  # of leaving one out, up to a factor that cancels
    acceleration = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    z = bias + stats.norm.ppf([0.025, 0.975])
    expected = np.quantile(means, stats.norm.cdf(bias + z / (1 - acceleration * z)))

    interval = bootstrap_interval(SKEWED, resampled="images")

    assert ends(interval) == pytest.approx(tuple(expected), abs=0.02)
    assert interval.high - interval.estimate > 1.2 * (interval.estimate - interval.low)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    first, again, other = (bootstrap_interval(SKEWED, resampled="images", seed=s) for s in (3, 3, 4))
    assert first == again
    assert first != other


def test_a_sample_of_one_value_has_an_interval_of_no_width():
    assert ends(bootstrap_interval(np.full(20, 0.3), resampled="images")) == pytest.approx((0.3, 0.3))


def test_a_statistic_that_no_single_unit_can_change_gets_the_percentile_interval():
    """The median of thirty zeros and ten ones has a jackknife of one value only."""
    interval = bootstrap_interval([0] * 30 + [1] * 10, resampled="images", statistic=np.median)
    assert (interval.estimate, *ends(interval)) == (0, 0, 0)


def test_a_statistic_of_two_columns_resamples_their_rows_together():
    rng = np.random.default_rng(2)
    x = rng.normal(size=400)
    y = 0.8 * x + 0.6 * rng.normal(size=400)
    interval = bootstrap_interval(
        x,
        y,
        resampled="images",
        statistic=lambda a, b: stats.pearsonr(a, b).statistic,
        paired=True,
        resamples=999,
    )
    fisher = np.tanh(np.arctanh(interval.estimate) + np.array([-1, 1]) * 1.96 / np.sqrt(397))
    assert ends(interval) == pytest.approx(tuple(fisher), abs=0.015)


def test_a_paired_difference_profits_from_the_pairing():
    rng = np.random.default_rng(3)
    difficulty = rng.normal(size=300)
    first, second = difficulty + 0.1 + 0.1 * rng.normal(size=300), difficulty
    paired = paired_difference(first, second, resampled="images")
    unpaired = unpaired_difference(first, second, resampled="images")
    assert paired.estimate == pytest.approx(unpaired.estimate)
    assert paired.low > 0 > unpaired.low
    half = 1.96 * (first - second).std(ddof=1) / np.sqrt(300)
    assert ends(paired) == pytest.approx((paired.estimate - half, paired.estimate + half), abs=2e-3)


def test_pairs_are_averaged_without_the_diagonal():
    table = np.full((9, 9), 2.0)
    np.fill_diagonal(table, np.nan)
    interval = pairs_interval(table, resampled="faces")
    assert (interval.estimate, *ends(interval)) == pytest.approx((2, 2, 2))


@pytest.mark.parametrize("shape", [(10,), (10, 9), (9, 10)])
def test_pairs_need_a_square_table(shape):
    with pytest.raises(ValueError, match="square table"):
        pairs_interval(np.zeros(shape), resampled="faces")


def test_pairs_resample_units_so_that_the_interval_is_as_wide_as_the_units_vary():
    """For x_i + x_j the mean over pairs is twice the mean of x, and so is its interval."""
    x = np.random.default_rng(4).normal(size=60)
    interval = pairs_interval(x[:, None] + x[None, :], resampled="faces")
    half = 1.96 * 2 * x.std() / np.sqrt(60)
    assert interval.estimate == pytest.approx(2 * x.mean())
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.05)


def test_hierarchical_interval_is_the_t_interval_where_all_images_are_alike():
    per_seed = np.array([38.0, 39.0, 41.0])
    interval = hierarchical_interval(np.repeat(per_seed[:, None], 50, axis=1))
    expected = t_interval(per_seed, resampled="seeds")
    assert ends(interval) == pytest.approx(ends(expected), rel=2e-3)
    assert interval.n == 3


def test_hierarchical_interval_is_the_bootstrap_over_images_where_all_seeds_are_alike():
    images = np.random.default_rng(5).normal(size=200)
    interval = hierarchical_interval(np.tile(images, (3, 1)))
    assert ends(interval) == pytest.approx(ends(bootstrap_interval(images, resampled="images")), abs=0.01)


def test_hierarchical_interval_covers_the_truth_with_three_seeds():
    """Both effects of one size; 150 trials, of which 142 should cover: at least 137 (binomial, 3 %)."""
    rng, hits = np.random.default_rng(6), 0
    for _ in range(150):
        table = rng.normal(size=(3, 1)) / 4 + rng.normal(size=30) + 0.5 * rng.normal(size=(3, 30))
        interval = hierarchical_interval(table)
        hits += interval.low <= 0 <= interval.high
    assert hits >= 137


def test_an_interval_in_another_unit_and_one_that_is_moved_keep_what_was_resampled():
    one = Interval(0.5, 0.2, 0.75, 40, "filters")
    assert one.times(100) == Interval(50.0, 20.0, 75.0, 40, "filters")
    assert one.shifted(-0.5) == Interval(0.0, 0.2 - 0.5, 0.25, 40, "filters")
    with pytest.raises(ValueError, match="low <= estimate <= high"):
        one.times(-1)


def test_ends_are_columns_and_draws_give_the_percentiles():
    one = of_draws([5.0, *range(41)], 30, resampled="faces")
    assert (one.estimate, one.n, one.resampled) == (5.0, 30, "faces")
    assert columns(one, "error_") == pytest.approx({"error_low": 1.0, "error_high": 39.0})
    assert np.isnan(list(columns(None).values())).all()
