"""The repository's own rules: each planted fault is found, the checkout has none, and make is the graph."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import check_repository
import nbformat
import pytest


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files that the checks read, with one sound notebook as its only page."""
    for name in ["pyproject.toml", "environment.yml", "requirements.lock", "Makefile", ".ci/run"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(check_repository.ROOT / name, tmp_path / name)
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    cell = nbformat.v4.new_code_cell("x: int = 1", metadata={"tags": ["parameters"]})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbformat.write(page, tmp_path / "book" / "page.ipynb")
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def complaints(root: Path) -> list[str]:
    checks = ["notebooks", "contents", "lock", "environment", "addresses"]
    return [line for check in checks for line in getattr(check_repository, check)(root)]


def test_a_sound_checkout_has_no_complaints(checkout):
    assert complaints(checkout) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"outputs": [nbformat.v4.new_output("stream", text="1")]}, "carries outputs"),
        ({"execution_count": 3}, "carries outputs or execution counts"),
        ({"metadata": {}}, "first code cell is not tagged 'parameters'"),
    ],
)
def test_a_notebook_that_is_not_clean_is_found(checkout, change, complaint):
    path = checkout / "book" / "page.ipynb"
    page = nbformat.read(path, as_version=4)
    page.cells[0].update(change)
    nbformat.write(page, path)
    (found,) = complaints(checkout)
    assert found.startswith("page.ipynb: ")
    assert complaint in found


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        (
            "requirements.lock",
            "torch==",
            "torch @ https://example.org/torch-",
            "not 'name==version ; marker'",
        ),
        (
            "requirements.lock",
            "accessible",
            "--index-url https://example.org\naccessible",
            "names an address",
        ),
        ("requirements.lock", "torch==2.", "torch==1.", "torch==1.14.1, but pyproject.toml asks for torch"),
        ("requirements.lock", "papermill==", "papermil==", "papermill of pyproject.toml is missing"),
        ("pyproject.toml", '"scipy>=', '"scipy>=9', "but pyproject.toml asks for scipy>=9"),
        ("environment.yml", "<3.15", "<3.16", "environment.yml: python ['>=3.11,<3.16']"),
        ("environment.yml", "[book,browse,test]", "[book]", "environment.yml: pip is given"),
        ("environment.yml", "  - pip\n", "  - pip\n  - numpy\n", "['numpy'] belong in pyproject.toml"),
        (
            ".ci/run",
            "make book",
            "pip install --find-links=/wheels torch",
            ".ci/run:13: names an address",
        ),
        ("book/_toc.yml", "root: page", "root: pages", "pages is not in book/"),
        ("book/_toc.yml", "root: page", "root: page\nchapters:\n- file: page", "page is listed twice"),
    ],
)
def test_a_planted_fault_is_found(checkout, name, old, new, complaint):
    edit(checkout / name, old, new)
    assert any(complaint in found for found in complaints(checkout)), complaints(checkout)


@pytest.mark.parametrize(
    "tag",
    [
        '<script defer src="https://cdn.example.org/mathjax.js"></script>',
        '<link rel="stylesheet" href="//fonts.example.org/css">',
        '<img src="http://example.org/a.png">',
    ],
)
def test_a_page_that_loads_from_another_host_is_found(tmp_path, tag):
    page = tmp_path / "deep" / "page.html"
    page.parent.mkdir()
    page.write_text(
        '<a href="https://example.org">a link loads nothing</a><script src="_static/a.js"></script>'
    )
    assert check_repository.remote(tmp_path) == []
    page.write_text(f"<html>{tag}</html>")
    (found,) = check_repository.remote(tmp_path)
    assert found.startswith("deep/page.html: loads ")


def test_the_lock_pins_what_the_package_needs_and_nothing_that_merely_lies_beside():
    names = [line.partition("==")[0] for line in check_repository.locked().splitlines()]
    assert {"torch", "papermill", "markupsafe", "ruff"} <= set(names)
    assert not {"zfutils", "pip"} & set(names)
    assert names == sorted(names)


# ---- make -------------------------------------------------------------------------------------------------

