"""Figures and tables of chapter 10: every map where it belongs, and every word legible."""

import numpy as np
import pytest
from legible import assert_readable

from zfutils.experiments.lenet import choice, covering_figures, figures, tables
from zfutils.experiments.lenet.covering import Covered
from zfutils.experiments.lenet.patterns import Patterns
from zfutils.nets import zoo
from zfutils.training.evaluation import Scores

CLASSES = tuple("0123456789")
PAGE = 950  # px, the width at which a page shows a figure that takes the margin as well


def pictures(n=10):
    return np.random.default_rng(0).integers(0, 256, (n, 28, 28, 1), dtype=np.uint8)


def normal(*shape):
    return np.random.default_rng(1).normal(size=shape)


def tile_width(axes, count):
    """Of a panel's tiles on the page (px)."""
    return axes.get_position().width * PAGE / count


def test_a_board_of_the_second_layer_is_legible_and_its_tiles_are_large_enough():
    lines = [{name: normal(10, 16, side, side)} for name, side in (("filtered", 10), ("pooled", 5))]
    figure = figures.maps(pictures(), lines)
    assert_readable(figure)
    digits, first, _, second, bar = figure.axes
    for axes, count in ((digits, 1), (first, 16), (second, 16)):
        assert tile_width(axes, count) >= 48
    assert [label.get_text() for label in first.get_xticklabels()] == [str(n) for n in range(16)]
    np.testing.assert_allclose(first.get_position().width / 16, digits.get_position().width)
    assert bar.get_xlim() == pytest.approx((-most(lines), most(lines)))


def most(lines):
    return max(np.abs(values).max() for line in lines for values in line.values())


def test_a_map_stands_in_its_column_and_row_on_the_scale_of_its_layer():
    values = np.zeros((10, 6, 14, 14))
    values[3, 4], values[5, 1] = 2, -1
    page = figures.maps(pictures(), [{"filtered": values}]).axes[1].images[0].get_array()
    step = figures.SIDE + figures.GAP
    middle = {(r, c): page[r * step + 70, c * step + 70].astype(int) for r in range(10) for c in range(6)}
    red, blue, white = middle.pop((3, 4)), middle.pop((5, 1)), middle[0, 0]
    assert red[0] > 2 * red[2]
    assert blue[2] > blue[0]
    assert all((other == white).all() for other in middle.values())
    assert np.abs(white - 247).max() <= 3
    half = (
        figures.maps(pictures(), [{"filtered": -values}])
        .axes[1]
        .images[0]
        .get_array()[5 * step + 70, step + 70]
    )
    assert red[0] < half[0]  # 1 of 2 is paler than 2 of 2


def test_projections_of_a_map_share_a_scale_and_those_of_units_do_not():
    values = np.zeros((10, 2, 28, 28))
    values[0, 0], values[1, 0] = 1, 0.5
    step = figures.SIDE + figures.GAP

    def greys(axes):
        return [int(axes.images[0].get_array()[row * step + 70, 70, 0]) for row in range(3)]

    assert greys(figures.projected_maps(pictures(), [{"whole map": values}]).axes[1]) == [255, 191, 128]
    found = Patterns(values, np.array([[7, 11]] * 10), np.ones((10, 2)))
    figure = figures.projected_units(pictures(), {"layer 3": found, "layer 4": found})
    assert_readable(figure)
    assert greys(figure.axes[1]) == [255, 255, 128]
    assert [t.get_text() for t in figure.axes[1].texts] == ["7", "11"] * 10
    rows = figures.columns(pictures(), {"max": values[:, 0], "average": values[:, 1]})
    assert_readable(rows)
    assert [t.get_text() for t in rows.axes[0].texts] == ["digit", "max", "average"]


def test_the_most_active_maps_are_shown_under_their_own_numbers_and_large():
    activations = np.array([[1.0, 9, 0, 3], [5, 9, 0, 4]])
    assert choice.most_active(activations, 2) == [1, 3]
    figure = figures.projected_maps(pictures(5), [{"whole map": normal(5, 8, 28, 28)}], chosen=range(3, 11))
    assert_readable(figure)
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == [str(n) for n in range(3, 11)]
    assert tile_width(figure.axes[1], 8) >= 96


def test_units_of_a_layer_share_a_scale_and_every_class_has_its_score():
    given = {
        "layer 3": {"filtered": normal(10, 120), "rectified": normal(10, 120).clip(0)},
        "layer 4": {"filtered": 9 * normal(10, 84)},
        "layer 5": {"scores": normal(10, 10)},
    }
    figure = figures.units(given, CLASSES)
    assert_readable(figure)
    strips = figure.axes[:4]
    assert strips[0].images[0].get_clim() == strips[1].images[0].get_clim()
    assert strips[2].images[0].get_clim()[1] > 2 * strips[1].images[0].get_clim()[1]
    assert [int(t.get_text()) for t in strips[2].get_xticklabels()] == [0, 20, 40, 60, 80]
    assert [t.get_text() for t in strips[3].get_xticklabels()] == list(CLASSES)


