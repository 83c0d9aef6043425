"""Every page of the book runs on the smoke edition; with several processes, pages run side by side."""

import os
import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock

from zfutils import notebooks


def pages() -> list[str]:
    """The book's notebooks in the order of its contents, so that the pages that read results come last."""
    listed = re.findall(r"file: *(\S+)", (notebooks.BOOK / "_toc.yml").read_text())
    there = {path.stem for path in notebooks.BOOK.glob("*.ipynb")}
    return [page for page in listed if page in there] + sorted(there - set(listed))


# Pictures, where the edition alone does not make a page short.
FEWER = {"05_invariance": {"n": 16}, "06_occlusion": {"pictures": 16}}


@pytest.fixture
def together(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build folder for the pages of all processes: they load what others trained and read their results."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "pages"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("ZFUTILS_BUILD", os.fspath(folder))
    return folder


@pytest.mark.parametrize("page", pages())
def test_a_page_of_the_book_runs_on_the_smoke_edition(page, together):
    source = notebooks.BOOK / f"{page}.ipynb"
    copy = notebooks.executed_path(source, "smoke")
    with ExitStack() as locks:
        for held in [page] if page[0].isdigit() else pages():  # what reads every chapter's results runs alone
            locks.enter_context(FileLock(together / f"{held}.lock"))
        notebooks.execute(source, copy, {"edition": "smoke"} | FEWER.get(page, {}))
    assert copy.stat().st_size > source.stat().st_size
    assert copy.is_relative_to(together)
