"""LeNet-5 with random weights, in double precision, and pictures for it."""

from dataclasses import replace

import pytest
import torch
from graph_cases import prepared

from zfutils.nets import zoo


@pytest.fixture(params=["max", "average"])
def pooling(request):
    return request.param


@pytest.fixture
def lenet():
    """What makes one, by its pooling."""
    return lambda pooling="max": prepared(replace(zoo.lenet5(), pooling=pooling).build()).double()


@pytest.fixture
def images():
    return torch.randn(4, 1, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
