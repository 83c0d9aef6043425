"""Layer 1 in numbers: spectra of filters with known frequencies, planted dead filters."""

import math

import numpy as np
import pytest
import torch
from small import only
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.nets import filters


def grating(fx, fy=0.0, *, side=7, phase=0.0):
    """cos of a plane wave, (side, side); frequencies in cycles per pixel."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.cos(2 * math.pi * (fx * x + fy * y) + phase)


# ---- spectra


@pytest.mark.parametrize("kernel", [7, 11])
@pytest.mark.parametrize(("fx", "fy"), [(0.25, 0.0), (0.0, 0.25), (0.1875, 0.25)])
def test_a_cosine_filter_has_its_peak_at_its_own_frequency(kernel, fx, fy):
    weight = grating(fx, fy, side=kernel, phase=math.pi / 4).expand(9, 3, -1, -1)
    table = filters.filter_table(weight)
    # a window of k pixels tells frequencies to within about a quarter of 1 / k
    assert table["peak_frequency"][0] == pytest.approx(math.hypot(fx, fy), abs=0.25 / kernel)


def test_a_flat_filter_peaks_at_zero_and_is_not_in_the_middle():
    table = filters.filter_table(torch.ones(9, 3, 7, 7), image=224)
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
    weight[:8] = 1  # flat, of no high frequency; the ninth is zero everywhere and has no share
    weight[9, 0, 3, 3] = 21  # a delta with three times a flat filter's energy of 147
    over_noise, share, noise = filters.high_share_over_noise(weight)
    assert share == pytest.approx(3 * noise / 11)
    assert (over_noise.estimate, over_noise.n) == (pytest.approx(3 / 11), 10)


def test_the_middle_is_stated_in_cycles_per_picture():
    weight = grating(0.25, 0.0, side=11, phase=math.pi / 4).expand(9, 3, -1, -1)  # 0.25 per pixel
    for image, middle in ((64, False), (128, True), (256, False)):  # 16, 32 and 64 per picture
        assert filters.filter_table(weight, image=image)["middle"].all() == middle
    assert "middle" not in filters.filter_table(weight)


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_noise_has_as_much_of_its_high_frequencies_as_noise_and_a_flat_filter_none(kernel):
    one, share, noise = filters.high_share_over_noise(filters.noise_filters(600, kernel, seed=1))
    assert noise == {3: 8 / 9, 5: 16 / 25, 7: 36 / 49}[kernel]  # all but the frequencies within 0.3 of 0
    assert one.estimate == pytest.approx(1, abs=0.03)
    assert one.estimate == pytest.approx(share / noise)
    flat = torch.ones(12, 3, kernel, kernel) * torch.linspace(0.5, 1.5, 12)[:, None, None, None]
    assert filters.high_share_over_noise(flat)[0].high == pytest.approx(0, abs=1e-9)


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
    table = filters.filter_table(planted()[0], image=224)
    assert np.isnan(
        table.loc[7, ["peak_frequency", "high_share", "high_share_unpadded"]].to_numpy(float)
    ).all()
    assert not table["middle"][7]


def test_responses_must_be_one_for_each_filter():
    with pytest.raises(ValueError, match=r"12 filters need as many finite responses, got shape \(11,\)"):
        filters.filter_table(planted()[0], np.ones(11))


# ---- domination


def test_domination_is_the_largest_over_the_median_and_its_interval_moves_only_the_median():
    rms = np.array([12.0, 1, 2, 2, 3, 3, 3, 4, 5])
    largest = filters.dominance(rms)
    assert largest.estimate == 4
    assert largest.n == 8
    assert 12 / 5 <= largest.low <= 4 <= largest.high <= 12
    equal = filters.dominance(np.ones(9))
    assert (equal.low, equal.estimate, equal.high) == (1, 1, 1)


def test_domination_needs_a_median():
    with pytest.raises(ValueError, match="median filter RMS is 0"):
        filters.dominance(np.array([1.0, *[0.0] * 8]))


# ---- greatest responses


def pixels(images):
    """A store that holds these grey pictures, (n, side, side), centred on 128."""
    whole = torch.as_tensor(images).round().to(torch.uint8)[..., None].expand(-1, -1, -1, 3).contiguous()
    n = len(whole)
    mean = torch.full(whole.shape[1:], 128.0)
    return Pixels(whole, torch.zeros(n, dtype=torch.int64), mean, ("a",), tuple(map(str, range(n))), {})


def test_the_greatest_response_is_the_largest_relu_output_over_pictures_and_positions():
    images = torch.full((5, 20, 20), 128.0)
    images[3, 4, 6] = 138  # one pixel, 10 above the mean
    images[2, 5, 6] = 255  # which the stride leaves out
    conv = nn.Conv2d(3, 3, 1, 2, bias=False)
    conv.weight.data.zero_()
    conv.weight.data[0, 0], conv.weight.data[1] = 2.0, -1.0
    greatest = filters.greatest_responses(only(conv), Inputs.of(pixels(images), scale=0.5), batch=2)
    assert greatest.tolist() == [10.0, 0.0, 0.0]  # 10 · 0.5 · 2; never positive; never anything
