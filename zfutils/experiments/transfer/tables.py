"""Tables 4 to 7 as the book shows them: the paper's numbers beside those measured here.

The paper's are the rows of `book/data/tables_4_to_7.csv`, in %. A dash is what one of the two does not have.
"""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from zfutils.experiments.transfer import probing
from zfutils.experiments.transfer.comparisons import Comparison
from zfutils.stats.formatting import between, give_or_take, percent, ranged, rounded
from zfutils.training.outcomes import NOT_RUN, origin

SETS = {"caltech101": "Caltech-101", "caltech256": "Caltech-256"}  # as they are called
CLAIMS = {  # by the end of a claim's name: what is measured, against what
    "over-ended-scratch": "pretrained features, most images, against the better control",
    "gap-shrinks-where-ahead": "pretrained minus from scratch, fewest images, against most",
    "a-tenth-suffices-where-ahead": "pretrained, at most a tenth of the images, against from scratch, all",
    "best-layer-over-ended-scratch": "pretrained, best layer, fewest images, against the better control",
    "fine-tuning-over-frozen": "fine-tuned, most images, against frozen",
    "higher-layers-better-over-random": "layer 5 minus layer 1, pretrained, against random weights",
    "learnt-features": "pretrained, best layer, most images, against random weights at theirs",
}


def by_pictures(curves: pd.DataFrame) -> pd.DataFrame:
    """Accuracy by pictures per class, one line for each network.

    Args:
        curves: as `probing.curves` gives it, one row for each network and step.
    """
    return _by_pictures(_words(curves))


