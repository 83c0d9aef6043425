"""The pictures and the network that the tests of chapter 6 share."""

import pytest
import small

from zfutils.experiments.occlusion.sliding_patch import Patch, occlude


@pytest.fixture(scope="module")
def inputs():
    return small.seen(24)


@pytest.fixture(scope="module")
def model():
    return small.built()


@pytest.fixture(scope="module")
def found(model, inputs):
    """What it says of the first ten, a square of 8 px at 8 × 8 positions."""
    return occlude(model, inputs[:10], patch=Patch(8, 4), layer="relu2")
