"""The same units side by side: each column is what its title says, cut where the unit looks."""

import numpy as np
import pytest
import small

from zfutils.deconv.deconvnet import Deconvnet, Units
from zfutils.experiments.trial import examples, faithfulness
from zfutils.experiments.trial.switches import partners


@pytest.fixture(scope="module")
def inputs():
    return small.seen(4)


@pytest.fixture(scope="module")
def units(inputs):
    """The strongest unit of every picture and the second, (4,) each."""
    found = faithfulness.units_of(Deconvnet(small.built()), inputs, "relu2", 2, 32)
    assert found.images.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    return [Units(*(t[which::2] for t in found)) for which in (0, 1)]


def projected(model, inputs, units, **options):
    return Deconvnet(model, **options).project(inputs.tensor(), "relu2", units)


def alike(columns, title, projections, value):
    """Whether a column holds these projections of units seeded with `value`."""
    expected = projections.pixels / projections.values[:, None, None, None] * value
    np.testing.assert_allclose(columns[title], expected.permute(0, 2, 3, 1), rtol=1e-3, atol=1e-6)


def test_one_unit_by_every_method_and_another_one_there_and_with_random_weights(inputs, units):
    trained, random = small.built(), small.built(seed=1)
    columns = examples.by_method(trained, random, inputs, layer="relu2")
    titles = ["image", "deconvnet", "guided", "gradient", "another unit", "random weights"]
    assert list(columns) == titles
    for method in titles[1:4]:
        alike(columns, method, projected(trained, inputs, units[0], nonlinearity=method), 1)
    alike(columns, "another unit", projected(trained, inputs, units[1]), 1)
    there = projected(random, inputs, units[0])
    alive = (there.values > 0).numpy()
    assert alive.any()
    expected = (there.pixels / there.values[:, None, None, None]).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(columns["random weights"][alive], expected[alive], rtol=1e-3, atol=1e-6)


def test_the_window_is_the_pictures_own_pixels_there_and_the_other_picture_is_the_partner(inputs, units):
    columns = examples.by_switches(small.built(), inputs, layer="relu2", seed=2)
    assert list(columns)[1:] == [
        "recorded", "centred", "random", "tiles shuffled", "another image's", "the other image"
    ]  # fmt: skip
    recorded = projected(small.built(), inputs, units[0])
    side, pixels = recorded.pixels.shape[-1], inputs.pixels()
    others = partners(4, seed=2).tolist()
    for i, (top, left) in enumerate(zip(recorded.tops.tolist(), recorded.lefts.tolist(), strict=True)):
        for title, picture in (("image", i), ("the other image", others[i])):
            window = np.zeros((side, side, 3), dtype=np.uint8)
            for row, column in np.ndindex(side, side):
                if 0 <= top + row < 32 and 0 <= left + column < 32:
                    window[row, column] = pixels[picture, top + row, left + column]
            np.testing.assert_array_equal(columns[title][i], window)
    np.testing.assert_allclose(columns["recorded"], recorded.pixels.permute(0, 2, 3, 1))
    centred = projected(small.built(), inputs, units[0], switches="centred")
    np.testing.assert_allclose(columns["centred"], centred.pixels.permute(0, 2, 3, 1))
