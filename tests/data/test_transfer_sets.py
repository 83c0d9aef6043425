"""Target sets in their official layouts, written small; what is missing is refused; the real Caltech-101."""

import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from painted import paint
from PIL import Image

from zfutils.__main__ import parser
from zfutils.data import stores
from zfutils.data.downloads import MissingData
from zfutils.data.parts.several import SeveralParts
from zfutils.data.transfer_sets import (
    VOC_CLASSES,
    caltech101,
    caltech256,
    of_one_class,
    presence,
    voc2012,
    voc2012_whole,
)
from zfutils.study.edition import Edition
from zfutils.study.places import BOOK
from zfutils.study.profile import Profile
from zfutils.study.sections import Images

TABLES = BOOK / "data" / "tables_4_to_7.csv"


@pytest.mark.parametrize(
    ("read", "name", "layout"),
    [
        (caltech101, "caltech101", "caltech101/101_ObjectCategories"),
        (caltech256, "caltech256", r"256_ObjectCategories/001\.ak47/001_0001\.jpg"),
        (voc2012_whole, "VOCdevkit/VOC2012", r"VOC2012/\{Annotations,ImageSets/Main,JPEGImages\}"),
    ],
)
def test_a_missing_set_is_refused_with_folder_layout_and_command(tmp_path, read, name, layout):
    with pytest.raises(MissingData, match=layout) as error:
        read(size=8, root=tmp_path)
    assert str(tmp_path / name) in str(error.value)
    command = str(error.value).split("fetch it with: ")[1]
    assert parser().parse_args(shlex.split(command)[3:]).download == [name]


# ---- Caltech-101


@pytest.fixture
def caltech_101(tmp_path):
    inside = tmp_path / "caltech101" / "101_ObjectCategories"
    for seed, name in enumerate(("BACKGROUND_Google/1", "Faces/1", "Faces_easy/1", "ant/1", "ant/2")):
        paint(inside / f"{name}.jpg", seed)
    return tmp_path


def test_caltech101_is_its_classes_without_the_background_and_with_both_kinds_of_faces(caltech_101):
    found = caltech101(size=8, root=caltech_101)
    assert found.classes == ("Faces", "Faces_easy", "ant")
    assert found.labels.tolist() == [0, 1, 2, 2]
    assert found.names[-1] == "caltech101/101_ObjectCategories/ant/2.jpg"
    assert found[0].shape == (8, 8, 3)


def test_an_empty_class_of_caltech101_is_refused_by_name(caltech_101):
    (caltech_101 / "caltech101/101_ObjectCategories/yin_yang").mkdir()
    with pytest.raises(MissingData, match="the class yin_yang holds no picture"):
        caltech101(size=8, root=caltech_101)


def test_a_copy_without_the_background_is_as_good(caltech_101):
    found = caltech101(size=8, root=caltech_101)
    shutil.rmtree(caltech_101 / "caltech101" / "101_ObjectCategories" / "BACKGROUND_Google")
    assert caltech101(size=8, root=caltech_101).identity == found.identity


def test_files_with_the_same_bytes_in_two_classes_are_left_out_and_listed(caltech_101):
    inside = caltech_101 / "caltech101" / "101_ObjectCategories"
    shutil.copy(inside / "ant" / "2.jpg", inside / "Faces" / "2.jpg")
    shutil.copy(inside / "ant" / "1.jpg", inside / "BACKGROUND_Google" / "2.jpg")
    found = caltech101(size=8, root=caltech_101)
    stem = "caltech101/101_ObjectCategories"
    assert found.left_out == (f"{stem}/Faces/2.jpg", f"{stem}/ant/2.jpg")
    assert found.names == (f"{stem}/Faces/1.jpg", f"{stem}/Faces_easy/1.jpg", f"{stem}/ant/1.jpg")
    assert found.labels.tolist() == [0, 1, 2]
    # ant/1.jpg stands in the background too, which is no class to be in conflict with


# ---- Caltech-256


@pytest.fixture
def caltech_256(tmp_path):
    """Three classes and the clutter, and what the official archive holds besides."""
    inside = tmp_path / "caltech256" / "256_ObjectCategories"
    kinds = (("001.ak47", 3), ("056.dog", 2), ("198.spider", 2), ("257.clutter", 2))
    for seed, (kind, n) in enumerate(kinds):
        for i in range(n):
            paint(inside / kind / f"{kind[:3]}_{i + 1:04d}.jpg", 10 * seed + i)
    paint(inside / "056.dog" / "greg" / "vision309" / "056_0003.jpg", 99)
    (inside / "198.spider" / "RENAME2").write_text("no picture")
    return tmp_path


