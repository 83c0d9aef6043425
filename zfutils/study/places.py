"""Where the book lies, its published run and its executed pages."""

from pathlib import Path

from zfutils.runtime.folders import ROOT, build_folder

BOOK = ROOT / "book"
REFERENCE = BOOK / "reference"


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
