"""Where the book lies, its published run, its executed pages, and what the parameters of pages name."""

from functools import cache
from pathlib import Path

from zfutils.runtime.folders import ROOT, absolute, build_folder

BOOK = ROOT / "book"
REFERENCE = BOOK / "reference"
NAMED = {"image": "file", "images": "folder", "weights": "file"}  # by parameters of pages, where not empty


def named(parameter: str, given: str) -> str:
    """The absolute path of what a parameter names; an empty one, and DEFAULT weights, stay as they are.

    Raises:
        ValueError: there is no such file or folder; says what is named.
    """
    weights = parameter == "weights"
    if not given or (weights and given == "DEFAULT"):
        return given
    path, kind = absolute(given), NAMED[parameter]
    if not (path.is_dir() if kind == "folder" else path.is_file()):
        raise ValueError(f"{parameter} is {str(path)!r}, which is no {kind}{', nor DEFAULT' * weights}")
    return str(path)


def executed_path(notebook: Path, edition: str, *, trial: bool = False) -> Path:
    """Where the executed copy of a notebook lies: `_build/<edition>/book/`, or below `ZFUTILS_BUILD`.

    Args:
        notebook: the source.
        edition: that it is executed on.
        trial: with other parameters than the page's defaults; such a copy lies in `trials/`, where it takes
            no page of the book away.

    Raises:
        ValueError: `book/profiles/` has no such edition.
    """
    editions = sorted(profile.stem for profile in (BOOK / "profiles").glob("*.yaml"))
    if edition not in editions:
        raise ValueError(f"there is no edition {edition!r} in book/profiles/; it has {', '.join(editions)}")
    return build_folder() / edition / ("trials" if trial else "book") / notebook.name


@cache
def page_of(chapter: int) -> str:
    """The name of a chapter's page."""
    (path,) = BOOK.glob(f"{chapter:02d}_*.ipynb")
    return path.stem
