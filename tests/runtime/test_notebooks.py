"""Notebooks are checked before they run, and leave a whole copy or none."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from zfutils import __main__
from zfutils.runtime import kernels, notebooks
from zfutils.study import places

TAGGED = """edition: str = "quick"  # which file of profiles/
wait: float = 0.0
seeds: list[int] = [0, 1]
deep = 3"""


def write(path: Path, *cells: str) -> Path:
    """A notebook with a parameters cell, one line of prose and the code cells given."""
    parameters = nbformat.v4.new_code_cell(TAGGED, metadata={"tags": ["parameters"]})
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook = nbformat.v4.new_notebook(
        cells=[parameters, nbformat.v4.new_markdown_cell("Prose."), *code],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, path)
    return path


def printed(path: Path) -> str:
    """All that the notebook's cells wrote to stdout."""
    cells = nbformat.read(path, as_version=4).cells
    return "".join(
        out.text for cell in cells for out in cell.get("outputs", []) if out.output_type == "stream"
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epoch": 1}, "page.ipynb has no parameter 'epoch'; it has edition, wait, seeds, deep"),
        ({"edition": 3}, "parameter 'edition' is str, not int (3)"),
        ({"seeds": [0.5]}, "parameter 'seeds' is list[int], not list ([0.5])"),
        ({"deep": "four"}, "parameter 'deep' is int, not str ('four')"),
        ({"deep": True}, "parameter 'deep' is int, not bool (True)"),
    ],
)
def test_a_parameter_that_is_not_declared_so_is_refused(tmp_path, parameters, message):
    page = write(tmp_path / "page.ipynb", "1")
    with pytest.raises(ValueError, match=re.escape(message)):
        notebooks.execute(page, tmp_path / "out" / "page.ipynb", parameters)
    assert not (tmp_path / "out").exists()


def test_texts_are_read_as_the_declared_types(tmp_path):
    page = write(tmp_path / "page.ipynb")
    texts = ["edition=2", "wait=1e-2", "seeds=[3, 4]", "deep=5"]
    expected = {"edition": "2", "wait": 0.01, "seeds": [3, 4], "deep": 5}
    assert notebooks.parse_parameters(page, texts) == expected
    with pytest.raises(ValueError, match="name=value, not 'deep'"):
        notebooks.parse_parameters(page, ["deep"])


def test_success_writes_the_copy_with_outputs_and_leaves_the_source_untouched(tmp_path):
    look = "import os, sys\nprint(sys.executable)\nprint(os.path.exists('page.ipynb'))"
    page, copy = write(tmp_path / "page.ipynb", look, "print(deep)"), tmp_path / "out" / "page.ipynb"
    before = page.read_bytes()
    seconds = notebooks.execute(page, copy, {"deep": 4})

    assert printed(copy).splitlines() == [sys.executable, "True", "4"]
    assert page.read_bytes() == before
    assert [path.name for path in copy.parent.iterdir()] == ["page.ipynb"]
    provenance = nbformat.read(copy, as_version=4).metadata["zfutils"]
    assert provenance["parameters"] == {"deep": 4}
    assert provenance["seconds"] == pytest.approx(seconds, abs=0.01)
    assert provenance["versions"]["torch"] == notebooks.versions()["torch"]
    assert str(tmp_path) not in copy.read_text()


@pytest.mark.parametrize(("seconds", "saved"), [(0, ["[['first\\n']]"]), (60, [])])
def test_what_has_run_can_be_read_from_the_unfinished_copy_as_old_as_asked(tmp_path, kernels, seconds, saved):
    look = f"""import json, pathlib
for path in pathlib.Path({str(tmp_path)!r}).glob('.copy.running.ipynb'):
    cells = json.loads(path.read_text())['cells']
    print([one['text'] for cell in cells for one in cell.get('outputs', [])])"""
    page = write(tmp_path / "page.ipynb", "print('first')", look)
    notebooks.execute(page, tmp_path / "copy.ipynb", {}, autosave_seconds=seconds, command=kernels)
    assert printed(tmp_path / "copy.ipynb").splitlines() == ["first", *saved]


