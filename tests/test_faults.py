"""What breaks from outside: killed processes, full and read-only disks; and the page about it."""

import ast
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import numpy as np
import pytest

from zfutils.data import stores
from zfutils.data.parts import PartsImages
from zfutils.study.places import BOOK
from zfutils.study.study import Study

ROOT = BOOK.parent
SOURCE = {"split": "train", "n": 1200, "size": 64}
BUILD = (
    "import sys; from pathlib import Path; from zfutils.data import stores\n"
    "from zfutils.data.parts import PartsImages\n"
    f"stores.build(PartsImages(**{SOURCE}), Path(sys.argv[1]) / 'store', workers=1, progress=False)"
)


def started(*words, **environment):
    """A process of this interpreter on this checkout, in a session of its own."""
    given = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1") | environment
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    return subprocess.Popen([sys.executable, *map(str, words)], cwd=ROOT, env=given, **how)


def killed_once(process, there):
    """Kill a process and all that it started, by a signal that nothing can catch, once something is there."""
    end = time.monotonic() + 120
    while not there():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()  # a kernel, in a session of its own, notices a second later


@pytest.mark.slow
def test_preparation_that_is_killed_goes_on_and_gives_the_same_pixels(tmp_path):
    killed_once(started("-c", BUILD, tmp_path), (tmp_path / "store" / "chunk-0.json").is_file)
    assert not (tmp_path / "store" / "store.json").exists()
    source = PartsImages(**SOURCE)
    found = stores.build(source, tmp_path / "store", workers=1, progress=False)
    for row in (0, 255, 256, 700, 1199):
        assert np.array_equal(found.pixels[row].numpy(), source[row])


@pytest.mark.slow
def test_a_training_that_is_killed_ends_where_the_unbroken_one_does(tmp_path):
    words = ["-m", "zfutils", "train", "zfnet", "--edition", "smoke", "--seed", "0"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    unbroken = started(*words, ZFUTILS_BUILD=str(whole))
    said = unbroken.communicate(timeout=300)[0]
    assert unbroken.returncode == 0, said
    (broken / "smoke").mkdir(parents=True)
    shutil.copytree(whole / "smoke" / "pixels", broken / "smoke" / "pixels")
    first = lambda: any((broken / "smoke" / "networks").glob("zfnet-0-*/*.safetensors"))  # noqa: E731
    killed_once(started(*words, ZFUTILS_BUILD=str(broken)), first)
    again = started(*words, ZFUTILS_BUILD=str(broken))
    said = again.communicate(timeout=300)[0]
    assert again.returncode == 0, said
    ends = [
        next((one / "smoke" / "networks").glob("zfnet-0-*/epoch-0002.safetensors")) for one in (whole, broken)
    ]
    assert ends[0].read_bytes() == ends[1].read_bytes()


def notebook(path, source):
    cell = nbformat.v4.new_code_cell('edition: str = "smoke"', metadata={"tags": ["parameters"]})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [cell, nbformat.v4.new_code_cell(source)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


@pytest.mark.slow
def test_an_execution_that_is_killed_leaves_the_old_copy_whole_and_runs_again(tmp_path):
    page = notebook(
        tmp_path / "page.ipynb",
        "from pathlib import Path\nPath('begun').touch()\nimport time\ntime.sleep(300)",
    )
    words = ["-m", "zfutils", "execute", page, "--edition", "smoke"]
    copy = tmp_path / "build" / "smoke" / "book" / "page.ipynb"
    copy.parent.mkdir(parents=True)
    copy.write_text("an older copy")
    killed_once(started(*words, ZFUTILS_BUILD=str(tmp_path / "build")), (tmp_path / "begun").is_file)
    assert copy.read_text() == "an older copy"
    notebook(page, "print('done')")
    again = started(*words, ZFUTILS_BUILD=str(tmp_path / "build"))
    said = again.communicate(timeout=120)[0]
    assert again.returncode == 0, said
    assert "done" in json.dumps(nbformat.read(copy, as_version=4))
    assert [path.name for path in copy.parent.iterdir()] == ["page.ipynb"]


# ---- disks, as small file systems of their own


def on_a_disk(folder, options, script, *words):
    """Run a script while a small file system is mounted on a folder, for this process alone.

    Skips where the machine does not let anyone mount.
    """
    mount = ["unshare", "-rm", "sh", "-c"]
    where = 'mount -t tmpfs -o "$1" tmpfs "$2" || exit 99; shift 2; exec "$@"'
    given = dict(os.environ, PYTHONPATH=str(ROOT), ZFUTILS_BUILD=str(folder), OMP_NUM_THREADS="1")
    command = [*mount, where, "sh", options, folder, sys.executable, *script, *words]
    if shutil.which("unshare") is None:
        pytest.skip("this machine has no unshare")
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=200)
    if done.returncode == 99 or "unshare failed" in done.stderr:
        pytest.skip("this machine lets no one mount")
    return done


PREPARE = ("-m", "zfutils", "prepare", "--edition", "smoke")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "reason"),
    [("size=4m", "No space left on device; 8.6 MB are needed"), ("ro", "Read-only file system")],
)
def test_a_disk_that_is_full_or_read_only_is_one_line_with_its_reason(tmp_path, options, reason):
    done = on_a_disk(tmp_path, options, PREPARE)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("zfutils: ")]
    assert reason in line
    assert str(tmp_path) in line
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_read_only_temporary_folder_is_left_aside(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = on_a_disk(
        tmp_path, "ro", ("-c", "from zfutils.runtime import kernels; print(kernels.short_folder())")
    )
    assert done.stdout == "/tmp\n", done.stderr


SNAPSHOT = """
import sys, torch
from pathlib import Path
from zfutils.training.checkpoints import save_tensors
path = Path(sys.argv[1]) / "epoch-0001.safetensors"
save_tensors({"weight": torch.zeros(1000)}, path)
old = path.read_bytes()
try:
    save_tensors({"weight": torch.zeros(10**6)}, path)
except OSError as error:
    print(error)
assert path.read_bytes() == old and len(list(path.parent.iterdir())) == 1
"""


@pytest.mark.slow
def test_a_disk_that_fills_up_with_snapshots_leaves_the_old_one_and_says_its_reason(tmp_path):
    done = on_a_disk(tmp_path, "size=2m", ("-c", SNAPSHOT), str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/epoch-0001.safetensors could not be written" in done.stdout
    assert "No space left on device" in done.stdout


# ---- the page


def test_every_fault_on_the_page_names_tests_that_there_are():
    rows = [line for line in (BOOK / "faults.md").read_text().splitlines() if "`tests/" in line]
    assert len(rows) >= 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`( \(slow\))?", row)
        assert named, row
        for file, test, slow in named:
            assert marked_slow(ROOT / file).get(test) == bool(slow), f"{file}::{test}"


@functools.cache
def marked_slow(file):
    """Of every test in a file, whether it or the file is marked slow."""
    module = ast.parse(file.read_text())
    whole = any(ast.unparse(line) == "pytestmark = pytest.mark.slow" for line in module.body)
    tests = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    return {test.name: whole or "pytest.mark.slow" in map(ast.unparse, test.decorator_list) for test in tests}


def test_the_edition_that_is_killed_has_the_size_that_the_full_disk_is_told():
    images = Study.open("smoke").profile.images
    assert images.train * images.size**2 * 3 == pytest.approx(8.6e6, rel=5e-3)
