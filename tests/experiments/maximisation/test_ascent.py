"""Ascent ends where a calculation by hand says, stays within a picture's range, and repeats by its seed."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import small
import torch
from torch import nn

from zfutils.experiments.maximisation import ascent
from zfutils.experiments.maximisation.ascent import WAYS, Goal, PixelRange, Probe, Way, maximise
from zfutils.nets.activations import forward

GREY = PixelRange((100.0, 120.0, 140.0), 1 / 64)  # three colours
PLAIN = Way(steps=60, step=20.0)


def one_layer(weight, bias=0.0):
    """A convolution and its ReLU."""
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2])
    conv.weight.data.copy_(weight)
    conv.bias.data.fill_(bias)
    return small.only(conv)


@pytest.fixture(scope="module")
def filters():
    weight = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    return torch.where(weight.abs() < 0.2, 0.2, weight)  # none so small that its pixel needs many steps


@pytest.fixture
def model():
    return small.built()


def bounds(pixels=GREY):
    mean = torch.tensor(pixels.mean)[:, None, None]
    return -mean * pixels.scale, (255 - mean) * pixels.scale


# ---- what ascent ends in


def test_a_linear_unit_ends_with_every_pixel_at_the_end_of_its_range_that_the_weight_points_to(filters):
    made = maximise(one_layer(filters), Goal("relu1", (2, 0), starts=2), PLAIN, GREY)
    low, high = bounds()
    for row, number in enumerate((2, 0)):
        best = torch.where(filters[number] > 0, high, low)
        for start in range(2):
            np.testing.assert_allclose(made.images[row, start], best, atol=1e-6)
        expected = float((filters[number] * best).sum())
        np.testing.assert_allclose(made.reached[row], expected, rtol=1e-5)


def test_decay_and_a_constant_gradient_add_up_to_a_geometric_series(filters):
    way, goal = Way(steps=7, step=1.0, noise=5.0, decay=0.1), Goal("relu1", (1,), starts=1)
    start = maximise(one_layer(filters), goal, replace(way, steps=0), GREY).images[0, 0]
    made = maximise(one_layer(filters), goal, way, GREY).images[0, 0]
    step = filters[1] / filters[1].square().mean().sqrt() * GREY.scale
    expected = 0.9**7 * start + step.numpy() * (1 - 0.9**7) / 0.1
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-6)


def test_a_whole_map_of_single_pixels_ends_in_one_colour():
    weight = torch.tensor([1.0, -2.0, 0.5])[None, :, None, None]
    made = maximise(one_layer(weight), Goal("relu1", (0,), "map", 1, 9), PLAIN, GREY)
    low, high = bounds()
    expected = torch.cat([high[0], low[1], high[2]]).flatten()
    np.testing.assert_allclose(made.images[0, 0], expected[:, None, None].expand(3, 9, 9), atol=1e-6)
    np.testing.assert_allclose(made.reached, [[float(weight.flatten() @ expected)]], rtol=1e-5)


def test_blur_leaves_less_difference_between_neighbours(filters):
    def roughness(way):
        return np.abs(np.diff(maximise(one_layer(filters), Goal("relu1", (0,)), way, GREY).images)).mean()

    assert roughness(replace(PLAIN, blur=1.0)) < 0.5 * roughness(PLAIN)


def test_what_jitter_moves_comes_out_as_the_mean_over_the_shifts_of_a_linear_signal(filters):
    """One step from no start: the image is the filter, moved back by the step's shift."""
    way = Way(steps=1, step=1.0, noise=0.0, jitter=0.4)
    for seed in range(4):
        made = maximise(one_layer(filters), Goal("relu1", (3,), starts=1), way, GREY, seed=seed).images[0, 0]
        step = (filters[3] / filters[3].square().mean().sqrt() * GREY.scale).numpy()
        shifts = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
        assert any(np.allclose(made, np.roll(step, shift, (1, 2)), atol=1e-6) for shift in shifts)


def test_where_everything_below_is_silent_the_image_is_moved_by_noise(filters):
    conv = nn.Conv2d(4, 1, 1)
    layers = [*one_layer(filters, bias=-1e3), conv, nn.ReLU()]
    model = nn.Sequential(OrderedDict(zip(("conv1", "relu1", "conv2", "relu2"), layers, strict=True)))
    way = Way(steps=40, noise=10.0, decay=1.0)  # nothing is left of the start
    made = maximise(model, Goal("relu2", (0,), starts=8), way, GREY)
    assert made.images.std() == pytest.approx(10 * GREY.scale, rel=0.1)
    assert (made.reached == max(0.0, float(conv.bias.detach()))).all()


def test_the_three_ways_excite_units_and_maps_more_than_their_starts_within_the_range(model):
    low, high = (bound.numpy() for bound in bounds())
    for goal in (Goal("relu2", (0, 5), starts=2), Goal("relu2", (0, 5), "map", 2, 32)):
        start = maximise(model, goal, Way(steps=0), GREY)
        for name, way in WAYS.items():
            made = maximise(model, goal, way, GREY)
            assert (made.reached > start.reached).all(), name
            assert (made.images >= low - 1e-6).all(), name
            assert (made.images <= high + 1e-6).all(), name


