"""Photographs: folders, squashing, what is left out and what is refused; on the real sets where they are."""

import os
import pickle
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from painted import paint
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zfutils.__main__ import parser
from zfutils.data import UndecodableImage, downloads, stores
from zfutils.data.decoding import decode
from zfutils.data.downloads import MissingData
from zfutils.data.photos import WORDNET, folders
from zfutils.runtime.folders import data_folder


@pytest.fixture
def data(tmp_path):
    """Two sets of two classes each, three training and two validation pictures a class."""
    seed = 0
    for name, classes in (("beasts", ("cat", "n02088364")), ("things", ("bell", "cup"))):
        for kind in classes:
            for split, n in (("train", 3), ("val", 2)):
                for i in range(n):
                    seed += 1
                    paint(tmp_path / name / split / kind / f"{i}.{'jpeg' if i else 'png'}", seed)
    return tmp_path


def both(data, split="train", **options):
    return folders(("beasts", "things"), split, root=data, **{"size": 8} | options)


# ---- folders


def test_the_sets_together_are_one_set_of_classes_under_their_common_names(data):
    found = both(data)
    assert found.classes == ("cat", "beagle", "bell", "cup")
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert found.names[:4] == (
        "beasts/train/cat/0.png",
        "beasts/train/cat/1.jpeg",
        "beasts/train/cat/2.jpeg",
        "beasts/train/n02088364/0.png",
    )
    assert len(both(data, "val")) == 8
    assert not set(both(data, "val").names) & set(found.names)


def test_per_class_takes_the_first_of_each_class_by_name(data):
    found = both(data, per_class=2)
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert found.names[:2] == ("beasts/train/cat/0.png", "beasts/train/cat/1.jpeg")


def test_files_with_the_same_bytes_and_different_labels_are_left_out_of_all_splits_and_listed(data):
    copies = (
        ("beasts/train/cat/1.jpeg", "beasts/val/n02088364/1.jpeg"),
        ("beasts/train/cat/2.jpeg", "things/train/cup/2.jpeg"),
    )
    for original, copy in copies:
        shutil.copy(data / original, data / copy)
    expected = tuple(sorted(name for pair in copies for name in pair))
    for split in ("train", "val"):
        found = both(data, split)
        assert found.left_out == expected
        assert not set(found.names) & set(expected)
        assert set(found.names) | set(n for n in expected if f"/{split}/" in n) == names_below(data, split)


def names_below(data, split):
    return {str(path.relative_to(data)) for path in data.glob(f"*/{split}/*/*.*")}


def test_files_with_the_same_bytes_and_the_same_label_stay(data):
    shutil.copy(data / "beasts/train/cat/1.jpeg", data / "beasts/val/cat/1.jpeg")
    assert both(data).left_out == ()
    assert len(both(data, "val")) == 8


def test_classes_may_be_links_and_hold_folders(data):
    (data / "beasts/train/cat").rename(data / "elsewhere")
    (data / "beasts/train/cat").symlink_to(data / "elsewhere", target_is_directory=True)
    shutil.copytree(data / "elsewhere", data / "elsewhere" / "more")
    found = both(data)
    assert found.left_out == ()
    assert "beasts/train/cat/more/0.png" in found.names


def test_identity_is_equal_exactly_when_the_pictures_are(data):
    first = both(data).identity
    assert both(data).identity == first
    assert both(data, size=9).identity != first
    assert both(data, per_class=2).identity != first
    paint(data / "things/train/cup/2.jpeg", 999)
    changed = both(data).identity
    (data / "things/train/cup/2.jpeg").rename(data / "things/train/cup/9.jpeg")
    assert changed not in (first, both(data).identity)


# ---- what is missing


def test_a_missing_set_is_refused_with_folder_layout_and_remedy(data):
    with pytest.raises(MissingData) as caught:
        folders(("imagenette2-160",), "train", size=8, root=data)
    message = str(caught.value)
    assert str(data / "imagenette2-160") in message
    assert "imagenette2-160/train/CLASS/*.JPEG" in message
    assert "ZFUTILS_DATA" in message


@pytest.mark.parametrize("name", downloads.DOWNLOADS)
def test_the_command_that_a_missing_set_names_is_one_that_there_is(name, tmp_path):
    command = str(MissingData(name, tmp_path, "anything")).split("fetch it with: ")[1]
    python, option, package, *words = shlex.split(command)
    assert (python, option, package) == ("python", "-m", "zfutils")
    assert parser().parse_args(words).download == [name]


def test_fetching_goes_to_the_data_folder_and_for_missing_sets_alone(data, monkeypatch):
    asked = []
    for name in ("imagenette2-160", "imagewoof2-160"):
        monkeypatch.setitem(downloads.DOWNLOADS, name, lambda root, name=name: asked.append((name, root)))
    (data / "imagewoof2-160").mkdir()
    downloads.fetch_missing(("imagenette2-160", "imagewoof2-160", "beasts", "holidays"), data)
    assert asked == [("imagenette2-160", str(data))]
    monkeypatch.setenv("ZFUTILS_DATA", str(data / "new"))
    downloads.download("imagewoof2-160")
    assert asked[1:] == [("imagewoof2-160", str(data / "new"))]
    assert (data / "new").is_dir()


def test_a_download_that_fails_is_refused_with_folder_layout_and_command(data, monkeypatch):
    def unreachable(root):
        raise OSError("no route to host")

    monkeypatch.setitem(downloads.DOWNLOADS, "imagenette2-160", unreachable)
    with pytest.raises(
        MissingData, match=r"imagenette2-160 is not complete in .*no route to host.*--download"
    ):
        downloads.fetch_missing(("imagenette2-160",), data)


