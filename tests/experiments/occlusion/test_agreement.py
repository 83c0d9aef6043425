"""Rank correlations of falls with energies, against pandas and regression, and the energies themselves."""

import numpy as np
import pandas as pd
import torch

from tests.experiments.occlusion.falls_by_hand import with_falls
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.experiments.occlusion.agreement import agreement, contrast, projection_energy, steps
from zfutils.experiments.occlusion.sliding_patch import Patch

PATCH = Patch(4, 4)  # of 16 px: 16 positions that do not overlap


def with_activity_that_falls(falls):
    """Pictures whose map's activity falls by that much, of 2 on the whole picture."""
    return with_falls(np.zeros_like(falls), PATCH, activations=2 - falls)


def residual(values, fixed):
    """Ranks of values without what a straight line in the ranks of others explains."""
    y, x = (pd.Series(np.ravel(v)).rank().to_numpy() for v in (values, fixed))
    return y - np.polyval(np.polyfit(x, y, 1), x)


def test_energy_is_that_of_the_whole_maps_projection(model, inputs, found):
    energy = projection_energy(model, inputs[:10], found, batch=3)
    recording = Deconvnet(model).forward(inputs[:10].tensor(), "relu2")
    pattern = recording.project_maps(torch.from_numpy(found.maps))
    np.testing.assert_allclose(energy, (pattern**2).sum(1), rtol=1e-5)


def test_contrast_is_the_energy_of_the_centred_picture(inputs):
    images = inputs.images
    by_hand = (((images.pixels[3] - images.mean)[4:36, 4:36] / 64) ** 2).sum(-1)
    np.testing.assert_allclose(contrast(inputs)[3], by_hand, rtol=1e-5)


def test_agreement_is_one_where_the_fall_is_the_energy_and_that_of_others_is_the_control():
    energy = np.random.default_rng(0).random((12, 16, 16))
    under = PATCH.under(energy)
    found = agreement(with_activity_that_falls(under / under.max()), energy)
    np.testing.assert_allclose(found.measured, 1)
    by_pandas = pd.DataFrame(under.reshape(12, -1).T).corr("spearman").to_numpy()
    np.testing.assert_allclose(found.control, (by_pandas.sum(1) - 1) / 11)
    assert found.interval.low > 0.5


def test_the_partial_correlation_is_that_of_what_the_contrast_leaves():
    draw = np.random.default_rng(0)
    energy, fixed = draw.random((9, 16, 16)), draw.random((9, 16, 16))
    under, given = PATCH.under(energy), PATCH.under(fixed)
    falls = under + given + draw.random(under.shape)
    found = agreement(with_activity_that_falls(falls / falls.max()), energy, given=fixed)
    table = np.array(
        [
            [np.corrcoef(residual(falls[i], given[i]), residual(under[j], given[i]))[0, 1] for j in range(9)]
            for i in range(9)
        ]
    )
    np.testing.assert_allclose(found.measured, np.diagonal(table))
    np.testing.assert_allclose(found.control, (table.sum(1) - np.diagonal(table)) / 8)


def test_what_contrast_explains_is_taken_out():
    draw = np.random.default_rng(0)
    fixed = draw.random((40, 16, 16))
    given = PATCH.under(fixed)
    energy = fixed + 0.7 * draw.random(fixed.shape)
    falls = given + 3 * draw.random(given.shape)
    found = with_activity_that_falls(falls / falls.max())
    assert agreement(found, energy).interval.low > 0.4
    alone = agreement(found, energy, given=fixed).interval
    assert alone.low < 0 < alone.high


def test_a_picture_in_which_nothing_varies_has_no_agreement():
    draw = np.random.default_rng(0)
    energy, falls = draw.random((10, 16, 16)), draw.random((10, 4, 4))
    energy[3], falls[6] = 1, 0
    found = agreement(with_activity_that_falls(falls), energy)
    assert np.flatnonzero(np.isnan(found.difference)).tolist() == [3, 6]
    assert np.isfinite(found.control[[0, 1, 2, 4, 5, 7, 8, 9]]).all()
    same = agreement(with_activity_that_falls(falls), energy, given=energy)
    assert same.arms is None  # nothing is left of an energy that is given


def test_the_steps_end_with_the_projection_when_the_contrast_is_given(model, inputs, found):
    by_contrast, own = contrast(inputs[:10]), projection_energy(model, inputs[:10], found)
    by_hand = agreement(found, by_contrast), agreement(found, own), agreement(found, own, given=by_contrast)
    for one, expected in zip(steps(model, inputs[:10], found).values(), by_hand, strict=True):
        np.testing.assert_allclose(one.difference, expected.difference)
