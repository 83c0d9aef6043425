"""Tables of chapter 7, in words: five faces beside the paper's Table 1, all faces, and the claims' arms."""

from collections.abc import Mapping
from functools import partial

import pandas as pd

from zfutils.experiments.correspondence import sensitivity
from zfutils.experiments.correspondence.comparisons import Comparison
from zfutils.experiments.correspondence.consistency import Consistency
from zfutils.experiments.correspondence.occluders import PLACE
from zfutils.experiments.correspondence.sign_changes import PAPER
from zfutils.stats.formatting import between, give_or_take, percent

COLUMNS = {  # of `Consistency.summary`: the heading, and the form of its numbers
    "delta": ("Δ", "{:.3f}".format),
    "changed": ("units changed", partial(percent, digits=1)),
    "kappa": ("κ", "{:.3f}".format),
}
KINDS = {"same": "same part", "mismatched": "mismatched parts", "places": "random places"}
IN_PERCENT = {"scale": 100, "otherwise": "–"}


def annotation_table(apart: pd.DataFrame, *, square: float) -> pd.DataFrame:
    """How far apart the marks of faces lie that were marked twice, one row per part.

    Args:
        apart: as `faces.annotation_differences` gives it.
        square: side of the squares that cover parts (pixels of the same picture).
    """
    by_part = apart.groupby("part", sort=False)["pixels"].agg(["count", "mean", "max"]).reset_index()
    by_part["in sides of a square"] = by_part["mean"] / square
    fractions = by_part.select_dtypes("floating").columns
    return by_part.assign(**{name: by_part[name].map("{:.2f}".format) for name in fractions})


def few_faces_table(few: pd.DataFrame) -> pd.DataFrame:
    """Δ of few faces beside that of Table 1, one row for each way of covering them.

    Args:
        few: as `sign_changes.of_few` gives it.
    """
    paper = PAPER.set_index("occluded").rename({"random": PLACE})
    lines = []
    for name, rows in few.groupby("occluded", sort=False):
        line = {"covered": name}
        for row in rows.itertuples():
            head = f"layer {row.layer[-1]}"
            line[head] = give_or_take(f"{row.delta:.3f}", f"{row.spread:.3f}")
            ends = paper.loc[name, [row.layer, f"{row.layer}_spread"]]
            line[f"{head}, paper"] = give_or_take(*map("{:.3f}".format, ends))
            line[f"{head}, other samples ±"] = f"{row.across:.3f}"
        lines.append(line)
    return pd.DataFrame(lines)


def beside_the_paper(few: pd.DataFrame) -> str:
    """How Δ of few faces compares with the paper's in the last layer, and what that says, as a sentence.

    Args:
        few: as `sign_changes.of_few` gives it.
    """
    layer = max(few["layer"])
    ours, paper = few[few["layer"] == layer]["delta"], PAPER[layer]
    return (
        f"At layer {layer[-1]} our Δ, {ours.min():.3f} to {ours.max():.3f}, "
        f"is on average {ours.mean() / paper.mean():.1f} times the paper's, "
        f"{paper.min():.3f} to {paper.max():.3f}. "
        "How the paper counts a change is not known; the claims below use ratios of Δ within one network."
    )


def order_in_words(summaries: Mapping[str, pd.DataFrame]) -> str:
    """How many parts are treated more alike than random places, by Δ and by κ, as sentences.

    Args:
        summaries: by name of the network, as `Consistency.summary` gives them.
    """
    said = []
    for network, summary in summaries.items():
        for layer, rows in summary.groupby("layer"):
            values = rows.set_index("occluded")
            parts, place = values.drop(index=PLACE), values.loc[PLACE]
            by = [(parts["delta"] < place["delta"]).sum(), (parts["kappa"] > place["kappa"]).sum()]
            name = f"{network}, layer {layer[-1]}"
            said.append(f"{name}: {by[0]} by Δ and {by[1]} by κ")
    lead = f"How many of the {len(parts)} parts change features more alike than random places do"
    return f"{lead}: {'; '.join(said)}."


def summary_table(summaries: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What `Consistency.summary` found, one row per network, layer and way of covering the faces.

    Args:
        summaries: by name of the network.
    """
    tables = []
    for network, summary in summaries.items():
        columns = {"network": network, "layer": summary["layer"].str[-1], "covered": summary["occluded"]}
        for name, (head, form) in COLUMNS.items():
            columns[head] = summary[name].map(form, na_action="ignore").fillna("–")
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def arms_table(arms: pd.DataFrame) -> pd.DataFrame:
    """Δ of each part and of what it is held against, with the share of units changed in parentheses.

    Args:
        arms: as `comparisons.arms` gives it.
    """
    columns = {"network": arms["network"], "layer": arms["layer"].str[-1], "part": arms["part"]}
    for kind, head in KINDS.items():
        both = zip(arms[kind], arms[f"{kind}_changed"], strict=True)
        columns[head] = [f"{delta:.3f} ({percent(changed, digits=1)})" for delta, changed in both]
    return pd.DataFrame(columns)


def claims_arms(compared: Mapping[str, Comparison]) -> pd.DataFrame:
    """What each claim weighs: trained, random weights and their difference, in % of the control's Δ.

    Args:
        compared: as `comparisons.comparisons` gives it.
    """
    rows = [
        {"claim": name.replace("-", " ")} | _weighed(each) | {"unmatched": _share(each.unmatched)}
        for name, each in compared.items()
    ]
    return pd.DataFrame(rows)


def settings_table(found: Mapping[str, Mapping[str, Consistency]]) -> pd.DataFrame:
    """The same eyes and the same nose against mismatched parts under other choices, in % of the control's Δ.

    Args:
        found: as `sensitivity.of_settings` gives it.
    """
    rows = []
    for (setting, held), each in sensitivity.comparisons(found).items():
        changed = sensitivity.changed(found[setting], setting)
        row = {"choice": setting, "covered": held} | _weighed(each)
        row["units changed"] = " / ".join(percent(share, digits=1) for share in changed)
        rows.append(row)
    return pd.DataFrame(rows)


def signs_in_words(found: Mapping[str, Mapping[str, Consistency]]) -> str:
    """How well the pairs of `settings_table` match, and on which side of 0 its differences lie."""
    compared = sensitivity.comparisons(found).values()
    known = [one.interval for one in compared if one.interval is not None]
    below, above = sum(one.high < 0 for one in known), sum(one.low > 0 for one in known)
    apart = max((one.unmatched for one in compared if one.unmatched is not None), default=None)
    said = (
        f"Of {len(known)} differences, {below} lie below 0 and {above} above it, with their whole interval."
    )
    if known and len(known) in (below, above):
        side = "below" if below else "above"
        said = f"All {len(known)} differences lie {side} 0 with their whole interval."
    if apart is None:
        return said
    return f"Mismatched pairs change as many units to within {percent(apart, digits=2)}. {said}"


def _weighed(each: Comparison) -> dict[str, str]:
    return {
        "trained": between(each.of(each.measured), **IN_PERCENT),
        "random weights": between(each.of(each.control), **IN_PERCENT),
        "trained − random": between(each.interval, **IN_PERCENT),
    }


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value, digits=1)
