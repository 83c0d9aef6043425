"""What the discussion says of claims: by their verdicts, with the numbers of the records."""

import pandas as pd
import pytest

from zfutils.stats.intervals import Interval
from zfutils.study import claims as registered
from zfutils.study import claims_file, discussion
from zfutils.study.claims import Claim, Measurement
from zfutils.study.discussion import Group
from zfutils.study.places import BOOK
from zfutils.study.records import side_by_side

REPRODUCED, PARTLY, NOT, NO_VERDICT = registered.Verdict


def claim(name, *, reproduced="low > 1", partly="low > 0", verdict_on="measured - control", **more):
    """A claim whose difference from its control is judged."""
    texts = dict.fromkeys(("source", "quantity", "resampled", "control"), "-")
    texts |= {"says": f"It says {name}.", "unit": "points", "n": "seeds", "fails": "-"}
    rule = {"testable": "n >= 3", "reproduced": reproduced, "partly": partly, "verdict_on": verdict_on}
    return Claim.model_validate({"id": name, "chapter": 8, "kind": "paper", **texts, "rule": rule} | more)


CLAIMS = {name: claim(name) for name in ("first-one", "second-one", "third-one")}
HEAD = "**Depth pays** (§5.1; [chapter 8](08_ablation.ipynb))."
GROUP = Group("Depth pays", "§5.1", {"first-one": "deep is better", "second-one": "wide is not"})


def record(name, verdict, *, low=1.5, high=2.5, reason=None):
    """A record as a page writes it, as far as the discussion reads it."""
    numbers = {"estimate": (low + high) / 2, "low": low, "high": high, "n": 1200}
    return {"claim": name, "verdict": verdict and str(verdict), "reason": reason} | numbers


def rows(this, published=(), claims=CLAIMS):
    """Records of both runs, by claim."""
    return discussion.by_claim(side_by_side(claims.values(), this=this, published=published, written=()))


def said(group, records, claims=CLAIMS):
    """A group's paragraph and list on one line, its numbers no longer kept in one piece."""
    found = discussion.paragraph(group, records, claims).replace("\N{NO-BREAK SPACE}", " ")
    return found.replace("\n\n", " ").replace("\n", " ").replace("- *", "*")


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (REPRODUCED, "In this run it held. *Reproduced:* deep is better (2 [1.5, 2.5] points, n = 1,200)."),
        (
            PARTLY,
            "In this run it held in part. *In part:* deep is better (2 [1.5, 2.5] points, n = 1,200; asked: "
            "whole interval above 1).",
        ),
        (
            NOT,
            "In this run it did not hold. *Not reproduced:* deep is better (2 [1.5, 2.5] points, n = 1,200).",
        ),
        (NO_VERDICT, "In this run it could not be tested. *Without a verdict:* deep is better."),
        (None, "In this run it was not measured. *Not run:* deep is better."),
    ],
)
def test_the_verdict_decides_what_is_said_of_a_claim(verdict, expected):
    group = Group("Depth pays", "§5.1", {"first-one": "deep is better"})
    this = [record("first-one", verdict)] if verdict else []
    assert said(group, rows(this)) == f"{HEAD} {expected}"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([REPRODUCED, REPRODUCED], "held"),
        ([REPRODUCED, NOT], "held in part"),
        ([PARTLY, NOT], "held in part"),
        ([PARTLY, PARTLY], "held in part"),
        ([NOT, NOT], "did not hold"),
        (
            [NOT, NO_VERDICT, None],
            "could not be tested as a whole; the one of 3 claims that had a verdict did not hold",
        ),
        (
            [REPRODUCED, PARTLY, None, None],
            "could not be tested as a whole; the 2 of 4 claims that had a verdict held in part",
        ),
        ([REPRODUCED, REPRODUCED, None], "held, as far as it could be tested (2 of 3 claims)"),
        ([NO_VERDICT, None], "could not be tested"),
        ([None, None], "was not measured"),
    ],
)
def test_a_statement_holds_only_if_all_of_its_claims_do(verdicts, expected):
    assert discussion.outcome(verdicts) == expected
    assert discussion.outcome([verdict and str(verdict) for verdict in verdicts]) == expected  # from a file


