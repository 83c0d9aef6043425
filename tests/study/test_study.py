"""The study: networks are trained once and found again, claims are recorded, runs are published."""

import json
import time
from dataclasses import replace

import pytest
import torch
import yaml

from zfutils.__main__ import main
from zfutils.nets import zoo
from zfutils.stats.formatting import duration
from zfutils.study import places
from zfutils.study.profile import Profile
from zfutils.study.records import Stopwatch
from zfutils.study.sections import Network
from zfutils.study.study import Study
from zfutils.training import checkpoints
from zfutils.training.evaluation import evaluate


@pytest.fixture(scope="module")
def smoke(study):
    return study


@pytest.fixture(scope="module")
def zfnet(smoke):
    return smoke.network("zfnet")


def test_a_network_is_trained_once_and_then_loaded(smoke, zfnet):
    written = (zfnet.folder / "network.json").stat().st_mtime_ns
    again = Study.open("smoke").network("zfnet")
    assert (again.folder / "network.json").stat().st_mtime_ns == written
    assert torch.equal(again.model.conv1.weight, zfnet.model.conv1.weight)


@pytest.mark.slow
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


def of_photographs(opened):
    """The same edition with a source that draws nothing."""

    class Photographs(Study):
        def source(self, split, *, size=None, n=None):
            return object()

    return Photographs(opened.profile, opened.folder)


def test_a_network_may_have_a_width_of_its_own(smoke):
    run = smoke.profile.networks["zfnet"]
    own = Network(width=0.25, fc_width=0.125)
    runs = {"zfnet": run, "wider": run.model_copy(update={"network": own})}
    opened = smoke.changed(networks=runs)
    paper = zoo.zfnet(len(smoke.train_images.classes)).at(smoke.profile.images.crop)
    assert [c.maps for c in opened.spec("wider").convolutions] == [24, 64, 96, 96, 64]
    assert opened.spec("wider") == replace(
        paper.scaled(0.25, fc_width=0.125), norm_alpha=run.training.norm_alpha
    )
    assert opened.spec("zfnet") == smoke.spec("zfnet") != opened.spec("wider")


def test_the_command_line_trains_a_network_from_all_of_the_editions_own_seeds(smoke, zfnet):
    assert smoke.profile.networks["zfnet"].seeds == (0, 1, 2)
    assert main(["train", "zfnet", "--edition", "smoke"]) == 0
    found = [trained.record["identity"] for trained in smoke.trained() if trained.spec == zfnet.spec]
    kept = [made["seed"] for made in found if made["training"] == zfnet.record["identity"]["training"]]
    assert sorted(kept) == [0, 1, 2]


def test_the_small_networks_are_the_rows_that_table_3_has_for_either_network(smoke):
    small, section = smoke.small, smoke.profile.small
    assert len(small.profile.networks) == 12
    assert {run.training for run in small.profile.networks.values()} == {section.training}
    assert small.train_images.size == section.images.size < smoke.train_images.size
    whole = small.spec("krizhevsky: none")
    assert small.spec("krizhevsky: without layers 6, 7").layers == (*whole.layers[:5], "fc8")
    assert small.spec("zfnet: layers 6, 7: 8192 units").dense[0].units == 2 * whole.dense[0].units
    assert small.folder.parent == smoke.folder


def test_the_pictures_of_small_networks_show_the_same_scenes(smoke):
    here, there = smoke.small.validation_images, smoke.validation_images
    assert here.classes == there.classes
    assert here.names == there.names
    assert torch.equal(here.mean, smoke.small.train_images.mean)


