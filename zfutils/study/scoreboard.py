"""The claims on the page: what was registered, what was measured, and the verdicts."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from zfutils.stats.formatting import HARD, significant
from zfutils.study.claims import Claim, Verdict
from zfutils.study.display import show
from zfutils.study.rules import printed
from zfutils.study.study import Study
from zfutils.training.outcomes import NOT_RUN

RUNS = {"this": "this run", "published": "published run"}
BOTH = "this and the published run"
KINDS = {"paper": "the paper", "later-work": "later work", "gate": "gate"}
DETECTABLE = "smallest true difference that the interval would tell from zero, four times in five"
NOTHING = {"measured - control": 0, "measured / control": 1}  # the number, where the control shows as much
OTHER_WAY = "the other way round"  # said of a difference from its control
CAPTION = (
    "The claims of this chapter, each with what its rule asks of the 95 % interval, written down before "
    "the number was known, unless the line says what was known. “Partly reproduced” means that the "
    "second, weaker bound is met, not the first: mostly, that there is an effect, but not shown to be as "
    "large as the claim asks. An interval over images, maps or filters speaks of the networks measured; "
    "only one over seeds speaks of training others."
)


def claims_table(study: Study, chapter: int) -> Styler:
    """The claims of a chapter: what is said and what its rule asks, then what came out in both runs.

    Where both gave the same throughout, as in the published edition itself, once.

    Args:
        study: the edition.
        chapter: its number.
    """
    rows = study.records([chapter]).to_dict("records")
    claims = [study.claims[row["claim"]] for row in rows]
    table = pd.DataFrame({"claim": [_asked(claim) for claim in claims]})
    table["source"] = [claim.source for claim in claims]
    out = {
        title: [_measured(row, run, claim) for row, claim in zip(rows, claims, strict=True)]
        for run, title in RUNS.items()
    }
    this, published = out.values()
    shown = {BOTH: this} if this == published else out
    table = table.assign(**shown)
    table.attrs["markup"] = ["claim", *shown]
    return show(table, caption=CAPTION).set_table_attributes('class="dataframe study claims"')


def verdict_counts(study: Study) -> pd.DataFrame:
    """How many claims of each kind came out how, this run and the published run."""
    return _counts(study.records(), "kind", KINDS)


def verdicts_by_chapter(study: Study) -> pd.DataFrame:
    """How many claims of the paper came out how in each chapter, this run and the published run."""
    found = study.records().query("kind == 'paper'")
    return _counts(found, "chapter", {number: number for number in sorted(found["chapter"].unique())})


def _counts(records: pd.DataFrame, by: str, names: Mapping[Any, Any]) -> pd.DataFrame:
    rows = []
    for key, name in names.items():
        claims = records[records[by] == key]
        counts = {}
        for run, title in RUNS.items() if len(claims) else ():
            found = claims[f"{run}_verdict"]
            counts[title] = {str(v): int((found == v).sum()) for v in Verdict} | {
                NOT_RUN: int(found.isna().sum())
            }
        if len(claims) and claims["this_verdict"].equals(claims["published_verdict"]):
            counts = {BOTH: counts[RUNS["this"]]}
        rows += [{by: name, "run": title} | numbers for title, numbers in counts.items()]
    table = pd.DataFrame(rows)
    table.attrs["layout"] = "counts"
    return table


def explained(reason: str, claim: Claim) -> str:
    """What kept a record from a verdict, with what each name of a condition means in the name's place."""
    meanings = {"n": claim.n, "detectable": DETECTABLE} | dict(claim.where)
    parts = []
    for part in reason.split("; "):
        found = re.fullmatch(r"(\w+) is (\S+, must be .+)", part)
        meaning = meanings[found[1]].partition(";")[0] if found and found[1] in meanings else ""
        parts.append(f"{meaning}: {found[2]}" if meaning else part)
    return printed("; ".join(parts))


def side(claim: Claim, row: Mapping[str, Any], run: str = "this") -> list[str]:
    """Of what was not reproduced: whether it came out as the control did, or the other way round."""
    nothing = NOTHING.get(claim.rule.verdict_on)
    asked = claim.rule.reproduced.names
    if row[f"{run}_verdict"] != Verdict.NOT_REPRODUCED or nothing is None or len(asked) > 1:
        return []
    low, high = row[f"{run}_low"], row[f"{run}_high"]
    if low <= nothing <= high:
        return [f"{nothing} is in the interval"]
    return [OTHER_WAY] if (high < nothing if asked == {"low"} else low > nothing) else []


def _asked(claim: Claim) -> str:
    """As HTML: a claim, linked to its line on the scoreboard, with its bounds and what n and interval are."""
    bounds = f"Reproduced: {claim.rule.reproduced.in_words}"
    if claim.rule.partly:
        bounds += f"; partly: {claim.rule.partly.in_words}"
    known = f"<br>Known when this was written: {escape(printed(claim.known))}" if claim.known else ""
    return (
        f'<a href="scoreboard.html#claim-{claim.id}">{escape(claim.says)}</a><br>'
        f"<small>{escape(bounds)}.<br>n: {escape(claim.n)}. Interval over: {escape(claim.resampled)}."
        f"{known}</small>"
    )


def _measured(row: Mapping[str, Any], run: str, claim: Claim) -> str:
    """As HTML: verdict, why there is none, estimate, interval, unit and n of one run; or “not run”."""
    verdict = row[f"{run}_verdict"]
    if not isinstance(verdict, str):
        elsewhere = run == "this" and isinstance(row["published_verdict"], str)
        return "see the published run" if elsewhere else NOT_RUN
    estimate, low, high, n = (row[f"{run}_{key}"] for key in ("estimate", "low", "high", "n"))
    lines = [f"<b>{verdict}</b>"]
    if OTHER_WAY in side(claim, row, run):
        lines[0] += f", {OTHER_WAY}"
    if isinstance(reason := row[f"{run}_reason"], str):
        lines.append(escape(explained(reason, claim)))
    if estimate == estimate:
        lines += [f"{significant(estimate, low, high)} {escape(claim.unit)}", f"n{HARD}={HARD}{n:,.0f}"]
    return "<br>".join(lines)
