"""What each part of the network contributes (Zeiler & Fergus 2013, §5.1, Table 3).

A network is called by its base and its row of Table 3, "krizhevsky: without layer 7". Every row is trained
with one recipe from the same seeds; its effect is its error minus that of the base's row "none", over seeds
and pictures (`effects`). The claims of chapter 8 are weighted sums of the rows' errors, which can be
taken of the paper's numbers too.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.data.inputs import Inputs
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
from zfutils.nets.zoo import ROWS
from zfutils.runtime.devices import to_host
from zfutils.stats.intervals import Interval, where_enough
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import Scores, evaluate
from zfutils.training.trainer import held_out_rows

BASE = "none"
NAMES = tuple(f"{base}: {row}" for base, rows in ROWS.items() for row in rows)
REPLICA, ZFNET, WIDE = KINDS["krizhevsky"], KINDS["zfnet"], KINDS["wide"]
WIDEST = "zfnet: layers 6, 7: 8192 units; 3, 4, 5: 512, 1024, 512 maps"
WITHOUT = {"34": "krizhevsky: without layers 3, 4", "67": "krizhevsky: without layers 6, 7"}
WITHOUT["3467"] = "krizhevsky: without layers 3, 4, 6, 7"

# What the chapter's claims weigh against what, by the end of the claim's name.
TEN_CROPS: dict[str, dict[str, float]] = {
    "zfnet-over-krizhevsky": {REPLICA: 1, ZFNET: -1},
    "wider-convolutions": {ZFNET: 1, WIDE: -1},
}
ONE_CROP: dict[str, dict[str, float]] = {
    "middle-convolutions": {WITHOUT["34"]: 1, REPLICA: -1},
    "fully-connected-slight": {WITHOUT["67"]: 1, REPLICA: -1},
    "depth": {WITHOUT["3467"]: 1, REPLICA: -1},
    "depth-beyond-its-parts": {WITHOUT["3467"]: 1, WITHOUT["34"]: -1, WITHOUT["67"]: -1, REPLICA: 1},
}
OVERFITTING: dict[str, float] = {WIDEST: 1, ZFNET: -1}


def trained_on(runs: Runs, networks: Mapping[int, Trained]) -> dict[int, Scores]:
    """Of what a network says of the training pictures, that on those it learnt from.

    The share that was held out to watch the training was never learnt from, and would pass some of the
    validation error off as training error.

    Args:
        runs: scores of all training pictures, in their order, by seed.
        networks: whose they are, by seed.
    """
    found = {}
    for seed, scores in runs.items():
        share = networks[seed].record["identity"]["training"]["held_out"]
        learnt = to_host(held_out_rows(len(scores.labels), share)[0])
        found[seed] = Scores(scores.probabilities[learnt], scores.labels[learnt])
    return found


def costs(networks: Mapping[str, Mapping[int, Trained]], *, pictures: int) -> pd.DataFrame:
    """What each network has and what its training took.

    Args:
        networks: by name and seed.
        pictures: in the training set, held-out ones included.

    Returns:
        One row for each network: name, seed, layers (with weights), parameters, multiply_adds (a picture,
        forward), epochs, flat (whether the training loss ended it), pictures (seen in training) and seconds.
    """
    rows = []
    for name, seeds in networks.items():
        for seed, one in sorted(seeds.items()):
            recipe, epochs = one.record["identity"]["training"], one.record["epochs"]
            learnt = len(held_out_rows(pictures, recipe["held_out"])[0])
            steps = steps_taken(learnt, batch=recipe["batch"], epochs=epochs)
            size = {"layers": len(one.spec.layers), "parameters": one.spec.parameters}
            size |= {"multiply_adds": one.spec.multiply_adds, "epochs": epochs}
            took = {"pictures": steps * min(recipe["batch"], learnt), "seconds": one.record["seconds"]}
            rows.append({"name": name, "seed": seed} | size | {"flat": one.ended_flat} | took)
    return pd.DataFrame(rows)


def by_seed(validation: Mapping[str, Runs], training: Mapping[str, Runs]) -> pd.DataFrame:
    """The top-1 errors of every network (points): name, base, row, seed, validation, train."""
    rows = []
    for name in validation:
        base, row = _parts(name)
        errors = {"validation": validation[name], "train": _known(training, name)}
        values = {split: POINTS * wrong(runs).mean(1) for split, runs in errors.items()}
        for i, seed in enumerate(_same_seeds(name, *errors.values())):
            each = {split: float(value[i]) for split, value in values.items()}
            rows.append({"name": name, "base": base, "row": row, "seed": seed} | each)
    return pd.DataFrame(rows)


def table_3(
    validation: Mapping[str, Runs], training: Mapping[str, Runs], spent: pd.DataFrame, *, seed: int = 0
) -> pd.DataFrame:
    """Table 3: every row of both networks, means over seeds.

    Args:
        validation: one-crop scores of the validation pictures, by name and seed.
        training: the same of the pictures learnt from.
        spent: as `costs` gives it.
        seed: of the resampling.

    Returns:
        One row for each name: name, base, row, seeds; train, train_low, train_high (seeds by t) and
        validation, validation_low, validation_high (seeds and pictures) top-1, points; top2, top5; layers,
        parameters, multiply_adds, epochs (mean), pictures (mean), seconds (mean), under_trained (how many
        seeds had not become flat). NaN where there are too few seeds or classes.

    Raises:
        ValueError: a name that is no row of the table or of which one of the three is missing, or seeds
            that do not match.
    """
    rows = []
    for name, runs in validation.items():
        base, row = _parts(name)
        seeds = _same_seeds(name, runs, _known(training, name))
        own = spent[spent["name"] == name]
        if sorted(own["seed"]) != seeds:
            raise ValueError(
                f"{name!r} has the seeds {seeds} and the costs of {sorted(own['seed'])}; each is needed"
            )
        of_validation, of_training = POINTS * wrong(runs), POINTS * wrong(training[name]).mean(1)
        found = {"name": name, "base": base, "row": row, "seeds": len(seeds)}
        effects_of = {
            "train": where_enough(over_seeds, of_training),
            "validation": where_enough(over_seeds_and_pictures, of_validation, seed=seed),
        }
        for split, mean in (("train", of_training.mean()), ("validation", of_validation.mean())):
            effect = effects_of[split]
            found |= _measured(split, mean, effect and within(effect.interval))
        shown = ranks(runs[seeds[0]].probabilities.shape[1])
        found |= {f"top{k}": POINTS * wrong(runs, k=k).mean() if k in shown else np.nan for k in (2, 5)}
        found |= {column: own[column].iloc[0] for column in ("layers", "parameters", "multiply_adds")}
        found |= {column: own[column].mean() for column in ("epochs", "pictures", "seconds")}
        rows.append(found | {"under_trained": int((~own["flat"]).sum())})
    return pd.DataFrame(rows)


def effects(
    validation: Mapping[str, Runs], training: Mapping[str, Runs], paper: pd.DataFrame, *, seed: int = 0
) -> pd.DataFrame:
    """What each row does to the errors of its base, beside what it does in the paper.

    Args:
        validation, training: as for `table_3`; each base with its row "none".
        paper: Table 3 with columns base, row, train and top1 (points).

    Returns:
        Two rows a change: name, base, row, measure ("validation", seeds and pictures resampled, or "train",
        seeds by t), estimate, low, high (points; more than 0 is worse), detectable, paper, and testable,
        whether the paper's effect is at least as large as what could be detected.

    Raises:
        ValueError: as `effects.differences`, or a row that the paper does not have.
    """
    rows = []
    for name in validation:
        base, row = _parts(name)
        if row == BASE:
            continue
        weights = {name: 1.0, f"{base}: {BASE}": -1.0}
        tables = {"validation": differences(validation, weights), "train": differences(training, weights)}
        found = {
            "validation": where_enough(over_seeds_and_pictures, tables["validation"], seed=seed),
            "train": where_enough(over_seeds, tables["train"].mean(1)),
        }
        for measure, column in (("validation", "top1"), ("train", "train")):
            effect, of_paper = found[measure], said(paper, weights, column)
            values = _measured("estimate", tables[measure].mean(), effect and effect.interval)
            line = {
                "name": name,
                "base": base,
                "row": row,
                "measure": measure,
                "estimate": values["estimate"],
            }
            line |= {"low": values["estimate_low"], "high": values["estimate_high"]}
            detectable = effect.detectable if effect else np.nan
            line |= {"detectable": detectable, "paper": of_paper}
            rows.append(line | {"testable": bool(abs(of_paper) >= detectable)})
    return pd.DataFrame(rows)


def said(paper: pd.DataFrame, weights: Mapping[str, float], column: str = "top1") -> float:
    """The same weighted sum of the paper's numbers (points).

    Args:
        paper: Table 3 with columns base, row and the one that is named.

    Raises:
        ValueError: the paper has no such row.
    """
    values = paper.set_index(paper["base"] + ": " + paper["row"])[column]
    if missing := [name for name in weights if name not in values.index]:
        raise ValueError(f"the paper has no row {missing[0]!r}; it has {', '.join(values.index)}")
    return float(sum(weight * values[name] for name, weight in weights.items()))


def gaps(
    validation: Mapping[str, Runs], training: Mapping[str, Runs], weights: Mapping[str, float]
) -> Float[np.ndarray, " seeds"]:
    """The weighted sum of validation minus training errors, one value for each seed (points).

    With one network of weight 1 it is that network's gap; `OVERFITTING` is the claim's.

    Raises:
        ValueError: as `effects.differences`, or seeds of the two splits that do not match.
    """
    tables = [differences(scores, weights).mean(1) for scores in (validation, training)]
    for name in weights:
        _same_seeds(name, validation[name], training[name])
    return tables[0] - tables[1]


def at_equal_epochs(networks: Mapping[str, Mapping[int, Trained]], inputs: Inputs) -> pd.DataFrame:
    """How far networks had come when all had been trained for as long: does a gap only show longer training?

    Args:
        networks: by name and seed.
        inputs: the whole training set, as they see it.

    Returns:
        One row for each network: name, seed; epoch, the last that all of them reached, and loss, the training
        loss in it; snapshot, the last epoch above 0 whose weights all of them kept, and train, the top-1
        error of the pictures learnt from at it, one crop (points). NaN where there is no such snapshot.

    Raises:
        ValueError: there are no networks.
    """
    every = [one for seeds in networks.values() for one in seeds.values()]
    if not every:
        raise ValueError("equal epochs of no networks cannot be compared")
    last = min(one.record["epochs"] for one in every)
    shared = set.intersection(*(set(one.snapshots) for one in every)) - {0}
    rows = []
    for name, seeds in networks.items():
        for seed, one in sorted(seeds.items()):
            loss = one.history.set_index("epoch")["loss"][last]
            row = {"name": name, "seed": seed, "epoch": last, "loss": float(loss)}
            rows.append(row | {"snapshot": max(shared, default=np.nan)})
            rows[-1]["train"] = _train_error(one, max(shared), inputs) if shared else np.nan
    return pd.DataFrame(rows)


def controls(table: pd.DataFrame, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Training errors, sizes and under-trained seeds of some rows, as plain data for a claim's record.

    Args:
        table: as `table_3` gives it.
    """
    columns = ["train", "validation", "parameters", "multiply_adds", "epochs", "under_trained"]
    return table.set_index("name").loc[list(names), columns].round(3).to_dict("index")


