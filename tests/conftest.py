"""What the tests share: a build folder that leaves `_build` alone, and how processes share them out."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked_kernels import forked_kernels
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

BOOK, REHEARSAL = "test_book.py", "test_rehearsal.py"
sys.modules.setdefault("rfc3987_syntax", None)  # as `zfutils execute` does, whose second it takes


@pytest.fixture(scope="session", autouse=True)
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The session's `ZFUTILS_BUILD`, which notebooks' kernels inherit; thrown away with pytest's folders.

    The cores are shared out among pytest's processes, so that none of them starts more.
    """
    folder = tmp_path_factory.mktemp("build")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZFUTILS_BUILD", os.fspath(folder))
        patch.setenv("ZFUTILS_JOBS", os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        patch.delenv("FRESH", raising=False)
        yield folder


@pytest.fixture(scope="session")
def kernels() -> Iterator[list[str]]:
    """What starts a kernel: pages have one each, and share what they import."""
    with forked_kernels() as command:
        yield command


class PagesOneByOne(LoadScopeScheduling):
    """Gives a process a whole file at a time, but for the pages of the book, which take longest."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return nodeid if file.endswith(BOOK) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> PagesOneByOne:
    """xdist's own groups would do, but xdist 3.8 ignores them from pytest 9.2 on (its issue 1386)."""
    return PagesOneByOne(config, log)


def pytest_collectstart() -> None:
    """Look for no garbage while modules are imported, which stay to the end."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for what tests leave behind, and at nothing older: that takes most of a second each time."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes longest, the rehearsal and chapters, and last the pages that read results."""

    def turn(item: pytest.Item) -> int:
        page = getattr(item, "callspec", None) and item.callspec.params.get("page")
        if item.path.name == REHEARSAL:
            return 0
        if item.path.name != BOOK or not page:
            return 2
        if item.originalname.startswith("test_a_page_of_the_book_runs"):
            return 0 if page[0].isdigit() else 3
        return 1 if item.originalname.startswith("test_a_trial") else 2

    items.sort(key=turn)