STUB = """#!/bin/sh
# Stands in for .venv/bin/python: notes each call, and "executes" a notebook by copying it.
echo "$@ jobs=$ZFUTILS_JOBS user=$PIP_USER path=$PYTHONPATH data=$ZFUTILS_DATA" >> "${CALLS:-calls}"
build="${ZFUTILS_BUILD:-_build}"
case "$*" in
    "-m zfutils execute"*) grep -qv broken "$4" && mkdir -p "$build/$6/book" && cp "$4" "$build/$6/book/" ;;
    "-m zfutils.study.editions"*) exec INTERPRETER -m zfutils.study.editions "$3" ;;
    *jupyter-book*)
        echo "jupyter-book" >> "${CALLS:-calls}"
        html="$7/_build/html"; mkdir -p "$html" && echo page > "$html/index.html" ;;
esac
""".replace(
    "INTERPRETER", f"env PYTHONPATH={shlex.quote(str(check_repository.ROOT))} {shlex.quote(sys.executable)}"
)


MODULES = [
    "zfutils/__main__.py",
    "zfutils/nets/geometry.py",
    "zfutils/experiments/__init__.py",
    "zfutils/experiments/one/tables.py",
    "zfutils/experiments/two/figures/maps.py",
    "zfutils/experiments/two/sizes.py",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with three pages, in which make's graph is real and the programs it calls are stubs."""
    root = tmp_path / "a checkout"
    rooms = [f"zfutils/{room}" for room in ("nets", "experiments/one", "experiments/two/figures")]
    for folder in ["book/profiles", *rooms, "tests", ".venv/bin"]:
        (root / folder).mkdir(parents=True)
    for name in ["Makefile", "_config.yml", "pyproject.toml", "requirements.lock"]:
        shutil.copy(check_repository.ROOT / name, root / name)
    (root / "book" / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n  - caption: A\n    chapters:\n      - file: 01_one\n"
        "      - file: 02_two\n  - caption: B\n    chapters:\n      - file: scoreboard\n"
    )
    for name in ["01_one", "02_two", "scoreboard"]:
        (root / "book" / f"{name}.ipynb").write_text(f"{name}\n")
    for name in ["book/index.md", "book/claims.yaml", *MODULES]:
        (root / name).write_text("")
    (root / "book" / "profiles" / "quick.yaml").write_text("about: drawn\n")
    (root / "tests" / "check_repository.py").write_text("")
    (root / ".venv" / "bin" / "python").write_text(STUB)
    (root / ".venv" / "bin" / "python").chmod(0o755)
    (root / ".venv" / ".ready").write_text(f"{root}\n")
    return root


def make(root: Path, *words: str, **variables: str) -> tuple[int, list[str], str]:
    """Run make, a page at a time unless words say otherwise; its status, what was done, what it printed."""
    (root / "calls").unlink(missing_ok=True)
    outside = {
        "EDITION",
        "FRESH",
        "PYTHON",
        "ZFUTILS_BUILD",
        "ZFUTILS_DATA",
        "ZFUTILS_JOBS",
        "MFLAGS",
        "MAKELEVEL",
    }
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    environment |= {"MAKEFLAGS": "-j1"} | variables
    done = subprocess.run(["make", *words], cwd=root, env=environment, capture_output=True, text=True)
    calls = (root / "calls").read_text().splitlines() if (root / "calls").exists() else []
    executed = [call.split()[3] for call in calls if call.startswith("-m zfutils execute")]
    executed = [Path(notebook).stem.partition("_")[2] or Path(notebook).stem for notebook in executed]
    return done.returncode, executed + ["html"] * ("jupyter-book" in calls), done.stdout + done.stderr


def touch(path: Path) -> None:
    """Make a file newer than everything built so far."""
    newest = max(entry.stat().st_mtime for entry in path.parents[1].rglob("*") if entry.is_file())
    os.utime(path, (newest + 1, newest + 1))


def test_make_book_executes_in_order_of_the_contents_and_a_second_call_does_nothing(tree):
    status, done, said = make(tree, "book")
    assert (status, done) == (0, ["one", "two", "scoreboard", "html"]), said
    assert f"{tree}/_build/quick/html/index.html" in said
    assert make(tree, "book")[:2] == (0, [])


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("book/02_two.ipynb", ["two", "scoreboard", "html"]),
        ("zfutils/experiments/one/tables.py", ["one", "scoreboard", "html"]),
        ("zfutils/experiments/two/figures/maps.py", ["two", "scoreboard", "html"]),
        ("zfutils/experiments/__init__.py", ["one", "two", "scoreboard", "html"]),
        ("zfutils/nets/geometry.py", ["one", "two", "scoreboard", "html"]),
        ("zfutils/__main__.py", ["one", "two", "scoreboard", "html"]),
        ("book/claims.yaml", ["one", "two", "scoreboard", "html"]),
        ("book/profiles/quick.yaml", ["one", "two", "scoreboard", "html"]),
        ("book/scoreboard.ipynb", ["scoreboard", "html"]),
        ("book/index.md", ["html"]),
        ("_config.yml", ["html"]),
    ],
)
def test_a_change_makes_again_what_depends_on_it(tree, name, again):
    make(tree, "book")
    touch(tree / name)
    assert make(tree, "book")[:2] == (0, again)


