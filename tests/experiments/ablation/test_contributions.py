"""Table 3 and its claims: errors, gaps and sums worked out by hand, and the paper's own numbers."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from small import RECIPE, SPEC, pictures

from zfutils.data.inputs import Inputs
from zfutils.experiments.ablation import contributions, tables
from zfutils.nets import zoo
from zfutils.stats import formatting
from zfutils.stats.intervals import TooFew, hierarchical_interval, smallest_detectable_difference, t_interval
from zfutils.study import claims
from zfutils.study.places import BOOK
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import Scores, evaluate
from zfutils.training.trainer import held_out_rows, train

PAPER = pd.read_csv(BOOK / "data" / "table_3.csv")
REPLICA, ZFNET, WIDEST = contributions.REPLICA, contributions.ZFNET, contributions.WIDEST
SMALLER = "krizhevsky: layers 6, 7: 2048 units"


def erring(*counts, n=20, classes=8):
    """Runs of seeds 0, 1, … that err on so many of n pictures; a wrong answer has the true class third."""
    labels = np.arange(n) % classes
    runs = {}
    for seed, count in enumerate(counts):
        probabilities = np.full((n, classes), 0.01)
        rows = np.arange(n)
        probabilities[rows, (labels + 1) % classes] = np.where(rows < count, 0.5, 0.2)
        probabilities[rows, (labels + 2) % classes] = np.where(rows < count, 0.4, 0.1)
        probabilities[rows, labels] = 0.3
        runs[seed] = Scores(probabilities, labels)
    return runs


def trained(folder, *, epochs=8, seconds=12.0, spec=SPEC, most=8):
    """A finished network as the record of its training describes it."""
    recipe = RECIPE.model_copy(update={"epochs": most})
    record = {"epochs": epochs, "seconds": seconds, "identity": {"training": recipe.model_dump(), "seed": 0}}
    history = pd.DataFrame({"epoch": range(epochs + 1), "loss": np.linspace(2, 1, epochs + 1)})
    return Trained(spec, spec.build(), history, record, folder, torch.device("cpu"))


@pytest.fixture
def validation():
    return {
        REPLICA: erring(8, 8, 8),
        contributions.WITHOUT["34"]: erring(10, 10, 10),
        contributions.WITHOUT["67"]: erring(9, 10, 11),
        contributions.WITHOUT["3467"]: erring(16, 16, 16),
        SMALLER: erring(8, 9, 10),
        ZFNET: erring(6, 7, 8),
        WIDEST: erring(7, 7, 7),
    }


@pytest.fixture
def training(validation):
    return {name: erring(4, 4, 4, n=40) for name in validation} | {WIDEST: erring(0, 1, 2, n=40)}


@pytest.fixture
def spent(validation, tmp_path):
    """The widest network's second seed was still falling after the eight epochs there are."""
    made = {n: {s: trained(tmp_path, epochs=5 + s) for s in range(3)} for n in validation}
    made[WIDEST][1] = trained(tmp_path, epochs=8, seconds=20.0)
    return contributions.costs(made, pictures=100)


# ---- what is registered


def test_the_papers_own_numbers_are_those_of_the_registered_rules():
    """The largest difference that each rule lets pass undetected is the paper's own effect."""
    registered = claims.load(BOOK / "claims.yaml")
    weighed = contributions.TEN_CROPS | contributions.ONE_CROP
    for name, weights in weighed.items():
        rule = registered[f"ablation-{name}"].rule.testable.text
        largest = float(re.search(r"detectable <= ([\d.]+)", rule)[1])
        effect = contributions.said(PAPER, weights)
        margin = 4.3 - 4 if name == "fully-connected-slight" else 0  # its margin is 4, Table 3 says 4.3
        assert effect - margin == pytest.approx(largest), name
    gap = contributions.said(PAPER, contributions.OVERFITTING) - contributions.said(
        PAPER, contributions.OVERFITTING, "train"
    )
    assert gap == pytest.approx(28.3 - 5.3)
    assert "detectable <= 23" in registered["ablation-wide-networks-overfit"].rule.testable.text
    chapter = {name for name, claim in registered.items() if claim.chapter == 8}
    rest = {"ablation-ensemble", "ablation-wide-networks-overfit"}
    assert chapter == {f"ablation-{name}" for name in weighed} | rest


