"""What chapter 7 claims: how much more alike the same part is treated than a control, trained minus random.

The advantage of a part is the share of the control's Δ by which its own lies below it. The control changes as
many units (`matching`); how far it is from that is what the claims' condition asks for. Squares over the same
part lie at similar positions and change similar units whatever the weights are: so the advantage of a network
with random weights is taken off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.experiments.correspondence.consistency import MISMATCHED, Consistency
from zfutils.experiments.correspondence.faces import PARTS
from zfutils.experiments.correspondence.matching import OverPairs
from zfutils.experiments.correspondence.sign_changes import LAYERS
from zfutils.stats.intervals import Interval, ends, where_enough

MIDDLE, LAST = LAYERS  # of the paper's Table 1
EYES, NOSE = PARTS[:2], PARTS[2:]
OVER_PLACES = "all parts over random places"
# Same against mismatched parts, by the end of the claim's name: the layer, and the parts that are covered.
SAME: dict[str, tuple[str, tuple[str, ...]]] = {
    "same-eyes": (MIDDLE, EYES),
    "same-nose": (MIDDLE, NOSE),
    "same-parts-in-layer-7": (LAST, PARTS),
}


@dataclass(frozen=True)
class Advantage:
    """A share of the control's Δ, the faces' own first and then that of every draw."""

    values: Float[np.ndarray, " draws"]
    unmatched: (
        float  # how far the control is from as many units changed, as a share; the farthest of the parts
    )

    def __sub__(self, other: "Advantage") -> "Advantage":
        return Advantage(self.values - other.values, float(np.maximum(self.unmatched, other.unmatched)))


@dataclass(frozen=True)
class Comparison:
    """An advantage of the trained network and of that with random weights, for the same draws of faces."""

    measured: Advantage
    control: Advantage
    faces: Consistency

    @property
    def difference(self) -> Advantage:
        """Trained minus random weights."""
        return self.measured - self.control

    @property
    def interval(self) -> Interval | None:
        """The difference with its 95 % interval over faces; None below eight, or where no unit changes."""
        return self.of(self.difference)

    def of(self, advantage: Advantage) -> Interval | None:
        """The interval of one of the advantages; None as `interval`."""
        return where_enough(self.faces.interval, advantage.values)

    @property
    def unmatched(self) -> float | None:
        """How far the controls of either network are from as many units changed; None where none changes."""
        farthest = self.difference.unmatched
        return farthest if np.isfinite(farthest) else None

    @property
    def arms(self) -> tuple[float, float]:
        """Trained and random weights."""
        return float(self.measured.values[0]), float(self.control.values[0])


def over_mismatched(found: Consistency, layer: str, parts: Sequence[str]) -> Advantage:
    """Δ of mismatched parts minus Δ of the same part, means over the parts, as a share of the former."""
    same = [found.same(layer, part) for part in parts for _ in MISMATCHED[part]]
    other = [found.mismatched(layer, part, name) for part in parts for name in MISMATCHED[part]]
    weights = np.concatenate([np.full(len(MISMATCHED[part]), 1 / len(MISMATCHED[part])) for part in parts])
    return _advantage(same, other, weights)


def over_places(found: Consistency, layer: str) -> Advantage:
    """Δ of random places on the face minus Δ of the parts, means over the parts, as a share of the former."""
    same, other = ([of(layer, part) for part in PARTS] for of in (found.same, found.places))
    return _advantage(same, other, np.ones(len(PARTS)))


def _advantage(same: Sequence[OverPairs], other: Sequence[OverPairs], weights: np.ndarray) -> Advantage:
    ours, theirs = (
        np.average([each.delta for each in them], axis=0, weights=weights) for them in (same, other)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = [abs(b.changed[0] / a.changed[0] - 1) for a, b in zip(same, other, strict=True)]
        return Advantage((theirs - ours) / theirs, float(np.max(apart)))


def comparisons(trained: Consistency, random: Consistency) -> dict[str, Comparison]:
    """The two arms of each of the chapter's claims, by the end of its name.

    Args:
        trained, random: the same faces under the same squares, and the same draws.
    """
    both = (trained, random)
    found = {
        name: Comparison(*(over_mismatched(each, *of) for each in both), trained) for name, of in SAME.items()
    }
    fading = [over_mismatched(each, MIDDLE, PARTS) - over_mismatched(each, LAST, PARTS) for each in both]
    on_the_face = [over_places(each, MIDDLE) for each in both]
    return found | {
        "same-parts-fade": Comparison(*fading, trained),
        "parts-over-places-on-the-face": Comparison(*on_the_face, trained),
    }


def arms(networks: Mapping[str, Consistency]) -> pd.DataFrame:
    """Δ and units changed of each part and of what it is held against, one row per network, layer and part.

    Returns:
        Columns network, layer, part; same, mismatched and places (Δ, mean over the other parts where there
        are two); same_changed, mismatched_changed and places_changed (shares of units).
    """
    rows = []
    for (name, found), layer, part in product(networks.items(), LAYERS, PARTS):
        row: dict[str, object] = {"network": name, "layer": layer, "part": part}
        sets = {
            "same": [found.same(layer, part)],
            "mismatched": [found.mismatched(layer, part, other) for other in MISMATCHED[part]],
            "places": [found.places(layer, part)],
        }
        for kind, each in sets.items():
            row[kind] = float(np.mean([one.delta[0] for one in each]))
            row[f"{kind}_changed"] = float(np.mean([one.changed[0] for one in each]))
        rows.append(row)
    return pd.DataFrame(rows)


def advantages(found: Consistency) -> pd.DataFrame:
    """Advantage of each part over mismatched parts, and of all over random places, one row each per layer.

    Returns:
        Columns layer, occluded, advantage, advantage_low and advantage_high (NaN where there is no interval).
    """
    rows = []
    for layer in LAYERS:
        held = {part: over_mismatched(found, layer, (part,)) for part in PARTS}
        held[OVER_PLACES] = over_places(found, layer)
        for name, advantage in held.items():
            interval = where_enough(found.interval, advantage.values)
            row = {"layer": layer, "occluded": name, "advantage": advantage.values[0]}
            rows.append(row | ends(interval, "advantage_"))
    return pd.DataFrame(rows)
