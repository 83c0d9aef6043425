"""Exponents of growth, on costs whose growth is known."""

import numpy as np
import pytest

from zfutils.stats.growth import exponent


@pytest.mark.parametrize("known", [0.0, 1.0, -2.0, 0.5])
def test_an_exact_power_has_its_exponent_and_no_width(known):
    sizes = [3, 10, 40]
    found = exponent(sizes, [[7 * size**known] * 3 for size in sizes])
    assert found.estimate == pytest.approx(known, abs=1e-12)
    assert found.high - found.low < 1e-9
    assert (found.n, found.resampled) == (3, "repeats")


def test_two_sizes_by_hand():
    """Doubling the size, two repeats double the cost and one takes eight times: slopes 1, 1 and 3."""
    found = exponent([1, 2], [[1.0, 5.0, 2.0], [2.0, 10.0, 16.0]])
    assert found.estimate == pytest.approx(5 / 3)
    assert found.high - found.estimate == pytest.approx(
        4.3027 * np.std([1, 1, 3], ddof=1) / np.sqrt(3), rel=1e-3
    )


@pytest.mark.parametrize(
    ("sizes", "costs", "word"),
    [
        ([2], [[1.0, 1.0]], "different sizes"),
        ([2, 2], [[1.0, 1.0]] * 2, "different sizes"),
        ([1, 2], [[1.0, 1.0]], "different sizes"),
        ([0, 2], [[1.0, 1.0]] * 2, "positive"),
        ([1, 2], [[1.0, 0.0]] * 2, "positive"),
        ([1, 2], [[1.0]] * 2, "repeats"),
    ],
)
def test_what_has_no_exponent_is_refused(sizes, costs, word):
    with pytest.raises(ValueError, match=word):
        exponent(sizes, costs)
