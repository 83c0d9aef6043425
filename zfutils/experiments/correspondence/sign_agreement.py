"""How often the signs of different faces differ, over pairs of faces, and what chance would make of it.

Δ is the mean share of units whose signs differ (Zeiler & Fergus 2013, §4.3). Agreement corrected for chance
is κ = 1 − Δ / Δ₀ (Cohen 1960), where Δ₀ is the Δ of independent signs whose three values are as frequent in
each face as they are: 0 is chance, 1 agreement in every unit.

The one idea: all of this is a mean over pairs of faces. So a table of pairs, n × n, is all that is kept of
the signs; drawing faces again, or exchanging part and random place within them, is a quadratic form in it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int8

from zfutils.stats.intervals import RESAMPLES


@dataclass(frozen=True)
class SignChanges:
    """Signs of the change of every unit under every square: −1, 0 or 1, by layer."""

    names: tuple[str, ...]  # of the squares; a random kind's stands there once for each place
    signs: Mapping[str, Int8[np.ndarray, "squares n units"]]

    def of(self, rows: Sequence[int]) -> "SignChanges":
        """Those of some of the faces."""
        return SignChanges(self.names, {layer: s[:, list(rows)] for layer, s in self.signs.items()})


class Pairs(NamedTuple):
    """Of two sets of signs of the same faces: how often those of face i and face j differ, and would by
    chance."""

    differ: Float[np.ndarray, "n n"]
    chance: Float[np.ndarray, "n n"]


def pairs(
    first: Int8[np.ndarray, "n units"],
    second: Int8[np.ndarray, "n units"],
    *,
    values: Literal["three", "zero as +", "zero as −"] = "three",
) -> Pairs:
    """Share of units whose signs differ, for every face of one set and every other face of another.

    Args:
        first, second: −1, 0 or 1.
        values: how many a sign has; of two, 0 goes to one of them.

    Returns:
        Both tables with a diagonal of 0, which is no pair.
    """
    sides = [_indicators(signs, values) for signs in (first, second)]
    same = sum(a @ b.T for a, b in zip(*sides, strict=True)).astype(np.float64)
    rates = [np.stack([a.mean(1, dtype=np.float64) for a in side], 1) for side in sides]
    tables = (1.0 - same / first.shape[1], 1.0 - rates[0] @ rates[1].T)
    for table in tables:
        np.fill_diagonal(table, 0.0)
    return Pairs(*tables)


def _indicators(signs: np.ndarray, values: str) -> list[Float[np.ndarray, "n units"]]:
    """For every value a sign may have, where it has it."""
    of_two = {"zero as +": signs >= 0, "zero as −": signs > 0}
    if values == "three":
        where = [signs < 0, signs == 0, signs > 0]
    elif values in of_two:
        where = [of_two[values], ~of_two[values]]
    else:
        raise ValueError(f"values is {values!r}; allowed are three, {', '.join(of_two)}")
    return [w.astype(np.float32) for w in where]


def delta(signs: Int8[np.ndarray, "n units"], *, values: str = "three") -> float:
    """Mean sign change over ordered pairs of faces: Δ."""
    n = len(signs)
    return float(pairs(signs, signs, values=values).differ.sum() / (n * (n - 1)))


def kappa(signs: Int8[np.ndarray, "n units"]) -> float:
    """Agreement between faces corrected for chance; NaN where no unit of any face changes."""
    found = pairs(signs, signs)
    chance = found.chance.sum()
    return float(1 - found.differ.sum() / chance) if chance > 0 else math.nan


def over_pairs(
    table: Float[np.ndarray, "n n"], copies: Float[np.ndarray, "draws n"]
) -> Float[np.ndarray, " draws"]:
    """Mean of a table over the pairs of different faces in each draw."""
    n = copies.sum(1)
    return ((copies @ table) * copies).sum(1) / (n**2 - (copies**2).sum(1))


def permutation_p(
    ours: Sequence[Int8[np.ndarray, "n units"]],
    theirs: Sequence[Int8[np.ndarray, "n units"]],
    *,
    measure: Literal["delta", "kappa"] = "delta",
    seed: int = 0,
) -> float:
    """Two-sided p of the parts' Δ or κ against that of random places, exchanged within faces.

    For each choice of faces, the signs under the part and under the random place change names in these
    faces, and the statistic is computed again: the measure of what is now called random minus that of what is
    now called the part, mean over all parts and places, the same faces exchanged for every one of them. p is
    the share of choices whose statistic is at least as far from 0 as the data's.

    Args:
        ours: signs under each part.
        theirs: signs of the same faces under each random place.

    Returns:
        Exact where all 2^n choices number at most 9,999; otherwise of 9,999 random ones and the data.

    Raises:
        ValueError: no part, no place, another measure, or a κ that is not defined.

    Source: Phipson & Smyth 2010 for counting the data among the choices.
    """
    if not ours or not theirs or measure not in ("delta", "kappa"):
        needs = "a part, a random place and the measure delta or kappa"
        raise ValueError(f"the test needs {needs}, got {len(ours)}, {len(theirs)}, {measure!r}")
    exchanged = _choices(len(ours[0]), seed)
    own, other = [pairs(s, s) for s in ours], [pairs(s, s) for s in theirs]
    across = [[pairs(a, b) for b in theirs] for a in ours]
    if measure == "delta":  # linear in the tables, so that their mean is enough
        groups = (own, other, [table for row in across for table in row])
        first, second = _exchanged(
            *(np.mean([t.differ for t in group], axis=0) for group in groups), exchanged
        )
        statistic = second - first
    else:
        statistic = np.zeros(len(exchanged))
        for a, row in zip(own, across, strict=True):
            for b, mixed in zip(other, row, strict=True):
                differ, chance = (_exchanged(*tables, exchanged) for tables in zip(a, b, mixed, strict=True))
                with np.errstate(invalid="ignore", divide="ignore"):
                    statistic += differ[0] / chance[0] - differ[1] / chance[1]
        statistic /= len(own) * len(other)
    if not np.isfinite(statistic).all():
        raise ValueError("no unit changes in some faces, so that there is nothing to agree on")
    return float((np.abs(statistic) >= abs(statistic[0]) - 1e-12).mean())


def _choices(n: int, seed: int) -> Float[np.ndarray, "choices n"]:
    """Which faces are exchanged: none first, then all other choices, or 9,999 at random."""
    if 2**n <= RESAMPLES:
        return np.array(list(product((0.0, 1.0), repeat=n)))
    drawn = np.random.default_rng(seed).integers(0, 2, (RESAMPLES, n)).astype(float)
    return np.concatenate([np.zeros((1, n)), drawn])


def _exchanged(
    own: Float[np.ndarray, "n n"],
    other: Float[np.ndarray, "n n"],
    across: Float[np.ndarray, "n n"],
    exchanged: Float[np.ndarray, "choices n"],
) -> tuple[Float[np.ndarray, " choices"], Float[np.ndarray, " choices"]]:
    """Mean over pairs of the first and of the second set, some faces of which have changed sets."""
    n = exchanged.shape[1]

    def mean(gone: np.ndarray) -> np.ndarray:
        stay = 1 - gone
        total = ((stay @ own) * stay).sum(1) + ((gone @ other) * gone).sum(1)
        return (total + 2 * ((stay @ across) * gone).sum(1)) / (n * (n - 1))

    return mean(exchanged), mean(1 - exchanged)