def test_the_papers_table_has_the_rows_that_networks_are_trained_for():
    assert {base: tuple(rows["row"]) for base, rows in PAPER.groupby("base")} == zoo.ROWS
    replica = PAPER[PAPER["base"] == "krizhevsky"].set_index("row")
    assert replica["train"]["without layer 7"] == replica["train"]["without layers 6, 7"] == 27.4
    weights = contributions.ONE_CROP["fully-connected-slight"]
    assert contributions.said(PAPER, weights, "top5") == pytest.approx(22.4 - 18.1)
    with pytest.raises(ValueError, match="the paper has no row 'zfnet: without layer 7'; it has krizhevsky"):
        contributions.said(PAPER, {"zfnet: without layer 7": 1})


def test_the_loss_of_both_pairs_of_layers_less_that_of_each(validation):
    table = contributions.differences(validation, contributions.ONE_CROP["depth-beyond-its-parts"])
    # errors of 20: (16 − 8) − (10 − 8) − (9, 10 or 11 − 8) = 5, 4, 3, five points each
    np.testing.assert_allclose(table.mean(1), [25, 20, 15])


# ---- the pictures learnt from


def test_what_was_held_out_is_no_training_error(tmp_path):
    one = trained(tmp_path)  # a tenth held out
    _, held = held_out_rows(60, 0.1)
    labels = np.zeros(60, dtype=int)
    probabilities = np.tile([0.9, 0.1], (60, 1))
    probabilities[held] = [0.1, 0.9]  # wrong on what it never saw, and only there
    found = contributions.trained_on({3: Scores(probabilities, labels)}, {3: one})[3]
    assert len(found.labels) == 54
    assert found.error() == 0
    assert Scores(probabilities, labels).error() == 0.1


# ---- tables


def test_costs_are_counted_a_row_a_network(tmp_path):
    shallow = replace(SPEC, dense=())
    made = {REPLICA: {1: trained(tmp_path, epochs=3), 0: trained(tmp_path, epochs=8)}}
    made |= {contributions.WITHOUT["67"]: {0: trained(tmp_path, epochs=2, seconds=5.0, spec=shallow)}}
    table = contributions.costs(made, pictures=100)
    assert table["seed"].tolist() == [0, 1, 0]
    assert table["flat"].tolist() == [False, True, True]
    # Ten of 100 are held out; of 720, 270 and 180 pictures, full batches of 32 hold:
    assert table["pictures"].tolist() == [22 * 32, 8 * 32, 5 * 32]
    assert table["layers"].tolist() == [4, 4, 3]
    assert table["seconds"].tolist() == [12, 12, 5]
    # conv1 3·8·25 + 8, conv2 8·12·9 + 12; 32 px become 14, 7, 7, 3; fc3 12·9·24 + 24, fc4 24·3 + 3
    assert table["parameters"].tolist()[0] == 608 + 876 + 2616 + 75
    assert table["multiply_adds"].tolist()[0] == 600 * 14**2 + 864 * 7**2 + 2592 + 72
    assert table["parameters"].tolist()[2] == 608 + 876 + 12 * 9 * 3 + 3


def test_every_row_of_table_3_holds_its_means_and_intervals(validation, training, spent):
    table = contributions.table_3(validation, training, spent).set_index("name")
    assert list(table.index) == list(validation)
    zfnet = table.loc[ZFNET]
    assert (zfnet["validation"], zfnet["train"], zfnet["seeds"]) == (35, 10, 3)
    assert (zfnet["top2"], zfnet["top5"]) == (35, 0)  # where it errs, the true class is third
    errors = 100 * np.stack([validation[ZFNET][s].wrong() for s in range(3)])
    expected = hierarchical_interval(errors)
    assert (zfnet["validation_low"], zfnet["validation_high"]) == (expected.low, expected.high)
    widest = table.loc[WIDEST]
    of_seeds = t_interval([0, 2.5, 5], resampled="seeds")
    assert of_seeds.low < 0  # which no error can be
    assert (widest["train_low"], widest["train_high"]) == pytest.approx((0, of_seeds.high))
    assert (zfnet["base"], zfnet["row"]) == ("zfnet", "none")
    assert zfnet["layers"] == 4
    assert zfnet["epochs"] == 6


