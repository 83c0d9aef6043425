"""Where things lie: the working copy, the photographs, and everything generated."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED_BY = ("ZFUTILS_DATA", "ZFUTILS_BUILD")


def data_folder() -> Path:
    """The folder that holds the photographs: `ZFUTILS_DATA`, or `data/` of the working copy."""
    return absolute(os.environ.get("ZFUTILS_DATA") or ROOT / "data")


def build_folder() -> Path:
    """Where everything generated lies: `ZFUTILS_BUILD`, or `_build/` of the working copy."""
    return absolute(os.environ.get("ZFUTILS_BUILD") or ROOT / "_build").resolve()


def absolute(path: str | Path) -> Path:
    """A path as the user gave it, from where the user stands; `~` is the home folder."""
    return Path(os.path.abspath(Path(path).expanduser()))


def fix_folders() -> None:
    """Make the folders that the environment names absolute: notebooks and other processes run elsewhere."""
    for name in NAMED_BY:
        if os.environ.get(name):
            os.environ[name] = str(absolute(os.environ[name]))
