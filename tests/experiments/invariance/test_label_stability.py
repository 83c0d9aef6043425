"""Labels under small shifts, on classifiers made by hand: when they flip is known beforehand."""

import pytest
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.experiments.invariance import label_stability as labels
from zfutils.experiments.invariance import tables


class BrightPixel(nn.Module):
    """Class 1 where one pixel of the crop is bright, else class 0."""

    def __init__(self, row=0, column=2):
        super().__init__()
        self.place = row, column
        self.unused = nn.Parameter(torch.zeros(1))  # says on which device the network is

    def forward(self, images):
        bright = (images[:, 0, *self.place] > 0.5).float()
        return torch.stack([1 - bright, bright], 1)


def stored(*bright, size=8, labels=None):
    """Dark pictures with one bright pixel each, at a row and column of the stored picture; seen in 4 × 4."""
    pixels = torch.zeros(len(bright), size, size, 3, dtype=torch.uint8)
    for picture, (row, column) in zip(pixels, bright, strict=True):
        picture[row, column] = 255
    truth = torch.tensor(labels or [0] * len(bright))
    names = tuple(map(str, range(len(bright))))
    images = Pixels(pixels, truth, torch.zeros(size, size, 3), ("dark", "bright"), names, {})
    return Inputs.of(images, side=4, scale=1 / 255)


def changes(inputs, *, pixels=1):
    return labels.label_changes(BrightPixel(), inputs, pixels=pixels)


def test_the_label_changes_in_just_the_directions_that_bring_the_pixel_there_or_away():
    # The crop is rows and columns 2 … 5; the classifier looks at its first row, third column: (2, 4).
    inputs = stored((2, 4), (1, 4), (2, 3), (5, 5), labels=[1, 0, 0, 0])
    table = changes(inputs)
    assert table["predicted"].tolist() == [1, 0, 0, 0] * 4
    assert table["changed"].tolist()[:4] == [1, 0.25, 0.25, 0]


def test_a_border_rule_knows_nothing_of_what_lay_outside_the_crop():
    inputs = stored((1, 4), (3, 4), (5, 4))
    changed = changes(inputs).pivot(index="picture", columns="border", values="changed")
    assert changed[labels.LARGER].tolist() == [0.25, 0.25, 0]
    assert changed["grey"].tolist() == [0, 0.25, 0]  # row 3 moves up into row 2
    assert changed["reflect"].tolist() == [0, 0.5, 0]  # and down, when row 2 is filled with row 3
    assert changed["wrap"].tolist() == [0, 0.25, 0.25]  # row 5, the crop's last, comes in at the top


def test_a_longer_shift_looks_that_much_farther():
    inputs = stored((0, 4), (4, 4))
    changed = changes(inputs, pixels=2).pivot(index="picture", columns="border", values="changed")
    assert changed[labels.LARGER].tolist() == [0.25, 0.25]
    assert changed["grey"].tolist() == [0, 0.25]


def test_the_share_of_flips_can_be_taken_over_correctly_classified_pictures_alone():
    inputs = stored(*[(2, 4)] * 8, *[(1, 4)] * 8, labels=[1] * 8 + [1] * 8)
    table, border = changes(inputs), {"border": labels.LARGER}
    everyone, right = (labels.flips(table, right=right, **border) for right in (False, True))
    assert (everyone.estimate, everyone.n) == (pytest.approx((8 * 1 + 8 * 0.25) / 16), 16)
    assert (right.estimate, right.n) == (1, 8)


def test_shares_of_flips_are_shown_by_shift_and_border_in_percent():
    inputs = stored(*[(2, 4)] * 8, *[(1, 4)] * 8, labels=[1] * 8 + [1] * 8)
    of_shifts = {1: changes(inputs), 2: changes(inputs[:2], pixels=2)}
    shares = labels.flip_shares(of_shifts)
    assert shares[1, labels.LARGER, True] == labels.flips(of_shifts[1], border=labels.LARGER, right=True)
    table = tables.flips(shares)
    assert table["shift"].tolist() == ["1 px"] * 4 + ["2 px"] * 4
    assert table["what comes in"].tolist() == ["more of the larger image", "grey", "reflect", "wrap"] * 2
    assert table["correctly classified"][0] == "100.0\u00a0%\u00a0[100.0,\u00a0100.0]"
    assert table["correctly classified"].tolist()[4:] == ["not measured"] * 4
    assert table["all images"][0].startswith("62.5\u00a0%\u00a0[")


def test_a_classifier_that_takes_the_whole_picture_is_the_same_at_both_shifts():
    class Brightest(BrightPixel):
        def forward(self, images):
            bright = (images.amax((1, 2, 3)) > 0.5).float()
            return torch.stack([1 - bright, bright], 1)

    inputs = stored(*[(3, 3)] * 12, labels=[1] * 12)  # within the crop at any shift by 1
    table = labels.two_shifts(Brightest(), inputs, up_to=1)
    assert table["same"].all()
    assert table["right"].all()


def test_both_shifts_are_drawn_from_the_whole_range_and_are_the_same_for_every_network():
    class Place(BrightPixel):
        """A class for each place of the bright pixel in the crop."""

        def forward(self, images):
            seen.append(images[:, 0].flatten(1).argmax(1))
            return images[:, 0].flatten(1)

    inputs, seen = stored(*[(3, 3)] * 300), []
    table = labels.two_shifts(Place(), inputs, up_to=1, seed=4)
    places = torch.cat([one for i, one in enumerate(seen) if i % 3 < 2])  # the third of a batch is the centre
    found = {(int(p) // 4 - 1, int(p) % 4 - 1) for p in places.unique()}
    assert found == {(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)}
    assert table["same"].mean() == pytest.approx(1 / 9, abs=0.06)
    few = labels.two_shifts(Place(), inputs[20:25], up_to=1, seed=4)
    assert few["same"].tolist() == table["same"][20:25].tolist()


def test_training_mode_comes_back():
    model, inputs = BrightPixel().train(), stored((2, 4))
    labels.label_changes(model, inputs, pixels=1)
    assert model.training
    labels.two_shifts(model.eval(), inputs, up_to=2)
    assert not model.training


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i: changes(i.whole()), "a crop of 8 px cannot be moved by 1 px in pictures of 8 px"),
        (lambda i: labels.two_shifts(BrightPixel(), i, up_to=3), "moved by 3 px"),
    ],
)
def test_what_cannot_be_shifted_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(stored((2, 4)))
