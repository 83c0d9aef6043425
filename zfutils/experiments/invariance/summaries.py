"""The numbers of chapter 5: slopes, lines and means of how far features move (Zeiler & Fergus 2013, Fig. 5).

Each is taken picture by picture from `Responses`, so that intervals resample pictures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float

from zfutils.experiments.invariance.feature_distances import Responses
from zfutils.experiments.invariance.transformed_images import Kind
from zfutils.stats.intervals import (
    Interval,
    bootstrap_interval,
    t_interval,
    unpaired_difference,
    where_enough,
)

PICTURES = "pictures never trained on"
GROUPS = "pictures of either group"
FAR = (90, 270)  # degrees: angles that are far from 0, ends included
TURNED = (30, 330)  # those over which objects with and without symmetry are compared


def curve_table(found: Mapping[str, Responses]) -> pd.DataFrame:
    """Mean curves with 95 % t intervals over pictures.

    Returns:
        One row for each network, amount and layer: network, kind, amount, layer, estimate, low, high; the
        layer "probability" is the true label's.

    Raises:
        TooFew: of one picture.
    """
    rows = []
    for network, one in found.items():
        columns = {layer: one.layer(layer) for layer in one.layers} | {"probability": one.probabilities}
        for layer, values in columns.items():
            for amount, of_amount in zip(one.amounts, values.T, strict=True):
                mean = t_interval(of_amount, resampled=PICTURES)
                rows.append((network, one.kind, amount, layer, mean.estimate, mean.low, mean.high))
    return pd.DataFrame(rows, columns=["network", "kind", "amount", "layer", "estimate", "low", "high"])


def matched(one: Responses, other: Responses) -> Responses:
    """Of some responses, those to the pictures of others, at the amounts nearest to the others' own.

    Two ways of changing a picture can be compared by nothing less: another set of pictures, or a finer range,
    has a mean curve of its own.

    Raises:
        ValueError: a picture was not measured.
    """
    nearest = [int(np.abs(one.amounts - amount).argmin()) for amount in other.amounts]
    few = one.of(torch.from_numpy(other.pictures))
    chosen = {name: getattr(few, name)[:, nearest] for name in ("distances", "probabilities")}
    return replace(few, amounts=one.amounts[nearest], **chosen)


def whole_and_alone(
    found: Mapping[Kind, Mapping[str, Responses]], alone: Mapping[Kind, Mapping[str, Responses]]
) -> pd.DataFrame:
    """`curve_table` of whole images changed and of their objects alone, the same images and amounts of both.

    Args:
        found: whole images, by kind and network.
        alone: scenes drawn again, likewise, some of those images and amounts.

    Returns:
        One column more: what, "whole image" or "object alone, drawn again".
    """
    parts = []
    for kind, drawn in alone.items():
        whole = {network: matched(found[kind][network], one) for network, one in drawn.items()}
        parts.append(curve_table(whole).assign(what="whole image"))
        parts.append(curve_table(drawn).assign(what="object alone, drawn again"))
    return pd.concat(parts)


def near(one: Responses, layer: str, *, within: float) -> Float[np.ndarray, " n"]:
    """Mean distance of each picture over all changes that are not larger than `within`.

    Args:
        within: pixels, factor minus 1, or degrees.

    Raises:
        ValueError: no change is that small, or no such layer.
    """
    return one.layer(layer)[:, _within(one, within)].mean(1)


def among(one: Responses, ends: tuple[float, float]) -> Bool[np.ndarray, " amounts"]:
    """Which amounts lie between two, ends included."""
    return (one.amounts >= ends[0]) & (one.amounts <= ends[1])


def slopes(found: Mapping[str, Responses], *, within: float, per: float = 1.0) -> pd.DataFrame:
    """How fast each layer moves away near the untransformed picture.

    A picture's slope is that of the straight line through 0 that fits its distances best (least squares).

    Args:
        within: the largest change that counts (pixels, factor minus 1, or degrees).
        per: what the slope is per, in the same unit.

    Returns:
        One row for each network and layer: network, kind, layer, estimate, low, high (95 % t intervals over
        pictures).

    Raises:
        ValueError: no change is that small.
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


def symmetry_interval(plain: Responses, symmetric: Responses, layer: str, *, seed: int = 0) -> Interval:
    """Mean distance over angles: objects without rotational symmetry minus objects with it."""
    groups = (one.layer(layer)[:, among(one, TURNED)].mean(1) for one in (plain, symmetric))
    return unpaired_difference(*groups, resampled=GROUPS, seed=seed)


def panels(
    found: Mapping[Kind, Mapping[str, Responses]],
    groups: Mapping[str, tuple[Responses, Responses]],
    *,
    side: int,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """The numbers of every layer, by the title and the unit of their panel, a line break between them.

    Slopes within 2 % of the side, 5 % of the size and 10°; R² of a line over the whole range; and, where
    there are enough pictures, how much farther objects without rotational symmetry go than objects with it.

    Args:
        found: by kind and network.
        groups: by network, objects without rotational symmetry and with it.
        side: of the pictures (pixels).
        seed: of the bootstrap.

    Returns:
        Columns network, layer, estimate, low, high.
    """

    def lines(kind: Kind) -> pd.DataFrame:
        return _by_layer({name: [one] for name, one in found[kind].items()}, linearity_interval, seed)

    tables = {
        "Translation\nslope, per % of the side": slopes(
            found["translation"], within=0.02 * side, per=0.01 * side
        ),
        "Scale\nslope, per % of the size": slopes(found["scale"], within=0.05, per=0.01),
        "Rotation\nslope, per 1°": slopes(found["rotation"], within=10),
        "Translation\nR² of a line": lines("translation"),
        "Scale\nR² of a line": lines("scale"),
    }
    symmetry = where_enough(_by_layer, groups, symmetry_interval, seed)
    return tables if symmetry is None else tables | {"Rotation\nwithout − with symmetry": symmetry}


def _by_layer(
    found: Mapping[str, Sequence[Responses]], interval: Callable[..., Interval], seed: int
) -> pd.DataFrame:
    rows = []
    for network, parts in found.items():
        for layer in parts[0].layers:
            measured = interval(*parts, layer, seed=seed)
            rows.append((network, layer, measured.estimate, measured.low, measured.high))
    return pd.DataFrame(rows, columns=["network", "layer", "estimate", "low", "high"])


def _within(one: Responses, size: float) -> Bool[np.ndarray, " amounts"]:
    chosen = (one.sizes > 0) & (one.sizes <= size + 1e-9)
    if not chosen.any():
        smallest = one.sizes[one.sizes > 0].min(initial=np.inf)
        raise ValueError(f"no {one.kind} is within {size:g}; the smallest change is {smallest:g}")
    return chosen
