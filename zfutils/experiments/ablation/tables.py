"""Tables 2 and 3 as the book shows them: the paper's numbers beside those measured here.

Numbers stay numbers until they are shown; here they become words, with 95 % intervals in brackets. A dash is
what the paper does not give or what too few seeds cannot.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.experiments.ablation.comparisons import (
    BEYOND_ITS_PARTS,
    FOUR_LAYERS,
    Compared,
    of_paper_in_log_odds,
)
from zfutils.experiments.ablation.contributions import BASE, Outcomes, not_run, said, shared, training_errors
from zfutils.experiments.ablation.depth import Pair
from zfutils.experiments.ablation.effects import Effect, over_seeds
from zfutils.experiments.ablation.ensembles import FEW_CLASSES, KINDS, LINES, ranks
from zfutils.nets.specs import NetworkSpec
from zfutils.stats.formatting import between, percent, ranged, rounded
from zfutils.stats.intervals import ends, where_enough
from zfutils.training.outcomes import NOT_RUN, origin

BASES = {"krizhevsky": "Krizhevsky", "zfnet": "ZFNet"}
NOT_TESTABLE = "not testable at this scale"
ONE_SEED = "one seed"
LARGEST_GAP = 2  # points of training error, as the conditions of the claims have it


def called(name: str) -> str:
    """A network as a table calls it: its base by its own name, then what was changed."""
    base, _, change = name.partition(": ")
    return f"{BASES[base]}: {'whole' if change == BASE else change}"


def slashed(*values: float) -> str:
    """Several numbers as the paper sets them: 40.5 / 18.1 / –."""
    return " / ".join(map(rounded, values)) if not all(map(math.isnan, values)) else "–"


def table_2(ours: pd.DataFrame, paper: pd.DataFrame, networks: Outcomes) -> pd.DataFrame:
    """Table 2, a line for each of the paper's and for each of ours that it does not have.

    Args:
        ours: as `ensembles.table_2` gives it.
        paper: `book/data/table_2.csv`.
        networks: outcomes by name and seed, to say whose they are.
    """
    lines = []
    for words in paper.to_dict("records"):
        found = ours[ours["row"] == words["row"]].set_index("k")
        if not len(found) and all(math.isnan(words[key]) for key in ("top1", "top5", "test_top5")):
            continue  # an ensemble that only more seeds would make
        line = {"model": words["model"], "paper: nets": rounded(words["nets"], digits=0)}
        line["paper: top-1 / top-5 / test top-5"] = slashed(words["top1"], words["top5"], words["test_top5"])
        line["nets here"] = f"{found['nets'].iloc[0]:.0f}" if len(found) else "–"
        for k in dict.fromkeys(ours["k"]):
            one = found.loc[k] if len(found) else None
            line[f"top-{k}"] = "–" if one is None else ranged(one["error"], one["low"], one["high"])
        spread = found["spread"].get(1, math.nan)
        line["over seeds"] = "–" if math.isnan(spread) else f"± {spread:.1f}"
        line["scores"] = ""
        if kinds := [networks[KINDS[kind]] for kind in LINES.get(words["row"], ())]:
            members = [one.published for runs in kinds for one in runs.values()]
            lacking = ONE_SEED if all(kinds) else NOT_RUN
            line["scores"] = origin(members) if len(found) else lacking
        lines.append(line)
    return pd.DataFrame(lines)


def fully_connected(sizes: Mapping[str, tuple[NetworkSpec, NetworkSpec]]) -> pd.DataFrame:
    """How many parameters go with layers 6 and 7, one line for each size.

    Args:
        sizes: by what they are called, a network with these layers and the same one without.
    """
    return pd.DataFrame(
        {
            "size": size,
            "whole": f"{whole.parameters:,}",
            "without layers 6, 7": f"{without.parameters:,}",
            "removed": percent(1 - without.parameters / whole.parameters),
        }
        for size, (whole, without) in sizes.items()
    )


def beyond_its_parts(
    in_points: Compared | None, in_odds: Compared | None, paper: pd.DataFrame
) -> pd.DataFrame:
    """What both pairs of layers cost beyond the sum of the two, in points and in log-odds, and in the paper.

    Args:
        in_points, in_odds: as `comparisons` gives them.
        paper: `book/data/table_3.csv`.
    """
    scales = {
        "points": (in_points, said(paper, BEYOND_ITS_PARTS), 1),
        "log-odds": (in_odds, of_paper_in_log_odds(paper), 2),
    }
    rows = []
    for scale, (found, of_paper, digits) in scales.items():
        effect = found and found[0]
        row = {"scale": scale, "here": _worded(effect, digits=digits)}
        row |= {"the paper": f"{of_paper:.{digits}f}", "the interval contains": "–"}
        if effect:
            held = {"0": 0, "the paper's value": of_paper}
            inside = [
                name for name, value in held.items() if effect.interval.low <= value <= effect.interval.high
            ]
            row["the interval contains"] = " and ".join(inside) or "neither 0 nor the paper's value"
        rows.append(row)
    return pd.DataFrame(rows)


def table_3(ours: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Table 3, one line for each row of either network, those included that were not run yet.

    Args:
        ours: as `contributions.table_3` gives it.
        paper: `book/data/table_3.csv`.
    """
    known, measured = ours.set_index(["base", "row"]), ours.columns.drop(["base", "row"])
    nothing = dict.fromkeys(measured, math.nan) | {"seeds": 0, "under_trained": 0, "scores": NOT_RUN}
    lines = []
    for words in paper.to_dict("records"):
        key = (words["base"], words["row"])
        one = known.loc[key].to_dict() if key in known.index else nothing
        line = {"network": BASES[words["base"]], "change": words["row"]}
        for split, head in (("train", "train top-1"), ("validation", "validation top-1")):
            line[head] = ranged(one[split], one[f"{split}_low"], one[f"{split}_high"])
        line |= {f"top-{k}": rounded(one[f"top{k}"]) for k in (2, 5) if not ours[f"top{k}"].isna().all()}
        line["paper: train / top-1 / top-5"] = slashed(words["train"], words["top1"], words["top5"])
        short = one["under_trained"]
        line["under-trained"] = f"{short} of {one['seeds']}" if short else ""
        line["scores"] = one["scores"]
        lines.append(line)
    return pd.DataFrame(lines)


