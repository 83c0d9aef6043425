"""Estimates and their intervals stand where the numbers say."""

import re

import numpy as np
import pandas as pd
import pytest
from drawn import series

from zfutils.plotting import style
from zfutils.plotting.estimates import estimates

LAYERS = [2, 1, 3]
TABLE = pd.DataFrame({"estimate": [0.5, 0.2, 0.9], "low": [0.4, 0.2, np.nan], "high": [0.9, 0.3, np.nan]})


@pytest.fixture
def axes():
    return style.new(height=2).subplots()


def test_a_point_is_the_estimate_and_a_bar_the_interval_in_the_order_of_the_positions(axes):
    axes.set(xlabel="layer", ylabel="share")
    estimates(axes, LAYERS, TABLE, color=style.BLUE, marker="o", label="trained")
    ((line, ends),) = series(axes)
    assert line.get_xydata().tolist() == [[1, 0.2], [2, 0.5], [3, 0.9]]
    np.testing.assert_array_equal(ends, [[0.2, 0.3], [0.4, 0.9], [np.nan, np.nan]])
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_legend()) == ("layer", "share", None)
    assert axes.get_legend_handles_labels() == ([line], ["trained"])  # one entry in a legend


def test_positions_may_lie_along_the_other_axis_without_a_line_between_and_bring_no_labels(axes):
    estimates(axes, LAYERS, TABLE, along="y", color=style.BLUE, marker="s", linestyle="")
    ((line, ends),) = series(axes)
    assert line.get_xydata().tolist() == [[0.2, 1], [0.5, 2], [0.9, 3]]
    assert line.get_linestyle() == "None"
    assert ends[:2].tolist() == [[0.2, 0.3], [0.4, 0.9]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("", "")


def test_intervals_may_be_one_band(axes):
    estimates(axes, LAYERS[:2], TABLE[:2], intervals="band", color=style.BLUE)
    (band,) = axes.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
    assert {(1, 0.2), (1, 0.3), (2, 0.4), (2, 0.9)} <= corners


def test_a_single_row_is_drawn_from_the_columns_that_are_named(axes):
    row = pd.Series({"name": "ZFNet", "top1": 40, "top1_low": 38, "top1_high": 43})  # numbers as objects
    estimates(axes, 8, row, columns=("top1", "top1_low", "top1_high"), marker="o")
    ((line, ends),) = series(axes)
    assert (line.get_xydata().tolist(), ends.tolist()) == ([[8, 40]], [[38, 43]])


def test_a_bar_lies_behind_every_marker_and_a_hollow_marker_is_edged_in_the_colour(axes):
    for shift in (0, 0.1):
        estimates(axes, np.add(LAYERS, shift), TABLE, color=style.BLUE, marker="o", mfc="white")
    lines = [line for line, _ in series(axes)]
    assert max(bars.get_zorder() for bars in axes.collections) < min(line.get_zorder() for line in lines)
    assert [line.get_markeredgecolor() for line in lines] == [style.BLUE] * 2
    assert [line.get_markerfacecolor() for line in lines] == ["white"] * 2


def test_numbers_stand_where_they_belong_on_logarithmic_axes(axes):
    axes.set(xscale="log", yscale="log")
    estimates(axes, LAYERS, TABLE, color=style.BLUE, marker="o")
    ((line, ends),) = series(axes)
    np.testing.assert_allclose(line.get_xydata(), [[1, 0.2], [2, 0.5], [3, 0.9]])
    np.testing.assert_allclose(ends, [[0.2, 0.3], [0.4, 0.9], [np.nan, np.nan]])


def test_a_series_without_any_estimate_keeps_its_entry_in_the_legend(axes):
    estimates(axes, LAYERS, TABLE * np.nan, color=style.BLUE, marker="o", label="silent")
    ((line, _),) = series(axes)
    assert len(line.get_xdata()) == 0
    assert axes.get_legend_handles_labels() == ([line], ["silent"])


def test_an_interval_may_miss_its_estimate_by_a_rounding(axes):
    estimates(axes, [1], pd.DataFrame({"estimate": [0.1 + 0.2], "low": [0.2], "high": [0.3]}))
    assert series(axes)[0][0].get_ydata() == pytest.approx([0.3])


@pytest.mark.parametrize("ends", [(0.21, 0.3), (0.1, 0.19), (np.nan, 0.3)])
def test_an_interval_that_does_not_contain_its_estimate_or_has_one_end_is_refused(axes, ends):
    table = TABLE[::-1].copy()
    table.loc[1, ["low", "high"]] = ends
    with pytest.raises(ValueError, match=re.escape(f"{list(ends)} does not contain its estimate 0.2")):
        estimates(axes, LAYERS, table)


def test_two_rows_at_one_position_are_refused(axes):
    with pytest.raises(ValueError, match=r"two rows stand at one position of \[1.0, 2.0, 1.0\]"):
        estimates(axes, [1, 2, 1], TABLE)