def test_pages_that_read_what_all_recorded_run_last_wherever_they_stand(tree):
    edit(
        tree / "book" / "_toc.yml",
        "- file: 01_one",
        "- file: provenance\n      - file: discussion\n      - file: 01_one",
    )
    for name in ["provenance", "discussion"]:
        (tree / "book" / f"{name}.ipynb").write_text(f"{name}\n")
    assert make(tree, "book")[:2] == (0, ["one", "two", "discussion", "scoreboard", "provenance", "html"])


def test_new_scores_make_again_the_pages_that_show_them(tree):
    for page, other in (("01_one", "03_one"), ("02_two", "08_two")):
        edit(tree / "book" / "_toc.yml", page, other)
        (tree / "book" / f"{page}.ipynb").rename(tree / "book" / f"{other}.ipynb")
    make(tree, "book")
    (tree / "book" / "reference" / "scores" / "quick").mkdir(parents=True)
    (tree / "book" / "reference" / "scores" / "quick" / "zfnet-0.npz").write_text("")
    assert make(tree, "book")[:2] == (0, ["two", "scoreboard", "html"])
    assert make(tree, "book")[:2] == (0, [])


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("zfutils/nets/geometry.py", ["one", "two", "scoreboard", "html"]),
        ("zfutils/experiments/two/sizes.py", ["two", "scoreboard", "html"]),
    ],
)
def test_a_removed_module_makes_the_pages_old_that_depended_on_it(tree, name, again):
    make(tree, "book")
    (tree / name).unlink()
    assert make(tree, "book")[:2] == (0, again)
    assert make(tree, "book")[:2] == (0, [])


def at_once(tree: Path, *words: str, **variables: str) -> str:
    """Among how many pages the cores are shared out."""
    assert make(tree, *words, **variables)[0] == 0
    calls = (tree / "calls").read_text().splitlines()
    (jobs,) = {call.split("jobs=")[1].split()[0] for call in calls if call.startswith("-m zfutils execute")}
    return jobs


def a_machine(tree: Path, *, cores: int, gigabytes: float, limit: str = "max", gpu: str = "") -> str:
    """A PATH on which the programs that make asks say so; make reads the container's limit from a file."""
    (tree / "machine").mkdir()
    pages = int(gigabytes * 1e9 / 4096)
    said = {
        "nproc": f"echo {cores}",
        "getconf": f'[ "$1" = PAGESIZE ] && echo 4096 || echo {pages}',
        "nvidia-smi": f"echo {gpu}",
    }
    for program, line in said.items():
        (tree / "machine" / program).write_text(f"#!/bin/sh\n{line}\n")
        (tree / "machine" / program).chmod(0o755)
    (tree / "machine" / "memory.max").write_text(f"{limit}\n")
    edit(tree / "Makefile", "/sys/fs/cgroup/memory.max", "machine/memory.max")
    return f"{tree / 'machine'}:{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-j1"], "1"),
        (["-j2"], "2"),
        (["-k", "-j", "2", "EDITION=quick"], "2"),
        (["--jobs=16"], "2"),  # there are two chapters to run side by side
        (["-j"], "2"),
    ],
)
def test_pages_that_run_side_by_side_share_out_the_cores(tree, words, expected):
    path = a_machine(tree, cores=4, gigabytes=64)
    assert at_once(tree, "book", *words, MAKEFLAGS="", PATH=path) == expected


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ({"cores": 1, "gigabytes": 64}, "1"),
        ({"cores": 2, "gigabytes": 8.1}, "2"),
        ({"cores": 2, "gigabytes": 7.9}, "1"),
        ({"cores": 2, "gigabytes": 2}, "1"),
        ({"cores": 2, "gigabytes": 64, "limit": "6000000000"}, "1"),
        ({"cores": 2, "gigabytes": 64, "gpu": "24576"}, "2"),
        ({"cores": 2, "gigabytes": 64, "gpu": "6144"}, "1"),
    ],
)
def test_pages_share_the_machine_where_nobody_says_how_many(tree, machine, expected):
    path = a_machine(tree, **machine)
    assert at_once(tree, "book", "EDITION=quick", MAKEFLAGS="", PATH=path) == expected
    assert at_once(tree, "book", "FRESH=1", MAKEFLAGS="-j1", PATH=path) == "1"
    # Goals that must not run at the same time stay one after the other.
    status, done, _ = make(tree, "clean", "book", MAKEFLAGS="", PATH=path)
    assert (status, done) == (0, ["one", "two", "scoreboard", "html"])


