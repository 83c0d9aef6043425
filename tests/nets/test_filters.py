"""Layer 1 in numbers: spectra of filters with known frequencies, planted dead filters, known gratings."""

import math
from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from zfutils.data.pixels import Pixels
from zfutils.experiments.architecture import aliasing
from zfutils.nets import filters, zoo
from zfutils.nets.filters import filter_rms


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


# ---- spectra


@pytest.mark.parametrize("kernel", [7, 11])
@pytest.mark.parametrize(("fx", "fy"), [(0.25, 0.0), (0.0, 0.25), (0.1875, 0.25)])
def test_a_cosine_filter_has_its_peak_at_its_own_frequency(kernel, fx, fy):
    weight = grating(fx, fy, side=kernel, phase=math.pi / 4).expand(9, 3, -1, -1)
    table = filters.filter_table(weight)
    # a window of k pixels tells frequencies to within about a quarter of 1 / k
    assert table["peak_frequency"][0] == pytest.approx(math.hypot(fx, fy), abs=0.25 / kernel)


def test_a_flat_filter_peaks_at_zero_and_is_not_in_the_middle():
    table = filters.filter_table(torch.ones(9, 3, 7, 7))
    assert table["peak_frequency"][0] == 0
    assert not table["middle"][0]
    assert table["high_share_unpadded"][0] == pytest.approx(0, abs=1e-12)


def test_a_delta_has_a_flat_spectrum_and_its_high_share_is_the_area_outside_the_disc():
    weight = torch.zeros(9, 3, 7, 7)
    weight[:, 1, 2, 4] = 1
    table = filters.filter_table(weight)
    assert table["high_share"].to_numpy() == pytest.approx(1 - math.pi * 0.3**2, abs=0.005)
    assert filters.radial_average(weight)["power"].to_numpy() == pytest.approx(1)


