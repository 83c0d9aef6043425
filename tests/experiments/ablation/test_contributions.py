"""Table 3 and its claims: errors, gaps and sums worked out by hand, and the paper's own numbers."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small import SPEC
from table_3_rows import of_seeds, outcome

from zfutils.experiments.ablation import contributions, tables
from zfutils.nets import zoo
from zfutils.stats import formatting
from zfutils.stats.intervals import hierarchical_interval, t_interval
from zfutils.stats.power import smallest_detectable_difference
from zfutils.study.places import BOOK

PAPER = pd.read_csv(BOOK / "data" / "table_3.csv")
REPLICA, ZFNET, WIDEST = contributions.REPLICA, contributions.ZFNET, contributions.WIDEST
SMALLER = "krizhevsky: layers 6, 7: 2048 units"


@pytest.fixture
def spent(networks):
    return contributions.costs(networks, pictures=100)


# ---- the paper's numbers


def test_the_papers_table_has_the_rows_that_networks_are_trained_for():
    assert {base: tuple(rows["row"]) for base, rows in PAPER.groupby("base")} == zoo.ROWS
    replica = PAPER[PAPER["base"] == "krizhevsky"].set_index("row")
    assert replica["train"]["without layer 7"] == replica["train"]["without layers 6, 7"] == 27.4
    weights = {contributions.WITHOUT["67"]: 1, REPLICA: -1}
    assert contributions.said(PAPER, weights, "top5") == pytest.approx(22.4 - 18.1)


# ---- rows that were not run, or from fewer seeds


def test_two_rows_are_compared_on_the_seeds_that_both_have(networks):
    fewer = networks | {REPLICA: {s: networks[REPLICA][s] for s in (2, 1)}}
    own = contributions.shared(fewer, [SMALLER, REPLICA])
    assert [list(runs) for runs in own.values()] == [[1, 2], [1, 2]]
    table = contributions.effects(fewer, PAPER).set_index(["name", "measure"])
    assert table.loc[(SMALLER, "validation"), "estimate"] == pytest.approx(7.5)  # 9 and 10 of 20 against 8


def test_a_row_that_was_not_run_gives_no_effect_and_is_named(networks, spent):
    lacking = networks | {contributions.WITHOUT["34"]: {}}
    weights = {contributions.WITHOUT["34"]: 1, REPLICA: -1}
    assert contributions.not_run(lacking, weights) == [contributions.WITHOUT["34"]]
    assert contributions.not_run({}, weights) == list(weights)
    assert contributions.WITHOUT["34"] not in set(contributions.effects(lacking, PAPER)["name"])
    shown = tables.table_3(contributions.table_3(lacking, spent), PAPER).set_index(["network", "change"])
    assert len(shown) == 12
    line = shown.loc[("Krizhevsky", "without layers 3, 4")]
    assert (line["validation top-1"], line["scores"]) == ("–", "not run yet")
    assert line["paper: train / top-1 / top-5"] == "41.8 / 45.4 / 22.1"


def test_a_table_says_whose_scores_its_rows_are(networks):
    kept = {s: replace(one, published=s > 0) for s, one in networks[ZFNET].items()}
    mixed = networks | {ZFNET: kept}
    spent = contributions.costs(mixed, pictures=100)
    shown = tables.table_3(contributions.table_3(mixed, spent), PAPER).set_index(["network", "change"])
    assert shown["scores"][("ZFNet", "none")] == "1 here, 2 kept"
    assert shown["scores"][("Krizhevsky", "none")] == "here"
    changes = tables.effects(contributions.effects(mixed, PAPER)).set_index(["network", "change"])
    assert (
        changes["scores"][("ZFNet", "layers 6, 7: 8192 units; 3, 4, 5: 512, 1024, 512 maps")]
        == "4 here, 2 kept"
    )
    assert tables.costs(spent).set_index("network")["scores"]["ZFNet: whole"] == "1 here, 2 kept"


# ---- tables


def test_costs_are_counted_a_row_a_network():
    shallow = replace(SPEC, dense=())
    made = {REPLICA: {1: outcome(8, epochs=3), 0: outcome(8, ended=False)}}
    made |= {contributions.WITHOUT["67"]: {0: outcome(8, epochs=2, seconds=5.0, spec=shallow)}}
    table = contributions.costs(made, pictures=100)
    assert table["seed"].tolist() == [0, 1, 0]
    assert table["ended"].tolist() == [False, True, False], "of two epochs the loss falls from 3 to 1.5"
    # Ten of 100 are held out; of 720, 270 and 180 pictures, full batches of 32 hold:
    assert table["pictures"].tolist() == [22 * 32, 8 * 32, 5 * 32]
    assert table["layers"].tolist() == [4, 4, 3]
    assert table["seconds"].tolist() == [12, 12, 5]
    # conv1 3·8·25 + 8, conv2 8·12·9 + 12; 32 px become 14, 7, 7, 3; fc3 12·9·24 + 24, fc4 24·3 + 3
    assert table["parameters"].tolist()[0] == 608 + 876 + 2616 + 75
    assert table["multiply_adds"].tolist()[0] == 600 * 14**2 + 864 * 7**2 + 2592 + 72
    assert table["parameters"].tolist()[2] == 608 + 876 + 12 * 9 * 3 + 3


def test_every_row_of_table_3_holds_its_means_and_intervals(networks, spent):
    table = contributions.table_3(networks, spent).set_index("name")
    assert list(table.index) == list(networks)
    zfnet = table.loc[ZFNET]
    assert (zfnet["validation"], zfnet["train"], zfnet["seeds"]) == (35, 10, 3)
    assert (zfnet["top2"], zfnet["top5"]) == (35, 0)  # where it errs, the true class is third
    errors = 100 * np.stack([networks[ZFNET][s].answers[1].wrong() for s in range(3)])
    expected = hierarchical_interval(errors)
    assert (zfnet["validation_low"], zfnet["validation_high"]) == (expected.low, expected.high)
    widest = table.loc[WIDEST]
    of_training = t_interval([0, 2.5, 5], resampled="seeds")
    assert of_training.low < 0  # which no error can be
    assert (widest["train_low"], widest["train_high"]) == pytest.approx((0, of_training.high))
    assert (zfnet["base"], zfnet["row"]) == ("zfnet", "none")
    assert zfnet["layers"] == 4
    assert zfnet["epochs"] == 6


def test_rows_whose_training_had_not_ended_are_marked(networks, spent):
    table = contributions.table_3(networks, spent)
    assert table.set_index("name")["under_trained"].to_dict() == dict.fromkeys(networks, 0) | {WIDEST: 1}
    shown = tables.table_3(table, PAPER)
    assert [text for text in shown["under-trained"] if text] == ["1 of 3"]


def test_the_errors_of_every_seed_stand_apart(networks):
    table = contributions.by_seed(networks).set_index(["name", "seed"])
    assert table["validation"][ZFNET].tolist() == [30, 35, 40]
    assert table["train"][WIDEST].tolist() == pytest.approx([0, 2.5, 5])
    assert len(table) == 3 * len(networks)


def test_one_seed_is_shown_without_intervals():
    networks = {REPLICA: of_seeds(8), SMALLER: of_seeds(9)}
    table = contributions.table_3(networks, contributions.costs(networks, pictures=100))
    assert table["validation"].tolist() == [40, 45]
    assert table[["validation_low", "train_high"]].isna().all(axis=None)
    found = contributions.effects(networks, PAPER)
    assert found["estimate"].tolist() == [5, 0]
    assert found[["low", "high", "detectable"]].isna().all(axis=None)
    assert not found["testable"].any()


def test_few_classes_have_no_top_5():
    networks = {REPLICA: of_seeds(8, 9, classes=4)}
    table = contributions.table_3(networks, contributions.costs(networks, pictures=100))
    assert np.isnan(table["top5"][0])
    shown = tables.table_3(table, PAPER)
    assert "top-5" not in shown
    assert shown["paper: train / top-1 / top-5"][0] == "35.1 / 40.5 / 18.1"


# ---- effects


def test_an_effect_is_a_row_less_the_whole_network(networks):
    table = contributions.effects(networks, PAPER).set_index(["name", "measure"])
    assert table.index.get_level_values(0).nunique() == len(networks) - 2  # but the two "none"
    found = table.loc[(SMALLER, "validation")]
    assert found["estimate"] == pytest.approx(5)  # 8, 9, 10 of 20 against 8
    assert found["paper"] == pytest.approx(41.7 - 40.5)
    assert found["low"] < 5 < found["high"]
    gain = table.loc[(WIDEST, "train")]
    of_training = t_interval([-10, -7.5, -5], resampled="seeds")
    assert (gain["estimate"], gain["low"]) == pytest.approx((-7.5, of_training.low))
    assert gain["detectable"] == pytest.approx(smallest_detectable_difference(2.5, 3))
    assert gain["paper"] == pytest.approx(10.0 - 33.1)
    assert gain["testable"]


def test_the_papers_effects_below_what_can_be_detected_are_not_testable(networks):
    counts = {
        name: [10 * one.answers[1].wrong().sum() for one in runs.values()] for name, runs in networks.items()
    }
    tenfold = {name: of_seeds(*own, n=200) for name, own in counts.items()}
    table = contributions.effects(tenfold, PAPER).set_index(["name", "measure"])
    small, large = (table.loc[(name, "validation")] for name in (SMALLER, contributions.WITHOUT["3467"]))
    assert small["detectable"] > small["paper"] == pytest.approx(1.2)
    assert not small["testable"]
    assert large["detectable"] <= large["paper"] == pytest.approx(30.8)
    assert large["testable"]
    shown = tables.effects(table.reset_index()).set_index("change")
    assert shown["reading"]["layers 6, 7: 2048 units"] == "not testable at this scale"
    assert shown["reading"]["without layers 3, 4, 6, 7"] == "larger than in the paper"
    stopped = tenfold | {REPLICA: of_seeds(*counts[REPLICA], n=200, ended=False)}
    shown_too = tables.effects(contributions.effects(stopped, PAPER)).set_index("change")
    assert shown_too["reading"]["layers 6, 7: 2048 units"] == "not testable at this scale"
    assert shown_too["reading"]["without layers 3, 4, 6, 7"] == "larger than in the paper, under-trained"
    assert shown["paper"]["without layers 3, 4, 6, 7"] == "+30.8"


@pytest.mark.parametrize(
    ("testable", "low", "estimate", "high", "paper", "words"),
    [
        (True, -1, 0.5, 2, 1.0, "not distinguishable from 0"),
        (True, -1, 0.5, 2, 4.0, "not distinguishable from 0; not as in the paper"),
        (True, -3, -2, -1, 4.0, "of the opposite sign"),
        (True, -5, -3, -1, -4.0, "as in the paper"),
        (True, 1, 2, 3, 30.8, "smaller than in the paper"),
        (True, -9, -7, -5, -4.0, "larger than in the paper"),
        (False, math.nan, 2, math.nan, 1.0, "one seed"),
        (False, 1, 2, 3, 1.0, "not testable at this scale"),
    ],
)
def test_a_reading_says_no_more_than_the_interval(testable, low, estimate, high, paper, words):
    numbers = {"testable": testable, "low": low, "estimate": estimate, "high": high, "paper": paper}
    assert tables.reading(numbers) == words


def test_controls_are_plain_data_of_the_rows_that_were_run(networks, spent):
    table = contributions.table_3(networks, spent)
    names = [WIDEST, ZFNET, "zfnet: layers 6, 7: 8192 units"]
    found = json.loads(json.dumps(contributions.controls(table, names)))
    assert set(found) == {WIDEST, ZFNET}
    assert found[WIDEST]["under_trained"] == 1
    assert found[WIDEST]["train"] == 2.5
    assert found[ZFNET]["parameters"] == SPEC.parameters


# ---- equal epochs


def test_networks_are_compared_when_all_had_been_trained_as_long(networks):
    table = contributions.at_equal_epochs({name: networks[name] for name in (ZFNET, WIDEST)})
    assert (table["epoch"] == 5).all()  # the widest network's first seed had no more
    losses = table.set_index(["name", "seed"])["loss"]
    assert losses[(WIDEST, 1)] == pytest.approx(2 - 4 / 5)  # from 2 to 1 in six epochs
    assert losses[(ZFNET, 0)] == 1.5
    assert not len(contributions.at_equal_epochs({ZFNET: {}}))


# ---- shown


def test_gaps_stand_beside_the_papers_and_what_equal_epochs_show(networks):
    equal = pd.DataFrame({"name": [ZFNET, ZFNET], "loss": [1.0, 2.0]})
    found = {ZFNET: np.array([20, 25, 30]), WIDEST: np.array([7])}
    shown = tables.gaps(found, PAPER, equal).set_index("network")
    assert shown.loc["ZFNet: whole"].tolist() == [
        "25.0\u00a0[12.6,\u00a037.4]",
        "5.3",
        "1.50",
    ]  # 20, 25, 30; t 4.303
    assert shown.loc[tables.called(WIDEST)].tolist() == ["7.0", "28.3", "–"]


def test_costs_are_summed_over_all(spent):
    shown = tables.costs(spent)
    assert shown["network"].tolist() == [*map(tables.called, dict.fromkeys(spent["name"])), "together"]
    assert shown["nets"].tolist()[-1] == "21"
    assert shown["seconds each"].tolist()[-1] == f"{21 * 12} in all"
    of_widest = shown.set_index("network").loc[tables.called(WIDEST)]
    assert of_widest["epochs each"] == "6"
    assert of_widest["images seen each"] == "523"  # of 14, 16, 19 batches
    parameters = spent.set_index("name").loc[ZFNET, "parameters"].iloc[0]
    of_zfnet = shown.set_index("network").loc["ZFNet: whole"]
    assert float(of_zfnet["parameters (million)"]) == pytest.approx(parameters / 1e6, abs=0.005)


def test_dashes_stand_for_what_is_not_given():
    assert tables.slashed(40.5, 18.1, np.nan) == "40.5 / 18.1 / –"
    assert tables.slashed(np.nan, np.nan) == "–"
    assert formatting.ranged(3.21, np.nan, np.nan) == "3.2"
    assert formatting.ranged(3.21, 1.0, 6.0, digits=2) == "3.21\u00a0[1.00,\u00a06.00]"
    assert tables.caption_ranks(1000) == ""
    assert "allows 25\u00a0% of the 20 classes" in tables.caption_ranks(20)
    assert tables.caption_ranks(5) == "", "only top-1 and top-2 are shown"


def test_a_whole_network_without_the_four_layer_one_cannot_answer_and_the_table_names_what_lacks(networks):
    wholes = {"the replica": REPLICA}
    assert tables.can_answer(networks, wholes)["trainings that ended"].tolist() == ["6 of 6"]
    alone = tables.can_answer({REPLICA: networks[REPLICA]}, wholes).iloc[0]
    assert alone["trainings that ended"] == "–"
    assert alone["trained well enough"] == "not run yet: Krizhevsky: without layers 3, 4, 6, 7"
