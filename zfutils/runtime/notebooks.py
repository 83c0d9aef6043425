"""Executes one notebook of the book with papermill, on this interpreter, checked before and whole after.

A page of the book is a source notebook without outputs and an executed copy in the build folder. The one
idea: the copy is there, complete, or it is not there. It is written beside and renamed; a notebook that
fails takes its old copy away and leaves `NAME.failed.ipynb` with the traceback, so that make runs it again.
"""

import ast
import importlib.metadata
import json
import platform
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from pydantic import TypeAdapter, ValidationError

from zfutils.runtime import engine, kernels
from zfutils.runtime.files import whole
from zfutils.runtime.kernels import Printed

SIMPLE = {"int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict, "tuple": tuple}


class NotebookFailed(RuntimeError):
    """A notebook did not run to its end; `traceback` is what its kernel said, plain text."""

    def __init__(self, message: str, traceback: str) -> None:
        super().__init__(message)
        self.traceback = traceback


def parse_parameters(notebook: Path, assignments: list[str]) -> dict[str, Any]:
    """Values from `name=value` texts, read as the type that the notebook declares.

    Args:
        notebook: its cell tagged `parameters` declares names and types.
        assignments: each `name=value`; a value is JSON or a Python literal, text where a text is declared.

    Raises:
        ValueError: a text without `=`, or a name the notebook does not have.
    """
    declared = _declared(notebook)
    values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"a parameter is given as name=value, not {assignment!r}")
        _refuse_unknown(notebook, [name], declared)
        values[name] = text if _type_of(declared[name]) is str else _literal(text)
    return values


def changed(notebook: Path, parameters: Mapping[str, Any]) -> list[str]:
    """The names among the parameters whose values are not the notebook's defaults."""
    declared = _declared(notebook)
    return [name for name, value in parameters.items() if value != _literal(declared[name]["default"])]


def execute(
    notebook: Path,
    output: Path,
    parameters: Mapping[str, Any],
    *,
    autosave_seconds: int = 30,
    stream: TextIO | None = None,
    command: Sequence[str] | None = None,
) -> float:
    """Run a notebook and write its executed copy.

    The kernel is the running interpreter, whatever kernels the machine has installed; it talks over sockets
    in a folder of its own, since parallel runs race for TCP ports, and reads none of the user's settings of
    IPython and matplotlib. It is given up where a cell takes longer than `ZFUTILS_CELL_SECONDS` (a day), or
    where the page prints more than `kernels.PRINTED_AT_MOST` characters.

    Args:
        notebook: the source, left as it is; its kernel works in its folder.
        output: the executed copy; its folder is made.
        parameters: values for names that the notebook's `parameters` cell declares.
        autosave_seconds: how often the unfinished copy, `.NAME.running.ipynb`, is saved.
        stream: receives what the notebook prints, each line with the notebook's name before it.
        command: what starts a kernel, given ipykernel's arguments; default the running interpreter.

    Returns:
        Seconds.

    Raises:
        ValueError: an unknown parameter, or a value of another type than the notebook declares.
        NotebookFailed: a cell raised, ran or printed beyond its limit, or the kernel died; the message names
            the cell.
    """
    _check(notebook, parameters)
    others = changed(notebook, parameters)
    output.parent.mkdir(parents=True, exist_ok=True)
    output = output.resolve()
    running = output.with_name(f".{output.stem}.running.ipynb")
    failed = output.with_name(f"{output.stem}.failed.ipynb")
    failed.unlink(missing_ok=True)
    running.unlink(missing_ok=True)
    printed, limit = Printed(stream, notebook.stem), kernels.cell_seconds()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="zfutils-", dir=kernels.short_folder()) as folder:
        try:
            executed = papermill.execute_notebook(
                str(notebook.resolve()),
                str(running),
                parameters=dict(parameters),
                cwd=str(notebook.resolve().parent),
                engine_name=engine.NAME,
                kernel_name="python3",
                language="python",
                kernel_manager_class=kernels.kernel_manager(Path(folder), printed, command),
                execution_timeout=limit,
                progress_bar=False,
                autosave_cell_every=autosave_seconds,
                stdout_file=printed,
                stderr_file=printed,
            )
        except Exception as error:
            output.unlink(missing_ok=True)
            raise _failure(notebook, running, failed, error, _reason(error, printed, limit)) from error
        finally:
            printed.close()
    seconds = time.perf_counter() - started
    # The copy is published: no path of the machine that made it, and no cell that repeats the defaults or
    # belongs to a hidden one.
    tags = [cell.metadata.get("tags", []) for cell in executed.cells]
    hidden = any({"parameters", "remove-cell"} <= set(own) for own in tags)
    for own in tags:
        if "injected-parameters" in own and (hidden or not others):
            own.append("remove-cell")
    executed.metadata.papermill |= {"input_path": notebook.name, "output_path": output.name}
    executed.metadata["zfutils"] = {
        "parameters": dict(parameters),
        "seconds": round(seconds, 2),
        "platform": platform.platform(),
        "versions": versions(),
    }
    nbformat.write(executed, running)
    running.replace(output)
    return seconds


