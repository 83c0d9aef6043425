"""Figures of chapter 3's controls: they hold what they should, and nothing leaves the figure."""

import numpy as np
import pandas as pd
import pytest
from drawn import series
from legible import assert_readable

from zfutils.experiments.projections.figures import controls

LAYERS = ("fc8", "fc7", "fc6", "conv5", "conv4", "conv3", "conv2", "conv1")


def test_the_grid_shows_every_picture_by_every_method():
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    names = ["deconvnet", "guided", "gradient", "recorded switches", "centred switches", "random switches"]
    figure = controls.method_grid(images, {name: draw.normal(size=images.shape) for name in names})
    assert_readable(figure)
    (axes,) = figure.axes
    assert len(axes.images) == 3 * 7
    assert [t.get_text().replace("\n", " ") for t in axes.texts] == ["picture", *names]
    np.testing.assert_array_equal(axes.images[1].get_array(), images[1])


def test_zero_is_grey_signs_are_kept_and_each_projection_has_a_contrast_of_its_own():
    projections = np.zeros((3, 2, 2, 3))
    projections[0] = 0.001
    projections[1, 0] = -50.0
    assert controls.in_grey(projections)[0] == pytest.approx(1)
    assert controls.in_grey(projections)[1, 0] == pytest.approx(0)
    assert controls.in_grey(projections)[1, 1] == pytest.approx(0.5)
    assert controls.in_grey(projections)[2] == pytest.approx(0.5)
    one = np.zeros((1, 40, 40, 3))
    one[0, 3, 3] = 7.0  # fewer pixels than the percentile leaves out
    assert controls.in_grey(one).max() == 1


def test_a_grid_of_nothing_or_of_other_shapes_is_refused():
    images = np.zeros((2, 8, 8, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"gradient: shape \(1, 8, 8, 3\) beside pictures of \(2, 8, 8, 3\)"):
        controls.method_grid(images, {"gradient": np.zeros((1, 8, 8, 3))})
    with pytest.raises(ValueError, match="one to seven methods, not 0"):
        controls.method_grid(images, {})


def curves():
    rows = [
        (method, lowest, count, measure, level, level - 0.05, level + 0.02)
        for method, fall in (("deconvnet", 0.02), ("guided", 0.05), ("gradient", 0.2))
        for count, lowest in enumerate(LAYERS, start=1)
        for measure in ("spearman", "ssim")
        for level in [1 - fall * count]
    ]
    return pd.DataFrame(
        rows, columns=["method", "lowest", "randomised", "measure", "estimate", "low", "high"]
    )


def test_the_curves_start_at_the_trained_network_and_go_down_its_layers():
    figure = controls.randomisation(curves())
    assert_readable(figure)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_xticklabels()] == ["none", *LAYERS]
    assert [axes.get_title(loc="left") for axes in (left, right)] == list(controls.TITLES.values())
    deconvnet, ends = series(left)[0]
    assert deconvnet.get_label() == "deconvnet"
    assert deconvnet.get_ydata() == pytest.approx([1 - 0.02 * count for count in range(1, 9)])
    assert ends[0] == pytest.approx([0.93, 1.0])
    with pytest.raises(ValueError, match="the table lacks high, low"):
        controls.randomisation(curves().drop(columns=["low", "high"]))


def by_layer(*networks):
    rows = [
        (network, f"relu{layer}", 0.1 * layer / k, 0.1 * layer / k - 0.05, 0.1 * layer / k + 0.1)
        for k, network in enumerate(networks, start=1)
        for layer in range(1, 6)
    ]
    return pd.DataFrame(rows, columns=["network", "layer", "estimate", "low", "high"])


def test_parts_are_shown_by_layer_and_a_network_looks_the_same_in_both_panels():
    figure = controls.parts_by_layer(
        by_layer("trained", "random", "chance"), by_layer("trained", "random", "masks of another picture")
    )
    assert_readable(figure)
    left, right = figure.axes
    colours = [{line.get_label(): line.get_color() for line, _ in series(axes)} for axes in (left, right)]
    assert colours[0]["trained"] == colours[1]["trained"]
    assert colours[0]["random"] == colours[1]["random"]
    assert len({*colours[0].values(), *colours[1].values()}) == 4
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["trained", "random", "chance", "masks of another picture"]
    assert [label.get_text() for label in left.get_xticklabels()] == ["1", "2", "3", "4", "5"]


def test_a_layer_without_an_interval_is_still_drawn():
    table = by_layer("trained")
    table.loc[0, ["low", "high"]] = np.nan
    figure = controls.parts_by_layer(table, table)
    assert_readable(figure)
    ((line, ends),) = series(figure.axes[0])
    assert len(line.get_ydata()) == 5
    assert np.isnan(ends).all(1).tolist() == [True, False, False, False, False]


def test_more_networks_than_colours_and_missing_columns_are_refused():
    with pytest.raises(ValueError, match="tells 6 networks and controls apart, not 7"):
        controls.parts_by_layer(by_layer(*"abcdefg"), by_layer("a"))
    with pytest.raises(ValueError, match="the table lacks estimate"):
        controls.parts_by_layer(by_layer("a").drop(columns="estimate"), by_layer("a"))
