"""The square under the pointer shows, at every position, what was measured there."""

import numpy as np
import pytest
import small

from zfutils.experiments.occlusion.interactive import under_pointer


@pytest.fixture
def figure(inputs, found):
    return under_pointer(inputs[:2].pixels(), found.of(np.arange(2)), small.CLASSES)


def test_every_position_shows_the_recorded_probabilities_and_activity(figure, found):
    found = found.of(np.arange(2))
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


def test_the_square_lies_where_the_patch_lay_and_starts_where_the_class_falls_most(figure, found):
    assert figure.square[0] == (0, 6 / 32)  # two of its eight pixels reach past the border
    assert figure.square[3] == (10 / 32, 8 / 32)
    assert figure.scenes[0].labels[8 * 3 + 1].startswith("Square centred at row 14, column 6 of 32: ")
    assert np.unravel_index(figure.start, (8, 8)) == np.unravel_index(found.fall()[0].argmax(), (8, 8))
