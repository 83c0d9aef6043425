"""Networks side by side, from outcomes made by hand; figures and tables hold what they are given."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from legible import assert_readable
from small import SPEC

from zfutils.experiments.pooling import figures, networks, tables
from zfutils.experiments.pooling.comparisons import RANDOM, TRAINED, OverSeeds, curve_table
from zfutils.experiments.pooling.tolerance import KINDS, LAYERS, Tolerance
from zfutils.nets.geometry import Window
from zfutils.stats.intervals import Interval
from zfutils.training.outcomes import NOT_RUN, Answers, Outcome

N = 16
PLAIN = replace(SPEC, pooling="max")
BLURRED = replace(SPEC, pooling="blurred")


def outcome(kept, correct, *, wrong=4, beyond=(0.5, 0.4, 0.2), spec=PLAIN, training_error=0.0):
    """A network that errs on the first `wrong` pictures."""
    labels = np.zeros(N, dtype=int)
    ranks = (np.arange(N) < wrong).astype(int)
    answers = {1: Answers(labels, ranks, ranks, np.zeros(N), 3)}
    history = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]})
    made = {"training_error": training_error, "seconds": 1.0}
    measured = {"kept": np.broadcast_to(np.array(kept, np.uint8), (N, 4)), "correct": np.array(correct)}
    measured["beyond"] = np.array([[0.6, 0.6, 0.6], beyond], np.float32)
    return Outcome({"spec": spec.to_dict()}, {}, made, history, answers, measured=measured)


FIRST = np.arange(N) < 12
FINE = {
    0: outcome([4, 3, 2, 1], FIRST, wrong=4),
    1: outcome([4, 4, 2, 2], FIRST, wrong=8, training_error=0.5),
}
BLUR = {
    0: outcome([4, 4, 4, 4], ~FIRST | (np.arange(N) < 4), beyond=(0.5, 0.1, 0.3), spec=BLURRED),
    1: outcome([4, 4, 4, 2], ~FIRST, spec=BLURRED),
}
BOTH = {"fine": FINE, "blurred": BLUR}


def test_errors_and_energy_are_those_of_each_seed():
    assert networks.errors(FINE) == {0: 25, 1: 50}
    assert networks.beyond(BLUR) == pytest.approx({0: 0.2, 1: 0.3})  # conv1 is left out
    assert networks.beyond(BLUR, first=True) == pytest.approx({0: 0.5, 1: 0.5})
    whole = replace(SPEC.convolutions[0], window=Window(5, 1, 0))
    unstrided = replace(SPEC, convolutions=(whole, *SPEC.convolutions[1:]))
    other = {0: outcome([4] * 4, FIRST, beyond=(0.4, 0.2, 0), spec=unstrided)}
    other[0].measured["beyond"] = other[0].measured["beyond"][:, :2]
    assert networks.beyond(other) == pytest.approx({0: 0.3})
    assert networks.beyond(other, first=True) == {}


def test_labels_are_compared_where_both_networks_of_a_seed_are_right():
    kept = np.full((N, 4), 4)
    kept[:4] = 3
    some = {0: outcome([0, 0, 0, 0], FIRST)}
    some[0].measured["kept"] = kept
    assert networks.labels_kept(some, BLUR) == {0: 75}  # pictures 0 to 3 alone
    assert networks.labels_kept(BLUR, some) == {0: 100}
    assert networks.labels_kept({1: FINE[1]}, BLUR) == {}, "no picture that both know"
    assert networks.labels_kept({5: FINE[1]}, BLUR) == {}


def test_the_share_of_ended_trainings_is_known_when_both_networks_were_run():
    assert networks.ended(FINE, BLUR) == 0.75
    assert networks.ended(FINE, {}) is None


def test_the_label_table_counts_directions_of_all_pictures_and_of_those_known_to_all():
    table = networks.label_table(BOTH).set_index(["network", "seed", "pictures", "shift"])
    assert table.loc[("fine", 0, "all images", 3), "share"] == 50
    assert table.loc[("fine", 0, "those that all classify correctly", 1), "n"] == 4
    assert np.isnan(table.loc[("fine", 1, "those that all classify correctly", 1), "share"])


def test_poolings_with_and_without_a_blur_stand_at_one_place():
    table = networks.energy_table(BOTH)
    assert set(table["layer"]) == {"convolution 1", "pooling 1", "pooling 2"}
    assert len(table) == 2 * 2 * 2 * 3
    own = table[(table["network"] == "blurred") & (table["seed"] == 0) & (table["layer"] == "pooling 1")]
    assert own.set_index("weights")["share"].to_dict() == pytest.approx({RANDOM: 0.6, TRAINED: 0.1})


# ---- shown


def some_curves():
    rise = np.linspace(0.1, 0.9, 4)[None, :, None] + 0.01 * np.arange(9)[:, None, None]
    values = np.broadcast_to(rise, (9, 4, 6)) / np.arange(1, 7)
    found = {
        (network, kind): Tolerance(np.arange(1.0, 5), LAYERS, values, 1 - values)
        for network in (TRAINED, RANDOM)
        for kind in KINDS
    }
    return found, curve_table(found)


def test_curves_show_maps_before_and_after_in_both_networks():
    _, table = some_curves()
    figure = figures.curves(table, "distances")
    assert_readable(figure)
    assert len(figure.axes) == 9
    assert [len(axes.lines) for axes in figure.axes] == [4] * 9
    line = figure.axes[1].lines[1]
    own = table[(table["layer"] == "pool2") & (table["network"] == TRAINED) & (table["kind"] == "shift")]
    own = own[own["measure"] == "distances"]
    assert line.get_ydata() == pytest.approx(own["estimate"].to_numpy())
    moving = figures.curves(table, "stayed", steps=dict.fromkeys(LAYERS, 4))
    assert_readable(moving)
    assert [len(axes.lines) for axes in moving.axes] == [6] * 3 + [4] * 6
    with pytest.raises(ValueError, match="measure is 'speed'; allowed are distances, stayed"):
        figures.curves(table, "speed")


def test_networks_are_drawn_seed_by_seed():
    labels = figures.labels(networks.label_table(BOTH))
    assert_readable(labels)
    assert [text.get_text() for text in labels.legends[0].get_texts()] == ["fine", "blurred"]
    np.testing.assert_allclose(labels.axes[0].lines[0].get_ydata(), [100, 87.5, 50, 37.5])
    energy = figures.energy(networks.energy_table(BOTH))
    assert_readable(energy)
    drawn = [offset[1] for part in energy.axes[0].collections for offset in part.get_offsets()]
    assert sorted(drawn) == pytest.approx(sorted(networks.energy_table(BOTH)["share"]))


def test_projections_keep_the_size_of_a_pixel():
    draw = np.random.default_rng(0)
    tiles = {
        name: draw.integers(0, 256, (9, side, side, 3), dtype=np.uint8)
        for name, side in (("a", 7), ("b", 11))
    }
    figure = figures.projections({"relu2": tiles, "relu3": tiles})
    assert_readable(figure)
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    widths = [axes.images[0].get_array().shape[1] for axes in figure.axes[:2]]
    assert widths == [2 * 28 + 4, 2 * 44 + 4]


def test_tables_say_what_was_not_run():
    table = tables.outcomes(BOTH | {"coarse": {}}).set_index("network")
    assert table.loc["coarse", ["seeds", "error, %", "scores"]].tolist() == [0, "–", NOT_RUN]
    assert table.loc["fine", "error, %"].startswith("37.5\u00a0[0.0,\u00a0100.0]")
    assert table.loc["fine", "ended"] == "1 of 2"
    assert table.loc["fine", "label kept at 4 px, %"].startswith("37.5")
    assert table.loc["blurred", "last fall of the loss, %"] == "50.0, 50.0"


def test_windows_are_listed_in_the_order_in_which_they_slide():
    table = tables.first_layers({"fine": PLAIN, "blurred": BLURRED}).set_index("network")
    assert list(table) == [
        "convolution 1",
        "max pooling 1",
        "blur 1",
        *["convolution 2", "max pooling 2", "blur 2"],
    ]
    assert table.loc["fine"].tolist() == ["5/2", "3/2", "–", "3/1", "3/2", "–"]
    assert table.loc["blurred"].tolist() == ["5/2", "3/1", "3/2", "3/1", "3/1", "3/2"]


def test_the_gains_of_each_pooling_are_in_the_table():
    found, _ = some_curves()
    table = tables.gains(found)
    assert len(table) == 9
    # distances r and r / 2 before and after: r / 2, mean 0.54 / 2
    assert table.iloc[0][TRAINED].startswith("0.270")
    assert table.iloc[0]["difference"] == "0.000\u00a0[0.000,\u00a00.000]"


def test_where_maps_end_and_what_learning_does_first_are_said_in_sentences():
    found, _ = some_curves()
    moved = np.zeros(6)
    moved[LAYERS.index("pool2")], moved[LAYERS.index("pool5")] = 0.1, -0.1
    for kind in KINDS:
        found[TRAINED, kind] = replace(found[TRAINED, kind], distances=found[TRAINED, kind].distances + moved)
    assert "in 3 of 9 panels and nearer in 3 " in tables.distances_after(found)
    said = tables.energy_at_first(networks.energy_table(BOTH))
    fine, blurred = said.split("; ")
    assert "for *fine* it is 60.0" in fine
    assert " and 50.0" in fine
    assert blurred.startswith("for *blurred* it is 60.0")


def compared(low, high):
    middle, one = (low + high) / 2, Interval(1.0, 0.9, 1.1, 3, "seeds")
    return OverSeeds(one.shifted(middle), one, Interval(middle, low, high, 3, "seeds"), 0.5)


def test_the_table_of_arms_has_a_dash_for_what_could_not_be_measured():
    arms = tables.arms({"a": compared(0.1, 0.2), "b": None}).set_index("quantity")
    assert arms.loc["a", "control"] == "1.0\u00a0[0.9,\u00a01.1]"
    assert arms.loc["a", "difference"] == "0.2\u00a0[0.1,\u00a00.2]"
    assert arms.loc["b"].tolist() == ["–"] * 5
