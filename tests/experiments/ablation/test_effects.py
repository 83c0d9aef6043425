"""Effects over seeds and pictures: values worked out by hand, planted effects, and what cannot be paired."""

import math

import numpy as np
import pytest
from scipy import stats

from zfutils.experiments.ablation import effects
from zfutils.experiments.ablation.effects import (
    differences,
    log_odds,
    over_seeds,
    over_seeds_and_pictures,
    wrong,
)
from zfutils.stats.intervals import TooFew, hierarchical_interval, t_interval
from zfutils.stats.power import smallest_detectable_difference
from zfutils.training.evaluation import Scores

CLASSES = 4


def scores(ranks):
    """A network that puts the true class of each picture at that rank: 1 is right."""
    ranks = np.asarray(ranks)
    labels = np.arange(len(ranks)) % CLASSES
    probabilities = np.empty((len(ranks), CLASSES))
    for i, (label, rank) in enumerate(zip(labels, ranks, strict=True)):
        order = [c for c in range(CLASSES) if c != label]
        order.insert(rank - 1, label)
        probabilities[i, order] = np.array([0.4, 0.3, 0.2, 0.1])
    return Scores(probabilities, labels)


def erring(*counts, n=10):
    """Runs of seeds 0, 1, … that err on so many of n pictures."""
    return {seed: scores([2] * count + [1] * (n - count)) for seed, count in enumerate(counts)}


def test_errors_are_a_row_a_seed_whatever_the_order_they_came_in():
    runs = {7: scores([2, 1, 1]), 3: scores([1, 3, 2])}
    np.testing.assert_array_equal(wrong(runs), [[False, True, True], [True, False, False]])
    np.testing.assert_array_equal(wrong(runs, k=2), [[False, True, False], [False, False, False]])


