"""The sentences that close a chapter: what held, what held in part, what did not, and what leads on.

Beside them, one sentence on what the published run measured, with or without a verdict.

The one idea: as in the discussion, a claim's clause is written once and its verdict decides in which sentence
it stands, so that no closing can disagree with the table above it.
"""

from collections.abc import Mapping, Sequence

from zfutils.study.claims import Claim, Verdict
from zfutils.study.discussion import TESTED, Records, by_claim, groups, measured
from zfutils.study.display import Paragraph
from zfutils.study.scoreboard import OTHER_WAY, side
from zfutils.study.study import Study

KINDS = ("paper", "later", "further")  # the groups of `book/data/discussion.yaml` that have clauses
AGAINST = "against"  # not reproduced, and the interval lies on the other side of the control
SHOWS = {  # by verdict: how a sentence goes on, and the word before its last clause
    Verdict.REPRODUCED: ("show", "and"),
    Verdict.PARTLY: ("bear out in part", "and"),
    Verdict.NOT_REPRODUCED: ("do not show", "or"),
    AGAINST: ("speak against the view", "and"),
}
HELD = (Verdict.REPRODUCED, Verdict.PARTLY)
MOST = 3  # clauses in a sentence; more claims without a verdict than this are counted, not named
LONGEST = 90  # words in a paragraph


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
    return Paragraph(f"{sentences(records, study.claims, clauses)}\n\n{leads_to.strip()}")


def sentences(records: Records, claims: Mapping[str, Claim], clauses: Mapping[str, str]) -> str:
    """Sentences on the claims of some records, gates left out: one or more for each verdict that was given.

    What held stands in a paragraph of its own where one would be too long. A claim stands under the verdict
    of this run; where this run has none, under the published run's.

    Args:
        records: rows of `Study.records`, by claim.
        claims: the registered ones, by id.
        clauses: of each claim, what its "reproduced" means; a clause that can follow "that" or "whether".
    """
    found: dict[str | None, list[str]] = {verdict: [] for verdict in (*SHOWS, None)}
    for name, row in records.items():
        if claims[name].kind != "gate":
            verdict, beside = _placed(row, claims[name])
            found[verdict].append(clauses[name] + beside)
    undecided, tested = found.pop(None), any(found.values())
    held: list[str] = []
    said: list[str] = []
    if tested and not found[Verdict.REPRODUCED]:
        partly = bool(found[Verdict.PARTLY])
        (held if partly else said).append(
            f"No claim of the paper or of later work held{' in full' if partly else ''}."
        )
    subject = "The measurements"
    for verdict, listed in found.items():
        shows, last = SHOWS[verdict]
        for start in range(0, len(listed), MOST):
            also, some = "also " if start else "", listed[start : start + MOST]
            sentence = f"{subject} {also}{shows} {enumerated('that', some, last)}."
            (held if verdict in HELD else said).append(sentence)
            subject = "They"
    if undecided and len(undecided) <= MOST:
        said.append(f"No verdict could be given on {enumerated('whether', undecided, 'or')}.")
    elif undecided:
        counted = len(undecided)
        said.append(
            f"The other {counted} claims could not be tested."
            if tested
            else f"None of the {counted} claims could be tested."
        )
    return _joined(" ".join(held), " ".join(said))


def _joined(first: str, then: str) -> str:
    """Two texts as one paragraph, or as two where one would be too long."""
    apart = " " if len(f"{first} {then}".split()) <= LONGEST else "\n\n"
    return f"{first}{apart}{then}" if first and then else first or then


def published_numbers(study: Study, leads: Mapping[str, str]) -> Paragraph:
    """What the published run measured for some claims, as one sentence; empty where it measured none.

    Args:
        study: the edition.
        leads: by claim, the words that its number follows.
    """
    records = {record["claim"]: record for record in study.published_records}
    said = []
    for name, lead in leads.items():
        row = {f"published_{key}": value for key, value in records.get(name, {}).items()}
        if row.get("published_estimate") is not None:
            said.append(f"{lead} {measured(study.claims[name], row, 'published')}")
    return Paragraph(f"In the published run {'; '.join(said)}." if said else "")


def _placed(row: Mapping[str, object], claim: Claim) -> tuple[str | None, str]:
    """The verdict that a claim stands under, and what is said behind its clause."""
    ours, theirs = (
        AGAINST if OTHER_WAY in side(claim, row, run) else row[f"{run}_verdict"]
        for run in ("this", "published")
    )
    if ours not in (*TESTED, AGAINST):
        return (theirs, " (published run)") if theirs in (*TESTED, AGAINST) else (None, "")
    if theirs == AGAINST != ours:
        return ours, f" (published run: {OTHER_WAY})"
    same = row["this_verdict"] == row["published_verdict"]
    return ours, "" if same or theirs not in TESTED else f" (published run: {theirs})"


def enumerated(word: str, clauses: Sequence[str], last: str) -> str:
    """Clauses as one list, each after a word: "that a, that b and that c"."""
    *others, final = (f"{word} {clause}" for clause in clauses)
    comma = "," * any("," in clause for clause in clauses)
    return f"{', '.join(others)}{comma} {last} {final}" if others else final
