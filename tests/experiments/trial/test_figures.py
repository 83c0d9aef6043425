"""Figures of chapter 14: they hold what they should, and nothing leaves the figure."""

import numpy as np
import pandas as pd
import pytest
from drawn import series
from legible import assert_readable

from zfutils.experiments.trial import figures
from zfutils.experiments.trial.convergence import ONE_RECTIFICATION

LAYERS = ("fc8", "fc7", "fc6", "conv5", "conv4", "conv3", "conv2", "conv1")
METHODS = {"deconvnet": 0.02, "guided": 0.05, "gradient": 0.1}


def test_the_grid_shows_every_unit_in_every_column():
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    names = ["deconvnet", "guided", "gradient", "tiles shuffled", "another image's", "random weights"]
    columns = {"image": images} | {name: draw.normal(size=images.shape) for name in names}
    columns["the other image"] = images[::-1]
    figure = figures.grid(columns)
    assert_readable(figure)
    (axes,) = figure.axes
    assert len(axes.images) == 3 * 8
    assert [t.get_text().replace("\n", " ") for t in axes.texts] == list(columns)
    np.testing.assert_array_equal(axes.images[1].get_array(), images[1])
    np.testing.assert_array_equal(axes.images[-1].get_array(), images[0])


def test_zero_is_grey_signs_are_kept_and_each_projection_has_a_contrast_of_its_own():
    projections = np.zeros((3, 2, 2, 3))
    projections[0] = 0.001
    projections[1, 0] = -50.0
    assert figures.in_grey(projections)[0] == pytest.approx(1)
    assert figures.in_grey(projections)[1, 0] == pytest.approx(0)
    assert figures.in_grey(projections)[1, 1] == pytest.approx(0.5)
    assert figures.in_grey(projections)[2] == pytest.approx(0.5)
    one = np.zeros((1, 40, 40, 3))
    one[0, 3, 3] = 7.0  # fewer pixels than the percentile leaves out
    assert figures.in_grey(one).max() == 1


def with_ends(rows):
    return pd.DataFrame(
        [row | {"low": row["estimate"] - 0.05, "high": row["estimate"] + 0.02} for row in rows]
    )


def test_two_maps_and_two_pictures_are_drawn_layer_by_layer_for_each_network():
    table = with_ends(
        {"network": network, "layer": f"relu{n}", "pair": pair, "estimate": level * n / 5}
        for network in ("trained", "random")
        for n in range(1, 6)
        for pair, level in (("same_picture", 0.9), ("same_map", 0.4))
    )
    figure = figures.by_layer(table)
    assert_readable(figure)
    left, right = figure.axes
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["trained network", "random weights"]
    assert [label.get_text() for label in left.get_xticklabels()] == list("12345")
    (same_picture, _), (same_map, ends) = series(right)
    assert same_picture.get_ydata() == pytest.approx(0.18 * np.arange(1, 6))
    assert same_map.get_label() == "one map, two images"
    assert ends[-1] == pytest.approx([0.35, 0.42])


def test_every_order_of_randomisation_has_its_panels_and_controls_have_no_line():
    orders = {"control": ["another class", "another image"], "cascading": LAYERS, "independent": LAYERS}
    curves = with_ends(
        {"method": method, "order": order, "layer": layer, "measure": measure, "estimate": 1 - fall * (i + 1)}
        for order, layers in orders.items()
        for i, layer in enumerate(layers)
        for method, fall in METHODS.items()
        for measure in ("spearman", "ssim")
    )
    figure = figures.randomisation(curves)
    assert_readable(figure)
    panels = np.array(figure.axes).reshape(2, 3)
    assert [axes.get_ylabel() for axes in panels[:, 0]] == ["rank correlation", "SSIM"]
    deconvnet, ends = series(panels[0, 0])[0]
    assert deconvnet.get_ydata() == pytest.approx([1 - 0.02 * i for i in range(1, 9)])
    assert ends[0] == pytest.approx([0.93, 1.0])
    ticks = [label.get_text() for label in panels[1, 1].get_xticklabels()]
    assert ticks == list(LAYERS)
    (gradient, _) = series(panels[1, 2])[2]
    assert gradient.get_linestyle() == "None"
    assert gradient.get_ydata() == pytest.approx([0.9, 0.8])


def test_signals_of_two_starts_are_drawn_above_and_in_two_images_below():
    curves = with_ends(
        {
            "network": network,
            "method": method,
            "layer": layer,
            "kind": kind,
            "estimate": sign * fall * i + start,
        }
        for network in ("trained", "random")
        for method, fall in METHODS.items()
        for i, layer in enumerate(("start", *LAYERS))
        for kind, start, sign in (("same_picture", 0.1, 1), ("same_start", 0.9, -1))
    )
    figure = figures.convergence(curves)
    assert_readable(figure)
    left, _, below, _ = figure.axes
    assert [len(series(axes)) for axes in figure.axes] == [3] * 4
    assert series(below)[0][0].get_ydata() == pytest.approx([0.9 - 0.02 * i for i in range(9)])
    assert [label.get_text() for label in below.get_xticklabels()][:2] == ["start", "below fc8"]
    assert any(np.allclose(line.get_ydata(), ONE_RECTIFICATION) for line in left.lines)
