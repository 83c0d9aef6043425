"""The numbers of chapter 5: slopes, lines and means of how far features move (Zeiler & Fergus 2013, Fig. 5).

Each is taken picture by picture from `invariance.Responses`, so that intervals resample pictures.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from zfutils.experiments.invariance.feature_distances import Responses
from zfutils.stats.intervals import (
    Interval,
    bootstrap_interval,
    paired_difference,
    t_interval,
    unpaired_difference,
)

PICTURES = "pictures never trained on"


def curve_table(found: Mapping[str, Responses]) -> pd.DataFrame:
    """Mean curves with 95 % t intervals over pictures.

    Returns:
        A row a network, pose and layer: network, kind, amount, layer, estimate, low, high; the layer
        "probability" is the true label's.

    Raises:
        TooFew: of one picture.
    """
    rows = []
    for network, one in found.items():
        columns = {layer: one.layer(layer) for layer in one.layers} | {"probability": one.probabilities}
        for layer, values in columns.items():
            for amount, of_pose in zip(one.amounts, values.T, strict=True):
                mean = t_interval(of_pose, resampled=PICTURES)
                rows.append((network, one.kind, amount, layer, mean.estimate, mean.low, mean.high))
    return pd.DataFrame(rows, columns=["network", "kind", "amount", "layer", "estimate", "low", "high"])


def near(one: Responses, layer: str, *, within: float) -> Float[np.ndarray, " n"]:
    """Mean distance of each picture over all changes that are not larger than `within`.

    Args:
        within: pixels, factor less 1, or degrees.

    Raises:
        ValueError: no pose is that near, or no such layer.
    """
    return one.layer(layer)[:, _within(one, within)].mean(1)


def between(one: Responses, layer: str, *, low: float, high: float) -> Float[np.ndarray, " n"]:
    """Mean distance of each picture over amounts from `low` to `high`."""
    return one.layer(layer)[:, _among(one, low, high)].mean(1)


def first_less_last(one: Responses, *, within: float, seed: int = 0) -> Interval:
    """Mean distance near the untransformed picture: first layer less last, paired over pictures."""
    ends = (near(one, layer, within=within) for layer in (one.layers[0], one.layers[-1]))
    return paired_difference(*ends, resampled=PICTURES, seed=seed)


def slopes(found: Mapping[str, Responses], *, within: float, per: float = 1.0) -> pd.DataFrame:
    """How fast each layer moves away near the untransformed picture.

    A picture's slope is that of the straight line through 0 that fits its distances best (least squares).

    Args:
        within: the largest change that counts (pixels, factor less 1, or degrees).
        per: what the slope is per, in the same unit.

    Returns:
        A row a network and layer: network, kind, layer, estimate, low, high (95 % t intervals over pictures).

    Raises:
        ValueError: no pose is that near.
    """
    rows = []
    for network, one in found.items():
        chosen = _within(one, within)
        x = one.sizes[chosen]
        for layer in one.layers:
            slope = t_interval(per * (one.layer(layer)[:, chosen] @ x) / (x @ x), resampled=PICTURES)
            rows.append((network, one.kind, layer, slope.estimate, slope.low, slope.high))
    return pd.DataFrame(rows, columns=["network", "kind", "layer", "estimate", "low", "high"])


def linearity(one: Responses, layer: str) -> Float[np.ndarray, " n"]:
    """R² of a straight line through each picture's distance against the size of the change.

    Both directions of a translation lie on one line. NaN for a picture whose distance never changes.
    """
    if len(np.unique(one.sizes)) < 3:
        raise ValueError(f"a line needs at least three sizes of change, got {len(np.unique(one.sizes))}")
    x, y = one.sizes - one.sizes.mean(), one.layer(layer)
    y = y - y.mean(1, keepdims=True)
    total = (y**2).sum(1)
    explained = (y @ x) ** 2 / (x @ x)
    return np.divide(explained, total, out=np.full(len(y), np.nan), where=total > 0)


def linearity_interval(one: Responses, layer: str, *, seed: int = 0) -> Interval:
    """Mean R² over pictures."""
    values = linearity(one, layer)
    return bootstrap_interval(values[np.isfinite(values)], resampled=PICTURES, seed=seed)


def linearity_table(found: Mapping[str, Responses], *, seed: int = 0) -> pd.DataFrame:
    """`linearity_interval` by network and layer: columns network, layer, estimate, low, high."""
    return _by_layer({name: [one] for name, one in found.items()}, linearity_interval, seed)


def turned_interval(
    one: Responses, layer: str, *, low: float = 90, high: float = 270, seed: int = 0
) -> Interval:
    """Mean distance over angles from `low` to `high`."""
    return bootstrap_interval(between(one, layer, low=low, high=high), resampled=PICTURES, seed=seed)


def symmetry_interval(
    plain: Responses, symmetric: Responses, layer: str, *, low: float = 30, high: float = 330, seed: int = 0
) -> Interval:
    """Mean distance over angles: objects without rotational symmetry less objects with it."""
    groups = (between(one, layer, low=low, high=high) for one in (plain, symmetric))
    return unpaired_difference(*groups, resampled="pictures of either group", seed=seed)


def symmetry_table(groups: Mapping[str, tuple[Responses, Responses]], *, seed: int = 0) -> pd.DataFrame:
    """`symmetry_interval` by network and layer: columns network, layer, estimate, low, high.

    Args:
        groups: by network, objects without rotational symmetry and with it.
    """
    return _by_layer(groups, symmetry_interval, seed)


def _by_layer(
    found: Mapping[str, Sequence[Responses]], interval: Callable[..., Interval], seed: int
) -> pd.DataFrame:
    rows = []
    for network, parts in found.items():
        for layer in parts[0].layers:
            measured = interval(*parts, layer, seed=seed)
            rows.append((network, layer, measured.estimate, measured.low, measured.high))
    return pd.DataFrame(rows, columns=["network", "layer", "estimate", "low", "high"])


def fall(one: Responses, *, low: float, high: float) -> Float[np.ndarray, " n"]:
    """By how much the true label's probability is lower over amounts from `low` to `high`."""
    return one.untransformed - one.probabilities[:, _among(one, low, high)].mean(1)


def _within(one: Responses, size: float) -> Bool[np.ndarray, " poses"]:
    chosen = (one.sizes > 0) & (one.sizes <= size + 1e-9)
    if not chosen.any():
        smallest = one.sizes[one.sizes > 0].min(initial=np.inf)
        raise ValueError(f"no {one.kind} is within {size:g}; the smallest change is {smallest:g}")
    return chosen


def _among(one: Responses, low: float, high: float) -> Bool[np.ndarray, " poses"]:
    chosen = (one.amounts >= low) & (one.amounts <= high)
    if not chosen.any():
        ends = f"{one.amounts.min():g} … {one.amounts.max():g}"
        raise ValueError(f"no {one.kind} lies in {low:g} … {high:g}; the range is {ends}")
    return chosen
