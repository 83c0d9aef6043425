"""Preprocessing: means and deviations by channel, crops, channels, and folders as people have them."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import get_model_weights

from zfutils.data import UndecodableImage
from zfutils.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing


def picture(path, colour=(255, 0, 51), size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def test_each_channel_has_its_own_mean_and_deviation_by_hand(tmp_path):
    how = Preprocessing(8, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 0.1))
    seen = how.inputs(picture(tmp_path / "one.png")).tensor()
    # (1 − 0.5) / 0.5, (0 − 0.25) / 0.25, (51/255 − 0) / 0.1
    assert seen.shape == (1, 3, 8, 8)
    torch.testing.assert_close(seen[0, :, 0, 0], torch.tensor([1.0, -1.0, 2.0]))
    assert (seen == seen[:, :, :1, :1]).all()


def test_the_transform_of_torchvisions_weights_gives_the_same_numbers():
    transform = get_model_weights("resnet18").DEFAULT.transforms()
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    how = Preprocessing.of_transform(transform)
    assert (how.side, how.size, how.resampling) == (224, 256, "bilinear")
    expected = transform(Image.fromarray(pixels))
    torch.testing.assert_close(how.inputs(pixels).tensor()[0], expected, atol=1e-6, rtol=1e-5)


def test_of_a_picture_that_is_not_square_the_middle_is_seen_or_all_of_it():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    seen = {
        fit: Preprocessing(10, mean=0, std=1, fit=fit).inputs(wide).tensor() for fit in ("crop", "squash")
    }
    assert (seen["crop"] == 1).all()
    assert seen["squash"][0, 0, 5, 0] == 0
    assert seen["squash"][0, 0, 5, 5] == 1


def test_the_middle_of_a_larger_square_is_seen():
    pixels = np.zeros((12, 12, 3), np.uint8)
    pixels[2:10, 2:10] = 255
    inputs = Preprocessing(8, mean=0, std=1, size=12).inputs(pixels)
    assert (inputs.tensor() == 1).all()
    assert (inputs.pixels() == 255).all()
    assert inputs.images.pixels.shape == (1, 12, 12, 3)


def test_grey_is_one_channel_of_files_and_arrays(tmp_path):
    how = Preprocessing(8, channels=1)
    assert (how.mean, how.std) == ((0.5,), (0.5,))
    # Pillow's grey of red is 76 (ITU-R 601-2)
    seen = how.inputs(picture(tmp_path / "red.png", (255, 0, 0))).tensor()
    assert seen.shape == (1, 1, 8, 8)
    assert seen[0, 0, 3, 3].item() == pytest.approx((76 / 255 - 0.5) / 0.5)
    assert how.inputs(np.full((9, 9), 255, np.uint8)).tensor().unique().tolist() == pytest.approx([1])


def test_four_channels_are_taken_of_arrays_and_resized_each_by_itself(tmp_path):
    how, levels = Preprocessing(8, channels=4, mean=(0, 0, 0, 0), std=1), [0, 51, 102, 255]
    seen = how.inputs(np.full((2, 16, 16, 4), levels, np.uint8))
    torch.testing.assert_close(seen.tensor()[1, :, 0, 0], torch.tensor([0.0, 0.2, 0.4, 1.0]))
    with pytest.raises(ValueError, match="1 channel or 3, not 4"):
        how.inputs(picture(tmp_path / "one.png"))


def test_without_numbers_they_are_imagenets_and_one_number_serves_all_channels():
    assert (Preprocessing().mean, Preprocessing().std) == (IMAGENET_MEAN, IMAGENET_STD)
    assert Preprocessing(mean=0.1, std=[0.2]).mean == (0.1,) * 3
    assert isinstance(Preprocessing(8, std=0.2).inputs(np.zeros((8, 8, 3), np.uint8)).scale, float)


def test_what_is_seen_leads_back_to_the_picture_and_patterns_to_its_colours():
    pixels = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    inputs = Preprocessing(8).inputs(pixels)
    levels = inputs.levels(inputs.tensor())
    assert np.array_equal(levels.round().permute(0, 2, 3, 1).byte().numpy(), pixels)
    torch.testing.assert_close(inputs.centred(levels), inputs.tensor(), atol=1e-5, rtol=1e-5)
    # a pattern of one unit in each channel is a difference of 255·std levels, to one factor
    grey = inputs.in_levels(torch.ones(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(grey / grey[0], torch.tensor(IMAGENET_STD) / IMAGENET_STD[0])
    same = Preprocessing(8, std=0.2).inputs(pixels)
    assert torch.equal(same.in_levels(torch.ones(3)), torch.ones(3))


def test_a_folder_is_read_at_any_depth_and_what_cannot_be_decoded_is_set_aside(tmp_path):
    for name in ("b/two.png", "one.JPG", "b/c/three.webp", "a/caf\udce9.png"):
        picture(tmp_path / name)
    (tmp_path / "b/empty.png").touch()
    (tmp_path / "b/note.txt").touch()
    (tmp_path / "b/._two.png").write_bytes(b"\0\5\26\7")
    inputs = Preprocessing(8).inputs(tmp_path)
    assert sorted(inputs.images.names) == ["a/caf\\xe9.png", "b/c/three.webp", "b/two.png", "one.JPG"]
    assert inputs.images.undecodable == ("b/empty.png: it is empty",)
    assert inputs.images.passed_over == {".txt": 1}
    assert inputs.labels.tolist() == [-1] * 4
    assert inputs.tensor().shape == (4, 3, 8, 8)


def test_what_is_no_picture_is_refused_by_name(tmp_path):
    (tmp_path / "note.txt").write_text("no picture")
    how = Preprocessing(8)
    with pytest.raises(UndecodableImage, match=r"note\.txt"):
        how.inputs(tmp_path / "note.txt")
    with pytest.raises(FileNotFoundError, match=r"holds no picture .*1 \.txt"):
        how.inputs(tmp_path)
    with pytest.raises(ValueError, match=r"uint8 \(h, w, 3\), not float64"):
        how.inputs([np.zeros((8, 8, 3))])


@pytest.mark.parametrize(
    ("given", "telling"),
    [
        ({"side": 0}, "1 or more, not 0"),
        ({"side": 9, "size": 8}, "8 px holds no picture of 9"),
        ({"mean": (0.5, 0.5)}, "mean has 2 numbers for 3 channels"),
        ({"std": (0.5, 0.5, 0)}, "above 0"),
        ({"mean": float("nan")}, "0…1"),
        ({"mean": (123.7, 116.8, 103.9)}, "divide by 255"),
        ({"fit": "stretch"}, "squash, crop"),
        ({"mean": torch.zeros(8, 8, 1), "side": 8}, r"\(8, 8, 3\), not \(8, 8, 1\)"),
    ],
)
def test_numbers_out_of_range_are_refused(given, telling):
    with pytest.raises(ValueError, match=telling):
        Preprocessing(**given)