def test_caltech256_is_its_numbered_classes_without_the_clutter(caltech_256):
    found = caltech256(size=8, root=caltech_256)
    assert found.classes == ("ak47", "dog", "spider")
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert found.names[0] == "caltech256/256_ObjectCategories/001.ak47/001_0001.jpg"
    assert found[6].shape == (8, 8, 3)


def test_torchvision_reads_the_same_pictures_of_caltech256(caltech_256):
    from torchvision.datasets import Caltech256

    for kind in ("056.dog", "198.spider"):  # torchvision numbers by place, which wants all 257 of them
        shutil.rmtree(caltech_256 / "caltech256" / "256_ObjectCategories" / kind)
    theirs, ours = Caltech256(str(caltech_256)), caltech256(size=20, root=caltech_256)
    assert theirs.categories == ["001.ak47", "257.clutter"]
    assert [k for k in theirs.y if k == 0] == ours.labels.tolist()
    for i in range(len(ours)):
        assert np.array_equal(np.asarray(theirs[i][0].resize((20, 20), Image.Resampling.BICUBIC)), ours[i])


def test_an_empty_class_of_caltech256_is_refused_by_name(caltech_256):
    for path in (caltech_256 / "caltech256/256_ObjectCategories/198.spider").glob("*.jpg"):
        path.unlink()
    with pytest.raises(MissingData, match=r"caltech256 is not complete.*the class 198\.spider is empty"):
        caltech256(size=8, root=caltech_256)


# ---- PASCAL VOC 2012

PICTURES = [f"2008_{i:06d}" for i in range(22)]


def main_lists(root):
    return root / "VOCdevkit" / "VOC2012" / "ImageSets" / "Main"


def set_flag(root, kind, picture, flag, split="train"):
    """Change what a class list says of a picture."""
    path = main_lists(root) / f"{kind}_{split}.txt"
    lines = [f"{p} {flag:>2}" if p == picture else f"{p} {f:>2}" for p, f in rows(path)]
    path.write_text("\n".join(lines) + "\n")


def rows(path):
    return [line.split() for line in path.read_text().splitlines()]


@pytest.fixture
def voc(tmp_path):
    """Twenty-two pictures: one a class; one of a horse and a person; one of a dog and a difficult cat."""
    shown = {picture: [kind] for picture, kind in zip(PICTURES, VOC_CLASSES, strict=False)}
    shown |= {PICTURES[20]: ["horse", "person"], PICTURES[21]: ["dog"]}
    main_lists(tmp_path).mkdir(parents=True)
    (tmp_path / "VOCdevkit/VOC2012/Annotations").mkdir()
    for split in ("train", "val"):
        (main_lists(tmp_path) / f"{split}.txt").write_text("\n".join(PICTURES) + "\n")
        for kind in VOC_CLASSES:
            lines = [f"{p} {1 if kind in shown[p] else -1:>2}" for p in PICTURES]
            (main_lists(tmp_path) / f"{kind}_{split}.txt").write_text("\n".join(lines) + "\n")
    for seed, picture in enumerate(PICTURES):
        paint(tmp_path / f"VOCdevkit/VOC2012/JPEGImages/{picture}.jpg", seed)
    set_flag(tmp_path, "cat", PICTURES[21], 0)
    return tmp_path


def test_the_twenty_classes_are_those_of_the_papers_table(voc):
    table = pd.read_csv(TABLES, index_col="class").query("table == 6 and method == 'pretrained'")["mean"]
    assert set(table.index) == {*voc2012("train", size=8, root=voc).classes, "mean"}


@pytest.mark.parametrize("split", ["train", "val"])
def test_what_the_lists_say_is_present_absent_or_difficult(voc, split):
    found = voc2012(split, size=8, root=voc)
    assert (found.present.shape, found.present.dtype) == ((22, 20), np.int8)
    expected = np.vstack([np.eye(20, dtype=int), np.zeros((2, 20), dtype=int)])
    expected[20, [VOC_CLASSES.index("horse"), VOC_CLASSES.index("person")]] = 1
    expected[21, VOC_CLASSES.index("dog")] = 1
    expected[21, VOC_CLASSES.index("cat")] = -1 if split == "train" else 0
    np.testing.assert_array_equal(found.present, expected)
    assert found.names[3] == f"VOCdevkit/VOC2012/JPEGImages/{PICTURES[3]}.jpg"
    assert found[3].shape == (8, 8, 3)


