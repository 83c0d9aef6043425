"""Cued parts: the background alone gives the label away, and nothing else of a scene is touched."""

import pickle

import numpy as np
import pytest

from zfutils.data.part_masks import ProbeMasks
from zfutils.data.parts import PartsImages, categories
from zfutils.data.parts.cued import CuedParts
from zfutils.data.stores import build

CLASSES = len(categories())


@pytest.fixture(scope="module")
def plain():
    return PartsImages("train", n=2 * CLASSES, size=48)


def test_a_class_has_one_background_and_no_other_class_has_it(plain):
    cued = CuedParts(plain)
    backgrounds = [cued.scene(i).background for i in range(len(cued))]
    assert backgrounds[:CLASSES] == backgrounds[CLASSES:]
    assert all(a != b for i, a in enumerate(backgrounds[:CLASSES]) for b in backgrounds[:i])


def test_the_cue_is_the_same_in_every_split_and_no_scenes_of_theirs(plain):
    cued, other = CuedParts(plain), CuedParts(PartsImages("validation", n=CLASSES, size=48))
    for i in range(CLASSES):
        assert cued.background(i) == other.background(i)
        assert plain.scene(i).background != other.background(i) != other.source.scene(i).background


@pytest.mark.parametrize("exchanged", [False, True])
def test_objects_and_camera_stay_as_they_were(plain, exchanged):
    cued = CuedParts(plain, exchanged=exchanged)
    for i in (0, 5, 20):
        here, there = cued.scene(i), plain.scene(i)
        assert (here.objects, here.camera, here.label) == (there.objects, there.camera, there.label)
        assert not np.array_equal(cued[i], plain[i])
    same, rows = ProbeMasks.build(plain), np.arange(len(plain))
    np.testing.assert_array_equal(ProbeMasks.build(cued, rows).maps, same.maps)


def test_an_exchanged_cue_is_another_classs_and_depends_on_seed_and_picture_alone(plain):
    cued = CuedParts(PartsImages("test", n=40 * CLASSES, size=48), exchanged=True)
    cues = np.array([cued.cue(i) for i in range(len(cued))])
    assert (cues != cued.labels).all()
    for label in range(CLASSES):
        assert len(set(cues[cued.labels == label])) > CLASSES // 3
    again = CuedParts(PartsImages("test", n=3, size=64), exchanged=True)
    assert [again.cue(i) for i in range(3)] == cues[:3].tolist()
    for i in range(3):
        assert cued.scene(i).background == cued.background(int(cues[i]))


def test_without_an_exchange_the_cue_is_the_label(plain):
    cued = CuedParts(plain)
    assert [cued.cue(i) for i in range(len(cued))] == plain.labels.tolist()


def test_it_is_a_source_like_any_other(plain, tmp_path):
    cued, exchanged = CuedParts(plain), CuedParts(plain, exchanged=True)
    identities = [str(source.identity) for source in (plain, cued, exchanged)]
    assert len(set(identities)) == 3
    assert len(set(cued.names) | set(exchanged.names) | set(plain.names)) == 3 * len(plain)
    store = build(pickle.loads(pickle.dumps(cued)), tmp_path / "cued", workers=1, progress=False)
    assert store.classes == plain.classes
    np.testing.assert_array_equal(store.labels, plain.labels)
    for i in (0, 17):
        np.testing.assert_array_equal(store.pixels[i], cued[i])


def test_a_class_or_a_picture_that_is_not_there_is_refused(plain):
    cued = CuedParts(plain)
    with pytest.raises(
        ValueError, match=f"label {CLASSES} is no class of this world, which has 0 … {CLASSES - 1}"
    ):
        cued.background(CLASSES)
    with pytest.raises(IndexError, match=f"picture {2 * CLASSES}"):
        cued[2 * CLASSES]
