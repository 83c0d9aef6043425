"""Near-duplicates: planted copies are found with the right pair, what only resembles is not listed."""

import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zfutils.data import photos, stores, transfer_sets
from zfutils.data.parts import PartsImages, scene
from zfutils.data.photos import FileImages
from zfutils.data.pixels import Pixels
from zfutils.experiments.transfer.near_duplicates import (
    COLUMNS,
    THRESHOLD,
    best_matches,
    near_duplicates,
    thumbnails,
)

ROOM = "zfutils.experiments.transfer.near_duplicates"


def stored(pictures, name="picture"):
    """A store of the given uint8 pictures."""
    images = torch.from_numpy(np.stack(pictures))
    names = tuple(f"{name}-{i}" for i in range(len(images)))
    return Pixels(images, torch.zeros(len(images)).long(), images.float().mean(0), ("one",), names, {})


def noise(n, size, *, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def source():
    """Sixty drawn pictures."""
    drawn = PartsImages("train", n=60, size=96)
    return stored([drawn[i] for i in range(60)], "source")


@pytest.fixture(scope="module")
def others():
    """Twenty pictures that have nothing to do with them."""
    drawn = PartsImages("validation", n=20, size=96)
    return [drawn[i] for i in range(20)]


# ---- the correlation


def test_the_correlation_of_four_pixels_is_the_one_worked_out_by_hand(monkeypatch):
    monkeypatch.setattr(f"{ROOM}.SIDE", 2)
    # less their means: (-75, -75, 25, 125) and (-100, 0, 0, 100): 20,000 / √(27,500 · 20,000) = 0.852803;
    # with the second one's mirror image (0, -100, 100, 0): 10,000 / √(27,500 · 20,000) = 0.426401
    first = np.array([[0, 0], [100, 200]], dtype=np.uint8)[..., None]
    second = np.array([[0, 100], [100, 200]], dtype=np.uint8)[..., None]
    found = best_matches(stored([second]), stored([first]))
    assert found["correlation"].tolist() == pytest.approx([20_000 / 550_000_000**0.5])
    assert found["mirrored"].tolist() == [False]
    found = best_matches(stored([second[:, ::-1]]), stored([first]))
    assert found["correlation"].tolist() == pytest.approx([0.852803], abs=1e-6)
    assert found["mirrored"].tolist() == [True]


def test_correlations_are_those_of_box_thumbnails_by_pillow_and_numpy():
    source, target = noise(7, 32, seed=1), noise(5, 48, seed=2)

    def small(picture):
        planes = [Image.fromarray(picture[..., c].astype(np.float32)) for c in range(3)]
        sides = [np.asarray(plane.resize((16, 16), Image.Resampling.BOX)) for plane in planes]
        return np.stack([side - side.mean() for side in sides], axis=-1)

    expected = np.array(
        [
            [
                [np.corrcoef(small(t).ravel(), small(s)[:, ::turn].ravel())[0, 1] for turn in (1, -1)]
                for s in source
            ]
            for t in target
        ]
    )
    found = best_matches(stored(source), stored(target))
    best = expected.reshape(5, -1)
    assert found["source"].tolist() == (best.argmax(1) // 2).tolist()
    assert found["mirrored"].tolist() == (best.argmax(1) % 2 == 1).tolist()
    np.testing.assert_allclose(found["correlation"], best.max(1), atol=1e-5)


def test_a_thumbnail_averages_areas_even_where_pixels_are_shared(monkeypatch):
    monkeypatch.setattr(f"{ROOM}.SIDE", 2)
    # three pixels to two: each takes a whole pixel and half of the middle one, so 90 in the middle of the top
    # row is 30 on either side there, and 20 and 0 from top to bottom: less 10, over a length of 20
    picture = torch.zeros(1, 3, 3, 1, dtype=torch.uint8)
    picture[0, 0, 1] = 90
    found = thumbnails(picture)[0, ..., 0]
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.5], [-0.5, -0.5]]))


def test_a_colour_all_over_is_no_likeness():
    """Two blue pictures with unrelated patterns are as unlike as without the blue."""
    patterns = noise(2, 16, seed=3) // 8
    plain = best_matches(stored(patterns[:1]), stored(patterns[1:]))
    blue = (patterns + np.array([0, 40, 200])).astype(np.uint8)
    tinted = best_matches(stored(blue[:1]), stored(blue[1:]))
    assert tinted["correlation"][0] == pytest.approx(plain["correlation"][0], abs=1e-5)
    assert tinted["correlation"][0] < 0.3


def test_a_flat_picture_is_like_no_other_not_even_like_itself():
    flat = np.full((16, 16, 3), 120, dtype=np.uint8)
    barely = flat.copy()
    barely[0, 0] += 2
    pictures = stored([flat, barely, *noise(2, 16)])
    found = best_matches(pictures, pictures)
    assert found["correlation"].tolist() == pytest.approx([0, 0, 1, 1], abs=1e-5)


# ---- planted copies


def jpeg(picture, quality):
    beside = io.BytesIO()
    picture.save(beside, "JPEG", quality=quality)
    return Image.open(beside)


def cropped(picture, share):
    cut = round(picture.width * share)
    return picture.crop((cut, cut, picture.width - cut, picture.width - cut)).resize(picture.size)


COPIES = {
    "as it is": lambda p: p,
    "JPEG": lambda p: jpeg(p, 30),
    "half the size": lambda p: p.resize((48, 48), Image.Resampling.BICUBIC).resize((96, 96)),
    "1 % off every side": lambda p: cropped(p, 0.01),
    "brighter": lambda p: p.point(lambda v: min(255, v + 25)),
    "gamma": lambda p: p.point(lambda v: 255 * (v / 255) ** 1.4),
    "mirrored": lambda p: jpeg(p.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 30),
}