def test_the_label_is_the_first_class_that_is_present(voc):
    found = voc2012("train", size=8, root=voc)
    assert found.labels.tolist() == [*range(20), VOC_CLASSES.index("horse"), VOC_CLASSES.index("dog")]


def test_a_picture_of_difficult_objects_alone_has_the_first_of_them_for_a_label(voc):
    set_flag(voc, "dog", PICTURES[21], 0)
    found = voc2012("train", size=8, root=voc)
    assert found.labels[21] == VOC_CLASSES.index("cat")
    assert sorted(set(found.present[21])) == [-1, 0]


def test_a_picture_of_no_class_is_left_out_and_listed(voc):
    for kind in ("horse", "person"):
        set_flag(voc, kind, PICTURES[20], -1)
    found = voc2012("train", size=8, root=voc)
    assert len(found) == len(found.present) == 21
    assert found.left_out == (f"VOCdevkit/VOC2012/JPEGImages/{PICTURES[20]}.jpg",)
    assert len(voc2012("val", size=8, root=voc)) == 22


def test_torchvision_reads_the_same_pictures_of_voc(voc):
    from torchvision.datasets import VOCDetection

    theirs, ours = VOCDetection(str(voc), year="2012", image_set="train"), voc2012("train", size=8, root=voc)
    assert [str(Path(path).relative_to(voc)) for path in theirs.images] == list(ours.names)


def test_identity_follows_the_lists_as_well_as_the_pictures(voc):
    first = voc2012("train", size=8, root=voc).identity
    assert voc2012("train", size=8, root=voc).identity == first
    assert voc2012("train", size=9, root=voc).identity != first
    set_flag(voc, "cat", PICTURES[21], 1)
    assert voc2012("train", size=8, root=voc).identity != first


def test_present_follows_pictures_by_name_through_a_store(voc, tmp_path):
    """A store that lacks a picture has moved another one to its place; its class, horse, has two."""
    path = voc / f"VOCdevkit/VOC2012/JPEGImages/{PICTURES[12]}.jpg"
    path.write_bytes(path.read_bytes()[:-100])
    found = voc2012("train", size=8, root=voc)
    store = stores.build(found, tmp_path / "store", workers=1, progress=False)
    present = presence(found, store.names)
    assert len(present) == len(store) == 21
    np.testing.assert_array_equal(present[12], found.present[21])
    np.testing.assert_array_equal(np.delete(present, 12, axis=0), np.delete(found.present, (12, 21), axis=0))
    with pytest.raises(ValueError, match="holiday is none of this source's 22 pictures"):
        presence(found, ["holiday"])
    drawn = SeveralParts("test", n=3, size=48)
    np.testing.assert_array_equal(presence(drawn, drawn.names[::-2]), drawn.present[[2, 0]])


def of_other_pictures(root):
    """Give the validation split pictures of its own, as the official one has: the same, of a year later."""
    for path in main_lists(root).glob("*val.txt"):
        path.write_text(path.read_text().replace("2008_", "2009_"))
    folder = root / "VOCdevkit/VOC2012/JPEGImages"
    for picture in PICTURES:
        later = folder / f"{picture.replace('2008_', '2009_')}.jpg"
        later.write_bytes((folder / f"{picture}.jpg").read_bytes())
    return root


def test_both_splits_together_are_the_training_pictures_and_then_the_others(voc):
    found = voc2012_whole(size=8, root=of_other_pictures(voc))
    train, val = (voc2012(split, size=8, root=voc) for split in ("train", "val"))
    assert found.names == (*train.names, *val.names)
    assert len(set(found.names)) == 44
    np.testing.assert_array_equal(found.present, np.vstack([train.present, val.present]))


def test_an_edition_splits_voc_as_its_lists_do(voc, tmp_path, monkeypatch):
    """Of the store that an edition builds; a picture that cannot be read has moved another to its place."""
    monkeypatch.setenv("ZFUTILS_DATA", str(of_other_pictures(voc)))
    for seed, name in enumerate(("train/cat", "train/dog", "val/cat", "val/dog")):
        paint(voc / "source" / name / "1.jpg", seed)
    broken = f"VOCdevkit/VOC2012/JPEGImages/{PICTURES[4]}.jpg"
    (voc / broken).write_bytes((voc / broken).read_bytes()[:-100])
    smoke = Profile.load(BOOK / "profiles" / "smoke.yaml")
    images = Images(source="photos", sets=("source",), size=16, crop=16)
    changes = {"images": images, "transfer": smoke.transfer.model_copy(update={"target": "voc2012"})}
    scenes = Edition(smoke.model_copy(update=changes), tmp_path / "build").several
    named = [{scenes.images.names[row] for row in rows} for rows in (scenes.train, scenes.test)]
    assert named[0] == set(voc2012("train", size=16).names) - {broken}
    assert named[1] == set(voc2012("val", size=16).names)
    assert len(scenes.present) == len(scenes.images) == 43


