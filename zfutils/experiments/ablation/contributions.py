"""What each part of the network contributes (Zeiler & Fergus 2013, §5.1, Table 3).

A network is called by its base and its row of Table 3, "krizhevsky: without layer 7". Every row is trained
with one recipe from the same seeds; its effect is its error minus that of the base's row "none", over seeds
and pictures (`effects`). The claims of chapter 8 are weighted sums of the rows' errors (`comparisons`), which
can be taken of the paper's numbers too.

What is known of the networks is their outcomes by name and seed. A row without any was not run yet; two rows
are compared on the seeds that both have.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.data.pixels import steps_taken
from zfutils.experiments.ablation.effects import (
    POINTS,
    Runs,
    differences,
    over_seeds,
    over_seeds_and_pictures,
    within,
    wrong,
)
from zfutils.experiments.ablation.ensembles import KINDS, ranks
from zfutils.stats.intervals import ends, where_enough
from zfutils.training.outcomes import Outcome, origin
from zfutils.training.schedule import held_out_rows

Outcomes = Mapping[str, Mapping[int, Outcome]]  # by name and seed

BASE = "none"
REPLICA, ZFNET, WIDE = KINDS["krizhevsky"], KINDS["zfnet"], KINDS["wide"]
WIDEST = "zfnet: layers 6, 7: 8192 units; 3, 4, 5: 512, 1024, 512 maps"
WITHOUT = {"34": "krizhevsky: without layers 3, 4", "67": "krizhevsky: without layers 6, 7"}
WITHOUT["3467"] = "krizhevsky: without layers 3, 4, 6, 7"


def shared(networks: Outcomes, names: Iterable[str]) -> dict[str, dict[int, Outcome]]:
    """Some networks, each with the seeds that all of them have."""
    chosen = {name: networks.get(name, {}) for name in names}
    seeds = set.intersection(*map(set, chosen.values()))
    return {name: {seed: own[seed] for seed in sorted(seeds)} for name, own in chosen.items()}


def not_run(networks: Outcomes, names: Iterable[str]) -> list[str]:
    """Those of some networks that were not run yet from any seed."""
    return [name for name in names if not networks.get(name)]


def answers(networks: Outcomes, crops: int = 1) -> dict[str, Runs]:
    """What networks answer, by name and seed, from the centre crop or averaged over ten."""
    return {name: {s: one.answers[crops] for s, one in runs.items()} for name, runs in networks.items()}


def costs(networks: Outcomes, *, pictures: int) -> pd.DataFrame:
    """What each network has and what its training took.

    Args:
        networks: by name and seed.
        pictures: in the training set, held-out ones included.

    Returns:
        One row for each network: name, seed, layers (with weights), parameters, multiply_adds (a picture,
        forward), epochs, ended (whether its training had), pictures (seen in training), seconds and published
        (whether its outcome is a published one).
    """
    rows = []
    for name, seed, one in _each(networks):
        recipe, epochs = one.identity["training"], one.made["epochs"]
        learnt = len(held_out_rows(pictures, recipe["held_out"])[0])
        steps = steps_taken(learnt, batch=recipe["batch"], epochs=epochs)
        size = {"layers": len(one.spec.layers), "parameters": one.spec.parameters}
        size |= {"multiply_adds": one.spec.multiply_adds, "epochs": epochs}
        took = {"pictures": steps * min(recipe["batch"], learnt), "seconds": one.seconds}
        ending = {"ended": one.ended.ended, "published": one.published}
        rows.append({"name": name, "seed": seed} | size | ending | took)
    return pd.DataFrame(rows)


def by_seed(networks: Outcomes) -> pd.DataFrame:
    """The top-1 errors of every network (points): name, base, row, seed, validation, train."""
    rows = []
    for name, seed, one in _each(networks):
        base, row = _parts(name)
        errors = {"validation": POINTS * one.answers[1].error(), "train": POINTS * one.training_error}
        rows.append({"name": name, "base": base, "row": row, "seed": seed} | errors)
    return pd.DataFrame(rows)


def table_3(networks: Outcomes, spent: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Table 3: every row of both networks that was run, means over seeds.

    Args:
        networks: by name and seed.
        spent: as `costs` gives it, of the same networks.
        seed: of the resampling.

    Returns:
        One row for each name: name, base, row, seeds; train, train_low, train_high (seeds by t) and
        validation, validation_low, validation_high (seeds and pictures) top-1, points, one crop; top2, top5;
        layers, parameters, multiply_adds, epochs (mean), pictures (mean), seconds (mean), under_trained (how
        many trainings had not ended) and scores (whose they are, in words). NaN where there are too few seeds
        or classes.
    """
    rows = []
    for name, runs in networks.items():
        base, row = _parts(name)
        if not runs:
            continue
        own, asked = spent[spent["name"] == name], answers({name: runs})[name]
        found = {"name": name, "base": base, "row": row, "seeds": len(runs)} | errors(runs, seed=seed)
        shown = ranks(next(iter(asked.values())).classes)
        found |= {f"top{k}": POINTS * wrong(asked, k=k).mean() if k in shown else np.nan for k in (2, 5)}
        found |= {column: own[column].iloc[0] for column in ("layers", "parameters", "multiply_adds")}
        found |= {column: own[column].mean() for column in ("epochs", "pictures", "seconds")}
        found |= {"under_trained": int((~own["ended"]).sum()), "scores": origin(own["published"])}
        rows.append(found)
    return pd.DataFrame(rows)


