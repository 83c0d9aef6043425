"""Tables of chapter 14: means with their intervals, and each finding beside that of the literature."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from zfutils.experiments.trial.comparisons import mean_over_pictures, paired
from zfutils.experiments.trial.randomisation import CONTROLS
from zfutils.stats.comparisons import Compared
from zfutils.stats.formatting import between, ranged, rounded

Of = tuple[str, str]  # network and method
MAIN = ("trained", "deconvnet")
ON_THE_WAY_UP = "trial-upper-layers-matter-less"  # random weights below change all activations above them
RANDOM_FROM, ANOTHER = "fc6", CONTROLS[0]  # cascading from the top down to this layer; another class's map
METHODS = {"deconvnet": "the deconvnet", "guided": "guided back-propagation", "gradient": "the gradient"}

CHANGES = {  # columns of `switches.lost_with_other_switches` and `lost_by_moving`, in words
    "random": "random in their windows",
    "centred": "centred in their windows",
    "tiles": "the image's own, its tiles shuffled",
    "another": "another image's",
    "moved": "recorded, the projection moved as a whole",
}


class Finding(NamedTuple):
    """What the literature says, what is compared here, and what is said of it.

    The last two are said where the whole interval lies above 0, and where it does not.
    """

    literature: str
    compares: str
    above: str
    otherwise: str


FINDINGS = {  # by claim
    "projections-recover-the-picture": Finding(
        "another unit gives nearly the same image (Mahendran & Vedaldi 2016)",
        "correlation: two maps in one image − one map in two",
        "Projections of two units in one image are more alike than those of one unit in two images: a "
        "projection shows the image first, the unit second.",
        "Projections of two units in one image are no more alike than those of one unit in two images.",
    ),
    "trial-own-edges": Finding(
        "deconvnet and guided back-propagation partly recover the image (Nie et al. 2018)",
        "correlation with edges: the image's own − other images'",
        "A projection follows the edges of its own image more than those of other images.",
        "A projection follows the edges of its own image no more than those of other images.",
    ),
    "projections-switches-carry-more-than-shifts": Finding(
        "the switches carry most of the structure (Mahendran & Vedaldi 2016)",
        "variance lost: random switches − moved as a whole",
        "Random switches cost a projection more of its variance than a shift as large does: part of its "
        "structure is in the switches. How much, this measure cannot say where the shift leaves little.",
        "Random switches cost a projection no more of its variance than a shift as large does.",
    ),
    "projections-survive-randomisation": Finding(
        "guided back-propagation survives random upper layers, the gradient does not (Adebayo et al. 2018)",
        "rank correlation, layers 6 to 8 random: the method − the gradient",
        "When the upper layers are made random, the deconvnet's map of a class changes less than the "
        "gradient's.",
        "When the upper layers are made random, the deconvnet's map of a class changes no less than the "
        "gradient's: of these two it is not the deconvnet that ignores the upper layers.",
    ),
    "trial-upper-layers-matter-less": Finding(
        "deconvnet and guided back-propagation do not depend on later layers (Sixt et al. 2020)",
        "rank correlation, one layer random: mean of layers 6 to 8 − mean of 1 to 3",
        "The deconvnet's map of a class depends less on the weights of one upper layer than on those of one "
        "lower layer.",
        "The deconvnet's map of a class depends on the weights of one upper layer as much as on those of one "
        "lower layer, or more.",
    ),
    "trial-signals-converge": Finding(
        "signals of modified back-propagation converge (Sixt et al. 2020)",
        "cosine at the pixels, two starts: the method − the gradient",
        "Signals that start differently arrive at the pixels more alike by the deconvnet than by the "
        "gradient.",
        "Signals that start differently arrive at the pixels no more alike by the deconvnet than by the "
        "gradient.",
    ),
}


def arms_table(
    compared: Mapping[Of, Compared | None], recovered: Mapping[Of, pd.DataFrame], arms: Mapping[str, str]
) -> pd.DataFrame:
    """Two columns of `faithfulness.recovery` and their difference, one row per network and method.

    Args:
        compared: the differences.
        recovered: the tables.
        arms: the two columns, and what they are called.
    """
    rows = []
    for (network, method), table in recovered.items():
        row = {"network": network, "method": method}
        row |= {title: words(table[column]) for column, title in arms.items()}
        found = compared[network, method]
        rows.append(row | {"difference": difference(found), "n": found.interval.n if found else len(table)})
    return pd.DataFrame(rows)


def switches_table(lost: Mapping[Of, pd.DataFrame], moving: pd.DataFrame) -> pd.DataFrame:
    """Share of a projection's variance that is lost, one row per change, one column per network and method.

    Args:
        lost: as `switches.lost_with_other_switches` gives them.
        moving: as `switches.lost_by_moving` gives it, for the first of them.
    """
    tables = {of: table.merge(moving, on="picture") for of, table in list(lost.items())[:1]}
    rows = []
    for change, title in CHANGES.items():
        row = {"switches": title}
        for of, table in (lost | tables).items():
            name = of[1] if of[0] == "trained" else f"{of[1]}, {of[0]} weights"
            row[name] = words(table[change]) if change in table else "–"
        rows.append(row)
    return pd.DataFrame(rows)


def rules_table(rules: pd.DataFrame) -> pd.DataFrame:
    """What the rules for a shared switch change, means over pictures, one row per layer and rule.

    Args:
        rules: as `shared_switches.shared_switches` gives it.
    """
    return pd.DataFrame(
        {
            "layer": layer[-1],
            "rule": f"the {rule} alone",
            "correlation": words(group["correlation"], digits=3),
            "difference": words(group["difference"]),
        }
        for (layer, rule), group in rules.groupby(["layer", "rule"])
    )


def shared(sharing: pd.DataFrame) -> str:
    """How many outputs of each pooling share their switch, means over pictures in words.

    Args:
        sharing: as `shared_switches.switch_sharing` gives it.
    """
    said = [
        f"{words(100 * group['share'], digits=0)} % in {layer}" for layer, group in sharing.groupby("layer")
    ]
    return ", ".join(said)


def findings_table(found: Mapping[str, Mapping[Of, Compared | None]]) -> pd.DataFrame:
    """Each finding of the literature beside what came out here, one row per claim.

    Args:
        found: by claim, then by network and method; where nothing was asked of a pair, it is not there.
    """
    rows = []
    for claim, finding in FINDINGS.items():
        main = found[claim][MAIN]
        arms = main.arms if main else (None, None)
        row = {"in the literature": finding.literature, "here": finding.compares}
        row |= {"deconvnet": " − ".join(rounded(arm, digits=2) for arm in arms) + f" = {difference(main)}"}
        for title, of in {
            "guided": ("trained", "guided"),
            "gradient": ("trained", "gradient"),
            "deconvnet, random weights": ("random", "deconvnet"),
        }.items():
            row[title] = difference(found[claim][of]) if of in found[claim] else "–"
        rows.append(row | {"n": main.interval.n if main else 0})
    return pd.DataFrame(rows)


def words(values: pd.Series, *, digits: int = 2) -> str:
    """Mean over pictures with its interval."""
    mean = mean_over_pictures(values)
    return ranged(mean["estimate"], mean["low"], mean["high"], digits=digits)


def difference(found: Compared | None) -> str:
    """The difference of two arms with its interval."""
    return between(found and found.interval, digits=2, otherwise="–")


def conclusions(found: Mapping[str, Mapping[Of, Compared | None]]) -> str:
    """What came out for the deconvnet, and what else shows it as much: a list, one line per claim.

    Args:
        found: as for `findings_table`.
    """
    lines = []
    for claim, finding in FINDINGS.items():
        intervals = {of: one.interval for of, one in found[claim].items() if one}
        if MAIN not in intervals:
            continue
        low = intervals.pop(MAIN).low
        as_much = [of for of, interval in intervals.items() if interval.high >= low]
        more = ""
        if as_much:
            *others, last = map(_who, as_much)
            listed = f"{', '.join(others)} and {last}" if others else last
            more = (
                " Within the intervals, the difference is at least as large as the trained deconvnet's "
                f"for {listed}."
            )
        if claim == ON_THE_WAY_UP and ("trained", "gradient") in as_much:
            more += " What the gradient shows as much is the network's doing and speaks against no method."
        lines.append(f"- {finding.above + more if low > 0 else finding.otherwise}")
    return "\n".join(lines) or "*Too few pictures to say.*"


def _who(of: Of) -> str:
    network, method = of
    name = METHODS[method]
    return name if network == "trained" else f"{name} with random weights"


def beside_another_class(table: pd.DataFrame, *, seed: int = 0) -> str:
    """Whether random weights in layers 6 to 8 change a map as much as another class does, method by method.

    Args:
        table: as `randomisation.randomisation` gives it.
        seed: of the resampling.
    """
    there = table[table["layer"].isin([RANDOM_FROM, ANOTHER]) & table["order"].isin(["cascading", "control"])]
    sentences = []
    for method, name in METHODS.items():
        wide = there[there["method"] == method].pivot(index="picture", columns="layer", values="spearman")
        wide = wide.reindex(columns=[RANDOM_FROM, ANOTHER])
        found = paired(wide[RANDOM_FROM], wide[ANOTHER], seed=seed)
        if found is None:
            continue
        how = "as much as another class does"
        if found.interval.low > 0:
            how = "less than another class does"
        if found.interval.high < 0:
            how = "more than another class does"
        kept, other = (rounded(arm, digits=2) for arm in found.arms)
        sentences.append(
            f"By {name} they change it {how}: the correlation is {kept} after random weights and {other} for "
            f"another class (difference {difference(found)}, from unrounded numbers)."
        )
    start = (
        "Do random weights in layers 6 to 8 change a map as much as asking for another class does? The rank "
        "correlations of the new map with the old one tell."
    )
    n = found.interval.n if found else 0
    end = f"(95 % intervals over {n} images, paired.)"
    return " ".join([start, *sentences, end]) if sentences else ""


def by_structure(found: Compared | None) -> str:
    """What SSIM says of random upper layers, beside the rank correlation that the claim takes."""
    if found is None:
        return ""
    return (
        "Random upper layers are judged by rank correlation. By SSIM, what the deconvnet's map keeps less "
        f"what the gradient's keeps is {difference(found)}: where the measures point in opposite directions, "
        "neither method is shown to ignore these layers more."
    )


def plain(found: Mapping[Of, Compared | None]) -> dict[str, float]:
    """The differences of several networks and methods as plain data."""
    return {", ".join(of): one.interval.estimate for of, one in found.items() if one}
