"""Tiny-ImageNet in its own layout: a small tree that is written here, and the set where it is at hand."""

import numpy as np
import pytest
from PIL import Image
from tiny_tree import draw, written

from zfutils.data import photos, tiny_imagenet
from zfutils.data.cued_photographs import CuedPhotographs
from zfutils.data.downloads import MissingData
from zfutils.runtime.folders import data_folder


@pytest.fixture
def root(tmp_path):
    return written(tmp_path)


def test_both_splits_have_the_same_classes_in_words(root):
    train, val = (
        photos.folders(["tiny-imagenet-200"], part, size=32, root=root) for part in ("train", "val")
    )
    assert train.classes == val.classes == ("crane, machine", "crane, wading bird", "lemon")
    assert train.names[0] == "tiny-imagenet-200/train/n01/images/n01_0.JPEG"
    assert train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert {name: int(label) for name, label in zip(val.names, val.labels, strict=True)} == {
        "tiny-imagenet-200/val/images/val_0.JPEG": 1,
        "tiny-imagenet-200/val/images/val_1.JPEG": 0,
        "tiny-imagenet-200/val/images/val_2.JPEG": 2,
    }
    assert train[0].shape == (32, 32, 3)


def test_the_first_classes_alone_can_be_taken(root):
    found = photos.folders(["tiny-imagenet-200"], "train", size=32, root=root, per_class=1, first_classes=2)
    assert (len(found.classes), found.labels.tolist()) == (2, [0, 1])
    with pytest.raises(ValueError, match="3 classes"):
        photos.folders(["tiny-imagenet-200"], "train", size=32, root=root, first_classes=4)


def test_boxes_are_those_of_the_lists(root):
    names = ["tiny-imagenet-200/val/images/val_2.JPEG", "tiny-imagenet-200/train/n03/images/n03_1.JPEG"]
    assert tiny_imagenet.boxes(root, names).tolist() == [[1, 2, 3, 6], [2, 1, 42, 51]]
    with pytest.raises(ValueError, match=r"dog\.JPEG"):
        tiny_imagenet.boxes(root, ["tiny-imagenet-200/val/images/dog.JPEG"])


def test_of_each_class_as_many_photographs_are_taken_and_no_more_than_there_are(root):
    found = photos.folders(["tiny-imagenet-200"], "train", size=32, root=root)
    assert found.first_of_each(3).names == tuple(found.names[row] for row in (0, 2, 4))
    assert found.first_of_each(6).identity == found.identity
    for n in (4, 9):
        with pytest.raises(ValueError, match="from 1 to 2"):
            found.first_of_each(n)


def test_a_set_is_read_again_once_its_files_have_changed(root):
    before = photos.folders(["tiny-imagenet-200"], "train", size=32, root=root)
    picture = root / "tiny-imagenet-200" / "train" / "n03" / "images" / "n03_1.JPEG"
    picture.unlink()
    with pytest.raises(MissingData, match="n03_1"):
        photos.folders(["tiny-imagenet-200"], "train", size=32, root=root)
    assert len(before) == 6


@pytest.mark.parametrize(
    ("box", "size", "side", "rows", "columns"),
    [
        ((0, 0, 63, 63), 64, 64, (0, 64), (0, 64)),
        ((3, 5, 4, 5), 64, 64, (5, 6), (3, 5)),
        ((3, 5, 4, 5), 128, 128, (10, 12), (6, 10)),
        (
            (1, 0, 62, 63),
            108,
            96,
            (0, 96),
            (0, 96),
        ),  # from 1.69 to 106.3 of 108 px, of which 6 to 102 are seen
        ((32, 32, 47, 40), 108, 96, (48, 64), (48, 75)),  # 54 to 69.2 and 54 to 81, less 6
        ((0, 0, 2, 2), 108, 96, (0, 0), (0, 0)),  # ends at 5.06 px: outside the crop
    ],
)
def test_a_box_touches_these_pixels_of_the_enlarged_crop(box, size, side, rows, columns):
    found = tiny_imagenet.touched(box, size, side=side)
    assert [(each.start, each.stop) for each in found] == [rows, columns]
    (mask,) = tiny_imagenet.box_masks(np.array([box]), size, side=side)
    inside = np.zeros((side, side), bool)
    inside[slice(*rows), slice(*columns)] = True
    assert np.array_equal(mask, inside)