def test_rows_that_had_not_become_flat_are_marked(validation, training, spent):
    table = contributions.table_3(validation, training, spent)
    assert table.set_index("name")["under_trained"].to_dict() == dict.fromkeys(validation, 0) | {WIDEST: 1}
    shown = tables.table_3(table, PAPER)
    assert shown["under-trained"].tolist() == [""] * 6 + ["1 of 3"]


def test_the_errors_of_every_seed_stand_apart(validation, training):
    table = contributions.by_seed(validation, training).set_index(["name", "seed"])
    assert table["validation"][ZFNET].tolist() == [30, 35, 40]
    assert table["train"][WIDEST].tolist() == pytest.approx([0, 2.5, 5])
    assert len(table) == 3 * len(validation)


def test_one_seed_is_shown_without_intervals(tmp_path):
    runs = {REPLICA: erring(8), SMALLER: erring(9)}
    spent = contributions.costs({name: {0: trained(tmp_path)} for name in runs}, pictures=100)
    table = contributions.table_3(runs, runs, spent)
    assert table["validation"].tolist() == [40, 45]
    assert table[["validation_low", "train_high"]].isna().all(axis=None)
    found = contributions.effects(runs, runs, PAPER)
    assert found["estimate"].tolist() == [5, 5]
    assert found[["low", "high", "detectable"]].isna().all(axis=None)
    assert not found["testable"].any()


def test_few_classes_have_no_top_5(tmp_path):
    runs = {REPLICA: erring(8, 9, classes=4)}
    spent = contributions.costs({REPLICA: {0: trained(tmp_path), 1: trained(tmp_path)}}, pictures=100)
    table = contributions.table_3(runs, runs, spent)
    assert np.isnan(table["top5"][0])
    shown = tables.table_3(table, PAPER)
    assert "top-5" not in shown
    assert shown["paper: train / top-1 / top-5"][0] == "35.1 / 40.5 / 18.1"


# ---- effects


def test_an_effect_is_a_row_less_the_whole_network(validation, training):
    table = contributions.effects(validation, training, PAPER).set_index(["name", "measure"])
    assert table.index.get_level_values(0).nunique() == len(validation) - 2  # but the two "none"
    found = table.loc[(SMALLER, "validation")]
    assert found["estimate"] == pytest.approx(5)  # 8, 9, 10 of 20 against 8
    assert found["paper"] == pytest.approx(41.7 - 40.5)
    assert found["low"] < 5 < found["high"]
    gain = table.loc[(WIDEST, "train")]
    of_seeds = t_interval([-10, -7.5, -5], resampled="seeds")
    assert (gain["estimate"], gain["low"]) == pytest.approx((-7.5, of_seeds.low))
    assert gain["detectable"] == pytest.approx(smallest_detectable_difference(2.5, 3))
    assert gain["paper"] == pytest.approx(10.0 - 33.1)
    assert gain["testable"]


