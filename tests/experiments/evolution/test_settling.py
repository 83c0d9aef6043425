"""When curves settle: worked out by hand."""

from math import isnan, nan

import numpy as np
import pandas as pd
import pytest

from zfutils.experiments.evolution import settling
from zfutils.experiments.evolution.settling import time_to
from zfutils.experiments.evolution.similarity import debiased_cka
from zfutils.experiments.evolution.trajectories import AS_TRAINED, IN_STEP

EPOCHS = [0, 1, 2, 5, 10]


# ---- times


def test_a_curve_settles_where_the_line_between_two_snapshots_crosses_the_share():
    settled = time_to([0, 0.3, 0.6, 1.2, 1.1], EPOCHS)
    assert settled == pytest.approx((2 + 3 * (0.9 - 0.6) / (1.2 - 0.6), 2, 5))


def test_a_curve_that_falls_back_counts_from_its_last_rise():
    assert time_to([0, 1, 0.5, 1.3, 1], EPOCHS) == pytest.approx((2 + 3 * 0.4 / 0.8, 2, 5))


def test_a_curve_that_settles_by_the_first_snapshot_is_interpolated_from_step_0():
    assert time_to([0, 1.8, 1.2, 1, 1], EPOCHS) == pytest.approx((0.5, 0, 1))


def test_a_snapshot_that_meets_the_share_exactly_is_when_it_settles():
    assert time_to([0, 0.5, 0.9, 0.9, 1], EPOCHS) == pytest.approx((2, 1, 2))


def test_a_curve_that_is_there_from_the_start_settles_there_with_no_width():
    assert time_to([0.95, 1, 1], [0, 1, 2]) == (0, 0, 0)


@pytest.mark.parametrize("values", [[0, 1, 1, 1, 0.8], [nan] * 5, [0, 1, nan, 1, 1]])
def test_a_curve_that_ends_below_or_was_not_rescaled_never_settles(values):
    assert all(isnan(number) for number in time_to(values, EPOCHS))


def test_rescaling_puts_the_start_at_0_and_the_end_at_1_and_may_go_beyond():
    np.testing.assert_allclose(settling.rescaled([0.2, 0.4, 0.6, 1], end=0.6), [0, 0.5, 1, 2])


@pytest.mark.parametrize("end", [0.2, 0.1, nan])
def test_an_end_that_is_not_above_the_start_leaves_no_curve(end):
    assert np.isnan(settling.rescaled([0.2, 0.4], end=end)).all()


def test_the_rate_is_lowered_after_the_last_epoch_that_has_the_higher_one():
    history = pd.DataFrame({"epoch": [0, 1, 2, 3, 4], "rate": [0.1, 0.1, 0.01, 0.01, 0.001]})
    assert settling.rate_drops(history) == [1, 3]
    assert settling.rate_drops(history.assign(rate=0.1)) == []


# ---- the loss


def test_the_loss_is_0_before_training_and_1_in_the_last_epoch_and_stands_in_the_middle_of_its_epochs():
    history = pd.DataFrame({"epoch": [0, 1, 2, 3, 4], "loss": [nan, 3.0, 1.0, 0.5, 0.0]})
    times, values = settling.loss_curve(history, 4.0)
    assert times.tolist() == [0, 0.5, 1.5, 2.5, 3.5]
    assert values.tolist() == [0, 0.25, 0.75, 0.875, 1]
    np.testing.assert_array_equal(settling.loss_curve(history[1:], 4.0), (times, values))


def test_a_loss_that_did_not_fall_has_no_curve():
    _, values = settling.loss_curve(pd.DataFrame({"epoch": [1, 2], "loss": [3.0, 4.0]}), 4.0)
    assert np.isnan(values).all()


# ---- the curves of several networks


def curves(cka, probe, cka_in_step=(0.2, 0.4, 1), probe_in_step=(0.1, 0.2, 0.3)):
    """What `measure` gives of one network and layer, at epochs 0, 1 and 4."""
    arrays = {"cka": cka, "probe": probe, "cka_in_step": cka_in_step, "probe_in_step": probe_in_step}
    columns = {name: np.array(values, dtype=np.float32)[:, None] for name, values in arrays.items()}
    return columns | {"epochs": np.array([0, 1, 4])}


@pytest.fixture
def table():
    measured = {0: curves([0.2, 0.6, 1], [0.1, 0.2, 0.5]), 3: curves([0.5, nan, 1], [0.3, 0.3, 0.3])}
    return settling.evolution_table(measured, layers=["relu1"])


def test_curves_are_rescaled_between_step_0_and_each_networks_own_end(table):
    own = table.groupby(["run", "seed"])[["cka_rescaled", "probe_rescaled"]]
    np.testing.assert_allclose(
        own.get_group((AS_TRAINED, 0)), np.transpose([[0, 0.5, 1], [0, 0.25, 1]]), atol=1e-6
    )
    np.testing.assert_allclose(
        own.get_group((IN_STEP, 0)), np.transpose([[0, 0.25, 1], [0, 0.5, 1]]), atol=1e-6
    )
    np.testing.assert_allclose(
        own.get_group((AS_TRAINED, 3)), np.transpose([[0, nan, 1], [nan] * 3])
    )  # a probe that gains nothing has no curve
    assert table["epoch"].tolist() == [0, 1, 4] * 4


def test_the_times_of_a_table_are_those_of_its_curves(table):
    times = settling.times(table).set_index(["run", "seed", "measure"])["time"]
    assert times[AS_TRAINED, 0, "cka"] == pytest.approx(1 + 3 * 0.4 / 0.5)
    assert times[AS_TRAINED, 0, "probe"] == pytest.approx(1 + 3 * 0.65 / 0.75)
    assert times[IN_STEP, 0, "cka"] == pytest.approx(1 + 3 * 0.65 / 0.75)
    assert isnan(times[AS_TRAINED, 3, "cka"])
    assert isnan(times[AS_TRAINED, 3, "probe"])


def test_the_value_between_seeds_is_the_mean_over_pairs_on_the_scale_of_the_curves(table):
    draw = np.random.default_rng(0)
    shared = draw.normal(size=(40, 5))
    lasts = {seed: {"relu1": shared + draw.normal(size=(40, 5))} for seed in range(3)}
    pairs = [debiased_cka(lasts[i]["relu1"], lasts[j]["relu1"]) for i, j in ((0, 1), (0, 2), (1, 2))]
    start = (0.2 + 0.5) / 2
    expected = (np.mean(pairs) - start) / (1 - start)
    assert settling.between_seeds(lasts, table) == {"relu1": pytest.approx(expected)}
    assert settling.between_seeds({0: lasts[0]}, table) == {}
