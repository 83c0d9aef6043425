"""The register of claims as a page: what was replaced and why, and the rules that took its place.

A rule is not changed once its number was seen. A claim that turned out unfair leaves the scoreboard for this
page, with its last published verdict; its successors were registered, with all their rules, before any page
measured them, or say what was known.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

from zfutils.stats.formatting import significant
from zfutils.study.claims import Claim, retired
from zfutils.study.display import Html
from zfutils.study.rules import printed
from zfutils.study.scoreboard import KINDS
from zfutils.study.study import Study

Entries = list[tuple[str, str]]

FOLDED = ("measure", "interval", "control", "condition", "where", "rule", "would")  # terms to unfold begin so


def deviations(study: Study, chapter: int) -> Html:
    """One chapter's replaced and reworded claims and new rules, as cards for narrow screens too.

    Args:
        study: the edition, whose register it is.
        chapter: its number.
    """
    same = unchanged(study)
    cards = [
        card(claim, entries(study, claim), folded=FOLDED)
        for claim in study.claims.values()
        if claim.chapter == chapter and claim.id not in same
    ]
    return Html("\n".join(cards) or "<p>Nothing was changed.</p>")


def unchanged(study: Study) -> list[str]:
    """The ids of claims that stand as they were registered and replace nothing, word for word."""
    return [
        c.id for c in study.claims.values() if not (c.superseded or c.planned or c.replaces or c.reworded)
    ]


def entries(study: Study, claim: Claim) -> Entries:
    """What is said of a claim's registration, term by term; a replaced one with its published verdict."""
    if not claim.superseded:
        return new_entries(claim)
    published = {record["claim"]: record for record in study.published_records}
    return old_entries(claim, study.claims, published.get(claim.id))


def old_entries(
    claim: Claim, claims: Mapping[str, Claim], published: Mapping[str, Any] | None = None
) -> Entries:
    """What the page says of a replaced claim, term by term.

    Args:
        claim: one that was superseded.
        claims: the register.
        published: its record in the published run, where there is one.
    """
    left = (
        "left the scoreboard"
        if claim.id in retired(claims)
        else "on the scoreboard until all its successors are measured"
    )
    verdict = "none"
    if published:
        verdict = published["verdict"]
        if published["estimate"] is not None:
            ends = (published[key] for key in ("estimate", "low", "high"))
            verdict += f": {significant(*ends)} {claim.unit}"
    return [
        ("status", f"replaced, {left}"),
        ("says", claim.says),
        ("why it was replaced", claim.superseded.because),
        ("replaced by", ", ".join(claim.superseded.by)),
        ("last published verdict", verdict),
        ("measured", f"{claim.quantity} ({claim.unit})"),
        *_control_and_condition(claim),
        ("rule", _rule(claim)),
    ]


def new_entries(claim: Claim) -> Entries:
    """What the page says of a claim that was not replaced, term by term."""
    place = "registered, not measured yet" if claim.planned else "on the scoreboard"
    before = "as first registered" + ", but for its words" * bool(claim.reworded)
    status = f"{'new' if claim.fails else before}, {place}"
    published = "; its networks are trained once, apart from the book" if claim.run else ""
    said = [
        ("status", status + published),
        ("replaces", ", ".join(claim.replaces) or ("nothing, the question is new" if claim.fails else "")),
        ("known beforehand", claim.known and printed(claim.known)),
        ("says", claim.says),
        ("first put as", claim.reworded and claim.reworded.first),
        ("why in other words", claim.reworded and claim.reworded.because),
        ("measures", f"{claim.quantity} ({claim.unit})"),
        ("interval over", claim.resampled),
        *_control_and_condition(claim),
        ("rule", _rule(claim)),
        ("would fail if", claim.fails),
    ]
    return [(term, text) for term, text in said if text]


def _control_and_condition(claim: Claim) -> Entries:
    place = "in the number" if claim.rule.verdict_on else "beside the number"
    said = [(f"control, {place}", claim.control)]
    if claim.condition:
        meanings = "; ".join(f"{name}: {meaning}" for name, meaning in claim.where.items())
        said += [("condition", printed(claim.condition)), ("where", meanings)]
    return said


def _rule(claim: Claim) -> str:
    """A claim's rule on one line."""
    rule = claim.rule
    asked = [f"verdict on {rule.verdict_on}"] if rule.verdict_on else []
    asked.append(
        f"tested if {rule.testable.text}" + (f" ({', '.join(rule.editions)})" if rule.editions else "")
    )
    asked.append(f"reproduced if {rule.reproduced.text}")
    if rule.partly:
        asked.append(f"partly if {rule.partly.text}")
    return printed("; ".join(asked))


def card(claim: Claim, entries: Entries, *, folded: tuple[str, ...] = ()) -> str:
    """A claim as HTML: its id, its kind, and a list of terms and what belongs to them.

    Terms that begin with one of `folded` stand in a second list, to be unfolded.

    What replaces it or was replaced leads to its own card, a claim of today to its line of the scoreboard.
    """
    others = {*claim.replaces, *(claim.superseded.by if claim.superseded else ())}

    def linked(text: str) -> str:
        parts = text.split(", ")
        return ", ".join(
            f'<a href="deviations.html#{part}">{part}</a>' if part in others else escape(part)
            for part in parts
        )

    def listed(some: Entries) -> str:
        lines = "".join(f"<dt>{escape(term)}</dt><dd>{linked(text)}</dd>" for term, text in some)
        return f"<dl>{lines}</dl>"

    shown = listed([entry for entry in entries if not entry[0].startswith(folded)])
    if hidden := [entry for entry in entries if entry[0].startswith(folded)]:
        shown += f"<details><summary>What is measured, and the rule</summary>{listed(hidden)}</details>"
    name = f"<code>{claim.id}</code>"
    if not claim.superseded and not claim.planned:
        name = f'<a href="scoreboard.html#claim-{claim.id}">{name}</a>'
    title = f"<p>{name} {KINDS[claim.kind]}: {escape(claim.source)}</p>"
    return f'<div class="claim" id="{claim.id}">{title}{shown}</div>'
