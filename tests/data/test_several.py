"""Scenes of several objects: balanced, nothing hidden, large enough; a function of seed, split and number."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from zfutils.data.parts import PartsImages, categories, scene
from zfutils.data.parts.several import COUNTS, SeveralParts

CLASSES = len(categories(held_out=True))


def silhouette(placed_in, of, size, field=1.0):
    return np.any(list(placed_in.part_masks(size, field=field, of=of).values()), axis=0)


@pytest.fixture(scope="module")
def scenes():
    """A turn of every number of objects."""
    source = SeveralParts("train", n=CLASSES * len(COUNTS), size=96)
    return [source.scene(i) for i in range(len(source))]


# ---- what is in a picture


def test_a_scene_holds_two_to_four_objects_of_different_categories(scenes):
    numbers = Counter(len(s.objects) for s in scenes)
    assert numbers == {2: CLASSES, 3: CLASSES, 4: CLASSES}
    names = [category.name for category in categories(held_out=True)]
    for s in scenes:
        assert len({o.label for o in s.objects}) == len(s.objects)
        assert all(o.category == names[o.label] for o in s.objects)


def test_present_names_what_the_scene_holds_and_the_label_is_one_of_it(scenes):
    source = SeveralParts("train", n=len(scenes), size=96)
    assert (source.present.dtype, source.present.shape) == (np.int8, (len(scenes), CLASSES))
    for i, s in enumerate(scenes):
        assert sorted(o.label for o in s.objects) == np.flatnonzero(source.present[i]).tolist()
        assert s.label == source.labels[i] == i % CLASSES


def test_every_category_is_there_equally_often():
    source = SeveralParts("test", n=10 * CLASSES * len(COUNTS), size=96)
    turns = source.present.reshape(-1, CLASSES, CLASSES).sum(1)
    assert (turns == turns[:, :1]).all()
    assert source.present.sum(0).tolist() == [10 * 9] * CLASSES
    assert np.bincount(source.labels).tolist() == [30] * CLASSES


def test_every_pair_of_categories_comes_together():
    source = SeveralParts("train", n=300 * CLASSES, size=96)
    together = source.present.T.astype(int) @ source.present
    pairs = [together[a, b] for a, b in combinations(range(CLASSES), 2)]
    # 100 scenes a category each with 1, 3 and 6 pairs, which CLASSES (CLASSES - 1) / 2 pairs share
    assert sum(pairs) == 1000 * CLASSES
    assert min(pairs) > 0.5 * 2000 / (CLASSES - 1)
    assert max(pairs) < 2 * 2000 / (CLASSES - 1)


# ---- how it lies there


def test_no_more_than_a_twentieth_of_an_object_is_hidden(scenes):
    for s in scenes[::3]:
        for of, placed in enumerate(s.objects):
            alone = silhouette(replace(s, objects=(placed,)), 0, 192)
            assert silhouette(s, of, 192).sum() >= 0.95 * alone.sum()


def test_every_object_lies_in_the_picture(scenes):
    for s in scenes[::3]:
        for placed in s.objects:
            alone = replace(s, objects=(placed,))
            inside = silhouette(alone, 0, 96).sum()
            assert inside >= 0.95 * silhouette(alone, 0, 192, field=2.0).sum(), placed.category


def test_every_object_is_about_30_px_or_more_in_a_picture_of_96(scenes):
    for s in scenes[::3]:
        for of, placed in enumerate(s.objects):
            rows, columns = np.nonzero(silhouette(s, of, 192))
            assert max(np.ptp(rows), np.ptp(columns)) + 1 >= 2 * 29, placed.category


def test_the_more_objects_the_smaller_they_are(scenes):
    areas = {
        n: np.mean([silhouette(s, k, 96).mean() for s in scenes if len(s.objects) == n for k in range(n)])
        for n in COUNTS
    }
    assert 0.14 > areas[2] > 1.2 * areas[3] > 1.4 * areas[4]
    assert areas[4] > 0.05


def test_objects_come_everywhere_in_the_picture():
    source = SeveralParts("train", n=120, size=96)
    middles = np.array([(o.x, o.y) for i in range(120) for o in source.scene(i).objects])
    counts, _, _ = np.histogram2d(*middles.T, bins=2, range=[(0, 1), (0, 1)])
    assert counts.min() > 0.6 * counts.mean()


def test_every_object_is_darker_than_the_ground_or_as_dark_as_on_its_own(scenes):
    """The ground is the lightest of the objects' own, so the contrast drawn for each of them holds."""
    s, source = scenes[-1], SeveralParts("train", n=len(scenes), size=96)
    own = [scene("train", n, held_out=True) for n in individuals(source, len(scenes) - 1)]
    assert any(other.objects[0].cover for t in range(20) for other in [scene("train", t, held_out=True)])
    assert not any(o.cover for t in scenes for o in t.objects)
    assert [o.parts for o in s.objects] == [other.objects[0].parts for other in own]
    lightness = [sum(other.background.texture.colours[0]) for other in own]
    assert s.background == own[int(np.argmax(lightness))].background


def individuals(source, index):
    """Numbers of the scenes that the objects of a picture come from."""
    labels = [o.label for o in source.scene(index).objects]
    return [CLASSES * ((1 << 20) + 4 * index + place) + label for place, label in enumerate(labels)]


def test_no_individual_comes_twice_nor_in_a_picture_of_one_object(scenes):
    drawn = [o.parts for s in scenes for o in s.objects]
    single = PartsImages("train", n=len(scenes), size=96, held_out=True)
    drawn += [single.scene(i).objects[0].parts for i in range(len(single))]
    assert len(set(drawn)) == len(drawn)


# ---- the image source


def test_a_wider_field_shows_the_same_world_with_more_around_it():
    narrow, wide = SeveralParts("train", n=3, size=96), SeveralParts("train", n=3, size=144, field=1.5)
    assert narrow.identity != SeveralParts("train", n=3, size=96, field=1.5).identity
    inner = wide[2][24:120, 24:120].astype(int)
    assert np.abs(inner - narrow[2]).mean() < 8  # the sensor's noise is drawn anew
