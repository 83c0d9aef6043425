"""Modules of the user's that stand in front of installed packages, by PYTHONPATH or the folder one stands in.

With a `nbformat.py` of another meaning on PYTHONPATH, errors come from anywhere; so it is named beforehand.
"""

import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from zfutils.runtime.folders import ROOT


def refuse_shadows() -> None:
    """Refuse modules that would be imported in place of what the package depends on.

    Raises:
        ValueError: there is one; names its file, and what it hides.
    """
    in_front = list(_in_front())
    if not in_front:
        return
    needed = {_plain(re.match(r"[\w.-]+", line)[0]) for line in _required()}
    there = packages_distributions()
    hidden = {module for module, names in there.items() if needed & set(map(_plain, names))}
    for folder in in_front:
        for path in sorted(folder.iterdir()):
            name = (
                path.stem if path.suffix == ".py" else path.name if (path / "__init__.py").is_file() else ""
            )
            if name in hidden:
                raise ValueError(
                    f"{path} stands in front of the package {there[name][0]}: rename it, or take its folder "
                    "out of PYTHONPATH"
                )


def _in_front() -> Iterator[Path]:
    """Folders of modules that come before Python's own, but for the working copy and installed packages."""
    own = {os.path.realpath(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib")}
    for entry in sys.path:
        folder = Path(entry or os.getcwd())
        if os.path.realpath(folder) in own or folder.suffix == ".zip":
            return
        if folder.is_dir() and folder.resolve() != ROOT and not any(folder.glob("*.dist-info")):
            yield folder


def _required() -> list[str]:
    try:
        return requires("zfutils") or []
    except PackageNotFoundError:  # a working copy that was not installed
        return []


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