# ---- where the unit is, and what is read


def test_a_unit_answers_to_its_window_as_it_does_in_a_picture(model):
    probe = Probe.of_goal(model, Goal("relu2", (0,)))
    field, step = 5 + 2 * 2 + 2 * 4, 4  # conv1 5/2, pool1 3/2, conv2 3/1: side and stride of the window
    assert probe.side == field
    picture = torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    whole = forward(model, picture, ["relu2"])["relu2"]
    for place in (2, 3, 5):
        top = place * step - (1 * 2 + 1 * 4)  # the paddings of pool1 and conv2
        window = picture[:, :, top : top + field, 4 * step - 6 : 4 * step - 6 + field]
        torch.testing.assert_close(probe(window), whole[:, :, place, 4], rtol=1e-4, atol=1e-5)


def test_the_signal_that_is_followed_is_that_before_the_relu(model):
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    probe = Probe.of_goal(model, Goal("relu1", (0,), "map", 1, 32))
    before = forward(model, images, ["conv1"])["conv1"].mean((2, 3))
    torch.testing.assert_close(probe(images, before_relu=True).detach(), before)
    assert ascent.below(model, "conv2") == "conv2"


def test_pixels_are_the_values_brought_back_to_0_to_255():
    images = np.array([0.0, 10 / 64, -1e3])[:, None, None, None] * np.ones((3, 3, 1, 1))
    assert GREY.pixels(images)[:, 0, 0].tolist() == [[100, 120, 140], [110, 130, 150], [0, 0, 0]]


def test_the_range_of_a_set_is_that_of_its_mean_and_scale():
    inputs = small.seen(6)
    mean = inputs.images.mean[4:36, 4:36].numpy().mean((0, 1))
    found = PixelRange.of(inputs)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-5)
    assert found.scale == 1 / 64


# ---- repeatable, and harmless


def test_the_seed_repeats_starts_and_shifts_and_another_one_changes_them(model):
    goal, way = Goal("relu2", (1, 2), starts=2), replace(WAYS["with jitter"], steps=5)
    first, again, other = (maximise(model, goal, way, GREY, seed=seed).images for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert not np.allclose(first[:, 0], first[:, 1])


def test_images_do_not_depend_on_what_else_is_in_their_batch(model):
    goal, way = Goal("relu2", (1, 2, 3), starts=3), replace(WAYS["with jitter"], steps=3)
    whole, parts = (maximise(model, goal, way, GREY, batch=batch).images for batch in (48, 2))
    np.testing.assert_allclose(whole, parts, rtol=1e-3, atol=1e-5)


def test_the_network_keeps_its_mode_and_gets_no_gradients(model):
    model.train()
    maximise(model, Goal("relu2", (0,)), replace(PLAIN, steps=2), GREY)
    assert model.training
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())


def test_all_networks_layers_and_ways_are_made_as_each_alone(model, monkeypatch):
    monkeypatch.setenv("ZFUTILS_JOBS", "64")  # in this process
    monkeypatch.setattr(ascent, "WAYS", {name: replace(way, steps=3) for name, way in WAYS.items()})
    goals = {"relu1": Goal("relu1", (1,)), "relu2": Goal("relu2", (3,), "map", 2, 32)}
    made = ascent.by_every_way({"a": model}, goals, GREY, seed=1)
    assert list(made) == [("a", layer, way) for layer in goals for way in WAYS]
    for (_, layer, way), one in made.items():
        alone = maximise(model, goals[layer], ascent.WAYS[way], GREY, seed=1)
        np.testing.assert_allclose(one.images, alone.images, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        (Goal("relu9", (0,)), "'relu9' is not in this network"),
        (Goal("relu3", (0,)), "sees the whole image"),
        (Goal("relu2", (0, 12)), r"relu2 has maps 0…11, asked for were \[0, 12\]"),
        (Goal("relu2", (0,), "map", 1, 8), "needs pictures of 17 px, not 8"),
    ],
)
def test_what_cannot_be_maximised_is_refused(model, goal, message):
    with pytest.raises(ValueError, match=message):
        maximise(model, goal, PLAIN, GREY)


def test_a_step_has_its_length_stays_in_range_and_tells_who_has_no_gradient():
    images = torch.zeros(2, 1, 1, 2, requires_grad=True)

    def climbed(step):
        signal = torch.stack([images[0, 0, 0] @ torch.tensor([3.0, -4.0]), 0 * images[1].sum()])
        return ascent.climb(images, signal, Way(step=step), PixelRange((100.0,), 0.5))

    moved, silent = climbed(10 * 2**0.5)  # a root mean square of 10√2 over two pixels is a length of 20
    torch.testing.assert_close(moved[0, 0, 0], 0.5 * 20 * torch.tensor([0.6, -0.8]))
    assert silent.flatten().tolist() == [False, True]
    assert not moved[1].any()
    assert climbed(1e4)[0][0, 0, 0].tolist() == [0.5 * 155, -0.5 * 100]