def test_missing_data_is_told_the_same_way_from_another_process(tmp_path):
    error = MissingData("MNIST", tmp_path, "MNIST/raw")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_set_of_ones_own_is_not_said_to_be_fetched(tmp_path):
    assert "fetch" not in str(MissingData("holidays", tmp_path, "anything"))


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_missing_split_is_refused(data, split):
    shutil.rmtree(data / "things" / split)
    with pytest.raises(MissingData, match=r"things is not complete in .*things/train/CLASS"):
        both(data)


def test_a_half_copied_set_with_an_empty_class_is_refused_by_the_class(data):
    for path in (data / "things/train/cup").iterdir():
        path.unlink()
    for split in ("train", "val"):
        with pytest.raises(MissingData, match=r"things is not complete.*cup"):
            both(data, split)


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_half_copied_set_with_a_class_in_one_split_alone_is_refused_by_the_class(data, split):
    shutil.rmtree(data / "things" / split / "bell")
    with pytest.raises(MissingData, match="the class bell stands in one split alone"):
        both(data)


def test_a_set_that_cannot_be_downloaded_is_refused_with_those_that_can(data):
    with pytest.raises(ValueError, match=r"'holidays' cannot be downloaded; .*: imagenette2-160, .*MNIST"):
        downloads.download("holidays", data)


def test_the_data_folder_is_the_environments_or_the_working_copys(monkeypatch, tmp_path):
    monkeypatch.setenv("ZFUTILS_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("ZFUTILS_DATA")
    assert data_folder() == Path(__file__).parents[2] / "data"


# ---- what cannot be decoded


def test_a_store_of_photographs_lists_what_was_left_out(data):
    shutil.copy(data / "beasts/train/cat/1.jpeg", data / "things/val/cup/1.jpeg")
    found = stores.build(both(data), data / "store", workers=1, progress=False)
    assert found.left_out == ("beasts/train/cat/1.jpeg", "things/val/cup/1.jpeg")
    assert len(found) == 11


def test_a_picture_broken_anywhere_is_decoded_or_refused_and_nothing_else(tmp_path):
    drawn = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    draw = np.random.default_rng(1)
    for kind in ("png", "jpeg", "gif", "bmp"):
        path = tmp_path / f"picture.{kind}"
        Image.fromarray(drawn).save(path)
        whole = path.read_bytes()
        refused = 0
        for _ in range(100):
            broken = bytearray(whole[: draw.integers(1, len(whole) + 1)])
            broken[draw.integers(len(broken))] ^= int(draw.integers(1, 256))
            path.write_bytes(broken)
            try:
                assert decode(path, 8).shape == (8, 8, 3)
            except UndecodableImage:
                refused += 1
        assert refused


# ---- the real sets

SETS = ("imagenette2-160", "imagewoof2-160")


@pytest.fixture(scope="session")
def real():
    """The folder with the real sets."""
    root = Path(os.environ.get("ZFUTILS_DATA", "nowhere"))
    lacking = [name for name in SETS if not (root / name).is_dir()]
    if lacking:
        pytest.skip(f"ZFUTILS_DATA holds no {', '.join(lacking)}")
    return root


@pytest.fixture(scope="session")
def real_splits(real):
    """Imagenette and Imagewoof together, by split."""
    return {split: folders(SETS, split, size=160, root=real) for split in ("train", "val")}


@pytest.mark.data
def test_imagenette_and_imagewoof_are_twenty_classes_and_their_known_counts(real_splits):
    train, val = real_splits["train"], real_splits["val"]
    assert len(train.classes) == len(set(train.classes)) == 20
    assert train.classes == val.classes
    assert set(train.classes) == set(WORDNET.values())
    left_out = [sum(f"/{split}/" in name for name in train.left_out) for split in ("train", "val")]
    assert (len(train) + left_out[0], len(val) + left_out[1]) == (9_469 + 9_025, 3_925 + 3_929)
    assert len(train) == 18_492


@pytest.mark.data
def test_the_three_known_pairs_of_imagewoof_are_left_out(real, real_splits):
    left_out = real_splits["train"].left_out
    assert len(left_out) == 6
    assert all(name.startswith("imagewoof2-160/") for name in left_out)
    pairs = {(real / name).read_bytes(): [] for name in left_out}
    for name in left_out:
        pairs[(real / name).read_bytes()].append(name)
    assert all(len({Path(name).parent.name for name in pair}) == 2 for pair in pairs.values())
    across = [pair for pair in pairs.values() if len({name.split("/")[1] for name in pair}) == 2]
    assert (len(pairs), len(across)) == (3, 2)


@pytest.mark.data
def test_width_height_and_file_size_do_not_tell_one_set_from_the_other(real, real_splits):
    """At chance: the balanced accuracy of five folds is within 5 points of one half."""
    names = sorted(real_splits["train"].names)[::12]
    features, sets = [], []
    for name in names:
        with Image.open(real / name) as image:
            features.append([*image.size, (real / name).stat().st_size])
        sets.append(SETS.index(name.split("/")[0]))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    order = np.random.default_rng(0).permutation(len(sets))
    accuracy = cross_val_score(
        classifier, np.array(features)[order], np.array(sets)[order], cv=5, scoring="balanced_accuracy"
    ).mean()
    assert abs(accuracy - 0.5) < 0.05
