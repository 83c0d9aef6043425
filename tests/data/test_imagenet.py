"""ImageNet's names and squares, by hand; how its edition shares its images."""

import numpy as np
import pytest
import torch
from PIL import Image

from zfutils.data.decoding import decode
from zfutils.data.downloads import MissingData, download
from zfutils.data.listings import imagenet_names
from zfutils.data.photos import folders
from zfutils.study.study import Study

CRANES = {"n02012849": ("crane",), "n03126707": ("crane",), "n01440764": ("tench", "Tinca tinca")}


@pytest.fixture
def data(tmp_path):
    """Two classes, a wide picture each in either split, whose columns are numbered."""
    columns = np.broadcast_to(np.arange(20, dtype=np.uint8)[None, :, None] * 10, (10, 20, 3))
    for split in ("train", "val"):
        for number in ("n01440764", "n02012849"):
            path = tmp_path / "set" / split / number / f"{number}_1.png"
            path.parent.mkdir(parents=True)
            Image.fromarray(columns + (split == "val") + 2 * (number > "n02")).save(path)
    return tmp_path


def test_a_picture_is_cropped_to_its_centre_once_its_shorter_side_has_the_size(data):
    path = data / "set" / "train" / "n01440764" / "n01440764_1.png"
    cropped = decode(path, 10, fit="crop")
    assert cropped[:, :, 0].tolist() == [list(range(50, 150, 10))] * 10
    assert decode(path, 5, fit="crop").shape == (5, 5, 3)
    squashed = decode(path, 10)
    assert (squashed[0, 0, 0] < 20, squashed[0, -1, 0] > 180) == (True, True), "it reaches from edge to edge"


def test_cropped_pictures_are_another_set_than_squashed_ones(data):
    squashed = folders(["set"], "train", size=10, root=data)
    cropped = squashed.fitted("crop")
    assert cropped.identity == squashed.identity | {"fit": "crop"}
    assert cropped.fitted("squash").identity == squashed.identity
    assert (cropped[1][0, 0, 0], cropped.labels.tolist(), len(cropped)) == (52, [0, 1], 2)


def test_classes_are_called_by_their_first_names_and_two_of_one_name_by_their_numbers_too(data):
    numbers = sorted(CRANES)
    assert list(imagenet_names(data / "set", numbers)) == numbers, "no names are known"
    torch.save((CRANES, []), data / "set" / "meta.bin")
    assert imagenet_names(data / "set", numbers) == ["tench", "crane (n02012849)", "crane (n03126707)"]
    assert folders(["set"], "val", size=10, root=data).classes == ("tench", "crane")


def test_archives_that_are_not_there_are_named(tmp_path):
    with pytest.raises(MissingData, match="ILSVRC2012_devkit"):
        download("imagenet", tmp_path)


def test_networks_of_the_edition_s_own_images_share_its_pixels_and_others_have_their_own():
    whole, rehearsal = Study.open("imagenet"), Study.open("imagenet-rehearsal")
    assert whole.small.folder == whole.folder
    assert whole.small.profile.images == whole.profile.images
    assert rehearsal.small.folder == rehearsal.folder / "small"
