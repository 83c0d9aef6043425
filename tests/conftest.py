"""What the tests share: a build folder of their own, so that a run of the tests leaves `_build` alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The session's `ZFUTILS_BUILD`, which notebooks' kernels inherit; thrown away with pytest's folders."""
    folder = tmp_path_factory.mktemp("build")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZFUTILS_BUILD", os.fspath(folder))
        patch.delenv("FRESH", raising=False)
        yield folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the pages first: they take longest, and no file is shared out among processes."""
    items.sort(key=lambda item: item.path.name != "test_book.py")
