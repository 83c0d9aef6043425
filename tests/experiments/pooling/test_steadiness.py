"""Labels under shifts, on a classifier made by hand: when they flip is known beforehand."""

from dataclasses import replace

import pytest
import small
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.experiments.pooling.steadiness import labels_under_shifts


class BrightPixel(nn.Module):
    """Class 1 where the crop's pixel in row 2, column 2 is bright, else class 0."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))  # says on which device the network is

    def forward(self, images):
        bright = (images[:, 0, 2, 2] > 0.5).float()
        return torch.stack([1 - bright, bright], 1)


def stored(*bright, labels):
    """Dark pictures of 12 px with one bright pixel each, seen in 6 × 6: rows and columns 3 … 8."""
    images = replace(small.dots(*bright, side=12, bright=255), labels=torch.tensor(labels))
    return Inputs.of(images, side=6, scale=1 / 255)


def test_a_label_is_kept_in_the_directions_that_neither_bring_the_pixel_nor_take_it_away():
    # The classifier looks at (5, 5) of the stored picture.
    inputs = stored((5, 5), (5, 4), (3, 5), (9, 9), labels=[1, 1, 0, 0])
    found = labels_under_shifts(BrightPixel(), inputs, shifts=(1, 2, 3), batch=3)
    assert found.kept.tolist() == [[0, 0, 0], [3, 4, 4], [4, 3, 4], [4, 4, 4]]
    assert found.correct.tolist() == [True, False, True, True]


def test_a_shift_beyond_the_stored_picture_is_refused():
    with pytest.raises(ValueError, match="6 px cannot move by 4 px in 12 px"):
        labels_under_shifts(BrightPixel(), stored((5, 5), labels=[1]), shifts=(4,))
