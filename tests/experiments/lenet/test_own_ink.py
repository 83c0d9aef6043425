"""What lies on a digit's own ink, beyond any digit's: worked by hand."""

import numpy as np

from zfutils.experiments.lenet.own_ink import (
    due_to_training,
    energy_on,
    fall_on,
    ink,
    of_projections,
    own_and_others,
)
from zfutils.experiments.lenet.patterns import Patterns

TOP = [[True, True], [False, False]]
LEFT = [[True, False], [True, False]]


def test_ink_is_at_least_half_black():
    pixels = np.array([[0, 127], [128, 255]], np.uint8).reshape(1, 2, 2, 1)
    assert ink(pixels).tolist() == [[[False, False], [True, True]]]


def test_energy_is_the_square_and_its_share_a_mean_over_units_that_answer():
    patterns = np.zeros((2, 3, 2, 2))
    patterns[0, 0] = [[2, 0], [-4, 0]]  # energies 4 and 16
    patterns[0, 1] = [[0, 1], [0, 0]]
    found = energy_on(patterns, np.array([TOP, LEFT]))
    np.testing.assert_allclose(found[0], [(4 / 20 + 1) / 2, (1 + 0) / 2])
    assert np.isnan(found[1]).all()  # no unit of this digit answers


def test_falls_are_sorted_by_where_the_ink_is():
    falls = np.array([[[0.4, 0.2], [0.1, 0.0]]])
    everywhere = np.ones((2, 2), bool)
    found = fall_on(falls, np.array([TOP, LEFT, everywhere, ~everywhere]))
    np.testing.assert_allclose(found[0], [0.3 - 0.05, 0.25 - 0.1, np.nan, np.nan])


def test_the_control_is_the_mean_over_other_classes_or_over_the_rest_of_the_class():
    table = np.array([[1.0, 2, 4], [8, 16, 32], [64, 128, 256]])
    labels = np.array([0, 0, 1])
    other = own_and_others(table, labels)
    assert other.measured.tolist() == [1, 16, 256]
    assert other.control.tolist() == [4, 32, 96]
    same = own_and_others(table, labels, same_class=True)
    np.testing.assert_array_equal(same.control, [2, 8, np.nan])
    assert same.n == 2
    assert same.arms == (8.5, 5)


def test_cells_that_are_not_known_are_left_out():
    table = np.array([[1.0, 2, np.nan], [8, np.nan, 32], [np.nan] * 3])
    found = own_and_others(table, np.array([0, 1, 2]))
    np.testing.assert_array_equal(found.measured, [1, np.nan, np.nan])
    np.testing.assert_array_equal(found.control, [2, 20, np.nan])
    assert found.n == 1


def test_what_is_on_any_ink_alike_leaves_no_difference():
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 4)
    inks = draw.random((40, 6, 6)) < 0.4
    blind = np.ones((40, 1, 6, 6))  # the same pattern for every digit
    found = own_and_others(energy_on(blind, inks), labels)
    assert found.interval.low < 0 < found.interval.high
    seeing = own_and_others(energy_on(inks[:, None].astype(float), inks), labels)
    assert seeing.interval.low > 0.5


def test_what_is_due_to_training_is_what_trained_weights_put_on_the_own_ink_beyond_random_ones():
    inks, labels = np.array([TOP, LEFT]), np.array([0, 1])
    own = np.stack([np.array(TOP, float), np.array(LEFT, float)])[:, None]
    maps, values = np.zeros((2, 1), int), np.ones((2, 1))
    trained, random = Patterns(own, maps, values), Patterns(np.ones((2, 1, 2, 2)), maps, values)
    found = of_projections(
        {("max", "trained"): {"a": trained}, ("max", "random"): {"a": random}}, inks, labels
    )
    assert found["max", "trained"]["a"].arms == (1, 0.5)  # the two inks share one of two pixels
    assert found["max", "random"]["a"].arms == (0.5, 0.5)
    rest = due_to_training(found["max", "trained"], found["max", "random"])
    assert rest["a",].arms == (0.5, 0)
