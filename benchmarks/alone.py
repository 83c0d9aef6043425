"""Measured in a process of its own, or on several ranks: seconds, and how far its memory grows.

Memory is what the process has for itself; pages of files, which the system may drop, are not counted. Linux
alone says how much that is.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

STATUS = Path("/proc/self/status")
EVERY = 0.005  # seconds


class Measured(TypedDict):
    """Of one piece of work."""

    seconds: list[float]  # one value a repeat
    before: int | None  # memory when it began, bytes
    peak: int | None


def measured(work: Callable[[], object], *, repeats: int, warm_up: int = 1) -> Measured:
    """Run a piece of work in this process, first without the clock."""
    peak = before = own_memory()
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(EVERY):
            peak = max(peak, own_memory())

    watching = threading.Thread(target=watch)
    if before is not None:
        watching.start()
    seconds = []
    for _ in range(warm_up):
        work()
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    ended.set()
    if before is not None:
        watching.join()
    return {"seconds": seconds, "before": before, "peak": peak}


def own_memory() -> int | None:
    """Bytes that this process has for itself; None where the system does not say."""
    if not STATUS.is_file():
        return None
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def in_a_process(module: str, *words: object, ranks: int | None = None, **environment: str) -> Measured:
    """What a module of this folder prints, started as a program.

    Args:
        module: its name.
        words: its arguments.
        ranks: how many start together, of which rank 0 prints; none without torchrun.
        environment: what it finds in its environment besides.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    together = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), "-m"]
    command = [sys.executable, "-m", *(together if ranks else []), module, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
