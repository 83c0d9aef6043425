"""Where depth begins to pay: four layers against eight, by the number of training pictures and by width.

The paper compares the two on a million pictures (Zeiler & Fergus 2013, Table 3); this figure is ours. Pairs
are compared on the seeds that both networks have, picture by picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from zfutils.experiments.ablation import contributions
from zfutils.experiments.ablation.comparisons import Compared
from zfutils.experiments.ablation.effects import (
    POINTS,
    Effect,
    log_odds,
    over_seeds,
    over_seeds_and_pictures,
    wrong,
)
from zfutils.stats.intervals import where_enough
from zfutils.training.checkpoints import share_ended
from zfutils.training.outcomes import Answers, Outcome

Runs = Mapping[int, Outcome]  # of one network, by seed


@dataclass(frozen=True)
class Pair:
    """A four-layer and an eight-layer network trained on the same pictures, at one width."""

    pictures: int
    wider: bool
    four: Runs
    eight: Runs

    @property
    def seeds(self) -> list[int]:
        """Those that both were trained from; none where one was not run yet."""
        return sorted(set(self.four) & set(self.eight))

    @property
    def outcomes(self) -> list[Outcome]:
        """Of both networks, with every seed there is."""
        return [*self.four.values(), *self.eight.values()]

    def gains(self, seeds: Sequence[int]) -> Float[np.ndarray, "seeds pictures"]:
        """Error of four layers minus that of eight on every validation picture (points)."""
        return POINTS * (_wrong(self.four, seeds).astype(float) - _wrong(self.eight, seeds))

    def gain(self, *, seed: int = 0) -> Effect | None:
        """Their mean, seeds and pictures resampled; None where there are too few seeds.

        Args:
            seed: of the resampling.
        """
        if not self.seeds:
            return None
        return where_enough(over_seeds_and_pictures, self.gains(self.seeds), seed=seed)

    def gain_in_log_odds(self) -> Effect | None:
        """The same in log-odds of an error, which have no floor; over seeds (t)."""
        if not self.seeds:
            return None
        four, eight = (log_odds(_answers(runs, self.seeds)) for runs in (self.four, self.eight))
        return where_enough(over_seeds, four - eight)


def errors(pairs: Sequence[Pair], *, seed: int = 0) -> pd.DataFrame:
    """Errors of every network, a row each.

    Args:
        pairs: networks that were not run yet are left out.
        seed: of the resampling.

    Returns:
        pictures, wider, layers, validation and train (points, means over seeds) with their `_low` and `_high`
        (seeds and pictures resampled; seeds by t).
    """
    rows = []
    for pair in pairs:
        for layers, runs in ((4, pair.four), (8, pair.eight)):
            if not runs:
                continue
            row = {"pictures": pair.pictures, "wider": pair.wider, "layers": layers}
            rows.append(row | contributions.errors(runs, seed=seed))
    return pd.DataFrame(rows)


def ends(pairs: Sequence[Pair]) -> tuple[Pair, Pair, Pair]:
    """What the claims compare: the pair of the fewest pictures, that of the most, and the wider one.

    Args:
        pairs: from the fewest pictures to the most, the wider one last; without any, all three are empty.
    """
    none = Pair(0, False, {}, {})
    return (pairs[0], pairs[-2], pairs[-1]) if pairs else (none, none, none)


def gain_over(measured: Pair, control: Pair, *, seed: int = 0) -> Compared | None:
    """What eight layers gain on four in one pair, minus what they gain in another (points).

    Args:
        measured, control: the two pairs.
        seed: of the resampling.

    Returns:
        The effect, seeds and pictures resampled, and the two gains; None where a network was not run yet, or
        from too few seeds for an interval.
    """
    seeds = sorted(set(measured.seeds) & set(control.seeds))
    if not seeds:
        return None
    gains = [pair.gains(seeds) for pair in (measured, control)]
    found = where_enough(over_seeds_and_pictures, gains[0] - gains[1], seed=seed)
    return found and (found, (float(gains[0].mean()), float(gains[1].mean())))


def known_beforehand(measured: Pair, control: Pair) -> dict[str, float | None]:
    """What the conditions of the claims compare.

    Returns:
        ended, the share of trainings that had; training_gap, the training error of the eight-layer network
        minus that of the four-layer one in the measured pair; room, the largest difference of the two gains
        there could be, if eight layers made no errors: the four-layer network's error in the measured pair
        minus the gain in the control pair (points, means over seeds). None where a network was not run yet.
    """
    every = [*measured.outcomes, *control.outcomes]
    gap = room = None
    if measured.seeds:
        pair = (measured.eight, measured.four)
        errors = [contributions.training_errors({s: runs[s] for s in measured.seeds}) for runs in pair]
        gap = float((errors[0] - errors[1]).mean())
    if seeds := sorted(set(measured.seeds) & set(control.seeds)):
        room = float(POINTS * _wrong(measured.four, seeds).mean() - control.gains(seeds).mean())
    return {"ended": share_ended(every) if every else None, "training_gap": gap, "room": room}


def _answers(runs: Runs, seeds: Sequence[int]) -> dict[int, Answers]:
    return {s: runs[s].answers[1] for s in seeds}


def _wrong(runs: Runs, seeds: Sequence[int]) -> Bool[np.ndarray, "seeds pictures"]:
    return wrong(_answers(runs, seeds))
