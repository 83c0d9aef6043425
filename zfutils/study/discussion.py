"""The discussion, written from the records: what is said of groups of claims, and what could not be asked.

The one idea: a claim's clause is the same whatever was measured. The verdicts decide under which word it
stands and what is said of its group, so that no sentence can disagree with the numbers beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from zfutils.stats.formatting import HARD, significant
from zfutils.study.claims import Claim, Verdict
from zfutils.study.places import BOOK
from zfutils.study.scoreboard import explained
from zfutils.training.outcomes import NOT_RUN

TESTED = (Verdict.REPRODUCED, Verdict.PARTLY, Verdict.NOT_REPRODUCED)
WORDS = {
    Verdict.REPRODUCED: "Reproduced",
    Verdict.PARTLY: "In part",
    Verdict.NOT_REPRODUCED: "Not reproduced",
    Verdict.NOT_TESTABLE: "Without a verdict",
    None: "Not run",
}
NOTHING = {"measured - control": 0, "measured / control": 1}  # the number, where the control shows as much
OTHER_WAY = "the other way round"  # said of a difference from its control
DETECTABLE = "smallest true difference that the interval would tell from zero, four times in five"

Records = Mapping[str, Mapping[str, Any]]  # rows of `Study.records`, by claim


@dataclass(frozen=True)
class Group:
    """Claims that are discussed together: a statement, where it is made, and a clause for each claim."""

    title: str
    where: str
    claims: Mapping[str, str]


def groups(kind: str) -> list[Group]:
    """The groups of `book/data/discussion.yaml`: "paper", or "later" for what later work claims."""
    listed = yaml.safe_load((BOOK / "data" / "discussion.yaml").read_text(encoding="utf-8"))
    return [Group(**one) for one in listed[kind]]


def by_claim(records: pd.DataFrame) -> Records:
    """The rows of `Study.records` by the claim's id, with None for what there is none of."""
    rows = records.astype(object).where(records.notna(), None).to_dict("records")
    return {row["claim"]: row for row in rows}


def paragraphs(groups: Iterable[Group], records: Records, claims: Mapping[str, Claim]) -> str:
    """A paragraph of Markdown for each group, with a list of its claims."""
    return "\n\n".join(paragraph(group, records, claims) for group in groups)


def paragraph(group: Group, records: Records, claims: Mapping[str, Claim]) -> str:
    """What is said of a group of claims: how it came out in both runs, then its claims by verdict.

    Of a run that has no record of any of them nothing is said, unless it is this run.
    """
    rows = [records.get(name, {}) for name in group.claims]
    ours, theirs = ([row.get(f"{run}_verdict") for row in rows] for run in ("this", "published"))
    leads = [f"In this run it {outcome(ours)}"]
    if any(theirs):
        leads.append(f"in the published run it {outcome(theirs)}")
    lines = [f"**{group.title}** ({group.where}). {'; '.join(leads)}.\n"]
    for verdict, word in WORDS.items():
        said = [
            group.claims[name] + in_brackets(this_run(claims[name], row) + published_run(claims[name], row))
            for name, row in zip(group.claims, rows, strict=True)
            if row.get("this_verdict") == verdict
        ]
        if said:
            lines.append(f"- *{word}:* {'; '.join(said)}.")
    return "\n".join(lines)


def outcome(verdicts: Sequence[str | None]) -> str:
    """What is said of a statement whose claims came out so; None is a claim that was not run."""
    tested = [verdict for verdict in verdicts if verdict in TESTED]
    if not tested:
        return "could not be tested" if any(verdicts) else "was not measured"
    all_tested = len(tested) == len(verdicts)
    few = "" if all_tested else f", as far as it could be tested ({len(tested)} of {len(verdicts)} claims)"
    if set(tested) == {Verdict.REPRODUCED}:
        return "held" + few
    return ("did not hold" if set(tested) == {Verdict.NOT_REPRODUCED} else "held in part") + few


def this_run(claim: Claim, row: Mapping[str, Any]) -> list[str]:
    """What this run measured, where it tested the claim."""
    verdict = row.get("this_verdict")
    return [measured(claim, row, "this"), *side(claim, row)] if verdict in TESTED else []


def published_run(claim: Claim, row: Mapping[str, Any]) -> list[str]:
    """What the published run measured, where it tested the claim, with its verdict."""
    verdict = row.get("published_verdict")
    return [f"published run: {verdict}, {measured(claim, row, 'published')}"] if verdict in TESTED else []


def in_brackets(said: Sequence[str]) -> str:
    """Words in brackets after a space; nothing where there are none."""
    return f" ({'; '.join(said)})" if said else ""


def measured(claim: Claim, row: Mapping[str, Any], run: str) -> str:
    """Estimate, 95 % interval, unit and n of one run."""
    *ends, n = (row[f"{run}_{key}"] for key in ("estimate", "low", "high", "n"))
    return f"{significant(*ends)} {claim.unit}, n{HARD}={HARD}{n:,.0f}"


def side(claim: Claim, row: Mapping[str, Any]) -> list[str]:
    """Of what was not reproduced: whether it came out as the control did, or the other way round."""
    nothing = NOTHING.get(claim.rule.verdict_on)
    asked = claim.rule.reproduced.names
    if row["this_verdict"] != Verdict.NOT_REPRODUCED or nothing is None or len(asked) > 1:
        return []
    if row["this_low"] <= nothing <= row["this_high"]:
        return [f"{nothing} is in the interval"]
    opposite = row["this_high"] < nothing if asked == {"low"} else row["this_low"] > nothing
    return [OTHER_WAY] if opposite else []


def untested(records: Records, claims: Mapping[str, Claim]) -> pd.DataFrame:
    """The claims that this run gave no verdict on, gates left out: why, and what the published run says."""
    lines: list[dict[str, Any]] = []
    for name, row in records.items():
        claim = claims[name]
        if claim.kind == "gate" or row["this_verdict"] in TESTED:
            continue
        line = {"chapter": claim.chapter, "claim": claim.says}
        line["why not"] = explained(row["this_reason"], claim) if row["this_verdict"] else NOT_RUN
        published = " ".join(published_run(claim, row)).removeprefix("published run: ")
        lines.append(line | {"published run": published or row["published_verdict"] or NOT_RUN})
    return pd.DataFrame(lines, columns=["chapter", "claim", "why not", "published run"])


def counted(records: Records, claims: Mapping[str, Claim], *, run: str = "this", kind: str = "paper") -> str:
    """How many claims of a kind came out how in one run, in words."""
    found = [row[f"{run}_verdict"] for name, row in records.items() if claims[name].kind == kind]
    words = {verdict: word.lower() for verdict, word in WORDS.items()}
    said = [f"{found.count(verdict)} {word}" for verdict, word in words.items() if verdict in found]
    return ", ".join(said)
