"""Work is shared out among processes, which share out the cores, and comes back in order."""

import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from zfutils.runtime import parallel
from zfutils.runtime.parallel import cores, side_by_side, take_share, trainings


def tenth(number: int) -> float:
    """A tenth of a number that is not negative."""
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number / 10


def circumstances(name: str) -> tuple[str | None, int]:
    """A variable of the environment that a process sees, and which process it is."""
    return os.environ.get(name), os.getpid()


def threads(_: int) -> tuple[int, set[int]]:
    """Threads of PyTorch, and of the BLAS of NumPy and of SciPy, which is imported as late as here."""
    import scipy.linalg  # noqa: F401

    return torch.get_num_threads(), {pool["num_threads"] for pool in threadpool_info()}


def changed_in_place(values: np.ndarray) -> float:
    """The sum of an array after PyTorch has added 1 to it in place."""
    return float(torch.from_numpy(values).add_(1).sum())


KEPT: list[bytes] = []


def held(megabytes: int) -> int:
    """Hold that much more memory for good; the process that does."""
    KEPT.append(b"x" * (megabytes << 20))
    time.sleep(0.6)  # loky looks at the memory of a process once a second
    return os.getpid()


@pytest.fixture
def eight_cores(monkeypatch):
    """A machine with eight cores, all of which PyTorch and NumPy use."""
    before = torch.get_num_threads()
    monkeypatch.setattr(parallel, "cpu_count", lambda: 8)
    monkeypatch.delenv("ZFUTILS_JOBS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with threadpool_limits(8):
        torch.set_num_threads(8)
        yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("workers", [1, 2, None])
def test_results_come_in_the_order_of_the_jobs(workers):
    assert list(side_by_side(tenth, [5, 2, 30], workers=workers)) == [0.5, 0.2, 3.0]
    assert list(side_by_side(tenth, [], workers=workers)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_work_raises_reaches_the_caller(workers):
    with pytest.raises(ValueError, match="-2 is negative"):
        list(side_by_side(tenth, [1, -2, 3], workers=workers))
    assert list(side_by_side(tenth, [4, 5], workers=workers)) == [0.4, 0.5]


def test_a_worker_has_the_environment_of_the_moment(monkeypatch):
    list(side_by_side(tenth, [1, 2], workers=2))  # so that the processes are older than the variable
    monkeypatch.setenv("ZFUTILS_SEEN", "now")
    assert {seen for seen, _ in side_by_side(circumstances, ["ZFUTILS_SEEN"] * 2, workers=2)} == {"now"}
    monkeypatch.delenv("ZFUTILS_SEEN")
    assert {seen for seen, _ in side_by_side(circumstances, ["ZFUTILS_SEEN"] * 2, workers=2)} == {None}


def test_one_worker_is_this_process_and_two_are_others_that_are_kept():
    assert next(side_by_side(circumstances, ["PATH"] * 2, workers=1))[1] == os.getpid()
    first, second = ({p for _, p in side_by_side(circumstances, ["PATH"] * 8, workers=2)} for _ in range(2))
    assert os.getpid() not in first
    assert first & second


@pytest.mark.parametrize(("jobs", "expected"), [("1", 8), ("", 8), ("3", 2), ("20", 1)])
def test_processes_share_out_the_cores(eight_cores, monkeypatch, jobs, expected):
    monkeypatch.setenv("ZFUTILS_JOBS", jobs)
    take_share()
    blas = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    assert (cores(), torch.get_num_threads(), blas) == (expected, expected, {expected})


@pytest.mark.parametrize(
    ("device", "gibibytes", "expected"),
    [("cpu", 0, 8), ("mps", 0, 1), ("cuda", 80, 8), ("cuda", 13, 3), ("cuda", 2, 1)],
)
def test_trainings_share_a_device_while_its_memory_lasts(
    eight_cores, monkeypatch, device, gibibytes, expected
):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (gibibytes << 30, 80 << 30))
    asked = []
    monkeypatch.setattr(parallel, "side_by_side", lambda work, jobs, workers: asked.append(workers) or jobs)
    assert trainings(tenth, [1, 2], torch.device(device)) == [1, 2]
    assert (asked[0] or cores()) == expected


def test_the_cores_are_no_more_than_the_environment_allows(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    monkeypatch.setenv("ZFUTILS_JOBS", "1")
    assert cores() == 1


ONE_CORE = """
import os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from zfutils.runtime.parallel import cores, side_by_side, take_share
take_share()
import torch
print(cores(), torch.get_num_threads(), list(side_by_side(len, ["two", "four"])))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to a core")
@pytest.mark.slow
def test_a_process_that_is_bound_to_one_core_works_itself_with_one_thread(monkeypatch):
    for name in ("OMP_NUM_THREADS", "ZFUTILS_JOBS"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-c", ONE_CORE], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "1 1 [3, 4]\n"), done.stderr


def test_a_number_of_threads_that_is_given_is_kept(eight_cores, monkeypatch):
    torch.set_num_threads(3)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    take_share()
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("jobs", ["0", "-2", "two", "1.5"])
def test_a_number_of_processes_that_is_none_is_refused(monkeypatch, jobs):
    monkeypatch.setenv("ZFUTILS_JOBS", jobs)
    with pytest.raises(ValueError, match=re.escape(f"ZFUTILS_JOBS is {jobs!r}; it must be 1, 2, …")):
        next(side_by_side(tenth, [1, 2]))


def test_arrays_can_be_worked_on_in_place():
    """joblib would hand large ones on as read-only maps of files."""
    ones = np.ones(1 << 18)
    assert list(side_by_side(changed_in_place, [ones, ones], workers=2)) == [2 * len(ones)] * 2


@pytest.mark.slow
def test_a_worker_whose_memory_has_grown_is_kept_and_nothing_is_said(recwarn):
    """loky takes 300 MB for a leak; a training needs more than the small picture that was drawn before it."""
    processes = list(side_by_side(held, [0, 0, 0, 0, 350, 350, 0, 0, 0, 0, 0, 0], workers=2))
    assert set(processes[:4]) == set(processes[-4:])
    assert not list(recwarn)


def test_a_worker_has_no_more_threads_than_its_process(eight_cores):
    """So it is with `make test`, where `OMP_NUM_THREADS=1` stands for every process."""
    torch.set_num_threads(1)
    assert list(side_by_side(threads, [0, 1], workers=2)) == [(1, {1})] * 2


@pytest.mark.slow
def test_workers_share_out_the_cores_of_their_process(eight_cores, monkeypatch):
    monkeypatch.setenv("ZFUTILS_JOBS", "2")
    assert list(side_by_side(threads, [0, 1], workers=2)) == [(2, {2})] * 2


PLAIN = """
from zfutils.runtime.parallel import side_by_side
from zfutils.study.study import Study

print(len(Study.open("smoke").train_images), list(side_by_side(len, ["two", "four"], workers=2)))
"""


@pytest.mark.slow
def test_a_plain_script_without_a_guard_ends_and_says_nothing_else(tmp_path, monkeypatch):
    """Processes must not run the script again, neither those that draw the set nor its own."""
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path / "build"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "plain.py").write_text(PLAIN)
    command = [sys.executable, "-W", "error", tmp_path / "plain.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "256 [3, 4]"


WAITING = """
import os, sys, time
from pathlib import Path
from zfutils.runtime.parallel import side_by_side

def wait(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(300)

list(side_by_side(wait, [sys.argv[1]] * 2, workers=2))
"""


@pytest.mark.slow
def test_processes_end_when_the_one_that_started_them_is_killed(tmp_path):
    command = [sys.executable, "-c", WAITING, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as started:
        end = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2:
            assert time.monotonic() < end
            time.sleep(0.1)
        started.kill()
        started.communicate(timeout=60)  # all that write to the same pipe have ended
