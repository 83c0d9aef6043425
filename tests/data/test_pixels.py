"""The pixel store and its batches, against the images that went in."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch

from zfutils.data import UndecodableImage, pixels, stores, windows
from zfutils.data.pixels import Pixels
from zfutils.data.stores import CHUNK, build


@dataclass
class Noise:
    """Random images, each drawn from its own index; notes in a file which are asked for, and by whom."""

    n: int
    size: int = 8
    identity: dict = field(default_factory=lambda: {"noise": 0})
    bad: tuple[int, ...] = ()
    fails_at: int | None = None
    notes: Path | None = None
    classes: tuple[str, ...] = ("a", "b", "c")

    @cached_property
    def labels(self):
        return np.arange(self.n, dtype=np.int64) % 3

    @cached_property
    def names(self):
        return tuple(f"noise-{i}" for i in range(self.n))

    def __len__(self):
        return self.n

    def picture(self, index):
        return np.random.default_rng(index).integers(0, 256, (self.size, self.size, 3), dtype=np.uint8)

    def __getitem__(self, index):
        if self.notes:
            with self.notes.open("a") as file:
                file.write(f"{index} {os.getpid()}\n")
        if index == self.fails_at:
            raise KeyboardInterrupt
        if index in self.bad:
            raise UndecodableImage(f"noise-{index}", "broken on purpose")
        return self.picture(index)


def asked(notes):
    """Which images were asked for, and by which processes."""
    lines = [tuple(map(int, line.split())) for line in notes.read_text().splitlines()]
    return [index for index, _ in lines], {process for _, process in lines}


def stored(source, folder, **options):
    return build(source, folder, **{"workers": 1, "progress": False} | options)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """40 images of 8 px."""
    return stored(Noise(40), tmp_path_factory.mktemp("pixels") / "train")


def epoch(store, rows=None, *, side=5, **options):
    """One epoch, as {row: (label, image)}, and the order of rows; batches of 8 leave nothing over."""
    settings = {"seed": 3, "epoch": 1, "batch": 8, "scale": 1.0} | options
    rows = torch.arange(len(store)) if rows is None else rows
    seen, order = {}, []
    for batch in store.shuffled(rows, side=side, **settings):
        for row, label, image in zip(batch.rows.tolist(), batch.labels.tolist(), batch.images, strict=True):
            seen[row] = (label, image)
            order.append(row)
    return seen, order


def course(store, epochs, *, batch, rows=None, side=5, **options):
    """The batches of the first epochs, by epoch."""
    rows = torch.arange(len(store)) if rows is None else rows
    options = {"seed": 3, "batch": batch, "side": side, "scale": 1.0} | options
    return [list(store.shuffled(rows, epoch=number, **options)) for number in range(1, epochs + 1)]


def order_of(batches):
    return [row for batch in batches for row in batch.rows.tolist()]


def same(one, other):
    return one.keys() == other.keys() and all(
        one[r][0] == other[r][0] and torch.equal(one[r][1], other[r][1]) for r in one
    )


# ---- the store


def test_the_store_equals_the_source_image_by_image_and_has_the_mean_of_every_pixel(tmp_path):
    source = Noise(CHUNK + 30)
    found = stored(source, tmp_path / "train")
    assert len(found) == len(source)
    assert (found.names, found.classes, found.size) == (source.names, source.classes, 8)
    assert np.array_equal(found.labels.numpy(), source.labels)
    for index in range(len(source)):
        assert np.array_equal(found.pixels[index].numpy(), source.picture(index))
    mean = np.stack([source.picture(i) for i in range(len(source))]).astype(np.float64).mean(0)
    np.testing.assert_allclose(found.mean.numpy(), mean, rtol=1e-6)


@pytest.mark.slow
def test_one_worker_and_two_write_the_same_bytes(tmp_path):
    for workers in (1, 2):
        notes = tmp_path / f"notes-{workers}"
        stored(Noise(4 * CHUNK, notes=notes), tmp_path / str(workers), workers=workers)
        assert (asked(notes)[1] == {os.getpid()}) == (workers == 1)
    for name in ("pixels.npy", "labels.npy", "mean.npy", "rows.npy", "store.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_complete_store_is_opened_without_asking_for_an_image(tmp_path):
    stored(Noise(20), tmp_path / "train")
    found = stored(Noise(20, notes=tmp_path / "notes"), tmp_path / "train")
    assert len(found) == 20
    assert not (tmp_path / "notes").exists()


def test_an_interrupted_build_goes_on_without_drawing_a_finished_chunk_again(tmp_path):
    source = Noise(2 * CHUNK + 10, fails_at=CHUNK + 3)
    with pytest.raises(KeyboardInterrupt):
        stored(source, tmp_path / "train")
    with pytest.raises(FileNotFoundError, match="no complete pixel store"):
        Pixels.open(tmp_path / "train")
    notes = tmp_path / "notes"
    found = stored(Noise(len(source), notes=notes), tmp_path / "train")
    assert sorted(asked(notes)[0]) == list(range(CHUNK, len(source)))
    for index in range(len(source)):
        assert np.array_equal(found.pixels[index].numpy(), source.picture(index))


def test_an_interrupted_build_of_other_images_starts_anew(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stored(Noise(2 * CHUNK, fails_at=CHUNK + 3), tmp_path / "train")
    notes = tmp_path / "notes"
    stored(Noise(2 * CHUNK, notes=notes, identity={"noise": 1}), tmp_path / "train")
    assert set(asked(notes)[0]) == set(range(2 * CHUNK))


def test_a_store_of_other_images_is_built_again(tmp_path):
    stored(Noise(20), tmp_path / "train")
    found = stored(Noise(30, size=6, identity={"noise": 1}), tmp_path / "train")
    assert (len(found), found.size, found.identity) == (30, 6, {"noise": 1})


def test_an_interrupted_rebuild_leaves_nothing_of_the_old_store_to_be_read(tmp_path):
    stored(Noise(20), tmp_path / "train")
    with pytest.raises(KeyboardInterrupt):
        stored(Noise(20, identity={"noise": 1}, fails_at=15), tmp_path / "train")
    assert len(stored(Noise(20), tmp_path / "train")) == 20


def test_a_store_that_was_half_removed_when_the_rebuild_was_killed_is_never_read(tmp_path, monkeypatch):
    def killed(folder, **options):
        (folder / "pixels.npy").unlink()
        raise KeyboardInterrupt

    stored(Noise(20), tmp_path / "train")
    with monkeypatch.context() as patch:
        patch.setattr(stores.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            stored(Noise(20, identity={"noise": 1}), tmp_path / "train")
    assert np.array_equal(stored(Noise(20), tmp_path / "train").pixels[7].numpy(), Noise(20).picture(7))


@pytest.mark.parametrize("file", ["plan.json", "chunk-1.json", "store.json"])
def test_a_file_that_was_half_written_when_the_build_was_killed_is_never_read(tmp_path, monkeypatch, file):
    rename = Path.replace

    def killed(path, target):
        if target.name == file:
            path.write_text(path.read_text()[:5])
            raise KeyboardInterrupt
        return rename(path, target)

    source = Noise(CHUNK + 10)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "unlink", lambda path, missing_ok=False: None)
        with pytest.raises(KeyboardInterrupt):
            stored(source, tmp_path / "train")
    assert len([*(tmp_path / "train").glob("*.new")]) == 1
    found = stored(source, tmp_path / "train")
    assert all(np.array_equal(found.pixels[i].numpy(), source.picture(i)) for i in range(len(source)))


def test_progress_is_told_in_images(tmp_path, capsys):
    stored(Noise(CHUNK + 30), tmp_path / "train", progress=True)
    assert capsys.readouterr().out.splitlines()[-1] == "train: 286 of 286 images"


# ---- images that cannot be decoded


@pytest.mark.parametrize("bad", [(5,), (0,), (1029,), (3, 1029)])
def test_an_undecodable_image_is_named_and_set_aside_and_the_rest_goes_on(tmp_path, bad):
    source = Noise(2030, size=4, bad=bad)
    found = stored(source, tmp_path / "train")
    assert len(found) == 2030 - len(bad)
    assert found.undecodable == tuple(f"noise-{i}: broken on purpose" for i in bad)
    assert set(found.names) == {n for i, n in enumerate(source.names) if i not in bad}
    for place, name in enumerate(found.names):
        index = int(name.removeprefix("noise-"))
        assert found.labels[place] == index % 3
        assert np.array_equal(found.pixels[place].numpy(), source.picture(index))
    expected = np.stack([source.picture(i) for i in range(2030) if i not in bad]).mean(0)
    np.testing.assert_allclose(found.mean.numpy(), expected, rtol=1e-6)


def test_more_than_twenty_undecodable_images_fail_and_name_the_first(tmp_path):
    with pytest.raises(
        ValueError, match=r"21 of 1,230 images cannot be decoded, more than 20: noise-7: broken"
    ):
        stored(Noise(1230, size=4, bad=range(7, 28)), tmp_path / "train")
    with pytest.raises(FileNotFoundError):
        Pixels.open(tmp_path / "train")
    assert len(stored(Noise(1230, size=4, bad=range(7, 27)), tmp_path / "train")) == 1210


@pytest.mark.slow
def test_of_many_images_one_in_a_thousand_may_be_undecodable(tmp_path):
    assert len(stored(Noise(22_000, size=1, bad=range(22)), tmp_path / "train")) == 21_978


@pytest.mark.parametrize(("n", "bad", "fits"), [(60, 1, True), (60, 2, False), (120, 2, True), (3, 1, False)])
def test_a_class_loses_one_image_or_a_twentieth_and_never_all(tmp_path, n, bad, fits):
    """Each class has a third of the images; those of the first are broken."""
    source = Noise(n, size=4, bad=range(0, 3 * bad, 3))
    if fits:
        assert len(stored(source, tmp_path / "train")) == n - bad
    else:
        with pytest.raises(ValueError, match=f"{bad} of {n // 3} images of the class a"):
            stored(source, tmp_path / "train")


def test_a_source_without_one_decodable_image_is_refused(tmp_path):
    with pytest.raises(ValueError, match="none of the 2 images can be decoded"):
        stored(Noise(2, bad=(0, 1)), tmp_path / "train")


# ---- crops


def test_crops_are_slices_less_the_mean_of_the_same_pixels_mirrored_together(store):
    source, mean = Noise(40), store.mean.numpy()
    rows, tops, lefts = torch.tensor([4, 0, 39]), torch.tensor([0, 3, 2]), torch.tensor([1, 3, 0])
    mirrored = torch.tensor([False, True, True])
    found = store.crops(rows, tops, lefts, mirrored, side=5, scale=0.5).numpy()
    for image, row, top, left, mirror in zip(
        found, rows.tolist(), tops.tolist(), lefts.tolist(), mirrored.tolist(), strict=True
    ):
        place = (slice(top, top + 5), slice(left, left + 5))
        expected = 0.5 * (source.picture(row)[place].astype(np.float32) - mean[place])
        expected = expected[:, ::-1] if mirror else expected
        np.testing.assert_allclose(image, expected.transpose(2, 0, 1), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_ways_of_cpu_and_gpu_to_crop_agree(store, dtype):
    n = 7
    rows, mirrored = torch.arange(n) % len(store), torch.arange(n) % 2 == 1
    tops, lefts = torch.arange(n) % 3, torch.arange(n) % 2
    places = (rows, tops, lefts, mirrored, store.size - 3, 0.5)
    one, other = (
        way(store.pixels, store.mean.to(dtype), *places) for way in (windows.one_by_one, windows.gathered)
    )
    assert torch.equal(one, other)


def test_a_crop_larger_than_the_images_is_refused(store):
    with pytest.raises(ValueError, match="crop of 9 px does not fit in an image of 8 px"):
        epoch(store, side=9)
    with pytest.raises(ValueError, match="crop of 9 px"):
        next(store.views(torch.arange(2), crops=1, batch=2, side=9, scale=1))


def test_another_split_is_centred_with_the_training_mean(store, tmp_path):
    other = stored(Noise(5, identity={"noise": 2}), tmp_path / "validation").centred_by(store.mean)
    (view,) = next(other.views(torch.tensor([2]), crops=1, batch=1, side=8, scale=1))
    expected = Noise(5).picture(2).astype(np.float32) - store.mean.numpy()
    np.testing.assert_allclose(view.images[0].numpy(), expected.transpose(2, 0, 1), atol=1e-5)


# ---- epochs


def test_some_of_the_images_are_a_set_of_their_own_with_their_own_mean(store):
    rows = torch.tensor([7, 2, 30])
    some = store.only(rows)
    assert torch.equal(some.pixels, store.pixels[rows])
    assert some.labels.tolist() == [1, 2, 0]
    assert some.names == ("noise-7", "noise-2", "noise-30")
    assert torch.equal(some.mean, store.pixels[rows].double().mean(0).float())
    assert some.identity != store.only(rows.flip(0)).identity
    assert some.identity == store.only(rows).identity


@pytest.mark.parametrize("rows", [[], [1, 1], [-1], [40]])
def test_rows_that_are_none_or_twice_or_not_there_are_refused(store, rows):
    with pytest.raises(ValueError, match=r"some of 0 … 39, each once"):
        store.only(torch.tensor(rows, dtype=torch.int64))


def test_where_nothing_is_left_over_every_image_comes_once_an_epoch_with_its_own_label(store):
    seen, order = epoch(store)
    assert sorted(order) == list(range(40))
    assert all(label == row % 3 for row, (label, _) in seen.items())


def test_every_batch_is_full_and_what_is_left_over_comes_first_in_the_next_epoch(store):
    epochs = course(store, 7, batch=7)
    assert all(len(batch.rows) == 7 for batches in epochs for batch in batches)
    # Of 40, 80, … 280 images that have gone by, batches of 7 hold 35, 77, 119, 154, 196, 238 and 280.
    assert [len(batches) for batches in epochs] == [5, 6, 6, 5, 6, 6, 6]
    first, second = order_of(epochs[0]), order_of(epochs[1])
    assert sorted(first + second[:5]) == list(range(40))
    assert not set(first) & set(second[:5])
    whole = [row for batches in epochs for row in order_of(batches)]
    for number in range(7):
        assert sorted(whole[40 * number : 40 * number + 40]) == list(range(40)), "a pass has every image once"


def test_an_epoch_follows_from_its_number_alone(store):
    epochs = course(store, 4, batch=7)
    alone = store.shuffled(torch.arange(40), seed=3, epoch=4, batch=7, side=5, scale=1.0)
    for batch, again in zip(epochs[3], alone, strict=True):
        assert torch.equal(batch.rows, again.rows)
        assert torch.equal(batch.images, again.images)


@pytest.mark.parametrize("batch", [6, 7, 64])
def test_images_fewer_than_a_batch_are_one_batch_of_all(store, batch):
    rows = torch.tensor([3, 5, 8, 13, 21, 34])
    for batches in course(store, 3, batch=batch, rows=rows):
        assert [sorted(b.rows.tolist()) for b in batches] == [rows.tolist()]


@pytest.mark.parametrize(("n", "batch", "epochs"), [(40, 7, 3), (40, 8, 2), (6, 64, 5), (47_489, 128, 3)])
def test_the_steps_taken_are_the_batches_of_the_epochs_so_far(store, n, batch, epochs):
    expected = {(40, 7): 17, (40, 8): 10, (6, 64): 5, (47_489, 128): 1113}[n, batch]
    assert pixels.steps_taken(n, batch=batch, epochs=epochs) == expected  # 142,467 / 128 is 1113.02
    if n <= len(store):
        found = course(store, epochs, batch=batch, rows=torch.arange(n))
        assert sum(map(len, found)) == expected


def test_an_epoch_before_the_first_is_refused(store):
    with pytest.raises(ValueError, match="epochs are counted from 1, not 0"):
        epoch(store, epoch=0)


def test_every_training_image_is_a_crop_of_its_own_image(store):
    seen, _ = epoch(store)
    source, mean = Noise(40), store.mean.numpy()
    found = set()
    for row, (_, image) in seen.items():
        centred = source.picture(row) - mean
        candidates = {
            (top, left, mirror): centred[top : top + 5, left : left + 5][:, :: -1 if mirror else 1]
            for top in range(4)
            for left in range(4)
            for mirror in (False, True)
        }
        own = image.numpy().transpose(1, 2, 0)
        fits = [place for place, c in candidates.items() if np.allclose(c, own, atol=1e-4)]
        assert len(fits) == 1
        found.add(fits[0])
    assert {top for top, _, _ in found} == {left for _, left, _ in found} == {0, 1, 2, 3}
    assert {mirror for _, _, mirror in found} == {False, True}


@pytest.mark.parametrize("batch", [1, 5, 7, 16, 64])
def test_order_crop_and_mirror_do_not_depend_on_the_batch_size(store, batch):
    """Three passes in batches of 8, and as many images of them as other full batches hold."""
    expected, found = (
        [(row, image) for batches in course(store, 3, batch=size) for b in batches
         for row, image in zip(b.rows.tolist(), b.images, strict=True)]
        for size in (8, batch)
    )  # fmt: skip
    assert len(expected) == 120
    assert 120 - batch < len(found) <= 120
    for (row, image), (row_again, image_again) in zip(expected, found, strict=False):
        assert row == row_again
        assert torch.equal(image, image_again)


@pytest.mark.parametrize(("ranks", "batch"), [(2, 7), (3, 4)])
def test_several_ranks_take_equally_full_shares_of_the_batches_of_one(store, ranks, batch):
    whole = course(store, 4, batch=ranks * batch)
    shares = [course(store, 4, batch=batch, rank=rank, ranks=ranks) for rank in range(ranks)]
    for epochs in zip(whole, *shares, strict=True):
        for one, *parts in zip(*epochs, strict=True):
            for rank, part in enumerate(parts):
                assert len(part.rows) == batch
                assert torch.equal(part.rows, one.rows[rank::ranks])
                assert torch.equal(part.images, one.images[rank::ranks])


def test_ranks_share_images_fewer_than_a_batch_out_equally(store):
    shares = [course(store, 3, batch=64, rows=torch.arange(7), rank=rank, ranks=3) for rank in range(3)]
    assert all(len(batch.rows) == 2 for share in shares for batches in share for batch in batches)
    steps = [torch.cat([b.rows for b in batches]) for epochs in zip(*shares, strict=True)
             for batches in zip(*epochs, strict=True)]  # fmt: skip
    assert len(steps) == 3, "21 images of three passes are three steps of six"
    assert len(set(steps[0].tolist())) == 6
    with pytest.raises(ValueError, match="2 images cannot be shared among 3 processes"):
        epoch(store, torch.arange(2), ranks=3)


def test_crop_and_mirror_of_an_image_do_not_depend_on_the_other_rows(store):
    whole, _ = epoch(store)
    some, _ = epoch(store, torch.arange(0, 40, 3))
    assert same(some, {row: whole[row] for row in some})


@pytest.mark.parametrize("other", [{"epoch": 2}, {"seed": 4}])
def test_another_epoch_or_seed_has_another_order_and_other_crops(store, other):
    seen, order = epoch(store)
    changed, changed_order = epoch(store, **other)
    assert order != changed_order
    assert not same(seen, changed)


def test_an_epoch_leaves_pytorchs_own_random_numbers_alone(store):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    epoch(store)
    assert torch.equal(torch.rand(3), expected)


def test_seeds_from_near_numbers_are_unrelated():
    seeds = {pixels.mixed(a, b) for a in range(20) for b in range(20)}
    assert len(seeds) == 400
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert pixels.mixed(1, 11) != pixels.mixed(11, 1)


# ---- views for testing


def test_ten_crops_are_the_corners_and_the_centre_with_their_mirror_images(store):
    (views,) = store.views(torch.tensor([6, 2]), crops=10, batch=5, side=5, scale=1)
    assert len(views) == 10
    centred = Noise(40).picture(6) - store.mean.numpy()
    corners = [(1, 1), (0, 0), (0, 3), (3, 0), (3, 3)]
    crops = [centred[top : top + 5, left : left + 5] for top, left in corners]
    expected = np.stack([c for crop in crops for c in (crop, crop[:, ::-1])]).transpose(0, 3, 1, 2)
    found = np.stack([view.images[0].numpy() for view in views])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert all(view.rows.tolist() == [6, 2] and view.labels.tolist() == [0, 2] for view in views)


def test_one_crop_is_the_centre(store):
    ((view,),) = store.views(torch.tensor([6]), crops=1, batch=5, side=4, scale=1)
    centred = (Noise(40).picture(6) - store.mean.numpy())[2:6, 2:6]
    np.testing.assert_allclose(view.images[0].numpy(), centred.transpose(2, 0, 1), atol=1e-4)


def test_other_numbers_of_crops_are_refused(store):
    with pytest.raises(ValueError, match="1 crop of an image or 10, not 5"):
        next(store.views(torch.arange(2), crops=5, batch=2, side=4, scale=1))
