"""What chapter 12 claims: what is measured minus its control, picture by picture or seed by seed.

Pooling's gain in tolerance is asked of random weights too, since the window and its stride act whatever was
learnt. Networks are compared by seed: those of one seed saw the pictures in the same order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.experiments.pooling.tolerance import POOLED, Tolerance
from zfutils.stats.comparisons import Comparison
from zfutils.stats.intervals import Interval, t_interval
from zfutils.stats.power import smallest_detectable_difference

PICTURES, SEEDS = "pictures never trained on", "seeds (t)"
TRAINED, RANDOM = "trained", "random weights"
POINTS = 100


@dataclass(frozen=True)
class OverSeeds:
    """Means over seeds of what is measured and of its control, and of their difference."""

    measured: Interval
    control: Interval
    interval: Interval  # of the difference
    detectable: float  # smallest difference

    @property
    def arms(self) -> tuple[float, float]:
        """What is measured, and its control."""
        return self.measured.estimate, self.control.estimate


def gain(found: Tolerance, pairs: Sequence[tuple[str, str]] = POOLED) -> Float[np.ndarray, " n"]:
    """How much more tolerant each picture's maps are after pooling, mean over poolings and amounts.

    Args:
        found: under one kind of change.
        pairs: layers before and after each pooling.

    Returns:
        Distances before minus after.
    """
    each = [found.distance(before) - found.distance(after) for before, after in pairs]
    return np.mean(each, axis=(0, 2)).astype(float)


def gain_learnt(
    trained: Tolerance, random: Tolerance, pairs: Sequence[tuple[str, str]] = POOLED, *, seed: int = 0
) -> Comparison:
    """`gain` of the trained network minus that of random weights, on the same pictures.

    Args:
        trained, random: under the same kind of change, of the same pictures.
        pairs: as for `gain`.
        seed: of the bootstrap.
    """
    return Comparison(gain(trained, pairs), gain(random, pairs), PICTURES, seed)


def farther(trained: Tolerance, random: Tolerance, layer: str, *, seed: int = 0) -> Comparison:
    """How far maps of a layer are from the unchanged picture's, mean over amounts: trained against random.

    Args:
        trained, random: under the same kind of change, of the same pictures.
        layer: one of theirs.
        seed: of the bootstrap.
    """
    return Comparison(*(one.distance(layer).mean(1) for one in (trained, random)), PICTURES, seed)


def over_seeds(measured: Mapping[int, float], control: Mapping[int, float]) -> OverSeeds:
    """One network against another, on the seeds that both have.

    Args:
        measured, control: a number of each, by seed.

    Raises:
        TooFew: fewer than two seeds in common.
    """
    seeds = sorted(measured.keys() & control.keys())
    arms = [np.array([one[seed] for seed in seeds], dtype=float) for one in (measured, control)]
    difference = arms[0] - arms[1]
    intervals = (t_interval(values, resampled=SEEDS) for values in (*arms, difference))
    return OverSeeds(*intervals, smallest_detectable_difference(difference.std(ddof=1), len(seeds)))


def curve_table(found: Mapping[tuple[str, str], Tolerance]) -> pd.DataFrame:
    """Mean distances and shares of maxima that stay, with 95 % t intervals over pictures.

    Args:
        found: by network and kind of change.

    Returns:
        One row for each network, kind, amount, layer and measure: network, kind, amount, layer, measure,
        estimate, low, high.

    Raises:
        TooFew: of one picture.
    """
    rows = []
    for (network, kind), one in found.items():
        for measure in ("distances", "stayed"):
            for layer, by_amount in zip(one.layers, getattr(one, measure).T, strict=True):
                for amount, values in zip(one.amounts, by_amount, strict=True):
                    mean = t_interval(values[np.isfinite(values)], resampled=PICTURES)
                    ends = mean.estimate, mean.low, mean.high
                    rows.append((network, kind, amount, layer, measure, *ends))
    columns = ["network", "kind", "amount", "layer", "measure", "estimate", "low", "high"]
    return pd.DataFrame(rows, columns=columns)
