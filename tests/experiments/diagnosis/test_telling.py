"""Signs that are chosen on half of the seeds and scored on the other half."""

import numpy as np
import pytest
from drawn_signs import drawn
from sklearn.metrics import roc_auc_score

from zfutils.experiments.diagnosis import telling
from zfutils.experiments.diagnosis.faults import COARSE, FAULTS, HEALTHY, KINDS, LEAK, NO_DROPOUT, SHUFFLED
from zfutils.experiments.diagnosis.signs import INSIDE, OUTSIDE, SIGNS
from zfutils.stats.intervals import TooFew


def test_auc_is_that_of_scikit_learn_with_ties_and_for_many_signs_at_once():
    rng = np.random.default_rng(0)
    sick, healthy = rng.integers(0, 4, (5, 7)), rng.integers(0, 4, (5, 9))
    labels = [1] * 7 + [0] * 9
    expected = [roc_auc_score(labels, [*a, *b]) for a, b in zip(sick, healthy, strict=True)]
    np.testing.assert_allclose(telling.auc(sick, healthy), expected)


def test_seeds_that_some_kind_lacks_are_in_neither_half():
    table = drawn(7)
    table = table[(table["network"] != LEAK) | (table["seed"] != 3)]
    assert telling.halves(table) == ([0, 1, 2], [4, 5, 6])
    assert telling.enough(table)
    assert not telling.enough(table[table["network"] != LEAK])
    assert not telling.enough(table[table["seed"] == 0])


def test_the_sign_whose_groups_do_not_overlap_is_chosen_with_a_threshold_in_the_widest_gap():
    sick = np.array([[5.0, 6, 7], [1, 2, 9]])
    healthy = np.array([[8.0, 9, 13], [3, 4, 5]])
    choice = telling.choose(sick, healthy, ["a", "b"])
    assert (choice.sign, choice.larger, choice.threshold) == ("a", False, 7.5)
    assert choice.says_sick(np.array([7.4, 7.6])).tolist() == [True, False]


def test_of_two_signs_that_both_separate_the_one_that_separates_by_more_is_chosen():
    sick = np.array([[2.0, 3], [12, 13]])
    healthy = np.array([[0.0, 1], [0, 1]])
    assert telling.choose(sick, healthy, ["near", "far"]).sign == "far"


def test_a_threshold_misjudges_as_few_as_can_be():
    # between 3 and 4 one sick network of four is missed, and no healthy one is called sick
    choice = telling.choose(np.array([[1.0, 4, 5, 6]]), np.array([[0.0, 2, 2.5, 3]]), ["a"])
    assert (choice.larger, choice.threshold) == (True, 3.5)


def test_a_choice_is_scored_on_seeds_that_had_no_part_in_it():
    """On the first half the sign separates, on the second it is reversed."""
    table = drawn(16, told=False)
    sign = np.where(table["network"] == COARSE, 1.0, 0.0) * np.where(table["seed"] < 8, 1, -1)
    found = telling.told(table.assign(gap=sign), COARSE, ["gap"])
    assert found.choice.larger
    assert found.auc.estimate == 0
    assert (found.wrong, found.networks) == (8, 16)  # every sick one, and no healthy one


def test_what_tells_is_found_and_what_does_not_tell_is_at_chance():
    table = drawn()
    assert telling.told(table, SHUFFLED, OUTSIDE).choice.sign == "gap"
    leak = telling.told(table, LEAK, INSIDE)
    assert leak.choice.sign in ("falls_beside", "rank_conv")
    assert (leak.auc.estimate, leak.wrong) == (1, 0)
    shuffled = telling.by_chance(table, COARSE, INSIDE)
    assert shuffled.own.mean() > 0.75, "the best of many looks good where it was found"
    assert shuffled.others.mean() == pytest.approx(0.5, abs=0.05)


def test_inside_over_errors_counts_no_sign_that_shuffled_kinds_reach_as_well():
    table = drawn()
    shuffled = {fault: telling.by_chance(table, fault, INSIDE) for fault in FAULTS}
    found = telling.over_errors(table, shuffled)
    # the leak is told inside alone (1 against about a half), shuffled labels by errors alone
    assert found.arms[0] - found.arms[1] == pytest.approx(found.interval.estimate)
    inside = [telling.told(table, fault, INSIDE).auc.estimate for fault in FAULTS]
    assert found.arms[0] == pytest.approx(np.mean(inside))
    errors = [telling.told(table, fault, OUTSIDE).auc.estimate for fault in FAULTS]
    floors = [one.others.mean() for one in shuffled.values()]
    assert found.arms[1] == pytest.approx(np.mean(np.maximum(errors, floors)))
    assert found.interval.n == 8
    with pytest.raises(TooFew):
        telling.over_errors(drawn(14), shuffled)


def test_a_leak_that_the_gap_does_not_show_is_half_an_auc_ahead_and_no_more():
    table = drawn()
    same = table["network"].isin([LEAK, HEALTHY])
    found = telling.leak_over_gap(table.assign(gap=np.where(same, 0.0, table["gap"])))
    assert found.arms == (1, 0.5)
    assert (found.interval.low, found.interval.high) == (0.5, 0.5)
    hidden = table.assign(gap=np.where(table["network"] == LEAK, -9.0, 0))
    assert telling.leak_over_gap(hidden).arms[1] == 0.5, "a gap that points the wrong way counts as a coin"


def test_harm_is_the_rise_in_points_seed_by_seed():
    found = telling.harm(drawn(), SHUFFLED)
    assert found.estimate == pytest.approx(80 + 0.1 * 7.5)
    assert found.low < found.estimate < found.high
    assert telling.harm(drawn(), COARSE).estimate == 0


def test_co_adaptation_is_without_dropout_minus_with_it():
    table = drawn(told=False)
    table.loc[table["network"] == NO_DROPOUT, "correlation_fc"] = 0.3
    table.loc[table["network"] == "few digits", "correlation_fc"] = 0.5
    found = telling.co_adaptation(table)
    assert found.interval.estimate == pytest.approx(-0.2)
    assert found.arms == (pytest.approx(0.3), pytest.approx(0.5))
    table["training_error"] = np.where(table["network"] == NO_DROPOUT, 0.01, 0.03)
    assert telling.left_to_learn(table) == pytest.approx(2)


def test_trainings_that_had_ended_are_counted_among_the_kinds_asked_for():
    table = drawn(told=False).assign(ended=True)
    table.loc[(table["network"] == COARSE) & (table["seed"] < 4), "ended"] = False
    assert telling.share_ended(table, [HEALTHY, COARSE]) == 28 / 32
    assert telling.share_ended(table, [HEALTHY, LEAK]) == 1


def test_a_forest_names_what_can_be_told():
    table = drawn()
    table = table[table["network"].isin([HEALTHY, SHUFFLED, LEAK])]
    named = telling.named(table)
    assert set(named["seed"]) == set(range(8, 16))
    told = named[named["network"] != HEALTHY]
    assert (told["network"] == told["said"]).mean() > 0.9
    found = telling.naming(table)
    assert found.arms[0] > found.arms[1], "the leak is not in the errors"
    assert found.interval.estimate == pytest.approx(found.arms[0] - found.arms[1])
    assert found.interval.n == 8  # seeds, each a share


def test_every_kind_and_sign_has_a_name_of_its_own():
    assert len(set(KINDS)) == len(KINDS) == 7
    assert len({words for words, _ in SIGNS.values()}) == len(SIGNS)
    assert {*INSIDE, *OUTSIDE} == set(SIGNS)