def effects(ours: pd.DataFrame) -> pd.DataFrame:
    """The effects on the validation error, what could have been detected, and the paper's.

    A reading says where the training of a network of either row had not ended.

    Args:
        ours: as `contributions.effects` gives them.
    """
    lines = []
    for one in ours[ours["measure"] == "validation"].to_dict("records"):
        train = ours[(ours["name"] == one["name"]) & (ours["measure"] == "train")].iloc[0]
        lines.append(
            {
                "network": BASES[one["base"]],
                "change": one["row"],
                "validation": ranged(one["estimate"], one["low"], one["high"]),
                "detectable": rounded(one["detectable"]),
                "paper": _change(one["paper"]),
                "reading": reading(one) + ("" if one["ended"] or not one["testable"] else ", under-trained"),
                "train": ranged(train["estimate"], train["low"], train["high"]),
                "paper, train": _change(train["paper"]),
                "scores": one["scores"],
            }
        )
    return pd.DataFrame(lines)


def _change(points: float) -> str:
    return "+" * bool(points > 0) + rounded(points)


def reading(effect: dict) -> str:
    """What an effect says of the paper's: a row of `contributions.effects`, in words."""
    if math.isnan(effect["low"]):
        return ONE_SEED
    if not effect["testable"]:
        return NOT_TESTABLE
    if effect["low"] <= 0 <= effect["high"]:
        unlike = "" if effect["low"] <= effect["paper"] <= effect["high"] else "; not as in the paper"
        return f"not distinguishable from 0{unlike}"
    if effect["estimate"] * effect["paper"] < 0:
        return "of the opposite sign"
    if effect["low"] <= effect["paper"] <= effect["high"]:
        return "as in the paper"
    smaller = abs(effect["estimate"]) < abs(effect["paper"])
    return f"{'smaller' if smaller else 'larger'} than in the paper"


def gaps(
    found: Mapping[str, Float[np.ndarray, " seeds"]], paper: pd.DataFrame, equal: pd.DataFrame
) -> pd.DataFrame:
    """Validation minus training error of some networks, and how far they were at equal epochs.

    Args:
        found: as `comparisons.gaps` gives them, by the network's name; one seed has no interval.
        paper: `book/data/table_3.csv`.
        equal: as `contributions.at_equal_epochs` gives it.
    """
    losses = equal.groupby("name")["loss"].mean()
    lines = []
    for name, values in found.items():
        effect = where_enough(over_seeds, values)
        mean = float(np.mean(values)) if len(values) else math.nan
        gap = ranged(mean, **ends(effect and effect.interval))
        of_paper = said(paper, {name: 1}) - said(paper, {name: 1}, "train")
        line = {"network": called(name), "gap": gap, "gap, paper": rounded(of_paper)}
        line["loss at equal epochs"] = rounded(losses.get(name), digits=2)
        lines.append(line)
    return pd.DataFrame(lines)


