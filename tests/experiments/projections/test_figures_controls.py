"""The figure of chapter 3's parts: it holds what it should, and nothing leaves it."""

import numpy as np
import pandas as pd
from drawn import series
from legible import assert_readable

from zfutils.experiments.projections.figures import controls


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
