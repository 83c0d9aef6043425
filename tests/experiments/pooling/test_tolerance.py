"""Tolerance of maps, on maps and networks made by hand."""

from collections import OrderedDict

import numpy as np
import pytest
import small
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.experiments.pooling.tolerance import (
    amounts,
    maxima_that_stay,
    moving_with_the_picture,
    tolerance,
)


def dots(*places, side=16):
    return Inputs.of(small.dots(*places, side=24), side=side)


def network():
    """The red channel as it is, then maxima over windows."""
    return nn.Sequential(OrderedDict(conv1=small.red(), relu1=nn.ReLU(), pool1=nn.MaxPool2d(4, 4)))


def test_a_dot_leaves_its_pixel_at_once_and_its_window_when_it_reaches_the_border():
    # Crop rows 4…19; the dots stand in rows 0 and 3 of their windows of 4: three more pixels, and none.
    inputs = dots((8, 8), (11, 13))
    found = tolerance(network(), inputs, "shift", layers=("relu1", "pool1"))
    assert found.amounts.tolist() == [1, 2, 3, 4]
    assert found.stayed[..., 0].tolist() == [[0, 0, 0, 0]] * 2
    assert found.stayed[..., 1].tolist() == [[1, 1, 1, 0], [0, 0, 0, 0]]
    assert found.distance("pool1")[0].tolist() == [0, 0, 0, pytest.approx(1)]
    # two dots apart are as far from each other as a moved dot from itself: the unit is that distance
    assert found.distance("relu1") == pytest.approx(np.ones((2, 4)))


def test_maxima_are_counted_over_the_maps_that_answer():
    before, after = torch.zeros(3, 4, 2, 2), torch.zeros(3, 4, 2, 2)
    before[0, :3, 0, 0] = after[0, 0, 0, 0] = 5  # one of three stays, one moves, one falls silent
    after[0, 1, 1, 1] = 5
    after[0, 3, 0, 1] = 5  # silent before: does not count
    before[1, 0] = after[1, 0] = 1  # of equals the first
    found = maxima_that_stay(before, after)
    assert found[:2].tolist() == pytest.approx([1 / 3, 1])
    assert found[2].isnan()


def test_a_maximum_that_moves_with_the_picture_stays_for_as_long_as_its_step_lasts():
    assert moving_with_the_picture(np.array([1, 2, 4, 6]), 4).tolist() == [0.75, 0.5, 0, 0]
    # as simulated: a point at a random phase, on a grid of 4 px
    phase = np.random.default_rng(0).uniform(0, 4, 20_000)
    for shift in (1, 3):
        assert ((phase + shift) // 4 == 0).mean() == pytest.approx(
            moving_with_the_picture(np.array([shift]), 4)[0], abs=0.01
        )


def test_every_kind_of_change_has_its_amounts_and_its_unchanged_picture():
    inputs = small.seen(6)  # stored at 40 px
    for kind, expected in (("shift", [1, 2, 3, 4]), ("rotation", [5, 10, 15, 20, 30, 45])):
        assert amounts(kind, inputs).tolist() == expected
        found = tolerance(network(), inputs, kind, layers=("relu1",))
        assert found.distances.shape == (6, len(expected), 1)
        assert (found.distances > 0).all()
    sizes = amounts("scale", inputs)
    assert sizes == pytest.approx([1.05, 1.1, 1.2, 1.3, 1.4, 1.5])
    away = tolerance(network(), inputs, "scale", layers=("relu1",)).distances.mean((0, 2))
    assert away[0] < away[-1]


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="need at least two, got 1"):
        tolerance(network(), dots((8, 8)), "shift")
    with pytest.raises(ValueError, match="kind is 'mirror'; allowed are shift, scale, rotation"):
        amounts("mirror", dots((8, 8)))
    with pytest.raises(ValueError, match="leave no margin around 24 px"):
        amounts("shift", dots((8, 8), side=24))
    with pytest.raises(ValueError, match="maps of relu1 are the same"):
        tolerance(network(), dots((8, 8), (8, 8)), "shift", layers=("relu1", "pool1"))
