"""What chapter 8 claims: weighted sums of the rows' errors, their two arms, and when they can answer.

A claim weighs networks against each other; those of positive weight are what is measured, those of negative
weight its control. What a network cannot fit it cannot show the use of: claims on validation errors ask that
every training had ended, and that the whole network fits its training pictures as well as the four-layer one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.special import logit

from zfutils.experiments.ablation.contributions import (
    REPLICA,
    WIDE,
    WIDEST,
    WITHOUT,
    ZFNET,
    Outcomes,
    answers,
    not_run,
    said,
    shared,
    training_errors,
)
from zfutils.experiments.ablation.effects import (
    POINTS,
    Effect,
    differences,
    log_odds,
    over_seeds,
    over_seeds_and_pictures,
    wrong,
)
from zfutils.stats.intervals import where_enough
from zfutils.training.checkpoints import share_ended
from zfutils.training.outcomes import Outcome

FOUR_LAYERS = WITHOUT["3467"]

# What is weighed against what, by the end of the claim's name.
TEN_CROPS: dict[str, dict[str, float]] = {
    "zfnet-over-krizhevsky-ended": {REPLICA: 1, ZFNET: -1},
    "wider-convolutions-ended": {ZFNET: 1, WIDE: -1},
}
ONE_CROP: dict[str, dict[str, float]] = {
    "middle-convolutions-ended": {WITHOUT["34"]: 1, REPLICA: -1},
    "fully-connected-slight-ended": {WITHOUT["67"]: 1, REPLICA: -1},
    "depth-ended": {FOUR_LAYERS: 1, REPLICA: -1},
}
DEPTH: dict[str, float] = {FOUR_LAYERS: 1, REPLICA: -1}
BEYOND_ITS_PARTS: dict[str, float] = {FOUR_LAYERS: 1, WITHOUT["34"]: -1, WITHOUT["67"]: -1, REPLICA: 1}
OVERFITTING: dict[str, float] = {WIDEST: 1, ZFNET: -1}

Compared = tuple[Effect, tuple[float, float]]  # an effect and its arms, measured and control


@dataclass(frozen=True)
class Weighed:
    """What stands behind a claim: what was compared, where there was enough, and of which rows of Table 3."""

    compared: Compared | None
    weights: Mapping[str, float]
    whole: str = REPLICA  # the network that has all layers
    of_paper: float | None = None  # the same number of the paper's


def weighed(
    networks: Outcomes, paper: pd.DataFrame, arranged: Compared | None, *, seed: int = 0
) -> dict[str, Weighed]:
    """Behind each claim on the rows of Table 3, by the end of its name.

    Args:
        networks: by name and seed.
        paper: `book/data/table_3.csv`.
        arranged: what four layers cost on categories that differ in the arrangement alone (`of_groups`).
        seed: of the resampling.
    """
    found = {}
    for crops, claims, whole in ((10, TEN_CROPS, ZFNET), (1, ONE_CROP, REPLICA)):
        for name, weights in claims.items():
            compared = of_errors(networks, weights, crops=crops, seed=seed)
            found[name] = Weighed(compared, weights, whole, round(said(paper, weights), 1))
    in_training = round(said(paper, DEPTH, "train"), 1)
    in_odds = beyond_its_parts_in_log_odds(networks), BEYOND_ITS_PARTS
    return found | {
        "depth-training-error": Weighed(
            of_trainings(networks, DEPTH, training_errors), DEPTH, of_paper=in_training
        ),
        "depth-beyond-its-parts-in-log-odds": Weighed(
            *in_odds, of_paper=round(of_paper_in_log_odds(paper), 2)
        ),
        "arrangement-pairs": Weighed(arranged, DEPTH),
        "wide-networks-overfit-ended": Weighed(of_trainings(networks, OVERFITTING, gaps), OVERFITTING, ZFNET),
    }


def of_paper_in_log_odds(paper: pd.DataFrame) -> float:
    """What all four layers cost beyond the cost of either pair, from the paper's errors, in log-odds."""
    return said(paper.assign(top1=logit(paper["top1"] / 100)), BEYOND_ITS_PARTS)


def of_errors(
    networks: Outcomes, weights: Mapping[str, float], *, crops: int = 1, seed: int = 0
) -> Compared | None:
    """A weighted sum of validation errors over the seeds that all its networks have (points).

    Args:
        networks: by name and seed.
        weights: by name; 1 and −1 for a difference.
        crops: that the networks were asked with.
        seed: of the resampling.

    Returns:
        The effect, seeds and pictures resampled, and its arms; None where a network was not run yet, or from
        too few seeds for an interval.
    """
    own = shared(networks, weights)
    if not_run(own, weights):
        return None
    said = answers(own, crops)
    found = where_enough(over_seeds_and_pictures, differences(said, weights), seed=seed)
    errors = {name: POINTS * wrong(runs).mean() for name, runs in said.items()}
    return found and (found, _arms(errors, weights))


