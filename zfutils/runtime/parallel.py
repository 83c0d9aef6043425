"""Processes that work side by side, one thread each.

They are forked from one server that has loaded once what this process had loaded when it first asked for
them: importing PyTorch and the rest would take each of them some seconds. joblib, whose processes fit the
classifiers since they share large arrays instead of copying them, would replace one whose memory grows, as a
training's does.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import torch
from joblib import cpu_count
from threadpoolctl import threadpool_limits

Job = TypeVar("Job")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int | None = None
) -> Iterator[Result]:
    """What `work` gives for each job, in order, as it becomes ready.

    Args:
        work: a function of a module, or what else can be pickled.
        jobs: likewise; with none there is nothing to wait for.
        workers: processes; default one a core, and no more than jobs. With one, this process works itself,
            with all its threads.

    Nothing begins before the first result is asked for. What `work` raises is raised where its result would
    stand; jobs that have not begun by then are dropped.
    """
    workers = min(workers or cpu_count(), len(jobs))
    if workers <= 1:
        yield from map(work, jobs)
        return
    # Apple's libraries may not be forked once they are loaded.
    context = get_context("spawn" if sys.platform == "darwin" else "forkserver")
    loaded = [name for name in sys.modules if name.startswith(f"{__package__}.") and ".figures" not in name]
    context.set_forkserver_preload(loaded)  # read where the server is not running yet
    with ProcessPoolExecutor(workers, context, _begin, (dict(os.environ),)) as pool:
        yield from pool.map(work, jobs)


def _begin(environment: Mapping[str, str]) -> None:
    """What the server does not hand on: its environment is as old as itself."""
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(1)
    threadpool_limits(1)  # NumPy's too
