"""What all sources of drawn pictures keep to: of one object, of two, one of two, several, or cued."""

import json
import pickle
from functools import partial
from itertools import combinations

import numpy as np
import pytest

from zfutils.data.parts import PartsImages
from zfutils.data.parts.cued import CuedParts
from zfutils.data.parts.pairs import PairedParts
from zfutils.data.parts.several import SeveralParts
from zfutils.data.stores import build

WORLDS = {
    "main": PartsImages,
    "held-out": partial(PartsImages, held_out=True),
    "pairs": PairedParts,
    "alone": partial(PairedParts, alone=True),
    "several": SeveralParts,
    "cued": lambda split, **how: CuedParts(PartsImages(split, **how)),
    "exchanged": lambda split, **how: CuedParts(PartsImages(split, **how), exchanged=True),
}
everywhere = pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)


@everywhere
def test_a_picture_depends_on_seed_split_and_number_alone(world):
    few, many = world("train", n=5, size=64, seed=3), world("train", n=60, size=64, seed=3)
    last = many[4]
    np.testing.assert_array_equal(few[4], last)
    np.testing.assert_array_equal(many[4], last)
    for name in ("labels", "names", "others", "present", "cues"):
        if hasattr(few, name):
            assert np.array_equal(getattr(few, name), getattr(many, name)[:5])


@everywhere
@pytest.mark.parametrize("other", [{"seed": 1}, {"split": "validation"}])
def test_another_seed_or_split_gives_other_pictures(world, other):
    options = {"split": "train", "n": 8, "size": 64}
    first, second = (world(**options | more) for more in ({}, other))
    assert all(np.abs(first[i].astype(int) - second[i]).mean() > 5 for i in range(8))
    assert first.identity != second.identity
    assert not set(first.names) & set(second.names)


def test_other_kinds_of_pictures_are_other_ones():
    sources = [world("train", n=4, size=64) for world in WORLDS.values()]
    for first, second in combinations(sources, 2):
        assert any(not np.array_equal(first[i], second[i]) for i in range(4))
        assert first.identity != second.identity
        assert not set(first.names) & set(second.names)


@everywhere
def test_it_is_a_source_like_any_other(world, tmp_path):
    source = world("validation", n=9, size=48)
    assert json.loads(json.dumps(source.identity)) == source.identity
    assert len(set(source.names)) == 9
    store = build(pickle.loads(pickle.dumps(source)), tmp_path / "store", progress=False)
    assert (store.classes, store.names) == (source.classes, source.names)
    np.testing.assert_array_equal(store.labels, source.labels)
    for i in (0, 8):
        np.testing.assert_array_equal(store.pixels[i], source[i])


@everywhere
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "trian"}, "'trian'; allowed are train, validation, test, probe"),
        ({"size": 16}, "size is 16 px; allowed are 32 … 1024"),
        ({"n": 0}, "n is 0; it must be 1 or more"),
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"field": 0.0}, r"field is 0\.0; it must be above 0"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_allowed(world, options, message):
    with pytest.raises(ValueError, match=message):
        world(**{"split": "train", "n": 4, "size": 64} | options)


@everywhere
@pytest.mark.parametrize("index", [4, -1])
def test_a_picture_that_is_not_there_is_refused(world, index):
    with pytest.raises(IndexError, match="this source has pictures 0 … 3"):
        world("train", n=4, size=64)[index]