def _train_error(trained: Trained, epoch: int, inputs: Inputs) -> float:
    recipe = trained.record["identity"]["training"]
    rows, _ = held_out_rows(len(inputs), recipe["held_out"])
    return POINTS * evaluate(trained.at(epoch), inputs[rows], precision=recipe["precision"]).error()


def _parts(name: str) -> tuple[str, str]:
    """Base and row of a name, refused where Table 3 has no such row."""
    if name not in NAMES:
        raise ValueError(f"Table 3 has no row {name!r}; it has {', '.join(NAMES)}")
    base, _, row = name.partition(": ")
    return base, row


def _known(networks: Mapping[str, Runs], name: str) -> Runs:
    if name not in networks:
        raise ValueError(f"there are no training scores of {name!r}; there are {', '.join(networks)}")
    return networks[name]


def _same_seeds(name: str, first: Runs, second: Runs) -> list[int]:
    if sorted(first) != sorted(second):
        raise ValueError(
            f"{name!r} has the seeds {sorted(first)} in validation and {sorted(second)} in training"
        )
    return sorted(first)


def _measured(name: str, mean: float, interval: Interval | None) -> dict[str, float]:
    low, high = (interval.low, interval.high) if interval else (np.nan, np.nan)
    return {name: float(mean), f"{name}_low": low, f"{name}_high": high}
