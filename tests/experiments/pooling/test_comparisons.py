"""What the claims of chapter 12 are taken from, worked out by hand."""

import numpy as np
import pytest

from zfutils.experiments.pooling.comparisons import (
    RANDOM,
    TRAINED,
    curve_table,
    gain,
    gain_learnt,
    over_seeds,
)
from zfutils.experiments.pooling.tolerance import LAYERS, Tolerance
from zfutils.stats.intervals import TooFew


def found(before=0.6, after=0.4, n=12, *, noise=0.0, stayed=(0.1, 0.5)):
    """The same distances in all layers before pooling, and in all after it."""
    spread = noise * np.arange(n)[:, None, None]
    distances = np.broadcast_to(np.array([before, after] * 3), (n, 4, 6)) + spread * np.array([1, 0] * 3)
    maxima = np.broadcast_to(np.array(stayed * 3), (n, 4, 6)).copy()
    return Tolerance(np.arange(1.0, 5), LAYERS, distances, maxima)


def test_the_gain_is_the_mean_over_poolings_and_amounts():
    one = found()
    one.distances[0, 0, 0] += 1.2  # one of 4 amounts and 3 poolings
    assert gain(one) == pytest.approx([0.3] + [0.2] * 11)
    assert gain(one, [("relu2", "pool2")]) == pytest.approx([0.2] * 12)


def test_what_random_weights_gain_too_is_taken_off():
    learnt = gain_learnt(found(0.9, 0.4, noise=0.01), found(0.5, 0.4))
    assert learnt.arms == pytest.approx((0.5 + 0.055, 0.1))
    assert learnt.interval.estimate == pytest.approx(0.455)
    assert learnt.interval.low > 0.4
    none = gain_learnt(found(0.5, 0.4), found(0.5, 0.4))
    assert none.interval.low == none.interval.high == pytest.approx(0)


def test_a_picture_without_a_responding_map_is_left_out():
    one = found(n=12)
    one.stayed[3] = np.nan
    table = curve_table({(TRAINED, "shift"): one}).set_index(["measure", "layer", "amount"])
    assert table.loc[("stayed", "pool2", 3), "estimate"] == pytest.approx(0.5)


def test_seeds_are_paired_by_their_number():
    one = over_seeds({0: 3.0, 1: 5.0, 2: 4.0, 7: 99.0}, {2: 2.0, 0: 2.0, 1: 3.0})
    assert one.arms == pytest.approx((4, 7 / 3))
    # differences 1, 2, 2: mean 5/3, standard error 1/3, t(2) = 4.303
    ends = (one.interval.low, one.interval.estimate, one.interval.high)
    assert ends == pytest.approx((5 / 3 - 4.303 / 3, 5 / 3, 5 / 3 + 4.303 / 3), abs=1e-3)
    assert one.detectable > 4.303 / 3
    with pytest.raises(TooFew):
        over_seeds({0: 1.0}, {0: 2.0, 1: 3.0})


def test_a_curve_is_a_mean_over_pictures_of_each_network():
    table = curve_table({(TRAINED, "shift"): found(noise=0.01), (RANDOM, "shift"): found()})
    assert len(table) == 2 * 4 * 6 * 2
    one = table[(table["network"] == TRAINED) & (table["layer"] == "relu1") & (table["amount"] == 2)]
    distance = one[one["measure"] == "distances"].iloc[0]
    assert distance["estimate"] == pytest.approx(0.655)
    assert distance["low"] < 0.655 < distance["high"]
