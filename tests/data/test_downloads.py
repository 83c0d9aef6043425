"""Archives that came half, or whose unpacking was broken off; torchvision fetches them from a server here."""

import hashlib
import shutil
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from zfutils.__main__ import main
from zfutils.data import downloads
from zfutils.data.downloads import MissingData, datasets
from zfutils.data.photos import folders

NAME = "imagewoof2-160"


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Imagewoof's archive, with two classes of two pictures in either split, where it is fetched from."""
    made = tmp_path / "elsewhere"
    draw = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("a", "b"):
            (made / NAME / split / kind).mkdir(parents=True)
            for i in range(2):
                drawn = Image.fromarray(draw.integers(0, 256, (40, 40, 3), dtype=np.uint8))
                drawn.save(made / NAME / split / kind / f"{i}.png")
    path = made / f"{NAME}.tgz"
    with tarfile.open(path, "w:gz") as file:
        file.add(made / NAME, NAME)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    fetch = datasets().utils.download_and_extract_archive
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=made)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{path.name}"
        monkeypatch.setitem(downloads.DOWNLOADS, NAME, lambda root: fetch(address, root, md5=md5))
        yield path
        server.shutdown()


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def halved(source, path):
    path.write_bytes(source.read_bytes()[: source.stat().st_size // 2])


def fetched(data):
    downloads.fetch_missing([NAME], data)
    return len(folders([NAME], "train", size=8, root=data)) + len(folders([NAME], "val", size=8, root=data))


def test_half_an_archive_that_an_earlier_call_left_is_fetched_anew(archive, data):
    halved(archive, data / archive.name)
    assert fetched(data) == 8


def test_half_an_archive_is_refused_in_one_line_and_fetched_once_the_whole_is_there(
    archive, data, monkeypatch, capsys
):
    whole = archive.read_bytes()
    halved(archive, archive)
    with pytest.raises(MissingData, match=f"{NAME} is not complete.*corrupted.*--download {NAME}"):
        downloads.fetch_missing([NAME], data)
    monkeypatch.setenv("ZFUTILS_DATA", str(data))
    assert main(["prepare", "--download", NAME]) == 2
    assert (
        capsys.readouterr().err.splitlines()[-1].startswith(f"zfutils: the data set {NAME} is not complete")
    )
    assert not (data / NAME).exists()
    archive.write_bytes(whole)
    assert fetched(data) == 8


def test_a_set_whose_unpacking_was_broken_off_is_fetched_anew(archive, data, monkeypatch):
    whole = downloads.DOWNLOADS[NAME]

    def broken_off(root):
        whole(root)
        (data / NAME / "val" / "b" / "1.png").unlink()
        raise KeyboardInterrupt

    monkeypatch.setitem(downloads.DOWNLOADS, NAME, broken_off)
    with pytest.raises(KeyboardInterrupt):
        downloads.fetch_missing([NAME], data)
    monkeypatch.setitem(downloads.DOWNLOADS, NAME, whole)
    assert fetched(data) == 8
    assert sorted(path.name for path in data.iterdir()) == [NAME, archive.name]


def test_a_set_that_was_there_before_is_never_taken_away(archive, data, monkeypatch):
    shutil.copytree(archive.parent / NAME, data / NAME)
    kept = data / NAME / "train" / "a" / "my own.png"
    shutil.copy(data / NAME / "train" / "a" / "0.png", kept)
    archive.unlink()
    with pytest.raises(MissingData):
        downloads.download(NAME, data)
    assert kept.is_file()
    assert fetched(data) == 9
