"""Tables of chapter 13: what the faults do, what tells them, and where to look."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from zfutils.experiments.diagnosis import telling
from zfutils.experiments.diagnosis.faults import FAULTS, KINDS
from zfutils.experiments.diagnosis.signs import SIGNS
from zfutils.experiments.diagnosis.telling import COIN, Shuffled, Told
from zfutils.stats.comparisons import Compared
from zfutils.stats.formatting import between, give_or_take, ranged, rounded
from zfutils.stats.intervals import Interval, TooFew, proportion_interval, t_interval

PERCENT = ("error", "gap", "dead", "duplicates", "beside")  # in names of signs that are shares


def mean(values: pd.Series, *, scale: float = 1.0, digits: int = 1) -> str:
    """Mean over seeds and half of its t interval; the mean alone of one seed."""
    try:
        found = t_interval(scale * values, resampled="seeds")
    except TooFew:
        return rounded(scale * values.mean(), digits=digits)
    ends = found.estimate, found.high - found.estimate
    return give_or_take(*(rounded(end, digits=digits) for end in ends))


def kinds(table: pd.DataFrame) -> pd.DataFrame:
    """What was done to each kind of network, and what its errors are, in % and points."""
    rows = []
    for name in KINDS:
        own = table[table["network"] == name]
        if not len(own):
            continue
        row = {"network": name, "seeds": len(own)}
        for sign in ("training_error", "validation_error", "gap", "test_error"):
            row[sign.removesuffix("_error")] = mean(own[sign], scale=100)
        row["ended"] = f"{own['ended'].sum()} of {len(own)}"
        rows.append(row)
    return pd.DataFrame(rows)


def inside(table: pd.DataFrame, signs: Sequence[str]) -> pd.DataFrame:
    """Some signs, one row for each, means over seeds, one column for each kind of network."""
    rows = []
    for sign in signs:
        share = any(word in sign for word in PERCENT) and sign != "loss_gap"
        how = {"scale": 100, "digits": 1} if share else {"digits": 2}
        row = {"sign": SIGNS[sign][0] + " (%)" * share}
        for name in KINDS:
            own = table[table["network"] == name]
            row |= {name: mean(own[sign], **how)} if len(own) else {}
        rows.append(row)
    return pd.DataFrame(rows)


def areas(table: pd.DataFrame) -> pd.DataFrame:
    """AUC of every sign for every fault, on seeds that had no part in the choice of its direction.

    Returns:
        An `Interval` in each cell.
    """
    found = {fault: [telling.told(table, fault, [sign]).auc for sign in SIGNS] for fault in FAULTS}
    return pd.DataFrame(found, index=list(SIGNS))


def told(found: Mapping[str, Mapping[str, Told]]) -> pd.DataFrame:
    """The chosen sign of each fault, and what it tells on the other seeds.

    Args:
        found: by what was chosen among, then by fault.
    """
    rows = []
    for fault in FAULTS:
        for among, by_fault in found.items():
            one = by_fault[fault]
            row = {
                "fault": fault,
                "chosen among": among,
                "sign": chosen(one),
                "AUC": between(one.auc, digits=2, otherwise="–"),
            }
            rows.append(row | {"wrong at the threshold": f"{one.wrong} of {one.networks}"})
    return pd.DataFrame(rows)


def chosen(one: Told) -> str:
    """A chosen sign with its direction."""
    return f"{'more' if one.choice.larger else 'less'}: {SIGNS[one.choice.sign][0]}"


def chance(shuffled: Mapping[str, Shuffled]) -> pd.DataFrame:
    """What the best sign reaches where kinds are shuffled, on its own seeds and on others.

    Args:
        shuffled: by fault, as `telling.by_chance` gives it.
    """
    rows = []
    for fault, draws_of in shuffled.items():
        row = {"fault": fault}
        for head, draws in zip(("on the seeds of the choice", "on other seeds"), draws_of, strict=True):
            low, high = np.quantile(draws, [0.025, 0.975])
            row[head] = ranged(draws.mean(), low, high, digits=2)
        rows.append(row)
    return pd.DataFrame(rows)


def confusion(named: pd.DataFrame) -> pd.DataFrame:
    """How many networks of each kind (rows) were named as each kind (columns)."""
    there = [name for name in KINDS if name in set(named["network"])]
    counts = pd.crosstab(named["network"], named["said"])
    return counts.reindex(index=there, columns=there, fill_value=0)


def correctly_named(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Share of networks whose kind is correctly named, in %.

    Args:
        found: as `telling.named` gives it, by what it was read from.
    """
    rows = []
    for words, one in found.items():
        right = int((one["network"] == one["said"]).sum())
        share = proportion_interval(right, len(one), resampled="networks").times(100)
        rows.append(
            {
                "read from": words,
                "networks": len(one),
                "correctly named": between(share, digits=1, otherwise="–"),
            }
        )
    return pd.DataFrame(rows)


def co_adaptation(compared: Compared | None) -> str:
    """What dropout does to the correlation between units, as a page says it."""
    said = (
        "Mean absolute correlation between units of a fully connected layer, without dropout minus with it: "
    )
    if compared is None:
        return said + "not measured."
    one = compared.interval
    said += between(one, digits=3, otherwise="–") + " (95 % interval over seeds, paired). "
    if one.low > 0:
        return said + "Without dropout units correlate more, as is said."
    if one.high >= 0:
        return said + "With and without dropout units correlate as much, within the interval."
    return (
        said
        + "Without dropout units of these networks correlate less, so that correlation is here no sign of "
        "what dropout prevents. One possible reason, not tested here: a unit that may be dropped at any step "
        "is best backed up by others that say the same, and such units correlate."
    )


def look_there(found: Mapping[str, Mapping[str, Told]], harm: Mapping[str, Interval | None]) -> pd.DataFrame:
    """If you see this, look there: for each fault the sign that tells it outside and inside, and what to do.

    A sign whose AUC on the other seeds cannot be told from chance is not recommended.

    Args:
        found: as for `told`, with errors first.
        harm: rise of the test error, in points.
    """
    rows = []
    for fault, words in FAULTS.items():
        row = {"what was done": words.done}
        for among, by_fault in found.items():
            one = by_fault[fault]
            sign = chosen(one) if one.auc.low > COIN else "none that holds on other seeds"
            row[f"among {among}"] = f"{sign} (AUC {between(one.auc, digits=2, otherwise='–')})"
        row["test error rises by (points)"] = between(harm[fault], digits=1, otherwise="–")
        row["what to do"] = words.remedy
        rows.append(row)
    return pd.DataFrame(rows)
