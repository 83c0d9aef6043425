"""What is read of a network, on layers and pictures whose values can be worked out by hand."""

from collections import OrderedDict

import numpy as np
import pytest
import small
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.top_activations import TopActivations
from zfutils.deconv.top_projections import TopProjections
from zfutils.experiments.diagnosis import appearance, covering
from zfutils.experiments.diagnosis.co_adaptation import Moments, moments


def grey(pixels):
    """Pictures of one channel, not centred."""
    return Inputs.of(small.stored(np.asarray(pixels)[..., None]))


def of_columns(*columns):
    """Moments of maps whose values are given."""
    x = np.array(columns, dtype=float)
    return Moments(x.max(1), np.cov(x, bias=True))


# ---- maps


def test_correlations_of_maps_that_are_equal_opposed_and_independent():
    a, b = [1, 2, 1, 2], [1, 1, 2, 2]
    equal = of_columns(a, a, np.multiply(3, a))
    assert equal.mean_correlation == pytest.approx(1)
    assert equal.duplicates == 1
    assert equal.effective_rank == pytest.approx(1 / 3)
    opposed = of_columns(a, np.subtract(3, a))
    assert opposed.mean_correlation == pytest.approx(1)
    assert opposed.duplicates == 0, "a map and its opposite do not say the same"
    apart = of_columns(a, b)
    assert apart.mean_correlation == pytest.approx(0)
    assert apart.effective_rank == pytest.approx(1)


def test_a_dead_map_counts_as_missing_and_has_no_correlation():
    a, b = [1, 2, 1, 2], [1, 1, 2, 2]
    found = of_columns(a, b, [0, 0, 0, 0], a)
    assert found.dead == 0.25
    assert found.mean_correlation == pytest.approx(1 / 3)  # of three pairs one is equal
    assert found.duplicates == 0.5
    # eigenvalues 2 and 1 of three: entropy ln 3 - 2/3 ln 2
    assert found.effective_rank == pytest.approx(3 / 2 ** (2 / 3) / 4)
    silent = of_columns([0, 0], [0, 0])
    assert (silent.dead, silent.mean_correlation, silent.duplicates, silent.effective_rank) == (1, 0, 0, 0)


def test_moments_are_those_of_all_images_and_positions_whatever_the_batch():
    model = small.only(nn.Conv2d(1, 3, 3))
    images = grey(np.random.default_rng(0).integers(0, 255, (7, 6, 6)))
    with torch.no_grad():
        values = model(images.tensor()).permute(1, 0, 2, 3).flatten(1).double().numpy()
    for batch in (3, 7):
        found = moments(model, images, ["relu1"], batch=batch)["relu1"]
        np.testing.assert_allclose(found.peaks, values.max(1), rtol=1e-5)
        np.testing.assert_allclose(found.covariance, np.cov(values, bias=True), rtol=1e-4, atol=1e-3)


# ---- filters and projections


def test_alikeness_is_the_mean_cosine_of_pairs_without_sign():
    rows = np.array([[1.0, 0], [0, 2], [0, -3], [0, 0]])
    assert appearance.alikeness(rows) == pytest.approx(1 / 3)
    assert appearance.alikeness(rows[:1]) == 0


def test_noise_is_rough_and_a_flat_filter_is_not():
    torch.manual_seed(0)
    flat, noise = torch.ones(4, 1, 5, 5), torch.randn(400, 1, 5, 5)
    assert appearance.roughness(flat) < 0.15
    assert appearance.roughness(noise) == pytest.approx(0.72, abs=0.03)
    assert appearance.roughness(torch.zeros(4, 1, 5, 5)) == 0


def test_what_of_a_projection_is_off_the_object():
    objects = np.zeros((2, 4, 4), dtype=bool)
    objects[1, :2] = True  # the upper half of picture 1
    projections = np.zeros((1, 2, 3, 3, 1), dtype=np.float32)
    projections[0, 0] = 2  # picture 1, window from row 0: rows 0 and 1 on the object, row 2 off it
    projections[0, 1, 1, 1] = 1  # picture 0 has no object
    values = torch.ones(1, 2)
    top = TopActivations("relu2", values, torch.tensor([[1, 0]]), values.long(), values.long())
    zeros = np.zeros((1, 2), dtype=np.int64)
    inside = np.ones((1, 2, 3, 3), dtype=bool)
    found = TopProjections(top, torch.tensor([0]), projections, projections, inside, zeros, zeros)
    assert appearance.off_the_object(found, objects) == pytest.approx((3 * 4 + 1) / (9 * 4 + 1))


# ---- under the square


def test_falls_are_those_of_the_log_odds_of_the_named_class():
    """The first logit is the picture's sum, and log-odds of two classes are the logits' difference."""
    model = nn.Sequential(OrderedDict(flatten=nn.Flatten(), fc1=nn.Linear(81, 2, bias=False)))
    with torch.no_grad():
        model.fc1.weight.copy_(torch.stack([torch.ones(81), torch.zeros(81)]))
    pixels = np.zeros((1, 9, 9))
    pixels[0, 0, 0], pixels[0, 8, 8] = 3, 5
    found = covering.falls(model, grey(pixels), "fc1")
    assert covering.corners(9) == [0, 2, 4]
    expected = np.zeros((1, 3, 3))
    expected[0, 0, 0], expected[0, 2, 2] = 3, 5  # the square from row and column 4 reaches row 8
    np.testing.assert_allclose(found, expected)


def test_the_share_beside_counts_falls_where_the_square_does_not_touch_the_object():
    objects = np.zeros((1, 9, 9), dtype=bool)
    objects[0, 0, 0] = True
    falls = np.array([[[3.0, 0, -2], [0, 1, 0], [0, 0, 4]]])
    assert covering.beside(falls, objects) == pytest.approx(5 / 8)
    assert covering.beside(-np.abs(falls), objects) == 0
