"""The published run: what is kept, what is found again, what may be published."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from zfutils.runtime.files import write_json
from zfutils.stats.intervals import Interval
from zfutils.study import (
    groups,
    networks,
    places,
    provenance,
    publish,
    published_sets,
    records,
    target_copies,
)
from zfutils.study.study import Study
from zfutils.training import checkpoints


@pytest.fixture(scope="module")
def smoke(build_folder):
    return Study.open("smoke")


@pytest.fixture(scope="module")
def zfnet(smoke):
    return smoke.network("zfnet")


@pytest.fixture
def reference(tmp_path, monkeypatch):
    """A published run of one's own, empty at first."""
    for module in (networks, publish, published_sets, provenance):
        monkeypatch.setattr(module, "REFERENCE", tmp_path)
    return tmp_path / "networks" / "zfnet-0"


def test_a_published_network_is_found_unless_fresh_or_another(smoke, zfnet, reference, monkeypatch):
    publish.publish_network(zfnet, reference, smoke.train_images, snapshots=(1, 2, 5))
    assert Study.open("smoke").network("zfnet").folder == reference
    monkeypatch.setenv("FRESH", "1")
    assert Study.open("smoke").network("zfnet").folder == zfnet.folder
    monkeypatch.delenv("FRESH")
    record = json.loads((reference / "network.json").read_text())
    record["identity"]["training"]["rate"] *= 2
    write_json(record, reference / "network.json")
    assert Study.open("smoke").network("zfnet").folder == zfnet.folder


def test_a_published_network_keeps_whole_last_weights_and_convolutions_before(smoke, zfnet, reference):
    publish.publish_network(zfnet, reference, smoke.train_images, snapshots=(1, 2, 5))
    found = checkpoints.load(reference)
    assert torch.equal(found.model.fc8.weight, zfnet.model.fc8.weight.half().float())
    assert found.snapshots == zfnet.snapshots
    assert torch.equal(found.at(1).conv5.weight, zfnet.at(1).conv5.weight.half().float())
    assert torch.equal(found.at(0).fc6.weight, zfnet.at(0).fc6.weight), "the seed gives epoch 0"


def test_a_published_network_of_an_earlier_recipe_is_served_and_marked(smoke, zfnet, reference):
    publish.publish_network(zfnet, reference, smoke.train_images)
    record = json.loads((reference / "network.json").read_text())
    record["identity"]["recipe"] = 1
    write_json(record, reference / "network.json")
    found = Study.open("smoke").network("zfnet")
    assert (found.folder, zfnet.record["identity"]["recipe"]) == (reference, checkpoints.RECIPE)
    table = provenance.networks_table(smoke).set_index("from")["recipe"]
    assert table.loc[["the published run"]].tolist() == [1]
    assert set(table.drop("the published run")) <= {checkpoints.RECIPE}


def test_publishing_writes_the_recipe_beside_the_numbers(smoke, reference):
    publish.publish(smoke)
    data = json.loads((reference.parents[1] / "smoke.json").read_text())
    assert [numbers["recipe"] for numbers in data["networks"].values()] == [checkpoints.RECIPE] * 2


def test_publishing_keeps_superseded_records_and_those_of_chapters_that_were_not_executed(smoke, reference):
    by_chapter = {c.chapter: c.id for c in smoke.claims.values() if not c.superseded}
    old = next(c.id for c in smoke.claims.values() if c.superseded and c.chapter == 6)
    not_measured = next(
        c.id for c in smoke.claims.values() if not c.superseded and c.chapter == 6 and c.id != by_chapter[6]
    )
    path = reference.parents[1] / "smoke.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    before = (old, by_chapter[6], not_measured, by_chapter[7])
    path.write_text(json.dumps({"claims": [{"claim": claim, "estimate": 1.0} for claim in before]}))
    made = {"claim": by_chapter[6], "chapter": 6, "estimate": 2.0, "official": True, "commit": "0123abc"}
    record = smoke.claims_folder / f"{by_chapter[6]}.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    write_json(made, record)
    try:
        publish.publish(smoke)
    finally:
        record.unlink()
    claims = {row["claim"]: row["estimate"] for row in json.loads(path.read_text())["claims"]}
    assert claims == {old: 1.0, by_chapter[6]: 2.0, by_chapter[7]: 1.0}


def test_the_source_of_the_transfer_is_published_by_itself_and_found_again(smoke, reference):
    publish.publish_source(smoke)
    folder = reference.with_name("smoke-source-0")
    assert [path.name for path in reference.parent.iterdir()] == [folder.name]
    found, whole = Study.open("smoke").transferred.network(groups.SMALL), smoke.transferred
    assert found.folder == folder
    made = checkpoints.load(whole.place(whole.plan(groups.SMALL)))
    step = made.model.fc7.weight.abs().amax(1, keepdim=True) / 127
    off = (found.model.fc7.weight - made.model.fc7.weight).abs()
    assert off.max() > 0, "in 8 bits"
    assert (off <= step * 0.501).all()


def elsewhere(monkeypatch, folder):
    """The edition with nothing but what is published."""
    monkeypatch.setenv("ZFUTILS_BUILD", str(folder))
    return Study.open("smoke")


@pytest.mark.slow
def test_pictures_are_centred_by_the_published_mean_without_the_set_that_it_is_of(
    smoke, zfnet, reference, monkeypatch, tmp_path
):
    publish.publish_network(zfnet, reference, smoke.train_images)
    study = elsewhere(monkeypatch, tmp_path / "build")
    assert torch.equal(study.validation_images.mean, study.train_mean)
    assert not (study.folder / "pixels" / "train").exists()
    kept = study.train_mean
    torch.testing.assert_close(kept, smoke.train_images.mean, rtol=0, atol=1 / 256)
    torch.testing.assert_close(study.train_images.mean, kept, rtol=0, atol=1 / 256)


@pytest.mark.slow
def test_the_mean_of_other_images_serves_nobody(smoke, zfnet, reference, monkeypatch, tmp_path):
    publish.publish_network(zfnet, reference, smoke.train_images)
    published_sets.save_preprocessing(smoke.validation_images.only(torch.arange(9)), reference)
    wrong = elsewhere(monkeypatch, tmp_path).train_mean
    assert not torch.equal(wrong, smoke.train_images.mean), "what lies there is what is read"
    record = json.loads((reference / "network.json").read_text())
    record["identity"]["images"]["n"] += 1
    write_json(record, reference / "network.json")
    assert torch.equal(elsewhere(monkeypatch, tmp_path).train_mean, smoke.train_images.mean)


def test_fresh_takes_the_mean_of_the_images_themselves(smoke, zfnet, reference, monkeypatch):
    publish.publish_network(zfnet, reference, smoke.train_images)
    published_sets.save_preprocessing(smoke.validation_images.only(torch.arange(9)), reference)
    monkeypatch.setenv("FRESH", "1")
    assert torch.equal(Study.open("smoke").train_mean, smoke.train_images.mean)


@pytest.mark.slow
def test_what_a_target_shares_with_the_source_is_kept_beside_the_source_s_network(
    smoke, reference, monkeypatch, tmp_path
):
    publish.publish_source(smoke)
    target_copies.publish(smoke.transferred)
    there = elsewhere(monkeypatch, tmp_path / "build").transferred
    copies, kept = target_copies.copies(there)
    assert kept
    assert not (there.folder / "pixels" / "train").exists()
    monkeypatch.setenv("FRESH", "1")
    again, kept = target_copies.copies(Study.open("smoke").transferred)
    assert not kept
    pd.testing.assert_frame_equal(copies, again, check_dtype=False)


def test_copies_come_back_as_they_were_found_and_for_their_own_target_alone(smoke, zfnet, reference):
    publish.publish_network(zfnet, reference, smoke.train_images)
    study = Study.open("smoke")
    vars(study)["target"] = smoke.train_images.only(torch.tensor([4, 2]))
    found, _ = target_copies.copies(study)
    assert found["source"].tolist() == [4, 2]
    target_copies.publish(study)
    again, kept = target_copies.copies(study)
    assert kept
    pd.testing.assert_frame_equal(found, again, check_dtype=False)
    vars(study)["target"] = smoke.train_images.only(torch.tensor([7]))
    found, kept = target_copies.copies(study)
    assert (found["source"].tolist(), kept) == ([7], False)