def test_a_failing_cell_is_named_keeps_its_traceback_and_takes_the_old_copy_away(tmp_path, kernels):
    page = write(tmp_path / "page.ipynb", "x = 0", "y = 1 / x\nprint('after')", "z = 2")
    copy = tmp_path / "page.executed.ipynb"
    copy.write_text("an older copy")
    with pytest.raises(notebooks.NotebookFailed) as caught:
        notebooks.execute(page, copy, {"deep": 4}, command=kernels)

    failed = tmp_path / "page.executed.failed.ipynb"
    cause = "page.ipynb, code cell 3 of 4 (y = 1 / x): ZeroDivisionError: division by zero; kept in "
    assert str(caught.value) == f"{cause}{failed}"
    assert "----> 1 y = 1 / x" in caught.value.traceback
    errors = [
        output.ename
        for cell in nbformat.read(failed, as_version=4).cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    assert errors == ["ZeroDivisionError"]
    assert not copy.exists()

    write(page, "x = 1")
    notebooks.execute(page, copy, {}, command=kernels)
    assert copy.exists()
    assert not failed.exists()


@pytest.mark.slow
def test_a_kernel_that_dies_is_reported_with_the_cell_that_ran(tmp_path):
    page = write(tmp_path / "page.ipynb", "x = 0", "import os\nos._exit(9)")
    with pytest.raises(
        notebooks.NotebookFailed, match=r"code cell 3 of 3 \(import os\): its kernel was killed"
    ):
        notebooks.execute(page, tmp_path / "copy.ipynb", {})
    assert (tmp_path / "copy.failed.ipynb").exists()


@pytest.mark.slow
def test_a_cell_that_runs_past_its_limit_is_named_with_the_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("ZFUTILS_CELL_SECONDS", "1")
    page = write(tmp_path / "page.ipynb", "x = 0", "import time\ntime.sleep(300)")
    with pytest.raises(
        notebooks.NotebookFailed,
        match=r"page.ipynb, code cell 3 of 3 \(import time\): it ran for more than 1 s.*ZFUTILS_CELL_SECONDS",
    ):
        notebooks.execute(page, tmp_path / "copy.ipynb", {})
    assert [path.name for path in tmp_path.glob("*copy*")] == ["copy.failed.ipynb"]


@pytest.mark.parametrize("given", ["soon", "0", "1.5", "-3"])
def test_a_limit_that_is_no_number_of_seconds_is_refused(monkeypatch, given):
    monkeypatch.setenv("ZFUTILS_CELL_SECONDS", given)
    with pytest.raises(ValueError, match=f"ZFUTILS_CELL_SECONDS is '{given}'"):
        kernels.cell_seconds()


@pytest.mark.slow
@pytest.mark.parametrize("printing", ["print('again')", "sys.stderr.write('again')"])
def test_a_page_that_prints_without_end_is_stopped_and_its_cell_named(tmp_path, printing):
    page = write(tmp_path / "page.ipynb", f"import sys\nwhile True:\n    {printing}")
    with pytest.raises(
        notebooks.NotebookFailed, match=r"code cell 2 of 2 \(import sys\): it printed more than 1,000,000"
    ):
        notebooks.execute(page, tmp_path / "copy.ipynb", {})
    assert (tmp_path / "copy.failed.ipynb").stat().st_size < 50e6


@pytest.mark.slow
def test_a_kernel_that_is_shut_down_is_not_interrupted_before(tmp_path):
    """An idle one would say on the terminal that an error was caught in it."""
    sent = []

    class Watched(kernels.kernel_manager(tmp_path, kernels.Printed(None, "page"))):
        async def _async_signal_kernel(self, signum):
            sent.append(signum)
            await super()._async_signal_kernel(signum)

    async def started_interrupted_and_shut_down():
        manager = Watched()
        await manager.start_kernel()
        await manager.interrupt_kernel()
        assert sent == [signal.SIGINT]
        await manager.shutdown_kernel(now=True)

    asyncio.run(started_interrupted_and_shut_down())
    assert signal.SIGINT not in sent[1:]


def test_the_user_s_own_start_up_files_and_back_end_do_not_reach_the_kernel(tmp_path, monkeypatch):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("strange = 1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    page = write(
        tmp_path / "page.ipynb", "import os\nprint('strange' in globals(), os.environ['MPLBACKEND'])"
    )
    notebooks.execute(page, tmp_path / "copy.ipynb", {})
    assert printed(tmp_path / "copy.ipynb").split() == ["False", "module://matplotlib_inline.backend_inline"]


def test_figures_are_the_same_whatever_the_user_s_own_matplotlibrc_says(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\nimage.origin: lower\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "own"))
    names = "text.usetex", "font.size", "image.origin"
    page = write(tmp_path / "page.ipynb", f"import matplotlib as m\nprint(*(m.rcParams[n] for n in {names}))")
    notebooks.execute(page, tmp_path / "copy.ipynb", {})
    assert printed(tmp_path / "copy.ipynb").split() == ["False", "10.0", "upper"]


@pytest.mark.parametrize("folder", ["x" * 90, "missing"])
def test_a_page_runs_under_a_temporary_folder_that_is_too_long_for_sockets_or_missing(
    tmp_path, monkeypatch, folder
):
    monkeypatch.setenv("TMPDIR", str(tmp_path / folder))
    if folder != "missing":
        (tmp_path / folder).mkdir()
    page = write(tmp_path / "page.ipynb", "print(deep)")
    notebooks.execute(page, tmp_path / "copy.ipynb", {"deep": 6})
    assert printed(tmp_path / "copy.ipynb") == "6\n"


