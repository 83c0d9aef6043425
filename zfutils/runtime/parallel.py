"""Processes that work side by side, and how many threads each of them has.

One pool for everything, joblib's loky: its processes are started from nothing, so that a plain script needs
no `__main__` guard, and kept from call to call, so that they import the package once.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TypeVar

import torch
from joblib import Parallel, cpu_count, delayed, parallel_config
from joblib.externals.loky import process_executor
from threadpoolctl import threadpool_limits

from zfutils.runtime.ranks import ranks

GPU_MEMORY_EACH = 4 << 30  # bytes that a training on a GPU is granted where several share it

Job = TypeVar("Job")
Result = TypeVar("Result")


def cores() -> int:
    """How many cores are this process's own: those that the machine or its container grants, shared out.

    `ZFUTILS_JOBS` says among how many processes; make sets it to the number of pages that run side by side.

    Raises:
        ValueError: `ZFUTILS_JOBS` is no positive number.
    """
    asked = os.environ.get("ZFUTILS_JOBS") or "1"
    if not asked.isdecimal() or int(asked) < 1:
        raise ValueError(f"ZFUTILS_JOBS is {asked!r}; it must be 1, 2, …")
    return max(1, cpu_count() // int(asked))


def take_share() -> None:
    """Let PyTorch and NumPy use this process's own cores and no more, unless `OMP_NUM_THREADS` says how many.

    OpenBLAS's threads spin while they wait: where another process has the second core, a product of small
    matrices takes five times as long with two of them as with one.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        threadpool_limits(cores())
        torch.set_num_threads(cores())


def side_by_side(
    work: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int | None = None
) -> Iterator[Result]:
    """What `work` gives for each job, in order, as it becomes ready.

    Args:
        work: what can be pickled, as a function of a module can.
        jobs: likewise; with none there is nothing to wait for.
        workers: processes; default one for each core, and no more than jobs. The cores are shared out among
            them, and none has more threads than PyTorch has here (`OMP_NUM_THREADS=1` holds for them too).
            With one, this process works itself, with all its threads.

    Nothing begins before the first result is asked for. What `work` raises is raised here; jobs that have not
    ended by then are given up, those that others work on too.
    """
    workers = min(workers or cores(), len(jobs))
    if workers <= 1:
        yield from map(work, jobs)
        return
    threads = min(torch.get_num_threads(), max(1, cores() // workers))
    with parallel_config(backend="loky", inner_max_num_threads=threads):
        # Arrays come as copies: as read-only maps of files, joblib's way, PyTorch would warn of them.
        pool = Parallel(n_jobs=workers, return_as="generator", batch_size=1, max_nbytes=None)
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    yield from pool(delayed(_done)(work, job, environment) for job in jobs)


def trainings(work: Callable[[Job], Result], jobs: Sequence[Job], device: torch.device) -> Iterator[Result]:
    """What trainings give, as many at once as the device bears.

    On a CPU each has a thread. On a CUDA device each has a process, as many as there are cores while its
    memory lasts: a step of a small network takes longer to be asked for than to be computed. Several ranks
    work on one after the other together.
    """
    workers = None if device.type == "cpu" and ranks() == 1 else 1
    if device.type == "cuda" and ranks() == 1:
        free, _ = torch.cuda.mem_get_info(device)
        workers = max(1, min(cores(), free // GPU_MEMORY_EACH))
    return side_by_side(work, jobs, workers=workers)


def _done(work: Callable[[Job], Result], job: Job, environment: Mapping[str, str]) -> Result:
    """One job in a process whose environment may be older than this process's."""
    # loky takes growth by 300 MB for a leak, says so in the page and starts the process anew, which imports
    # everything again. A training grows by more: its memory is kept for the next step (`keep_memory`).
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf
    _end_with_parent()
    os.environ.clear()
    os.environ.update(environment)
    return work(job)


@cache
def _end_with_parent() -> None:
    """Let this process end soon after the one that started it, even where that one was killed.

    loky's processes would go on with their job, whose result nobody takes: with a training, for an hour.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
