"""The grid of a stride, in patterns whose frequencies are known."""

import math

import numpy as np
import pytest
import torch
from small import top_projections

from zfutils.experiments.architecture import aliasing
from zfutils.experiments.architecture.aliasing import OVER, RANDOM, TRAINED, UNDER


def grating(fx, fy=0.0, *, side=64):
    """cos of a plane wave, (side, side, 1); frequencies in cycles per pixel."""
    y, x = np.mgrid[:side, :side]
    return np.cos(2 * math.pi * (fx * x + fy * y))[..., None]


@pytest.mark.parametrize(("side", "stride"), [(17, 2), (31, 4), (51, 4)])
def test_a_point_has_all_frequencies_alike(side, stride):
    point = np.zeros((side, side, 3))
    point[side // 2, side // 2] = 1, 2, 3
    assert aliasing.grid_prominence(point, stride) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("stride", [2, 4])
def test_noise_shows_no_grid_and_noise_that_repeats_with_the_stride_does(stride):
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(200, 32, 32, 3))
    tiled = np.tile(draw.normal(size=(50, stride, stride, 3)), (1, 32 // stride, 32 // stride, 1))
    assert np.exp2(aliasing.grid_prominence(noise, stride)).mean() == pytest.approx(1, abs=0.1)
    assert aliasing.grid_prominence(tiled, stride).mean() > 2


def test_waves_count_by_where_they_lie_and_not_by_their_strength():
    on_the_grid, beside = grating(1 / 4, 1 / 4), grating(math.sqrt(2) / 4)  # as far from 0
    on, off = (aliasing.grid_prominence(wave, 4) for wave in (on_the_grid, beside))
    assert on > 3
    assert off < -3
    assert aliasing.grid_prominence(7 * on_the_grid + 40, 4) == pytest.approx(on)
    assert aliasing.grid_prominence(on_the_grid, 2) < -3, "a stride of 2 has nothing at a quarter"


def test_the_grid_of_a_stride_is_its_multiples_without_0_and_each_is_compared_at_its_distance():
    grid, others = aliasing._frequencies(64, 4)
    along = np.fft.fftfreq(64)
    found = {(abs(along[i // 64]), abs(along[i % 64])) for i in np.flatnonzero(grid)}
    steps = (0, 0.25, 0.5)
    assert found == {(a, b) for a in steps for b in steps} - {(0, 0)}
    assert grid.sum() == 15
    assert others.sum() == pytest.approx(1)
    assert not (others[grid] > 0).any()
    radius = np.hypot(along[:, None], along).flatten()
    at = np.sqrt([4 / 64, 8 / 64, 16 / 64, 20 / 64, 32 / 64])  # √(a² + b²) of the steps
    assert np.abs(radius[others > 0][:, None] - at).min(1).max() <= 1 / 32


def test_a_constant_pattern_has_no_frequencies_and_what_has_no_grid_is_refused():
    patterns = np.stack([np.full((16, 16, 1), 1000.1), np.zeros((16, 16, 1)), grating(0.3, side=16)])
    assert np.isnan(aliasing.grid_prominence(patterns, 2)).tolist() == [True, True, False]
    for shape, stride in (((16, 16, 3), 1), ((16, 12, 3), 2), ((7, 7, 3), 4)):
        with pytest.raises(ValueError, match="grid"):
            aliasing.grid_prominence(np.ones(shape), stride)


def test_a_map_has_the_mean_over_what_it_answers_to_and_a_silent_map_none():
    top = top_projections(maps=3, k=4, side=16)
    top.strongest.values[:] = torch.tensor([[3.0, 2, 1, 0.5], [2, 1, 0, 0], [0, 0, 0, 0]])
    found = aliasing.prominence_by_map(top, 2)
    each = np.stack([aliasing.grid_prominence(one, 2) for one in top.projections])
    assert found.tolist() == pytest.approx([each[0].mean(), each[1, :2].mean()])


def test_what_random_weights_show_is_taken_off_and_the_interval_is_over_the_maps_of_all_four():
    draw = np.random.default_rng(1)
    means = {(OVER, TRAINED): 3, (UNDER, TRAINED): 1, (OVER, RANDOM): 1.5, (UNDER, RANDOM): 0.5}
    by_map = {
        key: mean + draw.normal(size=n)
        for n, (key, mean) in zip((64, 48, 60, 50), means.items(), strict=True)
    }
    found, arms = aliasing.prominence_beyond_random(by_map)
    a, b, c, d = (by_map[key].mean() for key in means)
    assert arms == pytest.approx((a - b, c - d))
    assert found.estimate == pytest.approx(a - b - c + d)
    assert found.n == 48
    error = math.sqrt(sum(values.var() / len(values) for values in by_map.values()))
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.1)
