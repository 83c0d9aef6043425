"""The claims on the page: what was registered, what was measured, and the verdicts."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from zfutils.study.claims import Claim, Verdict
from zfutils.study.study import Study
from zfutils.training.outcomes import NOT_RUN

RUNS = {"this": "this run", "published": "published run"}
KINDS = {"paper": "the paper", "later-work": "later work", "gate": "gate"}


def claims_table(study: Study, chapter: int | None = None) -> pd.DataFrame:
    """What is said, what came out, and the verdict by the rule registered before.

    Args:
        study: the edition.
        chapter: one chapter's claims; default all.
    """
    records = study.records(None if chapter is None else [chapter])
    rows = records.to_dict("records")
    table = pd.DataFrame({"claim": [study.claims[row["claim"]].says for row in rows]})
    table.insert(0, "chapter", records["chapter"])
    table["source"] = [study.claims[row["claim"]].source for row in rows]
    for run, title in RUNS.items():
        table[title] = [_measured(row, run, study.claims[row["claim"]]) for row in rows]
    return table.drop(columns="chapter") if chapter is not None else table


def verdict_counts(study: Study) -> pd.DataFrame:
    """How many claims of each kind came out how, this run and the published run."""
    return _counts(study.records(), "kind", KINDS)


def verdicts_by_chapter(study: Study, kind: str = "paper") -> pd.DataFrame:
    """How many claims of one kind came out how in each chapter, this run and the published run."""
    records = study.records()
    found = records[records["kind"] == kind]
    chapters = {number: number for number in sorted(found["chapter"].unique())}
    return _counts(found, "chapter", chapters)


def _counts(records: pd.DataFrame, by: str, names: Mapping[Any, Any]) -> pd.DataFrame:
    rows = []
    for key, name in names.items():
        claims = records[records[by] == key]
        for run, title in RUNS.items() if len(claims) else ():
            found = claims[f"{run}_verdict"]
            row = {by: name, "run": title} | {str(v): int((found == v).sum()) for v in Verdict}
            rows.append(row | {NOT_RUN: int(found.isna().sum())})
    return pd.DataFrame(rows)


def _measured(row: Mapping[str, Any], run: str, claim: Claim) -> str:
    """Verdict, why there is none, then estimate, interval, unit and n of one run; a dash: no record."""
    verdict = row[f"{run}_verdict"]
    if not isinstance(verdict, str):
        if run == "this" and claim.run == "published":
            return (
                NOT_RUN if row["published_verdict"] != row["published_verdict"] else "see the published run"
            )
        return "–"
    estimate, low, high, n = (row[f"{run}_{key}"] for key in ("estimate", "low", "high", "n"))
    lines = [f"<b>{verdict}</b>"]
    if isinstance(reason := row[f"{run}_reason"], str):
        lines.append(reason)
    if estimate == estimate:
        interval = f"<span>{estimate:.3g} [{low:.3g}, {high:.3g}]</span>"
        lines += [interval, claim.unit, f"n = {n:,.0f}"]
    return "<br>".join(lines)
