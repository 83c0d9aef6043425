"""Tables of chapter 14, and what is said under them, of small numbers made by hand."""

import numpy as np
import pandas as pd
import pytest

from zfutils.experiments.trial import tables
from zfutils.experiments.trial.comparisons import Compared
from zfutils.stats.intervals import Interval

TRAINED, RANDOM = ("trained", "deconvnet"), ("random", "deconvnet")
GUIDED = ("trained", "guided")


def compared(estimate, *, control=0.25, half=0.125):
    interval = Interval(estimate, estimate - half, estimate + half, 9, "pictures")
    return Compared(interval, (estimate + control, control))


def test_both_arms_have_intervals_and_a_network_without_a_difference_has_a_row():
    recovered = {
        TRAINED: pd.DataFrame({"edges": [0.5] * 9 + [np.nan], "other_edges": [0.25] * 10}),
        RANDOM: pd.DataFrame({"edges": [0.5, 0.75], "other_edges": [0.0, 0.5]}),
    }
    table = tables.arms_table(
        {TRAINED: compared(0.25), RANDOM: None}, recovered, {"edges": "own", "other_edges": "others"}
    )
    assert table.to_numpy().tolist() == [
        [
            "trained",
            "deconvnet",
            "0.50\u00a0[0.50,\u00a00.50]",
            "0.25\u00a0[0.25,\u00a00.25]",
            "0.25\u00a0[0.12,\u00a00.38]",
            9,
        ],
        ["random", "deconvnet", "0.62", "0.25", "–", 2],
    ]


def test_losses_stand_by_change_and_moving_was_asked_of_the_first_alone():
    flat = {change: [0.1 * i] * 8 for i, change in enumerate(("random", "centred", "tiles", "another"), 1)}
    table = pd.DataFrame({"picture": range(8)} | flat)
    moving = pd.DataFrame({"picture": range(8), "moved": [0.9] * 8, "shift": 3.0})
    found = tables.switches_table({TRAINED: table, GUIDED: table, RANDOM: table}, moving)
    assert list(found)[1:] == ["deconvnet", "guided", "deconvnet, random weights"]
    assert found["guided"].tolist() == [*(f"0.{i}0\u00a0[0.{i}0,\u00a00.{i}0]" for i in range(1, 5)), "–"]
    assert found["deconvnet"].iloc[-1] == "0.90\u00a0[0.90,\u00a00.90]"
    assert found["switches"].iloc[3] == "another image's"


def test_rules_for_shared_switches_are_means_over_pictures():
    rows = [("relu5", p, "last", 0.9 + 0.01 * p, 0.1 * p) for p in range(3)]
    rows += [("relu3", 0, "largest", 1, 0)]
    rules = pd.DataFrame(rows, columns=["layer", "picture", "rule", "correlation", "difference"])
    assert tables.rules_table(rules).to_numpy().tolist() == [
        ["3", "the largest alone", "1.000", "0.00"],
        ["5", "the last alone", "0.910", "0.10"],
    ]


@pytest.fixture
def found():
    return {claim: {TRAINED: compared(0.5)} for claim in tables.FINDINGS}


def test_each_finding_stands_beside_what_was_measured_for_it(found):
    found["trial-own-edges"] |= {GUIDED: compared(0.25), RANDOM: None}
    found["trial-signals-converge"] = {TRAINED: None}
    table = tables.findings_table(found).set_index("in the literature")
    assert len(table) == len(tables.FINDINGS)
    (edges,) = (row for name, row in table.iterrows() if "Nie" in name)
    assert edges["deconvnet"] == "0.75 − 0.25 = 0.50\u00a0[0.38,\u00a00.62]"
    assert edges[["guided", "gradient", "deconvnet, random weights"]].tolist() == [
        "0.25\u00a0[0.12,\u00a00.38]",
        "–",
        "–",
    ]
    assert table["n"].tolist() == [9] * 5 + [0]


def test_what_is_concluded_depends_on_the_interval_and_names_what_shows_as_much(found):
    found["trial-own-edges"] |= {GUIDED: compared(0.3), ("trained", "gradient"): compared(0.1)}
    found["trial-own-edges"][RANDOM] = compared(0.9)
    found["trial-upper-layers-matter-less"] = {TRAINED: compared(0.1)}  # 0 lies in the interval
    found["projections-survive-randomisation"] = {TRAINED: compared(-0.5), GUIDED: compared(0.5)}
    found["trial-signals-converge"] = {TRAINED: None}
    said = dict(zip(list(tables.FINDINGS)[:5], tables.conclusions(found).split("\n"), strict=True))
    above = tables.FINDINGS["trial-own-edges"].above
    also = "guided back-propagation and the deconvnet with random weights"
    assert said["trial-own-edges"] == (
        f"- {above} Within the intervals, the difference is at least as large as the trained "
        f"deconvnet's for {also}."
    )
    for claim in ("trial-upper-layers-matter-less", "projections-survive-randomisation"):
        assert said[claim] == f"- {tables.FINDINGS[claim].otherwise}"
    assert (
        said["projections-recover-the-picture"]
        == f"- {tables.FINDINGS['projections-recover-the-picture'].above}"
    )
    nothing = {claim: {} for claim in tables.FINDINGS}
    assert tables.conclusions(nothing) == "*Too few pictures to say.*"


def test_what_the_gradient_shows_of_upper_and_lower_layers_speaks_against_no_method(found):
    claim = "trial-upper-layers-matter-less"
    found[claim] |= {("trained", "gradient"): compared(0.3)}
    assert "speaks against no method" in tables.conclusions(found)
    found[claim] |= {("trained", "gradient"): compared(0.1)}
    assert "speaks against no method" not in tables.conclusions(found)


def test_a_map_with_random_layers_is_compared_with_another_classs():
    rows = []
    for method, kept in (("deconvnet", 0.9), ("guided", 0.4), ("gradient", 0.6)):
        for picture in range(9):
            rows += [
                (picture, method, "cascading", "fc6", kept),
                (picture, method, "independent", "fc6", 0.0),
                (picture, method, "control", "another class", 0.6 + 0.01 * (-1) ** picture),
            ]
    columns = ["picture", "method", "order", "layer", "spearman"]
    said = tables.beside_another_class(pd.DataFrame(rows, columns=columns))
    own, other = "the correlation is", "after random weights and"
    assert f"By the deconvnet they change it less than another class does: {own} 0.90 {other} 0.60" in said
    assert "(difference 0.30" in said
    assert f"By guided back-propagation they change it more than another class does: {own} 0.40" in said
    assert f"By the gradient they change it as much as another class does: {own} 0.60 {other} 0.60" in said
    assert said.endswith("over 9 images, paired.)")
    assert tables.beside_another_class(pd.DataFrame(rows[:3], columns=columns)) == ""


def test_what_is_recorded_beside_a_claim_is_plain_data():
    assert tables.plain({TRAINED: compared(0.5), RANDOM: None}) == {"trained, deconvnet": 0.5}
