"""Every page of the book runs on the smoke edition; with several processes, pages run side by side."""

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from zfutils.runtime import notebooks
from zfutils.study.places import BOOK, executed_path


def pages() -> list[str]:
    """The book's notebooks in the order of its contents, so that the pages that read results come last."""
    listed = re.findall(r"file: *(\S+)", (BOOK / "_toc.yml").read_text())
    there = {path.stem for path in BOOK.glob("*.ipynb")}
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
def test_a_page_of_the_book_runs_on_the_smoke_edition(page, together, request):
    source = BOOK / f"{page}.ipynb"
    copy = executed_path(source, "smoke")
    if not page[0].isdigit():  # it reads what the pages before it recorded, in whichever process
        wait_for(together / f"{other}.ended" for other in before(page, request.session.items))
    try:
        notebooks.execute(source, copy, {"edition": "smoke"} | FEWER.get(page, {}))
    finally:
        (together / f"{page}.ended").touch()
    assert copy.stat().st_size > source.stat().st_size
    assert copy.is_relative_to(together)


def before(page: str, items: list[pytest.Item]) -> list[str]:
    """The pages before this one in the contents that are tested too."""
    tested = {item.callspec.params["page"] for item in items if item.path == Path(__file__)}
    listed = pages()
    return [other for other in listed[: listed.index(page)] if other in tested]


def wait_for(files: Iterable[Path], *, seconds: int = 600) -> None:
    """Wait until the files are there; a process that died leaves none."""
    for file in files:
        for _ in range(10 * seconds):
            if file.exists():
                break
            time.sleep(0.1)
        assert file.exists(), f"no {file.name} after {seconds} s"