def test_a_difference_is_in_points_and_pairs_seeds_and_pictures():
    networks = {"whole": erring(2, 4), "less": erring(5, 5), "unused": erring(1)}
    table = differences(networks, {"less": 1, "whole": -1})
    np.testing.assert_array_equal(table[0], [0, 0, 100, 100, 100, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(table.mean(1), [30, 10])


def test_a_sum_of_three_differences_is_weighted_as_it_is_written():
    networks = {"both": erring(9, 9), "one": erring(4, 4), "other": erring(5, 6), "whole": erring(2, 2)}
    weights = {"both": 1, "one": -1, "other": -1, "whole": 1}
    np.testing.assert_allclose(differences(networks, weights).mean(1), [20, 10])


def test_log_odds_are_those_worked_out_by_hand_and_finite_where_a_network_never_errs():
    # of ten pictures: log(0.5/10.5), log(2.5/8.5), log(5.5/5.5), log(9.5/1.5)
    expected = [-math.log(21), -1.223775, 0, 1.845827]
    np.testing.assert_allclose(log_odds(erring(0, 2, 5, 9)), expected, atol=2e-6)


def test_the_interval_is_the_hierarchical_one_of_statistics():
    table = differences({"a": erring(5, 7, 6), "b": erring(2, 3, 1)}, {"a": 1, "b": -1})
    found = over_seeds_and_pictures(table, seed=4).interval
    expected = hierarchical_interval(table, seed=4)
    assert (found.estimate, found.low, found.high) == (expected.estimate, expected.low, expected.high)
    assert (found.n, found.resampled) == (3, "seeds and validation pictures")


def test_without_a_spread_between_pictures_only_seeds_decide_what_is_detectable():
    table = np.repeat([[1.0], [2.0], [3.0]], 50, axis=1)
    assert over_seeds_and_pictures(table).detectable == pytest.approx(smallest_detectable_difference(1, 3))
    assert over_seeds(table.mean(1)).detectable == pytest.approx(smallest_detectable_difference(1, 3))


def test_without_a_spread_between_seeds_only_pictures_decide_what_is_detectable():
    table = np.tile([100.0] * 20 + [0.0] * 80, (3, 1))
    standard_error = np.std(table[0], ddof=1) / 10
    normal = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)  # 1.96 + 0.84
    assert over_seeds_and_pictures(table).detectable == pytest.approx(normal * standard_error)


@pytest.mark.slow
@pytest.mark.parametrize(("of_seeds", "of_pictures"), [(1.0, 0.0), (1.0, 40.0), (0.3, 30.0)])
def test_what_is_detectable_is_told_from_none_four_times_in_five(of_seeds, of_pictures):
    """Simulated studies of three seeds, on 100 pictures each, with that very effect."""
    pictures = np.resize([-1.0, 1.0], 100) * of_pictures
    detectable = over_seeds_and_pictures(np.add.outer([-of_seeds, 0, of_seeds], pictures)).detectable
    rng, told, false = np.random.default_rng(0), [], []
    for _ in range(100):
        noise = np.add.outer(rng.normal(0, of_seeds, 3), rng.choice([-1, 1], 100) * of_pictures)
        some, none = (over_seeds_and_pictures(noise + shift).interval for shift in (detectable, 0.0))
        told.append(some.low > 0 or some.high < 0)
        false.append(none.low > 0 or none.high < 0)
    assert 0.7 <= np.mean(told) <= 0.92
    assert np.mean(false) <= 0.1


def test_over_seeds_alone_is_students_interval():
    found, expected = over_seeds([1.0, 2.0, 4.0]), t_interval([1.0, 2.0, 4.0], resampled="seeds (t)")
    assert found.interval == expected


def test_a_planted_effect_is_recovered_and_none_is_not_made_up():
    rng = np.random.default_rng(1)
    hard = rng.random(400)  # pictures differ in how often they are missed

    def network(error):
        levels = error + rng.normal(0, 0.01, 3)
        return {s: scores(1 + (0.5 * hard + 0.5 * rng.random(400) < e)) for s, e in enumerate(levels)}

    networks = {"whole": network(0.4), "same": network(0.4), "less": network(0.6)}
    true = 100 * (np.mean(wrong(networks["less"])) - np.mean(wrong(networks["whole"])))
    planted = over_seeds_and_pictures(differences(networks, {"less": 1, "whole": -1}))
    nothing = over_seeds_and_pictures(differences(networks, {"same": 1, "whole": -1}))
    assert planted.interval.estimate == pytest.approx(true)
    assert planted.interval.low > 15
    assert planted.detectable < 20
    assert nothing.interval.low < 0 < nothing.interval.high


def test_other_pictures_cannot_be_paired():
    networks = {"whole": erring(2, 4), "other": erring(3, 3, n=9)}
    with pytest.raises(
        ValueError, match=r"'whole' and 'other' were asked about different pictures \(10 and 9"
    ):
        differences(networks, {"whole": -1, "other": 1})
    with pytest.raises(ValueError, match="seeds 0 and 1 were asked about different pictures"):
        wrong({0: scores([1, 1, 2]), 1: scores([1, 1])})


def test_one_seed_has_no_interval_over_seeds():
    with pytest.raises(TooFew):
        over_seeds_and_pictures(differences({"a": erring(5), "b": erring(2)}, {"a": 1, "b": -1}))
    with pytest.raises(TooFew):
        over_seeds([1.0])
    with pytest.raises(TooFew, match="3 images are too few"):
        over_seeds_and_pictures(np.zeros((2, 3)))


def test_a_difference_without_any_spread_is_its_own_interval():
    found = over_seeds_and_pictures(np.full((3, 20), 7.0))
    assert (found.interval.low, found.interval.high, found.detectable) == (7, 7, 0)
    assert effects.POINTS == 100


def test_the_interval_of_an_error_stays_among_errors():
    wide = over_seeds([2.0, 50.0, 98.0]).interval
    assert wide.low < 0 < 100 < wide.high
    cut = effects.within(wide)
    assert (cut.low, cut.estimate, cut.high) == (0, 50, 100)
    narrow = over_seeds([49.0, 50.0, 51.0]).interval
    assert effects.within(narrow) == narrow