def test_the_published_numbers_say_by_which_recipe_their_networks_were_made():
    data = json.loads((places.REFERENCE / "photos.json").read_text())
    for name, numbers in data["networks"].items():
        record = json.loads((places.REFERENCE / "networks" / f"{name}-0" / "network.json").read_text())
        assert numbers["recipe"] == record["identity"]["recipe"]


# ---- a published network in one line


def test_a_published_network_sees_an_image_as_its_study_does(smoke, zfnet, reference, tmp_path):
    publish.publish_network(zfnet, reference, smoke.train_images)
    images, own = smoke.validation_images, publish.published("zfnet")
    Image.fromarray(images.pixels[3].numpy()).save(tmp_path / "one.png")
    seen = own.inputs(tmp_path / "one.png", images.pixels[5].numpy())
    expected = smoke.inputs(images, torch.tensor([3, 5]))
    assert own.classes == smoke.train_images.classes
    wide = Image.open(tmp_path / "one.png").resize((200, 150))
    wide.save(tmp_path / "wide.png")
    file, array = own.inputs(tmp_path / "wide.png", np.asarray(wide)).tensor()
    assert torch.equal(file, array), "an array is squashed as a file is"
    assert torch.allclose(seen.tensor(), expected.tensor(), atol=1e-5)
    assert own.model(seen.tensor()).argmax(1).tolist() == zfnet.model(expected.tensor()).argmax(1).tolist()


def test_an_unpublished_network_or_no_image_is_refused(smoke, zfnet, reference, tmp_path):
    publish.publish_network(zfnet, reference, smoke.train_images)
    with pytest.raises(ValueError, match="no network 'alexnet' is published; there are zfnet"):
        publish.published("alexnet")
    own = publish.published("zfnet")
    with pytest.raises(ValueError, match="at least one image"):
        own.inputs()
    with pytest.raises(ValueError, match=r"float64 \(9, 9, 3\)"):
        own.inputs(np.zeros((9, 9, 3)))
    with pytest.raises(ValueError, match=r"uint8 \(9, 9\)"):
        own.inputs(np.zeros((9, 9), np.uint8))
    with pytest.raises(ValueError, match=r"nowhere\.png"):
        own.inputs(tmp_path / "nowhere.png")


@pytest.mark.parametrize("name", ["zfnet", "krizhevsky"])
def test_the_committed_networks_are_ready_for_any_image(name):
    net = publish.published(name)
    assert len(net.classes) == net.trained.spec.classes == 20
    grey = np.full((160, 160, 3), 128, np.uint8)
    with torch.no_grad():
        assert net.model(net.inputs(grey).tensor()).shape == (1, 20)
    assert 90 < net.mean.mean() < 140, "photographs are of middling brightness"


def test_the_committed_source_of_the_transfer_has_the_mean_of_just_what_it_learned_from():
    source = Study.open("quick").transferred
    mean = published_sets.published_mean(source.train_store.identity)
    assert (tuple(mean.shape), mean.dtype) == ((108, 108, 3), torch.float32)


# ---- what may be published


def recorded(study, claim="training-ten-crops-decided"):
    with study.claim(claim) as one:
        two_points = Interval(2.0, 1.0, 3.0, 1500, "validation pictures")
        one.measured(two_points, arms=(20.0, 18.0), conditions={"ended": 1.0})
    return records.read(study.claims_folder)


def test_a_trial_is_not_published(monkeypatch, tmp_path):
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    monkeypatch.setattr(records, "commit", lambda: "a" * 40)
    records.refuse_unpublishable(recorded(Study.open("smoke", "02_training")))
    with pytest.raises(ValueError, match="default parameters: training-ten-crops-decided"):
        records.refuse_unpublishable(recorded(Study.open("smoke", "02_training", seed=3)))


def test_records_of_several_commits_or_of_a_changed_working_copy_are_not_published():
    official = {"claim": "one", "official": True}
    records.refuse_unpublishable([official | {"commit": "a"}, official | {"commit": "a"}])
    with pytest.raises(ValueError, match=r"2 commits \(a, b\)"):
        records.refuse_unpublishable([official | {"commit": "a"}, official | {"commit": "b"}])
    for commit in ("a+", None):
        with pytest.raises(ValueError, match="no commit"):
            records.refuse_unpublishable([official | {"commit": commit}])
