"""The kernel that a page runs on: this interpreter, whatever the machine and its user have set up.

It talks over sockets in a short folder of its own, reads none of the user's settings, and is given up where a
page runs or prints without end.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets import Unicode

SOCKETS_BELOW = 60  # bytes of a folder's path; a socket's has 104 on macOS, of which 40 come below the folder
SECONDS_BY, DAY = "ZFUTILS_CELL_SECONDS", 86_400
PRINTED_AT_MOST = 1_000_000  # characters of a page, which no reader would read


def cell_seconds() -> int:
    """How long a cell may run (s): a day, or what `ZFUTILS_CELL_SECONDS` says.

    Raises:
        ValueError: it says no whole number of seconds.
    """
    given = os.environ.get(SECONDS_BY) or str(DAY)
    if not given.isdecimal() or int(given) < 1:
        raise ValueError(f"{SECONDS_BY} is {given!r}; it must be 1, 2, …")
    return int(given)


def short_folder() -> str | None:
    """Where sockets may lie: below the temporary folder, or below /tmp where that is too long or missing.

    Raises:
        OSError: neither can be written to; names them.
    """
    named = os.environ.get("TMPDIR", "")
    if os.name != "posix":  # no sockets with paths
        return None
    for folder in [os.path.abspath(named)] * bool(named) + ["/tmp"]:
        if os.access(folder, os.W_OK | os.X_OK) and len(os.fsencode(folder)) <= SOCKETS_BELOW:
            return folder
    raise OSError(f"TMPDIR is {named!r}, and neither it nor /tmp can hold a kernel's sockets")


class Printed:
    """What a page prints, counted, and passed on in whole lines that begin with the page's name.

    Args:
        stream: receives the lines; None: nobody.
        name: of the page.
    """

    def __init__(self, stream: TextIO | None, name: str) -> None:
        self._stream, self._name, self._rest = stream, name, ""
        self._characters = 0
        self.kernel: subprocess.Popen | None = None

    @property
    def too_much(self) -> bool:
        """Whether it was more than a page may print; its kernel is then killed."""
        return self._characters > PRINTED_AT_MOST

    def write(self, text: str) -> None:
        self._characters += len(text)
        if self.too_much and self.kernel is not None:
            self.kernel.kill()
        if self._stream is not None:
            *whole, self._rest = (self._rest + text).split("\n")
            for line in whole:
                self._stream.write(f"{self._name} | {line}\n")

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()

    def close(self) -> None:
        """End a last line that had no end, and leave the stream open."""
        if self._rest:
            self.write("\n")
        self.flush()


def kernel_manager(
    folder: Path, printed: Printed, command: Sequence[str] | None = None
) -> type[AsyncKernelManager]:
    """A kernel manager class whose only kernel is this interpreter, with its sockets in `folder`.

    The kernel, once it runs, is handed to `printed`. Another `command` may start it, which takes the kernel's
    arguments.
    """
    environment = {
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
    }
    (folder / "matplotlibrc").touch()  # figures are the same whatever the user's own says
    spec = KernelSpec(**get_kernel_dict(), env=environment)
    if command:
        spec.argv = [*command, "-f", "{connection_file}"]

    class InterpreterKernelManager(AsyncKernelManager):
        connection_file = Unicode(str(folder / "kernel.json"))
        transport = "ipc" if os.name == "posix" else "tcp"
        kernel_spec = spec

        async def start_kernel(self, **options: Any) -> None:
            """The kernel hands on what its processes print; by its own outlet that would come twice."""
            await super().start_kernel(stdout=subprocess.DEVNULL, **options)
            printed.kernel = self.provisioner.process

        async def _async_interrupt_kernel(self) -> None:
            """None before a shutdown, of which an idle kernel would say that an error was caught in it."""
            if not self.shutting_down:
                await super()._async_interrupt_kernel()

    return InterpreterKernelManager
