"""Blind: which sign tells a fault, chosen on half of the seeds and scored on the other half.

Among many numbers one always happens to separate two small groups. So sign, direction and threshold are
fixed on the first half of the seeds, what they tell is scored on the second, and the same choice is made
again with the kinds shuffled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from sklearn.ensemble import RandomForestClassifier

from zfutils.experiments.diagnosis.faults import (
    FAULTS,
    HEALTHY,
    KINDS,
    LEAK,
    NO_DROPOUT,
    WITH_DROPOUT,
)
from zfutils.experiments.diagnosis.signs import INSIDE, OUTSIDE, SIGNS
from zfutils.stats.comparisons import Compared
from zfutils.stats.intervals import (
    Interval,
    auc_interval,
    bootstrap_interval,
    paired_difference,
    t_interval,
)

SHUFFLES = 999
TREES = 500
COIN = 0.5


class Shuffled(NamedTuple):
    """AUC of a choice that was made with kinds shuffled, draw by draw."""

    own: Float[np.ndarray, " draws"]  # on the seeds of the choice
    others: Float[np.ndarray, " draws"]


@dataclass(frozen=True)
class Choice:
    """A sign, in which direction it speaks of a fault, and from where on."""

    sign: str
    larger: bool  # whether a sick network has more of it
    threshold: float

    def says_sick(self, values: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Which networks lie on the sick side of the threshold."""
        return values > self.threshold if self.larger else values < self.threshold


@dataclass(frozen=True)
class Told:
    """What a chosen sign tells on seeds that had no part in the choice."""

    choice: Choice
    auc: Interval
    wrong: int  # of the networks, at the threshold
    networks: int


def enough(table: pd.DataFrame) -> bool:
    """Whether there are networks of every kind from two seeds or more, so that one can be scored."""
    return set(KINDS) <= set(table["network"]) and all(halves(table))


def common(table: pd.DataFrame) -> list[int]:
    """Seeds from which there are networks of all kinds, in order."""
    return sorted(set.intersection(*table.groupby("network")["seed"].apply(set)))


