"""What the radius does, from outcomes whose answers and filters are known."""

import numpy as np
import pandas as pd
import pytest
from legible import texts

from zfutils.experiments.training import figures, radius
from zfutils.training.outcomes import Answers, Outcome


def outcome(
    wrong, rms, *, largest=((0.03, 0.07), (0.02, 0.05), (0.04, 0.01)), falling=False, published=False
):
    """An outcome of 20 pictures, `wrong` of them wrong."""
    ranks = (np.arange(20) < wrong).astype(int)
    labels = np.zeros(20, dtype=int)
    answers = {10: Answers(labels, ranks, ranks, np.ones(20), 4)}
    losses = [3.0, *np.linspace(2, 1, 9)] if falling else [3.0] + [0.5] * 9
    measured = {"rms": np.stack([np.ones(len(rms)), rms]), "largest_rms": np.array(largest)}
    history = pd.DataFrame({"loss": losses})
    return Outcome({}, {}, {"training_error": 0.2}, history, answers, published, measured)


SWEEP = {
    None: outcome(10, np.r_[[0.02] * 11, 0.12]),
    0.1: outcome(6, np.r_[[0.05] * 11, 0.1], falling=True, published=True),
    0.05: None,
}


def test_the_error_without_a_radius_is_compared_with_the_twins_picture_by_picture():
    found, arms = radius.error_without(SWEEP[None], SWEEP[0.1])
    assert arms == (50, 30)
    assert found.estimate == pytest.approx(20)
    assert found.n == 20
    # four of twenty pictures differ, all one way: a standard error of 100 √(0.2 · 0.8 / 20) = 8.9 points
    assert (found.high - found.low) / 4 == pytest.approx(8.9, rel=0.15)


def test_the_largest_filter_is_that_of_any_convolution_and_any_epoch_the_start_included():
    assert radius.largest(SWEEP[None]) == 0.07
    assert radius.by_radius(SWEEP).loc[0, "largest"] == 0.05, "after the first step the radius holds"


def test_a_row_for_each_radius_those_included_that_were_not_run_yet():
    rows = radius.by_radius(SWEEP)
    assert rows["radius"].tolist() == ["none", "0.1", "0.05"]
    assert rows["error"].tolist()[:2] == [50, 30]
    assert rows["dominance"].tolist()[:2] == pytest.approx([6, 2])
    assert rows["ended"].tolist() == [True, False, False]
    assert rows.loc[2, ["error", "dominance", "largest"]].isna().all()
    shown = radius.radius_table(rows, papers=0.1)
    assert shown["ended"].tolist() == ["yes", "no", ""]
    assert shown["scores"].tolist() == ["here", "kept", "not run yet"]
    assert shown["largest filter of any layer, over 0.1"].tolist() == ["0.50", "0.50", "–"]
    # Wilson: 10 of 20 is 29.9 … 70.1
    assert shown["error (%)"].tolist()[0] == "50.0\u00a0[29.9,\u00a070.1]"


def test_a_layer_of_too_few_filters_has_a_ratio_without_an_interval():
    rows = radius.by_radius({None: outcome(10, np.array([0.1, 0.1, 0.3]))})
    assert rows.loc[0, "dominance"] == pytest.approx(3)
    assert np.isnan(rows.loc[0, "dominance_low"])


@pytest.mark.parametrize("none", [False, True])
def test_the_figure_says_what_was_not_run_yet_and_marks_what_had_not_ended(none):
    figure = figures.radius_sweep(radius.by_radius(dict.fromkeys(SWEEP) if none else SWEEP))
    words = [text for text, _ in texts(figure)]
    assert words.count("not run yet") == (6 if none else 2)
    assert {"none", "0.1", "0.05", "radius"} <= set(words)
    if not none:
        faces = {line.get_markerfacecolor() for line in figure.axes[0].lines if line.get_marker() == "o"}
        assert len(faces) == 2
