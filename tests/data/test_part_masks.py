"""Masks of many pictures: those of some rows are taken out by row, not by place."""

import numpy as np
import pytest

from zfutils.data.part_masks import ProbeMasks


@pytest.fixture
def masks():
    """Of rows 9, 2 and 5: 2 × 2 pixels of one number each."""
    maps = np.array([[[1] * 2] * 2, [[2] * 2] * 2, [[3] * 2] * 2], dtype=np.uint8)
    return ProbeMasks(maps, np.array([9, 2, 5]), np.array([90, 20, 50]), ("eye", "wheel", "tail"))


def test_the_masks_of_some_rows_come_in_their_order_with_their_labels(masks):
    few = masks.of(np.array([5, 9]))
    assert few.maps[:, 0, 0].tolist() == [3, 1]
    assert (few.rows.tolist(), few.labels.tolist()) == ([5, 9], [50, 90])
    assert few.parts == masks.parts
    assert few.at(np.array([9])).tolist() == [1]


def test_some_rows_of_some_rows_are_those_of_the_whole(masks):
    again = masks.of(np.array([5, 2])).of(np.array([2]))
    assert (again.maps == masks.of(np.array([2])).maps).all()


@pytest.mark.parametrize("rows", [[3], [9, 10], [0, 2]])
def test_a_row_without_a_mask_is_named(masks, rows):
    missing = next(row for row in rows if row not in (9, 2, 5))
    with pytest.raises(ValueError, match=f"row {missing} has no mask; there are 3"):
        masks.of(np.array(rows))