def test_how_many_processes_share_the_cores_can_be_said_from_outside(tree):
    make(tree, "book", "-j2", ZFUTILS_JOBS="5")
    assert "jobs=5" in (tree / "calls").read_text()


def test_what_pages_would_train_is_trained_once_before_the_first_of_them(tree):
    def calls(*words, **variables):
        assert make(tree, "book", *words, **variables)[0] == 0
        noted = (tree / "calls").read_text().splitlines() if (tree / "calls").exists() else []
        return [call.split()[2] for call in noted if call.startswith("-m zfutils ")]

    assert calls("-j2") == ["train", "execute", "execute", "execute"]
    assert calls() == []
    touch(tree / "book" / "02_two.ipynb")
    assert calls() == ["execute", "execute"]
    touch(tree / "book" / "profiles" / "quick.yaml")
    assert calls()[0] == "train"
    assert calls(FRESH="1")[0] == "train"


def test_past_a_failure_the_other_chapters_run_and_nothing_is_rendered(tree):
    (tree / "book" / "01_one.ipynb").write_text("broken\n")
    status, done, _ = make(tree, "-k", "book")
    assert (status, done) == (2, ["one", "two"])
    assert not (tree / "_build" / "quick" / "book" / "01_one.ipynb").exists()
    (tree / "book" / "01_one.ipynb").write_text("one\n")
    assert make(tree, "book")[:2] == (0, ["one", "scoreboard", "html"])


@pytest.mark.parametrize("name", ["my out", "a$b", "no #1", "out", "it's", "a (copy)"])
def test_the_build_folder_may_have_any_name_and_is_taken_from_where_make_is_called(tree, name):
    assert make(tree, "book", ZFUTILS_BUILD=name)[:2] == (0, ["one", "two", "scoreboard", "html"])
    assert (tree / name / "quick" / "html" / "index.html").is_file()
    status, done, said = make(tree, "book", ZFUTILS_BUILD=str(tree / name))
    assert (status, done) == (0, []), "a relative path and the whole one are the same folder"
    assert f"file://{tree / name}/quick/html/index.html" in said
    assert not (tree / "_build").exists()


@pytest.mark.parametrize("name", ["~/photos", "my photos", "a$b", "no #1"])
def test_the_data_folder_reaches_the_pages_as_one_whole_path(tree, name):
    make(tree, "book", ZFUTILS_DATA=name, HOME=str(tree / "home"))
    folder = tree / name.replace("~", "home")
    executed = [
        call for call in (tree / "calls").read_text().splitlines() if call.startswith("-m zfutils execute")
    ]
    assert {call.partition(" data=")[2] for call in executed} == {str(folder)}


def test_the_user_s_own_packages_are_left_aside(tree):
    touch(tree / "requirements.lock")
    assert make(tree, "book", PIP_USER="1", PYTHONPATH="/home/me/lib")[0] == 0
    calls = (tree / "calls").read_text().splitlines()
    (installing,) = (call for call in calls if "pip install" in call)
    assert f"user=0 path={tree} " in installing
    assert all(f"path={tree} " in call for call in calls if call.startswith("-m zfutils "))


@pytest.mark.parametrize("name", ["a b", "a$HOME b", "no #1"])
def test_a_checkout_may_lie_in_a_folder_of_any_name(tree, name):
    moved = tree.rename(tree.with_name(name))
    (moved / ".venv" / ".ready").write_text(f"{moved}\n")
    assert make(moved, "book")[:2] == (0, ["one", "two", "scoreboard", "html"])
    assert make(moved, "book")[:2] == (0, [])


