"""The public names: on one screen, importable, documented, and on the page about the package."""

import inspect
import pydoc
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import zfutils
from zfutils.study.places import BOOK


@pytest.mark.parametrize("name", zfutils.__all__)
def test_a_public_name_is_there_and_says_what_it_is(name):
    found = getattr(zfutils, name)
    first = inspect.getdoc(found).splitlines()[0]
    assert first.endswith(".")
    assert found.__module__.startswith("zfutils.")
    assert re.search(rf"^ {{4}}.*\b{name}\b", zfutils.__doc__, re.MULTILINE), "help(zfutils) names it"


def test_help_shows_what_there_is_on_one_screen():
    assert len(zfutils.__doc__.splitlines()) <= 40
    text = pydoc.plain(pydoc.render_doc(zfutils))
    assert all(name in text for name in zfutils.__all__)


def test_the_page_about_the_package_lists_the_public_names_and_no_others():
    page = (BOOK / "api.md").read_text()
    summary = re.search(r"autosummary::\n.*?\n\n(.*?)\n```", page, re.DOTALL)[1].split()
    described = re.findall(r"^\.\. auto(?:function|class):: (\w+)$", page, re.MULTILINE)
    assert sorted(summary) == sorted(described) == zfutils.__all__


def test_the_examples_of_the_page_run_one_after_another(tmp_path, monkeypatch, capsys):
    draw = np.random.default_rng(0)
    (tmp_path / "photographs").mkdir()
    for name in ("dog.jpg", *(f"photographs/{i}.png" for i in range(9))):
        Image.fromarray(draw.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names = {}
    for number, example in enumerate(
        re.findall(r"```python\n(.*?)```", (BOOK / "api.md").read_text(), re.DOTALL)
    ):
        # torchvision's weights are fetched where there is a network; random ones run the same lines
        source = example.replace('weights="DEFAULT"', "weights=None")
        exec(compile(source, f"example {number}", "exec"), names)
    said = capsys.readouterr().out
    assert said.count("torch.Size") == 1
    assert len(names["found"]) == 5
    assert names["nine"].projections.shape[1] == 4
    assert names["recording"].layer in names["deconvnet"].layers
    assert names["covered"].fall().shape == (1, 14, 14)


def test_a_name_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(AttributeError, match=r"no attribute 'deconvnet'; it has Deconvnet, Inputs"):
        _ = zfutils.deconvnet


def test_importing_the_package_imports_nothing_heavy():
    heavy = "import sys, zfutils; print([m for m in ('torch', 'pandas', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