def test_where_sockets_can_lie_nowhere_the_message_names_the_temporary_folder(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/proc/nowhere")
    monkeypatch.setattr(kernels, "SOCKETS_BELOW", 0)
    with pytest.raises(OSError, match=r"TMPDIR is '/proc/nowhere'"):
        kernels.short_folder()


@pytest.mark.slow
def test_two_notebooks_run_side_by_side(tmp_path):
    """Each waits for a file that the other writes, so that both must be running at once."""
    meet = (
        "import pathlib, time\nhere = pathlib.Path({folder!r})\n(here / '{mine}').touch()\n"
        "end = time.monotonic() + 60\n"
        "while not (here / '{other}').exists():\n"
        "    assert time.monotonic() < end\n    time.sleep(0.05)\nprint('met')"
    )
    script = "import sys; from pathlib import Path; from zfutils.runtime.notebooks import execute\n"
    script += "execute(Path(sys.argv[1]), Path(sys.argv[2]), {})"
    running = []
    for mine, other in [("a", "b"), ("b", "a")]:
        page = write(tmp_path / f"{mine}.ipynb", meet.format(folder=str(tmp_path), mine=mine, other=other))
        command = [sys.executable, "-c", script, page, tmp_path / "out" / page.name]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert [printed(tmp_path / "out" / f"{name}.ipynb") for name in "ab"] == ["met\n", "met\n"]


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book with one edition and no pages yet, in place of the repository's."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "tiny.yaml").touch()
    monkeypatch.setattr(places, "BOOK", tmp_path)
    return tmp_path


@pytest.mark.parametrize("tags", [["parameters"], ["parameters", "remove-cell"]])
def test_parameters_that_a_page_hides_stay_hidden_whatever_they_are(tmp_path, tags):
    page = write(tmp_path / "page.ipynb", "1")
    notebook = nbformat.read(page, as_version=4)
    notebook.cells[0].metadata.tags = tags
    nbformat.write(notebook, page)
    notebooks.execute(page, tmp_path / "out.ipynb", {"deep": 4})
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    (given,) = [cell for cell in executed if "injected-parameters" in cell.metadata.get("tags", [])]
    assert ("remove-cell" in given.metadata.tags) == ("remove-cell" in tags)


def test_the_command_line_executes_into_the_edition_s_folder_and_trials_beside_it(book, build_folder, capsys):
    page = write(book / "page.ipynb", "print(edition, deep)")
    assert __main__.main(["execute", str(page), "--edition", "tiny"]) == 0
    executed = printed(build_folder / "tiny" / "book" / "page.ipynb")
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["page: started, edition tiny", f"page | {executed.strip()}"]
    assert re.fullmatch(r"page: done in \d+\.\d s", lines[2])
    official = (build_folder / "tiny" / "book" / "page.ipynb").read_bytes()
    assert __main__.main(["execute", str(page), "--edition", "tiny", "-p", "deep=7"]) == 0
    assert printed(build_folder / "tiny" / "trials" / "page.ipynb") == "tiny 7\n"
    assert (build_folder / "tiny" / "book" / "page.ipynb").read_bytes() == official


IMAGE = """edition: str = "tiny"  # which
image: str = ""  # a file"""


@pytest.fixture
def picturing(book):
    """A page that prints the picture it is given."""
    page = write(book / "page.ipynb", "print(image)")
    notebook = nbformat.read(page, as_version=4)
    notebook.cells[0].source = IMAGE
    nbformat.write(notebook, page)
    return page


@pytest.mark.parametrize("given", ["cat.jpg", "./cat.jpg", "~/cat.jpg"])
def test_paths_given_by_hand_are_taken_from_where_the_user_stands(
    picturing, build_folder, tmp_path, monkeypatch, given
):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cat.jpg").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZFUTILS_BUILD", "out put")
    monkeypatch.setenv("ZFUTILS_DATA", "~/photos")
    monkeypatch.chdir(tmp_path / "home")
    assert __main__.main(["execute", str(picturing), "--edition", "tiny", "-p", f"image={given}"]) == 0
    executed = tmp_path / "home" / "out put" / "tiny" / "trials" / "page.ipynb"
    assert printed(executed) == f"{tmp_path / 'home' / 'cat.jpg'}\n"
    assert os.environ["ZFUTILS_DATA"] == str(tmp_path / "home" / "photos")


def test_a_picture_that_is_not_there_is_refused_before_anything_runs(picturing, build_folder, capsys):
    assert __main__.main(["execute", str(picturing), "--edition", "tiny", "-p", "image=gone.jpg"]) == 2
    assert "gone.jpg', which is no file" in capsys.readouterr().err


def test_the_command_line_exits_1_when_a_cell_fails(book, capsys):
    page = write(book / "page.ipynb", "raise KeyError('gone')")
    assert __main__.main(["execute", str(page), "--edition", "tiny"]) == 1
    assert (
        "zfutils: page.ipynb, code cell 2 of 2 (raise KeyError('gone')): KeyError" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["page.ipynb", "--edition", "tinny"], "no edition 'tinny' in book/profiles/; it has tiny"),
        (["none.ipynb", "--edition", "tiny"], "there is no notebook"),
        (["page.ipynb", "--edition", "tiny", "-p", "epochs=3"], "has no parameter 'epochs'"),
        (["page.ipynb", "--edition", "tiny", "-p", "wait=soon"], "'wait' is float, not str ('soon')"),
    ],
)
def test_a_user_s_mistake_is_one_line_and_exit_status_2(book, words, message, capsys):
    write(book / "page.ipynb", "1")
    assert __main__.main(["execute", str(book / words[0]), *words[1:]]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("zfutils: ")
    assert message in lines[-1]
