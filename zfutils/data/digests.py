"""Digests of image files, taken once and known afterwards by path, size and time of change.

They are kept in the build folder, one file for each set, so that a set of 200,000 pictures is read once and
not by every page.
"""

import hashlib
import json
import os
import stat
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from zfutils.runtime.files import write_json
from zfutils.runtime.folders import build_folder

Known = dict[str, tuple[int, int, str]]  # path below the root: size, time of change (ns), digest

YOUNG = 2e9  # ns; a file that changed so lately may change again within one tick of its clock


def digest(content: bytes) -> str:
    """A digest of bytes, 32 characters of hexadecimal."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digests(root: Path, paths: Sequence[str]) -> list[str]:
    """A digest of each file's bytes; one that cannot be read has its error for a digest.

    Args:
        root: the data folder.
        paths: from `root`.
    """
    by_set: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_set[path.split("/")[0]].append(path)
    found = {path: read for name, own in by_set.items() for path, read in _of_a_set(root, name, own).items()}
    return [found[path] for path in paths]


def _of_a_set(root: Path, name: str, paths: Sequence[str]) -> dict[str, str]:
    folder = hashlib.blake2b(os.fsencode(root.resolve() / name), digest_size=8).hexdigest()
    file = build_folder() / "digests" / f"{folder}.json"
    known, found, new = _known(file), {}, {}
    for path in dict.fromkeys(paths):
        try:
            whole = f"{root}/{path}"
            status = os.stat(whole)
            if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
                raise OSError(None, "no regular file")
            size, changed = status.st_size, status.st_mtime_ns
            if known.get(path, ())[:2] != (size, changed):
                known[path] = size, changed, digest(Path(whole).read_bytes())
                if time.time_ns() - changed > YOUNG:
                    new[path] = known[path]
            found[path] = known[path][2]
        except OSError as error:
            found[path] = f"{path}: {error.strerror}"
    if new:
        _keep(file, new)
    return found


@cache
def _known(file: Path) -> Known:
    """What this process knows of a set, at first what is kept."""
    return _kept(file)


def _kept(file: Path) -> Known:
    try:
        return {path: tuple(one) for path, one in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):  # none, or not ours: files are read again
        return {}


def _keep(file: Path, new: Known) -> None:
    """Add to what is kept; where nothing can be written, the next process reads the files again."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(_kept(file) | new, file)
