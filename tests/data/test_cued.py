"""Cued parts: the background alone gives the label away, and nothing else of a scene is touched."""

import numpy as np
import pytest

from zfutils.data.parts import PartsImages, categories
from zfutils.data.parts.cued import CuedParts

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
        assert cued.backgrounds[i] == other.backgrounds[i]
        assert plain.scene(i).background != other.backgrounds[i] != other.source.scene(i).background


@pytest.mark.parametrize("exchanged", [False, True])
def test_objects_and_camera_stay_as_they_were(plain, exchanged):
    cued = CuedParts(plain, exchanged=exchanged)
    for i in (0, 5, 20):
        here, there = cued.scene(i), plain.scene(i)
        assert (here.objects, here.camera, here.label) == (there.objects, there.camera, there.label)
        assert not np.array_equal(cued[i], plain[i])


def test_an_exchanged_cue_is_another_classs_and_depends_on_seed_and_picture_alone(plain):
    cued = CuedParts(PartsImages("test", n=40 * CLASSES, size=48), exchanged=True)
    assert (cued.cues != cued.labels).all()
    for label in range(CLASSES):
        assert len(set(cued.cues[cued.labels == label])) > CLASSES // 3
    again = CuedParts(PartsImages("test", n=3, size=64), exchanged=True)
    assert again.cues.tolist() == cued.cues[:3].tolist()
    for i in range(3):
        assert cued.scene(i).background == cued.backgrounds[cued.cues[i]]
