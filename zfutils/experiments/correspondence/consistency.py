"""How alike a network answers to a covered part of different faces, and how sure that is (chapter 7).

The one idea: every measure is computed for the same draws of faces, so that differences between parts, random
places, layers and networks are paired, whatever is subtracted from or divided by whatever.
"""

from functools import cache, cached_property
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.experiments.correspondence import matching
from zfutils.experiments.correspondence.matching import OverPairs
from zfutils.experiments.correspondence.occluders import PLACE
from zfutils.experiments.correspondence.sign_agreement import Pairs, SignChanges, over_pairs, pairs
from zfutils.stats.intervals import (
    FEWEST_TO_BOOTSTRAP,
    RESAMPLES,
    Interval,
    TooFew,
    ends,
    of_draws,
    where_enough,
)

FACES = "faces, not pairs"
Measure = Literal["delta", "kappa", "changed"]
MEASURES: dict[str, str] = {
    "delta": "sign change Δ",
    "kappa": "agreement beyond chance κ",
    "changed": "share of units changed",
}
# Face i without a part, face k without another; one eye is not held against the other.
MISMATCHED = {"right eye": ("nose",), "left eye": ("nose",), "nose": ("right eye", "left eye")}


class Consistency:
    """Δ, κ and the share of units changed, under every square, with faces drawn again.

    Args:
        changes: signs of at least two faces; intervals need eight.
        seed: of the draws, which are the same for all squares, layers, measures and networks: differences are
            paired.

    A draw takes n faces with replacement; a pair of a face with its own copy is left out
    (`intervals.pairs_interval`, the vertex bootstrap of Snijders & Borgatti 1999).
    """

    def __init__(self, changes: SignChanges, *, seed: int = 0) -> None:
        self.changes, self.n, self._seed = changes, changes.n, seed
        # several tables and claims ask for the same pairs
        self.same, self.mismatched, self.places = map(cache, (self.same, self.mismatched, self.places))
        self._tables = cache(self._tables)

    @cached_property
    def copies(self) -> Float[np.ndarray, "draws n"]:
        """How often each face is in a draw; the first draw is the faces themselves."""
        n = self.n
        rng = np.random.default_rng(self._seed)
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES if n >= FEWEST_TO_BOOTSTRAP else 0)
        return np.concatenate([np.ones((1, n)), drawn[drawn.max(1, initial=0) < n]])

    def values(self, layer: str, name: str, *, measure: Measure = "delta") -> Float[np.ndarray, " draws"]:
        """A measure of a part, or of random places: means over them of Δ, of chance's Δ and of the share.

        Returns:
            The faces' own value first, then one for every draw of faces; NaN where κ is not defined.

        Raises:
            ValueError: a layer or a name that there is not; names those there are.
        """
        if measure == "changed":
            shares = matching.shares_changed(self.changes.of(layer, name))
            return shares.mean(0) @ self.copies.T / self.n
        tables = self._tables(layer, name)
        if measure == "delta":
            return over_pairs(tables.differ, self.copies)
        with np.errstate(invalid="ignore", divide="ignore"):
            return 1 - over_pairs(tables.differ, self.copies) / over_pairs(tables.chance, self.copies)

    def _tables(self, layer: str, name: str) -> Pairs:
        """Of a part, or means over random places."""
        each = [pairs(signs, signs) for signs in self.changes.of(layer, name)]
        return Pairs(*(np.mean(tables, axis=0) for tables in zip(*each, strict=True)))

    # ---- what is held against what

    def same(self, layer: str, part: str) -> OverPairs:
        """The same part covered on both faces."""
        (signs,) = self.changes.of(layer, part)
        return matching.same(self._tables(layer, part).differ, matching.shares_changed(signs), self.copies)

    def mismatched(self, layer: str, part: str, other: str) -> OverPairs:
        """A part covered on face i and another on face k, in pairs that change as many units as `same`."""
        (first,), (second,) = (self.changes.of(layer, name) for name in (part, other))
        return self._balanced(first, second, self.same(layer, part).changed)

    def places(self, layer: str, part: str) -> OverPairs:
        """Random places, on each face that which changes most nearly as many units as the part does there.

        Where none of a face's places changes as many, pairs are drawn as for `mismatched`.
        """
        (signs,) = self.changes.of(layer, part)
        own = matching.nearest(self.changes.of(layer, PLACE), matching.shares_changed(signs))
        return self._balanced(own, own, self.same(layer, part).changed)

    def _balanced(self, first: np.ndarray, second: np.ndarray, wanted: np.ndarray) -> OverPairs:
        shares = [matching.shares_changed(signs) for signs in (first, second)]
        return matching.balanced(pairs(first, second).differ, *shares, self.copies, wanted)

    # ---- what comes out

    def interval(self, values: Float[np.ndarray, " draws"]) -> Interval:
        """Estimate and 95 % interval of what was computed from draws.

        Raises:
            TooFew: fewer than eight faces, or no unit changes in some draw of them.
        """
        if self.n < FEWEST_TO_BOOTSTRAP:
            raise TooFew(
                f"{self.n} faces are too few to bootstrap, at least {FEWEST_TO_BOOTSTRAP} are needed"
            )
        if not np.isfinite(values).all():
            raise TooFew("no unit changes in some draw of faces, so that there is nothing to agree on")
        return of_draws(values, self.n, resampled=FACES)

    def summary(self) -> pd.DataFrame:
        """What was found, one row per layer and name.

        Returns:
            Columns layer, occluded; delta, kappa and changed, each with its _low and _high (NaN where there
            is no interval).
        """
        rows = []
        for layer, name in product(self.changes.signs, dict.fromkeys(self.changes.names)):
            row: dict[str, object] = {"layer": layer, "occluded": name}
            for measure in MEASURES:
                values = self.values(layer, name, measure=measure)
                interval = where_enough(self.interval, values)
                row |= {measure: values[0]} | ends(interval, f"{measure}_")
            rows.append(row)
        return pd.DataFrame(rows)
