"""What maps point at, worked out by hand."""

import numpy as np
import pytest

from tests.experiments.occlusion.falls_by_hand import CORNER, FOUR, with_falls
from zfutils.experiments.occlusion import pointing

# One position of 2 × 2 is the greatest in each map: 0, 1, 1, 3, counted row by row.
MAPS = np.array([[[9, 1], [0, 2]], [[-3, -1], [-4, -2]], [[0, 5], [4, 4]], [[0, 0], [0, 1]]], dtype=float)


def positions(*each):
    """Which of four positions are on the object, scene by scene."""
    on = np.zeros((len(each), 4), dtype=bool)
    for scene, places in zip(on, each, strict=True):
        scene[list(places)] = True
    return on.reshape(-1, 2, 2)


def test_a_map_is_right_where_its_greatest_value_is_and_other_scenes_maps_are_the_floor():
    found = pointing.pointing(MAPS, positions([0], [1, 3], [2], [3]))
    assert found.measured.tolist() == [1, 1, 0, 1]
    # the other maps point at 1, 1, 3; at 0, 1, 3; at 0, 1, 3; at 0, 1, 1
    assert found.control == pytest.approx([0, 2 / 3, 0, 0])
    assert found.resampled == "scenes"


def test_maps_that_only_like_one_place_have_nothing_above_the_floor():
    draw = np.random.default_rng(0)
    on = draw.random((60, 4, 4)) < 0.4
    found = pointing.pointing(np.tile(draw.random((4, 4)), (60, 1, 1)), on)
    assert found.arms[0] == pytest.approx(found.arms[1])


def test_maps_that_look_are_far_above_the_floor():
    draw = np.random.default_rng(0)
    on = draw.random((60, 4, 4)) < 0.2
    on[:, 0, 0] = True
    found = pointing.pointing(on + 0.1 * draw.random(on.shape), on)
    assert found.arms[0] == 1
    assert found.arms[1] < 0.6
    assert found.interval.low > 0.3


def test_of_two_objects_a_map_points_at_the_named_the_other_or_the_ground():
    named, other = positions([0], [0], [0], [1, 3]), positions([1], [1], [3], [0])
    found = pointing.pointing_at_the_named(MAPS, named, other)
    assert found.measured.tolist() == [1, 0, 0, 1]
    assert found.control.tolist() == [0, 1, 0, 0]
    assert found.arms == (0.5, 0.25)


def test_the_network_names_the_first_the_second_or_neither():
    says, first, second = np.array([3, 5, 7]), np.array([3, 4, 1]), np.array([5, 5, 2])
    assert pointing.named(says, first, second).tolist() == [0, 1, -1]


def test_the_centre_is_on_the_object_where_its_pixel_is():
    masks = np.zeros((2, 8, 8), dtype=bool)
    masks[0, 4, 4] = masks[1, 3, 3] = True
    assert pointing.off_centre(masks).tolist() == [False, True]


def test_each_measure_of_what_was_covered_points_for_itself():
    falls = [[[0.1, 0.3], [0, 0]], [[0.2, 0], [0.1, 0]]]
    activations = [[[0.5, 1], [1, 1]], [[1, 1], [1, 0.5]]]  # falls most at the first and at the last
    found = with_falls(falls, FOUR, activations=activations)
    corners = np.stack([CORNER, CORNER])
    own = pointing.by_measure(found, corners)
    assert own["probability"].measured.tolist() == own["log-odds"].measured.tolist() == [0, 1]
    assert own["activation"].measured.tolist() == [1, 0]
    other = np.zeros_like(corners)
    other[:, 3, 3] = True  # the last position
    two = pointing.by_measure(found, corners, other)["activation"]
    assert (two.measured.tolist(), two.control.tolist()) == ([1, 0], [0, 1])
