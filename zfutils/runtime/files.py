"""Files that are there whole or not at all."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to, renamed to `path` at the end; an error leaves `path` as it was.

    Processes that write the same file at once do not meet: the last one's stays.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path, *, is_older: Callable[[Path], bool], what: str) -> Iterator[Path]:
    """An empty folder to write to, moved to `folder` at the end; an error leaves `folder` as it was.

    Args:
        folder: where it goes; made if need be.
        is_older: whether what the folder holds is an older one of the kind, which is replaced.
        what: the kind, in words.

    Raises:
        FileExistsError: the folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not is_older(folder):
        raise FileExistsError(f"{folder} holds something that is no {what}; it is left as it is")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        fresh = Path(beside) / "fresh"
        fresh.mkdir()
        yield fresh
        if folder.exists():
            folder.rename(Path(beside) / "old")
        fresh.rename(folder)


def write_json(data: Any, path: Path) -> None:
    """Write plain data, whole or not at all."""
    with whole(path) as beside:
        beside.write_text(json.dumps(data))
