"""How often the signs of different faces differ, over pairs of faces, and what chance would make of it.

Δ is the mean share of units whose signs differ (Zeiler & Fergus 2013, §4.3). Agreement corrected for chance
is κ = 1 − Δ / Δ₀ (Cohen 1960), where Δ₀ is the Δ of independent signs whose three values are as frequent in
each face as they are: 0 is chance, 1 agreement in every unit.

The one idea: all of this is a mean over pairs of faces. So a table of pairs, n × n, is all that is kept of
the signs, and drawing faces again is a quadratic form in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8


@dataclass(frozen=True)
class SignChanges:
    """Signs of the change of every unit under every square: −1, 0 or 1, by layer."""

    names: tuple[str, ...]  # of the squares; a random kind's stands there once for each place
    signs: Mapping[str, Int8[np.ndarray, "squares n units"]]

    @property
    def n(self) -> int:
        """How many faces."""
        return next(iter(self.signs.values())).shape[1]

    def of(self, layer: str, name: str) -> Int8[np.ndarray, "k n units"]:
        """Those of the squares of one name, in one layer.

        Raises:
            ValueError: a layer or a name that there is not; names those there are.
        """
        if layer not in self.signs:
            raise ValueError(f"layer {layer!r} was not measured; there are {', '.join(self.signs)}")
        if name not in self.names:
            known = ", ".join(dict.fromkeys(self.names))
            raise ValueError(f"nothing was covered under the name {name!r}; there are {known}")
        return self.signs[layer][[k for k, each in enumerate(self.names) if each == name]]


def delta(signs: Int8[np.ndarray, "n units"]) -> float:
    """Δ as the paper writes it: mean over ordered pairs of faces of the share of units whose signs differ.

    `pairs` gives the same for many draws of faces at once.

    Args:
        signs: −1, 0 or 1, of at least two faces.
    """
    faces = range(len(signs))
    differ = [np.mean(signs[i] != signs[j]) for i, j in permutations(faces, 2)]
    return float(np.mean(differ))


class Pairs(NamedTuple):
    """Of two sets of signs of the same faces: how often those of face i and face j differ, and would by
    chance."""

    differ: Float[np.ndarray, "n n"]
    chance: Float[np.ndarray, "n n"]


def pairs(first: Int8[np.ndarray, "n units"], second: Int8[np.ndarray, "n units"]) -> Pairs:
    """Share of units whose signs differ, for every face of one set and every other face of another.

    Args:
        first, second: −1, 0 or 1.

    Returns:
        Both tables with a diagonal of 0, which is no pair.
    """
    sides = [[(signs == value).astype(np.float32) for value in (-1, 0, 1)] for signs in (first, second)]
    same = sum(a @ b.T for a, b in zip(*sides, strict=True)).astype(np.float64)
    rates = [np.stack([a.mean(1, dtype=np.float64) for a in side], 1) for side in sides]
    tables = (1.0 - same / first.shape[1], 1.0 - rates[0] @ rates[1].T)
    for table in tables:
        np.fill_diagonal(table, 0.0)
    return Pairs(*tables)


def over_pairs(
    table: Float[np.ndarray, "n n"], copies: Float[np.ndarray, "draws n"]
) -> Float[np.ndarray, " draws"]:
    """Mean of a table over the pairs of different faces in each draw."""
    n = copies.sum(1)
    return ((copies @ table) * copies).sum(1) / (n**2 - (copies**2).sum(1))
