"""Chapter 13's figures and tables: what they are given stands in them, and no label covers another."""

import numpy as np
import pandas as pd
import pytest
import small
from drawn_signs import drawn
from legible import assert_readable, texts

from zfutils.experiments.diagnosis import figures, tables, telling
from zfutils.experiments.diagnosis.faults import FAULTS, HEALTHY, KINDS, LEAK, SHUFFLED
from zfutils.experiments.diagnosis.pictures import Pictures
from zfutils.experiments.diagnosis.signs import INSIDE, OUTSIDE, SIGNS
from zfutils.stats.intervals import Interval

TABLE = drawn()
FOUND = {
    place: {fault: telling.told(TABLE, fault, names) for fault in FAULTS}
    for place, names in (("errors", OUTSIDE), ("inside", INSIDE))
}


def pictures(seed):
    rng = np.random.default_rng(seed)
    projected = small.top_projections(16, 1, 14, layer="relu2", channels=1)
    digits, filters = (rng.integers(0, 255, shape).astype(np.uint8) for shape in ((2, 28, 28), (6, 5, 5, 1)))
    return Pictures(filters, projected, digits, rng.normal(size=(2, 12, 12)))


def test_every_kind_of_network_is_a_row_of_pictures():
    shown = {name: pictures(seed) for seed, name in enumerate((HEALTHY, *FAULTS))}
    figure = figures.look(shown)
    assert_readable(figure)
    rows = [text.replace("\n", " ") for text, _ in texts(figure)]
    assert [name for name in shown if name in rows] == list(shown)
    falls = figure.axes[3].images[0]
    np.testing.assert_allclose(falls.get_array(), shown[HEALTHY].falls[0])
    assert falls.get_clim() == (0, pytest.approx(shown[HEALTHY].falls[0].max()))


def test_every_network_is_a_dot_and_hollow_where_the_sign_was_chosen_on_it():
    figure = figures.chosen(TABLE, FOUND["inside"])
    assert_readable(figure)
    for axes, (fault, one) in zip(figure.axes, FOUND["inside"].items(), strict=False):
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        hollow = [line for line in dots if line.get_markerfacecolor() == "white"]
        assert [len(line.get_ydata()) for line in dots] == [8] * 4
        fixed = TABLE[(TABLE["network"] == fault) & (TABLE["seed"] < 8)][one.choice.sign]
        np.testing.assert_allclose(hollow[1].get_ydata(), fixed)
        dashed = next(line for line in axes.lines if line.get_linestyle() == "--")
        assert set(dashed.get_ydata()) == {one.choice.threshold}


def test_areas_stand_in_their_cells():
    found = tables.areas(TABLE)
    assert found.loc["gap", SHUFFLED].estimate == found.loc["falls_beside", LEAK].estimate == 1
    figure = figures.areas(found)
    assert_readable(figure)
    cells = [text for text, _ in texts(figure) if text[:1].isdigit()]
    assert len(cells) == len(SIGNS) * len(FAULTS)
    assert sorted(cells) == sorted(f"{area.estimate:.2f}" for area in found.to_numpy().flatten())
    bold = [text for text in figure.axes[0].texts if text.get_weight() == "bold"]
    assert len(bold) == sum(area.low > 0.5 for area in found.to_numpy().flatten()) > 0


def test_a_confusion_counts_what_was_named_as_what():
    named = pd.DataFrame({"network": [HEALTHY, HEALTHY, LEAK], "said": [HEALTHY, LEAK, LEAK]})
    counts = tables.confusion(named)
    assert counts.to_numpy().tolist() == [[1, 1], [0, 1]]
    every = pd.DataFrame({"network": [HEALTHY, *FAULTS] * 8, "said": [HEALTHY, *FAULTS] * 8})
    figure = figures.confusion({"errors": tables.confusion(every), "all": tables.confusion(every)})
    assert_readable(figure)
    assert [text for text, _ in texts(figure)].count("8") == 2 * (1 + len(FAULTS))


