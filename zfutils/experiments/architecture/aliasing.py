"""How much the grid of layer 1's stride shows in what layer 2 responds to (Fig. 6 d, e).

Zeiler & Fergus 2013, §4.1: the stride of 4 in Krizhevsky's first layer aliases, which shows as artefacts in
the projections of layer 2. The one idea: what repeats with the stride has its power at multiples of
1 / stride cycles per pixel. So a projection's power there is compared with its power at other frequencies
that are as far from 0, and trained networks with the same networks before training, whose strides are the
same.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from zfutils.deconv.top_projections import TopProjections
from zfutils.nets.filters import PADDED
from zfutils.runtime.devices import to_host
from zfutils.stats.intervals import Interval, bootstrap_interval

NEAR = 1 / 32  # cycles per pixel, within which a frequency is as far from 0 as another
OVER, UNDER = "Krizhevsky", "ZFNet"  # whose grid is said to show, and whose is not
TRAINED, RANDOM = "trained", "random weights"

PerMap = Mapping[tuple[str, str], Float[np.ndarray, " maps"]]  # by network, and TRAINED or RANDOM


def grid_prominence(
    patterns: Float[np.ndarray, "*n side side colours"], stride: int
) -> Float[np.ndarray, "*n"]:
    """How far a pattern's power at the grid frequencies of a stride stands out.

    Grid frequencies are those whose components along both axes are multiples of 1 / stride, without 0. Each
    is compared with all others whose distance from 0 differs by 1/32 cycle per pixel at most. The mean is
    subtracted and the pattern weighted by a Hann window, without which its borders would count as power along
    the axes, where grid frequencies lie; power is summed over colours.

    Args:
        patterns: square, in pixels.
        stride: of layer 1 (pixels).

    Returns:
        log2 of the mean power at grid frequencies over the mean at the others: 0 for a single point, which
        has all frequencies alike. NaN where a pattern is constant.

    Raises:
        ValueError: a stride below 2, which has no grid, or patterns that are not square or smaller than
            twice the stride.
    """
    rows, columns = patterns.shape[-3:-1]
    if stride < 2 or rows != columns or rows < 2 * stride:
        raise ValueError(
            f"a grid needs a stride of 2 or more and square patterns of twice that, got a stride of {stride} "
            f"and {rows}×{columns} px"
        )
    size = -(-max(PADDED, rows) // stride) * stride  # so that the grid frequencies are among those computed
    window = np.outer(*[np.hanning(rows + 2)[1:-1]] * 2)[..., None]
    mean = (patterns * window).sum((-3, -2), keepdims=True) / window.sum()
    centred = patterns - mean
    spectra = np.fft.fft2(centred.astype(float) * window, s=(size, size), axes=(-3, -2))
    power = np.square(np.abs(spectra)).sum(-1).reshape(*patterns.shape[:-3], size * size)
    grid, others = _frequencies(size, stride)
    with np.errstate(divide="ignore", invalid="ignore"):
        prominence = np.log2(power[..., grid].mean(-1) / (power @ others))
    constant = np.abs(centred).max((-3, -2, -1)) <= 1e-5 * np.abs(patterns).max((-3, -2, -1))
    return np.where(constant, np.nan, prominence)


def _frequencies(
    size: int, stride: int
) -> tuple[Bool[np.ndarray, " frequencies"], Float[np.ndarray, " frequencies"]]:
    """Which of size × size frequencies are the grid's, and with what weight each other one is compared."""
    index = np.arange(size)
    multiple = index * stride % size == 0
    grid = (multiple[:, None] & multiple).flatten()
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)).flatten()
    grid[0] = False
    near = np.abs(radius - radius[grid][:, None]) <= NEAR  # one row for each grid frequency
    near &= ~grid & (radius > 0)
    return grid, (near / near.sum(1, keepdims=True)).mean(0)


def prominence_by_map(top: TopProjections, stride: int) -> Float[np.ndarray, " maps"]:
    """Mean `grid_prominence` of the strongest projections of each map; maps that answer to nothing left out.

    Args:
        top: a layer's projections, as `top_projections` gives them.
        stride: of layer 1 (pixels).
    """
    found = np.stack([grid_prominence(patterns, stride) for patterns in top.projections])
    counted = (to_host(top.strongest.values) > 0) & np.isfinite(found)
    sums, counts = np.where(counted, found, 0).sum(1), counted.sum(1)
    return sums[counts > 0] / counts[counts > 0]


def prominence_beyond_random(by_map: PerMap, *, seed: int = 0) -> tuple[Interval, tuple[float, float]]:
    """How much more the grid shows in Krizhevsky's layer 2 than in ZFNet's, minus the same before training.

    Args:
        by_map: `prominence_by_map` of both networks, trained and with random weights.

    Returns:
        The difference of the two differences (powers of two), maps of each of the four networks resampled;
        then the two differences, trained and random.

    Raises:
        TooFew: fewer than eight maps in one of the four.
    """
    keys = [(network, weights) for weights in (TRAINED, RANDOM) for network in (OVER, UNDER)]
    a, b, c, d = (by_map[key] for key in keys)

    def difference(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, axis: int = -1) -> np.ndarray:
        trained, random = a.mean(axis) - b.mean(axis), c.mean(axis) - d.mean(axis)
        return trained - random

    found = bootstrap_interval(a, b, c, d, statistic=difference, resampled="maps of each network", seed=seed)
    return found, (float(a.mean() - b.mean()), float(c.mean() - d.mean()))