def write_sentence(page: Path, output: Path, sentence: str, parameters: Mapping[str, Any]) -> None:
    """Write a page's title and one sentence in place of its executed copy.

    Args:
        page: the source notebook, which begins with its title.
        output: the copy.
        sentence: Markdown.
        parameters: the edition's name, and the page's own.
    """
    source = nbformat.read(page, as_version=4)
    title = source.cells[0].source.splitlines()[0]
    source.cells = [nbformat.v4.new_markdown_cell(f"{title}\n\n{sentence}")]
    source.metadata["zfutils"] = {
        "parameters": dict(parameters), "seconds": 0, "platform": "left out", "versions": versions()
    }  # fmt: skip
    output.parent.mkdir(parents=True, exist_ok=True)
    with whole(output) as beside:
        nbformat.write(source, beside)


def versions() -> dict[str, str]:
    """Versions of Python, of the package and of what it depends on directly, by distribution name."""
    direct = [line for line in importlib.metadata.requires("zfutils") or [] if "extra ==" not in line]
    names = ["zfutils", *(re.match(r"[\w.-]+", line)[0] for line in direct), "papermill"]
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names}


def _declared(notebook: Path) -> dict[str, dict[str, str]]:
    """Name → papermill's description of each parameter that the notebook declares."""
    if not notebook.is_file():
        raise FileNotFoundError(f"there is no notebook {notebook}")
    return papermill.inspect_notebook(str(notebook))


def _refuse_unknown(notebook: Path, names: list[str], declared: Mapping[str, Any]) -> None:
    unknown = [name for name in names if name not in declared]
    if unknown:
        raise ValueError(
            f"{notebook.name} has no parameter {', '.join(map(repr, unknown))}; "
            f"it has {', '.join(declared) or 'none'}"
        )


def _check(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Refuse what the notebook does not declare, of which papermill itself only prints a warning."""
    declared = _declared(notebook)
    _refuse_unknown(notebook, list(parameters), declared)
    for name, value in parameters.items():
        expected = _type_of(declared[name])
        try:
            TypeAdapter(expected).validate_python(value, strict=True)
        except ValidationError:
            label = declared[name]["inferred_type_name"]
            label = label if label != "None" else getattr(expected, "__name__", str(expected))
            raise ValueError(
                f"{notebook.name}: parameter {name!r} is {label}, not {type(value).__name__} ({value!r})"
            ) from None


def _type_of(parameter: Mapping[str, str]) -> Any:
    """The type a parameter declares, `list[int]` say; without an annotation, the type of its default."""
    annotation = parameter["inferred_type_name"]
    if annotation == "None":
        default = _literal(parameter["default"])
        return Any if default is None else type(default)
    if not set(re.findall(r"\w+", annotation)) <= set(SIMPLE):
        raise ValueError(
            f"parameter {parameter['name']!r} is annotated {annotation!r}; known are {', '.join(SIMPLE)} "
            "and lists, dicts and tuples of them"
        )
    return eval(annotation, {"__builtins__": {}}, SIMPLE)


def _literal(text: str) -> Any:
    """A value written as JSON or as a Python literal; any other text is itself."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    return text


def _reason(error: Exception, printed: Printed, limit: int) -> str | None:
    """Why a notebook was stopped from outside; None where it was not: a cell of it may have raised."""
    if printed.too_much:
        return f"it printed more than {kernels.PRINTED_AT_MOST:,} characters"
    if isinstance(error, CellTimeoutError):
        return f"it ran for more than {limit:,} s, the limit of a cell; {kernels.SECONDS_BY} sets another"
    if isinstance(error, DeadKernelError):
        return "its kernel was killed, most often for want of memory"
    return None


def _failure(
    notebook: Path, running: Path, failed: Path, error: Exception, stopped: str | None
) -> NotebookFailed:
    """Keep the unfinished copy as the failed one; say which cell stopped and with what."""
    reason, traceback = stopped or f"{type(error).__name__}: {error}", str(error)
    if not running.is_file():
        return NotebookFailed(f"{notebook.name} could not be run: {reason}", traceback)
    copy = nbformat.read(running, as_version=4)
    # papermill stamps a start on every cell it reaches; the last one reached is the one that stopped.
    reached = [cell for cell in copy.cells if cell.metadata.get("papermill", {}).get("start_time")]
    where = ""
    if reached:
        cell = reached[-1]
        errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
        if errors and not stopped:
            reason = f"{errors[-1].ename}: {errors[-1].evalue}"
            traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(errors[-1].traceback))
        else:
            message = nbformat.v4.new_output("error", None, ename=type(error).__name__, evalue=str(error))
            message.traceback = [reason]
            cell.setdefault("outputs", []).append(message)
        where = f", {_position(notebook, cell)} ({cell.source.strip().splitlines()[0]})"
    nbformat.write(copy, running)
    running.replace(failed)
    return NotebookFailed(f"{notebook.name}{where}: {reason}; kept in {failed}", traceback)


def _position(notebook: Path, cell: nbformat.NotebookNode) -> str:
    """Where a cell of the executed copy stands among the code cells of the source, counted from 1."""
    source = [c for c in nbformat.read(notebook, as_version=4).cells if c.cell_type == "code"]
    same = [c.get("id", cell.get("id")) == cell.get("id") and c.source == cell.source for c in source]
    return f"code cell {same.index(True) + 1} of {len(source)}" if any(same) else "the injected parameters"
