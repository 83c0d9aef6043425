"""Images as a network sees them: which, where they are cut, on which scale, and what is refused."""

import pytest
import torch
from small import pictures

from zfutils.data.inputs import Inputs


@pytest.fixture(scope="module")
def images():
    return pictures(6)


def test_a_crop_is_the_middle_of_the_picture_minus_the_mean_of_the_same_pixels_times_the_scale(images):
    inputs = Inputs.of(images, torch.tensor([4, 1]), side=32, scale=1 / 64)
    assert (images.size, inputs.corner) == (40, 4)
    expected = (images.pixels[[4, 1], 4:36, 4:36].float() - images.mean[4:36, 4:36]) / 64
    assert torch.equal(inputs.tensor(), expected.permute(0, 3, 1, 2))
    assert torch.equal(inputs.mean(), images.mean[4:36, 4:36].permute(2, 0, 1))
    assert (inputs.pixels() == images.pixels[[4, 1], 4:36, 4:36].numpy()).all()
    assert inputs.labels.tolist() == images.labels[[4, 1]].tolist()


def test_all_images_are_taken_whole_unless_something_else_is_asked_for(images):
    inputs = Inputs.of(images)
    assert (len(inputs), inputs.side, inputs.scale) == (6, 40, 1.0)
    assert torch.equal(Inputs.of(images, side=32).whole().tensor(), inputs.tensor())


def test_some_are_chosen_by_place_or_by_row(images):
    inputs = Inputs.of(images, torch.tensor([5, 3, 0]), side=32)
    assert inputs[1:].rows.tolist() == [3, 0]
    assert inputs[torch.tensor([2, 0])].rows.tolist() == [0, 5]
    assert inputs.at(torch.tensor([2])).rows.tolist() == [2]
    assert inputs.at(torch.tensor([2])).side == 32


def test_batches_come_in_order_with_their_rows_and_labels(images):
    inputs = Inputs.of(images, torch.tensor([5, 3, 0]), side=32)
    batches = list(inputs.batches(2, dtype=torch.float64))
    assert [batch.rows.tolist() for batch in batches] == [[5, 3], [0]]
    assert torch.cat([batch.labels for batch in batches]).tolist() == inputs.labels.tolist()
    assert batches[0].images.dtype == torch.float64
    assert torch.equal(torch.cat([batch.images for batch in batches]).float(), inputs.tensor())


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "at least one of the 6 images"),
        ([6], {}, "at least one of the 6 images"),
        ([-1], {}, "at least one of the 6 images"),
        ([2, 2], {}, "twice"),
        ([2], {"side": 41}, "a crop of 41 px does not fit"),
        ([2], {"side": 0}, "a crop of 0 px does not fit"),
        ([2], {"scale": 0.0}, "above 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(images, rows, options, message):
    with pytest.raises(ValueError, match=message):
        Inputs.of(images, torch.tensor(rows, dtype=torch.int64), **options)


def test_an_empty_batch_is_refused(images):
    with pytest.raises(ValueError, match="at least 1 image"):
        next(Inputs.of(images).batches(0))
