"""Parts keeps its promises: what a scene holds, what hides some of it, and that its truth is true."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from zfutils.data.parts import PartsImages, categories, scene
from zfutils.data.parts.difficulty import (
    BEYOND,
    BEYOND_HELD_OUT,
    COVERED,
    DISTRACTOR_SIDE,
    DISTRACTORS,
    HIDDEN_SCENES,
    SMALLEST,
)
from zfutils.data.parts.placing import PlacedObject

MAIN, HELD_OUT = len(categories()), len(categories(held_out=True))
NAMES = [category.name for category in categories()]


@pytest.fixture(scope="module", params=[False, True], ids=["main", "held-out"])
def probes(request):
    """Two scenes of every category with nothing in front of the object, and their truth at 128 px."""
    n = 2 * len(categories(request.param))
    scenes = [scene("probe", i, held_out=request.param).uncovered() for i in range(n)]
    return [(s, s.probe(128)) for s in scenes]


@pytest.fixture(scope="module", params=[False, True], ids=["main", "held-out"])
def hidden(request):
    """Scenes in which something lies in front of the object, out of 120, and how many were drawn."""
    scenes = [scene("test", i, held_out=request.param) for i in range(120)]
    return [s for s in scenes if s.objects[0].cover], len(scenes)


def in_the_middle(index, **options):
    """A scene of the probe split with its whole object in the middle, upright and as small as 0.45."""
    s = scene("probe", index, **options).uncovered()
    placed = s.objects[0]
    return s.moved(0.5 - placed.x, 0.5 - placed.y, scale=0.45 / placed.scale, rotation=-placed.rotation)


def background(s):
    """The picture as it would be without its objects."""
    return replace(s, objects=()).render(128)


def silhouette(s, size=128, **options):
    return np.any(list(s.part_masks(size, **options).values()), axis=0)


# What a scene promises


@pytest.mark.parametrize("held_out", [False, True])
def test_an_object_is_large_enough_and_reaches_little_beyond_the_picture(held_out):
    share = BEYOND_HELD_OUT if held_out else BEYOND
    for i in range(40):
        s = scene("train", i, held_out=held_out).uncovered()
        assert SMALLEST <= s.objects[0].scale <= 1
        assert abs(s.objects[0].rotation) <= 15
        around = silhouette(s, 96, field=1.5)
        rows, columns = (np.flatnonzero(around.any(axis)) for axis in (1, 0))
        beyond = 16 - min(rows[0], columns[0]), max(rows[-1], columns[-1]) - 79  # pixels of 64 to the side
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        assert max(beyond) <= (share + 0.05) * extent + 1, s.objects[0].category  # jitter adds a little
        assert silhouette(s, 64).sum() >= (1 - 2 * share - 0.2) * around.sum(), s.objects[0].category


@pytest.mark.parametrize("held_out", [False, True])
def test_objects_of_all_categories_cover_as_much_of_the_picture(held_out):
    n = len(categories(held_out))
    scenes = [scene("train", i, held_out=held_out).uncovered() for i in range(6 * n)]
    areas = np.array([silhouette(s, 48).mean() for s in scenes]).reshape(6, n)
    ratio = areas.mean(0) / areas.mean()
    assert 0.6 < ratio.min() < ratio.max() < 1.3  # boxes of one size would give 0.5 and 1.6


def test_objects_lie_everywhere_in_the_picture():
    scenes = [scene("train", i) for i in range(300)]
    middles = np.array([(s.objects[0].x, s.objects[0].y) for s in scenes])
    assert (np.quantile(middles, 0.05, axis=0) < 0.36).all()
    assert (np.quantile(middles, 0.95, axis=0) > 0.64).all()


def test_every_held_out_part_is_at_least_6_px_wide_and_high_in_a_96_px_picture():
    """Of those that are thin by nature, the longer side."""
    thin = ("mouth", "gills", "stick", "antenna", "rope", "stalk", "feeler", "fork", "gallery", "brim")
    for index in range(HELD_OUT):
        s = scene("probe", index, held_out=True).uncovered()
        s = s.moved(scale=0.75 / s.objects[0].scale, rotation=-s.objects[0].rotation)
        for part in s.objects[0].parts:
            # the silhouette of the part alone, so that what lies over it takes nothing away
            alone = replace(s, objects=(replace(s.objects[0], parts=(part,)),))
            rows, columns = np.nonzero(silhouette(alone, 192, field=2.0))
            sides = np.ptp(rows) + 1, np.ptp(columns) + 1
            side = max(sides) if part.name.endswith(thin) else min(sides)
            assert side >= 6, (s.objects[0].category, part.name)


def test_part_masks_are_disjoint_and_make_up_the_object(probes):
    for _, sample in probes:
        assert (sum(mask.astype(int) for mask in sample.part_masks.values()) == sample.object_mask).all()


def test_a_key_point_is_visible_exactly_where_its_part_shows(probes):
    eyes = 0
    for _, sample in probes:
        assert sample.key_points.keys() == sample.part_masks.keys()
        for name, (x, y, visible) in sample.key_points.items():
            inside = 0 <= x < 128 and 0 <= y < 128
            assert visible == (inside and sample.part_masks[name][int(y), int(x)])
            if name in ("left eye", "right eye", "nose") and inside:
                assert visible, name
                eyes += 1
    assert eyes


def test_the_left_eye_is_the_one_to_the_left():
    for index in range(5):
        assert NAMES[index] in ("cat", "dog", "rabbit", "bear", "owl")
        points = in_the_middle(index).probe(128).key_points
        assert points["left eye"][0] < 64 < points["right eye"][0]


def test_the_picture_differs_from_its_background_at_the_object_and_in_its_shadow_alone(probes):
    for s, sample in probes:
        change = np.abs(sample.image.astype(int) - background(s)).max(-1)
        near = binary_dilation(sample.object_mask, iterations=14)
        assert change[~near].max(initial=0) <= 20  # loose things are shaded a little by what lies near
        assert (change[~near] > 8).mean() <= 0.001
        assert (change[sample.object_mask] > 12).mean() >= 0.75, s.objects[0].category


# What lies in front and beside


def test_something_lies_in_front_of_a_third_of_the_objects(hidden):
    scenes, drawn = hidden
    spread = np.sqrt(HIDDEN_SCENES * (1 - HIDDEN_SCENES) / drawn)
    assert abs(len(scenes) / drawn - HIDDEN_SCENES) < 3 * spread
    assert len(Counter(s.objects[0].cover[0].name for s in scenes)) == 4


def test_it_hides_10_to_35_percent_of_the_object(hidden):
    for s in hidden[0]:
        share = 1 - silhouette(s, field=1.3).sum() / silhouette(s.uncovered(), field=1.3).sum()
        assert COVERED[0] <= share <= COVERED[1], s.objects[0].category


def test_what_is_hidden_belongs_to_no_part_and_no_key_point_shows_there(hidden):
    points = 0
    for s in hidden[0][:10]:
        seen, whole = s.probe(96), s.uncovered().probe(96)
        under = whole.object_mask & ~seen.object_mask
        for name, mask in whole.part_masks.items():
            assert np.array_equal(seen.part_masks[name], mask & ~under)
            x, y, visible = whole.key_points[name]
            gone = visible and under[int(y), int(x)]
            points += gone
            assert seen.key_points[name] == (x, y, visible and not gone)
    assert points


def test_the_picture_without_the_cover_differs_only_near_it(hidden):
    for s in hidden[0][:6]:
        bare = s.uncovered()
        cover = replace(s.objects[0], parts=s.objects[0].cover, cover=())
        near = binary_dilation(silhouette(replace(s, objects=(cover,))), iterations=14)
        change = np.abs(s.render(128).astype(int) - bare.render(128)).max(-1)
        assert change[~near].max(initial=0) <= 20  # what bulges is shaded a little by what lies near
        assert change[near].max() > 30


def test_the_cover_moves_with_its_object(hidden):
    s = hidden[0][0].moved(0, 0, scale=0.4)
    before, after = silhouette(s), silhouette(s.moved(10 / 128, -6 / 128))
    assert (np.roll(before, (-6, 10), axis=(0, 1)) != after).mean() <= 0.001
    share = [silhouette(t).sum() / silhouette(t.uncovered()).sum() for t in (s, s.moved(rotation=40))]
    assert share[0] == pytest.approx(share[1], abs=0.02)


@pytest.mark.parametrize("held_out", [False, True])
def test_different_small_things_lie_beside_the_object_and_behind_it(held_out):
    for i in range(12):
        s = scene("train", i, held_out=held_out)
        things = s.background.distractors
        assert len(things) == DISTRACTORS == len({thing.parts[0].name for thing in things})
        assert all(DISTRACTOR_SIDE[0] <= thing.scale <= DISTRACTOR_SIDE[1] for thing in things)
        without = replace(s, background=replace(s.background, distractors=()))
        assert np.array_equal(without.part_masks(64)[s.objects[0].parts[0].name],
                              s.part_masks(64)[s.objects[0].parts[0].name])  # fmt: skip
        inside = binary_erosion(silhouette(s.uncovered()), iterations=5)
        change = np.abs(s.uncovered().render(128).astype(int) - without.uncovered().render(128)).max(-1)
        assert (change[inside] > 12).mean() <= 0.02  # what bulges is shaded a little by what lies near
        bare = np.abs(background(s).astype(int) - background(without)).max(-1)
        assert (bare > 12).mean() > 0.01  # they show on the background


# Drawing again


@pytest.mark.parametrize("index", range(0, MAIN, 8))
def test_a_shifted_scene_shifts_the_mask_by_as_many_pixels(index):
    s = in_the_middle(index)
    before, after = s.probe(128).object_mask, s.moved(10 / 128, -6 / 128).probe(128).object_mask
    assert (np.roll(before, (-6, 10), axis=(0, 1)) != after).mean() <= 0.001


@pytest.mark.parametrize("index", range(0, MAIN, 8))
def test_a_scene_scaled_by_one_and_a_half_covers_nine_quarters_of_the_area(index):
    s = in_the_middle(index)
    before, after = s.probe(256).object_mask, s.moved(scale=1.5).probe(256).object_mask
    assert after.sum() == pytest.approx(2.25 * before.sum(), rel=0.02)


@pytest.mark.parametrize("index", range(0, MAIN, 8))
def test_a_scene_turned_by_90_degrees_turns_the_mask_clockwise(index):
    s = in_the_middle(index)
    before, after = s.probe(128).object_mask, s.moved(rotation=90).probe(128).object_mask
    assert (np.rot90(before, k=-1) != after).mean() <= 0.005


def test_object_units_go_to_the_picture_as_worked_out_by_hand():
    # a quarter turn clockwise takes "right" to "down"; 10 of 100 units of a box of side 0.5 are 0.05
    placed = PlacedObject((), x=0.5, y=0.25, scale=0.5, rotation=90.0, category="cat", label=0)
    assert placed.place((10, 0)) == pytest.approx((0.5, 0.3))
    assert placed.place((0, 10)) == pytest.approx((0.45, 0.25))
    assert replace(placed, flipped=True).place((10, 0)) == pytest.approx((0.5, 0.2))


def test_an_exchanged_background_shows_everywhere_but_at_the_object():
    s, other = scene("probe", 1).uncovered(), scene("probe", 30)
    exchanged = replace(s, background=other.background)
    assert np.array_equal(exchanged.probe(128).object_mask, s.probe(128).object_mask)
    inside = binary_erosion(s.probe(128).object_mask, iterations=5)
    change = np.abs(exchanged.render(128).astype(int) - s.render(128)).max(-1)
    assert np.median(change[inside]) == 0
    assert (change[inside] > 12).mean() <= 0.02  # it bulges a little less beside a loose thing
    far = ~binary_dilation(s.probe(128).object_mask, iterations=28)
    expected = background(replace(other, camera=s.camera))
    assert np.abs(exchanged.render(128)[far].astype(int) - expected[far]).max() <= 1


def test_a_wider_field_shows_the_same_world_at_the_same_pixel_scale():
    s = scene("probe", 2)
    wide, narrow = s.probe(192, field=1.5), s.probe(128)
    assert (wide.object_mask[32:160, 32:160] != narrow.object_mask).mean() <= 0.001
    x, y, _ = narrow.key_points["nose"]
    assert wide.key_points["nose"][:2] == pytest.approx((x + 32, y + 32))
    difference = wide.image[32:160, 32:160].astype(float) - narrow.image
    assert np.abs(difference).mean() < 8  # sensor noise is drawn anew, and is below 5 levels


def test_twice_the_size_is_the_same_picture_in_finer_pixels():
    s = scene("probe", 9)
    coarse, fine = s.render(64).astype(float), s.render(128).reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(coarse - fine).mean() < 8


def test_a_scene_may_hold_several_objects_and_the_front_one_hides_the_others():
    back, front = in_the_middle(0), in_the_middle(NAMES.index("clock"))
    both = replace(back, objects=back.objects + front.objects)
    cat, clock = both.probe(128, of=0), both.probe(128, of=1)
    assert (cat.label, clock.label) == (0, NAMES.index("clock"))
    assert np.array_equal(clock.object_mask, front.probe(128).object_mask)
    assert np.array_equal(cat.object_mask, back.probe(128).object_mask & ~clock.object_mask)
    assert not cat.key_points["nose"][2]


def test_a_part_outside_the_picture_is_not_visible():
    sample = in_the_middle(0).moved(dx=0.9).probe(128)
    assert not any(visible for _, _, visible in sample.key_points.values())


# The image source


def test_no_category_of_the_main_world_is_held_out():
    main, held_out = (PartsImages("train", n=1, size=128, held_out=h).classes for h in (False, True))
    assert len(main) >= 40
    assert 20 <= len(held_out) <= 24
    assert len({*main, *held_out}) == len(main) + len(held_out)


def test_labels_are_balanced_and_names_unique():
    source = PartsImages("train", n=10 * MAIN, size=64)
    assert source.labels.dtype == np.int64
    assert np.bincount(source.labels).tolist() == [10] * MAIN
    assert len(set(source.names)) == 10 * MAIN
    assert source.scene(37).label == source.labels[37]


def test_a_scene_refuses_what_cannot_be_drawn():
    s = scene("probe", 0)
    with pytest.raises(ValueError, match="split is 'all'"):
        scene("all", 0)
    with pytest.raises(ValueError, match="index is -1"):
        scene("probe", -1)
    with pytest.raises(ValueError, match="scale is 0"):
        s.moved(scale=0)
    with pytest.raises(ValueError, match="size is 4000 px"):
        s.render(4000)
    with pytest.raises(ValueError, match="of is 1; this scene has objects 0 … 0"):
        s.probe(128, of=1)
