"""What images are measured by: real pictures, images of other starts and units, another network, noise."""

import numpy as np
import pytest
import small
import torch
from torch import nn

from zfutils.deconv.top_activations import top_activations
from zfutils.experiments.maximisation import elsewhere
from zfutils.experiments.maximisation.ascent import Goal, Made
from zfutils.experiments.maximisation.elsewhere import Asked
from zfutils.experiments.maximisation.likeness import likeness, phases_at_random
from zfutils.experiments.maximisation.strongest import goals, maps_shown_first, strongest
from zfutils.nets.activations import forward


@pytest.fixture(scope="module")
def inputs():
    return small.seen(40).at(torch.arange(39, 9, -1))


@pytest.fixture(scope="module")
def models():
    return [small.built(seed=seed) for seed in range(2)]


# ---- real pictures


def test_the_strongest_are_the_largest_activation_and_the_largest_mean_over_the_pictures(models, inputs):
    whole = forward(models[0], inputs.tensor(), ["relu1", "relu2"])
    found = strongest(models[0], inputs, ["relu1", "relu2"], batch=7)
    for layer, values in whole.items():
        values = values.numpy()
        np.testing.assert_allclose(found[layer].unit, values.max((0, 2, 3)), rtol=1e-4)
        np.testing.assert_allclose(found[layer].map, values.mean((2, 3)).max(0), rtol=1e-4)
        rows = inputs.rows.numpy()[values.mean((2, 3)).argmax(0)]
        assert found[layer].pictures.tolist() == rows.tolist()


def test_a_map_that_no_picture_excites_has_no_yardstick(inputs):
    conv = nn.Conv2d(3, 2, 1)
    conv.bias.data = torch.tensor([-1e3, 1e3])
    found = strongest(small.only(conv), inputs, ["relu1"])["relu1"]
    for of in ("unit", "map"):
        assert np.isfinite(found.over(of)).tolist() == [False, True]


def test_the_maps_of_the_figures_come_first_and_are_those_of_chapter_3(models, inputs):
    found = top_activations(models[0], inputs, layers=["relu2"], k=3)["relu2"]
    maps = maps_shown_first(found, 3, 7, seed=5)
    assert list(maps[:3]) == found.some(3, seed=5).tolist()
    assert len(set(maps)) == len(maps) == 7
    assert maps_shown_first(found, 6, 2, seed=5) == tuple(found.some(2, seed=5).tolist())


def test_the_last_layer_is_asked_from_more_starts_and_whole_maps_are_those_shown(models, inputs):
    found = top_activations(models[0], inputs, layers=["relu1", "relu2"], k=3)
    of_units, of_maps = goals(found, units=10, side=32, seed=5)
    assert [(len(goal.maps), goal.starts, goal.side) for goal in of_units.values()] == [(8, 1, 0), (10, 3, 0)]
    assert [(len(goal.maps), goal.starts, goal.side) for goal in of_maps.values()] == [(2, 1, 32), (6, 2, 32)]
    for layer, goal in of_maps.items():
        assert (goal.of, of_units[layer].of) == ("map", "unit")
        assert of_units[layer].maps[: len(goal.maps)] == goal.maps


# ---- other starts, other units


def test_likeness_is_of_other_starts_alone():
    """Two maps with two starts, of two pixels apart: +1 with +1 correlates at 1, with -1 at -1."""
    signs = np.array([[1, 1], [1, -1]])  # by map and start
    pattern = np.array([[1.0, -1.0], [0.0, 0.0]])
    images = 5 + signs[:, :, None, None, None] * np.stack([pattern] * 3)
    found = likeness(images)
    assert found["same"].tolist() == pytest.approx([1, -1])
    # map 0's start 0 with map 1's start 1 (-1), map 0's start 1 with map 1's start 0 (+1)
    assert found["different"].tolist() == pytest.approx([0, 0])


def test_likeness_is_pearsons_correlation_of_what_is_left_without_the_mean_colour():
    draw = np.random.default_rng(0)
    images = draw.normal(size=(3, 2, 1, 4, 4)) + draw.normal(size=(3, 2, 1, 1, 1))
    found = likeness(images)
    flat = images.reshape(6, -1)
    table = np.corrcoef(flat)
    assert found["same"].tolist() == pytest.approx([table[0, 1], table[2, 3], table[4, 5]])
    assert found["different"][0] == pytest.approx(
        np.mean([table[0, 3], table[0, 5], table[1, 2], table[1, 4]])
    )


def test_an_even_image_is_like_none():
    images = np.random.default_rng(1).normal(size=(2, 2, 3, 4, 4))
    images[0] = 1.0
    found = likeness(images)
    assert found["same"].isna().tolist() == [True, False]
    assert found["different"].isna().all()


