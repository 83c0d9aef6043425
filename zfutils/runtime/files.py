"""Files that are there whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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


def write_json(data: Any, path: Path) -> None:
    """Write plain data, whole or not at all."""
    with whole(path) as beside:
        beside.write_text(json.dumps(data))
