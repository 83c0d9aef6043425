"""What a network's features are worth on another set (Zeiler & Fergus 2013, §5.2, Tables 4, 5, 7, Fig. 9).

Layers are frozen and a classifier is trained on what they give. The paper's protocol: five random folds and
the mean of the classes' accuracies, so that large classes do not count for more. Every difference is taken
within a fold; its interval is Student's over the folds, which share pictures, so that it is too narrow.
"""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64
from joblib import Parallel, delayed, parallel_config

from zfutils.experiments.transfer.classifiers import Kind, fit, per_class_accuracy
from zfutils.experiments.transfer.folds import Fold
from zfutils.runtime.parallel import cores
from zfutils.runtime.seeds import mixed
from zfutils.stats.intervals import Interval, ends, t_interval, where_enough
from zfutils.training.outcomes import Outcome

KEY = ("network", "layer", "classifier", "per_class", "fold")  # of a row
FOLDS = "folds, which share pictures"
RECORD = 84.3  # %, Caltech-101 at 30 a class, the best before (Table 4)
WHOLE = "all"  # the layers of a network that was trained whole
CHOSEN = "chosen"  # instead of a layer's name: the one that a fold's training pictures prefer
WORTH_PROCESSES = 2e9  # weights times pictures; below, starting processes takes longer than it saves


