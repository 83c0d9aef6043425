"""The arms of chapter 8's claims and what their conditions ask for, worked out by hand."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from table_3_rows import of_seeds, outcome

from zfutils.experiments.ablation import comparisons, contributions, tables
from zfutils.experiments.ablation.contributions import REPLICA, WIDEST, WITHOUT, ZFNET, training_errors
from zfutils.experiments.ablation.effects import over_seeds_and_pictures
from zfutils.nets import zoo
from zfutils.study import claims_file
from zfutils.study.places import BOOK

PAPER = pd.read_csv(BOOK / "data" / "table_3.csv")


def test_no_rule_passes_a_difference_undetected_that_is_larger_than_the_papers():
    registered = claims_file.load(BOOK / "claims.yaml")
    for name, weights in (comparisons.TEN_CROPS | comparisons.ONE_CROP).items():
        rule = registered[f"ablation-{name}"].rule.testable.text
        assert (
            float(re.search(r"detectable <= ([\d.]+)", rule)[1]) <= contributions.said(PAPER, weights) + 1e-9
        )
    gap = contributions.said(PAPER, comparisons.OVERFITTING) - contributions.said(
        PAPER, comparisons.OVERFITTING, "train"
    )
    assert gap == pytest.approx(28.3 - 5.3)
    assert "detectable <= 23" in registered["ablation-wide-networks-overfit-ended"].rule.testable.text


def test_an_effect_comes_with_its_two_arms(networks):
    effect, arms = comparisons.of_errors(networks, comparisons.DEPTH)
    assert effect.interval.estimate == pytest.approx(40)  # 16 of 20 against 8
    assert arms == pytest.approx((80, 40))
    effect, arms = comparisons.of_errors(networks, comparisons.BEYOND_ITS_PARTS)
    # errors of 20: (16 − 8) − (10 − 8) − (9, 10 or 11 − 8) = 5, 4, 3, five points each
    assert effect.interval.estimate == pytest.approx(20) == arms[0] - arms[1]
    assert effect.interval.n == 3


def test_effects_on_training_errors_and_gaps_are_over_seeds(networks):
    effect, arms = comparisons.of_trainings(networks, comparisons.OVERFITTING, training_errors)
    assert arms == pytest.approx((2.5, 10))  # 0, 2.5 and 5 against 10
    assert effect.interval.estimate == pytest.approx(-7.5)
    effect, arms = comparisons.of_trainings(networks, comparisons.OVERFITTING, comparisons.gaps)
    assert arms == pytest.approx((32.5, 25))  # 35, 32.5, 30 against 20, 25, 30
    assert effect.interval.estimate == pytest.approx(7.5)


def test_the_loss_of_four_layers_in_log_odds_beyond_that_of_the_pairs(networks):
    def odds(errors):
        return np.log((errors + 0.5) / (20 - errors + 0.5))

    effect, arms = comparisons.beyond_its_parts_in_log_odds(networks)
    pairs = [odds(10) - odds(8) + odds(errors) - odds(8) for errors in (9, 10, 11)]
    assert arms == pytest.approx((odds(16) - odds(8), np.mean(pairs)))
    assert effect.interval.estimate == pytest.approx(arms[0] - arms[1])
    assert odds(10) == pytest.approx(logit(0.5))


def test_what_was_not_run_or_has_one_seed_gives_nothing(networks):
    lacking = networks | {WITHOUT["34"]: {}}
    assert comparisons.of_errors(lacking, {WITHOUT["34"]: 1, REPLICA: -1}) is None
    assert comparisons.beyond_its_parts_in_log_odds(lacking) is None
    one = {name: of_seeds(5) for name in (ZFNET, WIDEST)}
    assert comparisons.of_trainings(one, comparisons.OVERFITTING, comparisons.gaps) is None


def test_errors_on_some_pictures_against_the_rest():
    """Pictures 0 to 9 err of 20; the four-layer network errs on five more."""
    both = {comparisons.FOUR_LAYERS: of_seeds(15, 15), REPLICA: of_seeds(10, 10)}
    group = np.arange(20) < 10
    effect, arms = comparisons.of_groups(both, comparisons.DEPTH, group)
    assert arms == pytest.approx((50, 100))  # 100 − 50 and 100 − 0
    assert effect.interval.estimate == pytest.approx(-50)
    assert comparisons.of_groups(both, comparisons.DEPTH, group | True) is None


def test_an_interval_between_groups_is_that_of_two_independent_groups():
    rng = np.random.default_rng(0)
    table, group = rng.normal(size=(2, 400)), np.arange(400) < 100
    table[:, group] += 3
    values = comparisons.between_groups(table, group)
    np.testing.assert_allclose(values.mean(1), table[:, group].mean(1) - table[:, ~group].mean(1))
    each = [part.mean(0).std() / np.sqrt(part.shape[1]) for part in (table[:, group], table[:, ~group])]
    assert values.mean(0).std() / 20 == pytest.approx(np.hypot(*each))
    assert over_seeds_and_pictures(values).interval.low > 2


def test_a_category_is_in_a_pair_or_not():
    found = comparisons.in_pairs(("cat", "dog", "bus"), [0, 1, 2, 1], [("bus", "cat")])
    assert found.tolist() == [True, False, True, False]


def test_conditions_are_about_trainings_alone(networks):
    known = comparisons.known_beforehand(networks, [REPLICA, WIDEST], whole=REPLICA)
    assert known == {"ended": pytest.approx(5 / 6), "training_gap": pytest.approx(0)}
    better = networks | {comparisons.FOUR_LAYERS: {s: outcome(16, train=0.04) for s in range(3)}}
    assert comparisons.known_beforehand(better, [REPLICA], whole=REPLICA)["training_gap"] == pytest.approx(6)
    nothing = comparisons.known_beforehand({}, [REPLICA], whole=REPLICA)
    assert nothing == {"ended": None, "training_gap": None}


def test_behind_every_claim_on_the_rows_stands_what_it_weighs_and_the_papers_number(networks):
    arranged = comparisons.of_errors(networks, comparisons.OVERFITTING)  # any comparison
    found = comparisons.weighed(networks, PAPER, arranged)
    registered = claims_file.load(BOOK / "claims.yaml")
    assert all(f"ablation-{name}" in registered for name in found)
    assert found["zfnet-over-krizhevsky-ended"].of_paper == pytest.approx(2.1)
    assert found["zfnet-over-krizhevsky-ended"].whole == ZFNET
    assert found["depth-ended"].of_paper == pytest.approx(30.8)
    assert found["depth-ended"].compared == comparisons.of_errors(networks, comparisons.DEPTH)
    assert found["depth-training-error"].of_paper == pytest.approx(36.0)
    assert found["arrangement-pairs"].compared is arranged
    by_hand = [logit(error / 100) for error in (71.3, 45.4, 44.8, 40.5)]
    beyond = by_hand[0] - by_hand[1] - by_hand[2] + by_hand[3]
    assert found["depth-beyond-its-parts-in-log-odds"].of_paper == round(beyond, 2)
    table = tables.beyond_its_parts(None, found["depth-beyond-its-parts-in-log-odds"].compared, PAPER)
    assert table["the paper"].tolist() == ["21.6", f"{beyond:.2f}"]
    assert table["here"][0] == "not run yet"


def test_a_table_says_how_many_parameters_go_with_the_fully_connected_layers():
    whole = zoo.krizhevsky()
    table = tables.fully_connected({"the paper's": (whole, whole.without("fc6", "fc7"))})
    assert table.iloc[0].tolist() == ["the paper's", "62,378,344", "12,964,200", "79\u00a0%"]