def test_what_is_written_out_and_the_package_stand_on_one_scale():
    one = normal(28, 28)
    figure = figures.by_hand(pictures(1)[0], one, one)
    assert_readable(figure)
    clims = [axes.images[0].get_clim() for axes in figure.axes[1:]]
    assert clims == [(-np.abs(one).max(), np.abs(one).max())] * 3
    assert not figure.axes[3].images[0].get_array().any()


def found(n=10, p=10):
    draw = np.random.default_rng(2)
    probabilities = draw.dirichlet(np.ones(10), (n, p, p))
    return Covered(7, np.arange(p) * 3 + 0, np.arange(n), probabilities, draw.dirichlet(np.ones(10), n))


def test_covered_digits_show_falls_and_readings_at_their_positions():
    measured = found()
    figure = covering_figures.covered(pictures(), measured, CLASSES)
    assert_readable(figure)
    grid = np.array(figure.axes[:30]).reshape(3, 10)
    for i in range(10):
        np.testing.assert_allclose(grid[1, i].images[0].get_array(), measured.fall[i])
        np.testing.assert_array_equal(grid[2, i].images[0].get_array(), measured.read[i] != i)
        assert grid[1, i].images[0].get_extent() == [-1.5, 28.5, 28.5, -1.5]
        others = [n for n in measured.read[i].flatten() if n != i]
        assert grid[2, i].get_xlabel()[0] in {CLASSES[n] for n in others}


def test_confusions_are_counted_in_their_cells():
    counts = np.diag(np.arange(10) + 2990)
    counts[4, 9] = 17
    figure = covering_figures.confusions({"whole": np.eye(10, dtype=int) * 30, "covered": counts}, CLASSES)
    assert_readable(figure)
    cells = {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in figure.axes[1].texts}
    assert cells[4, 9] == "17"
    assert cells[9, 9] == "2999"
    assert len(cells) == 11
    assert figure.axes[1].images[0].get_array()[4, 9] == pytest.approx(17 / (2994 + 17))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.maps(pictures(), [{"filtered": normal(9, 6, 28, 28)}]),
        lambda: figures.projected_maps(pictures(), [{"whole map": normal(9, 6, 28, 28)}]),
        lambda: figures.columns(pictures(), {"max": normal(9, 28, 28)}),
        lambda: figures.units({"layer 3": {"filtered": normal(9, 120)}}, CLASSES),
        lambda: covering_figures.covered(pictures(), found(9), CLASSES),
    ],
)
def test_other_digits_than_are_shown_are_refused(draw):
    with pytest.raises(ValueError, match="10 digits beside a panel of 9"):
        draw()


# ---- tables


def test_the_table_of_layers_has_every_weight():
    table = tables.layers(zoo.lenet5())
    assert table["layer"].tolist() == ["conv1", "pool1", "conv2", "pool2", "fc3", "fc4", "fc5"]
    assert table["one value sees (px)"].tolist() == ["5×5", "6×6", "14×14", "16×16"] + ["the whole digit"] * 3
    weights = [int(w.replace(",", "")) for w in table["weights and biases"] if w != "–"]
    assert sum(weights) == 61_706
    assert "rectification" not in table["what it does"].iloc[-1]


def test_an_error_has_its_interval_and_random_weights_no_training():
    probabilities = np.eye(10)[np.array([0] * 3 + [1] * 97)]
    scores = Scores(probabilities, np.ones(100, dtype=int))
    assert tables.error(scores).estimate == pytest.approx(3)
    row = tables.errors({"random": (scores, None)}).iloc[0]
    assert row["test error (%)"] == "3.00\u00a0[1.03,\u00a08.45]"
    assert (row["n"], row["how the training ended"], row["seconds"]) == ("100", "–", "–")


def test_a_mean_leaves_out_what_is_not_known():
    assert tables.mean(np.array([0.5] * 9 + [np.nan])) == "0.50\u00a0[0.50,\u00a00.50]"
    assert tables.mean(np.array([0.5, np.nan])) == "–"


def test_active_units_are_means_over_digits():
    given = np.array([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]])  # 25, 50 and 75 %: t 4.303, half 62.1
    said = tables.active({"layer 3": given, "layer 4": np.ones((3, 2))}).replace("\u00a0", " ")
    assert said.startswith("Of layer 3's units 50 % [−12, 112] are active for a digit, of layer 4's 100 % [")
    assert "over these 3 digits" in said


def test_projections_of_one_pattern_are_alike_and_hold_half_their_energy_in_few_pixels():
    pixels = np.zeros((20, 2, 2, 2))
    pixels[:, 0, 0, 0], pixels[:, 1, 0, 0], pixels[:, 1, 1, 1] = 2, 1, 1
    found = Patterns(pixels, np.zeros((20, 2), int), np.ones((20, 2)))
    assert tables.alike([found]) == ["0.71\u00a0[0.71,\u00a00.71]"]  # cos 45°
    one = Patterns(pixels[:, :1], np.zeros((20, 1), int), np.ones((20, 1)))
    columns = tables.of_classes([one], np.repeat(range(10), 2))
    assert columns == {
        "two digits of a class alike": ["1.00\u00a0[1.00,\u00a01.00]"],
        "half the energy (px)": ["1\u00a0[1,\u00a01]"],
    }
