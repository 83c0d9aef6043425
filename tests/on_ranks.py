"""Starts a program of the tests on several ranks, as a user does: by torchrun."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")


def on_ranks(n: int, *words: object, **environment: object) -> subprocess.CompletedProcess[str]:
    """Run a program on n ranks to its end.

    Args:
        n: how many.
        words: its file and arguments, or "-m" and a module's name and arguments.
        environment: what it finds in its environment besides.
    """
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    found = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [*TORCHRUN, str(n), *map(str, words)],
        env={name: str(value) for name, value in found.items()},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