@pytest.mark.parametrize(
    ("rule", "low", "high", "expected"),
    [
        ({}, -3, -1, "the other way round"),
        ({}, -1, 0, "0 is in the interval"),
        ({}, 0.5, 0.8, None),  # the right way, and too little
        ({"verdict_on": "measured / control", "reproduced": "high < 0.5"}, 0.8, 1.2, "1 is in the interval"),
        ({"verdict_on": "measured / control", "reproduced": "high < 0.5"}, 1.2, 1.4, "the other way round"),
        ({"reproduced": "low > -1 and high < 1"}, -3, -2, None),  # it asks for a small number of either sign
        ({"verdict_on": None, "fails": None}, -3, -2, None),  # 0 has no meaning of its own
    ],
)
def test_what_was_not_reproduced_says_where_its_interval_lies(rule, low, high, expected):
    claims = {"first-one": claim("first-one", partly=None, **rule)}
    group = Group("Depth pays", "§5.1", {"first-one": "deep is better"})
    measurement = Measurement(Interval((low + high) / 2, low, high, 1200, "seeds"), "quick")
    assert claims["first-one"].verdict(measurement) == NOT
    found = said(group, rows([record("first-one", NOT, low=low, high=high)], (), claims), claims)
    assert found.endswith(f"n = 1,200; {expected})." if expected else "n = 1,200).")


def test_the_published_run_stands_beside_with_a_verdict_of_its_own():
    this = [record("first-one", REPRODUCED), record("second-one", NO_VERDICT)]
    published = [record("first-one", NOT, low=-1, high=0), record("second-one", NO_VERDICT)]
    assert said(GROUP, rows(this, published)) == (
        f"{HEAD} In this run it could not be tested as a whole; the one of 2 claims that "
        "had a verdict held; in the published run it could not be tested as a whole; the one of 2 claims "
        "that had a verdict did not hold. *Reproduced:* deep is better (2 [1.5, 2.5] points, n = 1,200; "
        "published run: not reproduced, −0.5 [−1, 0] points, n = 1,200, 0 is in the interval). "
        "*Without a verdict:* wide is not."
    )


def test_a_claim_that_does_not_state_the_statement_stands_beside_it_and_does_not_speak_for_it():
    group = Group("Depth pays", "§5.1", GROUP.claims, stated_by=["first-one"])
    this = [record("first-one", NOT, low=-1, high=0), record("second-one", REPRODUCED)]
    assert said(group, rows(this)) == (
        f"{HEAD} In this run it did not hold. *Not reproduced:* deep is better (−0.5 [−1, 0] "
        "points, n = 1,200; 0 is in the interval). *Beside it, reproduced:* wide is not (2 [1.5, 2.5] "
        "points, n = 1,200)."
    )


def test_claims_of_one_verdict_have_a_line_each_under_its_word():
    this = [record("first-one", REPRODUCED), record("second-one", REPRODUCED)]
    _, word, *lines = discussion.paragraph(GROUP, rows(this), CLAIMS).replace("\n\n", "\n").split("\n")
    assert word == "- *Reproduced:*"
    assert [line[:9] for line in lines] == ["  - deep ", "  - wide "]


def test_a_gate_that_was_not_met_is_told_with_what_rests_on_it(standing):
    gates = {name: claim for name, claim in standing.items() if claim.kind == "gate"}
    (group,) = discussion.groups("gates")
    assert set(group.claims) == set(gates)
    met = [record(name, REPRODUCED) for name in gates]
    assert discussion.gates(rows(met, (), gates), gates) == "All of them were met, where they were asked."
    name = "training-main-networks-ended"
    failed = [record(name, PARTLY, low=0.5, high=1), *(one for one in met if one["claim"] != name)]
    found = discussion.gates(rows(failed, (), gates), gates)
    assert found.count("\n") == 0
    assert "(this run: partly reproduced, 0.75" in found
    assert found.endswith("no condition of its own.")


