"""How alike the nine strongest of a feature map are: in their pixels, and in their class (Fig. 2).

Zeiler & Fergus 2013, §4: a map's nine projections show one structure, and in layer 5 one class of object.
The one idea: likeness within a map says nothing alone, since all projections of a layer look somewhat alike,
and so do pictures of the world. It is compared with the likeness of projections from different maps, and that
difference with a random network's.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from zfutils.deconv.top_activations import TopActivations
from zfutils.deconv.top_projections import TopProjections
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed

DRAWS = 10_000  # leave a standard error of about 0.001 of the share by chance in nine pictures
PARTNERS = 9  # other maps that each map is compared with
CONSTANT = 1e-5  # of the mean square: a smaller variance is single precision's rounding, not structure


def within_and_across(
    nine: TopProjections, *, of: Literal["projections", "patches"] = "projections", seed: int = 0
) -> pd.DataFrame:
    """Mean Pearson correlation between a map's nine, and between its nine and those of other maps.

    Correlations are over pixels and colours of the unit's window; where the border of a picture cuts a
    window, over the pixels that lie inside both. A pair from one picture is left out, and so is a pair
    of which one has no structure there, such as a projection of zeros. Every pixel counts; across maps,
    each map is compared with nine others that the seed chooses, all nine of one with all nine of the other.

    Args:
        nine: projections, patches and their pictures, of one layer.
        of: the projections, or the pictures in the same windows.
        seed: chooses the other maps, of which all are taken where there are nine or fewer.

    Returns:
        Columns map (number in the layer), within, across (correlations), within_pairs, across_pairs. A map
        with no pairs left has NaN and 0 pairs.

    Raises:
        ValueError: a single map.
    """
    n = len(nine.maps)
    if n < 2:
        raise ValueError(f"likeness across maps needs at least two maps, not {n}")
    windows = _Windows(getattr(nine, of), nine.inside)
    pictures = to_host(nine.strongest.images)
    generator = np.random.default_rng(mixed(seed, n))
    found = []
    for one, number in enumerate(nine.maps.tolist()):
        pairs = windows.correlations(one, one)
        pairs[np.tril_indices_from(pairs)] = np.nan  # each pair once, none with itself
        within = _of_two_pictures(pairs, pictures[one], pictures[one])
        partners = generator.choice(n - 1, min(PARTNERS, n - 1), replace=False)
        across = np.concatenate([
            _of_two_pictures(windows.correlations(one, other), pictures[one], pictures[other])
            for other in partners + (partners >= one)
        ])  # fmt: skip
        found.append((number, _mean(within), _mean(across), len(within), len(across)))
    return pd.DataFrame(found, columns=["map", "within", "across", "within_pairs", "across_pairs"])


def every_layer(tops: Mapping[str, Mapping[str, TopProjections]], *, seed: int = 0) -> pd.DataFrame:
    """`within_and_across` of every network and layer, of projections and of patches.

    Args:
        tops: by network and layer ("relu3").
        seed: as there.

    Returns:
        Its columns, and layer (number), network and of ("projections" or "patches").
    """
    return pd.concat(
        within_and_across(top, of=of, seed=seed).assign(layer=int(name[-1]), network=network, of=of)
        for of in ("projections", "patches")
        for network, by_layer in tops.items()
        for name, top in by_layer.items()
    )


def commonest_class_share(
    found: TopActivations, labels: Int64[Tensor, " n"] | Int64[np.ndarray, " n"]
) -> Float[np.ndarray, " maps"]:
    """Share of a map's strongest pictures that belong to the commonest class among them.

    Args:
        found: the strongest of one layer.
        labels: class of every picture of the set, by its row.

    Returns:
        Of each map, in [1 / k, 1]; 1 where all k pictures are of one class. NaN for a map that answers to
        fewer than k pictures of the set: those without an activation are not its strongest.
    """
    classes = np.asarray(labels)[to_host(found.images)]
    same = (classes[:, :, None] == classes[:, None, :]).sum(2)
    answers = to_host((found.values > 0).all(1))
    return np.where(answers, same.max(1) / classes.shape[1], np.nan)


def chance_share(labels: Int64[Tensor, " n"] | Int64[np.ndarray, " n"], k: int, *, seed: int = 0) -> float:
    """Share of the commonest class among k pictures drawn at random, none twice: mean over draws.

    Args:
        labels: class of every picture that could be drawn.
        k: pictures in a draw.
        seed: of the draws.

    Raises:
        ValueError: fewer pictures than k.
    """
    _, pictures = np.unique(labels, return_counts=True)
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(pictures, k, size=DRAWS)
    return float(drawn.max(1).mean() / k)


class _Windows:
    """All windows of a layer, ready for correlations between any two maps.

    Sums over the pixels that two cut windows share are matrix products of one's values, squares and ones
    with the other's, if all are zero outside: nothing is copied for a pair.
    """

    def __init__(
        self,
        windows: Float[np.ndarray, "maps k side side colours"],
        inside: Bool[np.ndarray, "maps k side side"],
    ) -> None:
        """Windows minus their own mean, so that single precision is enough for pictures in 0…255."""
        maps, k, side, _, self._colours = windows.shape
        self._values = np.empty((maps, k, side * side * self._colours), dtype=np.float32)
        self._sums = np.empty((maps, 3 * k, side * side), dtype=np.float32)
        for i in range(maps):
            mask = inside[i].reshape(k, -1).astype(np.float32)
            pixels = windows[i].reshape(k, -1, self._colours) * mask[..., None]
            mean = pixels.sum((1, 2)) / (mask.sum(1) * self._colours).clip(min=1)
            pixels = (pixels - mean[:, None, None]) * mask[..., None]
            self._values[i] = pixels.reshape(k, -1)
            self._sums[i] = np.concatenate([pixels.sum(2), np.square(pixels).sum(2), mask])

    def correlations(self, one: int, other: int) -> Float[np.ndarray, "k k"]:
        """Of each window of one map with each of another; NaN where one is constant on what they share."""
        k = self._values.shape[1]
        products = (self._values[one] @ self._values[other].T).astype(np.float64)
        shared = (self._sums[one] @ self._sums[other].T).astype(np.float64).reshape(3, k, 3, k)
        n = np.maximum(shared[2, :, 2] * self._colours, 1)
        first, second = shared[0, :, 2] / n, shared[2, :, 0] / n
        squares = shared[1, :, 2] / n, shared[2, :, 1] / n
        variances = squares[0] - first**2, squares[1] - second**2
        flat = (variances[0] <= CONSTANT * squares[0]) | (variances[1] <= CONSTANT * squares[1])
        spread = np.sqrt(np.where(flat, np.nan, variances[0] * variances[1]))
        return np.clip((products / n - first * second) / spread, -1, 1)


def _of_two_pictures(
    pairs: Float[np.ndarray, "k k"], one: Int64[np.ndarray, " k"], other: Int64[np.ndarray, " k"]
) -> Float[np.ndarray, " pairs"]:
    """The correlations that exist, of pairs from different pictures."""
    return pairs[np.isfinite(pairs) & (one[:, None] != other)]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan
