"""Records of claims: what they hold, when they are official, and what reads them."""

import json

import pytest

from zfutils.stats.intervals import Interval
from zfutils.study import claims, records
from zfutils.study import study as study_module
from zfutils.study.study import Study

CLAIM = "training-ten-crops-decided"
TEN_CROPS = Interval(2.0, 1.0, 3.0, 1500, "validation pictures")
BOTH = {"arms": (20.0, 18.0), "conditions": {"ended": 1.0}}


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    return tmp_path


def row(study, claim=CLAIM):
    return json.loads((study.claims_folder / f"{claim}.json").read_text())


def record_all(study, but=()):
    """A record without a measurement for every standing claim."""
    for claim in claims.standing(study.claims):
        if claim not in but:
            with study.claim(claim) as one:
                one.measured(None, otherwise="a test")


def test_a_record_holds_estimate_interval_verdict_and_how_it_was_made(build):
    study = Study.open("quick", "02_training")
    with study.claim(CLAIM) as claim:
        claim.measured(TEN_CROPS, one_crop=20.0, **BOTH)
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
    with study.claim(CLAIM) as claim:
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

    with study.claim(CLAIM, after=[searching, Network()]) as claim:
        claim.measured(TEN_CROPS, **BOTH)
    assert row(study)["seconds"] == 107.5


def test_a_trial_writes_beside_the_official_record_and_leaves_it_alone():
    official = Study.open("quick", "06_occlusion")
    trial = Study.open("quick", "06_occlusion", seed=3, fill="noise")
    name = "occlusion-points-at-an-object-off-centre"
    with official.claim(name) as claim:
        claim.measured(Interval(0.5, 0.4, 0.6, 100, "scenes"), arms=(0.75, 0.25), conditions={"ended": 1})
    before = (official.claims_folder / f"{name}.json").read_bytes()
    with trial.claim(name) as claim:
        claim.measured(Interval(-0.5, -0.6, -0.4, 100, "scenes"), arms=(0.25, 0.75), conditions={"ended": 1})
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
    assert "`fill = 'noise'`" in note._repr_markdown_()


def test_an_error_while_it_is_measured_writes_nothing():
    study = Study.open("quick", "02_training")

    def measure():
        with study.claim(CLAIM) as claim:
            claim.measured(TEN_CROPS, **BOTH)
            raise LookupError

    with pytest.raises(LookupError):
        measure()
    assert not study.claims_folder.exists()


def test_a_claim_for_which_nothing_is_recorded_is_an_error():
    study = Study.open("quick", "02_training")
    opened = study.claim(CLAIM)
    with (
        pytest.raises(RuntimeError, match=f"{CLAIM!r} was opened and nothing was recorded"),
        opened,
    ):
        pass


def test_an_unregistered_claim_or_a_study_without_its_page_is_refused():
    with pytest.raises(ValueError, match="no claim 'ten-crops' is registered"):
        Study.open("smoke", "02_training").claim("ten-crops")
    with pytest.raises(ValueError, match="recorded by a page"):
        Study.open("smoke").claim(CLAIM)


def test_a_chapter_that_left_out_a_claim_is_named():
    study = Study.open("smoke", "02_training")
    record_all(study, but=[CLAIM])
    with pytest.raises(ValueError, match=f"claims without a record: {CLAIM}"):
        study.records()
    assert set(study.records([1])["this_verdict"]) == {"not testable at this scale"}


# ---- the control and the conditions


def registered(**changes) -> claims.Claim:
    """A claim whose verdict is taken on measured minus control, and of which one condition is asked."""
    entry = {
        **{"id": "training-new", "chapter": 2, "kind": "paper", "source": "§3", "says": "it is better"},
        **{"quantity": "a difference", "unit": "points", "n": "pictures", "resampled": "pictures"},
        **{"control": "its twin", "condition": "ended >= 1", "where": {"ended": "share of networks"}},
        "rule": {"testable": "n >= 10", "verdict_on": "measured - control", "reproduced": "low > 0"},
    }
    return claims.Claim.model_validate(entry | changes)


def opened(claim: claims.Claim, folder) -> records.Recording:
    return records.Recording(claim, folder, "quick", "a machine", {}, True)


def test_a_verdict_is_taken_on_measured_minus_control(build):
    with opened(registered(), build) as claim:
        claim.measured(TEN_CROPS, arms=(7.0, 5.0), conditions={"ended": True})
    found = json.loads((build / "training-new.json").read_text())
    assert (found["verdict"], found["reason"]) == ("reproduced", None)
    assert (found["arms"], found["conditions"]) == ({"measured": 7.0, "control": 5.0}, {"ended": 1.0})


def test_a_condition_that_fails_is_recorded_with_value_and_bound(build):
    with opened(registered(), build) as claim:
        claim.measured(TEN_CROPS, arms=(7.0, 5.0), conditions={"ended": 2 / 3})
    found = json.loads((build / "training-new.json").read_text())
    assert (found["verdict"], found["estimate"]) == ("not testable at this scale", 2.0)
    assert found["reason"] == "ended is 0.667, must be ≥ 1"


@pytest.mark.parametrize(
    ("verdict_on", "arms", "message"),
    [
        ("measured - control", None, "taken on measured - control: give both as arms"),
        ("measured - control", (7.0, 4.9), "the estimate is 2, but measured - control is 2.1"),
        ("measured / control", (7.0, 5.0), "the estimate is 2, but measured / control is 1.4"),
        (None, (7.0, 5.0), "names no control: it has no arms"),
    ],
)
def test_an_estimate_without_its_control_in_it_is_refused(build, verdict_on, arms, message):
    claim = registered(rule={"testable": "n >= 10", "verdict_on": verdict_on, "reproduced": "low > 0"})
    with pytest.raises(ValueError, match=message), opened(claim, build) as recording:
        recording.measured(TEN_CROPS, arms=arms, conditions={"ended": 1})
    assert not (build / "training-new.json").exists()


def test_a_ratio_may_be_the_number_and_rounding_is_let_pass(build):
    claim = registered(
        rule={"testable": "n >= 10", "verdict_on": "measured / control", "reproduced": "low > 0"}
    )
    with opened(claim, build) as recording:
        recording.measured(TEN_CROPS, arms=(7.0, 3.4999), conditions={"ended": 1})
    assert json.loads((build / "training-new.json").read_text())["estimate"] == 2.0


def test_where_nothing_was_measured_neither_arms_nor_conditions_are_asked(build):
    with opened(registered(), build) as claim:
        claim.measured(None, otherwise="not run yet")
    assert json.loads((build / "training-new.json").read_text())["reason"] == "not run yet"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"planned": True}, "'training-new' is planned"),
        ({"superseded": {"by": ("training-old",), "because": "x"}}, "superseded by training-old"),
    ],
)
def test_a_claim_that_does_not_stand_is_not_recorded(monkeypatch, changes, message):
    extra = {"fails": "no difference"}
    both = {"training-new": registered(**changes, **extra), "training-old": registered(id="training-old")}
    monkeypatch.setattr(study_module.claims_file, "load", lambda path: both)
    with pytest.raises(ValueError, match=message):
        Study.open("smoke", "02_training").claim("training-new")