def halves(table: pd.DataFrame) -> tuple[list[int], list[int]]:
    """Seeds on which signs are chosen, and those on which they are scored: the first half and the second."""
    seeds = common(table)
    return seeds[: len(seeds) // 2], seeds[len(seeds) // 2 :]


def values(
    table: pd.DataFrame, network: str, seeds: Sequence[int], signs: Sequence[str]
) -> Float[np.ndarray, "signs n"]:
    """Signs of one kind of network, one column for each seed.

    Args:
        table: one row for each network: network, seed and a column for each sign.
    """
    own = table[table["network"] == network].set_index("seed")
    return own.loc[list(seeds), list(signs)].to_numpy(dtype=float).T


def auc(
    sick: Float[np.ndarray, "*shape n"], healthy: Float[np.ndarray, "*shape m"]
) -> Float[np.ndarray, "*shape"]:
    """Share of pairs in which the sick network has the larger value; ties count half."""
    difference = sick[..., :, None] - healthy[..., None, :]
    return ((difference > 0) + 0.5 * (difference == 0)).mean((-2, -1))


def choose(
    sick: Float[np.ndarray, "signs n"], healthy: Float[np.ndarray, "signs n"], names: Sequence[str]
) -> Choice:
    """The sign that separates best; of equals the one whose means lie furthest apart, in standard deviations.

    Args:
        sick, healthy: values on the seeds on which the choice is made.
        names: of the signs.
    """
    area = auc(sick, healthy)
    apart = np.abs(sick.mean(1) - healthy.mean(1))
    spread = np.sqrt((sick.var(1) + healthy.var(1)) / 2)
    distance = np.divide(apart, spread, out=np.where(apart > 0, np.inf, 0.0), where=spread > 0)
    best = np.lexsort((distance, np.round(np.abs(area - COIN), 9)))[-1]
    larger = bool(area[best] >= COIN)
    return Choice(names[best], larger, _threshold(sick[best], healthy[best], larger))


def _threshold(sick: np.ndarray, healthy: np.ndarray, larger: bool) -> float:
    """The middle of the widest gap between neighbouring values at which the fewest networks are misjudged."""
    pooled = np.unique(np.concatenate([sick, healthy]))
    if len(pooled) == 1:
        return float(pooled[0])
    middles, gaps = (pooled[1:] + pooled[:-1]) / 2, np.diff(pooled)
    above = [(part[None] > middles[:, None]).mean(1) for part in (sick, healthy)]
    right = (above[0] - above[1]) * (1 if larger else -1)
    return float(middles[np.lexsort((gaps, np.round(right, 9)))[-1]])


def told(table: pd.DataFrame, fault: str, signs: Sequence[str]) -> Told:
    """What the best of some signs tells of a fault.

    Args:
        table: one row for each network.
        fault: name of the sick networks.
        signs: among which is chosen; with one, its direction and threshold are.
    """
    fixing, scoring = halves(table)
    choice = choose(*(values(table, name, fixing, signs) for name in (fault, HEALTHY)), signs)
    sick, healthy = (values(table, name, scoring, [choice.sign])[0] for name in (fault, HEALTHY))
    ordered = (sick, healthy) if choice.larger else (-sick, -healthy)
    wrong = (~choice.says_sick(sick)).sum() + choice.says_sick(healthy).sum()
    area = auc_interval(*ordered, resampled="networks of either kind")
    return Told(choice, area, int(wrong), len(sick) + len(healthy))


def by_chance(table: pd.DataFrame, fault: str, signs: Sequence[str], *, seed: int = 0) -> Shuffled:
    """AUC of the best of some signs where kinds are shuffled.

    In each draw a seed's two networks exchange their kinds, or do not.
    """
    rng, both = np.random.default_rng(seed), []
    halved = [
        np.stack([values(table, name, seeds, signs) for name in (fault, HEALTHY)]) for seeds in halves(table)
    ]
    for _ in range(SHUFFLES):
        swapped = [np.where(rng.random(part.shape[-1]) < 0.5, part, part[::-1]) for part in halved]
        choice = choose(*swapped[0], signs)
        at, sign = list(signs).index(choice.sign), 1 if choice.larger else -1
        both.append([auc(*(sign * part[:, at])) for part in swapped])
    return Shuffled(*np.array(both).T)


def over_errors(table: pd.DataFrame, shuffled: Mapping[str, Shuffled], *, seed: int = 0) -> Compared:
    """AUC of the best sign inside minus that of the best of errors, or of shuffled kinds; mean over faults.

    Args:
        table: one row for each network.
        shuffled: by fault, what `by_chance` gives for the signs inside.
        seed: of the resampling.

    Raises:
        TooFew: fewer than eight seeds on which it is scored.
    """
    _, scoring = halves(table)
    parts, floors = [], []
    for fault in FAULTS:
        for chosen in (told(table, fault, signs).choice for signs in (INSIDE, OUTSIDE)):
            sign = 1 if chosen.larger else -1
            parts.append([sign * values(table, name, scoring, [chosen.sign])[0] for name in (fault, HEALTHY)])
        floors.append(shuffled[fault].others.mean())

    def both(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = np.stack([auc(sick[rows], healthy[rows]) for sick, healthy in parts])
        floor = np.reshape(floors, (-1, *[1] * (found.ndim - 1)))
        return found[0::2].mean(0), np.maximum(found[1::2], floor).mean(0)

    return _over_seeds(both, len(scoring), "scoring seeds, each with its networks of every kind", seed)


def leak_over_gap(table: pd.DataFrame, *, seed: int = 0) -> Compared:
    """AUC of the share of the fall beside the digit minus that of the gap, or a coin; directions are given.

    Raises:
        TooFew: fewer than eight seeds.
    """
    seeds = common(table)
    beside, gap = (
        [values(table, name, seeds, [sign])[0] for name in (LEAK, HEALTHY)]
        for sign in ("falls_beside", "gap")
    )

    def both(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return auc(*(part[rows] for part in beside)), np.maximum(auc(*(part[rows] for part in gap)), COIN)

    return _over_seeds(both, len(seeds), "seeds, each with its two networks", seed)


def _over_seeds(
    both: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], n: int, resampled: str, seed: int
) -> Compared:
    """The difference of two numbers that are made from the same seeds, which are resampled."""

    def difference(rows: np.ndarray, axis: int = -1) -> np.ndarray:
        measured, control = both(rows.astype(int))
        return measured - control

    interval = bootstrap_interval(np.arange(n), statistic=difference, resampled=resampled, seed=seed)
    return Compared(interval, tuple(map(float, both(np.arange(n)))))


def harm(table: pd.DataFrame, fault: str) -> Interval:
    """Rise of the test error by a fault, in points; seeds paired."""
    seeds = common(table)
    sick, healthy = (values(table, name, seeds, ["test_error"])[0] for name in (fault, HEALTHY))
    return t_interval(100 * (sick - healthy), resampled="seeds")


def named(table: pd.DataFrame, signs: Sequence[str] = tuple(SIGNS), *, seed: int = 0) -> pd.DataFrame:
    """Which kind a random forest says that each network is of, grown on half of the seeds.

    Returns:
        Columns network, seed and said, for the seeds that had no part in it.
    """
    fixing, scoring = halves(table)
    known, asked = (table[table["seed"].isin(seeds)] for seeds in (fixing, scoring))
    forest = RandomForestClassifier(TREES, random_state=seed)
    forest.fit(known[list(signs)].to_numpy(), known["network"].to_numpy())
    return asked[["network", "seed"]].assign(said=forest.predict(asked[list(signs)].to_numpy()))


def co_adaptation(table: pd.DataFrame, *, seed: int = 0) -> Compared:
    """Correlation between fully connected units, without dropout minus with it; seeds paired.

    Raises:
        TooFew: fewer than eight seeds.
    """
    seeds = common(table)
    without, with_it = (values(table, n, seeds, ["correlation_fc"])[0] for n in (NO_DROPOUT, WITH_DROPOUT))
    interval = paired_difference(without, with_it, resampled="seeds, each with its two networks", seed=seed)
    return Compared(interval, (float(without.mean()), float(with_it.mean())))


def share_ended(table: pd.DataFrame, networks: Sequence[str]) -> float:
    """Share of the trainings of some kinds of network that had ended."""
    return float(table.loc[table["network"].isin(networks), "ended"].mean())


def left_to_learn(table: pd.DataFrame) -> float:
    """Mean training error of the networks on few digits, with dropout and without, in points."""
    own = table[table["network"].isin((NO_DROPOUT, WITH_DROPOUT))]
    return float(100 * own["training_error"].mean())


def naming(table: pd.DataFrame, *, seed: int = 0) -> Compared:
    """Share of networks correctly named from all signs, minus that from errors and losses alone.

    Raises:
        TooFew: fewer than two seeds on which it is scored.
    """
    found = [named(table, signs, seed=seed) for signs in (tuple(SIGNS), OUTSIDE)]
    right = [(one["network"] == one["said"]).groupby(one["seed"]) for one in found]
    every, alone = (by_seed.mean().to_numpy() for by_seed in right)
    interval = t_interval(every - alone, resampled="scoring seeds, each with its networks of every kind")
    return Compared(interval, (float(every.mean()), float(alone.mean())))
