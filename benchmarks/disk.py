"""Files of which nothing is in memory, as those are that a machine's memory cannot hold."""

import ctypes
import mmap
import os
import sys
from pathlib import Path

import numpy as np


def drop(path: Path) -> None:
    """Ask the system to let go of what it holds of a file in memory."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def in_memory(path: Path) -> float:
    """Share of a file's pages that lie in memory; 1 where nobody can say."""
    if sys.platform != "linux":
        return 1.0
    mapped = np.memmap(path, mode="r")
    pages = np.zeros(-(-len(mapped) // mmap.PAGESIZE), dtype=np.uint8)
    address, size = ctypes.c_void_p(mapped.ctypes.data), ctypes.c_size_t(len(mapped))
    ctypes.CDLL(None).mincore(address, size, ctypes.c_void_p(pages.ctypes.data))
    return float((pages & 1).mean())