def test_the_papers_effects_below_what_can_be_detected_are_not_testable(validation, training, spent):
    tenfold = {  # 200 pictures, on which the largest effect can be told from none
        name: {
            s: Scores(np.tile(one.probabilities, (10, 1)), np.tile(one.labels, 10)) for s, one in r.items()
        }
        for name, r in validation.items()
    }
    table = contributions.effects(tenfold, training, PAPER).set_index(["name", "measure"])
    small, large = (
        table.loc[(SMALLER, "validation")],
        table.loc[(contributions.WITHOUT["3467"], "validation")],
    )
    assert small["detectable"] > small["paper"] == pytest.approx(1.2)
    assert not small["testable"]
    assert large["detectable"] <= large["paper"] == pytest.approx(30.8)
    assert large["testable"]
    shown = tables.effects(table.reset_index(), spent).set_index("change")
    assert shown["reading"]["layers 6, 7: 2048 units"] == "not testable at this scale"
    assert shown["reading"]["without layers 3, 4, 6, 7"] == "as in the paper"
    stopped = spent.assign(flat=spent["name"] != contributions.REPLICA)
    shown_too = tables.effects(table.reset_index(), stopped).set_index("change")
    assert shown_too["reading"]["layers 6, 7: 2048 units"] == "not testable at this scale"
    assert shown_too["reading"]["without layers 3, 4, 6, 7"] == "as in the paper, under-trained"
    assert shown["paper"]["without layers 3, 4, 6, 7"] == "+30.8"


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"testable": True, "low": -1, "high": 2, "estimate": 0.5, "paper": 4.0}, "not told from none"),
        ({"testable": True, "low": -3, "high": -1, "estimate": -2, "paper": 4.0}, "the other way"),
        ({"testable": True, "low": -3, "high": -1, "estimate": -2, "paper": -4.0}, "as in the paper"),
        ({"testable": False, "low": 1, "high": 3, "estimate": 2, "paper": 1.0}, "not testable at this scale"),
    ],
)
def test_a_reading_says_no_more_than_the_interval(numbers, words):
    assert tables.reading(numbers) == words


def test_the_gap_is_validation_less_training_error_seed_by_seed(validation, training):
    np.testing.assert_allclose(contributions.gaps(validation, training, {ZFNET: 1}), [20, 25, 30])
    np.testing.assert_allclose(contributions.gaps(validation, training, {WIDEST: 1}), [35, 32.5, 30])
    np.testing.assert_allclose(
        contributions.gaps(validation, training, contributions.OVERFITTING), [15, 7.5, 0]
    )


def test_controls_are_plain_data(validation, training, spent):
    table = contributions.table_3(validation, training, spent)
    found = json.loads(json.dumps(contributions.controls(table, contributions.OVERFITTING)))
    assert found[WIDEST]["under_trained"] == 1
    assert found[WIDEST]["train"] == 2.5
    assert found[ZFNET]["parameters"] == SPEC.parameters


# ---- bad input


def test_rows_that_table_3_does_not_have_are_refused(validation, training, spent):
    strange = {"zfnet: without layer 7": validation[ZFNET]}
    for call in (
        lambda: contributions.table_3(strange, strange, spent),
        lambda: contributions.effects(strange, strange, PAPER),
        lambda: contributions.by_seed(strange, strange),
    ):
        with pytest.raises(
            ValueError, match="Table 3 has no row 'zfnet: without layer 7'; it has krizhevsky"
        ):
            call()
    some = {ZFNET: validation[ZFNET]}
    with pytest.raises(ValueError, match="there are no training scores of 'zfnet: none'"):
        contributions.table_3(some, {}, spent)
    with pytest.raises(ValueError, match="there are no scores of 'krizhevsky: none'"):
        contributions.effects({SMALLER: validation[SMALLER]}, training, PAPER)


def test_seeds_that_do_not_match_are_refused(validation, training, spent):
    fewer = {name: {s: runs[s] for s in (0, 1)} for name, runs in training.items()}
    with pytest.raises(ValueError, match=r"the seeds \[0, 1, 2\] in validation and \[0, 1\] in training"):
        contributions.table_3(validation, fewer, spent)
    with pytest.raises(ValueError, match=r"the seeds \[0, 1, 2\] in validation and \[0, 1\] in training"):
        contributions.gaps(validation, fewer, {ZFNET: 1})
    with pytest.raises(ValueError, match=r"seeds \[0, 1, 2\] and the costs of \[0, 1\]; each is needed"):
        contributions.table_3(validation, training, spent[spent["seed"] < 2])
    other = validation | {SMALLER: {s: validation[SMALLER][s] for s in (0, 1)}}
    with pytest.raises(ValueError, match="has the seeds 0, 1 and 'krizhevsky: none' 0, 1, 2"):
        contributions.effects(other, training, PAPER)


def test_the_growth_of_a_gap_needs_two_seeds():
    one = {name: erring(5) for name in (ZFNET, WIDEST)}
    with pytest.raises(TooFew):
        contributions.over_seeds(contributions.gaps(one, one, contributions.OVERFITTING))


