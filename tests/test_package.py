"""What is imported is declared, and the package that is installed without extras holds and imports itself."""

import ast
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from check_repository import ROOT, closure, declared
from packaging.utils import canonicalize_name

DISTRIBUTIONS = {
    module: {canonicalize_name(name) for name in names} for module, names in packages_distributions().items()
}
# These need the extra `book`.
EXECUTES = tuple(f"zfutils/runtime/{name}.py" for name in ("engine", "kernels", "notebooks"))
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "zfutils").rglob("*.py"))


def foreign_imports(tree: ast.AST) -> dict[str, int]:
    """Third-party modules that a source imports, and on which line first."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        else:
            continue
        for name in (name.split(".")[0] for name in names):
            if name not in sys.stdlib_module_names and name != "zfutils":
                found[name] = min(node.lineno, found.get(name, node.lineno))
    return found


DECLARED = {group: {canonicalize_name(need.name) for need in needs} for group, needs in declared().items()}


def missing(path: str, source: str) -> list[str]:
    """Imports of a module that pyproject.toml does not declare where they are needed.

    What a function imports when it is called may be left to the extra `book`, which pages are executed with;
    what a module imports at its top is needed to import it at all.
    """
    tree = ast.parse(source)
    inside = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    late = {line for node in inside for line in range(node.lineno, node.end_lineno + 1)}
    found = []
    for module, line in foreign_imports(tree).items():
        allowed = DECLARED[""] | (DECLARED["book"] if path in EXECUTES or line in late else set())
        if not DISTRIBUTIONS.get(module, {module}) & allowed:
            found.append(f"{path}:{line} imports {module}, which pyproject.toml does not declare there")
    return found


def test_every_third_party_import_is_declared():
    found = [line for path in MODULES for line in missing(path, (ROOT / path).read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("zfutils/a.py", "import os, numpy.linalg\nfrom yaml import load\nfrom zfutils import data", []),
        ("zfutils/a.py", "import os\nimport networkx", ["zfutils/a.py:2 imports networkx"]),
        ("zfutils/a.py", "from nbformat.v4 import new_notebook", ["zfutils/a.py:1 imports nbformat"]),
        ("zfutils/a.py", "import never_heard_of", ["zfutils/a.py:1 imports never_heard_of"]),
        (
            "zfutils/a.py",
            "def f():\n    import IPython.display\n    import pytest",
            ["zfutils/a.py:3 imports pytest"],
        ),
        (EXECUTES[0], "import nbformat, papermill", []),
    ],
)
def test_an_import_that_is_not_declared_where_it_is_needed_is_found(path, source, expected):
    found = missing(path, source)
    assert [line.partition(",")[0] for line in found] == expected


ALONE = """
import importlib
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path

folder, refused = sys.argv[1], set(sys.argv[2].split())


class Installed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in refused else super().find_spec(name, path, target)


# Without what an editable installation adds, which leads to the working copy.
sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Installed]
sys.path.insert(0, folder)
for path in sorted(Path(folder).rglob("*.py")):
    module = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
    if path.relative_to(folder).as_posix() not in sys.argv[3].split():
        assert Path(importlib.import_module(module).__file__).is_relative_to(folder), module
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A folder with what the wheel of the working copy holds."""
    pytest.importorskip("setuptools", minversion="77", reason="the wheel is built by setuptools")
    copy, built = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "zfutils", copy / "zfutils", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ["pyproject.toml", "README.md", "LICENSE"]:
        shutil.copy(ROOT / name, copy)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(built)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = built.glob("zfutils-*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(built / "content")
    return built / "content"


@pytest.mark.slow
def test_the_wheel_holds_every_module(wheel):
    there = sorted(path.relative_to(wheel).as_posix() for path in wheel.rglob("*.py"))
    assert there == MODULES


@pytest.mark.slow
def test_the_wheel_alone_can_be_imported_without_extras_and_without_the_working_copy(wheel, tmp_path):
    core = closure(declared()[""])
    refused = {module for module, names in DISTRIBUTIONS.items() if not names & core} - {"zfutils"}
    assert {"papermill", "nbformat", "jupyter_client", "IPython", "sphinx", "captum", "pytest"} <= refused
    command = [sys.executable, "-I", "-c", ALONE, wheel, " ".join(refused), " ".join(EXECUTES)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
