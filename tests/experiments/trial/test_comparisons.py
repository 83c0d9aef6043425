"""What is claimed: differences of two arms of the same pictures, worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from zfutils.experiments.trial import comparisons

STEPS = np.linspace(0, 0.09, 10)


def test_a_difference_is_by_picture_and_leaves_out_those_without_one_arm():
    measured, control = [*(0.5 + STEPS), np.nan, 0.7], [*(0.25 + STEPS), 0.1, np.nan]
    found = comparisons.paired(measured, control)
    assert found.arms == pytest.approx((0.545, 0.295))
    interval = found.interval
    assert (interval.low, interval.estimate, interval.high) == pytest.approx((0.25, 0.25, 0.25))
    assert (interval.n, interval.resampled) == (10, "pictures")
    assert comparisons.paired(measured[:7], control[:7]) is None


def test_losses_are_paired_by_picture_whatever_their_order():
    lost = pd.DataFrame({"picture": range(10), "random": 0.5 + STEPS})
    moving = pd.DataFrame({"picture": range(9, -1, -1), "moved": (0.375 + STEPS)[::-1]})
    found = comparisons.switches(lost, moving)
    interval = found.interval
    assert (interval.low, interval.estimate, interval.high) == pytest.approx((0.125, 0.125, 0.125))
    assert found.arms == pytest.approx((0.545, 0.42))


def changed(**levels):
    """Likeness of a map with initial weights, by method; 0.01 more for every picture."""
    rows = [
        (picture, method, order, layer, value + 0.01 * picture, 0.0)
        for picture in range(10)
        for method, by_layer in levels.items()
        for (order, layer), value in by_layer.items()
    ]
    return pd.DataFrame(rows, columns=["picture", "method", "order", "layer", "spearman", "ssim"])


def test_what_survives_is_asked_of_all_three_upper_layers_random_together():
    table = changed(
        deconvnet={("cascading", "fc6"): 0.9, ("cascading", "fc7"): 0.2, ("independent", "fc6"): 0.1},
        gradient={("cascading", "fc6"): 0.4, ("cascading", "fc7"): 0.3, ("independent", "fc6"): 0.8},
    )
    table.loc[(table["picture"] == 3) & (table["method"] == "gradient"), "spearman"] = np.nan
    found = comparisons.survival(table)
    assert (found.interval.estimate, found.interval.n) == (pytest.approx(0.5), 9)
    assert comparisons.survival(table, measure="ssim").interval.estimate == 0


def test_upper_and_lower_layers_are_random_one_at_a_time():
    alone = dict(zip(("fc8", "fc7", "fc6", "conv5", "conv3", "conv2", "conv1"), range(7), strict=True))
    levels = {("independent", layer): 0.1 * value for layer, value in alone.items()}
    table = changed(deconvnet=levels | {("cascading", "fc8"): 9, ("control", "another class"): 9})
    found = comparisons.upper_and_lower(table)
    assert found.arms == pytest.approx((0.1 + 0.045, 0.5 + 0.045))
    assert found.interval.estimate == pytest.approx(-0.4)


def test_convergence_is_of_two_starts_at_the_pixels():
    rows = [
        (picture, method, layer, value + 0.01 * picture, 0.9)
        for picture in range(10)
        for method, at_pixels, above in (("deconvnet", 0.6, 0.1), ("gradient", 0.3, 0.2))
        for layer, value in (("conv1", at_pixels), ("fc8", above))
    ]
    table = pd.DataFrame(rows, columns=["picture", "method", "layer", "same_picture", "same_start"])
    assert comparisons.convergence(table).interval.estimate == pytest.approx(0.3)


def test_a_mean_has_its_interval_where_pictures_are_enough():
    assert comparisons.mean_over_pictures([0.5] * 9 + [np.nan]) == {
        "estimate": 0.5,
        "low": 0.5,
        "high": 0.5,
        "n": 9,
    }
    few = comparisons.mean_over_pictures([0.25, 0.75])
    assert (few["estimate"], few["n"]) == (0.5, 2)
    assert np.isnan([few["low"], few["high"]]).all()
    none = comparisons.mean_over_pictures([np.nan])
    assert np.isnan(none["estimate"])
    assert none["n"] == 0
    spread = comparisons.mean_over_pictures(np.random.default_rng(0).normal(size=400))
    assert spread["high"] - spread["low"] == pytest.approx(2 * 1.96 / 20, rel=0.15)
