"""Ensembles and Table 2: predictions averaged by hand, gains that are known, and what does not match."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from zfutils.experiments.ablation import ensembles, tables
from zfutils.nets import zoo
from zfutils.stats.intervals import TooFew
from zfutils.study.places import BOOK
from zfutils.training.evaluation import Scores
from zfutils.training.outcomes import Answers

PAPER = pd.read_csv(BOOK / "data" / "table_2.csv")


def network(true, classes=3):
    """A network that gives the true class that probability, and the rest to the next class."""
    true = np.asarray(true, dtype=float)
    labels = np.arange(len(true)) % classes
    probabilities = np.zeros((len(true), classes))
    probabilities[np.arange(len(true)), labels] = true
    probabilities[np.arange(len(true)), (labels + 1) % classes] = 1 - true
    return Scores(probabilities, labels)


def in_turn(weak, n=12):
    """Three networks; each errs on every third picture, where it gives the true class only `weak`."""
    return [network([weak if i % 3 == turn else 0.9 for i in range(n)]) for turn in range(3)]


def test_an_ensemble_says_the_mean_of_what_its_members_say():
    together = ensembles.ensemble([network([0.9, 0.2]), network([0.5, 0.4])])
    np.testing.assert_allclose(together.probabilities, [[0.7, 0.3, 0], [0, 0.3, 0.7]])
    np.testing.assert_array_equal(together.labels, [0, 1])
    alone = network([0.9, 0.2])
    np.testing.assert_array_equal(ensembles.ensemble([alone]).probabilities, alone.probabilities)


def test_the_gain_is_the_members_mean_error_less_the_ensembles():
    # single: a third wrong. All three: (0.4 + 0.9 + 0.9) / 3 is right everywhere. Two: 0.65 or 0.9, too.
    found = ensembles.gain(in_turn(0.4))
    assert found.estimate == pytest.approx(100 / 3)
    assert found.low == found.high == pytest.approx(100 / 3)  # the same gain on every picture
    assert (found.n, found.resampled) == (12, ensembles.PICTURES)
    assert ensembles.gain(in_turn(0.4), size=2).estimate == pytest.approx(100 / 3)


def test_gains_of_all_of_pairs_and_of_both_kinds_stand_in_a_table():
    found = ensembles.gains(in_turn(0.4), in_turn(0.4))
    assert found["all ZFNets"] == ensembles.gain(in_turn(0.4))
    assert found["pairs of ZFNets, mean over pairs"] == ensembles.gain(in_turn(0.4), size=2)
    few = ensembles.gains(in_turn(0.4, n=3), [])
    shown = ensembles.gains_table({"many": found["both kinds together"], "few": few["all ZFNets"]})
    assert shown["error lower by (points)"].tolist() == ["33.3\u00a0[33.3,\u00a033.3]", "not measured"]


def test_the_main_networks_have_an_error_for_each_number_of_crops():
    spec = zoo.zfnet(classes=3)
    one, ten = network([0.9, 0.2] * 6), network([0.9] * 12)
    found = ensembles.main_networks({"zfnet": spec}, {"zfnet": {1: one, 10: ten}})
    assert set(found["parameters (million)"]) == {f"{spec.parameters / 1e6:.2f}"}
    errors = found.set_index("crops")["top-1"]
    assert errors[1].startswith("50.0\u00a0[")
    assert errors[10].startswith("0.0\u00a0[")


def test_the_gain_of_pairs_is_the_mean_over_all_pairs():
    # (0.05 + 0.9) / 2 is wrong: a pair errs on the third of either member, two thirds; three are right.
    assert ensembles.gain(in_turn(0.05), size=2).estimate == pytest.approx(100 / 3 - 200 / 3)
    assert ensembles.gain(in_turn(0.05)).estimate == pytest.approx(100 / 3)


def test_the_interval_of_a_gain_holds_it_and_is_over_pictures():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.1, 300)
    members = [network((0.65 + shared + rng.normal(0, 0.4, 300)).clip(0, 1)) for _ in range(4)]
    found = ensembles.gain(members)
    assert 0 < found.low < found.estimate < found.high
    assert found.n == 300
    assert ensembles.gain(members[:1] * 3).high == 0  # copies of a network gain nothing


def test_members_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match=r"different pictures or classes \(\(2, 3\) and \(3, 3\)\)"):
        ensembles.ensemble([network([0.9, 0.2]), network([0.9, 0.2, 0.1])])
    with pytest.raises(ValueError, match=r"\(\(2, 3\) and \(2, 4\)\)"):
        ensembles.ensemble([network([0.9, 0.2]), network([0.9, 0.2], classes=4)])
    with pytest.raises(TooFew, match="two networks at least, got 1"):
        ensembles.gain(in_turn(0.4)[:1])


def test_the_ranks_that_are_shown_can_be_wrong():
    assert ensembles.ranks(1000) == (1, 5)
    assert ensembles.ranks(100) == (1, 5)
    assert ensembles.ranks(20) == (1, 2, 5)
    assert ensembles.ranks(5) == (1, 2)
    assert ensembles.ranks(2) == (1,)


def test_one_network_has_wilsons_interval():
    found = ensembles.one_network(network([0.9] * 15 + [0.2] * 5))
    assert found.estimate == 25
    assert (found.low, found.high) == pytest.approx((11.19, 46.87), abs=0.01)  # Wilson for 5 of 20
    assert ensembles.one_network(network([0.9] * 15 + [0.2] * 5), k=2).estimate == 0


# ---- Table 2


def kinds(seeds=3):
    good, better = in_turn(0.05), in_turn(0.45)
    bad = [network([0.2] * 6 + [0.9] * 6)] * 3
    wide = better[:1] + [network([0.1] * 12)] * 2
    of = {"krizhevsky": bad, "zfnet": good, "wide": wide}
    return {kind: dict(enumerate(members[:seeds])) for kind, members in of.items()}


def test_table_2_has_a_line_for_each_of_the_papers_and_each_ensemble_of_ours():
    table = ensembles.table_2(kinds())
    top1 = table[table["k"] == 1].set_index("row")
    assert set(table["k"]) == {1, 2}
    assert top1["nets"].to_dict() == {
        "krizhevsky": 1,
        "krizhevsky ensemble": 3,
        "zfnet": 1,
        "zfnet ensemble": 3,
        "wide": 1,
        "wide ensemble": 3,
        "zfnet ensemble, one wide": 4,
        "zfnet and wide ensembles": 6,
    }
    assert top1["error"]["krizhevsky"] == top1["error"]["krizhevsky ensemble"] == 50
    assert top1["error"]["zfnet"] == pytest.approx(100 / 3)
    assert top1["error"]["zfnet ensemble"] == 0
    assert top1["error"]["wide"] == pytest.approx(100 * (1 / 3 + 1 + 1) / 3)
    # with the first wide network (0.05 + 0.9 + 0.9 + 0.45) / 4 is right; with a bad one, + 0.1, wrong
    assert top1["error"]["zfnet ensemble, one wide"] == pytest.approx(200 / 3)
    assert top1["error"]["zfnet and wide ensembles"] == 100  # at best (1.85 + 0.9 + 0.1 + 0.1) / 6
    assert (table[table["k"] == 2]["error"] == 0).all()


def test_every_number_of_table_2_names_what_was_resampled():
    table = ensembles.table_2(kinds()).set_index(["row", "k"])
    single, together = table.loc[("zfnet", 1)], table.loc[("zfnet ensemble", 1)]
    assert (single["n"], single["resampled"]) == (3, "seeds and validation pictures")
    assert (together["n"], together["resampled"]) == (12, ensembles.PICTURES)
    assert (table["low"] <= table["error"]).all()
    assert (table["error"] <= table["high"]).all()
    assert single["spread"] == pytest.approx(0)  # every seed errs on a third
    wide = table.loc[("wide", 1)]
    errors = np.array([100 / 3, 100, 100])
    assert wide["spread"] == pytest.approx(4.302653 * errors.std(ddof=1) / np.sqrt(3), rel=1e-6)


def test_one_seed_has_errors_but_no_intervals_and_no_ensemble():
    table = ensembles.table_2(kinds(seeds=1))
    top1 = table[table["k"] == 1].set_index("row")
    assert list(top1.index) == [
        *("krizhevsky", "zfnet", "wide", "zfnet ensemble, one wide", "zfnet and wide ensembles")
    ]
    assert np.isnan(top1["low"]["zfnet"])
    assert top1["error"]["zfnet"] == pytest.approx(100 / 3)
    assert top1["nets"]["zfnet ensemble, one wide"] == 2


def test_table_2_needs_all_three_kinds_on_the_same_pictures():
    with pytest.raises(ValueError, match="different pictures"):
        ensembles.table_2(kinds() | {"wide": {0: network([0.9] * 11)}})


# ---- beside the paper


def test_the_papers_numbers_are_those_of_its_table():
    own = PAPER[PAPER["source"] == "paper"].set_index("row")
    assert own.loc["krizhevsky", ["top1", "top5"]].tolist() == [40.5, 18.1]
    assert own.loc["zfnet", ["top1", "top5"]].tolist() == [38.4, 16.5]
    assert own["top1"]["zfnet"] - own["top1"]["zfnet ensemble"] == pytest.approx(1.7)  # §4.1
    assert own.loc["zfnet ensemble, one wide", ["nets", "top1", "top5", "test_top5"]].tolist() == [
        *(6, 36.0, 14.7, 14.8)
    ]
    assert own.loc["wide ensemble", ["nets", "top1", "top5", "test_top5"]].isna().all()
    krizhevsky = PAPER[PAPER["model"] == "Krizhevsky et al. 2012"]
    assert krizhevsky["top5"].iloc[0] - own["top5"]["zfnet"] == pytest.approx(1.7)  # validation, not test


def made(seeds=3, published=0):
    """What is known of the networks of `kinds`: how many of the first seeds' scores are published ones."""
    outcome = [SimpleNamespace(published=seed < published) for seed in range(seeds)]
    return {key: dict(enumerate(outcome)) for key in ensembles.KINDS.values()}