def errors(runs: Mapping[int, Outcome], *, seed: int = 0) -> dict[str, float]:
    """A network's top-1 errors, train (seeds by t) and validation (seeds and pictures resampled).

    Args:
        runs: by seed.
        seed: of the resampling.

    Returns:
        Means over seeds (points), and their `_low` and `_high`; NaN where there are too few seeds.
    """
    of_training, of_validation = training_errors(runs), POINTS * wrong(answers({"": runs})[""])
    effects = {
        "train": (of_training, where_enough(over_seeds, of_training)),
        "validation": (of_validation, where_enough(over_seeds_and_pictures, of_validation, seed=seed)),
    }
    found = {}
    for split, (values, effect) in effects.items():
        interval = effect and within(effect.interval)
        found |= {split: float(values.mean())} | ends(interval, f"{split}_")
    return found


def effects(networks: Outcomes, paper: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """What each row does to the errors of its base, beside what it does in the paper.

    Args:
        networks: by name and seed; a row that shares no seed with its base is left out.
        paper: Table 3 with columns base, row, train and top1 (points).
        seed: of the resampling.

    Returns:
        Two rows a change: name, base, row, measure ("validation", seeds and pictures resampled, or "train",
        seeds by t), estimate, low, high (points; more than 0 is worse), detectable, paper, testable (whether
        the paper's effect is at least as large as what could be detected), ended (whether all trainings had)
        and scores (whose they are, in words).
    """
    rows = []
    for name in networks:
        base, row = _parts(name)
        weights = {name: 1.0, f"{base}: {BASE}": -1.0}
        own = shared(networks, weights)
        if row == BASE or not own[name]:
            continue
        values = differences(answers(own), weights)
        of_training = sum(weight * training_errors(own[n]) for n, weight in weights.items())
        measured = {
            "validation": (values.mean(), where_enough(over_seeds_and_pictures, values, seed=seed)),
            "train": (of_training.mean(), where_enough(over_seeds, of_training)),
        }
        every = [one for _, _, one in _each(own)]
        made = {"ended": all(one.ended.ended for one in every), "scores": origin(o.published for o in every)}
        for measure, column in (("validation", "top1"), ("train", "train")):
            mean, found = measured[measure]
            of_paper, detectable = said(paper, weights, column), found.detectable if found else np.nan
            line = {"name": name, "base": base, "row": row, "measure": measure}
            line |= {"estimate": float(mean)} | ends(found and found.interval)
            line |= {"detectable": detectable, "paper": of_paper}
            rows.append(line | {"testable": bool(abs(of_paper) >= detectable)} | made)
    return pd.DataFrame(rows)


def said(paper: pd.DataFrame, weights: Mapping[str, float], column: str = "top1") -> float:
    """The same weighted sum of the paper's numbers (points).

    Args:
        paper: Table 3 with columns base, row and the one that is named.
    """
    values = paper.set_index(paper["base"] + ": " + paper["row"])[column]
    return float(sum(weight * values[name] for name, weight in weights.items()))


def at_equal_epochs(networks: Outcomes) -> pd.DataFrame:
    """How far networks had come when all had been trained for as long: does a gap only show longer training?

    Args:
        networks: by name and seed.

    Returns:
        One row for each network: name, seed; epoch, the last that all of them reached, and loss, the training
        loss in it; no row where there are no networks.
    """
    every = list(_each(networks))
    last = min((one.made["epochs"] for _, _, one in every), default=0)
    rows = [(name, s, last, one.history.set_index("epoch")["loss"][last]) for name, s, one in every]
    return pd.DataFrame(rows, columns=["name", "seed", "epoch", "loss"])


def controls(table: pd.DataFrame, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Training errors, sizes and under-trained seeds of some rows, as plain data for a claim's record.

    Args:
        table: as `table_3` gives it.
        names: which; those that were not run yet are left out.
    """
    columns = ["train", "validation", "parameters", "multiply_adds", "epochs", "under_trained", "scores"]
    rows = table.set_index("name")
    return rows.loc[[name for name in names if name in rows.index], columns].round(3).to_dict("index")


def _each(networks: Outcomes) -> list[tuple[str, int, Outcome]]:
    return [(name, s, runs[s]) for name, runs in networks.items() for s in sorted(runs)]


def training_errors(runs: Mapping[int, Outcome]) -> Float[np.ndarray, " seeds"]:
    """Training errors of a network, one for each seed, smallest seed first (points)."""
    return np.array([POINTS * runs[s].training_error for s in sorted(runs)])


def _parts(name: str) -> list[str]:
    """Base and row of a name."""
    return name.split(": ", 1)
