"""Intervals over units: of geometric means, of pairs, and t where units are few; and the tables of them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from zfutils.experiments.maximisation import comparisons, tables
from zfutils.experiments.maximisation.ascent import WAYS, Goal, Made, Way
from zfutils.experiments.maximisation.elsewhere import Shares
from zfutils.experiments.maximisation.strongest import Strongest
from zfutils.stats.comparisons import Compared
from zfutils.stats.intervals import Interval


def test_few_units_have_a_t_interval_and_one_has_none():
    found = comparisons.mean_interval([1.0, 2.0, np.nan, 4.5])
    low, high = stats.t.interval(0.95, 2, loc=2.5, scale=stats.sem([1.0, 2.0, 4.5]))
    assert (found.estimate, found.low, found.high, found.n) == pytest.approx((2.5, low, high, 3))
    assert found.resampled == "units (t)"
    assert comparisons.mean_interval([1.0, np.nan]) is None


def test_eight_units_are_bootstrapped():
    found = comparisons.mean_interval(np.arange(8.0))
    assert (found.estimate, found.n, found.resampled) == (3.5, 8, "units")
    assert 1.5 < found.low < 2.5 < 4.5 < found.high < 5.5


def test_a_geometric_mean_counts_silence_as_its_floor():
    assert comparisons.geometric_interval([2.0, 8.0]).estimate == pytest.approx(4)
    assert comparisons.geometric_interval([0.0, 1.0]).estimate == pytest.approx(comparisons.FLOOR**0.5)
    assert comparisons.geometric_interval([3.0]) is None


def test_over_pictures_is_the_ratio_of_its_arms():
    most = np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    found = comparisons.over_pictures(3 * most, most)
    assert found.interval.estimate == pytest.approx(3)
    assert found.interval.n == 8
    assert found.arms[0] / found.arms[1] == pytest.approx(3)
    assert found.arms[1] == pytest.approx(stats.gmean(most[np.isfinite(most)]))
    assert comparisons.over_pictures(most[:1], most[:1]) is None


def test_pairs_leave_out_units_of_which_either_is_not_known():
    found = comparisons.paired([1.0, 2.0, np.nan, 4.0], [0.0, np.nan, 1.0, 1.0])
    assert found.arms == (2.5, 0.5)
    assert (found.interval.estimate, found.interval.n) == (2.0, 2)
    assert comparisons.paired([np.nan, 1.0], [1.0, 2.0]) is None


# ---- tables


def images(maps=3, starts=2):
    return np.random.default_rng(0).normal(size=(maps, starts, 3, 4, 4))


def test_the_settings_say_what_a_way_does_not_do():
    table = tables.settings_table({"a": Way(steps=5), "b": Way(decay=0.02, blur=0.5, every=3, jitter=0.2)})
    assert table.loc[0, ["decay per step", "blur (px)", "jitter"]].tolist() == ["–"] * 3
    expected = ["2\u00a0%", "0.5, every 3 steps", "± 20\u00a0% of the side"]
    assert table.loc[1, ["decay per step", "blur (px)", "jitter"]].tolist() == expected
    assert len(tables.settings_table(WAYS)) == 3


def test_what_is_reached_is_over_the_strongest_of_the_same_map_and_network():
    reached = np.array([[2.0, 4.0], [12.0, 12.0], [5.0, 5.0]])
    made = {("trained", "relu5", "plain"): Made(Goal("relu5", (4, 0, 2), starts=2), images(), reached)}
    most = np.array([6.0, 0, 0, 0, 1.5])  # map 2 answers to no picture
    real = {"trained": {"relu5": Strongest(most, most, np.zeros(5, int))}}
    row = tables.reached_table(made, real).iloc[0]
    assert (row["network"], row["way"], row["layer"], row["n"]) == ("trained", "plain", 5, 2)
    assert row["estimate"] == pytest.approx(2)  # 3 / 1.5 and 12 / 6


def test_the_table_of_shares_compares_with_noise_and_with_its_first_row():
    first = Shares(np.ones(3), np.array([0.5, 0.6, 0.7]))
    second = Shares(np.full(3, 2.0), np.array([0.4, 0.5, 0.6]), np.array([0.3, 0.4, 0.5]))
    table = tables.shares_table({"picture": first, "image": second})
    assert table["minus noise"].tolist() == ["–", "0.10\u00a0[0.10,\u00a00.10]"]
    assert table["minus picture"].tolist() == ["–", "−0.10\u00a0[−0.10,\u00a0−0.10]"]
    assert table["its own unit"].tolist() == ["1.00\u00a0[1.00,\u00a01.00]", "2.00\u00a0[2.00,\u00a02.00]"]
    assert table["n"].tolist() == [3, 3]


def test_whole_maps_are_asked_the_same_questions():
    made = {"plain": Made(Goal("relu5", (0, 2, 1), "map", 2, 4), images(), np.full((3, 2), 6.0))}
    shares = {"plain": Shares(np.ones(3), np.full(3, 0.8), np.full(3, 0.5))}
    row = tables.maps_table(made, shares, np.array([2.0, 2.0, 2.0])).iloc[0]
    assert row["times the strongest"] == "3.00\u00a0[3.00,\u00a03.00]"
    assert row["best map of another seed"] == "0.80\u00a0[0.80,\u00a00.80]"
    assert row["minus noise"] == "0.30\u00a0[0.30,\u00a00.30]"
    assert row["n"] == 3


def test_likeness_has_a_row_for_each_network_and_way_of_a_layer():
    one = Made(Goal("relu5", (0, 1, 2), starts=2), images(), np.ones((3, 2)))
    made = {("trained", "relu5", "plain"): one, ("random", "relu4", "plain"): one}
    table = tables.likeness_table(made, "relu5")
    assert table[["network", "ascent", "n"]].values.tolist() == [["trained", "plain", 3]]


def test_the_answer_holds_what_was_measured_and_no_more():
    ratio = Compared(Interval(3.44, 3.02, 3.96, 16, "units"), (6.88, 2.0))
    text = tables.answer({"beyond-every-picture": ratio, "starts-agree": None}, None)
    assert text.startswith(
        "Plain ascent reached 3.4\u00a0[3.0,\u00a04.0] times the activation of the strongest"
    )
    assert text.endswith(" validation image.")
    assert tables.answer({}, ratio) == ""


@pytest.mark.parametrize(
    ("of_random", "said"), [(1.5, "more than random filters do"), (26.0, "no sign of learning")]
)
def test_a_gain_is_read_against_that_of_random_weights(of_random, said):
    ratio = Compared(Interval(3.44, 3.02, 3.96, 16, "units"), (6.88, 2.0))
    by_random = Compared(Interval(of_random, of_random - 1, of_random + 1, 16, "units"), (1.0, 1.0))
    text = tables.answer({"beyond-every-picture": ratio}, by_random)
    assert f"with random weights {of_random:.1f}\u00a0[" in text
    assert text.endswith(f"{said}.")


def test_likeness_rows_are_of_the_table_given():
    alike = pd.DataFrame({"same": [0.5, 0.7], "different": [0.1, 0.3]})
    row = comparisons.likeness_row(alike)
    half = 12.7062 * 0.1  # of the t interval of two values 0.2 apart
    assert row["same"] == f"0.60\u00a0[−{half - 0.6:.2f},\u00a0{0.6 + half:.2f}]"
    assert row["different"].startswith("0.20")
    assert row["n"] == 2
    assert row["difference"].startswith("0.40")
