"""What counts as a class and as a picture in folders as people have them; and that files are read once."""

import os
import shutil
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from painted import paint

from zfutils.data import digests, stores
from zfutils.data.downloads import MissingData
from zfutils.data.photos import folders
from zfutils.runtime.folders import build_folder


@pytest.fixture
def data(tmp_path):
    """A set of two classes, ten training and four validation pictures each."""
    for k, (part, kind) in enumerate([(p, c) for p in ("train", "val") for c in ("cat", "dog")]):
        for i in range(10 if part == "train" else 4):
            paint(tmp_path / "mine" / part / kind / f"{i}.png", 100 * k + i)
    return tmp_path


def read(data, part="train", sets=("mine",), **options):
    return folders(sets, part, size=8, root=data, **options)


def built(data, part="train", **options):
    return stores.build(read(data, part), data / "store" / part, workers=1, **options)


@pytest.mark.parametrize(
    "folder", [".ipynb_checkpoints", "@eaDir", "__MACOSX", ".git", "#recycle", "System Volume Information"]
)
@pytest.mark.parametrize("filled", [False, True])
def test_folders_that_systems_leave_behind_are_no_classes(data, folder, filled):
    for part in ("train", "val"):
        (data / "mine" / part / folder).mkdir()
        (data / "mine" / part / "cat" / folder).mkdir()
        if filled:
            paint(data / "mine" / part / folder / "0.png", 900)
            paint(data / "mine" / part / "cat" / folder / "0.png", 901)
    assert read(data).classes == ("cat", "dog")
    assert len(read(data)) == 20


def test_hidden_files_are_no_pictures(data):
    (data / "mine/train/cat/._0.png").write_bytes(b"\0\5\26\7")
    (data / "mine/train/cat/.hidden.png").touch()
    assert len(read(data)) == 20
    assert read(data).passed_over == {}


def test_files_of_other_endings_are_counted_and_said(data, capsys):
    for name in ("a.heic", "b.HEIC", "Thumbs.db", "README"):
        (data / "mine/train/dog" / name).write_text("no picture")
    store = built(data)
    assert len(store) == 20
    assert store.passed_over == {".heic": 2, ".db": 1, "without an ending": 1}
    assert (
        "passed over because of their ending: 1 .db, 2 .heic, 1 without an ending" in capsys.readouterr().out
    )
    assert built(data, "val").passed_over == {}


def test_a_class_whose_files_all_have_other_endings_says_which(data):
    for path in (data / "mine/val/dog").iterdir():
        path.rename(path.with_suffix(".heic"))
    with pytest.raises(MissingData, match=r"the class dog holds no picture \(.*\), but 4 \.heic"):
        read(data)


@pytest.mark.parametrize("ending", [".JPG", ".jfif", ".gif", ".tiff", ".webp", ".avif", ".jp2"])
def test_many_endings_are_pictures(data, ending):
    shutil.copy(data / "mine/train/cat/0.png", data / f"mine/train/cat/new{ending}")
    assert f"mine/train/cat/new{ending}" in read(data).names


def test_a_few_bad_files_are_set_aside_by_name_and_the_set_goes_on(data, capsys):
    (data / "mine/train/cat/3.png").write_bytes((data / "mine/train/cat/3.png").read_bytes()[:40])
    (data / "mine/train/dog/3.png").write_bytes(b"")
    store = built(data)
    assert len(store) == 18
    assert [said.split(":")[0] for said in store.undecodable] == [
        "mine/train/cat/3.png",
        "mine/train/dog/3.png",
    ]
    assert store.left_out == ()
    assert (
        "train: 2 images set aside that cannot be decoded: mine/train/cat/3.png: " in capsys.readouterr().out
    )


def test_two_empty_files_in_two_classes_are_bad_files_and_no_contradiction(data):
    for kind in ("cat", "dog"):
        (data / f"mine/train/{kind}/5.png").write_bytes(b"")
    assert read(data).left_out == ()
    assert len(built(data).undecodable) == 2


def test_dangling_links_are_set_aside_and_loops_are_entered_once(data):
    cat = data / "mine/train/cat"
    (cat / "gone.png").symlink_to(data / "nowhere.png")
    (cat / "round").symlink_to(cat, target_is_directory=True)
    (cat / "up").symlink_to(data / "mine/train", target_is_directory=True)
    store = built(data)
    assert [said for said in store.undecodable if "gone" in said] == [
        "mine/train/cat/gone.png: No such file or directory"
    ]
    assert Counter(name for name in store.names if "/cat/" in name).most_common(1)[0][1] == 1