def tables_4_and_5(curves: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Accuracy by pictures per class, one line for each network and then for each method of the paper.

    Args:
        curves: as `probing.curves` gives it, one row for each network and step.
        paper: columns table, set, method, per_class, mean and spread.
    """
    theirs = paper[paper["table"].isin([4, 5])]
    theirs = theirs.assign(
        network="the paper, " + theirs["set"].map(SETS) + ": " + theirs["method"],
        words=_spread(theirs["mean"], theirs["spread"]),
    )
    return _by_pictures(pd.concat([_words(curves), theirs]))


def fig_9(paper: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The paper's curves on Caltech-256 (its Fig. 9 and Table 5), to be drawn behind ours.

    Args:
        paper: columns table, method, per_class and mean (%).
    """
    theirs = paper[(paper["table"] == 5) & paper["method"].isin(["pretrained", "from scratch"])]
    return {f"the paper, Caltech-256, {name}": own for name, own in theirs.groupby("method", sort=False)}


def table_6(paper: pd.DataFrame, found: pd.DataFrame | None = None) -> pd.DataFrame:
    """Average precision on VOC 2012 by class and method, ours beside it where it was measured.

    Args:
        paper: columns table, class, method and mean.
        found: as `average_precision.table` gives it, of VOC 2012's classes.
    """
    theirs = paper[paper["table"] == 6]
    lines = theirs.pivot(index="class", columns="method", values="mean")
    lines = lines.loc[list(dict.fromkeys(theirs["class"])), list(dict.fromkeys(theirs["method"]))]
    if found is not None:
        own = found.set_index("class")["precision"]
        lines["here"] = pd.concat([own, pd.Series({"mean": own.mean()})]).mul(100)
    return lines.map(rounded).rename_axis(index=None, columns=None).reset_index(names="class")


def table_7(curves: pd.DataFrame, paper: pd.DataFrame, networks: Sequence[str]) -> pd.DataFrame:
    """Accuracy by layer and classifier, one column for each network, then the paper's.

    Args:
        curves: as `probing.curves` gives it, at one step.
        paper: columns table, set, method, layer and mean.
        networks: in this order.
    """
    numbers = zip(*(curves[c] for c in ("accuracy", "low", "high")), strict=True)
    ours = curves.assign(words=[ranged(*one) for one in numbers])
    lines = ours.pivot(index=["classifier", "layer"], columns="network", values="words")[list(networks)]
    lines = lines.sort_index(ascending=[False, True]).rename_axis(columns=None).reset_index()
    lines["layer"] = lines["layer"].str[-1]
    for name, called in SETS.items():
        theirs = paper[(paper["table"] == 7) & (paper["set"] == name)]
        keys = zip(theirs["method"].str.lower(), theirs["layer"].map("{:g}".format), strict=True)
        at = dict(zip(keys, _spread(theirs["mean"], theirs["spread"]), strict=True))
        wanted = zip(lines["classifier"], lines["layer"], strict=True)
        lines[f"the paper, {called}"] = [at.get(key, "–") for key in wanted]
    return lines


def chosen_layers(by_layer: pd.DataFrame, networks: Sequence[str]) -> pd.DataFrame:
    """Test accuracy at the layer that each fold's training pictures prefer, one line for each network.

    Args:
        by_layer: as `probing.probe` gives it, of several layers.
        networks: in this order.
    """
    lines = []
    for name in networks:
        chosen = probing.at_chosen_layer(by_layer, name)
        counts = chosen["layer"].str[-1].value_counts().items()
        line = {"network": name, "accuracy (%)": between(probing.interval(100 * chosen["accuracy"]))}
        lines.append(line | {"layers chosen": ", ".join(f"{layer} ({count} ×)" for layer, count in counts)})
    return pd.DataFrame(lines)


def without_pictures(
    results: pd.DataFrame, again: pd.DataFrame, networks: Sequence[str], *, per_class: int
) -> pd.DataFrame:
    """Accuracy with and without some pictures, and the difference within folds, one line for each network.

    Args:
        results, again: as `probing.probe` gives them, with the pictures and without.
        networks: in this order.
        per_class: at which number of pictures.
    """
    lines = []
    for name in networks:
        kept, removed = (probing.by_fold(table, name, per_class) for table in (results, again))
        both = {"kept": probing.interval(kept), "removed": probing.interval(removed)}
        line = {"network": name} | {head: between(points) for head, points in both.items()}
        difference = probing.interval(removed - kept)
        lines.append(line | {"difference": between(difference, digits=2)})
    return pd.DataFrame(lines)


def arms(compared: Mapping[str, Comparison]) -> pd.DataFrame:
    """What was measured, its control and their difference (points), one line for each claim.

    Args:
        compared: as `comparisons.comparisons` gives them.
    """
    lines = []
    for name, one in compared.items():
        measured, control = map(rounded, one.arms or (None, None))
        line = {"compared": CLAIMS[name], "measured": measured, "control": control}
        lines.append(line | {"difference": between(one.interval)})
    return pd.DataFrame(lines)


def endings(ended: pd.DataFrame) -> pd.DataFrame:
    """How networks trained on the target ended, one line for each number of pictures, means over folds.

    Args:
        ended: as `probing.endings` gives it.
    """
    lines = []
    for (network, n), own in ended.groupby(["network", "per_class"], sort=False):
        line = {"network": network, "images per class": n, "epochs": f"{round(own['epochs'].mean(), 1):g}"}
        line["training error"] = percent(own["training_error"].mean(), digits=1)
        line["under-trained"] = f"{own['under_trained'].sum()} of {len(own)}"
        lines.append(line | {"scores": origin(own["published"])})
    return pd.DataFrame(lines or [{"networks trained on the target": NOT_RUN}])


def several_objects(
    tables: Mapping[str, Mapping[str, pd.DataFrame]], differences: Mapping[str, str]
) -> pd.DataFrame:
    """Scenes of one object beside scenes of several, means over classes, one line for each network.

    Args:
        tables: by kind of scenes and network, each as `average_precision.table` gives it.
        differences: above chance, one minus several, in words; by network.
    """
    lines = []
    for network, difference in differences.items():
        line = {"network": network}
        for kind, own in tables.items():
            means = own[network].mean(numeric_only=True)
            heads = {"precision": "average precision", "share": "chance", "above": "above chance"}
            line |= {f"{kind}: {head}": rounded(means[c], digits=3) for c, head in heads.items()}
        lines.append(line | {"difference above chance": difference})
    return pd.DataFrame(lines)


def _words(curves: pd.DataFrame) -> pd.DataFrame:
    half = (curves["high"] - curves["low"]) / 2
    return curves.assign(words=_spread(curves["accuracy"], half, "{:.1f}"))


def _by_pictures(rows: pd.DataFrame) -> pd.DataFrame:
    lines = rows.pivot(index="network", columns="per_class", values="words").sort_index(axis=1)
    head = "images per class:"
    lines = lines.loc[list(dict.fromkeys(rows["network"]))].fillna("–").rename_axis(head).reset_index()
    return lines.set_axis([c if c == head else f"{c:g}" for c in lines.columns], axis=1)


def _spread(means: pd.Series, spreads: pd.Series, digits: str = "{:g}") -> list[str]:
    """Each mean with its ±, where it has one; by default with as many digits as the paper gives."""
    both = zip(means, spreads, strict=True)
    return [
        rounded(mean) if math.isnan(s) else give_or_take(rounded(mean), digits.format(s)) for mean, s in both
    ]
