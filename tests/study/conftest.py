"""An edition apart from all others, for tests that train and publish."""

from collections.abc import Iterator

import pytest

from zfutils.study import kept_scores
from zfutils.study.study import Study


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """A patch that lasts for a module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Study:
    """The smoke edition in a build folder of its own, with nothing published."""
    patch.setenv("ZFUTILS_BUILD", str(tmp_path_factory.mktemp("build")))
    patch.setattr(kept_scores, "REFERENCE", tmp_path_factory.mktemp("reference"))
    return Study.open("smoke")
