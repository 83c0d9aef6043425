"""The claims on the page: what was registered, what was measured, and the verdicts."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from zfutils.study.claims import Verdict
from zfutils.study.study import Study


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
    for run, title in (("this", "this run"), ("published", "published run")):
        table[title] = [_measured(row, run, study) for row in rows]
    return table.drop(columns="chapter") if chapter is not None else table


def verdict_counts(study: Study) -> pd.DataFrame:
    """How many claims of each chapter came out how, this run and the published run."""
    records = study.records()
    rows = []
    for chapter, claims in records.groupby("chapter"):
        for run, title in (("this", "this run"), ("published", "published run")):
            found = claims[f"{run}_verdict"]
            row = {"chapter": chapter, "run": title} | {str(v): int((found == v).sum()) for v in Verdict}
            rows.append(row | {"not measured yet": int(found.isna().sum())})
    return pd.DataFrame(rows)


def register_table(study: Study) -> pd.DataFrame:
    """What each claim measures, what is resampled, the control, and the rule; as registered."""
    rows = []
    for claim in study.claims.values():
        rule = claim.rule
        texts = {"testable if": rule.testable.text, "reproduced if": rule.reproduced.text}
        texts |= {"partly if": rule.partly.text if rule.partly else "–"}
        row = {"claim": claim.id, "kind": claim.kind, "quantity": f"{claim.quantity} ({claim.unit})"}
        rows.append(row | {"resampled": claim.resampled, "control": claim.control} | texts)
    return pd.DataFrame(rows)


def _measured(row: Mapping[str, Any], run: str, study: Study) -> str:
    """Verdict, then estimate, interval, unit and n of one run, or why there are none; a dash: no record."""
    verdict = row[f"{run}_verdict"]
    if not isinstance(verdict, str):
        return "–"
    estimate, low, high, n = (row[f"{run}_{key}"] for key in ("estimate", "low", "high", "n"))
    lines = [f"<b>{verdict}</b>"]
    if estimate == estimate:
        unit = study.claims[row["claim"]].unit
        lines += [f"<span>{estimate:.3g} [{low:.3g}, {high:.3g}]</span>", unit, f"n = {n:,.0f}"]
    elif isinstance(reason := row[f"{run}_reason"], str):
        lines.append(reason)
    return "<br>".join(lines)
