"""Two arms of the same pictures, worked out by hand."""

import numpy as np
import pytest

from zfutils.stats.comparisons import NOTHING, Comparison, arms_table, comparison_table, with_others
from zfutils.stats.formatting import between
from zfutils.stats.intervals import Interval


def test_the_interval_is_of_the_difference_picture_by_picture():
    draw = np.random.default_rng(0)
    control = draw.normal(size=30)
    found = Comparison(control + 2, control, "scenes")
    interval = found.interval
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((2, 2, 2))
    assert (interval.n, interval.resampled) == (30, "scenes")
    assert interval.estimate == pytest.approx(found.arms[0] - found.arms[1])


def test_one_difference_beyond_another():
    first = Comparison(np.array([5.0, 6]), np.array([1.0, np.nan]))
    second = Comparison(np.array([3.0, 3]), np.array([2.0, 1]))
    beyond = first.beyond(second)
    assert beyond.arms == (4, 1)
    assert beyond.interval is None  # of one picture


def test_an_interval_is_its_estimate_and_its_ends():
    found = Interval(0.1234, -0.0004, 0.25, 9, "pictures")
    assert between(found, digits=2) == "0.12\u00a0[0.00,\u00a00.25]"
    assert between(found, scale=100, unit=" %") == "12.3\u00a0%\u00a0[0.0,\u00a025.0]"
    assert between(None) == "not measured"
    assert between(None, otherwise="–") == "–"


def test_a_comparison_shows_both_arms_and_the_interval_of_their_difference():
    found = Interval(0.25, 0.125, 0.5, 9, "maps"), (0.75, 0.5)
    table = arms_table({"layer 5": found, "layer 4": None})
    assert list(table) == ["comparison", "measured", "control", "difference"]
    assert table.to_numpy().tolist() == [
        ["layer 5", "0.75", "0.50", "0.25\u00a0[0.12,\u00a00.50]"],
        ["layer 4", "–", "–", "not measured"],
    ]


def test_the_table_holds_both_arms_and_the_difference():
    rows = {("trained", "a"): Comparison(np.full(9, 0.5), np.full(9, 0.2)), ("random", "a"): NOTHING}
    table = comparison_table(
        rows, ("network", "map"), measured="own", control="other", beside={"x": ["y", "z"]}
    )
    assert list(table) == ["network", "map", "own", "other", "difference", "x", "n"]
    numbers = [f"{value}\u00a0[{value},\u00a0{value}]" for value in ("0.50", "0.20", "0.30")]
    assert table.iloc[0].tolist() == ["trained", "a", *numbers, "y", 9]
    assert table.iloc[1].tolist() == ["random", "a", "–", "–", "–", "z", 0]


def test_a_picture_is_compared_with_the_mean_over_all_others():
    found = with_others(np.array([[9.0, 1, 3], [2, 8, 6], [0, 5, 7]]))
    assert found.measured.tolist() == [9, 8, 7]
    assert found.control.tolist() == [2, 4, 2.5]
    assert found.arms == pytest.approx((8, 8.5 / 3))


def test_what_is_not_known_is_left_out_of_both_arms():
    unknown = np.nan
    found = with_others(np.array([[9.0, unknown, 3], [2, unknown, 6], [0, unknown, 7]]))
    assert found.control.tolist() == [3, 4, 0]
    assert found.arms == (8, 1.5)  # the first and the third
    alone = with_others(np.array([[1.0]]))
    assert np.isnan(alone.control).all()
    assert (alone.arms, alone.interval) == (None, None)