@pytest.mark.parametrize("change", COPIES)
def test_planted_copies_are_found_with_the_right_pair_and_nothing_else_is(source, others, change):
    planted, places = (3, 17, 44), (2, 11, 19)
    target = list(others)
    for row, place in zip(planted, places, strict=True):
        target[place] = np.asarray(COPIES[change](Image.fromarray(source.pixels[row].numpy())))
    found = near_duplicates(source, stored(target, "target"))
    assert sorted(zip(found["target"], found["source"], strict=True)) == [(2, 3), (11, 17), (19, 44)]
    assert set(found["target_name"]) == {f"target-{place}" for place in places}
    assert set(found["source_name"]) == {f"source-{row}" for row in planted}
    assert (found["mirrored"] == (change == "mirrored")).all()
    assert (found["correlation"] >= THRESHOLD).all()


def test_copies_in_another_size_are_found(source):
    copies = [np.asarray(Image.fromarray(source.pixels[row].numpy()).resize((160, 160))) for row in (5, 50)]
    assert near_duplicates(source, stored(copies))["source"].tolist() in ([5, 50], [50, 5])


def test_pictures_that_only_resemble_each_other_are_not_listed():
    scenes = [scene("probe", i) for i in range(8)]
    shifts = [0.25 if s.objects[0].x < 0.5 else -0.25 for s in scenes]
    moved = [s.moved(dx=dx) for s, dx in zip(scenes, shifts, strict=True)]
    elsewhere = [replace(s, background=scene("probe", 16 + i).background) for i, s in enumerate(scenes)]
    same_ground = [replace(scene("probe", 16 + i), background=s.background) for i, s in enumerate(scenes)]
    source = stored([s.render(96) for s in scenes])
    for alike in (moved, elsewhere, same_ground):
        found = best_matches(source, stored([s.render(96) for s in alike]))
        assert (found["correlation"] < THRESHOLD).all()
    # yet most of them are taken for what they resemble: the test is no empty one
    assert (found["source"] == found["target"]).mean() > 0.5


def test_the_most_alike_come_first_and_the_threshold_decides(source, others, monkeypatch):
    worse = np.asarray(COPIES["gamma"](Image.fromarray(source.pixels[8].numpy())))
    target = stored([*others, worse, source.pixels[9].numpy()])
    found = near_duplicates(source, target)
    assert found["target"].tolist() == [21, 20]
    assert found.index.tolist() == [0, 1]
    everything = best_matches(source, target)
    assert everything["target"].tolist() == list(range(22))
    monkeypatch.setattr(f"{ROOM}.THRESHOLD", found["correlation"].mean())
    assert near_duplicates(source, target)["target"].tolist() == [21]
    nothing = near_duplicates(source, stored(others))
    assert (len(nothing), tuple(nothing)) == (0, COLUMNS)


def test_how_many_are_compared_at_once_changes_nothing(source, others, monkeypatch):
    target = stored(others)
    whole = best_matches(source, target)
    for block in (1, 7, 59):
        monkeypatch.setattr(f"{ROOM}.BLOCK", block)
        parts = best_matches(source, target)
        assert parts.drop(columns="correlation").equals(whole.drop(columns="correlation"))
        np.testing.assert_allclose(parts["correlation"], whole["correlation"], atol=1e-6)


# ---- the real sets


@pytest.fixture(scope="module")
def real():
    root = Path(os.environ.get("ZFUTILS_DATA", "nowhere"))
    lacking = [n for n in ("imagenette2-160", "imagewoof2-160", "caltech101") if not (root / n).is_dir()]
    if lacking:
        pytest.skip(f"ZFUTILS_DATA holds no {', '.join(lacking)}")
    return root


PAIRS = (  # found by the search and judged by eye: the same photograph, three of them mirrored
    (
        "imagewoof2-160/train/n02089973/n02089973_2308.JPEG",
        "imagewoof2-160/val/n02089973/n02089973_2551.JPEG",
    ),
    (
        "imagewoof2-160/train/n02088364/n02088364_3833.JPEG",
        "imagewoof2-160/val/n02089973/n02089973_2211.JPEG",
    ),
    (
        "imagewoof2-160/train/n02089973/n02089973_1303.JPEG",
        "imagewoof2-160/val/n02089973/n02089973_6072.JPEG",
    ),
    ("imagewoof2-160/train/n02089973/n02089973_186.JPEG", "imagewoof2-160/val/n02089973/n02089973_3862.JPEG"),
)


@pytest.mark.data
def test_photographs_that_stand_in_both_splits_are_found_among_others(real, tmp_path):
    built = []
    for k, split in enumerate(("train", "val")):
        names = [pair[k] for pair in PAIRS]
        folder = real / f"imagewoof2-160/{split}/n02089973"
        names += sorted(str(path.relative_to(real)) for path in folder.iterdir())[:100]
        names = list(dict.fromkeys(names))
        images = FileImages(real, names, [0] * len(names), ("dog",), size=64)
        built.append(stores.build(images, tmp_path / split, workers=1, progress=False))
    found = near_duplicates(*built)
    assert set(zip(found["source_name"], found["target_name"], strict=True)) == set(PAIRS)
    assert found["mirrored"].sum() == 3


@pytest.mark.data
def test_other_photographs_are_not_listed(real, tmp_path):
    sets = photos.folders(("imagenette2-160",), "train", size=64, root=real, per_class=40)
    whole = transfer_sets.caltech101(size=64, root=real)
    names, labels = whole.names[::15], whole.labels[::15]
    some = FileImages(real, names, labels, whole.classes, size=64)
    built = [stores.build(s, tmp_path / k, workers=1, progress=False) for k, s in (("a", sets), ("b", some))]
    assert len(near_duplicates(*built)) == 0
