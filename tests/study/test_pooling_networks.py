"""Networks that chapter 12 compares: earned by one command with what is asked of them, and read elsewhere."""

import numpy as np
import pytest

from zfutils.__main__ import main
from zfutils.experiments.pooling.aliasing import subsamplings
from zfutils.study import kept_scores, pooling_networks
from zfutils.study.places import BOOK
from zfutils.study.pooling_networks import BLURRED, COARSE, FINE, OfPooling
from zfutils.study.profile import Profile


@pytest.fixture(scope="module")
def earned(study):
    """What the chapter reads before and after one command."""
    before = pooling_networks.found(study)
    assert main(["scores", "--edition", "smoke", "pooling"]) == 0
    return before, pooling_networks.found(study)


@pytest.mark.slow
def test_one_command_earns_all_seeds_and_no_page_trains_any(study, earned):
    before, after = earned
    assert before == {COARSE: {}, FINE: {}, BLURRED: {}}
    assert {name: list(runs) for name, runs in after.items()} == {name: [0, 1, 2] for name in before}
    assert not [name for name in before if study.pooling.find(study.pooling.plan(name))]


@pytest.mark.slow
def test_what_is_asked_is_kept_and_projections_of_the_first_seed_alone(study, earned):
    n = len(study.small.validation_images)
    for name, runs in earned[1].items():
        assert runs[0].spec == pooling_networks.specs(study)[name]
        for seed, one in runs.items():
            assert one.measured["kept"].shape == (n, 4)
            assert one.measured["kept"].max() <= 4
            assert one.measured["beyond"].shape == (2, len(subsamplings(one.spec)))
            # in the type of the weights here, in the device's for the answers
            right = ~one.answers[1].wrong()
            assert (one.measured["correct"].astype(bool) == right).mean() > 0.9
            assert ("relu2" in one.measured) == ("relu3" in one.measured) == (seed == 0)
        tiles = runs[0].measured["relu3"]
        assert tiles.dtype == np.uint8
        field = {stage.name: stage.field for stage in runs[0].spec.stages() if stage.field}
        assert tiles.shape == (9, field["conv3"].kernel, field["conv3"].kernel, 3)


@pytest.mark.slow
def test_another_measurement_is_not_served_by_what_was_kept(elsewhere, earned, monkeypatch):
    there = elsewhere()
    assert OfPooling(there.pooling, FINE, 1).kept() is not None
    monkeypatch.setattr(pooling_networks, "VERSION", pooling_networks.VERSION + 1)
    assert OfPooling(there.pooling, FINE, 1).kept() is None


@pytest.mark.parametrize("edition", ["quick", "smoke"])
def test_the_networks_differ_in_what_they_are_compared_for_and_in_nothing_else(edition):
    runs = Profile.load(BOOK / "profiles" / f"{edition}.yaml").small.pooling
    assert set(runs) == {COARSE, FINE, BLURRED}
    alike = [run.model_copy(update={"about": "", "base": "zfnet", "pooling": "max"}) for run in runs.values()]
    assert all(one == alike[0] for one in alike)
    assert [(runs[n].base, runs[n].pooling) for n in (COARSE, FINE, BLURRED)] == [
        ("krizhevsky", "max"), ("zfnet", "max"), ("zfnet", "blurred"),
    ]  # fmt: skip
    assert kept_scores.folder(edition).name == edition
