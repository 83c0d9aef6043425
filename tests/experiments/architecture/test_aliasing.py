"""What layer 1 answers to, and what subsampling loses, of pictures whose frequencies are known."""

import math
from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.experiments.architecture import aliasing
from zfutils.nets import zoo


def grating(fx, fy=0.0, *, side=7, phase=0.0):
    """cos of a plane wave, (side, side); frequencies in cycles per pixel."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.cos(2 * math.pi * (fx * x + fy * y) + phase)


def pixels(images):
    """A store that holds these grey pictures, (n, side, side), centred on 128."""
    whole = torch.as_tensor(images).round().to(torch.uint8)[..., None].expand(-1, -1, -1, 3).contiguous()
    n = len(whole)
    mean = torch.full(whole.shape[1:], 128.0)
    return Pixels(whole, torch.zeros(n, dtype=torch.int64), mean, ("a",), tuple(map(str, range(n))), {})


def layer(weight, *, stride, padding=0):
    """A network of one convolution, named as ours are."""
    conv = nn.Conv2d(3, len(weight), weight.shape[-1], stride, padding, bias=False)
    conv.weight.data.copy_(weight)
    return nn.Sequential(OrderedDict(conv1=conv, relu1=nn.ReLU()))


# ---- greatest responses


def test_the_greatest_response_is_the_largest_relu_output_over_pictures_and_positions():
    images = torch.full((5, 20, 20), 128.0)
    images[3, 4, 6] = 138  # one pixel, 10 above the mean
    weight = torch.zeros(3, 3, 1, 1)
    weight[0, 0], weight[1] = 2.0, -1.0
    model = layer(weight, stride=2)
    greatest = aliasing.greatest_responses(model, Inputs.of(pixels(images), scale=0.5), batch=2)
    assert greatest.tolist() == [10.0, 0.0, 0.0]  # 10 · 0.5 · 2; never positive; never anything


def test_a_response_at_a_position_the_stride_leaves_out_is_not_seen():
    images = torch.full((1, 20, 20), 128.0)
    images[0, 5, 6] = 138
    weight = torch.ones(1, 3, 1, 1)
    assert aliasing.greatest_responses(layer(weight, stride=2), Inputs.of(pixels(images))) == 0


# ---- aliasing


@pytest.mark.parametrize(("stride", "frequency", "beyond"), [
    (2, 0.20, 0), (2, 0.30, 1), (4, 0.10, 0), (4, 0.15, 1), (4, 0.20, 1),
])  # fmt: skip
def test_a_grating_is_carried_below_the_nyquist_frequency_and_not_above(stride, frequency, beyond):
    for wave in (grating(frequency, side=120), grating(0, frequency, side=120)):
        share = aliasing.share_beyond_nyquist(wave[None] + 3, stride)
        assert share.item() == pytest.approx(beyond, abs=1e-3)


def test_a_checkerboard_aliases_wholly():
    board = grating(0.5, 0.5, side=64)
    assert board[0, :4].tolist() == pytest.approx([1, -1, 1, -1])
    for stride in (2, 4):
        assert aliasing.share_beyond_nyquist(board[None], stride).item() == pytest.approx(1)


@pytest.mark.parametrize("side", [60, 61])
def test_two_gratings_share_the_energy_as_their_squared_amplitudes(side):
    slow, fast = grating(0.1, side=side), 2 * grating(0, 0.4, side=side)
    assert aliasing.share_beyond_nyquist((slow + fast)[None], 2).item() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("stride", [2, 4])
def test_white_noise_loses_all_but_the_square_that_the_stride_carries(stride):
    noise = torch.randn(64, 96, 96, generator=torch.Generator().manual_seed(1))
    share = aliasing.share_beyond_nyquist(noise, stride).mean().item()
    assert share == pytest.approx(1 - 1 / stride**2, abs=0.02)


def test_a_constant_map_has_no_share():
    maps = torch.stack([torch.full((16, 16), 1000.1), torch.zeros(16, 16), grating(0.5, side=16)])
    assert aliasing.share_beyond_nyquist(maps, 2).isnan().tolist() == [True, True, False]


def test_layer_1_is_measured_on_its_response_to_the_picture_at_stride_1():
    waves = torch.stack([grating(0.05, side=64), grating(0.2, side=64), grating(0.35, side=64)])
    inputs, identity = Inputs.of(pixels(128 + 100 * waves)), torch.ones(1, 3, 1, 1)
    found = {
        stride: aliasing.energy_beyond_nyquist(layer(identity, stride=stride), inputs, upto="conv1", batch=2)
        for stride in (2, 4)
    }
    assert found[2]["share"].to_numpy() == pytest.approx([0, 0, 1], abs=2e-3)
    assert found[4]["share"].to_numpy() == pytest.approx([0, 1, 1], abs=2e-3)
    assert list(found[4].columns) == ["picture", "layer", "stride", "map", "share"]


def test_pooling_is_measured_on_the_maximum_at_every_position():
    bumps = torch.zeros(1, 64, 64)
    bumps[:, :, ::2] = 100  # a maximum over three pixels sees a bump everywhere: a constant map
    model = layer(torch.ones(1, 3, 1, 1), stride=1)
    model.add_module("pool1", nn.MaxPool2d(3, 2, 0))
    found = aliasing.energy_beyond_nyquist(model, Inputs.of(pixels(128 + bumps)), upto="pool1")
    assert list(found["layer"]) == ["pool1"]
    assert found["share"].isna().all()


def test_a_subsampling_is_given_what_the_layer_below_it_gives():
    wave = 128 + 100 * grating(0.1, side=64)
    rectified = layer(torch.ones(1, 3, 1, 1), stride=1)
    rectified.relu1 = nn.ReLU(inplace=True)  # what is below the pooling, and works in place
    rectified.add_module("pool1", nn.MaxPool2d(1, 4, 0))
    (share,) = aliasing.energy_beyond_nyquist(rectified, Inputs.of(pixels(wave[None])), upto="pool1")["share"]
    expected = aliasing.share_beyond_nyquist((3 * (wave.round() - 128)).clamp(min=0)[None], 4)
    assert share == pytest.approx(expected.item(), rel=1e-4)
    assert share > 0.01  # the harmonics of a rectified wave, which the wave itself has not


@pytest.fixture(scope="module")
def natural():
    """Twelve pictures of blurred noise, seen at 64 px."""
    noise = torch.randn(12, 1, 72, 72, generator=torch.Generator().manual_seed(0))
    blurred = (128 + 400 * nn.functional.avg_pool2d(noise, 9, 1, 4)[:, 0]).clamp(0, 255)
    return Inputs.of(pixels(blurred), side=64, scale=1 / 64)


def test_every_subsampling_of_layers_1_and_2_is_measured_and_nothing_else(natural):
    some = natural.at(torch.tensor([4, 0, 7]))
    for spec, layers in (
        (zoo.zfnet(4, 64).scaled(0.05), {"conv1": 2, "pool1": 2, "conv2": 2, "pool2": 2}),
        (zoo.krizhevsky(4, 64).scaled(0.05), {"conv1": 4, "pool1": 2, "pool2": 2}),
    ):
        table = aliasing.energy_beyond_nyquist(spec.build(), some)
        assert dict(zip(table["layer"], table["stride"], strict=True)) == layers
        maps = {stage.name: stage.maps for stage in spec.stages()}
        assert table.groupby("layer").size().to_dict() == {name: 3 * maps[name] for name in layers}
        assert list(table["picture"].unique()) == [4, 0, 7]
        assert table["share"].dropna().between(0, 1).all()


def test_the_batch_size_changes_nothing_and_the_mode_is_left_as_it_was(natural):
    model = zoo.zfnet(4, 64).scaled(0.05).build().train()
    tables = [aliasing.energy_beyond_nyquist(model, natural[:5], batch=batch) for batch in (2, 5)]
    keys = ["layer", "picture", "map"]
    ordered = [t.astype({"layer": str}).sort_values(keys, ignore_index=True) for t in tables]
    pd.testing.assert_frame_equal(*ordered, rtol=1e-3, atol=1e-4)
    assert model.training


def test_a_pictures_share_is_the_mean_over_live_maps_and_the_interval_is_over_pictures():
    shares = pd.DataFrame(
        [(p, "conv1", 4, m, 0.1 * m + 0.01 * p) for p in range(8) for m in range(3)]
        + [(p, "pool1", 2, m, np.nan if m else 0.5) for p in range(8) for m in range(2)],
        columns=["picture", "layer", "stride", "map", "share"],
    )
    pictures = aliasing.per_picture(shares, {"conv1": np.array([True, False, True])})
    conv1 = pictures.loc[pictures["layer"] == "conv1", "share"]
    assert conv1.to_numpy() == pytest.approx([0.1 + 0.01 * p for p in range(8)])
    table = aliasing.aliasing_intervals(pictures).set_index("layer")
    assert table.loc["conv1", ["stride", "estimate", "n"]].tolist() == [4, pytest.approx(0.135), 8]
    assert 0.1 <= table.loc["conv1", "low"] < 0.135 < table.loc["conv1", "high"] <= 0.17
    assert table.loc["pool1", ["low", "high"]].tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="'conv1' needs a live map in a mask of its maps"):
        aliasing.per_picture(shares, {"conv1": np.ones(2, bool)})


def test_what_does_not_subsample_or_is_too_small_is_refused(natural):
    one = torch.ones(1, 3, 1, 1)
    message = "'conv9' is no convolution or pooling of this network; it has conv1, pool1, conv2"
    with pytest.raises(ValueError, match=message):
        aliasing.energy_beyond_nyquist(zoo.zfnet(4, 64).scaled(0.05).build(), natural, upto="conv9")
    with pytest.raises(ValueError, match="nothing up to 'conv1' subsamples"):
        aliasing.energy_beyond_nyquist(layer(one, stride=1), natural, upto="conv1")
    small = Inputs.of(natural.images, side=6)
    with pytest.raises(ValueError, match="a map of 6×6 px is too small to be measured before a stride of 4"):
        aliasing.energy_beyond_nyquist(layer(one, stride=4), small, upto="conv1")
    uneven = nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 1, 3, stride=(2, 1))))
    with pytest.raises(ValueError, match=r"conv1 has a stride of \(2, 1\); both axes must have the same"):
        aliasing.energy_beyond_nyquist(uneven, natural, upto="conv1")
    with pytest.raises(ValueError, match="layer 1 must be a Conv2d, the model begins with ReLU"):
        aliasing.greatest_responses(nn.Sequential(nn.ReLU()), natural)
