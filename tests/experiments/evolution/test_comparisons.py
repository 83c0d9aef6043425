"""The chapter's claims on curves, on times that were made up."""

from math import nan, sqrt

import numpy as np
import pandas as pd
import pytest

from zfutils.experiments.evolution import comparisons, settling, tables
from zfutils.experiments.evolution.trajectories import AS_TRAINED, IN_STEP
from zfutils.stats.intervals import t_interval

# Times (epochs) of layers 1, 2 and 5, as trained and with weights moved in step, by seed.
TRAINED = {0: (1, 3, 8), 1: (0.5, 1.5, 2), 2: (2, 2, 4)}
STEPPED = {0: (2, 2, 4), 1: (1, 2, 2), 2: (3, 3, 3)}


def settled_by(trained, stepped):
    """A table as `settling.times` gives it; probes take twice as long, but for layer 1."""
    rows = [
        (run, seed, layer, time * (2 if measure == "probe" and layer != "relu1" else 1), measure)
        for run, times in ((AS_TRAINED, trained), (IN_STEP, stepped))
        for seed, of_layers in times.items()
        for layer, time in zip(("relu1", "relu2", "relu5"), of_layers, strict=True)
        for measure in ("cka", "probe")
    ]
    return pd.DataFrame(rows, columns=["run", "seed", "layer", "time", "measure"])


def test_layer_5s_lag_is_counted_in_doublings_beyond_weights_moved_in_step():
    found = comparisons.beyond_in_step(settled_by(TRAINED, STEPPED), measure="cka")
    assert found.interval == t_interval([3 - 1, 2 - 1, 1 - 0], resampled="seeds")
    assert found.arms == pytest.approx((2, 2 / 3))
    assert found.seeds == (0, 1, 2)
    probe = comparisons.beyond_in_step(settled_by(TRAINED, STEPPED), measure="probe")
    assert probe.arms == pytest.approx((3, 5 / 3))


def test_seeds_in_which_either_run_never_settles_are_left_out_of_both_arms():
    found = comparisons.beyond_in_step(settled_by(TRAINED, {**STEPPED, 1: (1, 2, nan)}), measure="cka")
    assert found.seeds == (0, 2)
    assert found.arms == pytest.approx((2, 0.5))
    alone = comparisons.beyond_in_step(settled_by(TRAINED, {0: STEPPED[0]}), measure="cka")
    assert (alone.interval, alone.arms, alone.seeds) == (None, None, (0,))


def test_times_over_the_losss_are_geometric_means_over_seeds():
    loss = {0: 4.0, 1: 2.0, 2: 2.0}
    late = comparisons.over_the_loss(settled_by(TRAINED, STEPPED), loss, layers=("relu5",))
    logs = np.log([2, 1, 2])
    expected = t_interval(logs, resampled="seeds")
    assert (late.interval.estimate, late.interval.low, late.interval.high) == pytest.approx(
        tuple(np.exp([expected.estimate, expected.low, expected.high]))
    )
    assert late.arms == pytest.approx((64 ** (1 / 3), 16 ** (1 / 3)))
    assert late.interval.estimate == pytest.approx(late.arms[0] / late.arms[1])
    early = comparisons.over_the_loss(settled_by(TRAINED, STEPPED), loss, layers=("relu1", "relu2"))
    assert early.arms[0] == pytest.approx((2 * 1 * 2) ** (1 / 3))
    fewer = comparisons.over_the_loss(settled_by(TRAINED, STEPPED), loss | {0: nan}, layers=("relu5",))
    assert fewer.seeds == (1, 2)
    assert fewer.interval.estimate == pytest.approx(sqrt(2))


def test_every_claim_is_compared_with_its_own_control():
    found = comparisons.comparisons(settled_by(TRAINED, STEPPED), dict.fromkeys(TRAINED, 2.0))
    assert list(found) == [
        "lower-layers-first-by-own-end",
        "lower-layers-first-by-probe-gain",
        "lower-layers-ahead-of-the-loss",
        "upper-layers-behind-the-loss",
    ]
    measured = [one.arms[0] for one in found.values()]
    assert measured == pytest.approx([2, 3, (2 * 1 * 2) ** (1 / 3), 4])


def test_the_losss_time_is_where_90_percent_of_its_fall_are_made():
    history = pd.DataFrame({"epoch": [1, 2, 3, 4], "loss": [3.0, 1.0, 0.5, 0.0]})
    flat = history.assign(loss=[5.0, 5.0, 5.0, 5.0])
    found = comparisons.loss_times({0: history, 1: flat}, {0: 4.0, 1: 4.0})
    assert found[0] == pytest.approx(2.5 + (0.9 - 0.875) / 0.125)
    assert np.isnan(found[1])


def test_a_gain_is_the_smaller_of_the_two_layers_in_each_seed():
    values = {(0, "relu1"): (0.1, 0.2), (0, "relu5"): (0.1, 0.5), (1, "relu1"): (0.1, 0.5),
              (1, "relu5"): (0.1, 0.3), (0, "relu2"): (0.1, 0.1)}  # fmt: skip
    rows = [
        (run, seed, layer, epoch, probe if run == AS_TRAINED else 0.0)
        for run in (AS_TRAINED, IN_STEP)
        for (seed, layer), ends in values.items()
        for epoch, probe in zip((0, 9), ends, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["run", "seed", "layer", "epoch", "probe"])
    assert comparisons.probe_gain(table) == pytest.approx((10 + 20) / 2)


# ---- tables


def test_the_arms_of_a_claim_stand_beside_what_its_verdict_is_taken_on():
    found = comparisons.beyond_in_step(settled_by(TRAINED, STEPPED), measure="cka")
    nothing = comparisons.beyond_in_step(settled_by({0: (1, 1, 1)}, STEPPED), measure="cka")
    table = tables.claims_compared(
        {"lower first": (found, "measured - control"), "alone": (nothing, "measured - control")}
    )
    assert table[["measured", "control", "seeds"]].to_numpy().tolist() == [["2.00", "0.67", 3], ["–", "–", 1]]
    assert table["which is"][0].startswith("1.33\u00a0[")
    assert table["which is"][1] == "not measured"


def test_mean_times_are_over_the_seeds_that_settle_and_the_loss_is_one_number():
    settled = settled_by({**TRAINED, 2: (nan, 2, 4)}, STEPPED)
    table = tables.times_table(settled, {0: 4.0, 1: 2.0, 2: nan}).set_index(["curve", "run"])
    assert table.loc[("CKA", AS_TRAINED)].tolist() == ["0.8", "2.2", "4.7"]
    assert table.loc[("training loss", AS_TRAINED)].tolist() == ["3.0"] * 3


def test_where_no_network_was_run_yet_nothing_settles_and_nothing_is_compared():
    settled = settling.times(settling.evolution_table({}))
    assert (len(settled), settling.between_seeds({}, settling.evolution_table({}))) == (0, {})
    found = comparisons.comparisons(settled, comparisons.loss_times({}, {})).values()
    assert [(one.interval, one.arms, one.seeds) for one in found] == [(None, None, ())] * 4