def can_answer(networks: Outcomes, wholes: Mapping[str, str]) -> pd.DataFrame:
    """Whether whole networks fit what the four-layer one fits, one line for each.

    Args:
        networks: by name and seed.
        wholes: names of the whole networks, by what they are called.
    """
    lines = []
    for title, name in wholes.items():
        own = shared(networks, (name, FOUR_LAYERS))
        errors = {n: training_errors(runs).mean() if runs else math.nan for n, runs in own.items()}
        gap = errors[name] - errors[FOUR_LAYERS]
        every = [one.ended.ended for runs in own.values() for one in runs.values()]
        line = {"network": title, "training error": rounded(errors[name], digits=2)}
        line["four layers' training error"] = rounded(errors[FOUR_LAYERS], digits=2)
        line["above it by"] = rounded(gap, digits=2)
        line["trainings that ended"] = f"{sum(every)} of {len(every)}" if every else "–"
        fits = gap <= LARGEST_GAP and all(every)
        names = ", ".join(map(called, not_run(networks, own)))
        lacking = f"{NOT_RUN}: {names}" if names else NOT_RUN
        lines.append(line | {"trained well enough": ("yes" if fits else "no") if every else lacking})
    return pd.DataFrame(lines)


def depth(pairs: Sequence[Pair], errors: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Four layers against eight, a line for each number of pictures and width.

    Args:
        pairs: the networks.
        errors: as `depth.errors` gives them, of the same.
        seed: of the resampling.
    """
    by_size = errors.set_index(["pictures", "wider", "layers"]) if len(errors) else errors
    lines = []
    for pair in pairs:
        line = {"images": f"{pair.pictures:,}", "width": "wider" if pair.wider else ""}
        for layers in (4, 8):
            key = (pair.pictures, pair.wider, layers)
            row = by_size.loc[key] if key in by_size.index else None
            line[f"{layers} layers"] = (
                NOT_RUN
                if row is None
                else ranged(*(row[f"validation{end}"] for end in ("", "_low", "_high")))
            )
            line[f"train, {layers}"] = rounded(math.nan if row is None else row["train"], digits=2)
        gain, odds = pair.gain(seed=seed), pair.gain_in_log_odds()
        lacking = ONE_SEED if pair.four and pair.eight else NOT_RUN
        line["gain of 8 (points)"] = _worded(gain, otherwise=lacking)
        line["gain (log-odds)"] = _worded(odds, digits=2, otherwise=lacking)
        ended = sum(one.ended.ended for one in pair.outcomes)
        line["ended"] = f"{ended} of {len(pair.outcomes)}"
        lines.append(line | {"scores": origin(one.published for one in pair.outcomes)})
    return pd.DataFrame(lines)


def two_arms(compared: Mapping[str, Compared | None], *, measured: str, control: str) -> pd.DataFrame:
    """What was measured, its control, and their difference, one line for each comparison.

    Args:
        compared: as `comparisons` gives them, by what they are called.
        measured, control: what the arms are called.
    """
    lines = []
    for name, found in compared.items():
        effect, arms = found or (None, (None, None))
        line = {"comparison": name, measured: rounded(arms[0]), control: rounded(arms[1])}
        lines.append(line | {"difference": _worded(effect)})
    return pd.DataFrame(lines)


def _worded(effect: Effect | None, *, digits: int = 1, otherwise: str = NOT_RUN) -> str:
    return between(effect and effect.interval, digits=digits, otherwise=otherwise)


def costs(spent: pd.DataFrame) -> pd.DataFrame:
    """What the rows are and what their training took: means over seeds, and the sum of all.

    Args:
        spent: as `contributions.costs` gives it.
    """
    rows = spent.groupby("name", sort=False).agg(
        nets=("seed", "size"),
        parameters=("parameters", "first"),
        multiply_adds=("multiply_adds", "first"),
        epochs=("epochs", "mean"),
        pictures=("pictures", "mean"),
        seconds=("seconds", "mean"),
        published=("published", list),
    )
    lines = [
        {
            "network": called(name),
            "parameters (million)": rounded(row["parameters"] / 1e6, digits=2),
            "multiply-adds (million)": rounded(row["multiply_adds"] / 1e6),
            "nets": f"{row['nets']:.0f}",
            "epochs each": f"{round(row['epochs'], 1):g}",
            "images seen each": f"{row['pictures']:,.0f}",
            "seconds each": rounded(row["seconds"], digits=0),
            "scores": origin(row["published"]),
        }
        for name, row in rows.iterrows()
    ]
    together = {"network": "together", "parameters (million)": "", "multiply-adds (million)": ""}
    together |= {"nets": f"{len(spent):,}", "epochs each": ""}
    together["images seen each"] = f"{spent['pictures'].sum():,.0f} in all"
    together["seconds each"] = f"{spent['seconds'].sum():,.0f} in all"
    together["scores"] = origin(spent["published"])
    return pd.DataFrame([*lines, together])


def caption_ranks(classes: int) -> str:
    """Why top-2 stands beside top-5, where both are shown: five of few classes are a large share of them."""
    if classes >= FEW_CLASSES or 5 not in ranks(classes):
        return ""
    return f" Top-5 allows {percent(5 / classes)} of the {classes} classes; top-2 is stricter."