def test_a_checkout_may_be_read_only_where_the_build_folder_is_elsewhere(tree, tmp_path):
    if shutil.which("unshare") is None:
        pytest.skip("this machine has no unshare")
    mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; cd "$1"; '
    mount += "touch x 2>/dev/null && exit 98; make book"
    build, calls = tmp_path / "build", tmp_path / "calls"
    environment = dict(os.environ, ZFUTILS_BUILD=str(build), CALLS=str(calls))
    command = ["unshare", "-rm", "sh", "-c", mount, "sh", str(tree)]
    for again in (["execute"] * 3, []):
        calls.write_text("")
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode == 99 or "unshare failed" in done.stderr:
            pytest.skip("this machine lets no one mount")
        assert done.returncode == 0, done.stderr
        assert re.findall(r"-m zfutils (execute)", calls.read_text()) == again
    assert (build / "quick" / "html" / "index.html").is_file()


@pytest.mark.parametrize(
    "line", ["extends: quick", 'extends: "quick"', "extends: quick  # it", "extends: quick\r"]
)
def test_a_change_of_the_extended_edition_makes_the_pages_again_however_it_is_named(tree, line):
    (tree / "book/profiles/quick.yaml").write_text("about: drawn\n")
    (tree / "book/profiles/mine.yaml").write_text(f"{line}\nabout: mine\n")
    again = ["one", "two", "scoreboard", "html"]
    assert make(tree, "book", "EDITION=mine")[:2] == (0, again)
    assert make(tree, "book", "EDITION=mine")[:2] == (0, [])
    touch(tree / "book/profiles/quick.yaml")
    assert make(tree, "book", "EDITION=mine")[1] == again


def test_an_edition_that_does_not_exist_is_refused_by_name(tree):
    status, done, said = make(tree, "book", "EDITION=quik")
    assert (status, done) == (2, [])
    assert "There is no edition 'quik'; there is: quick" in said


@pytest.mark.parametrize("trace", ["", "/another/checkout\n"])
def test_an_environment_that_is_not_whole_is_made_anew(tree, trace):
    """Interrupted (no trace) or moved from elsewhere: the suitable Python is asked for a new one."""
    (tree / ".venv" / ".ready").write_text(trace)
    python = tree / "python3.12"
    python.write_text('#!/bin/sh\necho "$@" >> made\n')
    python.chmod(0o755)
    make(tree, "check", f"PYTHON={python.resolve().name}", f"PATH={tree}:{os.environ['PATH']}")
    assert "-m venv --clear .venv" in (tree / "made").read_text()


def path_of(tree: Path, *programs: str) -> str:
    """A PATH on which are these programs alone, beside what make itself calls."""
    (tree / "bin").mkdir()
    needed = [
        "sh",
        "make",
        "sed",
        "find",
        "sort",
        "mkdir",
        "cmp",
        "cat",
        "rm",
        "echo",
        "cksum",
        "touch",
        "cp",
        "mv",
    ]
    for tool in needed:
        (tree / "bin" / tool).symlink_to(shutil.which(tool))
    for program in programs:
        (tree / "bin" / program).write_text('#!/bin/sh\necho "$@" >> made\n')
        (tree / "bin" / program).chmod(0o755)
    return f"PATH={tree}/bin"


@pytest.mark.parametrize("program", ["python3", "python3.14", "python3.12", "python"])
def test_a_suitable_python_is_found_under_any_of_its_names(tree, program):
    (tree / ".venv" / ".ready").unlink()
    make(tree, "check", path_of(tree, program))
    assert "-m venv --clear .venv" in (tree / "made").read_text()


@pytest.mark.parametrize("browser", [None, "true", "false"])  # none, one that runs, one that does not
def test_ci_tries_the_pages_in_a_browser_where_there_is_one_and_passes_without(tree, browser):
    tools = tree / "bin"
    tools.mkdir()
    for tool in ["bash", "dirname"]:
        (tools / tool).symlink_to(shutil.which(tool))
    (tools / "make").write_text('#!/bin/bash\necho "make $@"\n')
    (tools / "make").chmod(0o755)
    if browser:
        (tools / "google-chrome").symlink_to(shutil.which(browser))
    (tree / ".ci").mkdir()
    shutil.copy(check_repository.ROOT / ".ci" / "run", tree / ".ci" / "run")
    done = subprocess.run(
        [tools / "bash", ".ci/run"], cwd=tree, env={"PATH": str(tools)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("make browse" in done.stdout) == (browser == "true")
    assert ("not tried" in done.stdout) == (browser != "true")


def test_without_a_suitable_python_the_message_says_what_to_do(tree):
    (tree / ".venv" / ".ready").unlink()
    status, _, said = make(tree, "test", path_of(tree))
    assert status == 2
    assert "No Python 3.11 to 3.14 with its venv module was found; install one, or name it" in said
