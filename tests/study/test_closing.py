"""The closing sentences of a chapter: by verdict, from the records of both runs."""

import pytest

from zfutils.study import claims as registered
from zfutils.study import closing, discussion
from zfutils.study.places import BOOK

REPRODUCED, PARTLY, NOT, NO_VERDICT = registered.Verdict
CLAUSES = {
    "a": "maps are alike",
    "b": "edges come first",
    "c": "depth pays",
    "d": "width does not",
    "e": "it ends",
}


class Known:
    """As much of a claim as a closing asks for."""

    def __init__(self, kind="paper"):
        self.kind = kind


def said(ours, theirs=(), kinds=()):
    """Sentences on claims a, b, c … with these verdicts of this run and of the published run."""
    names = list(CLAUSES)[: len(ours)]
    theirs = list(theirs) + [None] * (len(ours) - len(theirs))
    both = zip(names, ours, theirs, strict=True)
    records = {name: {"this_verdict": this, "published_verdict": other} for name, this, other in both}
    return closing.sentences(records, {n: Known(dict(kinds).get(n, "paper")) for n in names}, CLAUSES)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([REPRODUCED], "In this run we found that maps are alike. No claim failed."),
        (
            [REPRODUCED, REPRODUCED, NOT],
            "In this run we found that maps are alike and that edges come first. "
            "We did not find that depth pays.",
        ),
        (
            [NOT, PARTLY, NO_VERDICT],
            "None of the claims held in full. We did not find that maps are alike; found only in part that "
            "edges come first; and could not decide whether depth pays.",
        ),
        (
            [REPRODUCED, None, NO_VERDICT, None, None],
            "In this run we found that maps are alike. We could not decide the other 4 claims.",
        ),
        (
            [NOT, NOT, NO_VERDICT, None],
            "None of the claims held in full. We did not find that maps are alike or that edges come first; "
            "and could not decide whether depth pays or whether width does not.",
        ),
        ([None] * 4, "None of the claims held in full. We could not decide any of the 4."),
    ],
)
def test_a_claim_stands_where_its_verdict_puts_it(verdicts, expected):
    assert said(verdicts) == expected
    assert said([verdict and str(verdict) for verdict in verdicts]) == expected  # as a file holds it


def test_a_verdict_of_the_published_run_is_told_where_it_differs():
    assert "maps are alike (published run: not reproduced)" in said([REPRODUCED], [NOT])
    assert "maps are alike." in said([REPRODUCED], [REPRODUCED])
    assert "maps are alike." in said([REPRODUCED], [NO_VERDICT])
    assert said([NO_VERDICT], [NOT]).endswith("We did not find that maps are alike (published run).")


def test_gates_are_conditions_and_no_findings():
    assert "edges" not in said([REPRODUCED, NOT], kinds={"b": "gate"})


def test_every_claim_of_a_chapter_that_is_no_gate_has_a_clause():
    standing = registered.standing(registered.load(BOOK / "claims.yaml"))
    clauses = {name for kind in closing.KINDS for group in discussion.groups(kind) for name in group.claims}
    assert clauses == {name for name, one in standing.items() if one.kind != "gate"}
