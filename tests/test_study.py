"""The study: networks are trained once and found again, claims are recorded, runs are published."""

import json

import pytest
import torch

from zfutils import published, scoreboard, study
from zfutils.checkpoints import same_network, write_json
from zfutils.evaluation import evaluate
from zfutils.statistics import Interval
from zfutils.study import Study


@pytest.fixture(scope="module")
def smoke(build_folder):
    return Study.open("smoke")


@pytest.fixture(scope="module")
def zfnet(smoke):
    return smoke.network("zfnet")


@pytest.fixture
def reference(tmp_path, monkeypatch):
    for module in (study, published):
        monkeypatch.setattr(module, "REFERENCE", tmp_path)
    return tmp_path / "networks" / "zfnet-0"


def test_a_network_is_trained_once_and_then_loaded(smoke, zfnet):
    written = (zfnet.folder / "network.json").stat().st_mtime_ns
    again = Study.open("smoke").network("zfnet")
    assert (again.folder / "network.json").stat().st_mtime_ns == written
    assert torch.equal(again.model.conv1.weight, zfnet.model.conv1.weight)


def test_the_pool_trains_what_one_thread_trains(smoke, monkeypatch, tmp_path):
    names = ["trial-recipe", "trial-he"]
    smoke.train(names)
    side_by_side = [smoke.network(name).model.conv1.weight for name in names]
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one_by_one = [Study.open("smoke").network(name).model.conv1.weight for name in names]
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(side_by_side, one_by_one, strict=True))


def test_an_unknown_network_or_edition_is_refused_with_those_there_are(smoke):
    with pytest.raises(ValueError, match=r"smoke has no network 'alexnet'; it has zfnet, krizhevsky"):
        smoke.network("alexnet")
    with pytest.raises(FileNotFoundError, match=r"no edition 'quik'.*photos, quick, smoke"):
        Study.open("quik")


def test_validation_images_are_centred_with_the_training_mean(smoke):
    assert torch.equal(smoke.validation_images.mean, smoke.train_images.mean)


def test_scores_are_computed_once_and_are_those_of_evaluate(smoke, zfnet):
    first, again = smoke.scores("zfnet", crops=1), smoke.scores("zfnet", crops=1)
    fresh = evaluate(zfnet.model, smoke.validation_images, smoke.profile.training, side=zfnet.spec.image)
    assert (first.probabilities == again.probabilities).all()
    assert (first.probabilities == fresh.probabilities).all()


def test_a_published_network_is_found_unless_fresh_or_another(zfnet, reference, monkeypatch):
    published.publish_network(zfnet, reference, snapshots=(1, 2, 5))
    assert Study.open("smoke").network("zfnet").folder == reference
    monkeypatch.setenv("FRESH", "1")
    assert Study.open("smoke").network("zfnet").folder == zfnet.folder
    monkeypatch.delenv("FRESH")
    record = json.loads((reference / "network.json").read_text())
    record["identity"]["training"]["rate"] *= 2
    write_json(record, reference / "network.json")
    assert Study.open("smoke").network("zfnet").folder == zfnet.folder


def test_a_published_network_keeps_whole_last_weights_and_convolutions_before(zfnet, reference):
    published.publish_network(zfnet, reference, snapshots=(1, 2, 5))
    found = study.checkpoints.load(reference)
    assert torch.equal(found.model.fc8.weight, zfnet.model.fc8.weight.half().float())
    assert found.snapshots == zfnet.snapshots
    assert torch.equal(found.at(1).conv5.weight, zfnet.at(1).conv5.weight.half().float())
    assert torch.equal(found.at(0).fc6.weight, zfnet.at(0).fc6.weight), "the seed gives epoch 0"


def test_another_encoding_of_the_same_photographs_is_the_same_network():
    made = {"seed": 0, "images": {"names": "a", "content": "x"}}
    assert same_network(made, {"seed": 0, "images": {"names": "a", "content": "y"}})
    assert not same_network(made, {"seed": 0, "images": {"names": "b", "content": "x"}})
    assert not same_network(made, {"seed": 1, "images": {"names": "a", "content": "x"}})


def test_a_record_holds_estimate_interval_verdict_and_what_it_was_made_with(smoke, tmp_path, monkeypatch):
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    own = Study.open("quick")
    interval = Interval(2.0, 1.0, 3.0, 1500, "validation pictures")
    own.record("training-ten-crops", interval, seconds=1.5, one_crop=20.0)
    row = json.loads((own.folder / "results/claims/training-ten-crops.json").read_text())
    assert (row["estimate"], row["low"], row["high"], row["n"]) == (2.0, 1.0, 3.0, 1500)
    assert (row["verdict"], row["edition"], row["context"]) == ("reproduced", "quick", {"one_crop": 20.0})
    assert row["device"]
    assert row["seconds"] == 1.5


def test_an_unregistered_claim_is_refused(smoke):
    with pytest.raises(ValueError, match="no claim 'ten-crops' is registered"):
        smoke.record("ten-crops", None, seconds=0)


def test_a_chapter_that_left_out_a_claim_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    own = Study.open("smoke")
    for claim in own.claims:
        if claim != "training-ten-crops":
            own.record(claim, None, seconds=0)
    with pytest.raises(ValueError, match="claims without a record: training-ten-crops"):
        own.records()
    assert set(own.records([1])["this_verdict"]) == {"not testable at this scale"}


def test_the_scoreboard_counts_every_claim_once(tmp_path, monkeypatch):
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    own = Study.open("smoke")
    for claim in own.claims:
        own.record(claim, None, seconds=0)
    counts = scoreboard.verdict_counts(own)
    assert counts[counts["run"] == "this run"].drop(columns=["chapter", "run"]).to_numpy().sum() == len(
        own.claims
    )
    assert len(scoreboard.register_table(own)) == len(own.claims)
