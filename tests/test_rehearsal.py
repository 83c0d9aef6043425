"""The imagenet edition rehearsed: drawn pictures in ImageNet's layout, the paper's whole network at 224 px.

Two ranks train it and are killed; one process goes on and asks it for ten crops; a chapter is executed on it.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import rehearsal_tree
from on_ranks import ROOT, TORCHRUN

from zfutils.study.study import Study

pytestmark = pytest.mark.slow
EDITION = "imagenet-rehearsal"
PATIENCE = 600  # seconds, on a machine that does other things too


@pytest.fixture(scope="module")
def environment(tmp_path_factory, build_folder):
    """That of all processes here: the tree is drawn, and builds go to a folder of their own."""
    data = tmp_path_factory.mktemp("data")
    rehearsal_tree.tree(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZFUTILS_BUILD", str(tmp_path_factory.mktemp("rehearsal")))
        patch.setenv("ZFUTILS_DATA", str(data))
        patch.delenv("OMP_NUM_THREADS", raising=False)
        yield os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def killed(environment, tmp_path_factory):
    """What two ranks had said when the whole run was killed, after its second epoch."""
    said = tmp_path_factory.mktemp("said") / "lines"
    words = [*TORCHRUN, "2", "-m", "zfutils", "train", "zfnet", "--edition", EDITION]
    with said.open("w") as out:
        run = subprocess.Popen(words, env=environment | {"OMP_NUM_THREADS": "1"}, cwd=ROOT, stdout=out)
        until = time.monotonic() + PATIENCE
        while "epoch 2/3" not in said.read_text() and run.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        started = psutil.Process(run.pid)
        for process in (*started.children(recursive=True), started):
            process.kill()  # kill -9
        run.wait()
    return said.read_text()


@pytest.fixture(scope="module")
def trained(killed, environment):
    """The network once one process has gone on."""
    command = [sys.executable, "-m", "zfutils", "train", "zfnet", "--edition", EDITION]
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 0, run.stderr
    return Study.open(EDITION), run.stdout


def test_two_ranks_prepare_the_tree_and_train_until_they_are_killed(killed, environment):
    assert "epoch 2/3" in killed
    (folder,) = Path(environment["ZFUTILS_BUILD"]).glob(f"{EDITION}/networks/zfnet-0-*/")
    assert (folder / "resume.safetensors").is_file()
    assert not (folder / "network.json").exists()


def test_what_is_awkward_in_the_tree_is_read_or_set_aside(trained):
    study, _ = trained
    images = study.train_images
    assert len(images) == 4 * 42 - 1
    (broken,) = images.undecodable
    assert "truncated" in broken
    assert images.passed_over == {".txt": 1}
    assert images.identity["fit"] == "crop"


def test_one_process_goes_on_where_two_ranks_were_killed(trained):
    study, said = trained
    network = study.network("zfnet")
    assert "epoch 1/3" not in said
    assert "epoch 3/3" in said
    assert network.history["loss"][1:].notna().all()
    assert (network.spec.image, len(network.history)) == (224, 4)
    ours = sum(p.numel() for p in network.model.parameters())
    assert ours == 62_357_608 - (1000 - 42) * 4097, "the paper's network, less the classes that are not there"


def test_ten_crops_of_every_validation_picture(trained):
    scores = trained[0].scores("zfnet", crops=10)
    assert scores.probabilities.shape == (42, 42)
    np.testing.assert_allclose(scores.probabilities.sum(1), 1, atol=1e-3)


def test_a_chapter_is_executed_on_it(trained, environment):
    command = [sys.executable, "-m", "zfutils", "execute", "book/12_pooling.ipynb", "--edition", EDITION]
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 0, run.stderr
    page = Path(environment["ZFUTILS_BUILD"]) / EDITION / "book" / "12_pooling.ipynb"
    assert "zfnet seed 0" not in json.dumps([c.get("outputs") for c in json.loads(page.read_text())["cells"]])
