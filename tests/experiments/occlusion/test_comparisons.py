"""Each picture with its own against all others, worked out by hand."""

import numpy as np
import pytest

from zfutils.experiments.occlusion.comparisons import with_others


def test_a_picture_is_compared_with_the_mean_over_all_others():
    found = with_others(np.array([[9.0, 1, 3], [2, 8, 6], [0, 5, 7]]))
    assert found.measured.tolist() == [9, 8, 7]
    assert found.control.tolist() == [2, 4, 2.5]
    assert found.arms == pytest.approx((8, 8.5 / 3))


def test_what_is_not_known_is_left_out_of_both_arms():
    unknown = np.nan
    found = with_others(np.array([[9.0, unknown, 3], [2, unknown, 6], [0, unknown, 7]]))
    assert found.control.tolist() == [3, 4, 0]
    assert found.arms == (8, 1.5)  # the first and the third
    alone = with_others(np.array([[1.0]]))
    assert np.isnan(alone.control).all()
    assert (alone.arms, alone.interval) == (None, None)