def test_pictures_that_were_kept_are_shown():
    rng = np.random.default_rng(0)
    shapes = {"filters": (24, 3, 3, 3)}
    for layer, maps, side in (("relu3", 6, 35), ("relu5", 2, 67)):
        shapes |= {f"{kind}_{layer}": (maps, side, side, 3) for kind in ("projections", "patches")}
    kept = {n: rng.integers(0, 255, shape).astype(np.uint8) for n, shape in shapes.items()}
    alone = {n: one for n, one in kept.items() if not n.startswith("patches")}  # of photographs
    assert_readable(figures.on_pictures({HEALTHY: alone, LEAK: alone}))
    figure = figures.on_pictures({name: kept for name in (HEALTHY, *FAULTS)})
    assert_readable(figure)
    assert {"layer 3", "layer 5"} <= {text for text, _ in texts(figure)}


def test_tables_say_in_percent_what_is_a_share():
    found = tables.kinds(TABLE).set_index("network")
    assert list(found.index) == list(KINDS)
    assert found.loc[HEALTHY, "test"] == "10.0\u00a0±\u00a00.0"
    assert found.loc[SHUFFLED, "ended"] == "16 of 16"
    shown = tables.inside(TABLE.assign(dead_fc=0.25, rank_fc=0.25), ["dead_fc", "rank_fc"]).set_index("sign")
    assert shown.loc["dead units in the fully connected layers (%)", HEALTHY] == "25.0\u00a0±\u00a00.0"
    assert shown.loc["effective rank of the fully connected layers", HEALTHY] == "0.25\u00a0±\u00a00.00"


def test_the_last_table_says_where_to_look_in_which_direction():
    harm = {fault: telling.harm(TABLE, fault) for fault in FAULTS}
    shown = tables.look_there(FOUND, harm)
    assert list(shown["what to do"]) == [words.remedy for words in FAULTS.values()]
    row = shown.iloc[list(FAULTS).index(SHUFFLED)]
    assert row["among errors"].startswith(
        "more: gap between training and validation error (AUC 1.00\u00a0[0."
    )
    assert row["test error rises by (points)"].startswith("80.8\u00a0[")
    worth = tables.told(FOUND)
    assert len(worth) == 2 * len(FAULTS)
    alone = worth[(worth["fault"] == SHUFFLED) & (worth["chosen among"] == "errors")].iloc[0]
    assert alone["AUC"].startswith("1.00\u00a0[0.76,\u00a01.00]")
    assert alone["wrong at the threshold"] == "0 of 16"


def test_a_sign_that_cannot_be_told_from_chance_is_not_recommended():
    table = TABLE.assign(rank_conv=np.tile([0.0, 1.0], len(TABLE) // 2))
    found = {"maps": {fault: telling.told(table, fault, ["rank_conv"]) for fault in FAULTS}}
    shown = tables.look_there(found, dict.fromkeys(FAULTS))
    assert all(shown["among maps"].str.startswith("none that holds on other seeds (AUC 0.50"))


@pytest.mark.parametrize(
    ("ends", "said"),
    [((0.1, 0.3), "correlate more, as is said"), ((-0.3, -0.1), "correlate less"), ((-0.1, 0.1), "as much")],
)
def test_what_dropout_does_to_correlation_is_said_by_its_interval(ends, said):
    interval = Interval(sum(ends) / 2, *ends, 16, "seeds")
    assert said in tables.co_adaptation(telling.Compared(interval, (0.2, 0.0)))
    assert "not measured" in tables.co_adaptation(None)


def test_what_is_named_rightly_has_its_share_and_wilsons_interval():
    named = pd.DataFrame({"network": list("abab"), "seed": [1, 1, 2, 2], "said": list("abba")})
    (row,) = tables.correctly_named({"all": named}).to_dict("records")
    assert row == {"read from": "all", "networks": 4, "correctly named": "50.0\u00a0[15.0,\u00a085.0]"}


def test_what_chance_reaches_is_its_mean_and_central_95_percent():
    draws = np.linspace(0.1, 0.9, 81)
    (row,) = tables.chance({LEAK: telling.Shuffled(np.ones(81), draws)}).to_dict("records")
    assert row["on the seeds of the choice"] == "1.00\u00a0[1.00,\u00a01.00]"
    assert row["on other seeds"] == "0.50\u00a0[0.12,\u00a00.88]"
