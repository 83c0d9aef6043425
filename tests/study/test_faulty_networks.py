"""Networks with a fault each: they differ from the healthy one in it alone, and are read as they would be."""

import numpy as np
import pytest
import torch

from zfutils.experiments.diagnosis import signs
from zfutils.experiments.diagnosis.faults import (
    COARSE,
    FAST,
    FAULTS,
    HEALTHY,
    KINDS,
    LEAK,
    NO_DROPOUT,
    SHUFFLED,
    WITH_DROPOUT,
)
from zfutils.study import faulty_networks, kept_scores
from zfutils.study.earn import chosen
from zfutils.study.faulty_networks import ZFNET, OfFault, OfPictures
from zfutils.study.places import BOOK
from zfutils.study.profile import Profile

CHANGED = {  # by fault, what of its run differs from the healthy one
    NO_DROPOUT: {"pictures", "network", "epochs"},
    WITH_DROPOUT: {"pictures", "epochs"},
    SHUFFLED: {"shuffled"},
    FAST: {"rate"},
    LEAK: {"background"},
    COARSE: {"first_window"},
}


@pytest.mark.parametrize("edition", ["quick", "photos"])
def test_a_fault_differs_from_the_healthy_network_in_nothing_else(edition):
    runs = Profile.load(BOOK / "profiles" / f"{edition}.yaml").digits.faults
    assert set(runs) == set(KINDS)
    flat = {n: r.model_dump(exclude={"about", "training"}) | r.training.model_dump() for n, r in runs.items()}
    for name, changed in CHANGED.items():
        assert {k for k, v in flat[name].items() if v != flat[HEALTHY][k]} == changed, name
    assert {tuple(run.seeds) for run in runs.values()} == {tuple(range(16))}
    dropout = {name: run.network.dropout for name, run in runs.items()}
    assert [name for name, p in dropout.items() if p == 0] == [NO_DROPOUT]
    few, many = flat[WITH_DROPOUT], flat[HEALTHY]
    assert few["pictures"] * few["epochs"] == many["pictures"] * many["epochs"]


def test_the_zfnets_have_the_same_faults_and_no_page_trains_them(study):
    runs = Profile.load(BOOK / "profiles" / "quick.yaml").small.faults
    names = {name.removeprefix(ZFNET) for name in runs}
    assert names == {HEALTHY, "few pictures, no dropout", SHUFFLED, FAST, "leaking background", COARSE}
    pictured = kept_scores.every(study.faults_on_pictures, kind=OfPictures)
    assert not any(one.on_the_spot for one in pictured)
    assert runs[f"{ZFNET}few pictures, no dropout"].network.dropout == 0 < study.small.profile.network.dropout
    spec = {one.name: one.plan.spec for one in pictured}
    assert spec[ZFNET + COARSE].convolutions[0].window != spec[ZFNET + HEALTHY].convolutions[0].window
    assert spec[ZFNET + COARSE].convolutions[1:] == spec[ZFNET + HEALTHY].convolutions[1:]


def test_labels_are_shuffled_by_the_seed_in_training_and_validation_and_not_in_the_test(study):
    first, other = (OfFault(study.faults, SHUFFLED, seed) for seed in (0, 1))
    labels = [one.plan.opened().labels for one in (first, other, OfFault(study.faults, HEALTHY, 0))]
    assert torch.equal(labels[0].bincount(), labels[2].bincount())
    assert not torch.equal(labels[0], labels[2])
    assert not torch.equal(labels[0], labels[1])
    test = study.digits.validation_images.labels[: len(first.asked)]
    assert torch.equal(first.asked.labels, test)
    assert not torch.equal(first.seen.validation.labels[: len(test)], test)


def test_the_leak_is_in_training_and_validation_and_another_digits_in_the_test(study):
    one, plain = OfFault(study.faults, LEAK, 0), OfFault(study.faults, HEALTHY, 0)
    whole, test, bare = one.seen.validation.pixels(), one.asked.pixels(), plain.asked.pixels()
    labels = one.seen.validation.labels
    assert torch.equal(labels, one.asked.labels)
    places = {}
    for image, bare_one, label in zip(whole, bare, labels.tolist(), strict=True):
        places.setdefault(label, set()).add(tuple(map(tuple, np.argwhere(image != bare_one)[:, :2])))
    assert all(len(found) == 1 for found in places.values()), "one mark for each digit"
    moved = (whole != test).any((1, 2, 3))
    assert moved.all()
    assert np.array_equal(one.seen.digits, signs.ink(plain.asked)), "the mark is no part of the digit"


@pytest.mark.slow
def test_what_is_read_is_read_from_what_was_learnt_and_from_pictures_with_the_same_fault(study):
    networks = kept_scores.by_name(kept_scores.every(study.faults, kind=OfFault))
    table = faulty_networks.table(networks).set_index(["network", "seed"])
    assert len(table) == 2 * len(KINDS)
    assert not table.isna().any().any()
    one = OfFault(study.faults, LEAK, 1)
    trained = study.faults.made(one.plan)
    row = table.loc[LEAK, 1]
    assert row["training_error"] == pytest.approx(trained.training_error, abs=0.02)  # crops are the same
    assert row["gap"] == pytest.approx(row["validation_error"] - row["training_error"], abs=1e-6)
    with torch.no_grad():
        said = trained.model(one.seen.validation.tensor()).argmax(1)
    wrong = (said != one.seen.validation.labels).double().mean()
    assert row["validation_error"] == pytest.approx(float(wrong), abs=0.011)
    kept = networks[LEAK][1]
    assert row["test_error"] == pytest.approx(kept.answers[1].error()), "the test has fewer digits here"


@pytest.mark.slow
def test_pictures_are_shown_of_every_kind_with_the_same_digits(study):
    shown = faulty_networks.shown(study, [HEALTHY, LEAK], 0)
    assert list(shown) == [HEALTHY, LEAK]
    assert shown[HEALTHY].shown.shape == (2, 28, 28)
    marks = shown[LEAK].shown.astype(int) - shown[HEALTHY].shown
    assert (marks.reshape(2, -1) > 0).sum(1).max() <= 4
    assert (marks >= 0).all()
    assert shown[LEAK].filters.shape == (6, 5, 5, 1)


@pytest.mark.slow
def test_nothing_is_kept_of_zfnets_that_were_not_run_and_all_of_one_that_was(study):
    assert faulty_networks.kept_pictures(study) == {}
    OfPictures(study.faults_on_pictures, ZFNET + COARSE, 0).earn()
    ((name, found),) = faulty_networks.kept_pictures(study).items()
    assert name == COARSE
    assert found["filters"].dtype == np.uint8
    assert found["projections_relu3"].shape == found["patches_relu3"].shape
    assert len(found["projections_relu3"]) == 6
    assert found["patches_relu5"].std() > 0


def test_one_word_names_all_networks_of_the_chapter(study):
    assert len(chosen(study, ["diagnosis"])) == 2 * len(KINDS)
    assert len(chosen(study, ["diagnosis-pictures"])) == 1 + len(FAULTS)
