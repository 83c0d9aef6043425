"""The claims on layer 1's filters, from numbers that were kept, worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from zfutils.experiments.architecture import comparisons, tables
from zfutils.nets import filters
from zfutils.stats.intervals import TooFew
from zfutils.training.outcomes import Outcome


def outcome(rms, response=None, *, before=None, response_before=None, published=False):
    """An outcome with the filters of a layer 1 after training; before it, all are alike."""
    rms = np.asarray(rms, dtype=float)
    alike = np.ones_like(rms)
    response = alike if response is None else np.asarray(response, dtype=float)
    measured = {
        "rms": np.stack([alike if before is None else before, rms]),
        "response": np.stack([alike if response_before is None else response_before, response]),
    }
    history = pd.DataFrame({"loss": [3.0] + [0.5] * 9})
    return Outcome({}, {}, {"training_error": 0.2}, history, {}, published, measured)


def test_dominance_without_a_radius_is_taken_over_that_of_the_twin():
    unbounded = outcome([0.02] * 11 + [0.12])  # six times the median
    twin = outcome([0.05] * 11 + [0.1])  # twice
    ratio, arms = comparisons.dominance_over(unbounded, twin)
    assert arms == pytest.approx((6, 2))
    assert (ratio.low, ratio.estimate, ratio.high) == pytest.approx((3, 3, 3)), "the medians have no spread"
    assert ratio.n == 11
    same, arms = comparisons.dominance_over(twin, twin)
    assert (same.estimate, arms) == (1, (2, 2))


def test_the_largest_filters_stay_what_they_are_and_the_others_are_resampled():
    draw = np.random.default_rng(0)
    first, second = (np.r_[draw.uniform(0.5, 1.5, 40), largest] for largest in (8.0, 2.0))
    ratio, arms = comparisons.dominance_over(outcome(first), outcome(second))
    assert arms == pytest.approx((8 / np.median(first), 2 / np.median(second)))
    assert ratio.estimate == pytest.approx(arms[0] / arms[1])
    assert ratio.low < ratio.estimate < ratio.high
    with pytest.raises(TooFew):
        comparisons.dominance_over(outcome([1] * 6), outcome([1] * 6))


def test_only_filters_that_training_killed_count():
    """Of 10: one dead from the start stays dead, one comes alive, three die: 4 dead after, 2 before."""
    before, after = np.ones(10), np.ones(10)
    before[[0, 1]] = 0.001  # silent
    after[[0, 2, 3]] = 0.001
    rms = np.ones(10)
    rms[4] = 0.1  # blank
    dies = outcome(rms, after, response_before=before)
    lives = outcome(np.ones(12))
    dead = comparisons.dead_by_time({"Krizhevsky": dies, "ZFNet": lives, "other": lives})
    assert dead["before training"]["Krizhevsky"]["dead"].sum() == 2
    assert dead["trained"]["Krizhevsky"][["blank", "silent", "dead"]].sum().tolist() == [1, 3, 4]
    found, arms = comparisons.killed(dead, over="Krizhevsky", under="ZFNet")
    assert arms == pytest.approx((0.4, 0.2))
    assert found.estimate == pytest.approx(0.2)
    assert found.n == 10
    assert found.low < 0 < found.high, "seven of ten changed nothing, one came alive"
    none, _ = comparisons.killed(dead, over="other", under="ZFNet")
    assert (none.low, none.high) == (0, 0)


def test_what_was_not_run_yet_is_said_so():
    dead = comparisons.dead_by_time({"ZFNet": None, "Krizhevsky": outcome([1.0] * 9)})
    shown = tables.dead_table(dead).set_index("network")["dead"]
    assert shown["ZFNet, trained"] == "not run yet"
    assert shown["Krizhevsky, trained"] == "0 of 9"
    sweep = {None: outcome([0.05] * 10 + [0.2], published=True), 0.1: None, 0.05: outcome([0.05] * 3)}
    none, papers, few = tables.dominance_table(sweep, papers=0.1).to_dict("records")
    assert (none["radius"], none["largest filter"], none["median filter"]) == ("none", "2.00", "0.50")
    assert (none["largest / median"], none["ended"], none["scores"]) == (
        "4.00\u00a0[4.00,\u00a04.00]",
        "yes",
        "kept",
    )
    assert (papers["largest / median"], papers["scores"]) == ("", "not run yet")
    assert few["largest / median"] == "too few filters"


def test_the_rule_for_dead_filters_is_applied_to_what_was_kept():
    one = SimpleNamespace(measured={"rms": np.ones((2, 4)), "response": np.array([[1, 1, 1, 0.0]] * 2)})
    (before, after) = (t["a"]["silent"].tolist() for t in comparisons.dead_by_time({"a": one}).values())
    assert before == after == [False, False, False, True]


def test_the_noisiest_layer_is_the_one_with_most_of_noises_high_frequencies():
    noise = filters.noise_filters(16, 7)
    smooth = torch.ones(16, 3, 7, 7)
    name, (ratio, (own, of_noise)) = comparisons.noisiest({"smooth": smooth, "noise": noise})
    assert name == "noise"
    assert ratio.estimate == pytest.approx(own / of_noise)
    assert ratio.estimate == pytest.approx(1, abs=0.1)


def test_noise_is_taken_off_the_share_of_filters_in_the_middle():
    """Of 10 live filters 6 and 2 lie in the middle; noise of both sizes does equally often or not."""
    one = pd.DataFrame({"middle": [True] * 6 + [False] * 4 + [True], "dead": [False] * 10 + [True]})
    two = one.assign(middle=[True] * 2 + [False] * 9)
    layers = {"ZFNet": torch.zeros(11, 3, 5, 5), "Krizhevsky": torch.zeros(11, 3, 7, 7)}
    noise = comparisons.noise_layers(layers)
    assert [len(one) for one in noise.values()] == [filters.MANY] * 2
    found, arms, counts, chance = comparisons.middle_over_noise(
        {"ZFNet": one, "Krizhevsky": two}, noise, over="ZFNet", under="Krizhevsky", image=128
    )
    assert counts == {"ZFNet": (6, 10), "Krizhevsky": (2, 10)}
    assert arms == pytest.approx((0.4, chance["ZFNet"] - chance["Krizhevsky"]))
    assert found.estimate == pytest.approx(arms[0] - arms[1])
    assert found.low < found.estimate < found.high
