"""Figures of chapter 5: what they are given stands in them, and no label covers another."""

import numpy as np
import pandas as pd
import pytest
from drawn import series
from legible import assert_readable

from zfutils.experiments.invariance import figures
from zfutils.experiments.invariance.feature_distances import LAYERS, Responses
from zfutils.experiments.invariance.summaries import curve_table
from zfutils.experiments.invariance.transformed_images import paper_amounts
from zfutils.plotting.style import CYCLE, FAINT

KINDS = ("translation", "scale", "rotation")


def found(kind, n=5, *, seed=0, steps=9):
    """Answers that rise with the change, less in higher layers."""
    draw, amounts = np.random.default_rng(seed), paper_amounts(kind, side=128, steps=steps)
    far = np.abs(amounts - amounts[steps // 2 if kind == "translation" else 0])
    rise = (far / far.max())[None, :, None] * draw.uniform(0.5, 1.2, (n, 1, 1)) / np.arange(1, 8) ** 0.3
    chances = 1 - rise[..., 0] / 1.3
    return Responses(kind, amounts, LAYERS, np.arange(n), rise, chances, chances.max(1), np.ones(7))


def tiles(n=5, shown=5):
    return np.random.default_rng(0).integers(0, 256, (n, shown, 24, 24, 3), dtype=np.uint8)


def test_the_papers_figure_holds_pictures_curves_and_the_random_network_behind_them():
    trained, random = ({kind: found(kind, seed=seed) for kind in KINDS} for seed in (0, 1))
    figure = figures.fig_5(trained, random, dict.fromkeys(KINDS, tiles()))
    assert_readable(figure)
    panels = np.array(figure.axes).reshape(3, 4)
    for row, kind in zip(panels, KINDS, strict=True):
        assert [len(axes.images) for axes in row] == [25, 0, 0, 0]
        assert row[0].get_title(loc="left") == figures.TITLES[kind]
        for axes, layer in zip(row[1:3], (0, 6), strict=True):
            lines = {line.get_color(): line for line in axes.lines}
            np.testing.assert_array_equal(lines[CYCLE[2]].get_ydata(), trained[kind].distances[2, :, layer])
            assert sum(line.get_color() == FAINT for line in axes.lines) == 5
            behind = max(line.get_zorder() for line in axes.lines if line.get_color() == FAINT)
            assert behind < lines[CYCLE[2]].get_zorder()
        np.testing.assert_array_equal(row[3].lines[-1].get_ydata(), trained[kind].probabilities[-1])
    assert len({axes.get_ylim() for axes in panels[:, 1:3].flat}) == 1  # one scale of distance for all


def test_a_picture_has_the_same_colour_and_marker_beside_its_tiles_and_in_its_curves():
    answers = {"scale": found("scale", 3)}
    figure = figures.fig_5(answers, answers, {"scale": tiles(3)})
    keys = [(line.get_color(), line.get_marker()) for line in figure.axes[0].lines]
    curves = [(line.get_color(), line.get_marker()) for line in figure.axes[1].lines]
    assert len(set(keys)) == 3
    assert [c for c in curves if c in keys] == keys


def curves():
    return pd.concat(
        curve_table({name: found(kind, 12, seed=seed) for seed, name in enumerate(("trained", "random"))})
        for kind in KINDS
    )


def test_every_layer_has_its_curve_in_every_network_and_training_is_shaded():
    seen = {"translation": [(-8, 8)], "rotation": [(0, 15), (345, 360)]}
    figure = figures.every_layer(curves(), seen=seen)
    assert_readable(figure)
    panels = np.array(figure.axes).reshape(3, 3)
    assert [len(axes.collections) for axes in panels[:2].flat] == [7] * 6
    assert [len(axes.collections) for axes in panels[2]] == [1, 1, 1]  # the trained network's
    assert [len(axes.patches) for axes in panels[0]] == [1, 0, 2]
    own = curves().query("network == 'random' and kind == 'scale' and layer == 'relu4'")
    np.testing.assert_allclose(panels[1, 1].lines[3].get_ydata(), own["estimate"])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [*(f"layer {i}" for i in range(1, 8)), "in training"]


def test_two_ways_are_compared_by_colour_and_two_networks_by_dashes():
    table = pd.concat([curves().assign(what=what) for what in ("whole picture", "object alone, drawn again")])
    figure = figures.compared(table, by="what")
    assert_readable(figure)
    assert len(figure.axes) == 9
    styles = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
    assert len(styles) == 4
    assert [line.get_linestyle() for line in figure.axes[2].lines] == ["-", "-"]  # of probabilities
    assert len(figure.legends[0].get_texts()) == 4


def test_one_kind_alone_is_a_figure_of_one_row():
    table = curves().query("kind == 'rotation'").assign(object="with symmetry")
    figure = figures.compared(table, by="object")
    assert_readable(figure)
    assert len(figure.axes) == 3


def numbers(level=1.0):
    rows = [
        (network, layer, level / i, level / i - 0.05, level / i + 0.1)
        for network in ("trained", "random")
        for i, layer in enumerate(LAYERS, 1)
    ]
    return pd.DataFrame(rows, columns=["network", "layer", "estimate", "low", "high"])


@pytest.mark.parametrize("count", [1, 3, 5, 6])
def test_numbers_by_layer_have_a_panel_each_with_intervals(count):
    tables = {f"Translation {i}\nslope, per 1 % of the side": numbers(1 + i) for i in range(count)}
    figure = figures.by_layer(tables)
    assert_readable(figure)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == count
    assert shown[0].get_ylabel() == "slope, per 1 % of the side"
    assert shown[0].get_title(loc="left") == "Translation 0"
    trained, ends = series(shown[-1])[0]
    assert trained.get_ydata() == pytest.approx([count / i for i in range(1, 8)])
    assert ends[0] == pytest.approx([count - 0.05, count + 0.1])
    assert [t.get_text() for t in shown[0].get_xticklabels()] == list("1234567")