def test_pictures_of_one_class_are_those_that_show_no_other_not_even_a_difficult_one(voc):
    alone = of_one_class(voc2012("train", size=8, root=voc))
    assert alone.labels.tolist() == list(range(20)), (
        "not horse and person, not the dog beside a difficult cat"
    )
    also = of_one_class(voc2012("val", size=8, root=voc))
    set_flag(voc, "cat", PICTURES[21], -1)
    assert of_one_class(voc2012("train", size=8, root=voc)).labels.tolist() == also.labels.tolist()
    assert also.labels.tolist() == [*range(20), VOC_CLASSES.index("dog")]


@pytest.mark.parametrize("name", ["train.txt", "cow_train.txt"])
def test_a_missing_list_is_refused_by_name(voc, name):
    (main_lists(voc) / name).unlink()
    with pytest.raises(MissingData, match=f"ImageSets/Main/{name} is not there"):
        voc2012("train", size=8, root=voc)
    assert len(voc2012("val", size=8, root=voc)) == 22


def test_a_list_that_broke_off_is_refused_with_the_first_picture_it_lacks(voc):
    path = main_lists(voc) / "sofa_train.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:9]) + "\n")
    with pytest.raises(MissingData, match=rf"sofa_train\.txt and train\.txt .* same pictures: {PICTURES[9]}"):
        voc2012("train", size=8, root=voc)


@pytest.mark.parametrize("content", ["", "\n", "2008_000001\n", "2008_000001 1 1\n"])
def test_a_list_of_another_form_is_refused_by_name(voc, content):
    (main_lists(voc) / "bus_train.txt").write_text(content)
    with pytest.raises(MissingData, match=r"bus_train\.txt needs lines of 2 words"):
        voc2012("train", size=8, root=voc)


def test_a_flag_that_there_is_not_is_refused(voc):
    set_flag(voc, "bus", PICTURES[2], 2)
    with pytest.raises(MissingData, match=r"bus_train\.txt says '2'; it may say 1, -1, 0"):
        voc2012("train", size=8, root=voc)


def test_a_class_without_a_picture_is_refused_by_name(voc):
    set_flag(voc, "boat", PICTURES[3], 0)
    with pytest.raises(MissingData, match="no picture of train shows the class boat"):
        voc2012("train", size=8, root=voc)


def test_a_listed_picture_that_is_not_there_is_refused_by_name(voc):
    (voc / f"VOCdevkit/VOC2012/JPEGImages/{PICTURES[7]}.jpg").unlink()
    with pytest.raises(MissingData, match=rf"the picture {PICTURES[7]}\.jpg of train\.txt is not there"):
        voc2012("train", size=8, root=voc)


# ---- the paper's numbers


def test_the_papers_tables_hold_each_number_once_and_their_mean_is_the_papers():
    table = pd.read_csv(TABLES)
    keys = ["table", "set", "method", "layer", "per_class", "class"]
    assert list(table) == ["table", "set", "method", "layer", "per_class", "mean", "spread", "class"]
    assert not table.duplicated(keys).any()
    assert table.groupby("table").size().to_dict() == {4: 7, 5: 16, 6: 23, 7: 16}
    voc = table[(table["table"] == 6) & (table["method"] == "pretrained")].set_index("class")["mean"]
    assert voc.drop("mean").mean() == pytest.approx(voc["mean"], abs=0.05)


# ---- the real set


@pytest.mark.data
def test_caltech101_has_101_classes_of_31_to_80_pictures():
    root = Path(os.environ.get("ZFUTILS_DATA", "nowhere"))
    if not (root / "caltech101").is_dir():
        pytest.skip("ZFUTILS_DATA holds no caltech101")
    found = caltech101(size=32, root=root)
    counts = np.bincount(found.labels, minlength=len(found.classes))
    assert len(found.classes) == 101
    assert (counts.min(), counts.max()) == (31, 80)
    assert {"Faces", "Faces_easy"} <= set(found.classes)
    assert "BACKGROUND_Google" not in found.classes
    assert found.left_out == ()
