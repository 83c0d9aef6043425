"""The pictures and the network that the tests of chapter 6 share."""

import pytest
import small
import torch

from zfutils.data.inputs import Inputs
from zfutils.experiments.occlusion.sliding_patch import Patch, occlude


@pytest.fixture(scope="module")
def inputs():
    return Inputs.of(small.pictures(24), side=32, scale=1 / 64)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return small.SPEC.build().eval()


@pytest.fixture(scope="module")
def found(model, inputs):
    """What it says of the first ten, a square of 8 px at 8 × 8 positions."""
    return occlude(model, inputs[:10], patch=Patch(8, 4), layer="relu2")
