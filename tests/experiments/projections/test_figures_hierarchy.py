"""Figures of the hierarchy: they show the table's own numbers, and every label can be read."""

import numpy as np
import pandas as pd
import pytest
from drawn import series
from legible import assert_readable, texts

from zfutils.experiments.projections.figures import hierarchy

MEASURES = ("likeness", "orientation", "colour", "texture", "class")


def table(measures=MEASURES, layers=range(1, 6)):
    """Estimates 0.1, 0.2, … of trained and half of that of random weights; bars of 0.02 and 0.03."""
    rows = [
        (layer, network, measure, factor * layer, factor * layer - 0.02, factor * layer + 0.03, 40)
        for measure in measures
        for network, factor in (("trained", 0.1), ("random", 0.05))
        for layer in layers
        if measure != "texture" or layer > 1
    ]
    return pd.DataFrame(rows, columns=["layer", "network", "measure", "estimate", "low", "high", "n"])


def correlations():
    """Three maps of two layers; the last map of layer 2 has no pairs."""
    rows = [
        (layer, network, number, share + 0.1 * number, 0.01 * number)
        for layer in (4, 5)
        for network, share in (("trained", 0.5), ("random", 0.2))
        for number in range(3)
    ]
    frame = pd.DataFrame(rows, columns=["layer", "network", "map", "within", "across"])
    frame.loc[len(frame) - 1, ["within", "across"]] = np.nan
    return frame


def test_every_measure_has_a_panel_with_its_estimates_and_bars_of_both_networks():
    figure = hierarchy.hierarchy(table(), chance={"class": 0.28, "colour": 2 / 3})
    assert_readable(figure)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [hierarchy.TITLES[m][0] for m in hierarchy.TITLES]
    for axes in figure.axes:
        drawn = {line.get_color(): (line, ends) for line, ends in series(axes)}
        for network, factor in (("trained", 0.1), ("random", 0.05)):
            look = hierarchy.LOOKS[network]
            line, ends = drawn[look["color"]]
            layers = line.get_xdata().round()
            assert line.get_marker() == look["marker"]
            assert line.get_ydata() == pytest.approx(factor * layers)
            assert ends == pytest.approx(np.stack([factor * layers - 0.02, factor * layers + 0.03], 1))
    shuffled = figure.axes[titles.index("Texture (tiles shuffled)")]
    assert [line.get_xdata().round().tolist() for line, _ in series(shuffled)] == [[2, 3, 4, 5]] * 2
    assert len({axes.get_xlim() for axes in figure.axes}) == 1


def test_chance_is_a_dotted_line_where_there_is_one():
    figure = hierarchy.hierarchy(table(), chance={"class": 0.28})
    dotted = {
        axes.get_title(loc="left"): [
            line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"
        ]
        for axes in figure.axes
    }
    assert dotted.pop("Most frequent class") == [0.28]
    assert not any(dotted.values())
    assert "chance" in {text for text, _ in texts(figure)}


@pytest.mark.parametrize(
    "measures", [("likeness",), ("class", "colour"), ("orientation", "texture", "class", "likeness")]
)
def test_any_measures_in_any_number_are_readable(measures):
    few = table(measures, layers=(2, 5))
    few.loc[0, ["low", "high"]] = np.nan  # a single map has no interval
    figure = hierarchy.hierarchy(few, chance={"class": 0.28})
    assert_readable(figure)
    assert len(figure.axes) == len(measures)


def test_likeness_shows_every_map_and_the_means_of_projections_and_of_patches():
    figure = hierarchy.likeness(
        pd.concat([correlations().assign(of=kind) for kind in ("projections", "patches")])
    )
    assert_readable(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "trained, projections", "random weights, projections", "trained, patches", "random weights, patches",
    ]  # fmt: skip
    trained, random = figure.axes[:2]
    dots, means = trained.lines[:2]  # within; across comes next
    assert dots.get_ydata() == pytest.approx([0.5, 0.6, 0.7] * 2)
    assert means.get_ydata() == pytest.approx([0.6, 0.6])
    assert random.lines[1].get_ydata() == pytest.approx([0.3, 0.25])
    assert trained.lines[3].get_ydata() == pytest.approx([0.01, 0.01])
    assert trained.get_ylim() == random.get_ylim()
