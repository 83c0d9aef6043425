"""The house of rooms: imports point down, never in a circle, never from one chapter's room into another's."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "zfutils"
FLOORS = ["runtime", "stats", "data", "nets", "training", "deconv", "plotting", "experiments", "study", "."]
MODULES = {
    ".".join(("zfutils", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imported(module: str) -> set[str]:
    """The package's own modules that a module's source imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & set(MODULES)) or {node.module}
    return found & set(MODULES)


def floor(module: str) -> int:
    """How high a module's room lies; the command line and the public names are above all."""
    return FLOORS.index(module.split(".")[1] if module.count(".") and "__main__" not in module else ".")


def chapter(module: str) -> str | None:
    """The chapter's room that a module is in, if it is in one."""
    parts = module.split(".")
    return parts[2] if parts[1:2] == ["experiments"] and len(parts) > 2 else None


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_room_or_from_below(module):
    for other in imported(module):
        assert floor(other) <= floor(module), f"{module} imports {other}"
        if chapter(module) and chapter(other):
            assert chapter(module) == chapter(other), f"{module} imports {other}"


def test_no_modules_import_each_other_in_a_circle():
    TopologicalSorter({module: imported(module) for module in MODULES}).prepare()


def test_every_room_says_what_it_is_for():
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            assert ast.get_docstring(ast.parse(path.read_text())), module
