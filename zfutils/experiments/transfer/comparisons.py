"""What chapter 9 claims: accuracies of two arms, fold by fold, and the numbers that its conditions ask for.

Every claim is a difference between two arms, what is measured and its control. Arms come from the same folds,
so that the difference is taken within a fold; its interval is Student's over folds, which share pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from zfutils.experiments.transfer.probing import CHOSEN, by_fold, interval, steps
from zfutils.stats.intervals import Interval

PRETRAINED, RANDOM, SCRATCH, TUNED = "pretrained", "random weights", "from scratch", "fine-tuned"
HIGH, LOW = "relu5", "relu1"  # of Table 7, the layers whose difference is claimed
TIMES = 10  # how many times as many pictures the network from scratch gets, at least


@dataclass(frozen=True)
class Comparison:
    """Two arms in points (%), by fold."""

    measured: pd.Series
    control: pd.Series
    of: str = ""  # which control it is, where there was a choice

    @property
    def difference(self) -> pd.Series:
        """Measured minus control, in the folds that both have."""
        return (self.measured - self.control).dropna()

    @property
    def interval(self) -> Interval | None:
        """Student's interval of the difference over folds; None below two."""
        return interval(self.difference)

    @property
    def arms(self) -> tuple[float, float] | None:
        """Means over the folds that both arms have; None where there is none."""
        both = pd.concat([self.measured, self.control], axis=1, keys=["measured", "control"]).dropna()
        return (both["measured"].mean(), both["control"].mean()) if len(both) else None


def comparisons(results: pd.DataFrame) -> dict[str, Comparison]:
    """The two arms of each of the chapter's claims, by the end of its name; empty arms where a step lacks.

    Of layer 7 with a softmax, but for "higher-layers-better-over-random" (a linear SVM) and
    "best-layer-over-ended-scratch" (the layer that the training pictures of a fold prefer).

    Args:
        results: as `probing.probe`, `probe_chosen` and `of_networks` give them, together.
    """
    nothing = Comparison(pd.Series(dtype=float), pd.Series(dtype=float))
    found = dict.fromkeys(
        (
            "over-ended-scratch",
            "gap-shrinks-where-ahead",
            "a-tenth-suffices-where-ahead",
            "best-layer-over-ended-scratch",
            "fine-tuning-over-frozen",
        ),
        nothing,
    )

    def points(network: str, n: int, **of: str) -> pd.Series:
        return by_fold(results, network, n, **of)

    every = steps(results, PRETRAINED)
    both = steps(results, PRETRAINED, SCRATCH)
    if both:
        least, most = both[0], both[-1]
        gaps = {n: points(PRETRAINED, n) - points(SCRATCH, n) for n in (least, most)}
        found["over-ended-scratch"] = against_the_better(results, most)
        found["best-layer-over-ended-scratch"] = against_the_better(results, least, layer=CHOSEN)
        if least < most:
            found["gap-shrinks-where-ahead"] = Comparison(gaps[least], gaps[most])
        if tenth := [n for n in every if n * TIMES <= most]:
            arms = points(PRETRAINED, max(tenth)), points(SCRATCH, most)
            found["a-tenth-suffices-where-ahead"] = Comparison(*arms)
    if tuned := steps(results, PRETRAINED, TUNED):
        found["fine-tuning-over-frozen"] = Comparison(points(TUNED, tuned[-1]), points(PRETRAINED, tuned[-1]))
    rise = {
        name: points(name, every[-1], layer=HIGH, classifier="svm")
        - points(name, every[-1], layer=LOW, classifier="svm")
        for name in (PRETRAINED, RANDOM)
    }
    return found | {"higher-layers-better-over-random": Comparison(rise[PRETRAINED], rise[RANDOM])}


def against_the_better(results: pd.DataFrame, n: int, *, layer: str = "relu7") -> Comparison:
    """Pretrained features against from scratch or random frozen weights, whichever is better on average.

    Args:
        results: as for `comparisons`.
        n: pictures a class.
        layer: of the frozen networks.
    """
    rivals = {name: by_fold(results, name, n, layer=layer) for name in (SCRATCH, RANDOM)}
    better = max(rivals, key=lambda name: rivals[name].mean())
    return Comparison(by_fold(results, PRETRAINED, n, layer=layer), rivals[better], better)


def ahead(results: pd.DataFrame, rival: str) -> float | None:
    """Lower end of the interval of pretrained minus a rival where pictures are fewest (points)."""
    both = steps(results, PRETRAINED, SCRATCH)
    if not both:
        return None
    found = interval((by_fold(results, PRETRAINED, both[0]) - by_fold(results, rival, both[0])).dropna())
    return found and found.low


def times(results: pd.DataFrame) -> float | None:
    """Pictures a class at most over those that pretrained features get in the claim on a tenth."""
    both, every = steps(results, PRETRAINED, SCRATCH), steps(results, PRETRAINED)
    if not both:
        return None
    tenth = [n for n in every if n * TIMES <= both[-1]]
    return both[-1] / max(tenth, default=every[0])


def known_beforehand(
    results: pd.DataFrame, ended: pd.DataFrame, tuned: pd.DataFrame, *, sources: float
) -> Mapping[str, float | None]:
    """What the conditions of the chapter's claims compare, by name.

    Args:
        results: as for `comparisons`.
        ended, tuned: as `probing.endings` gives them, of networks from scratch and of fine-tuned ones.
        sources: pictures that the source learnt from, for each target picture at most.

    Returns:
        scratch_error (%, the largest mean over folds of a step), sources, ahead and ahead_of_random (points),
        times, and ended (share of the fine-tuned networks); None where there is nothing to tell it by.
    """
    errors = ended.groupby("per_class")["training_error"].mean()
    return {
        "scratch_error": 100 * errors.max() if len(errors) else None,
        "sources": sources,
        "ahead": ahead(results, SCRATCH),
        "ahead_of_random": ahead(results, RANDOM),
        "times": times(results),
        "ended": 1 - tuned["under_trained"].mean() if len(tuned) else None,
    }
