"""Work is shared out among processes, and comes back in order."""

import multiprocessing
import os

import pytest
import torch

from zfutils.processes import side_by_side


def tenth(number: int) -> float:
    """A tenth of a number that is not negative."""
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number / 10


def circumstances(name: str) -> tuple[str | None, int, int]:
    """What a process sees: a variable of the environment, its threads, and which process it is."""
    return os.environ.get(name), torch.get_num_threads(), os.getpid()


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


def test_a_worker_has_one_thread_however_many_its_caller_has(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert {one[1] for one in side_by_side(circumstances, ["PATH"] * 2, workers=2)} == {1}
    finally:
        torch.set_num_threads(threads)


def test_one_worker_is_this_process():
    assert next(side_by_side(circumstances, ["PATH"] * 2, workers=1))[2] == os.getpid()
    assert os.getpid() not in {one[2] for one in side_by_side(circumstances, ["PATH"] * 2, workers=2)}
