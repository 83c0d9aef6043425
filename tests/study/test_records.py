"""Records of claims: what they hold, when they are official, and what reads them."""

import json

import pytest
from IPython.display import Markdown

from zfutils.stats.intervals import Interval
from zfutils.study import records, scoreboard
from zfutils.study.study import Study

TEN_CROPS = Interval(2.0, 1.0, 3.0, 1500, "validation pictures")


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    return tmp_path


def row(study, claim="training-ten-crops"):
    return json.loads((study.claims_folder / f"{claim}.json").read_text())


def record_all(study, but=()):
    """A record without a measurement for every claim."""
    for claim in study.claims:
        if claim not in but:
            with study.claim(claim) as one:
                one.measured(None, otherwise="a test")


def test_a_record_holds_estimate_interval_verdict_and_how_it_was_made(build):
    study = Study.open("quick", "02_training")
    with study.claim("training-ten-crops") as claim:
        claim.measured(TEN_CROPS, one_crop=20.0)
    found = row(study)
    assert study.claims_folder == build / "quick" / "results" / "claims"
    assert (found["estimate"], found["low"], found["high"], found["n"]) == (2.0, 1.0, 3.0, 1500)
    assert (found["verdict"], found["edition"], found["context"]) == (
        "reproduced",
        "quick",
        {"one_crop": 20.0},
    )
    assert (found["official"], found["seed"], found["parameters"]) == (True, 0, {"seed": 0})
    assert found["device"]
    assert found["commit"] == records.commit()


def test_nothing_measured_is_recorded_with_its_reason():
    study = Study.open("quick", "02_training")
    with study.claim("training-ten-crops") as claim:
        claim.measured(None, otherwise="a set of one class", classes=1)
    found = row(study)
    assert (found["estimate"], found["n"], found["verdict"]) == (None, 0, "not testable at this scale")
    assert (found["reason"], found["context"]) == ("a set of one class", {"classes": 1})


def test_seconds_are_those_of_the_block_and_of_the_work_before_it(monkeypatch):
    study, clock = Study.open("quick", "02_training"), iter([10.0, 13.0, 20.0, 24.0, 50.0, 50.5])
    monkeypatch.setattr(records.time, "perf_counter", lambda: next(clock))
    with records.Stopwatch() as searching:
        pass
    with searching:
        pass
    assert searching.seconds == 3 + 4

    class Network:
        seconds = 100.0

    with study.claim("training-ten-crops", after=[searching, Network()]) as claim:
        claim.measured(TEN_CROPS)
    assert row(study)["seconds"] == 107.5


def test_a_trial_writes_beside_the_official_record_and_leaves_it_alone():
    official = Study.open("quick", "06_occlusion")
    trial = Study.open("quick", "06_occlusion", seed=3, fill="noise")
    name = "occlusion-points-at-the-object"
    with official.claim(name) as claim:
        claim.measured(Interval(0.5, 0.4, 0.6, 100, "pictures"))
    before = (official.claims_folder / f"{name}.json").read_bytes()
    with trial.claim(name) as claim:
        claim.measured(Interval(-0.5, -0.6, -0.4, 100, "pictures"))
    assert (official.claims_folder / f"{name}.json").read_bytes() == before
    assert trial.claims_folder != official.claims_folder
    found = row(trial, name)
    assert (found["official"], found["seed"], found["estimate"]) == (False, 3, -0.5)
    assert found["parameters"]["fill"] == "noise"
    assert Study.open("quick", "06_occlusion", fill="noise", seed=3).claims_folder == trial.claims_folder
    assert Study.open("quick", "06_occlusion", fill="black", seed=3).claims_folder != trial.claims_folder


def test_a_trial_says_so_at_the_top_of_its_page():
    assert Study.open("quick", "06_occlusion").note() is None
    note = Study.open("quick", "06_occlusion", fill="noise").note()
    assert isinstance(note, Markdown)
    assert "`fill = 'noise'`" in note.data


def test_an_error_while_it_is_measured_writes_nothing():
    study = Study.open("quick", "02_training")

    def measure():
        with study.claim("training-ten-crops") as claim:
            claim.measured(TEN_CROPS)
            raise LookupError

    with pytest.raises(LookupError):
        measure()
    assert not study.claims_folder.exists()


def test_a_claim_for_which_nothing_is_recorded_is_an_error():
    study = Study.open("quick", "02_training")
    opened = study.claim("training-ten-crops")
    with (
        pytest.raises(RuntimeError, match="'training-ten-crops' was opened and nothing was recorded"),
        opened,
    ):
        pass


def test_an_unregistered_claim_or_a_study_without_its_page_is_refused():
    with pytest.raises(ValueError, match="no claim 'ten-crops' is registered"):
        Study.open("smoke", "02_training").claim("ten-crops")
    with pytest.raises(ValueError, match="recorded by a page"):
        Study.open("smoke").claim("training-ten-crops")


def test_a_chapter_that_left_out_a_claim_is_named():
    study = Study.open("smoke", "02_training")
    record_all(study, but=["training-ten-crops"])
    with pytest.raises(ValueError, match="claims without a record: training-ten-crops"):
        study.records()
    assert set(study.records([1])["this_verdict"]) == {"not testable at this scale"}
    shown = scoreboard.claims_table(study, 1)["this run"]
    assert set(shown) == {"<b>not testable at this scale</b><br>a test"}


def test_the_scoreboard_counts_every_claim_once():
    study = Study.open("smoke", "02_training")
    record_all(study)
    counts = scoreboard.verdict_counts(study)
    of_this_run = counts[counts["run"] == "this run"].drop(columns=["chapter", "run"])
    assert of_this_run.to_numpy().sum() == len(study.claims)
    assert len(scoreboard.register_table(study)) == len(study.claims)
