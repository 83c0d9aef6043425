"""Scenes of two objects: alike but for the category, the centre between them, and one of the two alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zfutils.data.inputs import Inputs
from zfutils.data.part_masks import object_masks
from zfutils.data.parts import PartsImages, categories, scene
from zfutils.data.parts.pairs import AREA, PairedParts
from zfutils.data.pixels import Pixels

CLASSES = len(categories())


@pytest.fixture(scope="module")
def source():
    return PairedParts("validation", n=CLASSES, size=96)


@pytest.fixture(scope="module")
def scenes(source):
    return [source.scene(i) for i in range(CLASSES)]


def silhouette(drawn, of, size=96, field=1.0):
    return np.any(list(drawn.part_masks(size, field=field, of=of).values()), axis=0)


# ---- what is in a picture


def test_a_scene_holds_the_two_categories_that_the_source_names(source, scenes):
    names = [category.name for category in categories()]
    for i, drawn in enumerate(scenes):
        assert [o.label for o in drawn.objects] == [source.labels[i], source.others[i]]
        assert [o.category for o in drawn.objects] == [names[o.label] for o in drawn.objects]


def test_in_every_turn_each_category_comes_once_first_and_once_second():
    source = PairedParts("test", n=3 * CLASSES, size=96)
    assert (source.labels != source.others).all()
    for labels in (source.labels, source.others):
        assert (np.sort(labels.reshape(3, CLASSES), axis=1) == np.arange(CLASSES)).all()
    assert len(set(((source.others - source.labels) % CLASSES).tolist())) > 1


def test_the_two_are_as_large_as_each_other(scenes):
    for drawn in scenes:
        for placed in drawn.objects:
            alone = silhouette(replace(drawn, objects=(placed,)), 0, 192, field=2.0)
            assert 4 * alone.mean() == pytest.approx(AREA, rel=0.1), placed.category


def test_the_two_are_in_one_scenes_colours_and_pose(scenes):
    for i, drawn in enumerate(scenes[:6]):
        number = CLASSES * (1 << 20) + i
        own = scene("validation", number).uncovered()
        assert drawn.background == own.background
        assert drawn.objects[0].parts == own.objects[0].parts
        assert len({(o.rotation, o.stretch, o.cover) for o in drawn.objects}) == 1


def test_neither_hides_the_other_and_the_centre_is_on_neither(scenes):
    off = []
    for drawn in scenes:
        first, second = (silhouette(drawn, of) for of in range(2))
        alone = silhouette(replace(drawn, objects=drawn.objects[:1]), 0)
        assert (first & second).sum() == 0
        assert first.sum() >= 0.97 * alone.sum()
        off.append(not (first[48, 48] or second[48, 48]))
    assert np.mean(off) > 0.6


def test_they_lie_in_many_directions_of_each_other(scenes):
    ends = np.array([[(o.x, o.y) for o in drawn.objects] for drawn in scenes])
    across, down = (ends[:, 1] - ends[:, 0]).T
    quarters = 2 * (across > 0) + (down > 0)
    assert np.bincount(quarters, minlength=4).min() >= 4


# ---- one of the two alone


def test_alone_the_first_object_stays_where_it_was(scenes):
    alone = PairedParts("validation", n=CLASSES, size=96, alone=True)
    for i in (0, 5, 30):
        drawn = alone.scene(i)
        assert drawn.objects == scenes[i].objects[:1]
        assert (drawn.background, drawn.camera) == (scenes[i].background, scenes[i].camera)


def test_masks_are_those_of_the_object_that_is_asked_for(source):
    pixels = torch.from_numpy(np.stack([source[i] for i in range(3)]))
    labels = torch.from_numpy(source.labels[:3])
    images = Pixels(pixels, labels, pixels.float().mean(0), source.classes, source.names[:3], {})
    inputs = Inputs.of(images, torch.tensor([2, 0]), side=80)
    for of in range(2):
        for mask, row in zip(object_masks(source, inputs, of=of), (2, 0), strict=True):
            np.testing.assert_array_equal(mask, silhouette(source.scene(row), of)[8:88, 8:88])
    with pytest.raises(ValueError, match="of is 2; this scene has objects 0 … 1"):
        object_masks(source, inputs, of=2)


# ---- the image source


def test_no_individual_stands_in_a_picture_of_one_object(source, scenes):
    single = PartsImages("validation", n=CLASSES, size=96)
    drawn = [o.parts for each in scenes for o in each.objects]
    drawn += [single.scene(i).objects[0].parts for i in range(len(single))]
    assert len(set(drawn)) == len(drawn)


def test_a_scene_of_another_category_keeps_all_that_is_not_the_category():
    own = scene("train", 3)
    for label in range(CLASSES):
        other = scene("train", 3, label=label)
        assert (own.background, own.camera) == (other.background, other.camera)
        assert other.label == label
        assert own.objects[0].rotation == other.objects[0].rotation
        assert (other == own) == (label == 3)
    with pytest.raises(ValueError, match=f"label is {CLASSES}; there are categories 0 … {CLASSES - 1}"):
        scene("train", 3, label=CLASSES)