def test_the_spectrum_keeps_the_filters_energy():
    weight = torch.randn(5, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    energy = filters.power_spectra(weight).sum((1, 2)) / 64**2  # Parseval
    torch.testing.assert_close(energy, weight.double().square().sum((1, 2, 3)))


def test_spectra_are_summed_over_colours_and_not_taken_of_their_sum():
    weight = torch.zeros(1, 3, 7, 7)
    weight[0, 0, 3, 3], weight[0, 1, 3, 3] = 1, -1  # their sum is nothing
    assert filters.power_spectra(weight) == pytest.approx(2)


def test_the_layers_share_weighs_filters_by_their_energy():
    weight = torch.zeros(10, 3, 7, 7)
    weight[:9] = 1  # flat
    weight[9, 0, 3, 3] = 21  # a delta with three times a flat filter's energy of 147
    table = filters.filter_table(weight)
    delta, flat = table["high_share"][9], table["high_share"][0]
    interval = filters.layer_high_share(table)
    assert interval.estimate == pytest.approx((9 * flat + 3 * delta) / 12)
    assert interval.n == 10
    assert filters.layer_high_share(table, padded=False).estimate == pytest.approx(
        3 * table["high_share_unpadded"][9] / 12
    )


def test_noise_of_either_size_has_a_flat_mean_spectrum_and_is_the_same_for_the_same_seed():
    for kernel in (7, 11):
        noise = filters.noise_filters(400, kernel)
        mean = filters.radial_average(noise).groupby("frequency")["power"].mean()
        assert mean[1 / 64 :].between(0.8, 1.2).all()
        assert torch.equal(noise, filters.noise_filters(400, kernel))


def test_filters_larger_than_the_padding_are_refused():
    with pytest.raises(ValueError, match="k at most 64"):
        filters.power_spectra(torch.zeros(1, 3, 65, 65))


# ---- dead filters


def planted():
    """Twelve filters of RMS 1; number 3 is blank, number 5 answers to nothing, number 7 is both."""
    weight = torch.ones(12, 3, 7, 7)
    weight[3] = 0.2
    weight[7] = 0
    strongest = np.full(12, 50.0)
    strongest[5], strongest[7] = 0.4, 0.0
    return weight, strongest


def test_a_blank_and_a_silent_filter_are_found_and_counted_apart():
    table = filters.filter_table(*planted())
    assert list(table.index[table["blank"]]) == [3, 7]
    assert list(table.index[table["silent"]]) == [5, 7]
    assert list(table.index[table["dead"]]) == [3, 5, 7]


def test_the_rule_for_dead_filters_is_strict_at_its_bounds():
    weight, strongest = planted()
    weight[3], strongest[5] = 0.25, 0.5
    assert list(np.flatnonzero(filters.filter_table(weight, strongest)["dead"])) == [7]


def test_in_a_layer_that_never_answers_every_filter_is_silent():
    assert filters.filter_table(planted()[0], np.zeros(12))["silent"].all()


def test_a_filter_of_zeros_has_neither_peak_nor_share():
    table = filters.filter_table(planted()[0])
    assert np.isnan(
        table.loc[7, ["peak_frequency", "high_share", "high_share_unpadded"]].to_numpy(float)
    ).all()
    assert not table["middle"][7]
    assert filters.layer_high_share(table).estimate == pytest.approx(table["high_share"][0])


def test_responses_must_be_one_for_each_filter():
    with pytest.raises(ValueError, match=r"12 filters need as many finite responses, got shape \(11,\)"):
        filters.filter_table(planted()[0], np.ones(11))


def test_the_greatest_response_is_the_largest_relu_output_over_pictures_and_positions():
    images = torch.full((5, 20, 20), 128.0)
    images[3, 4, 6] = 138  # one pixel, 10 above the mean
    weight = torch.zeros(3, 3, 1, 1)
    weight[0, 0], weight[1] = 2.0, -1.0
    model = layer(weight, stride=2)
    greatest = aliasing.greatest_responses(
        model, pixels(images), torch.arange(5), side=20, scale=0.5, batch=2
    )
    assert greatest.tolist() == [10.0, 0.0, 0.0]  # 10 · 0.5 · 2; never positive; never anything


def test_a_response_at_a_position_the_stride_leaves_out_is_not_seen():
    images = torch.full((1, 20, 20), 128.0)
    images[0, 5, 6] = 138
    weight = torch.ones(1, 3, 1, 1)
    assert (
        aliasing.greatest_responses(
            layer(weight, stride=2), pixels(images), torch.tensor([0]), side=20, scale=1
        )
        == 0
    )


# ---- domination


def test_domination_is_the_largest_over_the_median_and_its_interval_moves_only_the_median():
    rms = np.array([12.0, 1, 2, 2, 3, 3, 3, 4, 5])
    largest, second = filters.dominance(rms), filters.dominance(rms, rank=2)
    assert (largest.estimate, second.estimate) == (4, 5 / 3)
    assert largest.n == 8
    assert 12 / 5 <= largest.low <= 4 <= largest.high <= 12
    equal = filters.dominance(np.ones(9))
    assert (equal.low, equal.estimate, equal.high) == (1, 1, 1)


def test_domination_needs_a_median_and_a_rank():
    with pytest.raises(ValueError, match=r"rank lies in 1…9"):
        filters.dominance(np.ones(9), rank=10)
    with pytest.raises(ValueError, match="median filter RMS is 0"):
        filters.dominance(np.array([1.0, *[0.0] * 8]))


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
    store, identity = pixels(128 + 100 * waves), torch.ones(1, 3, 1, 1)
    found = {
        stride: aliasing.energy_beyond_nyquist(
            layer(identity, stride=stride), store, torch.arange(3), side=64, scale=1, upto="conv1", batch=2
        )
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
    found = aliasing.energy_beyond_nyquist(
        model, pixels(128 + bumps), torch.tensor([0]), side=64, scale=1, upto="pool1"
    )
    assert list(found["layer"]) == ["pool1"]
    assert found["share"].isna().all()


@pytest.fixture(scope="module")
def natural():
    """Twelve pictures of blurred noise."""
    noise = torch.randn(12, 1, 72, 72, generator=torch.Generator().manual_seed(0))
    return pixels((128 + 400 * nn.functional.avg_pool2d(noise, 9, 1, 4)[:, 0]).clamp(0, 255))


def test_every_subsampling_of_layers_1_and_2_is_measured_and_nothing_else(natural):
    rows = torch.tensor([4, 0, 7])
    for spec, layers in (
        (zoo.zfnet(4, 64).scaled(0.05), {"conv1": 2, "pool1": 2, "conv2": 2, "pool2": 2}),
        (zoo.krizhevsky(4, 64).scaled(0.05), {"conv1": 4, "pool1": 2, "pool2": 2}),
    ):
        table = aliasing.energy_beyond_nyquist(spec.build(), natural, rows, side=64, scale=1 / 64)
        assert dict(zip(table["layer"], table["stride"], strict=True)) == layers
        maps = {stage.name: stage.maps for stage in spec.stages()}
        assert table.groupby("layer").size().to_dict() == {name: 3 * maps[name] for name in layers}
        assert list(table["picture"].unique()) == [4, 0, 7]
        assert table["share"].dropna().between(0, 1).all()


def test_the_batch_size_changes_nothing_and_the_mode_is_left_as_it_was(natural):
    model = zoo.zfnet(4, 64).scaled(0.05).build().train()
    tables = [
        aliasing.energy_beyond_nyquist(model, natural, torch.arange(5), side=64, scale=1 / 64, batch=batch)
        for batch in (2, 5)
    ]
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"upto": "conv9"},
            "'conv9' is no convolution or pooling of this network; it has conv1, pool1, conv2",
        ),
        ({"side": 100}, r"got side 100, batch 8, scale 1; allowed are side 1…72"),
        ({"rows": torch.tensor([12])}, r"rows must name at least one of the 12 images, 0…11"),
        ({"rows": torch.tensor([], dtype=torch.int64)}, "rows must name at least one"),
        ({"scale": 0}, "scale above 0"),
    ],
)
def test_wrong_arguments_are_refused_by_name(natural, change, message):
    arguments = {"rows": torch.arange(2), "side": 64, "scale": 1, "batch": 8} | change
    rows = arguments.pop("rows")
    with pytest.raises(ValueError, match=message):
        aliasing.energy_beyond_nyquist(zoo.zfnet(4, 64).scaled(0.05).build(), natural, rows, **arguments)


def test_what_does_not_subsample_or_is_too_small_is_refused(natural):
    one = torch.ones(1, 3, 1, 1)
    with pytest.raises(ValueError, match="nothing up to 'conv1' subsamples"):
        aliasing.energy_beyond_nyquist(
            layer(one, stride=1), natural, torch.arange(1), side=64, scale=1, upto="conv1"
        )
    with pytest.raises(ValueError, match="a map of 6×6 px is too small to be measured before a stride of 4"):
        aliasing.energy_beyond_nyquist(
            layer(one, stride=4), natural, torch.arange(1), side=6, scale=1, upto="conv1"
        )
    with pytest.raises(ValueError, match="layer 1 must be a Conv2d, the model begins with ReLU"):
        aliasing.greatest_responses(nn.Sequential(nn.ReLU()), natural, torch.arange(1), side=64, scale=1)


def test_the_table_gives_the_rms_that_renormalisation_looks_at():
    weight = torch.randn(9, 3, 7, 7, generator=torch.Generator().manual_seed(2))
    assert filters.filter_table(weight)["rms"].to_numpy() == pytest.approx(filter_rms(weight).numpy())
