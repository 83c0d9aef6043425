"""Networks by the number of their pictures: trained apart from the book, read without drawing a picture."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zfutils.__main__ import main
from zfutils.study import depth_networks, kept_scores
from zfutils.study.kept_scores import Wanted
from zfutils.study.plans import DEPTHS, deep_name


@pytest.fixture(scope="module")
def earned(study):
    assert not any(pair.outcomes for pair in depth_networks.pairs(study))
    assert main(["scores", "--edition", "smoke", "depth"]) == 0
    return depth_networks.pairs(study)


@pytest.mark.slow
def test_one_command_earns_all_from_the_fewest_pictures_to_the_most_and_wider(earned):
    assert [(pair.pictures, pair.wider) for pair in earned] == [(84, False), (126, False), (126, True)]
    assert all(pair.seeds == [0, 1] for pair in earned)
    for pair in earned:
        for layers, runs in ((4, pair.four), (8, pair.eight)):
            assert all(len(one.spec.layers) == layers for one in runs.values())
            assert all(one.made["trained_on"] < pair.pictures for one in runs.values())
    narrow, wide = (pair.eight[0].spec.convolutions[1].maps for pair in earned[1:])
    assert wide > narrow


@pytest.mark.slow
def test_what_is_kept_is_read_without_drawing_what_it_was_trained_on(study, earned, tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "pixels").mkdir()
    for part in ("train", "validation"):
        (tmp_path / "small" / "pixels" / part).symlink_to(study.small.folder / "pixels" / part)
    there = depth_networks.pairs(replace(study, folder=tmp_path))
    assert all(one.published for pair in there for one in pair.outcomes)
    assert [len(pair.outcomes) for pair in there] == [4, 4, 4]
    assert not list((tmp_path / "small" / "pixels").glob("train-*"))


def test_fewer_pictures_are_the_first_of_more_and_the_test_is_centred_as_they_are(study):
    own = study.depth
    few, many = (own.plan(deep_name(8, n)).opened() for n in (84, 126))
    assert torch.equal(few.pixels, many.pixels[:84])
    assert few.identity == own.plan(deep_name(4, 84)).identity["images"]
    one = depth_networks.OfDepth(own, deep_name(8, 84), 0)
    assert torch.equal(one.asked.images.mean, few.mean)
    assert one.evaluated == own.validation_images.identity


def test_a_row_of_table_3_on_as_many_pictures_is_the_same_network_and_is_not_trained_again(study, tmp_path):
    """The edition's small networks are trained on 96 pictures; here depth is asked of as many."""
    depth = study.profile.small.depth.model_copy(update={"train": (84, 96)})
    small = study.profile.small.model_copy(update={"depth": depth})
    there = replace(study.changed(small=small), folder=tmp_path)
    row, (fewer, same) = (
        Wanted(there.small, f"krizhevsky: {DEPTHS[4]}", 0),
        (depth_networks.OfDepth(there.depth, deep_name(4, n), 0) for n in (84, 96)),
    )
    assert same.plan.digest == row.plan.digest != fewer.plan.digest
    for _ in kept_scores.publish([row]):
        pass
    try:
        assert np.array_equal(same.kept().answers[1].ranks, row.kept().answers[1].ranks)
        assert fewer.kept() is None or fewer.kept().made["trained_on"] < 84
        wider = depth_networks.OfDepth(there.depth, deep_name(4, 96, wider=True), 0)
        assert wider.kept() is None, "another width is another network"
    finally:
        row.published.unlink()


def test_an_edition_may_do_without(study):
    other = study.changed(small=study.profile.small.model_copy(update={"depth": None}))
    assert depth_networks.pairs(other) == []
    assert other.depth.profile.networks == {}
