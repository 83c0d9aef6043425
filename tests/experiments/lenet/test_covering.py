"""Digits under a square: every position by hand, and the network asked of each covered digit by itself."""

import numpy as np
import pytest
import small
import torch

from zfutils.data.inputs import Inputs
from zfutils.experiments.lenet.covering import Covered, cover, squares


@pytest.fixture
def inputs():
    pixels = torch.randint(256, (3, 30, 30, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    digits = small.stored(pixels, [7, 0, 3]).centred_by(pixels.float().mean(0))
    return Inputs.of(digits, side=28, scale=1 / 64)


def test_positions_lie_in_the_middle_and_are_cut_at_the_border():
    centres, covered = squares(8, 3, 3)
    assert centres.tolist() == [0, 3, 6]
    assert squares(9, 3, 4)[0].tolist() == [0, 4, 8]
    assert squares(7, 1, 4)[0].tolist() == [1, 5]
    first, middle = covered[0].nonzero().tolist(), covered[4].nonzero().tolist()
    assert first == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert middle == [[y, x] for y in (2, 3, 4) for x in (2, 3, 4)]
    assert covered[1].nonzero()[:, 1].tolist() == [2, 3, 4] * 2  # row by row: the second is to the right


@pytest.mark.parametrize("wrong", [(8, 4, 1), (8, 9, 1), (8, 3, 0), (8, -1, 1)])
def test_an_even_square_or_one_that_does_not_fit_is_refused(wrong):
    with pytest.raises(ValueError, match=rf"1…8.*{wrong[1]} and {wrong[2]}"):
        squares(*wrong)


@pytest.mark.parametrize("batch", [1, 2])
def test_each_covered_digit_is_read_as_if_it_were_shown_alone(lenet, inputs, batch):
    model = lenet()
    found = cover(model, inputs, size=5, stride=9, batch=batch)
    assert found.centres.tolist() == [0, 9, 18, 27]
    assert found.labels.tolist() == [7, 0, 3]
    images = inputs.tensor(dtype=torch.float64)
    for i in range(3):
        with torch.no_grad():
            whole = model(images[i : i + 1]).softmax(1)[0]
            shown = images[i : i + 1].clone()
            shown[:, :, 7:12, 16:21] = 0  # the mean digit
            expected = model(shown).softmax(1)[0]
        np.testing.assert_allclose(found.whole[i], whole, atol=1e-5)
        np.testing.assert_allclose(found.probabilities[i, 1, 2], expected, atol=1e-5)


def covered(probabilities, whole, labels):
    return Covered(3, np.array([1, 4]), np.array(labels), np.array(probabilities), np.array(whole))


def test_falls_and_readings_are_of_the_true_class_and_the_most_probable():
    one = covered(
        [[[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.5, 0.5]]]],
        [[0.7, 0.3]],
        [0],
    )
    np.testing.assert_allclose(one.fall, [[[-0.2, 0.5], [0.1, 0.2]]])
    assert one.read.tolist() == [[[0, 1], [0, 0]]]
    assert one.read_whole.tolist() == [0]
    picture = np.arange(36).reshape(1, 6, 6)
    assert one.at_centres(picture).tolist() == [[[7, 10], [25, 28]]]
