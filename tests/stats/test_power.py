"""What a design can see, against a simulation and the normal distribution."""

import numpy as np
import pytest

from zfutils.stats.power import smallest_detectable_difference


def test_the_detectable_difference_is_found_with_the_stated_power():
    """An oracle by simulation: 100,000 studies of three seeds each."""
    difference = smallest_detectable_difference(1.5, 3, power=0.8)
    seeds = np.random.default_rng(7).normal(difference, 1.5, size=(100_000, 3))
    half = 4.302653 * seeds.std(axis=1, ddof=1) / np.sqrt(3)
    assert (abs(seeds.mean(axis=1)) > half).mean() == pytest.approx(0.8, abs=0.006)


def test_many_seeds_detect_what_the_normal_distribution_says():
    """(1.960 + 0.842) / √n standard deviations, for n large."""
    assert smallest_detectable_difference(1, 2000) == pytest.approx(2.8016 / np.sqrt(2000), rel=2e-3)


@pytest.mark.parametrize(("deviation", "n", "power"), [(1, 1, 0.8), (-1, 3, 0.8), (1, 3, 1.0), (1, 3, 0.05)])
def test_an_impossible_study_detects_nothing(deviation, n, power):
    with pytest.raises(ValueError, match="a detectable difference needs"):
        smallest_detectable_difference(deviation, n, power=power)
