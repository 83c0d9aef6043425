"""What the same part is held against: mismatched parts and random places that change as many units.

Δ falls when fewer units change, whatever is covered, so that a control must change as many. Mismatched parts
are face i without one part and face k without another; a face has one nose, and what can be chosen is which
faces are paired. Random places are many on each face, and what can be chosen is which of them.

Pairs are drawn with weights exp(λ(a_i + b_k)), with a_i and b_k the shares of units that change, and λ such
that the mean share is the wanted one: of all weights with that mean these are nearest to equal ones (entropy
balancing, Hainmueller 2012).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8

from zfutils.experiments.correspondence.sign_agreement import over_pairs

STEEPEST = (
    2.0  # largest λ, in standard deviations of the shares: beyond it a few faces would be all that counts
)
STEPS = 12  # of Newton's method, at most
CLOSE = 1e-4  # of a standard deviation


class OverPairs(NamedTuple):
    """Means over pairs of faces, the faces' own first and then those of every draw of faces."""

    delta: Float[np.ndarray, " draws"]
    changed: Float[np.ndarray, " draws"]  # share of units that change, mean of both faces of a pair


def shares_changed(signs: Int8[np.ndarray, "*k n units"]) -> Float[np.ndarray, "*k n"]:
    """Share of units that change on each face."""
    return (signs != 0).mean(-1)


def same(
    differ: Float[np.ndarray, "n n"], shares: Float[np.ndarray, " n"], copies: Float[np.ndarray, "draws n"]
) -> OverPairs:
    """Means over all pairs of different faces under one square each.

    Args:
        differ: share of units whose signs differ, for every pair; 0 on the diagonal.
        shares: of units that change, on each face.
        copies: how often each face is in a draw.
    """
    others = copies * (copies.sum(1, keepdims=True) - copies)
    return OverPairs(over_pairs(differ, copies), (others @ shares) / others.sum(1))


def balanced(
    differ: Float[np.ndarray, "n n"],
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " n"],
    copies: Float[np.ndarray, "draws n"],
    wanted: Float[np.ndarray, " draws"],
) -> OverPairs:
    """Means over pairs of different faces that are drawn so that as many units change as is wanted.

    Args:
        differ: share of units whose signs differ between face i under one square and face k under another; 0
            on the diagonal.
        first, second: shares of units that change under either.
        copies: how often each face is in a draw.
        wanted: the mean share, in each draw.

    Returns:
        As `same`. Where the wanted share lies beyond what weights of `STEEPEST` reach, `changed` is as near
        as they come.
    """
    middle = (first.mean() + second.mean()) / 2
    spread = np.sqrt((first.var() + second.var()) / 2)
    if spread == 0:
        return _weighted(differ, first, second, copies, copies)
    a, b = (first - middle) / spread, (second - middle) / spread
    aim = 2 * (wanted - middle) / spread  # of a sum
    start = _steepness(a, b, copies[:1], aim[:1], 0.0)
    steep = _steepness(a, b, copies, aim, start[0])
    return _weighted(differ, first, second, *(copies * np.exp(steep[:, None] * z) for z in (a, b)))


def nearest(
    places: Int8[np.ndarray, "k n units"], wanted: Float[np.ndarray, " n"]
) -> Int8[np.ndarray, "n units"]:
    """The signs on each face under that of its places which changes most nearly as many units as wanted."""
    chosen = np.abs(shares_changed(places) - wanted).argmin(0)
    return places[chosen, np.arange(places.shape[1])]


def _steepness(
    a: Float[np.ndarray, " n"],
    b: Float[np.ndarray, " n"],
    copies: Float[np.ndarray, "draws n"],
    aim: Float[np.ndarray, " draws"],
    start: float,
) -> Float[np.ndarray, " draws"]:
    """λ of each draw, with which the mean of a_i + b_k over pairs comes nearest to the aim."""
    steep = np.full(len(copies), start)
    for _ in range(STEPS):
        mean, variance = _moments(*(copies * np.exp(steep[:, None] * z) for z in (a, b)), a, b)
        step = np.clip((aim - mean) / np.maximum(variance, CLOSE), -1, 1)
        moved = np.clip(steep + step, -STEEPEST, STEEPEST)
        if np.abs(moved - steep).max() < CLOSE:
            return moved
        steep = moved
    return steep


def _moments(
    u: Float[np.ndarray, "draws n"],
    v: Float[np.ndarray, "draws n"],
    a: Float[np.ndarray, " n"],
    b: Float[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]]:
    """Mean and variance of a_i + b_k over pairs i ≠ k of weight u_i v_k."""
    powers_a, powers_b = (np.stack([z**0, z, z**2], 1) for z in (a, b))
    (u0, u1, u2), (v0, v1, v2) = (u @ powers_a).T, (v @ powers_b).T
    own0, own1, own2 = ((u * v) @ np.stack([(a + b) ** k for k in range(3)], 1)).T
    total = u0 * v0 - own0
    mean = (u1 * v0 + u0 * v1 - own1) / total
    square = (u2 * v0 + 2 * u1 * v1 + u0 * v2 - own2) / total
    return mean, square - mean**2


def _weighted(
    differ: Float[np.ndarray, "n n"],
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " n"],
    u: Float[np.ndarray, "draws n"],
    v: Float[np.ndarray, "draws n"],
) -> OverPairs:
    """Means over pairs i ≠ k of weight u_i v_k."""
    own = u * v
    total = u.sum(1) * v.sum(1) - own.sum(1)
    sums = (u @ first) * v.sum(1) + u.sum(1) * (v @ second) - own @ (first + second)
    return OverPairs(((u @ differ) * v).sum(1) / total, sums / (2 * total))
