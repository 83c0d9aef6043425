"""Networks one by one, and the average of what several say (Zeiler & Fergus 2013, Table 2).

An ensemble's probabilities are the mean of its members'. Its members differ in their seed, so that an
ensemble of the few seeds there are is one draw; its interval resamples pictures and speaks of these networks.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.experiments.ablation.effects import POINTS, Runs, over_seeds_and_pictures, within, wrong
from zfutils.nets.specs import NetworkSpec
from zfutils.stats.formatting import between
from zfutils.stats.intervals import (
    Interval,
    TooFew,
    bootstrap_interval,
    ends,
    proportion_interval,
    t_interval,
    where_enough,
)
from zfutils.training.evaluation import Scores
from zfutils.training.outcomes import Answers

KINDS = {
    "krizhevsky": "krizhevsky: none",
    "zfnet": "zfnet: none",
    "wide": "zfnet: layers 3, 4, 5: 512, 1024, 512 maps",
}
# Of which kinds a line of Table 2 is made.
LINES = {f"{kind}{more}": (kind,) for kind in KINDS for more in ("", " ensemble")}
LINES |= dict.fromkeys(("zfnet ensemble, one wide", "zfnet and wide ensembles"), ("zfnet", "wide"))
PICTURES = "validation pictures (these networks as they are)"
FEW_CLASSES = 100  # below it the top five are a large share of all, and the top two stand beside them


def ensemble(members: Sequence[Answers | Scores]) -> Scores:
    """The mean of what several networks say of the same pictures.

    Raises:
        ValueError: one's probabilities were not kept, or they were asked about other pictures or classes.
    """
    if any(one.probabilities is None for one in members):
        raise ValueError("an ensemble needs the probabilities of all its networks; of one they were not kept")
    first = members[0]
    for other in members[1:]:
        same = first.probabilities.shape == other.probabilities.shape
        if not (same and np.array_equal(first.labels, other.labels)):
            shapes = f"{first.probabilities.shape} and {other.probabilities.shape}"
            raise ValueError(f"members were asked about different pictures or classes ({shapes})")
    return Scores(np.mean([one.probabilities for one in members], axis=0), first.labels)


def ranks(classes: int) -> tuple[int, ...]:
    """The k of the top-k errors that are shown: 1 and 5, with 2 below 100 classes; only what can be wrong."""
    wanted = (1, 2, 5) if classes < FEW_CLASSES else (1, 5)
    return tuple(k for k in wanted if k < classes)


def gain(members: Sequence[Answers | Scores], *, size: int | None = None, seed: int = 0) -> Interval:
    """How many fewer errors an ensemble makes than its members on average: top-1, in points.

    Args:
        members: networks, asked about the same pictures.
        size: of the ensembles; the mean over all ensembles of that size. Default: all members, one ensemble.

    Raises:
        ValueError: members that do not match.
        TooFew: fewer than two members or eight pictures.
    """
    if len(members) < 2:
        raise TooFew(f"an ensemble is of two networks at least, got {len(members)}")
    chosen = list(combinations(members, len(members) if size is None else size))
    single = np.mean([np.mean([one.wrong() for one in some], axis=0) for some in chosen], axis=0)
    values = POINTS * (single - _wrong(chosen))
    return bootstrap_interval(values, resampled=PICTURES, seed=seed)


def gains(
    zfnets: Sequence[Answers | Scores], wide: Sequence[Answers | Scores], *, seed: int = 0
) -> dict[str, Interval | None]:
    """`gain` of all ZFNets, of pairs of them, and of all with the wider ones; None where there are too few.

    Args:
        zfnets, wide: the two kinds of network.
        seed: of the resampling.
    """
    return {
        "all ZFNets": where_enough(gain, zfnets, seed=seed),
        "pairs of ZFNets, mean over pairs": where_enough(gain, zfnets, size=2, seed=seed),
        "both kinds together": where_enough(gain, [*zfnets, *wide], seed=seed),
    }


def gains_table(gains: Mapping[str, Interval | None]) -> pd.DataFrame:
    """By how much ensembles lower the error, in words, one line for each.

    Args:
        gains: as `gains` gives them.
    """
    return pd.DataFrame(
        {
            "ensemble": name,
            "error lower by (points)": between(one),
        }
        for name, one in gains.items()
    )


def one_network(scores: Answers | Scores, *, k: int = 1) -> Interval:
    """A single network's top-k error in points, with Wilson's interval over the pictures."""
    errors = scores.wrong(k)
    return proportion_interval(int(errors.sum()), len(errors), resampled=PICTURES).times(POINTS)


def main_networks(
    specs: Mapping[str, NetworkSpec], scores: Mapping[str, Mapping[int, Scores]]
) -> pd.DataFrame:
    """Errors of networks of which there is one seed each, in words, with intervals over pictures.

    Args:
        specs: by name.
        scores: by name and number of crops.
    """
    lines = []
    for name, spec in specs.items():
        about = {"network": spec.name, "pixels": spec.image}
        about["parameters (million)"] = f"{spec.parameters / 1e6:.2f}"
        for crops, one in scores[name].items():
            errors = {f"top-{k}": between(one_network(one, k=k)) for k in ranks(one.probabilities.shape[1])}
            lines.append(about | {"crops": crops} | errors)
    return pd.DataFrame(lines)


def table_2(kinds: Mapping[str, Runs], *, seed: int = 0) -> pd.DataFrame:
    """Table 2 on the seeds of three networks.

    Args:
        kinds: what networks say, by kind, `KINDS`, and by seed; with none of a kind its lines are left out.
        seed: of the resampling.

    Returns:
        One row for each line of the table and each k: row (as in `book/data/table_2.csv`), nets, k, error,
        low, high (points, 95 %), n, resampled, and spread, half the t interval over seeds of a single
        network. One seed has no interval that speaks of seeds, and an ensemble of one is left out.

    Raises:
        ValueError: they were asked about other pictures.
    """
    runs = {kind: [kinds[kind][s] for s in sorted(kinds[kind])] for kind in KINDS}
    everyone = [one for members in runs.values() for one in members]
    rows = []
    for k in ranks(ensemble(everyone).classes) if everyone else ():  # refuses what does not match
        for kind, members in runs.items():
            if members:
                rows.append({"row": kind, "nets": 1, "k": k} | _single(kinds[kind], k, seed))
            if len(members) > 1:
                rows.append({"row": f"{kind} ensemble", "k": k} | _together([members], k, seed))
        if runs["zfnet"] and runs["wide"]:
            joined = [[*runs["zfnet"], wide] for wide in runs["wide"]]
            rows.append({"row": "zfnet ensemble, one wide", "k": k} | _together(joined, k, seed))
            both = [[*runs["zfnet"], *runs["wide"]]]
            rows.append({"row": "zfnet and wide ensembles", "k": k} | _together(both, k, seed))
    columns = ("row", "nets", "k", "error", "low", "high", "n", "resampled", "spread")
    return pd.DataFrame(rows, columns=columns)


def _single(runs: Runs, k: int, seed: int) -> dict[str, object]:
    table = POINTS * wrong(runs, k=k)
    effect = where_enough(over_seeds_and_pictures, table, seed=seed)
    over_seeds = where_enough(t_interval, table.mean(1), resampled="seeds")
    spread = over_seeds.high - over_seeds.estimate if over_seeds else np.nan
    return _described(effect and within(effect.interval), table.mean()) | {"spread": spread}


def _together(choices: Sequence[Sequence[Answers | Scores]], k: int, seed: int) -> dict[str, object]:
    """The error of an ensemble, a mean over the choices of its members where there are several."""
    values = POINTS * _wrong(choices, k)
    interval = where_enough(bootstrap_interval, values, resampled=PICTURES, seed=seed)
    return {"nets": len(choices[0])} | _described(interval, values.mean()) | {"spread": np.nan}


def _wrong(choices: Sequence[Sequence[Answers | Scores]], k: int = 1) -> Float[np.ndarray, " pictures"]:
    return np.mean([ensemble(members).wrong(k) for members in choices], axis=0)


def _described(interval: Interval | None, mean: float) -> dict[str, object]:
    units = {"n": interval.n, "resampled": interval.resampled} if interval else {"n": 0, "resampled": "–"}
    return {"error": float(mean)} | ends(interval) | units
