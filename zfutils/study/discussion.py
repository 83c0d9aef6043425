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
from zfutils.study.places import BOOK, page_of
from zfutils.study.scoreboard import RUNS, explained, side
from zfutils.training.outcomes import NOT_RUN

TESTED = (Verdict.REPRODUCED, Verdict.PARTLY, Verdict.NOT_REPRODUCED)
WORDS = {
    Verdict.REPRODUCED: "Reproduced",
    Verdict.PARTLY: "In part",
    Verdict.NOT_REPRODUCED: "Not reproduced",
    Verdict.NOT_TESTABLE: "Without a verdict",
    None: "Not run",
}

Records = Mapping[str, Mapping[str, Any]]  # rows of `Study.records`, by claim


@dataclass(frozen=True)
class Group:
    """Claims that are discussed together: a statement, where it is made, and a clause for each claim.

    What is said of the statement is taken from the claims that state it; where none is named, from all.
    """

    title: str
    where: str
    claims: Mapping[str, str]
    stated_by: Sequence[str] = ()

    def outcome(self, records: Records, run: str) -> str:
        """How the statement came out in one run, "this" or "published"."""
        asked = self.stated_by or self.claims
        return outcome([records.get(name, {}).get(f"{run}_verdict") for name in asked])


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
    rows = {name: records.get(name, {}) for name in group.claims}
    here, there = (group.outcome(records, run) for run in RUNS)
    leads = [f"In this run it {here}"]
    if any(row.get("published_verdict") for row in rows.values()):
        leads = [f"In both runs it {here}"] if here == there else [*leads, f"in the published run it {there}"]
    numbers = dict.fromkeys(claims[name].chapter for name in group.claims)
    chapters = " and ".join(f"[chapter {number}]({page_of(number)}.ipynb)" for number in numbers)
    lines = [f"**{group.title}** ({group.where}; {chapters}). {'; '.join(leads)}.\n"]
    stating = [name for name in group.claims if name in (group.stated_by or group.claims)]
    beside = [name for name in group.claims if name not in stating]
    for names, form in ((stating, "{}"), (beside, "Beside it, {}")):
        for verdict, word in WORDS.items():
            said = [
                group.claims[name]
                + in_brackets(this_run(claims[name], rows[name]) + published_run(claims[name], rows[name]))
                for name in names
                if rows[name].get("this_verdict") == verdict
            ]
            if said:
                title = form.format(word if form == "{}" else word.lower())
                apart = len(said) > 1 and verdict in TESTED  # with their numbers they fill a line each
                listed = "".join(f"\n  - {one}" for one in said) if apart else f" {'; '.join(said)}."
                lines.append(f"- *{title}:*{listed}")
    return "\n".join(lines)


def outcome(verdicts: Sequence[str | None]) -> str:
    """What is said of a statement whose claims came out so; None is a claim that was not run.

    Where half of the claims or more have no verdict, those that have one do not speak for the statement.
    """
    tested = [verdict for verdict in verdicts if verdict in TESTED]
    if not tested:
        return "could not be tested" if any(verdicts) else "was not measured"
    held = "held in part"
    if set(tested) == {Verdict.REPRODUCED}:
        held = "held"
    if set(tested) == {Verdict.NOT_REPRODUCED}:
        held = "did not hold"
    if len(tested) == len(verdicts):
        return held
    if 2 * len(tested) > len(verdicts):
        return f"{held}, as far as it could be tested ({len(tested)} of {len(verdicts)} claims)"
    few = "one" if len(tested) == 1 else len(tested)
    return f"could not be tested as a whole; the {few} of {len(verdicts)} claims that had a verdict {held}"


def this_run(claim: Claim, row: Mapping[str, Any]) -> list[str]:
    """What this run measured, where it tested the claim."""
    verdict = row.get("this_verdict")
    return [measured(claim, row, "this"), *_beside(claim, row, "this")] if verdict in TESTED else []


def published_run(claim: Claim, row: Mapping[str, Any]) -> list[str]:
    """What the published run measured, where it tested the claim, with its verdict."""
    verdict = row.get("published_verdict")
    if verdict not in TESTED:
        return []
    if all(row[f"this_{key}"] == row[f"published_{key}"] for key in ("verdict", "estimate", "low", "high")):
        return ["published run: the same"]
    said = [f"published run: {verdict}", measured(claim, row, "published"), *_beside(claim, row, "published")]
    return [", ".join(said)]


def _beside(claim: Claim, row: Mapping[str, Any], run: str) -> list[str]:
    """Of what was reproduced in part, what was asked; of what was not, on which side it lies."""
    asked = claim.rule.reproduced.in_words
    return [f"asked: {asked}"] if row[f"{run}_verdict"] == Verdict.PARTLY else side(claim, row, run)


def in_brackets(said: Sequence[str]) -> str:
    """Words in brackets after a space; nothing where there are none."""
    return f" ({'; '.join(said)})" if said else ""


def measured(claim: Claim, row: Mapping[str, Any], run: str) -> str:
    """Estimate, 95 % interval, unit and n of one run."""
    *ends, n = (row[f"{run}_{key}"] for key in ("estimate", "low", "high", "n"))
    return f"{significant(*ends)} {claim.unit}, n{HARD}={HARD}{n:,.0f}"


def untested(records: Records, claims: Mapping[str, Claim]) -> pd.DataFrame:
    """The claims that this run gave no verdict on, gates left out: why, and what the published run says."""
    lines: list[dict[str, Any]] = []
    for name, row in records.items():
        claim = claims[name]
        if claim.kind == "gate" or row["this_verdict"] in TESTED:
            continue
        line = {"chapter": claim.chapter, "claim": claim.says}
        line["why not"] = explained(row["this_reason"] or NOT_RUN, claim)
        published = " ".join(published_run(claim, row)).removeprefix("published run: ")
        lines.append(line | {"published run": published or row["published_verdict"] or NOT_RUN})
    table = pd.DataFrame(lines, columns=["chapter", "claim", "why not", "published run"])
    table.attrs["layout"] = "untested"
    return table


def gates(records: Records, claims: Mapping[str, Claim]) -> str:
    """The conditions of the study that a run did not meet in full, with what rests on each; a list.

    Args:
        records: of the gates too.
        claims: the registered ones.
    """
    (group,) = groups("gates")
    lines = []
    for name, rests in group.claims.items():
        row, said = records[name], []
        for run, title in RUNS.items():
            verdict = row[f"{run}_verdict"]
            if verdict in TESTED and verdict != Verdict.REPRODUCED:
                said.append(f"{title}: {verdict}, {measured(claims[name], row, run)}")
        if said:
            lines.append(f"- {claims[name].says.removesuffix('.')} ({'; '.join(said)}). On it rests {rests}.")
    return "\n".join(lines) or "All of them were met, where they were asked."


def counted(records: Records, claims: Mapping[str, Claim], *, run: str = "this") -> str:
    """How many claims of the paper came out how in one run, in words."""
    return tally([row[f"{run}_verdict"] for name, row in records.items() if claims[name].kind == "paper"])


def tally(verdicts: Sequence[str | None]) -> str:
    """How many claims came out how: "2 reproduced, 1 in part"; None is a claim that was not run."""
    return ", ".join(
        f"{verdicts.count(one)} {word.lower()}" for one, word in WORDS.items() if one in verdicts
    )
