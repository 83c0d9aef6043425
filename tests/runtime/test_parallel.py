"""Work is shared out among processes, and comes back in order."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from zfutils.runtime import parallel
from zfutils.runtime.parallel import side_by_side


def tenth(number: int) -> float:
    """A tenth of a number that is not negative."""
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number / 10


def circumstances(name: str) -> tuple[str | None, int]:
    """A variable of the environment that a process sees, and which process it is."""
    return os.environ.get(name), os.getpid()


def begun_again(threads: int) -> tuple[int, set[int]]:
    """Threads of PyTorch and of all libraries, in a process that had some number and begins once more."""
    threadpool_limits(threads)
    torch.set_num_threads(threads)
    assert (torch.get_num_threads(), {pool["num_threads"] for pool in threadpool_info()}) == (2, {2})
    parallel._begin(dict(os.environ))
    with ThreadPoolExecutor(1) as thread:  # as PyTorch goes backward in one
        backward = thread.submit(threads_after_work).result()
    return backward, {pool["num_threads"] for pool in threadpool_info()}


def threads_after_work() -> int:
    """PyTorch's threads once it has worked, since it sets them up then."""
    torch.ones(1 << 20).exp()
    return torch.get_num_threads()


@pytest.mark.parametrize("workers", [1, 2, None])
def test_results_come_in_the_order_of_the_jobs(workers):
    assert list(side_by_side(tenth, [5, 2, 30], workers=workers)) == [0.5, 0.2, 3.0]


def test_nothing_to_do_is_done():
    assert list(side_by_side(tenth, [])) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_work_raises_reaches_the_caller(workers):
    done = side_by_side(tenth, [1, -2, 3], workers=workers)
    assert next(done) == 0.1
    with pytest.raises(ValueError, match="-2 is negative"):
        next(done)
    assert not multiprocessing.active_children()


def test_a_worker_has_the_environment_of_the_moment(monkeypatch):
    list(side_by_side(tenth, [1, 2], workers=2))  # so that the server is older than the variable
    monkeypatch.setenv("ZFUTILS_SEEN", "now")
    assert {one[0] for one in side_by_side(circumstances, ["ZFUTILS_SEEN"] * 2, workers=2)} == {"now"}
    monkeypatch.delenv("ZFUTILS_SEEN")
    assert {one[0] for one in side_by_side(circumstances, ["ZFUTILS_SEEN"] * 2, workers=2)} == {None}


def test_a_worker_begins_with_one_thread_for_pytorch_and_for_numpy():
    assert list(side_by_side(begun_again, [2, 2], workers=2)) == [(1, {1})] * 2


def test_one_worker_is_this_process():
    assert next(side_by_side(circumstances, ["PATH"] * 2, workers=1))[1] == os.getpid()
    assert os.getpid() not in {one[1] for one in side_by_side(circumstances, ["PATH"] * 2, workers=2)}
