"""Image files as people have them: orientation, depth, transparency, kind, and what is refused by name."""

import os

import numpy as np
import pytest
from PIL import Image

from zfutils.data import UndecodableImage
from zfutils.data.decoding import decode, printable

ORIENTATION = 0x112
CORNERS = np.zeros((8, 8, 3), np.uint8)
CORNERS[:4, :4], CORNERS[:4, 4:], CORNERS[4:, :4] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def saved(image, path, **options):
    image.save(path, **options)
    return path


# How a camera that stands so stores an upright picture (Exif 2.32, tag 0x0112).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_picture_is_upright_whatever_its_camera_s_axes_were(tmp_path, orientation, kind):
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](CORNERS)))
    exact = {"quality": 100, "subsampling": 0} if kind == "jpeg" else {}
    path = saved(stored, tmp_path / f"picture.{kind}", exif=tags, **exact)
    assert np.abs(decode(path, 8).astype(int) - CORNERS).max() <= (60 if kind == "jpeg" else 0)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_of_grey_become_all_256_levels(tmp_path, kind):
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    found = decode(saved(Image.fromarray(ramp), tmp_path / f"ramp.{kind}"), 256)
    assert np.array_equal(found[..., 0], np.rint(ramp / 257).astype(np.uint8))
    assert len(np.unique(found)) == 256


@pytest.mark.parametrize("most", [1.0, 255.0])
def test_floating_point_grey_is_read_in_its_range(tmp_path, most):
    ramp = np.linspace(0, most, 256, dtype=np.float32).reshape(16, 16)
    found = decode(saved(Image.fromarray(ramp), tmp_path / "ramp.tiff"), 16)
    assert np.array_equal(found[..., 1].ravel(), np.arange(256))


@pytest.mark.parametrize("values", [[-1, 0], [0, 256], [0, float("nan")], [float("inf"), 0]])
def test_grey_without_a_known_range_is_refused_by_name_and_mode(tmp_path, values):
    image = Image.fromarray(np.array([values], dtype=np.float32))
    with pytest.raises(UndecodableImage, match=r"^odd\.tiff: its mode is 'F'"):
        decode(saved(image, tmp_path / "odd.tiff"), 8, name="odd.tiff")


def test_whole_numbers_beyond_sixteen_bits_are_refused_by_mode(tmp_path):
    image = Image.fromarray(np.array([[0, 1 << 20]], dtype=np.int32))
    with pytest.raises(UndecodableImage, match="mode is 'I'"):
        decode(saved(image, tmp_path / "deep.tiff"), 8)


@pytest.mark.parametrize(("mode", "kind"), [("RGBA", "png"), ("LA", "png"), ("P", "png"), ("P", "gif")])
def test_what_is_transparent_is_white(tmp_path, mode, kind):
    clear = np.full((8, 8, 4), (10, 20, 30, 0), np.uint8)
    clear[:, 4:] = 10, 20, 30, 255
    image, options = Image.fromarray(clear).convert(mode), {}
    if mode == "P":
        image = Image.fromarray((clear[..., 3] > 0).astype(np.uint8), mode="P")
        image.putpalette([200, 100, 0, 10, 20, 30])
        options = {"transparency": 0}
    found = decode(saved(image, tmp_path / f"clear.{kind}", **options), 8)
    assert (found[:, :4] == 255).all()
    assert (found[:, 4:] < 40).all()


@pytest.mark.parametrize(("mode", "kind"), [("CMYK", "jpeg"), ("CMYK", "tiff"), ("P", "gif"), ("1", "png")])
def test_other_colour_modes_are_read(tmp_path, mode, kind):
    red = Image.new("RGB", (8, 8), (254, 0, 0)).convert(mode)
    found = decode(saved(red, tmp_path / f"red.{kind}"), 8)
    assert found.shape == (8, 8, 3)
    assert mode == "1" or (found[..., 0] > 200).all()
    assert mode == "1" or (found[..., 1:] < 60).all()


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff"])
def test_of_an_animation_the_first_frame_counts(tmp_path, kind):
    first, second = (Image.new("RGB", (8, 8), (level,) * 3) for level in (0, 255))
    path = saved(first, tmp_path / f"moving.{kind}", save_all=True, append_images=[second])
    assert (decode(path, 8) < 10).all()


def test_a_very_large_picture_is_read_without_a_warning(tmp_path, recwarn):
    """100 million pixels, of which Pillow warns."""
    path = saved(Image.new("1", (10_000, 10_000)), tmp_path / "huge.png")
    assert not decode(path, 8).any()
    assert not recwarn.list


def test_a_file_that_is_missing_empty_or_no_file_is_refused_with_its_reason_and_without_its_folder(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "text.png").write_text("no picture")
    os.mkfifo(tmp_path / "pipe.png")  # to open it would be to wait for a writer
    said = {}
    for name in ("empty", "gone", "pipe", "text"):
        with pytest.raises(UndecodableImage) as caught:
            decode(tmp_path / f"{name}.png", 8, name=f"{name}.png")
        said[name] = str(caught.value)
    assert said == {
        "empty": "empty.png: it is empty",
        "gone": "gone.png: No such file or directory",
        "pipe": "pipe.png: it is no regular file",
        "text": "text.png: its bytes are no image that Pillow reads",
    }


def test_a_name_that_is_not_utf_8_can_be_printed():
    assert printable(os.fsdecode(b"caf\xe9.jpg")) == r"caf\xe9.jpg"
    assert printable("猫 é") == "猫 é"
