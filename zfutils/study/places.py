"""Where things lie: the book, the published run, and everything generated."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
REFERENCE = BOOK / "reference"


def build_folder() -> Path:
    """Where everything generated lies: `ZFUTILS_BUILD`, or `_build/` of the working copy."""
    return Path(os.environ.get("ZFUTILS_BUILD") or ROOT / "_build").resolve()


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