def of_trainings(
    networks: Outcomes,
    weights: Mapping[str, float],
    values: Callable[[Mapping[int, Outcome]], Float[np.ndarray, " seeds"]],
) -> Compared | None:
    """A weighted sum of what each training came to, over seeds; None as `of_errors`.

    Args:
        networks, weights: as for `of_errors`.
        values: of a network's trainings: `training_errors` or `gaps`.
    """
    own = shared(networks, weights)
    if not_run(own, weights):
        return None
    return _over_seeds({name: values(runs) for name, runs in own.items()}, weights)


def beyond_its_parts_in_log_odds(networks: Outcomes) -> Compared | None:
    """Log-odds of an error that all four layers' loss raises, minus what either pair's loss does.

    Returns:
        The effect over seeds and its arms: the loss of all four, and the sum of the two; None as `of_errors`.
    """
    own = shared(networks, BEYOND_ITS_PARTS)
    if not_run(own, BEYOND_ITS_PARTS):
        return None
    odds = {name: log_odds(runs) for name, runs in answers(own).items()}
    whole = odds[REPLICA]
    parts = {
        "all four": odds[FOUR_LAYERS] - whole,
        "3, 4": odds[WITHOUT["34"]] - whole,
        "6, 7": odds[WITHOUT["67"]] - whole,
    }
    return _over_seeds(parts, {"all four": 1, "3, 4": -1, "6, 7": -1})


def of_groups(
    networks: Outcomes, weights: Mapping[str, float], group: Bool[np.ndarray, " pictures"], *, seed: int = 0
) -> Compared | None:
    """A weighted sum of errors on some pictures minus that on the others (points).

    Args:
        networks, weights, seed: as for `of_errors`.
        group: of the validation pictures, which are the some.

    Returns:
        As `of_errors`, the pictures of either group resampled; the arms are the networks' own differences.
    """
    own = shared(networks, weights)
    if not_run(own, weights) or group.all() or not group.any():
        return None
    each = {
        name: between_groups(POINTS * wrong(runs).astype(float), group) for name, runs in answers(own).items()
    }
    values = sum(weight * each[name] for name, weight in weights.items())
    found = where_enough(over_seeds_and_pictures, values, seed=seed)
    return found and (found, _arms({name: table.mean() for name, table in each.items()}, weights))


def between_groups(
    table: Float[np.ndarray, "seeds pictures"], group: Bool[np.ndarray, " pictures"]
) -> Float[np.ndarray, "seeds pictures"]:
    """Values whose mean over pictures is the mean of a group minus that of the rest.

    Each picture has the difference and its own share in how that would move (its influence), so that an
    interval over these values is one over the pictures of either group.
    """
    n = table.shape[1]
    inside, outside = table[:, group], table[:, ~group]
    mean_in, mean_out = inside.mean(1, keepdims=True), outside.mean(1, keepdims=True)
    values = np.repeat(mean_in - mean_out, n, axis=1)
    values[:, group] += (inside - mean_in) * (n / inside.shape[1])
    values[:, ~group] -= (outside - mean_out) * (n / outside.shape[1])
    return values


def in_pairs(
    classes: Sequence[str], labels: Sequence[int], pairs: Iterable[tuple[str, str]]
) -> Bool[np.ndarray, " pictures"]:
    """Which pictures are of a category that has a partner of the same parts."""
    paired = {name for pair in pairs for name in pair}
    return np.array([classes[label] in paired for label in labels])


def gaps(runs: Mapping[int, Outcome]) -> Float[np.ndarray, " seeds"]:
    """Validation minus training error of a network, one value for each seed (points)."""
    validation = np.array([POINTS * runs[s].answers[1].error() for s in sorted(runs)])
    return validation - training_errors(runs)


def known_beforehand(networks: Outcomes, weights: Iterable[str], *, whole: str) -> dict[str, float | None]:
    """What the conditions of the chapter's claims compare.

    Args:
        networks: by name and seed.
        weights: the networks behind the claim.
        whole: the network that has all layers.

    Returns:
        ended, the share of trainings that had; training_gap, the training error of the whole network minus
        that of the four-layer one (points, mean over the seeds that both have). None where a network was not
        run yet.
    """
    own = shared(networks, weights)
    every = [one for runs in own.values() for one in runs.values()]
    pair = shared(networks, {whole, FOUR_LAYERS})
    gap = None
    if not not_run(pair, pair):
        gap = float((training_errors(pair[whole]) - training_errors(pair[FOUR_LAYERS])).mean())
    return {"ended": share_ended(every) if every else None, "training_gap": gap}


def _over_seeds(values: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> Compared | None:
    total = sum(weight * values[name] for name, weight in weights.items())
    found = where_enough(over_seeds, total)
    return found and (found, _arms({name: own.mean() for name, own in values.items()}, weights))


def _arms(means: Mapping[str, float], weights: Mapping[str, float]) -> tuple[float, float]:
    """What has a positive weight, and what has a negative one, taken positive."""
    measured = sum(w * means[name] for name, w in weights.items() if w > 0)
    return float(measured), float(sum(-w * means[name] for name, w in weights.items() if w < 0))
