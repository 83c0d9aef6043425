"""The arms of chapter 9's claims and what their conditions ask for, on accuracies given by hand."""

import pandas as pd
import pytest

from tests.experiments.transfer.probed import probed
from zfutils.experiments.transfer.comparisons import comparisons, known_beforehand


def measured():
    return pd.DataFrame(
        probed("pretrained", "relu7", "softmax", {1: (0.2, 0.4), 2: (0.5, 0.7), 20: (0.8, 0.9)})
        + probed("pretrained", "chosen", "softmax", {2: (0.6, 0.6)})
        + probed("pretrained", "relu1", "svm", {20: (0.5, 0.5)})
        + probed("pretrained", "relu5", "svm", {20: (0.8, 0.7)})
        + probed("random weights", "relu7", "softmax", {2: (0.3, 0.4), 20: (0.4, 0.4)})
        + probed("random weights", "chosen", "softmax", {2: (0.5, 0.2)})
        + probed("random weights", "relu1", "svm", {20: (0.4, 0.4)})
        + probed("random weights", "relu5", "svm", {20: (0.5, 0.5)})
        + probed("from scratch", "all", "softmax", {2: (0.2, 0.4), 20: (0.6, 0.6)})
        + probed("fine-tuned", "all", "softmax", {2: (0.5, 0.5), 20: (0.9, 0.9)})
    )


def test_arms_are_taken_within_folds_and_a_control_is_the_better_of_two():
    found = comparisons(measured())
    expected = {
        "over-ended-scratch": ([20, 30], "from scratch"),  # 60 against random's 40
        "gap-shrinks-where-ahead": ([10, 0], ""),  # 30, 30 at two pictures and 20, 30 at twenty
        "a-tenth-suffices-where-ahead": ([-10, 10], ""),  # two pictures against twenty
        "best-layer-over-ended-scratch": ([10, 40], "random weights"),  # 35 against scratch's 30
        "fine-tuning-over-frozen": ([10, 0], ""),
        "higher-layers-better-over-random": ([20, 10], ""),  # rises of 30 and 20 against 10
    }
    assert set(found) == set(expected)
    for name, (points, of) in expected.items():
        compared = found[name]
        assert compared.difference.tolist() == pytest.approx(points), name
        assert (compared.of or of) == of, name
        assert compared.arms[0] - compared.arms[1] == pytest.approx(compared.interval.estimate)


def test_what_was_not_run_has_no_arms():
    table = measured()
    found = comparisons(table[~table["network"].isin(["from scratch", "fine-tuned"])])
    assert found["over-ended-scratch"].arms is found["fine-tuning-over-frozen"].interval is None
    assert found["higher-layers-better-over-random"].arms == (pytest.approx(25), pytest.approx(10))


def test_a_tenth_is_a_tenth_at_most():
    table = measured()
    found = comparisons(table[table["per_class"] != 1].replace({"per_class": {20: 15}}))
    assert found["a-tenth-suffices-where-ahead"].arms is None


def test_conditions_are_about_the_control_and_the_trainings():
    ended = pd.DataFrame({"per_class": [2, 2, 20, 20], "training_error": [0.0, 0.02, 0.04, 0.08]})
    tuned = pd.DataFrame({"under_trained": [False, True]})
    known = known_beforehand(measured(), ended, tuned, sources=31.0)
    assert known["scratch_error"] == pytest.approx(6)
    assert known["ended"] == 0.5
    assert known["times"] == 10
    assert known["ahead"] == pytest.approx(30)  # 30 points in either fold
    # 20 and 30; t of one degree of freedom
    assert known["ahead_of_random"] == pytest.approx(25 - 12.706 * 5, rel=1e-4)
    nothing = known_beforehand(measured().iloc[:0], ended.iloc[:0], tuned.iloc[:0], sources=31.0)
    assert [name for name, value in nothing.items() if value is not None] == ["sources"]
