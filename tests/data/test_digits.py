"""Handwritten digits: the part that comes with the book, framed, and never mirrored; and the whole set."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from zfutils.data.digits import Digits, MarkedDigits
from zfutils.data.downloads import MissingData
from zfutils.data.shuffled import ShuffledLabels
from zfutils.data.stores import build
from zfutils.runtime.folders import data_folder

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
@pytest.mark.parametrize(("split", "n"), [("train", 60_000), ("val", 10_000)])
def test_the_part_is_every_fifth_of_the_whole(split, n):
    part, whole = Digits.part(PART, split), Digits.whole(split)
    assert np.array_equal(part.pixels, whole.pixels[::5])
    assert part.labels.tolist() == whole.labels[::5].tolist()
    assert part.names == whole.names[::5]
    assert len(whole) == n


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    """The four files of MNIST below the data folder, with 6 training and 4 test digits."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 6), ("t10k", 4)):
        images = np.random.default_rng(n).integers(0, 256, (n, 28, 28), dtype=np.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4i", 2051, n, 28, 28) + images.tobytes()
        )
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, n) + bytes(range(n)))
    monkeypatch.setenv("ZFUTILS_DATA", str(tmp_path))
    return raw


def test_mnist_is_read_from_its_files(mnist):
    train, val = Digits.whole("train"), Digits.whole("val")
    for found, n in ((train, 6), (val, 4)):
        images = np.random.default_rng(n).integers(0, 256, (n, 28, 28), dtype=np.uint8)
        assert found.labels.tolist() == list(range(n))
        assert np.array_equal(found[2][..., 0], images[2])
        assert len(set(found.names)) == n
    assert train.identity != val.identity
    assert train.identity == Digits.whole("train").identity


@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
@pytest.mark.parametrize("kept", [None, 0, 3, 15, 100])
def test_a_missing_or_truncated_file_of_mnist_is_refused(mnist, file, kept):
    path = mnist / file
    if kept is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: min(kept, path.stat().st_size - 1)])
    with pytest.raises(MissingData, match="MNIST is not complete"):
        Digits.whole("train")


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


def test_a_mark_gives_the_digit_away_and_nothing_else_is_changed():
    plain = Digits.part(PART, "val", n=300, size=30)
    marked = MarkedDigits(plain)
    seen = {}
    for i in range(300):
        changed = marked[i].astype(int) - plain[i]
        assert (changed >= 0).all()
        rows, columns = np.nonzero(marked[i][..., 0] == 255)
        edge = (rows < 4) | (rows > 25)
        assert np.isin(np.argwhere(changed)[:, 0], rows[edge]).all()
        seen.setdefault(int(plain.labels[i]), set()).add((int(rows[edge].min()), int(columns[edge].min())))
    places = [places for places in seen.values() if len(places) == 1]
    assert len(seen) == 10
    assert len({place for one in places for place in one}) == len(places), "two digits share a mark"
    assert all(1 <= row < 29 and 1 <= column < 29 for one in places for row, column in one)


def test_an_exchanged_mark_is_another_digits_and_drawn_for_each():
    plain = Digits.part(PART, "val", n=300)
    other = MarkedDigits(plain, exchanged=True)
    assert (other.marks != plain.labels).all()
    assert (other.labels == plain.labels).all()
    assert len(set(other.marks[plain.labels == 7].tolist())) == 9
    assert other.identity != MarkedDigits(plain).identity


def test_shuffled_labels_are_the_same_labels_dealt_out_anew():
    plain = Digits.part(PART, "train", n=500)
    first, again, other = (ShuffledLabels(plain, seed=seed) for seed in (0, 0, 1))
    assert first.labels.tolist() == again.labels.tolist() != other.labels.tolist()
    assert np.bincount(first.labels).tolist() == np.bincount(plain.labels).tolist()
    assert (first.labels == plain.labels).mean() < 0.2
    assert np.array_equal(first[3], plain[3])
    assert first.chiral
    assert first.identity != other.identity
