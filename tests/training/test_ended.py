"""The test of an ended training, on courses worked by hand."""

import math

import pytest

from zfutils.training.ended import ended


def test_a_line_through_the_last_fifth_that_falls_by_less_than_two_per_cent_has_ended():
    course = [3.0, 2.0] * 4 + [1.0, 0.99]  # the last fifth of ten epochs: from 1.00 to 0.99, 1 %
    found = ended(course, 0.3)
    assert found.ended
    assert found.fall == pytest.approx(0.01)


def test_a_line_that_still_falls_has_not():
    found = ended([3.0, 2.0] * 4 + [1.0, 0.97], 0.3)
    assert not found.ended
    assert found.fall == pytest.approx(0.03)
    assert "3.0\u00a0%" in found.why


def test_what_came_before_the_last_fifth_does_not_count():
    steep, level = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0], [1.0, 1.0]
    assert ended(steep + level, 0.5).fall == pytest.approx(0)


def test_a_network_that_never_learnt_has_not_ended_however_flat_its_loss():
    stuck = ended([3.74] * 10, 0.97)  # ln 42: the loss of a guess among 42 classes
    assert not stuck.ended
    assert "first epoch" in stuck.why
    assert ended([3.74] + [3.3] * 9, 0.9).ended, "it fell by 12 % and stayed there"


def test_the_line_is_fitted_and_not_drawn_from_end_to_end():
    # Fifteen epochs, the last three 1.00, 0.94, 1.00: no slope, though the second is 6 % below the first.
    assert ended([2.0] * 12 + [1.0, 0.94, 1.0], 0.5).fall == pytest.approx(0)


def test_nothing_is_left_to_learn_at_a_training_error_of_one_per_cent():
    falling = [2.0, 1.0, 0.5, 0.25]
    assert ended(falling, 0.01).ended
    assert not ended(falling, 0.011).ended
    assert not ended(falling, math.nan).ended


@pytest.mark.parametrize("course", [[], [1.0], [1.0, math.nan]])
def test_too_little_to_see_an_end_on_is_refused(course):
    with pytest.raises(ValueError, match="finite"):
        ended(course, 0.5)