def test_one_map_has_no_other_and_one_start_no_second_to_be_compared_with():
    images = np.random.default_rng(0).normal(size=(2, 2, 3, 4, 4))
    alone = likeness(images[:1])
    assert alone["different"].isna().all()
    assert alone["same"][0] == likeness(images)["same"][0]
    assert likeness(images[:, :1])["same"].isna().all()


# ---- noise with an image's spectrum


def test_noise_keeps_amplitudes_and_mean_colour_and_nothing_of_the_form():
    y, x = np.mgrid[:32, :32]
    disc = np.where(np.hypot(y - 14, x - 17) < 8, 1.0, 0.2)
    images = np.stack([disc, 2 * disc, 1 - disc])[None, None]
    noise = phases_at_random(images, seed=3)
    np.testing.assert_allclose(np.abs(np.fft.fft2(noise)), np.abs(np.fft.fft2(images)), atol=1e-9)
    np.testing.assert_allclose(noise.mean((-2, -1)), images.mean((-2, -1)))
    draws = [phases_at_random(images, seed=seed)[0, 0, 0] for seed in range(40)]
    alike = [np.corrcoef(draw.ravel(), disc.ravel())[0, 1] for draw in draws]
    assert abs(np.mean(alike)) < 0.2  # of one draw anything, for the few lowest frequencies are most of it
    np.testing.assert_allclose(noise[0, 0, 1], 2 * noise[0, 0, 0])  # colours go together as they did
    assert not np.allclose(noise, phases_at_random(images, seed=4))


# ---- another network


def test_the_best_share_is_the_largest_over_maps_that_answer_at_all():
    answers = np.array([[2.0, 9.0, 1.0], [0.0, 5.0, 3.0]])
    most = np.array([4.0, np.nan, 2.0])
    assert elsewhere.best_share(answers, most).tolist() == [0.5, 1.5]
    assert np.isnan(elsewhere.best_share(answers, np.full(3, np.nan))).all()


def test_a_unit_is_asked_at_its_window_and_a_map_as_its_mean(models):
    draw = np.random.default_rng(2)
    images = draw.normal(size=(2, 3, 3, 32, 32)).astype(np.float32)
    said = elsewhere.answers(models[1], Goal("relu2", (0, 1), "map", 3, 32), images)
    whole = forward(models[1], torch.from_numpy(images.reshape(6, 3, 32, 32)), ["relu2"])["relu2"]
    np.testing.assert_allclose(said.reshape(6, -1), whole.mean((2, 3)), rtol=1e-4, atol=1e-6)


def test_a_picture_shown_to_the_network_that_chose_it_has_a_best_share_of_one(models, inputs):
    """No map can exceed its strongest activation over the same pictures, and the unit itself reaches it."""
    found = top_activations(models[0], inputs, layers=["relu2"], k=2)["relu2"]
    most = strongest(models[0], inputs, ["relu2"])["relu2"].over("unit")
    maps = [int(m) for m in np.flatnonzero(np.isfinite(most))]
    shares = elsewhere.picture_shares(found, maps, inputs, Asked(models[0], most))
    np.testing.assert_allclose(shares.other, 1, rtol=1e-4)
    other = strongest(models[1], inputs, ["relu2"])["relu2"].over("unit")
    elsewhere_shares = elsewhere.picture_shares(found, maps, inputs, Asked(models[1], other)).other
    assert (elsewhere_shares <= 1 + 1e-4).all()
    assert elsewhere_shares.min() < 1


def flat_model(factor):
    """Two maps that add all pixels of a 4×4 picture: noise with the same spectrum has the same sum."""
    conv = nn.Conv2d(1, 2, 4, bias=False)
    conv.weight.data = torch.tensor([1.0, factor])[:, None, None, None].expand(2, 1, 4, 4).clone()
    return small.only(conv)


def test_shares_by_hand():
    images = np.stack([np.full((2, 1, 4, 4), value, np.float32) for value in (1, 2)])
    images[:, 1] += 1  # start 2
    images[:, :, 0, 0, 0] += 0.5  # some structure, which has a phase
    sums = images.sum((2, 3, 4))  # (maps, starts)
    made = Made(Goal("relu1", (0, 1), starts=2), images, sums * [[1], [3]])
    own, other = (
        Asked(flat_model(3), np.array([10.0, 30.0])),
        Asked(flat_model(0.5), np.array([40.0, np.nan])),
    )
    for found in (elsewhere.shares(made, own, other), elsewhere.noise_shares(made, own, other)):
        np.testing.assert_allclose(found.own, sums.mean(1) / 10, rtol=1e-5)
        np.testing.assert_allclose(found.other, sums.mean(1) / 40, rtol=1e-5)
    np.testing.assert_allclose(elsewhere.shares(made, own, other).noise, sums.mean(1) / 40, rtol=1e-5)
