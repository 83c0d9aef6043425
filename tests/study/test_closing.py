"""The closing sentences of a chapter: by verdict, from the records of both runs."""

import pytest

from zfutils.study import claims as registered
from zfutils.study import claims_file, closing, discussion
from zfutils.study.places import BOOK
from zfutils.study.study import Study

REPRODUCED, PARTLY, NOT, NO_VERDICT = registered.Verdict
CLAUSES = {
    "a": "maps are alike",
    "b": "edges come first",
    "c": "depth pays",
    "d": "width does not",
    "e": "it ends",
}


REGISTER = claims_file.load(BOOK / "claims.yaml")


def known(kind="paper"):
    """A registered claim whose verdict is taken on a difference from its control, as of a kind."""
    return REGISTER["correspondence-same-eyes"].model_copy(update={"kind": kind})


def said(ours, theirs=(), kinds=(), ends=(-1.0, 1.0), published=(-1.0, 1.0)):
    """Sentences on claims a, b, c … with these verdicts of this run and of the published run."""
    names = list(CLAUSES)[: len(ours)]
    theirs = list(theirs) + [None] * (len(ours) - len(theirs))
    keys = ("this_low", "this_high", "published_low", "published_high")
    measured = dict(zip(keys, (*ends, *published), strict=True))
    both = zip(names, ours, theirs, strict=True)
    records = {
        name: {"this_verdict": this, "published_verdict": other} | measured for name, this, other in both
    }
    return closing.sentences(records, {n: known(dict(kinds).get(n, "paper")) for n in names}, CLAUSES)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([REPRODUCED], "The measurements show that maps are alike."),
        (
            [REPRODUCED, REPRODUCED, NOT],
            "The measurements show that maps are alike and that edges come first. "
            "They do not show that depth pays.",
        ),
        (
            [NOT, PARTLY, NO_VERDICT],
            "No claim of the paper or of later work held in full. The measurements bear out in part "
            "that edges come first. They do not show that maps are alike. No verdict "
            "could be given on whether depth pays.",
        ),
        (
            [REPRODUCED] * 4,
            "The measurements show that maps are alike, that edges come first and that depth pays. "
            "They also show that width does not.",
        ),
        (
            [REPRODUCED, None, NO_VERDICT, None, None],
            "The measurements show that maps are alike. The other 4 claims could not be tested.",
        ),
        (
            [NOT, NOT, NO_VERDICT, None],
            "No claim of the paper or of later work held. The measurements do not show that "
            "maps are alike or that edges come first. No verdict could be given on whether depth pays or "
            "whether width does not.",
        ),
        ([None] * 4, "None of the 4 claims could be tested."),
    ],
)
def test_a_claim_stands_where_its_verdict_puts_it(verdicts, expected):
    assert said(verdicts) == expected
    assert said([verdict and str(verdict) for verdict in verdicts]) == expected  # as a file holds it


def test_what_held_has_a_paragraph_of_its_own_where_one_would_be_too_long(monkeypatch):
    assert "\n" not in said([REPRODUCED, NOT])
    monkeypatch.setattr(closing, "LONGEST", 13)  # the two sentences have 7 and 7 words
    assert said([REPRODUCED, NOT]) == (
        "The measurements show that maps are alike.\n\nThey do not show that edges come first."
    )
    assert said([NOT, NO_VERDICT]).startswith(
        "No claim of the paper or of later work held. The measurements do"
    )


def test_a_verdict_of_the_published_run_is_told_where_it_differs():
    assert "maps are alike (published run: not reproduced)" in said([REPRODUCED], [NOT])
    assert "maps are alike." in said([REPRODUCED], [REPRODUCED])
    assert "maps are alike." in said([REPRODUCED], [NO_VERDICT])
    assert said([NO_VERDICT], [NOT]).endswith("do not show that maps are alike (published run).")


def test_a_difference_of_the_other_sign_is_told():
    assert "speak against the view that maps are alike." in said([NOT], ends=(-0.3, -0.1))
    assert "against" not in said([NOT], ends=(-0.3, 0.1))
    published = {"published": (-0.3, -0.1)}
    assert said([NOT], [NOT], **published).endswith("are alike (published run: the other way round).")
    assert said([NO_VERDICT], [NOT], **published).endswith(
        "against the view that maps are alike (published run)."
    )


def test_the_published_runs_numbers_follow_their_leads():
    study = Study.open("quick")
    (record,) = (one for one in study.published_records if one["claim"] == "ablation-depth-training-error")
    said = closing.published_numbers(study, {record["claim"]: "the training error rises by"}).text
    assert said.startswith(f"In the published run the training error rises by {record['estimate']:.3g}")
    assert closing.published_numbers(study, {}).text == ""


def test_gates_are_conditions_and_no_findings():
    assert "edges" not in said([REPRODUCED, NOT], kinds={"b": "gate"})


def test_every_claim_of_a_chapter_that_is_no_gate_has_a_clause():
    standing = registered.standing(REGISTER)
    clauses = {name for kind in closing.KINDS for group in discussion.groups(kind) for name in group.claims}
    assert clauses == {name for name, one in standing.items() if one.kind != "gate"}
