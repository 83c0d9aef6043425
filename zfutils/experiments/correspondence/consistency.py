"""How alike a network answers to a covered part of different faces, and how sure that is (chapter 7).

The one idea: every measure is computed for the same draws of faces, so that differences between parts, random
places and layers are paired, whatever is subtracted from or divided by whatever.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.experiments.correspondence.faces import PARTS
from zfutils.experiments.correspondence.occluders import SAME
from zfutils.experiments.correspondence.sign_agreement import (
    SignChanges,
    delta,
    over_pairs,
    pairs,
    permutation_p,
)
from zfutils.stats.intervals import CONFIDENCE, FEWEST_TO_BOOTSTRAP, RESAMPLES, Interval, TooFew

FACES = "faces, not pairs"
Measure = Literal["delta", "kappa", "changed"]
MEASURES: dict[str, str] = {
    "delta": "sign change Δ",
    "kappa": "agreement beyond chance κ",
    "changed": "share of units changed",
}


class Consistency:
    """Δ, κ and the share of units changed, of every square, with faces drawn again.

    Args:
        changes: signs of at least two faces; intervals need eight.
        seed: of the draws, which are the same for all squares, layers and measures: differences are paired.

    A draw takes n faces with replacement; a pair of a face with its own copy is left out
    (`intervals.pairs_interval`, the vertex bootstrap of Snijders & Borgatti 1999). Places stay as they are.
    """

    def __init__(self, changes: SignChanges, *, seed: int = 0) -> None:
        self.changes, self.names, self.layers = changes, changes.names, tuple(changes.signs)
        self.n, self._seed = next(iter(changes.signs.values())).shape[1], seed

    @cached_property
    def _copies(self) -> Float[np.ndarray, "draws n"]:
        """How often each face is in a draw; the first draw is the faces themselves."""
        n = self.n
        rng = np.random.default_rng(self._seed)
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES if n >= FEWEST_TO_BOOTSTRAP else 0)
        return np.concatenate([np.ones((1, n)), drawn[drawn.max(1, initial=0) < n]])

    @cached_property
    def _values(self) -> dict[str, dict[str, Float[np.ndarray, "squares draws"]]]:
        found = {}
        for layer, signs in self.changes.signs.items():
            tables = [pairs(s, s) for s in signs]
            differ = np.stack([over_pairs(t.differ, self._copies) for t in tables])
            chance = np.stack([over_pairs(t.chance, self._copies) for t in tables])
            changed = (signs != 0).mean(2) @ self._copies.T / self.n
            with np.errstate(invalid="ignore", divide="ignore"):
                kappa = 1 - differ / chance
            found[layer] = {"delta": differ, "kappa": kappa, "changed": changed}
        return found

    def values(
        self, layer: str, name: str | Sequence[str], *, measure: Measure = "delta"
    ) -> Float[np.ndarray, " draws"]:
        """A measure of a part, or its mean over the places of a random kind, or over several names.

        Returns:
            The faces' own value first, then one for every draw of faces.
        """
        if layer not in self.layers:
            raise ValueError(f"layer {layer!r} was not measured; there are {', '.join(self.layers)}")
        if measure not in MEASURES:
            raise ValueError(f"measure {measure!r} is not known; there are {', '.join(MEASURES)}")
        names = (name,) if isinstance(name, str) else name
        if unknown := [each for each in names if each not in self.names]:
            known = ", ".join(dict.fromkeys(self.names))
            raise ValueError(f"nothing was covered under the name {unknown[0]!r}; there are {known}")
        each = self._values[layer][measure]
        return np.mean([each[self._named(one)].mean(0) for one in names], axis=0)

    def _named(self, name: str) -> list[int]:
        return [i for i, each in enumerate(self.names) if each == name]

    def interval(self, values: Float[np.ndarray, " draws"]) -> Interval:
        """Estimate and 95 % interval of what was computed from `values`.

        Raises:
            TooFew: fewer than eight faces.
            ValueError: a draw has no value, as κ has none where no unit changes.
        """
        if self.n < FEWEST_TO_BOOTSTRAP:
            raise TooFew(
                f"{self.n} faces are too few to bootstrap, at least {FEWEST_TO_BOOTSTRAP} are needed"
            )
        if not np.isfinite(values).all():
            raise ValueError("no unit changes in some faces, so that there is nothing to agree on")
        tail = (1 - CONFIDENCE) / 2
        estimate, (low, high) = float(values[0]), np.quantile(values[1:], (tail, 1 - tail))
        return Interval(estimate, min(float(low), estimate), max(float(high), estimate), self.n, FACES)

    def advantage(
        self,
        layer: str,
        parts: str | Sequence[str] = PARTS,
        *,
        random: str = SAME,
        measure: Measure = "delta",
        relative: bool = False,
    ) -> Float[np.ndarray, " draws"]:
        """How much more alike the parts are treated than random places: Δ falls, κ rises.

        Args:
            parts: one or several, whose mean is taken.
            random: kind of random places, whose mean is taken.
            relative: as a share of what random places have.
        """
        ours, theirs = (self.values(layer, name, measure=measure) for name in (parts, random))
        more = ours - theirs if measure == "kappa" else theirs - ours
        return more / theirs if relative else more

    def p(
        self,
        layer: str,
        parts: str | Sequence[str] = PARTS,
        *,
        random: str = SAME,
        measure: Literal["delta", "kappa"] = "delta",
        seed: int = 0,
    ) -> float:
        """Two-sided p of parts against random places, exchanged within faces.

        The test asks whether these places are treated as the part is, not whether others would be; `below`
        of `summary` tells how much places differ.
        """
        signs = self.changes.signs[layer]
        ours = [
            signs[i] for name in ((parts,) if isinstance(parts, str) else parts) for i in self._named(name)
        ]
        theirs = [signs[i] for i in self._named(random)]
        return permutation_p(ours, theirs, measure=measure, seed=seed)

    def summary(self, *, seed: int = 0) -> pd.DataFrame:
        """What was found, one row per layer and name.

        Returns:
            Columns layer, occluded; delta, kappa and changed, each with its _low and _high (NaN below eight
            faces); zero_as_plus and zero_as_minus, the Δ of signs of two values; p, of Δ against one place
            for all faces; below, the share of these places whose Δ is below the part's.
        """
        rows = []
        for layer, name in product(self.layers, dict.fromkeys(self.names)):
            row: dict[str, object] = {"layer": layer, "occluded": name}
            for measure in MEASURES:
                values = self.values(layer, name, measure=measure)
                enough = self.n >= FEWEST_TO_BOOTSTRAP and np.isfinite(values).all()
                found = self.interval(values) if enough else None
                row |= {measure: values[0]}
                row |= {f"{measure}_{end}": getattr(found, end, math.nan) for end in ("low", "high")}
            signs = [self.changes.signs[layer][i] for i in self._named(name)]
            for column, values_ in (("zero_as_plus", "zero as +"), ("zero_as_minus", "zero as −")):
                row[column] = float(np.mean([delta(s, values=values_) for s in signs]))
            if name in PARTS and SAME in self.names:
                places = self._values[layer]["delta"][self._named(SAME), 0]
                row["p"] = self.p(layer, name, seed=seed)
                row["below"] = float((places < row["delta"]).mean())
            rows.append(row)
        return pd.DataFrame(rows)

    def by_place(self) -> pd.DataFrame:
        """One row per layer and square, also for every single random place: delta, kappa and changed."""
        rows = [
            {"layer": layer, "occluded": name} | {m: self._values[layer][m][i, 0] for m in MEASURES}
            for layer in self.layers
            for i, name in enumerate(self.names)
        ]
        return pd.DataFrame(rows)
