"""The three sentences that close a chapter: what held, what did not, and what leads to the next one.

The one idea: as in the discussion, a claim's clause is written once and its verdict decides where it stands,
so that no closing can disagree with the table below it.
"""

from collections.abc import Mapping, Sequence

from zfutils.study.claims import Claim
from zfutils.study.discussion import TESTED, Records, by_claim, groups
from zfutils.study.display import Paragraph
from zfutils.study.study import Study

KINDS = ("paper", "later", "further")  # the groups of `book/data/discussion.yaml` that have clauses
SPELT_OUT = 3  # more claims without a verdict than this are counted, not named


def closing(study: Study, chapter: int, leads_to: str) -> Paragraph:
    """What held in a chapter, what did not, and what leads on, from the records of both runs.

    Args:
        study: the edition.
        chapter: its number; every claim of it that is no gate needs a clause in `book/data/discussion.yaml`.
        leads_to: the last sentence, as Markdown.

    Raises:
        KeyError: a claim without a clause.
    """
    clauses = {name: text for kind in KINDS for group in groups(kind) for name, text in group.claims.items()}
    records = by_claim(study.records([chapter]))
    return Paragraph(f"{sentences(records, study.claims, clauses)} {leads_to.strip()}")


def sentences(records: Records, claims: Mapping[str, Claim], clauses: Mapping[str, str]) -> str:
    """Two sentences on the claims of some records, gates left out: what was found, and what was not.

    A claim stands under the verdict of this run; where this run has none, under the published run's.

    Args:
        records: rows of `Study.records`, by claim.
        claims: the registered ones, by id.
        clauses: of each claim, what its "reproduced" means; a clause that can follow "that" or "whether".
    """
    found: dict[str | None, list[str]] = {verdict: [] for verdict in (*TESTED, None)}
    for name, row in records.items():
        if claims[name].kind != "gate":
            verdict, beside = _placed(row)
            found[verdict].append(clauses[name] + beside)
    held, partly, failed, undecided = found.values()
    first = f"In this run we found {_listed('that', held)}." if held else "None of the claims held in full."
    parts = []
    if failed:
        parts.append(f"did not find {_listed('that', failed, last='or')}")
    if partly:
        parts.append(f"found only in part {_listed('that', partly)}")
    if undecided:
        named = _listed("whether", undecided, last="or")
        counted = f"the other {len(undecided)} claims" if held or parts else f"any of the {len(undecided)}"
        parts.append(f"could not decide {named if len(undecided) <= SPELT_OUT else counted}")
    return f"{first} We {_clauses(parts)}." if parts else f"{first} No claim failed."


def _placed(row: Mapping[str, str | None]) -> tuple[str | None, str]:
    """The verdict that a claim stands under, and what is said behind its clause."""
    ours, theirs = (row[f"{run}_verdict"] for run in ("this", "published"))
    if ours not in TESTED:
        return (theirs, " (published run)") if theirs in TESTED else (None, "")
    return ours, f" (published run: {theirs})" if theirs in TESTED and theirs != ours else ""


def _listed(word: str, clauses: Sequence[str], *, last: str = "and") -> str:
    """Clauses as one list, each after a word: "that a, that b and that c"."""
    *others, final = (f"{word} {clause}" for clause in clauses)
    return f"{', '.join(others)} {last} {final}" if others else final


def _clauses(parts: Sequence[str]) -> str:
    """Predicates of one subject, set apart by semicolons since they hold commas: "did a; and did b"."""
    *others, final = parts
    return "; ".join([*others, f"and {final}" if others else final])
