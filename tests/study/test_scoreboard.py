"""What the scoreboard shows of a claim, and how it counts."""

import pytest

from zfutils.stats.intervals import Interval
from zfutils.study import claims, scoreboard
from zfutils.study.study import Study
from zfutils.training.outcomes import NOT_RUN

DOUBLED = "training-twice-as-long-gains-little"  # its networks are trained apart from the book
TEN_CROPS = Interval(2.0, 1.0, 3.0, 1500, "validation pictures")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study in which every standing claim was recorded without a measurement, but for the doubled run."""
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    opened = Study.open("smoke", "02_training")
    for claim in claims.standing(opened.claims):
        if claim != DOUBLED:
            with opened.claim(claim) as one:
                one.measured(None, otherwise="a test")
    return opened


def shown(study, claim, run="this run"):
    table = scoreboard.claims_table(study, 2)
    return table.set_index("claim")[run][study.claims[claim].says]


def test_every_standing_claim_is_counted_once_in_each_run(study):
    counts = scoreboard.verdict_counts(study)
    standing = claims.standing(study.claims).values()
    for _, of_run in counts.groupby("run"):
        numbers = of_run.set_index("kind").drop(columns="run").sum(axis=1)
        for kind, name in scoreboard.KINDS.items():
            assert numbers[name] == sum(claim.kind == kind for claim in standing)
    assert len(scoreboard.register_table(study)) == len(standing)
    assert len(scoreboard.claims_table(study)) == len(standing)


def test_the_papers_claims_are_counted_by_chapter_without_the_other_kinds(study):
    by_chapter = scoreboard.verdicts_by_chapter(study)
    by_kind = scoreboard.verdict_counts(study)
    paper = by_kind[by_kind["kind"] == scoreboard.KINDS["paper"]].set_index("run").drop(columns="kind")
    assert by_chapter.groupby("run").sum().drop(columns="chapter").loc[paper.index].equals(paper)


def test_a_claim_that_is_run_apart_shows_the_published_record_or_that_it_was_not_run(study):
    assert shown(study, DOUBLED) == NOT_RUN
    published = {
        "claim": DOUBLED,
        "verdict": "reproduced",
        "estimate": 0.5,
        "low": 0.2,
        "high": 0.8,
        "n": 7850,
    }
    study.published_records.append(published)
    assert shown(study, DOUBLED) == "see the published run"
    assert shown(study, DOUBLED, "published run") == (
        "<b>reproduced</b><br><span>0.5 [0.2, 0.8]</span><br>points<br>n = 7,850"
    )
    with study.claim(DOUBLED) as claim:
        claim.measured(TEN_CROPS, arms=(30.0, 28.0))
    assert "<span>2 [1, 3]</span>" in shown(study, DOUBLED)


def test_a_number_without_a_verdict_stands_with_the_reason_first(study):
    with study.claim("training-ten-crops-decided") as claim:
        claim.measured(TEN_CROPS, arms=(20.0, 18.0), conditions={"ended": 1.0})
    assert shown(study, "training-ten-crops-decided") == (
        "<b>not testable at this scale</b><br>asked of every edition but smoke, not of smoke"
        "<br><span>2 [1, 3]</span><br>points<br>n = 1,500"
    )
    assert shown(study, "training-initialisation-pair") == "<b>not testable at this scale</b><br>a test"


def test_the_register_says_what_a_claim_needs_for_a_verdict(study):
    table = scoreboard.register_table(study).set_index("claim")
    name = "architecture-middle-frequencies-over-noise"
    assert table.loc[name, "testable if"] == "n >= 16 and ended >= 1 and side >= 112"
    assert table.loc[name, "verdict on"] == "measured - control"