# ---- equal epochs


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Two networks that were trained for three and for two epochs; both kept the first."""
    images, made = pictures(64, size=36), {}
    for name, epochs in ((ZFNET, 3), (WIDEST, 2)):
        recipe = RECIPE.model_copy(update={"epochs": epochs, "snapshots": (1,)})
        folder = tmp_path_factory.mktemp("networks") / name
        made[name] = {0: train(SPEC, images, recipe, folder, seed=0, paper=SPEC, say=lambda line: None)}
    return made, Inputs.of(images, side=32, scale=RECIPE.input_scale)


def test_networks_are_compared_when_all_had_been_trained_as_long(short):
    made, inputs = short
    table = contributions.at_equal_epochs(made, inputs).set_index("name")
    assert (table["epoch"] == 2).all()
    assert (table["snapshot"] == 1).all()
    for name, seeds in made.items():
        assert table["loss"][name] == seeds[0].history["loss"][2]
        rows, _ = held_out_rows(64, RECIPE.held_out)
        expected = evaluate(seeds[0].at(1), inputs.at(rows), precision="float32").error()
        assert table["train"][name] == pytest.approx(100 * expected)


def test_without_a_common_snapshot_the_loss_is_left(short):
    made, inputs = short
    alone = {ZFNET: made[ZFNET], WIDEST: {0: made[WIDEST][0]}}
    last = [seeds[0].folder / "epoch-0001.safetensors" for seeds in alone.values()]
    kept = last[0].read_bytes()
    last[0].unlink()
    table = contributions.at_equal_epochs(alone, inputs)
    last[0].write_bytes(kept)
    assert table[["snapshot", "train"]].isna().all(axis=None)
    assert (table["epoch"] == 2).all()
    with pytest.raises(ValueError, match="equal epochs of no networks"):
        contributions.at_equal_epochs({}, inputs)


# ---- shown


def test_gaps_stand_beside_the_papers_and_what_equal_epochs_show(validation, training):
    equal = pd.DataFrame(
        {"name": [ZFNET, ZFNET, WIDEST], "loss": [1.0, 2.0, 1.0], "train": [20.0, 30.0, np.nan]}
    )
    found = {
        ZFNET: contributions.over_seeds(contributions.gaps(validation, training, {ZFNET: 1})),
        WIDEST: None,
    }
    shown = tables.gaps(found, PAPER, equal).set_index("network")
    assert shown.loc[ZFNET].tolist() == ["25.0 [12.6, 37.4]", "5.3", "1.50", "25.0"]  # 20, 25, 30; t 4.303
    assert shown.loc[WIDEST].tolist() == ["–", "28.3", "1.00", "–"]


def test_costs_are_summed_over_all(spent):
    shown = tables.costs(spent)
    assert shown["network"].tolist() == [*dict.fromkeys(spent["name"]), "together"]
    assert shown["nets"].tolist()[-1] == "21"
    assert shown["seconds each"].tolist()[-1] == f"{20 * 12 + 20} in all"
    of_zfnet = shown.set_index("network").loc[ZFNET]
    assert (of_zfnet["epochs each"], of_zfnet["pictures seen each"]) == (
        "6.0",
        "523",
    )  # of 14, 16 and 19 batches
    parameters = spent.set_index("name").loc[ZFNET, "parameters"].iloc[0]
    assert float(of_zfnet["parameters (million)"]) == pytest.approx(parameters / 1e6, abs=0.005)


def test_dashes_stand_for_what_is_not_given():
    assert tables.slashed(40.5, 18.1, np.nan) == "40.5 / 18.1 / –"
    assert tables.slashed(np.nan, np.nan) == "–"
    assert formatting.ranged(3.21, np.nan, np.nan) == "3.2"
    assert formatting.ranged(3.21, 1.0, 6.0, digits=2) == "3.21 [1.00, 6.00]"
    assert tables.caption_ranks(1000) == ""
    assert "Five of 20 classes are 25 %".replace(" %", "%") in tables.caption_ranks(20)