def probe(
    features: Mapping[str, Mapping[str, Float[np.ndarray, "n features"]]],
    labels: Int64[np.ndarray, " n"],
    folds: Sequence[Fold],
    *,
    per_class: Sequence[int] | None = None,
    classifiers: Sequence[Kind] = ("softmax",),
    seed: int = 0,
    known: pd.DataFrame | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Accuracy of classifiers on frozen features, in every fold.

    Args:
        features: by network and layer, one row for each picture of the set.
        labels: of the set.
        folds: as `folds` gives them.
        per_class: which steps; default all.
        classifiers: "softmax", "svm".
        seed: of the splits that choose C.
        known: what an earlier call gave of some of the same features, folds and seed; not fitted again.
        progress: print a line now and then.

    Returns:
        One row for each network, layer, classifier, per_class, fold; accuracy, mean over classes, of the test
        pictures; held_out, that of the training pictures that chose C; and C.
    """
    wanted = sorted(folds[0].train if per_class is None else per_class)
    done = {} if known is None else {tuple(row[key] for key in KEY): row for row in known.to_dict("records")}
    keys, jobs = [], []
    for network, layers in features.items():
        for (layer, x), kind, fold in itertools.product(layers.items(), classifiers, folds):
            own = [(network, layer, kind, n, fold.number) for n in wanted]
            keys += own
            if missing := [key for key in own if key not in done]:
                jobs.append((missing, x, fold))
    work = sum(x.shape[1] * max(wanted) * len(np.unique(labels)) ** 2 for _, x, _ in jobs)
    workers = cores() if work > WORTH_PROCESSES else 1
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        run = Parallel(return_as="generator")
        for i, rows in enumerate(run(delayed(_probe)(*job, labels, seed) for job in jobs), 1):
            done |= {tuple(row[key] for key in KEY): row for row in rows}
            if progress and (i % 16 == 0 or i == len(jobs)):
                print(f"classifiers: {i} of {len(jobs)} folds and layers", flush=True)
    return pd.DataFrame([done[key] for key in keys])


def _probe(
    keys: Sequence[tuple[str, str, Kind, int, int]],
    x: Float[np.ndarray, "n features"],
    fold: Fold,
    labels: Int64[np.ndarray, " n"],
    seed: int,
) -> list[dict[str, object]]:
    rows = []
    for key in keys:
        _, _, kind, n, _ = key
        own = fold.train[n]
        fitted = fit(x[own], labels[own], kind=kind, seed=mixed(seed, fold.number, n))
        accuracy = per_class_accuracy(labels[fold.test], fitted.predict(x[fold.test])).mean()
        measured = {"accuracy": float(accuracy), "held_out": fitted.held_out, "C": fitted.strength}
        rows.append(dict(zip(KEY, key, strict=True)) | measured)
    return rows


def endings(outcomes: Mapping[tuple[int, int], Outcome], *, network: str) -> pd.DataFrame:
    """How networks that were trained on a fold's pictures, from scratch or further, ended.

    Args:
        outcomes: by (fold, pictures a class).
        network: what they are called.

    Returns:
        One row for each network: network, fold, per_class, epochs, training_error (top-1, a share, in eval
        mode), under_trained (whether its training had not ended) and published (whether its outcome is).
    """
    columns = ("network", "fold", "per_class", "epochs", "training_error", "under_trained", "published")
    rows = [
        (network, fold, n, one.made["epochs"], one.training_error, not one.ended.ended, one.published)
        for (fold, n), one in outcomes.items()
    ]
    return pd.DataFrame(rows, columns=list(columns))


def of_networks(outcomes: Mapping[tuple[int, int], Outcome], *, network: str) -> pd.DataFrame:
    """The same table for networks that were trained whole, one for each fold and step.

    Args:
        outcomes: of the fold's test pictures, one crop, by (fold, pictures a class).
        network: what they are called.
    """
    rows = []
    for (fold, n), one in sorted(outcomes.items()):
        labels, predicted = one.answers[1].labels, one.answers[1].predicted
        accuracy = per_class_accuracy(labels, predicted).mean()
        where = {"network": network, "layer": WHOLE, "classifier": "softmax", "per_class": n, "fold": fold}
        measured = {"accuracy": float(accuracy), "held_out": math.nan, "C": math.nan}
        rows.append(where | measured)
    return pd.DataFrame(rows)


def by_fold(
    results: pd.DataFrame, network: str, per_class: int, *, layer: str = "relu7", classifier: str = "softmax"
) -> pd.Series:
    """Accuracy in points (%), by fold; empty where it was not measured.

    A network that was trained whole has no layer, and is found whatever `layer` and `classifier` are.
    """
    own = results[(results["network"] == network) & (results["per_class"] == per_class)]
    exact = own[(own["layer"] == layer) & (own["classifier"] == classifier)]
    own = own if (own["layer"] == WHOLE).all() else exact
    return 100 * own.set_index("fold")["accuracy"]


def interval(points: pd.Series) -> Interval | None:
    """Student's interval over folds; None below two."""
    return where_enough(t_interval, points.dropna(), resampled=FOLDS)


def curves(results: pd.DataFrame) -> pd.DataFrame:
    """Means over folds, with t intervals.

    Returns:
        One row for each network, layer, classifier, per_class; accuracy, low, high (NaN below two folds), in
        points (%).
    """
    rows = []
    keys = ["network", "layer", "classifier", "per_class"]
    for key, own in results.groupby(keys, sort=False):
        points = 100 * own["accuracy"]
        row = dict(zip(keys, key, strict=True)) | {"accuracy": points.mean()}
        rows.append(row | ends(interval(points)))
    return pd.DataFrame(rows)


def steps(results: pd.DataFrame, *networks: str) -> list[int]:
    """Numbers of pictures a class at which all these networks were measured."""
    each = [set(results.loc[results["network"] == network, "per_class"]) for network in networks]
    return sorted(set.intersection(*each))


def catches_up(results: pd.DataFrame, ahead: str, behind: str) -> int | None:
    """From which number of pictures a class on a network's mean is as high as another's; None: beyond all.

    Args:
        ahead, behind: networks, over the steps and folds that both have.
    """
    lead = {
        n: (by_fold(results, ahead, n) - by_fold(results, behind, n)).mean()
        for n in steps(results, ahead, behind)
    }
    after = [n for n in lead if all(lead[m] <= 0 for m in lead if m >= n)]
    return min(after, default=None)


def at_chosen_layer(results: pd.DataFrame, network: str) -> pd.DataFrame:
    """Accuracy of a softmax at the layer that the split of a fold's training pictures prefers, largest step.

    Returns:
        One row for each fold: fold, layer, accuracy; of equally good layers the lowest.
    """
    own = results[(results["network"] == network) & (results["classifier"] == "softmax")]
    own = own[(own["per_class"] == own["per_class"].max()) & (own["layer"] != CHOSEN)]
    own = own[own["held_out"].notna()]
    best = own.sort_values("layer").groupby("fold")["held_out"].idxmax()
    return own.loc[best, ["fold", "layer", "accuracy"]].reset_index(drop=True)


def probe_chosen(
    features: Mapping[str, Mapping[str, Float[np.ndarray, "n features"]]],
    labels: Int64[np.ndarray, " n"],
    folds: Sequence[Fold],
    by_layer: pd.DataFrame,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """A softmax at every step, on the layer that a fold's training pictures prefer at the largest.

    At smaller steps the choice has seen more training pictures than the classifier; no test picture at any.

    Args:
        features, labels, folds, seed: as for `probe`.
        by_layer: what `probe` gave of all these layers at the largest step.

    Returns:
        Rows as `probe` gives them, the layer `CHOSEN`; none where nothing could be split off to choose by.
    """
    found = [by_layer.iloc[:0]]
    for network, layers in features.items():
        best = at_chosen_layer(by_layer, network).set_index("fold")["layer"]
        for fold in (f for f in folds if f.number in best):
            own = {network: {best[fold.number]: layers[best[fold.number]]}}
            found.append(probe(own, labels, [fold], known=by_layer, seed=seed))
    return pd.concat(found[1:] or found, ignore_index=True).assign(layer=CHOSEN)