def test_names_that_are_not_utf_8_or_not_latin_work_from_folder_to_store(data):
    odd = Path(os.fsdecode(os.fsencode(data) + b"/mine/train/cat/caf\xe9.png"))
    paint(odd, 904)
    for part in ("train", "val"):
        paint(data / "mine" / part / "中文" / "猫.png", 905 + (part == "val"))
        paint(Path(os.fsdecode(os.fsencode(data / "mine" / part) + b"/caf\xe9/0.png")), 907 + (part == "val"))
    store = built(data)
    assert store.classes == (r"caf\xe9", "cat", "dog", "中文")
    assert r"mine/train/cat/caf\xe9.png" in store.names
    "".join(store.names + store.classes).encode()
    odd.write_bytes(b"broken")
    assert built(data).undecodable == (
        r"mine/train/cat/caf\xe9.png: its bytes are no image that Pillow reads",
    )


def test_a_class_is_one_however_its_letters_are_composed(data):
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    paint(data / "mine/train" / decomposed / "0.png", 910)
    paint(data / "mine/val" / composed / "0.png", 911)
    assert read(data).classes == ("cat", "dog", composed)
    assert read(data, "val").labels.max() == 2


def test_sets_with_classes_of_the_same_name_are_merged(data):
    shutil.copytree(data / "mine", data / "winter")
    for k, path in enumerate((data / "winter").rglob("*.png")):
        paint(path, 1000 + k)
    for part in ("train", "val"):
        (data / "winter" / part / "dog").rename(data / "winter" / part / "fox")
    found = read(data, sets=("mine", "winter"))
    assert found.classes == ("cat", "dog", "fox")
    assert np.bincount(found.labels).tolist() == [20, 10, 10]


def test_a_class_of_which_nothing_is_left_is_refused(data):
    shutil.rmtree(data / "mine/val/dog")
    shutil.copytree(data / "mine/val/cat", data / "mine/val/dog")
    with pytest.raises(ValueError, match="every picture of cat in val stands under another class too"):
        read(data, "val")


# ---- sets without splits


@pytest.fixture
def flat(tmp_path):
    for k, kind in enumerate(("cat", "dog")):
        for i in range(10):
            paint(tmp_path / "mine" / kind / f"{i}.png", 100 * k + i)
    return tmp_path


def test_a_set_of_classes_alone_is_split_by_what_its_files_hold(flat):
    train, val = read(flat), read(flat, "val")
    assert (np.bincount(train.labels).tolist(), np.bincount(val.labels).tolist()) == ([8, 8], [2, 2])
    assert not set(train.names) & set(val.names)
    for path in (flat / "mine/cat").iterdir():
        path.rename(path.with_name(f"renamed-{path.name}"))
    renamed = {name.replace("renamed-", "") for name in read(flat, "val").names}
    assert renamed == set(val.names)


def test_copies_of_a_picture_stand_on_one_side_of_the_split(flat):
    for path in list((flat / "mine/cat").iterdir()):
        shutil.copy(path, path.with_name(f"copy-{path.name}"))
    for part in ("train", "val"):
        names = {name for name in read(flat, part).names if "/cat/" in name}
        assert {name.replace("copy-", "") for name in names} <= names


def test_a_class_of_one_picture_cannot_be_split(flat):
    paint(flat / "mine/fox/0.png", 500)
    with pytest.raises(MissingData, match="the class fox holds one picture"):
        read(flat)


# ---- digests


@pytest.fixture
def reads(monkeypatch):
    """Names of the files whose bytes are read, in order."""
    noted = []
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: noted.append(path.name) or whole(path))
    return noted


def made_old(data):
    for path in (data / "mine").rglob("*.png"):
        os.utime(path, (1e9, 1e9))


def test_files_are_read_once_by_all_processes_and_again_when_they_change(data, reads):
    made_old(data)
    first = read(data).identity
    assert len(reads) == 28
    digests._known.cache_clear()  # as a new process begins
    assert read(data).identity == first
    assert len(reads) == 28
    paint(data / "mine/train/cat/0.png", 950)
    assert read(data).identity != first
    assert reads[28:] == ["0.png"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mine/train/cat/0.png": 3}'])
def test_what_is_kept_of_digests_and_cannot_be_read_is_taken_anew(data, text):
    made_old(data)
    first = read(data).identity
    for file in (build_folder() / "digests").glob("*.json"):
        file.write_text(text)
    digests._known.cache_clear()
    assert read(data).identity == first
