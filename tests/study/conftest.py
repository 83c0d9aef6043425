"""An edition apart from all others, for tests that train and publish."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from zfutils.study import kept_scores
from zfutils.study.study import Study


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """A patch that lasts for a module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pixels of all editions lie that are the smoke edition's, so that they are drawn once."""
    return tmp_path_factory.mktemp("pixels")


def parts(study: Study) -> tuple[Study, ...]:
    """The studies of which an edition is made that have pixels of their own."""
    return study, study.small, study.digits, study.transferred


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch, drawn: Path) -> Study:
    """The smoke edition in a build folder of its own, with nothing published."""
    patch.setenv("ZFUTILS_BUILD", str(tmp_path_factory.mktemp("build")))
    patch.setattr(kept_scores, "REFERENCE", tmp_path_factory.mktemp("reference"))
    study = Study.open("smoke")
    for part in parts(study):
        (there := drawn / part.folder.relative_to(study.folder)).mkdir(parents=True, exist_ok=True)
        part.folder.mkdir(parents=True, exist_ok=True)
        (there / "pixels").mkdir(exist_ok=True)
        (part.folder / "pixels").symlink_to(there / "pixels")
    return study


@pytest.fixture
def elsewhere(study: Study, tmp_path: Path) -> Callable[..., Study]:
    """The edition on another machine, where nothing is but the pixels that are drawn here already."""

    def opened(**sections: object) -> Study:
        folder = tmp_path / "elsewhere"
        for part in parts(study):
            own = folder / part.folder.relative_to(study.folder)
            own.mkdir(parents=True, exist_ok=True)
            (own / "pixels").symlink_to(part.folder / "pixels")
        return replace(study.changed(**sections), folder=folder)

    return opened