def test_table_2_stands_beside_the_papers():
    shown = tables.table_2(ensembles.table_2(kinds()), PAPER, made(published=1)).set_index("model")
    ours = shown.loc["ZFNet (Fig. 3) (a)"]
    assert ours["paper: top-1 / top-5 / test top-5"] == "36.7 / 15.3 / 15.3"
    assert (ours["paper: nets"], ours["nets here"], ours["top-1"]) == ("5", "3", "0.0\u00a0[0.0,\u00a00.0]")
    assert ours["scores"] == "2 here, 1 kept"
    assert shown.loc["(a) and (b) together", "scores"] == "4 here, 2 kept"
    others = shown.loc["Gunji et al."]
    assert others["paper: top-1 / top-5 / test top-5"] == "– / – / 26.2"
    assert (others["nets here"], others["top-1"], others["over seeds"], others["scores"]) == (
        "–",
        "–",
        "–",
        "",
    )
    assert shown.loc["ZFNet (Fig. 3)", "over seeds"] == "± 0.0"
    assert len(shown) == len(PAPER)
    few = tables.table_2(ensembles.table_2(kinds(seeds=1)), PAPER, made(seeds=1))
    assert len(few) == len(PAPER) - 2  # neither we nor the paper have these ensembles
    alone = few.set_index("model").loc["ZFNet (Fig. 3) (a)"]
    assert (alone["top-1"], alone["scores"]) == ("–", "one seed")


def test_lines_of_networks_that_were_not_run_yet_say_so():
    table = ensembles.table_2(kinds() | {"wide": {}})
    assert set(table["row"]) == {"krizhevsky", "krizhevsky ensemble", "zfnet", "zfnet ensemble"}
    networks = made() | {ensembles.KINDS["wide"]: {}}
    shown = tables.table_2(table, PAPER, networks).set_index("model")
    line = shown.loc["ZFNet, layers 3, 4, 5: 512, 1024, 512 maps (b)"]
    assert (line["top-1"], line["scores"]) == ("–", "not run yet")
    assert shown.loc["ZFNet (Fig. 3) (a)", "scores"] == "here"
    assert shown.loc["(a) and (b) together", "scores"] == "not run yet"
    assert not len(ensembles.table_2({key: {} for key in ensembles.KINDS}))


def test_an_ensemble_of_networks_whose_probabilities_were_not_kept_is_refused():
    one = network([0.9, 0.2])
    kept, answers = (Answers.of(one, probabilities=kept) for kept in (True, False))
    assert ensembles.ensemble([one, kept]).probabilities.shape == (2, 3)
    with pytest.raises(ValueError, match="needs the probabilities of all its networks"):
        ensembles.ensemble([one, answers])
