"""The square under the pointer shows, at every position, what was measured there."""

import numpy as np
import pytest
import small
import torch

from zfutils.data.inputs import Inputs
from zfutils.experiments.occlusion.interactive import under_pointer
from zfutils.experiments.occlusion.sliding_patch import Patch, occlude


@pytest.fixture(scope="module")
def inputs():
    return Inputs.of(small.pictures(2), side=32, scale=1 / 64)


@pytest.fixture(scope="module")
def found(inputs):
    torch.manual_seed(0)
    return occlude(small.SPEC.build().eval(), inputs, patch=Patch(8, 4), layer="relu2")


def test_every_position_shows_the_recorded_probabilities_and_activity(inputs, found):
    figure = under_pointer(inputs.pixels(), found, small.CLASSES)
    probabilities = found.probabilities.reshape(2, 64, 3)
    activity = found.activations.reshape(2, 64) / found.plain_activations[:, None]
    for i, scene in enumerate(figure.scenes):
        followed = small.CLASSES[i]
        for k, (classes, [(name, value)]) in enumerate(scene.rows):
            order = sorted(range(3), key=lambda c: -probabilities[i, k, c])
            names = [small.CLASSES[c] + " (followed)" * (c == i) for c in order]
            assert [name for name, _ in classes] == names
            assert [value for _, value in classes] == pytest.approx(sorted(probabilities[i, k])[::-1])
            assert (name, value) == (f"map {found.maps[i]}", pytest.approx(activity[i, k]))
        assert scene.name == followed


def test_the_square_lies_where_the_patch_lay_and_starts_where_the_class_falls_most(inputs, found):
    figure = under_pointer(inputs.pixels(), found, small.CLASSES)
    assert figure.square[0] == (0, 6 / 32)  # two of its eight pixels reach past the border
    assert figure.square[3] == (10 / 32, 8 / 32)
    assert figure.scenes[0].labels[8 * 3 + 1].startswith("Square centred at row 14, column 6 of 32: ")
    assert np.unravel_index(figure.start, (8, 8)) == np.unravel_index(found.fall()[0].argmax(), (8, 8))


def test_other_images_than_were_measured_are_refused(inputs, found):
    with pytest.raises(ValueError, match="2 images were measured"):
        under_pointer(inputs.pixels()[:1], found, small.CLASSES)