def test_what_only_the_published_run_measured_is_shown_as_not_run_here():
    found = said(GROUP, rows([], [record("second-one", PARTLY)]))
    assert found.endswith(
        "*Not run:* deep is better; wide is not (published run: partly reproduced, 2 [1.5, 2.5] points, "
        "n = 1,200, asked: whole interval above 1)."
    )


def test_what_could_not_be_asked_stands_with_what_the_failed_condition_means():
    claims = CLAIMS | {
        "third-one": claim("third-one", condition="ended >= 1", where={"ended": "share that ended; of all"}),
        "gate-one": claim("gate-one", kind="gate"),
    }
    reason = "n is 2, must be ≥ 3; ended is 0.5, must be ≥ 1; registered for quick only (this is photos)"
    this = [record("first-one", NOT), record("gate-one", NO_VERDICT, reason="-")]
    this.append(record("third-one", NO_VERDICT, reason=reason))
    table = discussion.untested(rows(this, [record("third-one", REPRODUCED)], claims), claims)
    assert table.replace("\N{NO-BREAK SPACE}", " ", regex=True).to_dict("records") == [
        {
            "chapter": 8,
            "claim": "It says second-one.",
            "why not": "not run yet",
            "published run": "not run yet",
        },
        {
            "chapter": 8,
            "claim": "It says third-one.",
            "why not": "seeds: 2, must be ≥ 3; share that ended: 0.5, must be ≥ 1; "
            "registered for quick only (this is photos)",
            "published run": "reproduced, 2 [1.5, 2.5] points, n = 1,200",
        },
    ]


def test_a_claim_whose_networks_were_not_run_counts_as_not_run_and_names_them():
    this = [record("first-one", NO_VERDICT, reason="not run yet: a network"), record("second-one", NOT)]
    found = rows(this)
    assert found["first-one"]["this_verdict"] is None
    assert discussion.counted(found, CLAIMS) == "1 not reproduced, 2 not run"
    assert discussion.untested(found, CLAIMS)["why not"].tolist() == ["not run yet: a network", "not run yet"]


def test_the_paper_s_claims_are_counted_by_run():
    claims = CLAIMS | {"later-one": claim("later-one", kind="later-work")}
    this = [record("first-one", NOT), record("third-one", NOT), record("later-one", REPRODUCED)]
    found = rows(this, [record("first-one", PARTLY)], claims)
    assert discussion.counted(found, claims) == "2 not reproduced, 1 not run"
    assert discussion.counted(found, claims, run="published") == "1 in part, 2 not run"


# ---- book/data/discussion.yaml


@pytest.fixture(scope="module")
def standing():
    return registered.standing(claims_file.load(BOOK / "claims.yaml"))


def test_every_claim_of_the_paper_is_discussed_once(standing):
    discussed = [name for group in discussion.groups("paper") for name in group.claims]
    assert sorted(discussed) == sorted(name for name, one in standing.items() if one.kind == "paper")


def test_the_groups_of_later_work_hold_its_claims_alone_each_once(standing):
    discussed = [name for group in discussion.groups("later") for name in group.claims]
    assert len(set(discussed)) == len(discussed)
    assert {standing[name].kind for name in discussed} == {"later-work"}


@pytest.mark.parametrize("kind", ["paper", "later", "further", "gates"])
def test_a_group_says_where_its_statement_is_made_and_one_clause_for_each_claim(kind):
    for group in discussion.groups(kind):
        assert group.title
        assert group.where
        assert set(group.stated_by) <= set(group.claims)
        for clause in group.claims.values():
            assert clause == clause.strip()
            assert clause[-1].isalnum()
            assert ";" not in clause  # which is what parts the clauses


def test_records_without_a_number_are_none_and_no_nan():
    found = rows([{"claim": "first-one", "verdict": str(NO_VERDICT), "reason": "a test", "n": 0}])
    assert found["first-one"]["this_estimate"] is None
    assert found["second-one"]["this_verdict"] is None
    assert not any(
        isinstance(value, float) and pd.isna(value) for row in found.values() for value in row.values()
    )
