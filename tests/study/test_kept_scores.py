"""Kept scores: served to the network that they are of and to no other; earned once, network by network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zfutils.__main__ import main
from zfutils.experiments.ablation.ensembles import KINDS
from zfutils.study import (
    depth_networks,
    earn,
    faulty_networks,
    filter_networks,
    kept_scores,
    places,
    pooling_networks,
    provenance,
    target_networks,
)
from zfutils.study.kept_scores import Wanted
from zfutils.study.study import Study
from zfutils.training import checkpoints
from zfutils.training.trainer import TrainingFailed

ROW, OTHER = "krizhevsky: without layers 3, 4, 6, 7", "krizhevsky: layers 6, 7: 2048 units"


@pytest.fixture(scope="module")
def small(study):
    """Its small networks, tested on a few pictures of the target."""
    small = study.small
    fewer = small.profile.transfer.model_copy(update={"test_per_class": 2})
    return small.changed(transfer=fewer)


@pytest.fixture(scope="module")
def published(small):
    """One network of a row that a page does not train, with published scores, and what was said."""
    wanted = Wanted(small, OTHER, 0)
    ((_, outcome),) = kept_scores.publish([wanted])
    return wanted, outcome


def elsewhere(small, folder, **changes):
    """The same edition on another machine, where nothing was trained, with something else in its profile."""
    if "images" not in changes:
        (folder / "pixels").symlink_to(small.folder / "pixels")
    return replace(small.changed(**changes), folder=folder)


def of_runs(small, **changes):
    """Its networks, with something else said of each."""
    runs = small.profile.networks.items()
    return {"networks": {name: run.model_copy(update=changes) for name, run in runs}}


# ---- served, or not


def test_published_scores_are_served_on_another_machine_without_training(small, published, tmp_path):
    wanted, outcome = published
    there = Wanted(elsewhere(small, tmp_path), OTHER, 0)
    (found,) = kept_scores.outcomes([there])
    assert found.published
    assert not outcome.published
    for crops in (1, 10):
        assert np.array_equal(found.answers[crops].ranks, outcome.answers[crops].ranks)
    assert not (tmp_path / "networks").exists()
    assert kept_scores.by_name([wanted])[OTHER][0].published is False, (
        "where it was made it is this machine's"
    )


@pytest.mark.parametrize("changed", ["spec", "recipe", "seed", "set", "set that was asked about", "number"])
def test_another_network_is_not_served_by_kept_scores(small, published, tmp_path, changed, monkeypatch):
    run = small.profile.networks[OTHER]
    changes = {
        "spec": {"network": small.profile.network.model_copy(update={"dropout": 0.1})},
        "recipe": of_runs(small, training=run.training.model_copy(update={"momentum": 0.8})),
        "set": {"images": small.profile.images.model_copy(update={"seed": 1})},
        "set that was asked about": {"images": small.profile.images.model_copy(update={"validation": 64})},
    }
    if changed == "number":
        monkeypatch.setattr(checkpoints, "RECIPE", checkpoints.RECIPE + 1)
    there = Wanted(elsewhere(small, tmp_path, **changes.get(changed, {})), OTHER, int(changed == "seed"))
    assert there.kept() is None
    assert kept_scores.outcomes([there]) == [None], "a page does not train this row"


def test_a_network_that_another_edition_published_is_not_trained_again(small, published, tmp_path):
    profile = small.profile.model_copy(update={"name": "own"})
    there = Wanted(replace(elsewhere(small, tmp_path), profile=profile), OTHER, 0)
    assert not there.published.exists()
    (found,) = kept_scores.outcomes([there])
    assert found.published
    assert Wanted(replace(there.study, fresh=True), OTHER, 0).kept() is None


def test_a_file_under_another_s_name_is_not_served(small, published, tmp_path):
    wanted, _ = published
    other = Wanted(elsewhere(small, tmp_path), OTHER, 5)
    other.published.write_bytes(wanted.published.read_bytes())
    assert other.kept() is None


def test_a_damaged_file_is_named_and_left_aside(small, published, tmp_path):
    whole = published[0].published.read_bytes()
    there = Wanted(elsewhere(small, tmp_path), OTHER, 0)
    there.published.write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=rf"{there.published.name} is damaged .*; it is left aside"):
        assert there.outcome() is None
    there.published.write_bytes(whole)
    assert there.outcome().published


def test_fresh_leaves_published_scores_aside_and_trains(small, published, tmp_path):
    fresh = Wanted(replace(elsewhere(small, tmp_path), fresh=True), OTHER, 0)
    assert fresh.kept() is None
    (found,) = kept_scores.outcomes([fresh])
    assert not found.published
    assert np.array_equal(found.answers[1].ranks, published[1].answers[1].ranks), "the same network again"


def test_the_identity_of_drawn_pictures_names_their_source_and_no_pixels(small):
    network = Wanted(small, OTHER, 0).identity["network"]
    assert network["images"]["source"] == "parts"
    assert set(network["images"]) == set(small.source("train").identity)
    assert network["training"]["precision"] == "auto", "whatever the processor makes of it"


# ---- what a page trains


def test_a_page_trains_the_rows_that_its_edition_names_and_no_others(small):
    trained = small.profile.networks
    assert Wanted(small, ROW, 0).on_the_spot
    assert not Wanted(small, ROW, 2).on_the_spot
    assert not Wanted(small, OTHER, 0).on_the_spot
    assert trained[ROW].seeds == (0, 1, 2)
    found = kept_scores.by_name([Wanted(small, ROW, 0), Wanted(small, ROW, 2)])[ROW]
    assert list(found) == [0]
    assert not found[0].published


def test_a_network_that_is_trained_here_is_asked_and_not_replaced_by_a_published_one(
    small, published, tmp_path
):
    there = elsewhere(small, tmp_path)
    there.network(OTHER)
    (found,) = kept_scores.outcomes([Wanted(there, OTHER, 0)])
    assert not found.published


def test_probabilities_are_kept_of_what_is_averaged_and_answers_of_all(small, published):
    assert tuple(KINDS.values()) == kept_scores.AVERAGED
    assert Wanted(small, "zfnet: none", 0).averaged == (10,)
    assert all(one.probabilities is None for one in published[1].answers.values())


# ---- on the target, from scratch and fine-tuned


@pytest.fixture(scope="module")
def transferred(small):
    """The study of the network that is transferred, whose target is tested on few pictures."""
    return Study.open("smoke").transferred.changed(transfer=small.profile.transfer)


def test_the_source_is_like_the_small_zfnet_and_learns_from_its_own_pictures(small, transferred):
    source, zfnet = transferred.plan("zfnet: none"), small.plan("zfnet: none")
    assert source.spec == zfnet.spec
    assert len(source.images) == small.profile.transfer.source.train > len(zfnet.images)


@pytest.mark.slow
def test_a_network_from_scratch_is_the_source_trained_on_its_fold_alone(transferred):
    wanted = target_networks.from_scratch(transferred)
    assert len(wanted) == 2 * 2 + 1
    one, fold = wanted[0], target_networks.drawn(transferred, 0)[0]
    assert (one.fold, one.per_class) == (0, 1)
    assert one.images.labels.tolist() == transferred.target.labels[fold.train[1]].tolist()
    assert one.asked.rows.tolist() == fold.test.tolist()
    assert (one.asked.images.mean == one.images.mean).all()
    classes = len(transferred.target.classes)
    assert one.plan.spec == transferred.spec("zfnet: none").for_classes(classes)
    assert one.plan.identity["images"] == one.images.identity
    assert [w.averaged for w in wanted] == [(), (1,), (), (), (1,)]


def test_a_fine_tuned_network_starts_where_the_source_ended_and_is_another_from_another_source(transferred):
    tuned = target_networks.fine_tuned(transferred)[0]
    scratch = target_networks.from_scratch(transferred)[0]
    assert tuned.images.identity == scratch.images.identity
    assert tuned.plan.identity["start"] == transferred.plan("zfnet: none").identity
    other = replace(tuned.plan, start=transferred.plan("zfnet: none", seed=1))
    assert other.identity != tuned.plan.identity
    still = tuned.plan.recipe.model_copy(update={"rate": 1e-12, "decay": 0.0})
    found = transferred.made(replace(tuned.plan, recipe=still)).model.state_dict()
    source = transferred.network("zfnet: none").model.state_dict()
    assert all(torch.allclose(found[name], source[name], atol=1e-6) for name in source if "fc8" not in name)
    assert found["fc8.weight"].shape[0] == len(transferred.target.classes)


def test_an_edition_may_fine_tune_nothing(transferred):
    transfer = transferred.profile.transfer.model_copy(update={"fine_tuning": None})
    assert target_networks.fine_tuned(transferred.changed(transfer=transfer)) == []


def test_few_pictures_are_gone_through_until_as_many_were_seen(transferred):
    recipe = transferred.profile.transfer.training
    half, whole = (one.plan.recipe for one in target_networks.from_scratch(transferred)[:2])
    assert whole.epochs == recipe.epochs
    assert half.epochs == 2 * recipe.epochs
    assert target_networks.gone_through(recipe, 0.01).epochs == 2


def test_networks_on_the_target_are_trained_by_a_page_where_the_edition_says_so(transferred):
    transfer = transferred.profile.transfer
    scratch = transfer.scratch.model_copy(update={"trained": False})
    other = transferred.changed(transfer=transfer.model_copy(update={"scratch": scratch}))
    assert target_networks.from_scratch(transferred)[0].on_the_spot
    assert not target_networks.from_scratch(other)[0].on_the_spot


# ---- the command


@pytest.mark.slow
def test_the_command_earns_what_is_missing_network_by_network_and_trains_nothing_twice(small, capsys):
    name = "zfnet: layers 6, 7: 2048 units"
    assert main(["scores", "--edition", "smoke", name, "--seed", "0"]) == 0
    (first,) = kept_scores.folder("smoke").glob("zfnet-layers-6-7-2048-units-0-*.npz")
    written = first.stat().st_mtime_ns
    capsys.readouterr()

    assert main(["scores", "--edition", "smoke", name, ROW, "--seed", "0"]) == 0
    said = capsys.readouterr().out
    assert "1 of 2 networks are there" in said
    assert "2 of 2: krizhevsky-without-layers-3-4-6-7-0-" in said

    assert main(["scores", "--edition", "smoke", name, ROW, "--seed", "0"]) == 0
    said = capsys.readouterr().out
    assert "2 of 2 networks are there" in said
    assert "  epoch 1/" not in said
    assert first.stat().st_mtime_ns == written


def test_weights_stay_where_a_page_may_need_them_and_go_elsewhere(small, published):
    kept_scores.outcomes([Wanted(small, ROW, 0)])
    for _ in kept_scores.publish([Wanted(small, ROW, 0)]):
        pass
    assert small.find(small.plan(ROW, 0)) is not None
    assert small.find(small.plan(OTHER, 0)) is None
    assert published[0].own() is not None


def test_a_network_that_is_wanted_under_two_names_is_trained_once(small, capsys):
    again = "a second name"
    run = small.profile.networks[OTHER]
    both = small.changed(networks={OTHER: run, again: run})
    capsys.readouterr()
    outcomes = {
        one.name: found for one, found in kept_scores.publish([Wanted(both, n, 2) for n in (OTHER, again)])
    }
    assert capsys.readouterr().out.count("epoch 1/2") == 1
    assert np.array_equal(outcomes[OTHER].answers[1].log_loss, outcomes[again].answers[1].log_loss)
    assert both.find(both.plan(OTHER, 2)) is None, "no page needs its weights"


def test_a_network_that_was_trained_for_a_page_is_filed_without_training(small, capsys):
    kept_scores.outcomes([Wanted(small, "krizhevsky: none", 0)])
    capsys.readouterr()
    assert main(["scores", "--edition", "smoke", "krizhevsky: none", "--seed", "0"]) == 0
    said = capsys.readouterr().out
    assert "  epoch 1/" not in said
    assert "1 of 1: krizhevsky-none-0-" in said


def test_a_training_that_fails_is_named_and_the_others_go_on(small, capsys):
    """At such a rate the first diverges; nothing is filed of it."""
    run = small.profile.networks[OTHER]
    wild = run.model_copy(update={"training": run.training.model_copy(update={"rate": 1e38})})
    study = small.changed(networks={"wild": wild, "tame": run})
    with pytest.raises(TrainingFailed, match="wild seed 77"):
        earn.earn(kept_scores.every(study, [77]))
    said = capsys.readouterr().out
    assert "wild seed 77" in said
    assert [path.name[:7] for path in kept_scores.folder("smoke").glob("*-77-*.npz")] == ["tame-77"]


def test_a_name_that_the_edition_does_not_have_is_refused_with_those_it_has(small, capsys):
    assert main(["scores", "--edition", "smoke", "krizhevsky: without layer 2"]) == 2
    said = capsys.readouterr().err
    assert (
        "smoke has no network or row 'krizhevsky: without layer 2'; it has 'small', 'settings', 'filters', "
        in said
    )
    assert "'krizhevsky: without layer 7'" in said


def test_an_edition_without_small_networks_and_digits_has_none_of_their_groups():
    bare = Study.open("smoke").changed(small=None, digits=None)
    assert all(one.study is bare for one in earn.chosen(bare))
    assert not any(filter_networks.sweep(bare).values())
    assert not any(filter_networks.full_width(bare).values())
    assert not any(pooling_networks.found(bare).values())
    assert not pooling_networks.specs(bare)
    assert not depth_networks.pairs(bare)
    assert not faulty_networks.kept_pictures(bare)


def test_no_page_trains_what_was_tried_of_the_recipe(small):
    tried = kept_scores.every(Study.open("smoke").settings)
    assert {one.name for one in tried} >= {"rate 0.02", "twice as long"}
    assert not any(one.on_the_spot for one in tried)
    doubled = next(one for one in tried if one.name == "twice as long")
    assert doubled.plan.spec == small.plan("krizhevsky: none").spec
    assert doubled.plan.identity != small.plan("krizhevsky: none").identity


def test_by_default_all_that_the_chapters_need_is_earned(small):
    study = Study.open("smoke")
    wanted = [(one.name, one.seed) for one in earn.chosen(study)]
    assert len(set(wanted)) == len(wanted)
    rows = [(name, s) for name, run in small.profile.networks.items() for s in run.seeds]
    on_target = [
        (one.name, 0)
        for every in (target_networks.from_scratch, target_networks.fine_tuned)
        for one in every(study.transferred)
    ]
    tried = [(name, 0) for one in (study.settings, study.filters) for name in one.profile.networks]
    for one in (study.depth, study.pooling, study.faults):
        tried += [(name, s) for name, run in one.profile.networks.items() for s in run.seeds]
    tried += [(name, 0) for name in study.faults_on_pictures.profile.networks]
    main_networks = [*(("zfnet", seed) for seed in range(3)), ("krizhevsky", 0), ("cheat", 0)]
    assert wanted == [*main_networks, *rows, *tried, *on_target]
    assert len(earn.chosen(study, ["small", "krizhevsky: none"])) == len(rows), "none twice"


# ---- where they stand


@pytest.mark.slow
def test_the_provenance_page_lists_every_outcome_with_device_and_seconds(small, published, tmp_path):
    study = Study.open("smoke")
    (tmp_path / "small").mkdir()
    for part in ("pixels", "small/pixels"):
        (tmp_path / part).symlink_to(study.folder / part)
    tables = (provenance.scores_table(one) for one in (study, replace(study, folder=tmp_path)))
    here, there = (table.set_index(["network", "seed"]).loc[(OTHER, 0)] for table in tables)
    assert (here["scores"], there["scores"]) == ("here", "kept")
    assert there["device"] == published[1].made["device"]
    assert there["seconds"] == f"{published[1].seconds:,.0f}"


@pytest.mark.parametrize(("edition", "most"), [("quick", 3e6), ("photos", 6e6)])
def test_the_committed_scores_are_small_and_can_be_read(edition, most):
    files = sorted((places.REFERENCE / "scores" / edition).glob("*.npz"))
    assert sum(path.stat().st_size for path in files) < most
    for path in files:
        outcome = kept_scores.Outcome.load(path)
        assert path.name.rsplit("-", 2)[1] == str(outcome.identity["seed"])