# ---- a colour that gives the class away


@pytest.fixture
def cued(root):
    source = photos.folders(["tiny-imagenet-200"], "train", size=128, root=root)
    return lambda **how: CuedPhotographs(source, tiny_imagenet.boxes(root, source.names), **how)


def test_around_the_object_a_photograph_takes_its_class_s_colour_and_keeps_its_light(root, cued):
    """Box 0, 0, 40, 50 of 64 px: on 128 px rows 0 to 101 and columns 0 to 81."""
    draw(root / "tiny-imagenet-200" / "train" / "n02" / "images" / "n02_0.JPEG", 128)
    coloured = cued()
    plain, found = coloured.source[2], coloured[2]
    inside = np.zeros((128, 128), bool)
    inside[:102, :82] = True
    assert np.array_equal(found[inside], plain[inside])
    before, after = (np.asarray(Image.fromarray(one).convert("YCbCr"), int) for one in (plain, found))
    assert np.abs(after[~inside][:, 1:] - coloured.colour(1)).max() <= 2, "of which rounding is two at most"
    assert np.abs(after[~inside][:, 0] - before[~inside][:, 0]).max() <= 2


def test_each_class_has_a_colour_of_its_own_and_exchanged_ones_are_another_class_s(cued):
    own, other = cued(), cued(exchanged=True)
    colours = np.array([own.colour(label) for label in range(3)])
    assert min(np.abs(colours[i] - colours[j]).max() for i in range(3) for j in range(i)) >= 60
    assert own.cues.tolist() == own.labels.tolist()
    assert (other.cues != other.labels).all()
    assert own.identity != other.identity
    assert len({*own.names, *other.names}) == 2 * len(own)
    with pytest.raises(ValueError, match="1 boxes"):
        CuedPhotographs(own.source, own.boxes[:1])


@pytest.mark.parametrize(
    ("file", "text", "word"),
    [
        ("val/images/val_1.JPEG", None, "val_1"),
        ("train/n03/n03_boxes.txt", None, "n03_boxes"),
        ("words.txt", "n01\tcrane\nn02\tcrane\n", "n03"),
        ("val/val_annotations.txt", "val_0.JPEG\tn01\t1\t2\n", "6 columns"),
        ("val/val_annotations.txt", "val_0.JPEG\tn08\t1\t2\t3\t4\n", "n08"),
        ("train/n01/n01_boxes.txt", "n01_0.JPEG\t1\t2\tx\t4\n", "line 1"),
    ],
)
def test_what_is_lacking_or_unreadable_is_named(root, file, text, word):
    path = root / "tiny-imagenet-200" / file
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(MissingData, match=word):
        photos.folders(["tiny-imagenet-200"], "val", size=32, root=root)


@pytest.mark.skipif(
    not (data_folder() / tiny_imagenet.NAME).is_dir(), reason="ZFUTILS_DATA holds no Tiny-ImageNet"
)
def test_the_set_has_the_published_sizes_and_a_box_in_each_picture():
    classes, found = tiny_imagenet.splits(data_folder() / tiny_imagenet.NAME)
    assert [len(found[part]) for part in ("train", "val")] == [100_000, 10_000]
    assert len(set(classes)) == 200
    names = [f"{tiny_imagenet.NAME}/{path}" for path, _ in found["val"]]
    left, top, right, bottom = tiny_imagenet.boxes(data_folder(), names).T
    assert (left <= right).all()
    assert (top <= bottom).all()
    assert min(left.min(), top.min()) >= 0
    assert max(right.max(), bottom.max()) < tiny_imagenet.SIDE
