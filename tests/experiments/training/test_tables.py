"""Tables of chapter 2."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from zfutils.experiments.training import tables
from zfutils.experiments.training.tables import (
    crop_errors,
    largest_over_radius,
    speed_table,
    trial_table,
)
from zfutils.study.places import BOOK
from zfutils.study.profile import Profile
from zfutils.training.ended import ended
from zfutils.training.evaluation import Scores
from zfutils.training.outcomes import Outcome
from zfutils.training.recipe import Phases, Plateau, Training


def test_trials_say_since_when_one_was_dead_its_errors_and_what_noise_is_left():
    history = pd.DataFrame({"epoch": [0, 1, 2, 3], "held_out_error": [0.9, 0.8, 0.9, 0.95]})
    made = {"identity": {"training": {"rate": 0.01}}}
    records = {"lives": made, "dies": made | {"dead": {"since": 2, "why": "no unit of layer conv5 responds"}}}
    conv1 = SimpleNamespace(weight=torch.ones(12, 3, 5, 5))  # no frequency but 0
    model = SimpleNamespace(conv1=conv1)
    trials = {
        name: SimpleNamespace(history=history, record=record, model=model) for name, record in records.items()
    }
    labels = np.arange(100) % 10
    wrong = Scores(np.roll(np.eye(10)[labels], 1, axis=1), labels)  # always another class
    about = {name: f"it {name}" for name in trials}
    table = trial_table(trials, about, dict.fromkeys(trials, wrong))
    assert table["tried"].tolist() == ["it lives", "it dies"]
    assert table["epochs"].tolist() == ["3", "3, dead since 2"]
    assert set(table["held-out error"]) == {"95.0\u00a0%"}
    # Wilson: 1 / (1 + z²/n) at n = 100
    assert set(table["top-1 error, one crop"]) == {"100.0\u00a0%\u00a0[96.3,\u00a0100.0]"}
    assert set(table.iloc[:, -1]) == {"0.00\u00a0[0.00,\u00a00.00]"}


def test_the_largest_filter_of_any_epoch_is_measured_by_its_convolutions_own_radius():
    columns = {"rms_max_conv1": [9.0, 1.0, 5.0, 2.0], "rms_max_conv2": [0.2, 0.01, 0.02, 0.09]}
    history = pd.DataFrame({"epoch": [0, 1, 2, 3], **columns})  # before the first step nothing is scaled back
    assert largest_over_radius(history, {"conv1": 6.4, "conv2": 0.1}) == pytest.approx(0.9)
    assert largest_over_radius(history, {"conv1": 4.0, "conv2": 0.1}) == pytest.approx(1.25)


def test_errors_of_crops_are_shares_with_wilsons_interval():
    labels = np.arange(100) % 10
    right = np.eye(10)[labels]
    wrong = np.where(np.arange(100)[:, None] < 20, np.roll(right, 1, axis=1), right)  # of 20, by one class
    table = crop_errors({"ZFNet": {1: Scores(wrong, labels), 10: Scores(right, labels)}})
    assert table[["crops", "top"]].to_numpy().tolist() == [[1, 1], [1, 5], [10, 1], [10, 5]]
    assert table["estimate"].tolist()[0] == 0.2
    assert table["estimate"].tolist()[2:] == [0, 0]
    # Wilson: (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n) at p = 0.2, n = 100, z = 1.96
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([0.1333, 0.2888], abs=1e-4)
    assert tables.top_5([Scores(wrong, labels), Scores(right, labels)]) == [100 * table["estimate"][1], 0]


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_of_few_classes_there_is_no_top_5_error(classes):
    labels = np.arange(60) % classes
    said = Scores(np.eye(classes)[labels], labels)
    assert crop_errors({"ZFNet": {1: said, 10: said}})["top"].tolist() == [1, 1]
    assert tables.top_5([said]) is None


def measured(device="a GPU of 2030", device_type="cuda", precision="bf16", **more):
    """A row as throughput gives it: 2,000 images a second, a quarter of the matrix rate."""
    row = {"device": device, "device_type": device_type, "precision": precision, "images_per_second": 2000.0}
    row |= {"low": 1900.0, "high": 2050.0, "matrix_rate": 4e14, "fraction": 0.25, "image": 224, "batch": 128}
    return row | {"step_seconds": 0.064, "bound_seconds": 0.016} | more


def test_speeds_of_gpus_stand_below_this_machines_with_edition_and_date():
    here = pd.DataFrame([measured("Some CPU, 2 threads", "cpu", "float32", images_per_second=150.4)])
    shown = speed_table(here, [measured(precision="float32", batch=64, edition="photos", date="2030-01-02")])
    assert shown["device"].tolist() == [
        "Some CPU, 2 threads, float32, 224 px, 128 images a step",
        "a GPU of 2030, TF32, 224 px, 64 images a step, edition photos, 2030-01-02",
    ]
    assert shown["images/s"].tolist() == ["150\u00a0[1,900,\u00a02,050]", "2,000\u00a0[1,900,\u00a02,050]"]
    gpu = shown.iloc[1]
    assert (gpu["matrix rate (GFLOP/s)"], gpu["share of it reached"]) == ("400,000", "25\u00a0%")
    assert (gpu["step (ms)"], gpu["arithmetic bound (ms)"]) == ("64", "16")


def test_a_gpu_that_nobody_measured_says_so_unless_this_machine_has_one():
    shown = speed_table(pd.DataFrame([measured("Some CPU", "cpu")]), [])
    assert shown["device"].tolist() == ["Some CPU, bf16, 224 px, 128 images a step", "a GPU"]
    assert set(shown.iloc[1, 1:]) == {"not measured"}
    assert speed_table(pd.DataFrame([measured()]), [])["device"].tolist() == [
        "a GPU of 2030, bf16, 224 px, 128 images a step"
    ]


def outcome(training_error, *, trained_on=1000, epochs=10, published=False):
    """An outcome whose loss is 0.5 and flat from the second epoch on."""
    row = {"loss": 0.5, "held_out_error": 0.25, "held_out_loss": 0.75, "rate": 0.01}
    history = pd.DataFrame([row | {"epoch": epoch} for epoch in range(1, epochs + 1)])
    history.loc[0, "loss"] = 3.0
    made = {"training_error": training_error, "trained_on": trained_on}
    return Outcome({}, {}, made, history, {}, published)


def test_what_twice_the_time_gains_is_in_points_with_newcombes_interval():
    gain, once, doubled = tables.gain_of_time(outcome(0.10), outcome(0.05))
    assert (once, doubled) == (pytest.approx(10), pytest.approx(5))
    # Wilson, n = 1000: 10 % has 8.29 … 12.02, 5 % has 3.81 … 6.53;
    # joined 5 − √(1.71² + 1.53²) and 5 + √(2.02² + 1.19²)
    assert (gain.low, gain.estimate, gain.high) == pytest.approx((2.70, 5, 7.34), abs=0.03)


def test_the_table_of_settings_has_a_line_for_what_was_not_run_yet():
    found = {"as chosen": outcome(0.05, published=True), "half the rate": None}
    chosen, missing = tables.settings_table(found).to_dict("records")
    assert chosen["training error"] == "5.0\u00a0%"
    assert (chosen["held-out loss"], chosen["ended"], chosen["scores"]) == ("0.75", "yes", "kept")
    assert (missing["training error"], missing["scores"]) == ("", "not run yet")


def test_the_end_of_trainings_is_told_network_by_network():
    table = tables.end_table(
        {"flat": ended([2.0] + [1.0] * 9, 0.3), "falling": ended([2.0] + [1.0] * 8 + [0.5], 0.3)}
    )
    assert table["ended"].tolist() == ["yes", "no"]
    assert table["fall of the loss in the last fifth"].tolist() == ["0.0\u00a0%", "50.0\u00a0%"]


def test_the_recipe_says_how_the_rate_falls_and_how_much_is_dropped_out():
    own = {"epochs": 15, "rate": 0.01, "input_scale": 1 / 64, "initialisation": "small-first"}
    recipes = {
        "phases": Training(phases=Phases(factor=0.1, shares=(0.6, 0.2, 0.2)), **own),
        "plateau": Training(plateau=Plateau(factor=0.2, patience=3, drops=2), **own),
    }
    shown = {
        name: tables.recipe_table(recipe, images=2016, size=144, crop=128, dropout=0.2).set_index("")["here"]
        for name, recipe in recipes.items()
    }
    assert "60\u00a0%, 20\u00a0%, 20\u00a0%" in shown["phases"]["rate"]
    assert shown["phases"]["epochs"] == "15"
    assert "3 epochs" in shown["plateau"]["rate"]
    assert shown["plateau"]["dropout"] == "0.2"


def test_the_recipe_holds_for_an_edition_that_chose_nothing_and_takes_all_of_its_images():
    own = Training(epochs=40, rate=0.01, input_scale=1 / 64, initialisation="small-first", plateau=None,
                   phases=Phases(factor=0.1, shares=(0.6, 0.2, 0.2)))  # fmt: skip
    why = tables.recipe_table(own, images=640, size=144, crop=128, dropout=0.2).set_index("")["why"]
    assert "own" in why["images"]
    assert "may be chosen" in why["held out"]


def test_what_the_width_costs_is_shown_beyond_what_it_costs_under_hes_rule():
    ratios = {"literal": pd.Series([2.0, 2.2, 1.8]), "he": pd.Series([0.1, 0.3, -0.1])}
    literal, he = tables.signal_table(ratios).to_dict("records")
    # t of 2 degrees of freedom 4.303 · 0.2 / √3 = 0.497; the pairs all differ by 1.9
    assert literal["powers of ten"] == "2.00\u00a0[1.50,\u00a02.50]"
    assert literal["beyond He's rule"] == "1.90\u00a0[1.90,\u00a01.90]"
    assert (he["powers of ten"], he["beyond He's rule"]) == ("0.10\u00a0[−0.40,\u00a00.60]", "")


@pytest.mark.parametrize("edition", ["quick", "photos", "smoke"])
def test_the_pair_of_initialisations_differs_in_its_initial_weights_alone(edition):
    profile = Profile.load(BOOK / "profiles" / f"{edition}.yaml")
    runs = {rule: profile.networks[name] for rule, name in tables.INITIALISATION_PAIR.items()}
    recipes = {rule: run.training.model_dump() for rule, run in runs.items()}
    assert {rule: recipe.pop("initialisation") for rule, recipe in recipes.items()} == {
        "fan-in": "fan-in",
        "literal": "literal",
    }
    assert recipes["fan-in"] == recipes["literal"]
    assert recipes["literal"]["input_scale"] == 1
    assert recipes["literal"]["may_die"], "or it might be stopped at chance"
    assert runs["fan-in"].model_dump(exclude={"training", "about"}) == runs["literal"].model_dump(
        exclude={"training", "about"}
    )
