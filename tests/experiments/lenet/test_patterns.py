"""Projections of chosen units: those of an independent oracle, and what pooling by averages makes of them."""

import numpy as np
import pytest
import torch
from deconvnet_oracle import Oracle

from zfutils.experiments.lenet import patterns
from zfutils.nets.activations import forward


@pytest.mark.parametrize("layer", ["relu1", "relu2"])
def test_every_map_is_projected_from_its_strongest_unit(lenet, layer, pooling, images):
    model = lenet(pooling)
    found = patterns.project(model, images, layer)
    given = forward(model, images, [layer])[layer]
    assert found.maps.tolist() == [list(range(given.shape[1]))] * 4
    for i in range(4):
        oracle = Oracle(model, images[i], layer)
        for m in range(given.shape[1]):
            row, column = divmod(int(given[i, m].argmax()), given.shape[3])
            assert found.values[i, m] == pytest.approx(float(given[i, m].max()))
            expected = oracle.project(layer, m, row, column)[0].numpy()
            np.testing.assert_allclose(found.pixels[i, m], expected, atol=1e-12)


def test_whole_maps_are_seeded_at_once(lenet, pooling, images):
    model = lenet(pooling)
    found = patterns.project_whole_maps(model, images, "relu2")
    for i in range(4):
        oracle = Oracle(model, images[i], "relu2")
        for m in (0, 7, 15):
            np.testing.assert_allclose(found[i, m], oracle.project_map("relu2", m)[0].numpy(), atol=1e-12)


def test_the_strongest_units_come_in_their_order_and_are_the_oracle_s(lenet, pooling, images):
    model = lenet(pooling)
    found = patterns.project(model, images, "relu3", 3)
    ordered = forward(model, images, ["relu3"])["relu3"].argsort(1, descending=True)[:, :3]
    assert found.maps.tolist() == ordered.tolist()
    for i in range(4):
        expected = Oracle(model, images[i], "relu3").project("relu3", int(ordered[i, 2]))
        np.testing.assert_allclose(found.pixels[i, 2], expected[0].numpy(), atol=1e-12)


def test_a_score_that_is_not_above_zero_has_no_pattern(lenet, images):
    model = lenet()
    maps = torch.arange(10).expand(4, 10)
    found = patterns.project(model, images, "fc5", maps)
    assert (found.values > 0).any()
    assert (found.values <= 0).any()
    answered = found.values > 0
    assert (np.abs(found.pixels).sum((2, 3)) > 0).tolist() == answered.tolist()


def test_a_map_that_is_not_there_is_refused(lenet, images):
    with pytest.raises(ValueError, match="maps 0…5"):
        patterns.project(lenet(), images, "relu1", torch.full((4, 1), 6))


def test_all_layers_have_the_units_that_their_names_say(lenet, images):
    labels = torch.tensor([3, 1, 4, 1])
    found = patterns.of_layers(lenet(), images, labels)
    assert [one.maps.shape for one in found.values()] == [(4, 6), (4, 16), (4, 5), (4, 5), (4, 1)]
    assert list(found) == list(patterns.LAYERS)
    assert found["layer 5, the true class"].maps[:, 0].tolist() == [3, 1, 4, 1]


def test_without_switches_a_unit_projects_to_one_pattern_whatever_the_picture(lenet, images):
    """The page's finding, which follows from the way down: with averages nothing on it knows the picture."""
    alike = {}
    for pooling in ("max", "average"):
        pair = patterns.of_pairs(lenet(pooling), images, "relu4")
        alike[pooling] = patterns.likeness(pair.reshape(2, 2, 28, 28))
    np.testing.assert_allclose(alike["average"], 1, atol=1e-12)
    assert alike["max"].max() < 0.95


def test_a_pair_s_unit_answers_to_both(lenet, images):
    model = lenet()
    given = forward(model, images, ["relu4"])["relu4"]
    unit = int(torch.minimum(given[2], given[3]).argmax())
    found = patterns.of_pairs(model, images, "relu4")
    for i in (2, 3):
        expected = Oracle(model, images[i], "relu4").project("relu4", unit)[0]
        np.testing.assert_allclose(found[i], expected.numpy(), atol=1e-12)


def rows(*patterns_of_row):
    """Patterns of 2×2 pixels, one row of k."""
    return np.array(patterns_of_row, dtype=float).reshape(1, -1, 2, 2)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (([1, 0, 0, 0], [0, 2, 0, 0]), 0),
        (([1, 1, 0, 0], [3, 3, 0, 0]), 1),
        (([1, 0, 0, 0], [-2, 0, 0, 0]), -1),
        (([1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]), 1 / 3),
        (([1, 0, 0, 0], [0, 0, 0, 0], [5, 0, 0, 0]), 1),
        (([1, 0, 0, 0], [0, 0, 0, 0]), np.nan),
    ],
)
def test_likeness_is_the_mean_cosine_of_pairs_that_are_not_zero(row, expected):
    np.testing.assert_allclose(patterns.likeness(rows(*row)), [expected], atol=1e-12)


def test_likeness_within_a_class_compares_digits_and_not_classes():
    pixels = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [2, 0, 0, 0], [0, 3, 0, 0]], float).reshape(4, 1, 2, 2)
    found = patterns.Patterns(pixels, np.zeros((4, 1), int), np.ones((4, 1)))
    assert patterns.likeness_within_classes(found, np.array([0, 1, 0, 1])).tolist() == [1, 1]
    assert patterns.likeness_within_classes(found, np.array([0, 0, 1, 1])).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (([1, -1, 1, -1],), 2),
        (([3, 1, 1, 1],), 1),  # 9 of 12
        (([2, 2, 1, 0], [0, 0, 0, 0]), 2),  # 4 of 9 is less than half
        (([1, -1, 1, -1], [5, 0, 0, 0]), 1.5),
        (([0, 0, 0, 0],), np.nan),
    ],
)
def test_half_the_energy_lies_on_the_fewest_pixels(row, expected):
    np.testing.assert_allclose(patterns.half_energy(rows(*row)), [expected])
