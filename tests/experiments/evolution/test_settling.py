"""When layers settle: hand-worked curves, and the whole way of a tiny network."""

from math import isnan, log2, nan

import numpy as np
import pandas as pd
import pytest
import small

from zfutils.data.inputs import Inputs
from zfutils.experiments.evolution import settling
from zfutils.experiments.evolution.settling import time_to
from zfutils.experiments.evolution.similarity import debiased_cka, pooled_features
from zfutils.stats.intervals import TooFew, t_interval, where_enough
from zfutils.training.initialisation import initialise

EPOCHS = [0, 1, 2, 5, 10]


# ---- times


def test_a_curve_settles_where_the_line_between_two_snapshots_crosses_the_share():
    settled = time_to([0, 0.3, 0.6, 1.2, 1.1], EPOCHS)
    assert settled == pytest.approx((2 + 3 * (0.9 - 0.6) / (1.2 - 0.6), 2, 5))
    assert time_to([0, 0.3, 0.6, 1.2, 1.1], EPOCHS, share=0.45) == pytest.approx((1.5, 1, 2))


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


def test_times_refuse_what_is_no_curve():
    with pytest.raises(ValueError, match=r"as many increasing epochs, got \(2,\) and \[0.0, 1.0, 2.0\]"):
        time_to([0, 1], [0, 1, 2])
    with pytest.raises(ValueError, match="increasing epochs"):
        time_to([0, 1, 1], [0, 2, 1])
    with pytest.raises(ValueError, match=r"in \(0, 1\], got 90"):
        time_to([0, 1], [0, 1], share=90)


def test_rescaling_puts_the_start_at_0_and_the_end_at_1_and_may_go_beyond():
    np.testing.assert_allclose(settling.rescaled([0.2, 0.4, 0.6, 1], end=0.6), [0, 0.5, 1, 2])


@pytest.mark.parametrize("end", [0.2, 0.1, nan])
def test_an_end_that_is_not_above_the_start_leaves_no_curve(end):
    assert np.isnan(settling.rescaled([0.2, 0.4], end=end)).all()


def test_the_rate_drops_for_the_epochs_that_are_trained_at_a_lower_one():
    history = pd.DataFrame({"epoch": [0, 1, 2, 3, 4], "rate": [0.1, 0.1, 0.01, 0.01, 0.001]})
    assert settling.rate_drops(history) == [2, 4]
    assert settling.rate_drops(history.assign(rate=0.1)) == []


# ---- intervals over seeds


def settled_by(times):
    """A table as `evolution.times` gives it, from times by run, seed, layer; the same for both measures."""
    rows = [
        (run, seed, layer, time, time, time, measure)
        for (run, seed, layer), time in times.items()
        for measure in settling.MEASURES
    ]
    return pd.DataFrame(rows, columns=["run", "seed", "layer", "time", "before", "after", "measure"])


TIMES = {
    **{("recipe", seed, "relu1"): t for seed, t in enumerate((1, 0.5, 2))},
    **{("recipe", seed, "relu2"): t for seed, t in enumerate((3, 1.5, 2))},
    **{("recipe", seed, "relu5"): t for seed, t in enumerate((8, 2, 4))},
    ("constant", 0, "relu1"): 7.0,
}


def test_doublings_are_log2_of_the_ratio_within_a_seed():
    assert settling.doublings(settled_by(TIMES), run="recipe") == t_interval([3, 2, 1], resampled="seeds")
    found = settling.doublings(settled_by(TIMES), run="recipe", upper="relu2", measure="probe")
    assert found.estimate == pytest.approx((2 * log2(3) + 0) / 3)


def test_shares_of_the_training_average_layers_within_a_seed():
    found = settling.share_of_training(settled_by(TIMES), run="recipe", layers=["relu1", "relu2"], epochs=10)
    assert found == t_interval([0.2, 0.1, 0.2], resampled="seeds")


