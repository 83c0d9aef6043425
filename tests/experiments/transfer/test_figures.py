"""Figures of chapter 9: what they are given stands in them, and no label covers another."""

import numpy as np
import pandas as pd
import pytest
from drawn import series
from legible import assert_readable, texts

from zfutils.experiments.transfer import figures
from zfutils.experiments.transfer.probing import curves

DRAW = np.random.default_rng(0)
NETWORKS = ("pretrained", "main network", "random weights", "colour histogram", "raw pixels", "from scratch")
LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5", "relu7")
CLASSES = ("aeroplane", "bicycle", "pottedplant", "tvmonitor")


def results(networks=NETWORKS, steps=(1, 3, 6, 15, 30, 45, 60), layers=("relu7",), kinds=("softmax",)):
    return pd.DataFrame(
        {
            "network": network,
            "layer": layer,
            "classifier": kind,
            "per_class": n,
            "fold": fold,
            "accuracy": DRAW.uniform(0.2, 0.9),
        }
        for network in networks
        for layer in layers
        for kind in kinds
        for n in steps
        for fold in range(5)
    )


def scored(shift=0.0):
    precision = np.linspace(0.5, 0.9, len(CLASSES)) - shift
    columns = {"class": CLASSES, "precision": precision, "share": 0.2, "above": (precision - 0.2) / 0.8}
    return pd.DataFrame(columns | {"positives": 40})


def test_every_fold_is_a_dot_and_every_mean_has_its_interval():
    table = results()
    means = curves(table)
    figure = figures.learning_curves(table, means, chance=1 / 8, paper={})
    assert_readable(figure)
    (axes,) = figure.axes
    assert {"1", "3", "6", "15", "30", "45", "60"} <= {text for text, _ in texts(figure)}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*NETWORKS, "chance"]
    dots = [line for line in axes.lines if (line.get_marker(), line.get_markersize()) == ("o", 4)]
    assert sorted(y for line in dots for y in line.get_ydata()) == pytest.approx(
        sorted(100 * table["accuracy"])
    )
    for (line, ends), network in zip(series(axes), NETWORKS, strict=True):
        own = means[means["network"] == network]
        assert line.get_label() == network
        np.testing.assert_allclose(line.get_ydata(), own["accuracy"])
        np.testing.assert_allclose(line.get_xdata() / own["per_class"], 1, atol=0.1)
        np.testing.assert_allclose(ends, own[["low", "high"]])
    assert axes.get_xscale() == "log"


def test_the_papers_curve_and_values_without_an_interval_are_shown():
    table = results(("pretrained",), steps=(2, 4)).query("fold == 0")
    said = pd.DataFrame({"per_class": [2, 4], "mean": [80.0, 90.0]})
    figure = figures.learning_curves(table, curves(table), chance=0.1, paper={"the paper, Caltech-101": said})
    assert_readable(figure)
    assert "the paper, Caltech-101" in {text for text, _ in texts(figure)}


def test_every_layer_stands_in_its_classifiers_panel():
    means = curves(results(("pretrained", "random weights"), (30,), LAYERS, ("svm", "softmax")))
    figure = figures.layers(means)
    assert_readable(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["linear SVM", "softmax"]
    for axes, kind in zip(figure.axes, ("svm", "softmax"), strict=True):
        for (line, _), network in zip(series(axes), ("pretrained", "random weights"), strict=True):
            own = means[(means["network"] == network) & (means["classifier"] == kind)]
            np.testing.assert_allclose(line.get_ydata(), own["accuracy"])
            assert np.rint(line.get_xdata()).tolist() == [0, 1, 2, 3, 4, 5]


def test_every_class_has_its_line_and_a_network_its_colour_filled_for_the_first_set():
    tables = {
        "one object": {"a": scored(), "b": scored(0.1)},
        "several objects": {"a": scored(0.2), "b": scored(0.3)},
    }
    figure = figures.precisions(tables)
    assert_readable(figure)
    (axes,) = figure.axes
    assert {*CLASSES, "a, one object", "b, several objects"} <= {text for text, _ in texts(figure)}
    drawn = {line.get_label(): line for line in axes.lines}
    order = np.argsort(-tables["one object"]["a"]["above"].to_numpy(), kind="stable")  # the best class on top
    assert [label.get_text() for label in axes.get_yticklabels()] == [CLASSES[i] for i in order]
    for name, own in tables.items():
        for network, table in own.items():
            line = drawn[f"{network}, {name}"]
            np.testing.assert_allclose(line.get_xdata(), table["above"].to_numpy()[order])
            assert np.rint(line.get_ydata()).tolist() == [0, 1, 2, 3]
            assert (line.get_markerfacecolor() == "white") == (name == "several objects")
    assert len({line.get_color() for name, line in drawn.items() if name.startswith("a")}) == 1


@pytest.mark.parametrize("n", [1, 4, 9])
def test_pairs_stand_one_over_the_other(n):
    first, second = (DRAW.integers(0, 256, (n, k, k, 3), dtype=np.uint8) for k in (8, 12))
    figure = figures.pairs(first, second, [f"0.9{i}" for i in range(n)])
    assert_readable(figure)
    images = figure.axes[0].images
    assert [image.get_array().shape[0] for image in images] == [8, 12] * n
    for above, below in zip(images[::2], images[1::2], strict=True):
        assert above.get_extent()[:2] == below.get_extent()[:2]
        assert above.get_extent()[2] < below.get_extent()[3] + 0.05
