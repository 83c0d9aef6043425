"""Kernels for the pages of the book that are forked from one process, which has imported what pages share.

Every page still has a process of its own, but not the seconds in which PyTorch, pandas, SciPy, matplotlib and
Lightning are imported, which are more than most pages take for everything else.

    python tests/forked_kernels.py SOCKET              the process: imports, then forks whenever it is asked
    python tests/forked_kernels.py SOCKET ARGUMENTS …  what a kernel manager starts in a kernel's place
"""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

# Nothing that asks on import who runs it, as pyplot and its back end for notebooks do.
IMPORTED = (
    "IPython.display",
    "ipykernel.kernelapp",
    "lightning_fabric",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "seaborn",
    "sklearn.linear_model",
    "torch._dynamo",
    "zfutils.study.closing",
    "zfutils.study.kept_scores",
    "zfutils.study.study",
)


def serve(path: str) -> None:
    """Import, then fork a kernel for each connection until standard input ends."""
    for module in IMPORTED:
        import_module(module)
    gc.freeze()  # what the kernels share stays: none of them goes through it, which would copy it too
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the kernels
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        print("ready", flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what kernels print goes to their notebook
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
            asking, _ = listening.accept()
            if not os.fork():
                listening.close()
                become_kernel(asking)
            asking.close()
    os._exit(0)  # what was imported takes more than a second to be taken down


def become_kernel(asking: socket.socket) -> None:
    """Run a kernel with the arguments, environment and folder asked for, until asker or parent ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked = json.loads(asking.makefile().readline())
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.argv = ["ipykernel_launcher", *asked["arguments"], f"--IPKernelApp.parent_handle={os.getppid()}"]
    threading.Thread(target=lambda: (asking.recv(1), os._exit(1)), daemon=True).start()
    import_module("ipykernel.kernelapp").launch_new_instance()
    os._exit(0)


def ask(path: str, arguments: list[str]) -> None:
    """Have a kernel forked, and end when it does."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        asked = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}
        asking.sendall(json.dumps(asked).encode() + b"\n")
        asking.recv(1)


@contextmanager
def forked_kernels() -> Iterator[list[str]]:
    """The command that starts a kernel, as long as the process lives that forks them."""
    with tempfile.TemporaryDirectory(prefix="zfutils-", dir="/tmp") as folder:  # short, for a socket
        Path(folder, "matplotlibrc").touch()
        own = {"MATPLOTLIBRC": folder, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        command = [sys.executable, __file__, os.path.join(folder, "socket")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, env=os.environ | own, **pipes) as process:
            assert process.stdout.readline() == b"ready\n"
            yield command
            process.stdin.close()


if __name__ == "__main__":
    path, *rest = sys.argv[1:]
    ask(path, rest) if rest else serve(path)