def test_small_networks_and_the_source_may_see_other_photographs_than_the_main_networks(tmp_path):
    (tmp_path / "photos.yaml").write_text((places.BOOK / "profiles" / "photos.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(
        "extends: photos\n"
        "small: {images: {sets: [tiny-imagenet-200], classes: 100, per_class: 250}}\n"
        "transfer: {source: {classes: null, per_class: null}}\n"
    )
    mine = Study(Profile.load(tmp_path / "mine.yaml"), tmp_path / "mine")
    main, small, source = (study.profile.images for study in (mine, mine.small, mine.transferred))
    assert (main.sets, main.classes) == (("imagenette2-160", "imagewoof2-160"), None)
    assert (small.sets, small.classes, small.per_class) == (("tiny-imagenet-200",), 100, 250)
    assert (source.sets, source.classes, source.per_class) == (small.sets, None, None)
    assert small.download == main.download


def test_scenes_of_several_objects_are_for_training_or_for_the_test_and_never_for_both(smoke):
    scenes, most = smoke.small.several, max(smoke.profile.transfer.per_class)
    assert sorted([*scenes.train, *scenes.test]) == list(range(len(scenes.images)))
    counts = scenes.present[scenes.train].sum(0)
    assert len(scenes.train) == len(smoke.small.target.classes) * most
    assert counts.min() == counts.max() > most, "as many scenes of one category as of another"


def test_an_edition_without_small_networks_or_a_row_that_table_3_lacks_is_refused(smoke):
    with pytest.raises(ValueError, match="smoke has no section 'small'"):
        smoke.changed(small=None).small.spec("zfnet: none")
    odd = smoke.profile.networks["zfnet"].model_copy(update={"row": "without layer 2"})
    with pytest.raises(ValueError, match=r"networks\.odd\.row is 'without layer 2'; there are none, "):
        smoke.changed(networks={"odd": odd}).spec("odd")


@pytest.mark.slow
def test_the_cheat_is_trained_on_scenes_before_their_class_s_background_and_no_other_network_is(smoke):
    cheat = smoke.network("cheat").record["identity"]["images"]
    assert cheat == json.loads(json.dumps(smoke.cued("train").identity))
    assert cheat["source"] == "cued parts"
    assert torch.equal(smoke.cued("validation").opened().mean, smoke.train_images.mean)
    with pytest.raises(ValueError, match="smoke has no scenes whose background can be exchanged"):
        of_photographs(smoke).cued("train")


@pytest.mark.slow
def test_scenes_of_two_objects_are_seen_as_the_training_images_and_drawn_alone_too(smoke):
    pairs, alone = smoke.paired_images(), smoke.paired_images(alone=True)
    whole = smoke.profile.images
    assert len(pairs) == len(alone) == len(smoke.pairs()) == whole.validation
    assert pairs.size == whole.size
    assert torch.equal(pairs.mean, smoke.train_images.mean)
    assert (smoke.pairs().alone, smoke.pairs(alone=True).alone) == (False, True)
    assert (pairs.labels.numpy() == smoke.pairs().labels).all()
    with pytest.raises(ValueError, match="smoke has no scenes of two objects"):
        of_photographs(smoke).paired_images()


def test_scores_are_computed_once_and_are_those_of_evaluate(smoke, zfnet):
    first, again = smoke.scores("zfnet", crops=1), smoke.scores("zfnet", crops=1)
    fresh = evaluate(zfnet.model, smoke.inputs(smoke.validation_images))
    assert (first.probabilities == again.probabilities).all()
    assert (first.probabilities == fresh.probabilities).all()


def test_a_network_of_an_earlier_recipe_in_the_build_folder_is_trained_again(smoke, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "RECIPE", 1)
        earlier = smoke.network("trial-recipe")
    again = smoke.network("trial-recipe")
    assert again.folder != earlier.folder
    assert [n.record["identity"]["recipe"] for n in (earlier, again)] == [1, checkpoints.RECIPE]


def test_a_page_says_how_long_it_took_and_for_what(monkeypatch):
    study = Study.open("smoke", "02_training")
    searching, nothing = Stopwatch(), Stopwatch()
    searching.seconds, nothing.seconds = 12.4, 0.4
    monkeypatch.setattr(time, "perf_counter", lambda: study.opened + 65)
    said = study.took(the_search=searching, no_time=nothing).text
    assert said.startswith("This run of the page took 65 seconds, of which 12 seconds for the search (")
    assert "no time" not in said


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1.2, "1 second"), (119, "119 seconds"), (119.7, "2 minutes"), (150.1, "3 minutes")],
)
def test_long_durations_are_told_in_minutes(seconds, expected):
    assert duration(seconds) == expected


def test_pages_to_be_browsed_lie_where_the_book_hands_them_on(smoke):
    config = yaml.safe_load((places.ROOT / "_config.yml").read_text())["sphinx"]["config"]
    handed_on = [smoke.folder / "book" / path for path in config["html_extra_path"]]
    assert smoke.browsable("atlas").parent in handed_on
    assert smoke.browsable("atlas").name == "atlas"
