"""Confusions under the square and without it, counted by hand; and which digits are chosen."""

import numpy as np
import pytest
import torch

from zfutils.experiments.lenet import choice, confusions, tables
from zfutils.experiments.lenet.covering import Covered


def read_as(whole, positions, labels, classes=3):
    """Digits that are read so, whole and at 2×2 positions."""
    one_hot = np.eye(classes)
    positions = np.array(positions).reshape(len(labels), 2, 2)
    return Covered(3, np.array([1, 4]), np.array(labels), one_hot[positions], one_hot[np.array(whole)])


def test_counts_are_of_pictures_by_true_class_and_reading():
    found = read_as([0, 0, 1], [[0, 0, 2, 2], [0, 0, 0, 1], [1, 1, 1, 1]], [0, 0, 2])
    assert confusions.counts(found).tolist() == [[5, 1, 2], [0, 0, 0], [0, 4, 0]]
    assert confusions.counts_whole(found).tolist() == [[2, 0, 0], [0, 0, 0], [0, 1, 0]]
    misread = confusions.misread(found)
    assert misread.measured.tolist() == [50, 25, 100]
    assert misread.control.tolist() == [0, 0, 100]


def test_a_confusion_counts_as_far_as_the_square_adds_to_it():
    labels = [0] * 10 + [1] * 10
    positions = [[2, 0, 0, 0]] * 10 + [[2, 2, 2, 2]] * 10  # whole, the second ten are read so already
    found = confusions.increases(read_as([0] * 10 + [2] * 10, positions, labels))
    assert len(found) == 4  # no digit of class 2 was measured
    first = found.iloc[0]
    assert (first["digit"], first["taken for"], first["n"]) == (0, 2, 10)
    assert (first["covered"].estimate, first["estimate"], first["low"]) == (25, 25, 25)
    z = 1.959964  # Wilson's upper end of 0 of 10
    assert (first["whole"].low, first["whole"].high) == pytest.approx((0, 100 * z**2 / (10 + z**2)))
    assert found["estimate"].tolist() == [25, 0, 0, 0]
    shown = tables.more_often(found)
    assert shown[["digit", "taken for"]].to_numpy().tolist() == [[0, 2]]
    assert shown["difference (points)"].tolist() == ["25.0\u00a0[25.0,\u00a025.0]"]


def test_too_few_digits_have_no_interval_and_are_not_listed():
    found = confusions.increases(read_as([0] * 3, [[1, 1, 1, 1]] * 3, [0] * 3))
    assert found["estimate"].max() == 100
    assert found["low"].isna().all()
    assert tables.more_often(found).empty


def test_one_digit_of_thirty_makes_no_confusion_more_frequent():
    positions = [[1, 1, 1, 1]] + [[0, 0, 0, 0]] * 29
    found = confusions.increases(read_as([0] * 30, positions, [0] * 30))
    assert found["estimate"].max() == pytest.approx(100 / 30)
    assert not (found["low"] > 0).any()


def test_digits_are_drawn_class_by_class_and_by_the_seed():
    labels = torch.tensor([2, 0, 1] * 5 + [1])
    rows = choice.of_each_class(labels, 3, seed=0)
    assert labels[rows].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len(set(rows.tolist())) == 9
    assert rows.tolist() == choice.of_each_class(labels, 3, seed=0).tolist()
    assert rows.tolist() != choice.of_each_class(labels, 3, seed=1).tolist()
    assert labels[choice.of_each_class(labels, 99, seed=0)].tolist() == [0] * 5 + [1] * 6 + [2] * 5


def test_the_first_of_each_class_are_positions_in_the_list():
    assert choice.first_of_each_class(torch.tensor([1, 0, 0, 1, 2])).tolist() == [1, 0, 4]
    assert choice.first_of_each_class(torch.tensor([1, 0, 0, 1, 2]), 2).tolist() == [1, 2, 0, 3, 4]


def test_the_most_misread_digit_is_one_that_is_read_correctly_whole_where_there_is_one():
    positions = [[0, 1, 1, 0], [1, 1, 1, 1], [0, 1, 0, 0], [0, 0, 0, 1]]
    found = read_as([0, 1, 0, 0], positions, [0, 0, 0, 1])
    assert choice.most_misread(found).tolist() == [0, 3]
