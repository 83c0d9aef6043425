"""Pooling that averages, forward and transposed."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from zfutils.nets import zoo
from zfutils.nets.geometry import Window, receptive_field
from zfutils.nets.pooling import BlurPool2d, layers, spread


def test_a_blur_worked_by_hand():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 16.0
    assert BlurPool2d(2)(x)[0, 0].tolist() == [[0, 0, 0], [0, 4, 0], [0, 0, 0]]
    assert BlurPool2d(1)(x)[0, 0, 1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert BlurPool2d(1)(torch.ones(1, 1, 3, 3))[0, 0].tolist() == [
        [0.5625, 0.75, 0.5625],
        [0.75, 1, 0.75],
        [0.5625, 0.75, 0.5625],
    ]  # beyond the border lies zero


@pytest.mark.parametrize("module", [nn.AvgPool2d(2), nn.AvgPool2d(3, 2, 1), BlurPool2d(2)])
def test_spread_is_the_gradient_of_the_average(module):
    x = torch.randn(2, 4, 9, 9, requires_grad=True)
    pooled = module(x)
    signal = torch.randn_like(pooled)
    (wanted,) = torch.autograd.grad(pooled, x, signal)
    p = module.padding
    found = spread(signal, module)[:, :, p:, p:][:, :, :9, :9]
    found = nn.functional.pad(found, (0, 9 - found.shape[3], 0, 9 - found.shape[2]))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("window", [Window(2, 2, 0), Window(3, 2, 1), Window(3, 2, 0)])
@pytest.mark.parametrize("side", [12, 13])
def test_each_kind_of_pooling_gives_maps_of_one_size(window, side):
    x = torch.rand(1, 2, side, side)
    sizes = {
        nn.Sequential(*layers(kind, *window).values())(x).shape for kind in ("max", "average", "blurred")
    }
    assert len(sizes) == 1


def test_the_blur_widens_the_receptive_field_by_two_steps_of_what_it_slides_over():
    plain, blurred = (replace(zoo.lenet5(), pooling=kind) for kind in ("max", "blurred"))
    fields = [{s.name: s.field for s in spec.stages()} for spec in (plain, blurred)]
    assert (fields[0]["pool1"].kernel, fields[1]["blur1"].kernel) == (6, 8)
    assert receptive_field([Window(5), Window(2), Window(3, 2, 1)]).kernel == 8


def test_a_spec_of_maxima_is_written_as_before():
    assert "pooling" not in zoo.lenet5().to_dict()
