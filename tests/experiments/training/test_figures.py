"""Figures of chapter 2: what they are given is what stands in them."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from drawn import series
from matplotlib.text import Text

from zfutils.experiments.training import figures


def history(epochs=6, factor=1.0):
    table = pd.DataFrame({"epoch": range(epochs + 1), "rate": [0.02] * 4 + [0.004] * (epochs - 3)})
    table["loss"] = factor * np.r_[np.nan, np.linspace(2.9, 1.2, epochs)]
    table["held_out_error"] = np.linspace(0.9, 0.4, epochs + 1)
    return table


def texts(figure):
    figure.draw_without_rendering()
    return {text.get_text() for text in figure.findobj(Text)}


def parts():
    pieces = {
        ("data", "data"): 0.01,
        ("forward", "convolution"): 0.03,
        ("forward", "max pooling"): 0.01,
        ("backward", "convolution"): 0.0495,
        ("optimiser", "optimiser"): 0.0005,
    }
    rows = [{"phase": p, "kind": k, "layer": k, "seconds": s} for (p, k), s in pieces.items()]
    return pd.DataFrame(rows)


def test_curves_mark_the_epoch_after_which_the_rate_fell_and_the_snapshots():
    figure = figures.curves({"ZFNet": history()}, snapshots={"ZFNet": [0, 2]})
    errors = figure.axes[1]
    curve, lowered, kept = errors.lines
    np.testing.assert_allclose(curve.get_ydata()[[0, -1]], [90, 40])
    assert list(lowered.get_xdata()) == [3]
    assert list(kept.get_xdata()) == [0, 2]
    assert "ZFNet" in texts(figure)


def test_curves_of_the_same_end_have_labels_that_do_not_overlap():
    factors = {"one": 1, "two": 1.001, "three": 1.002, "four": 1.003}
    figure = figures.curves({name: history(factor=factor) for name, factor in factors.items()})
    figure.draw_without_rendering()
    labels = [Text.get_window_extent(label) for label in figure.axes[1].texts]  # without the leaders
    boxes = sorted(labels, key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))


def test_networks_whose_curves_are_the_same_share_a_line_and_a_label():
    figure = figures.curves({"one": history(), "twin": history(), "other": history(factor=2)})
    assert [len(axes.lines) for axes in figure.axes] == [6, 6]  # curve, lowered, kept; twice
    assert {"one\n= twin", "other"} <= texts(figure)


def test_an_axis_begins_at_0_unless_all_of_it_lies_far_above():
    flat = history().assign(loss=[np.nan, 3.9, 3.8, 3.7, 3.7, 3.6, 3.6])
    assert figures.curves({"one": history()}).axes[0].get_ylim()[0] == 0
    assert 3 < figures.curves({"one": flat}).axes[0].get_ylim()[0] < 3.6


def test_a_loss_of_one_epoch_is_a_dot_on_an_axis_of_whole_epochs():
    short = history(epochs=3)[:2]
    figure = figures.curves({"one": short})
    figure.draw_without_rendering()
    loss, errors = figure.axes
    assert [axes.lines[0].get_marker() for axes in (loss, errors)] == [".", ""]
    assert loss.get_xlim() == errors.get_xlim()
    for axes in (loss, errors):
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [0, 1]
    assert "snapshot kept" not in texts(figure)


def test_snapshots_may_differ_between_networks():
    figure = figures.curves({"a": history(), "b": history(factor=2)}, snapshots={"a": [1], "b": [0, 5]})
    assert [list(line.get_xdata()) for line in figure.axes[1].lines[2::3]] == [[1], [0, 5]]


def test_propagation_draws_geometric_means_over_seeds_on_a_logarithmic_scale():
    rows = [
        {"network": n, "rule": r, "seed": s, "layer": layer, "depth": d, "quantity": q, "std": std}
        for n in ("wide", "narrow")
        for r in ("literal", "he")
        for q in ("activation", "activation gradient", "weight gradient")
        for d, layer in enumerate(("conv1", "fc8"), 1)
        for s, std in ((0, 0.1), (1, 10.0))
    ]
    figure = figures.propagation(pd.DataFrame(rows))
    assert [axes.get_yscale() for axes in figure.axes] == ["log"] * 4  # two quantities, two rules
    for axes in figure.axes:
        assert len(axes.lines) == 2
        for line in axes.lines:
            np.testing.assert_allclose(line.get_ydata(), 1)
    assert {"0.01\nin every layer", "He's rule", "wide", "narrow"} <= texts(figure)
    figure.canvas.draw()
    numbers = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    assert "0.1" in numbers
    assert not any("$" in number for number in numbers), "mathematics is not set in figures"


def test_a_steps_pieces_stack_up_to_the_step_and_small_ones_are_shown_together():
    figure = figures.step_time(parts(), bound=0.04, whole=0.09)
    heights = {}
    for bar in figure.axes[0].patches:
        middle = round(bar.get_x() + bar.get_width() / 2, 3)
        heights[middle] = heights.get(middle, 0) + bar.get_height()
    assert heights == pytest.approx({0: 100, 1: 100, 1.9: 90, 2.35: 40})
    words = texts(figure)
    assert {"convolution  80\u00a0%", "max pooling  10\u00a0%", "data  10\u00a0%"} <= words
    assert {"100 ms", "90 ms", "40 ms"} <= words
    assert {"forward  40\u00a0%", "all else  0\u00a0%"} <= words
    assert not any(word.startswith("optimiser") for word in words)


def test_crop_errors_stand_in_percent_with_their_intervals():
    rows = [("ZFNet", 1, 0.31, 0.29, 0.33), ("ZFNet", 10, 0.28, 0.26, 0.30)]
    table = pd.DataFrame(rows, columns=["network", "crops", "estimate", "low", "high"])
    figure = figures.crop_errors(table.assign(top=1))
    assert {"31.0", "28.0", "ZFNet", "one crop", "ten crops", "top-1 error (%)"} <= texts(figure)
    np.testing.assert_allclose([ends[0] for _, ends in series(figure.axes[0])], [[29, 33], [26, 30]])
    both = figures.crop_errors(pd.concat([table.assign(top=1), table.assign(top=5)]))
    assert {"top-1 error (%)", "top-5 error (%)"} <= texts(both)