def test_seeds_that_never_settle_are_left_out_and_n_says_so():
    times = settled_by({**TIMES, ("recipe", 1, "relu5"): nan})
    found = settling.doublings(times, run="recipe")
    assert (found.estimate, found.n) == (2, 2)
    assert settling.share_of_training(times, run="recipe", layers=["relu1"], epochs=10).n == 3
    with pytest.raises(ValueError, match="recipe, cka: relu1, relu5 settle in 1 seeds; 2 are needed"):
        settling.doublings(settled_by({**TIMES, ("recipe", 1, "relu5"): nan, ("recipe", 2, "relu1"): nan}),
                            run="recipe")  # fmt: skip


def test_seeds_that_are_too_few_leave_no_interval_and_are_told_from_what_was_not_measured():
    one = settled_by({key: time for key, time in TIMES.items() if key[1] == 0})
    with pytest.raises(TooFew, match="recipe, cka: relu1, relu5 settle in 1 seeds; 2 are needed"):
        settling.doublings(one, run="recipe")
    with pytest.raises(TooFew, match="recipe, probe: relu2 settle in 1 seeds"):
        settling.share_of_training(one, run="recipe", layers=["relu2"], epochs=10, measure="probe")
    assert where_enough(settling.doublings, one, run="recipe") is None
    assert where_enough(settling.doublings, settled_by(TIMES), run="recipe").n == 3
    with pytest.raises(ValueError, match="run slow was not measured"):
        where_enough(settling.doublings, one, run="slow")


def test_what_was_not_measured_is_named():
    with pytest.raises(ValueError, match="run slow was not measured; there are recipe, constant"):
        settling.doublings(settled_by(TIMES), run="slow")
    with pytest.raises(ValueError, match="layer relu7 was not measured; there are relu1, relu2, relu5"):
        settling.doublings(settled_by(TIMES), run="recipe", upper="relu7")
    with pytest.raises(ValueError, match="a positive number of epochs, not 0"):
        settling.share_of_training(settled_by(TIMES), run="recipe", layers=["relu1"], epochs=0)


# ---- the whole way

LAYERS = ["relu1", "relu2", "relu3"]


def network(seed):
    model = small.SPEC.build()
    initialise(model, "he", seed=seed)
    return model


def between(first, second, share):
    """A network whose weights lie on the line between two others'."""
    model, (a, b) = small.SPEC.build(), (first.state_dict(), second.state_dict())
    model.load_state_dict({name: a[name] + share * (b[name] - a[name]) for name in a})
    return model


class Loading(dict):
    """Snapshots that note in which order they are asked for."""

    def __init__(self, snapshots):
        super().__init__(snapshots)
        self.asked = []

    def __getitem__(self, epoch):
        self.asked.append(epoch)
        return super().__getitem__(epoch)


def way(seed):
    start, end = network(seed), network(seed + 100)
    return {epoch: between(start, end, share) for epoch, share in {0: 0.0, 1: 0.3, 4: 0.8, 6: 1.0}.items()}


@pytest.fixture(scope="module")
def pictures():
    inputs = Inputs.of(small.pictures(120), side=32, scale=1 / 64)
    return inputs[:60], inputs[60:]


@pytest.fixture(scope="module")
def table(pictures):
    networks = {("recipe", 0): way(0), ("recipe", 1): way(1), ("constant rate", 0): way(2)}
    return settling.evolution_table(networks, *pictures, layers=LAYERS)


def test_every_snapshot_is_compared_with_the_last_and_asked_for_once(pictures, capsys):
    training, validation = pictures
    snapshots = Loading(way(0))
    found, last = settling.trajectory(snapshots, training, validation, layers=LAYERS, name="recipe, seed 0")
    assert snapshots.asked == [6, 4, 1, 0]
    assert found["layer"].tolist() == LAYERS * 4
    assert found["epoch"].tolist() == [0] * 3 + [1] * 3 + [4] * 3 + [6] * 3
    features = {e: pooled_features(way(0)[e], validation, layers=LAYERS) for e in (1, 6)}
    for layer in LAYERS:
        own = found[found["layer"] == layer].set_index("epoch")["cka"]
        assert own[6] == pytest.approx(1)
        assert own[1] == pytest.approx(debiased_cka(features[1][layer], features[6][layer]))
        np.testing.assert_array_equal(last[layer], features[6][layer])
    assert found["probe"].between(0, 1).all()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("recipe, seed 0, epoch 6: CKA with the last relu1 1.00, relu2 1.00")


