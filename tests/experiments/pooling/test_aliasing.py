"""Energy beyond Nyquist, of patterns whose frequency is known."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import small
import torch
from small import SPEC
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.experiments.pooling.aliasing import energy_beyond_nyquist, share_beyond, subsamplings
from zfutils.nets.geometry import Window
from zfutils.nets.pooling import BlurPool2d


def wave(*cycles, size=64):
    """A cosine along the rows or, of two numbers, along both axes (cycles per position)."""
    along = torch.arange(float(size))
    down = torch.cos(2 * torch.pi * cycles[0] * along)
    across = torch.cos(2 * torch.pi * cycles[-1] * along) if len(cycles) > 1 else torch.ones(size)
    return torch.outer(down, across)[None, None]


@pytest.mark.parametrize(
    ("pattern", "stride", "expected"),
    [
        (wave(0.1), 2, 0),
        (wave(0.4), 2, 1),
        (wave(0.1), 4, 0),
        (wave(0.2), 4, 1),
        (wave(0.05, 0.2), 4, 1),  # beyond along one axis is beyond
        (wave(0.2) + 2 * wave(0.05), 4, 0.2),  # energies of 1 to 4
        (wave(0.05) + 1000, 4, 0),  # a level is no energy
    ],
)
def test_a_wave_is_beyond_nyquist_or_not(pattern, stride, expected):
    assert share_beyond(pattern, stride)[0] == pytest.approx(expected, abs=0.01)


def test_maps_of_a_picture_count_by_their_energy_and_pictures_by_themselves():
    both = torch.cat([3 * wave(0.05), wave(0.4)], 1)  # 9 to 1
    found = share_beyond(torch.cat([both, both.flip(1) * 5, torch.zeros_like(both)]), 2)
    assert found[:2].tolist() == pytest.approx([0.1, 0.1], abs=0.01)
    assert found[2].isnan()


@pytest.mark.parametrize("stride", [2, 4])
def test_white_noise_has_all_but_the_square_that_is_kept(stride):
    noise = torch.randn(64, 4, 48, 48, generator=torch.Generator().manual_seed(0))
    assert float(share_beyond(noise, stride).mean()) == pytest.approx(1 - 1 / stride**2, abs=0.03)


def test_a_network_s_subsamplings_are_those_with_a_stride():
    assert subsamplings(SPEC) == {"conv1": 2, "pool1": 2, "pool2": 2}
    assert subsamplings(replace(SPEC, pooling="blurred")) == {"conv1": 2, "blur1": 2, "blur2": 2}
    first = replace(SPEC.convolutions[0], window=Window(5, 1, 0))
    fine = replace(SPEC, convolutions=(first, *SPEC.convolutions[1:]))
    assert subsamplings(fine) == {"pool1": 2, "pool2": 2}


def striped(period):
    """Pictures with level stripes of a period (pixels), as tall as it is whole."""
    rows = (127 + 100 * np.cos(2 * np.pi * np.arange(64) / period)).astype(np.uint8)
    return Inputs.of(small.stored(np.broadcast_to(rows[None, :, None, None], (3, 64, 64, 3)).copy()))


def network(*pooling):
    """The red channel as it is, then pooling."""
    layers = (small.red(2), nn.ReLU(), *pooling)
    return nn.Sequential(OrderedDict(zip(("conv1", "relu1", "pool1", "blur1"), layers, strict=False)))


def test_a_layer_is_asked_at_every_position_and_left_as_it_was():
    model = network(nn.MaxPool2d(1, 2))
    fine, coarse = (
        energy_beyond_nyquist(model, striped(period), {"conv1": 2, "pool1": 2}) for period in (2.5, 5)
    )
    assert fine["conv1"] == pytest.approx(1, abs=0.02)  # 0.4 cycles a pixel
    assert coarse["conv1"] == pytest.approx(0, abs=0.02)  # 0.2
    assert coarse["pool1"] == pytest.approx(1, abs=0.02)  # 0.4 on the grid of 2 px that conv1 leaves
    assert (model.conv1.stride, model.pool1.stride) == ((2, 2), 2)


def test_the_blur_counts_as_a_part_of_the_map_that_it_subsamples():
    # 0.4 cycles at 2 px: the blur (1, 2, 1) / 4 lets cos²(0.4 π) = 0.0955 of it pass, of the mean all.
    plain = energy_beyond_nyquist(network(nn.MaxPool2d(1, 1), BlurPool2d(2)), striped(5), {"blur1": 2})
    mixed = striped(5).images.pixels.float() * 0.5 + striped(40).images.pixels.float() * 0.5
    both = Inputs.of(replace(striped(5).images, pixels=mixed.to(torch.uint8)))
    blurred, maxima = (
        energy_beyond_nyquist(network(*layers), both, {name: 2})[name]
        for name, layers in (
            ("blur1", (nn.MaxPool2d(1, 1), BlurPool2d(2))),
            ("pool1", (nn.MaxPool2d(1, 2),)),
        )
    )
    assert plain["blur1"] > 0.5
    assert maxima == pytest.approx(0.5, abs=0.03)
    assert blurred < 0.1
