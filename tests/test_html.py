"""The HTML as make renders it with Jupyter Book: what is killed, and what is wrong with a page."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from test_faults import killed_once

from zfutils.study.places import ROOT

pytestmark = pytest.mark.slow
COPIED = ("Makefile", "_config.yml", "pyproject.toml", "requirements.lock", "tests/check_repository.py")


@pytest.fixture
def tree(tmp_path):
    """A checkout with two pages and nothing to execute, but the real make, Jupyter Book and package."""
    root = tmp_path / "a checkout"
    for folder in ("book/profiles", "book/_static", "tests", ".venv/bin"):
        (root / folder).mkdir(parents=True)
    for name in COPIED:
        shutil.copy(ROOT / name, root / name)
    (root / "zfutils").symlink_to(ROOT / "zfutils")
    (root / "book" / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n- file: mine\n")
    (root / "book" / "index.md").write_text("# A book\n")
    (root / "book" / "mine.md").write_text("(here)=\n# My page\n\nAs it was.\n")
    (root / "book" / "references.bib").touch()
    (root / "book" / "profiles" / "quick.yaml").write_text("about: drawn\n")
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (python.parent / "jupyter-book").write_text("from jupyter_book.cli.main import main\nmain()\n")
    (root / ".venv" / ".ready").write_text(f"{root}\n")
    return root


def started(tree):
    """`make book`, in a session of its own."""
    outside = ("EDITION", "FRESH", "ZFUTILS_BUILD", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    return subprocess.Popen(["make", "book"], cwd=tree, env=environment, **how)


def made(tree):
    """Its exit status and what it said."""
    process = started(tree)
    said = process.communicate(timeout=120)[0]
    return process.returncode, said


def html(tree):
    folder = tree / "_build" / "quick" / "html"
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit(tree, text):
    path = tree / "book" / "mine.md"
    path.write_text(text)
    os.utime(path, (time.time() + 2, time.time() + 2))


def test_rendering_that_is_killed_leaves_the_old_html_whole_and_is_done_again(tree):
    assert made(tree)[0] == 0
    old = html(tree)
    assert b"As it was." in old[Path("mine.html")]
    edit(tree, "(here)=\n# My page\n\nAs it is now.\n")
    killed_once(started(tree), (tree / "_build/quick/render/_build/html/mine.html").exists)
    assert html(tree) == old
    status, said = made(tree)
    assert status == 0, said
    assert b"As it is now." in html(tree)[Path("mine.html")]
    assert sorted(path.name for path in (tree / "_build/quick").iterdir()) == ["book", "html", "render.log"]


def test_the_unfinished_copy_of_a_page_that_was_killed_is_not_rendered(tree):
    copies = tree / "_build" / "quick" / "book"
    copies.mkdir(parents=True)
    page = new_notebook(cells=[new_markdown_cell("(here)=\n# My page\n\nAs far as it came.\n")])
    nbformat.write(page, copies / ".mine.running.ipynb")
    status, said = made(tree)
    assert status == 0, said


def test_broken_references_name_their_page_and_the_old_html_stays(tree):
    assert made(tree)[0] == 0
    old = html(tree)
    edit(tree, "# My page\n\n{ref}`nowhere`\n\n![](gone.png)\n\n{cite}`nobody2030`\n\n{doc}`none`\n")
    status, said = made(tree)
    assert status == 2
    for missing in ("nowhere", "gone.png", "nobody2030", "none"):
        assert re.search(f"mine.md:.*WARNING: .*{missing}", said), said
    assert "The HTML was not made" in said
    assert html(tree) == old
    edit(tree, "# My page\n\nMended.\n")
    assert made(tree)[0] == 0
    assert b"Mended." in html(tree)[Path("mine.html")]
