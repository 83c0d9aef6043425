"""Handwritten digits: the part that comes with the book, framed, and never mirrored."""

from pathlib import Path

import numpy as np
import pytest
import torch

from zfutils.data.digits import Digits
from zfutils.data.photos import MnistImages, data_folder
from zfutils.data.stores import build

PART = Path(__file__).resolve().parents[2] / "book" / "data" / "digits" / "digits.npz"


def test_the_part_is_as_large_as_its_licence_page_says_and_holds_every_digit():
    for split, n in (("train", 12_000), ("val", 2_000)):
        digits = Digits.part(PART, split)
        assert len(digits) == n
        assert digits[0].shape == (28, 28, 1)
        counts = np.bincount(digits.labels, minlength=10)
        assert counts.min() > 0.07 * n  # of ten digits; of MNIST's own the rarest is a 5, 9 %
    assert PART.stat().st_size < 3e6


@pytest.mark.skipif(not (data_folder() / "MNIST").is_dir(), reason="ZFUTILS_DATA holds no MNIST")
@pytest.mark.parametrize("split", ["train", "val"])
def test_the_part_is_every_fifth_of_the_whole(split):
    part, whole = Digits.part(PART, split), MnistImages(split)
    assert np.array_equal(part.pixels, whole.pixels[::5])
    assert part.labels.tolist() == whole.labels[::5].tolist()
    assert part.names == whole.names[::5]


def test_a_frame_is_dark_and_the_digit_inside_it_whole():
    plain, framed = Digits.part(PART, "val", n=20), Digits.part(PART, "val", n=20, size=32)
    assert framed[3].shape == (32, 32, 1)
    assert np.array_equal(framed[3][2:30, 2:30], plain[3])
    assert framed[3].astype(int).sum() == plain[3].astype(int).sum()
    assert plain.identity != framed.identity


@pytest.mark.parametrize(
    ("wrong", "word"), [({"n": 2001}, "2,000"), ({"size": 27}, "27"), ({"size": 31}, "31")]
)
def test_more_digits_than_there_are_and_an_uneven_frame_are_refused(wrong, word):
    with pytest.raises(ValueError, match=word):
        Digits.part(PART, "val", **wrong)


def test_training_shifts_digits_and_mirrors_none(tmp_path):
    digits = build(Digits.part(PART, "train", n=64, size=30), tmp_path / "train", progress=False)
    assert digits.chiral
    shifted = {(dy, dx): digits.pixels[:, dy : dy + 28, dx : dx + 28] for dy in range(3) for dx in range(3)}
    seen = set()
    for batch in digits.shuffled(torch.arange(64), seed=0, epoch=1, batch=64, side=28, scale=1.0):
        for image, row in zip(batch.images, batch.rows, strict=True):
            places = [
                place
                for place, every in shifted.items()
                if torch.equal(
                    every[row].float(),
                    image.permute(1, 2, 0) + digits.mean[place[0] : place[0] + 28, place[1] : place[1] + 28],
                )
            ]
            assert len(places) == 1
            seen.update(places)
    assert len(seen) == 9
    with pytest.raises(ValueError, match="mirror"):
        next(digits.views(torch.arange(4), crops=10, batch=4, side=28, scale=1.0))
