"""Pooling with switches and its reversal: by hand, against PyTorch, and the two ways to add."""

import pytest
import torch
from deconvnet_cases import even, noise, taken_from
from graph_cases import prepared
from torch import nn

from zfutils.deconv import unpooling
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.unpooling import Frame
from zfutils.nets.geometry import Window

# ---- switches


@pytest.mark.parametrize(
    "pool", [(3, 2, 0), (3, 2, 1), (2, 2, 0), (2, 1, 1), (3, 3, 1), (2, 3, 0), (5, 1, 2)]
)
@pytest.mark.parametrize(
    "images", [noise(2, 23, 18), even(2, 20), torch.zeros(1, 3, 9, 12)], ids=["noise", "even", "zero"]
)
def test_recorded_switches_are_pytorchs(pool, images):
    model = prepared(nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(*pool)))
    below = Deconvnet(model).forward(images, "relu1").activations
    recording = Deconvnet(model).forward(images, "pool1")
    expected, places = nn.functional.max_pool2d(below, *pool, return_indices=True)
    rows, columns = taken_from(recording.switches["pool1"], pool)
    assert torch.equal(recording.activations, expected)
    assert torch.equal(rows * below.shape[3] + columns, places)


@pytest.mark.parametrize("pool", [(3, 2, 1), (2, 1, 1), (5, 1, 2), (3, 2, 0)])
@pytest.mark.parametrize("rule", ["centred", "random"])
def test_switches_that_are_not_recorded_lie_in_the_map_too(rule, pool):
    model = prepared(nn.Sequential(nn.Conv2d(3, 40, 3), nn.ReLU(), nn.MaxPool2d(*pool)))
    switches = Deconvnet(model, switches=rule).forward(noise(1, 16, 19), "pool1").switches["pool1"]
    for places, size in zip(taken_from(switches, pool), (14, 17), strict=True):
        assert places.min() >= 0
        assert places.max() < size
    inside = switches[:, :, 2:-2, 2:-2]
    middle = pool[0] // 2 * (pool[0] + 1)
    assert set(inside.unique().tolist()) == ({middle} if rule == "centred" else set(range(pool[0] ** 2)))


# ---- unpooling


def pooled(window, *, size=(13, 10), seed=0):
    """Maxima, switches and the map of two pictures of four maps; half of the values are equal to others."""
    x = torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(seed))
    x = torch.where(x > 0, x, x.round())
    return x, *unpooling.pool(unpooling.pad(x, window, -torch.inf), window)


def signals(like, *, seed=1):
    """Random signals of which every third is zero."""
    x = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
    return x * (torch.arange(x.numel()).view(x.shape) % 3 > 0)


POOLS = [(3, 2, 0), (3, 2, 1), (2, 2, 0), (2, 1, 1), (5, 1, 2), (2, 3, 0)]


@pytest.mark.parametrize("window", [Window(*sizes) for sizes in POOLS])
def test_both_ways_to_add_give_the_same_bits(window):
    _, maxima, switches = pooled(window)
    x = signals(maxima)
    one_pass = unpooling._in_one_pass(x, switches, window)
    assert one_pass.any()
    assert torch.equal(unpooling._by_offset(x, switches, window, "add"), one_pass)
    assert torch.equal(unpooling.unpool(x, switches, window, "add"), one_pass)


def test_one_place_for_many_windows_adds_in_reading_order_by_both_ways():
    window, x = Window(3, 1, 0), torch.tensor([1e8, 1.0, -1e8, 1.0, 1.0, 0, 0, 0, 0]).view(1, 1, 3, 3)
    switches = torch.tensor([8, 7, 6, 5, 4, 3, 2, 1, 0], dtype=torch.uint8).view(1, 1, 3, 3)
    one_pass = unpooling._in_one_pass(x, switches, window)
    for found in (one_pass, unpooling._by_offset(x, switches, window, "add")):
        assert found.nonzero().tolist() == [[0, 0, 2, 2]]
        assert found[0, 0, 2, 2] == 2  # 1e8 + 1 is 1e8 in float32; in the reverse order the sum is 0


@pytest.mark.parametrize("window", [Window(*sizes) for sizes in POOLS])
def test_adding_is_the_adjoint_of_pooling(window):
    x, maxima, switches = pooled(window)
    x.requires_grad_()
    signal = signals(maxima)
    top = nn.functional.max_pool2d(x, window.kernel, window.stride, window.padding)
    (expected,) = torch.autograd.grad(top, x, signal)
    found = unpooling.crop(unpooling.unpool(signal, switches, window, "add"), window, x.shape[-2:])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shared", ["add", "last", "largest"])
def test_where_windows_do_not_overlap_every_rule_is_pytorchs_unpooling(shared):
    x, window = signals(torch.empty(2, 4, 12, 8)), Window(2, 2, 0)
    maxima, switches = unpooling.pool(x, window)
    maxima, places = nn.functional.max_pool2d(x, 2, 2, return_indices=True)
    expected = nn.functional.max_unpool2d(maxima, places, 2, 2)
    assert torch.equal(unpooling.unpool(maxima, switches, window, shared), expected)


# ---- frames


def test_a_frame_below_holds_all_that_its_windows_see():
    frame = Frame(torch.tensor([0, 3]), torch.tensor([2, 0]), 2, 3, (9, 9)).below(Window(3, 2, 1), (18, 17))
    # rows 0…1 of stride 2 and padding 1 see -1…3, columns 2…4 see 3…9
    assert (frame.tops.tolist(), frame.lefts.tolist()) == ([-1, 5], [3, -1])
    assert (frame.height, frame.width, frame.of) == (5, 7, (18, 17))


def test_what_a_frame_cuts_beyond_the_map_is_zero_or_the_nearest_value():
    maps = torch.arange(1.0, 13).view(1, 1, 3, 4)
    frame = Frame(torch.tensor([-1, 2]), torch.tensor([2, -2]), 2, 3, (3, 4))
    samples = torch.tensor([0, 0])
    assert frame.cut(maps, samples)[:, 0].tolist() == [
        [[0, 0, 0], [3, 4, 0]], [[0, 0, 9], [0, 0, 0]],
    ]  # fmt: skip
    assert frame.cut(maps, samples, zero_outside=False)[:, 0].tolist() == [
        [[3, 4, 4], [3, 4, 4]], [[9, 9, 9], [9, 9, 9]],
    ]  # fmt: skip


def test_cropping_takes_the_padding_off_again_and_fills_what_no_window_reached():
    window, x = Window(2, 3, 1), torch.arange(1.0, 7).view(1, 1, 2, 3)
    padded = unpooling.pad(x, window, 7.0)
    assert padded[0, 0].tolist() == [[7, 7, 7, 7, 7], [7, 1, 2, 3, 7], [7, 4, 5, 6, 7], [7, 7, 7, 7, 7]]
    assert torch.equal(unpooling.crop(padded, window, (2, 3)), x)
    assert unpooling.crop(padded[:, :, :2, :3], window, (2, 3))[0, 0].tolist() == [[1, 2, 0], [0, 0, 0]]