def test_a_dead_layer_has_no_similarity_but_does_not_end_the_chapter(pictures):
    snapshots = way(0)
    snapshots[1].conv2.bias.data.fill_(-1e3)
    found, _ = settling.trajectory(snapshots, *pictures, layers=LAYERS)
    cka = found.set_index(["layer", "epoch"])["cka"]
    assert cka[cka.isna()].index.tolist() == [("relu2", 1), ("relu3", 1)]


def test_a_way_needs_a_start_before_training_and_an_end(pictures):
    for epochs in ([0], [1, 6]):
        with pytest.raises(ValueError, match=r"from epoch 0 to a later one, got snapshots"):
            settling.trajectory({e: network(0) for e in epochs}, *pictures, layers=LAYERS)


def test_the_table_holds_every_network_layer_and_snapshot_in_order(table):
    assert len(table) == 3 * 3 * 4
    assert list(table.columns) == [
        "run", "seed", "layer", "epoch", "cka", "cka_rescaled", "probe", "probe_rescaled",
    ]  # fmt: skip
    assert list(table["layer"].unique()) == LAYERS
    assert table.groupby(["run", "seed", "layer"])["epoch"].apply(lambda e: list(e) == [0, 1, 4, 6]).all()


def test_cka_is_rescaled_to_the_ceiling_of_two_seeds_and_probes_to_their_last(table, pictures):
    _, validation = pictures
    ends = [pooled_features(way(seed)[6], validation, layers=LAYERS) for seed in (0, 1, 2)]
    checked = 0
    for layer in LAYERS:
        own = debiased_cka(ends[0][layer], ends[1][layer])  # the two seeds of the recipe
        borrowed = debiased_cka(ends[2][layer], ends[1][layer])  # seed 0 at a constant rate, with seed 1
        for run, seed, ceiling in (("recipe", 0, own), ("recipe", 1, own), ("constant rate", 0, borrowed)):
            one = table[(table["run"] == run) & (table["seed"] == seed) & (table["layer"] == layer)]
            start = one["cka"].iloc[0]
            if ceiling > start:
                np.testing.assert_allclose(one["cka_rescaled"], (one["cka"] - start) / (ceiling - start))
                checked += 1
            else:
                assert one["cka_rescaled"].isna().all()
            first, last = one["probe"].iloc[[0, -1]]
            if last > first:
                assert one["probe_rescaled"].iloc[[0, -1]].tolist() == [0, 1]
            else:
                assert one["probe_rescaled"].isna().all()
    assert checked >= 3


def test_the_times_of_a_table_are_those_of_its_curves(table):
    found = settling.times(table)
    assert len(found) == 3 * 3 * 2
    for row in found.itertuples():
        own = (table["run"] == row.run) & (table["seed"] == row.seed) & (table["layer"] == row.layer)
        expected = time_to(table.loc[own, f"{row.measure}_rescaled"], [0, 1, 4, 6])
        np.testing.assert_equal((row.time, row.before, row.after), tuple(expected))
    assert found["time"].notna().sum() >= 6


def test_the_ceiling_is_the_mean_over_all_pairs_of_a_runs_seeds():
    draw = np.random.default_rng(0)
    shared = draw.normal(size=(40, 5))
    lasts = {("a", seed): {"relu1": shared + draw.normal(size=(40, 5))} for seed in range(3)}
    pairs = [
        debiased_cka(lasts["a", i]["relu1"], lasts["a", j]["relu1"]) for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    assert settling.ceilings(lasts)["a"]["relu1"] == pytest.approx(np.mean(pairs))


def test_without_a_second_seed_there_is_no_ceiling():
    features = {"relu1": np.random.default_rng(0).normal(size=(10, 3))}
    assert isnan(settling.ceilings({("a", 0): features})["a"]["relu1"])
    both = settling.ceilings({("a", 0): features, ("b", 0): features})  # one seed, two runs
    assert isnan(both["a"]["relu1"])
    assert isnan(both["b"]["relu1"])
