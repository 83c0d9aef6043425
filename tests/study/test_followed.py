"""Curves that are kept: measured when a network is earned, and served to the pictures that they are of."""

import numpy as np
import pytest

from zfutils.experiments.evolution import trajectories
from zfutils.study import earn, followed, kept_scores
from zfutils.study.followed import Followed


@pytest.fixture(scope="module")
def published(study):
    """The seed that no page trains, published."""
    wanted = followed.followed(study)[-1]
    ((_, outcome),) = kept_scores.publish([wanted])
    return wanted, outcome


def test_a_page_trains_some_of_the_seeds_and_the_curves_of_the_others_are_kept(study):
    assert [(one.seed, one.on_the_spot) for one in followed.followed(study)] == [
        (0, True), (1, True), (2, False),
    ]  # fmt: skip
    assert study.seeds("zfnet") == (0, 1)
    assert study.seeds("krizhevsky") == (0,)
    kinds = [type(one) for one in earn.chosen(study, ["zfnet", "krizhevsky"])]
    assert kinds == [Followed] * 3 + [kept_scores.Wanted]


@pytest.mark.slow
def test_kept_curves_are_served_on_another_machine_without_training(study, published, elsewhere):
    wanted, outcome = published
    found = Followed(elsewhere(), wanted.name, wanted.seed).outcome()
    assert found.published
    assert found.measured["epochs"].tolist() == [0, 1, 2]
    assert set(found.measured) == {
        "epochs", "along", "cka", "probe", "cka_in_step", "probe_in_step", "loss_at_step_0",
    }  # fmt: skip
    for name, values in outcome.measured.items():
        np.testing.assert_array_equal(found.measured[name], values)
    assert found.measured["cka"].shape == (3, len(trajectories.LAYERS))
    assert study.find(wanted.plan) is None, "no page needs the weights"


def test_kept_curves_serve_where_the_network_was_trained_too_and_are_not_measured_again(
    published, elsewhere, monkeypatch
):
    wanted = Followed(elsewhere(), published[0].name, published[0].seed)
    wanted.study.made(wanted.plan)
    monkeypatch.delattr(trajectories, "measure")
    (found,) = kept_scores.outcomes([wanted])
    assert found.published
    assert wanted.own() is None


@pytest.mark.parametrize("changed", ["version", "layers", "pictures"])
def test_curves_of_another_kind_or_of_other_pictures_are_not_served(
    published, elsewhere, changed, monkeypatch
):
    if changed == "version":
        monkeypatch.setattr(trajectories, "VERSION", trajectories.VERSION + 1)
    elif changed == "layers":
        monkeypatch.setattr(trajectories, "LAYERS", trajectories.LAYERS[:5])
    else:
        monkeypatch.setattr(followed, "PICTURES", 90)
    wanted = Followed(elsewhere(), published[0].name, published[0].seed)
    assert wanted.file_name != published[0].file_name
    assert wanted.kept() is None
    assert kept_scores.outcomes([wanted]) == [None]
