"""The house of rooms: imports point down, never in a circle, never from one chapter's room into another's.

And what is done in one room alone: walking a chain, taking results from the device, taking the time.
"""

import ast
import json
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "zfutils"
FLOORS = [
    "runtime", "stats", "data", "nets", "training", "deconv", "plotting", "experiments", "look", "study", ".",
]  # fmt: skip
MODULES = {
    ".".join(("zfutils", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


PAGES = sorted((ROOT / "book").glob("*.ipynb"))


def cells(page: Path) -> list[str]:
    """The sources of a notebook's code cells."""
    found = json.loads(page.read_text())["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]


@cache
def parsed(path: Path) -> ast.Module:
    """A module's source, which no test changes."""
    return ast.parse(path.read_text())


@cache
def imported(module: str) -> set[str]:
    """The package's own modules that a module's source imports, wherever in it."""
    return imports(parsed(MODULES[module]))


def imports(source: ast.Module) -> set[str]:
    """The package's own modules that a source imports, wherever in it."""
    found = set()
    for node in ast.walk(source):
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
            assert ast.get_docstring(parsed(path)), module


@pytest.mark.parametrize("library", ["torchvision", "lightning_fabric", "seaborn"])
def test_what_takes_as_long_to_import_as_pytorch_is_imported_where_it_is_used(library):
    """Each page is a process of its own, and most pages do without."""
    for module, path in MODULES.items():
        for node in parsed(path).body:
            named = [node.module] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert library not in {name.partition(".")[0] for name in named}, module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_needs_no_other_chapter_s_room_so_that_make_need_not_execute_it_when_that_changes(page):
    waiting, needed = list(imports(ast.parse("\n".join(cells(page))))), set()
    while waiting:
        needed.add(module := waiting.pop())
        waiting += imported(module) - needed
    own = page.stem.partition("_")[2] if page.stem[0].isdigit() else None
    if own:  # the pages without a number are executed after every change of a chapter
        assert own in {chapter(module) for module in MODULES}, f"there is no room for {page.name}"
        others = {module for module in needed if chapter(module) not in (None, own)}
        assert not others, f"{page.name} needs {', '.join(sorted(others))}"


# ---- a chain is walked in one place

HOOKS = ("register_forward_hook", "register_forward_pre_hook", "register_module_forward_hook")
CHILDREN = ("children", "named_children", "modules", "named_modules", "_modules", "steps", "chain")
WALKERS = ("zfutils/nets/", "zfutils/deconv/", "zfutils/experiments/occlusion/incremental.py")
LOOPS = (ast.For, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def mentions(node: ast.AST) -> set[str]:
    """Names and attributes in a piece of source."""
    found = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return found | {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}


def walks(tree: ast.Module) -> Iterator[int]:
    """Lines that hook into a network or run its layers one by one.

    A loop does that if it calls what it goes through, and either hands on what the call before gave
    (`x = layer(x)`, wherever the layers come from) or stands in a function that names a chain's children.
    """
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    looking = [node for node in functions if mentions(node) & set(CHILDREN)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and mentions(node) & set(HOOKS):
            yield node.lineno
        if isinstance(node, ast.Call):
            whole = getattr(node.func, "attr", None) == "module"  # step.module(images)
            first = isinstance(getattr(node.func, "slice", None), ast.Slice)  # model[:3](images)
            if whole or first:
                yield node.lineno
        if not isinstance(node, LOOPS):
            continue
        binding = [node] if isinstance(node, ast.For) else node.generators
        targets = set().union(*(mentions(part.target) for part in binding))
        near = any(function.lineno <= node.lineno <= function.end_lineno for function in looking)
        for inner in ast.walk(node):
            called = inner.value if isinstance(inner, ast.Assign) else inner
            if not isinstance(called, ast.Call) or not mentions(called.func) & targets:
                continue
            if not isinstance(called.func, ast.Name | ast.Subscript):
                continue  # a method of what the loop goes through
            given = set().union(*map(mentions, called.args)) if called.args else set()
            handed_on = isinstance(inner, ast.Assign) and bool(given & mentions(inner.targets[0]))
            if handed_on or (near and called.args):
                yield called.lineno


def in_package(*, below: str = "zfutils/", but: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.Module]]:
    """Paths of modules, and their sources parsed."""
    for path in MODULES.values():
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(below) and not name.startswith(but):
            yield name, parsed(path)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("for name, layer in list(steps.items())[:last]:\n  x = layer(x)\n  keep(x)", [3]),
        ("for i in range(9):\n  x = layers[i](x)", [3]),
        ("for i, layer in enumerate(model):\n  x = layer(x)", [3]),
        ("kept = list(model.children())\nreturn [layer(x) for layer in kept]", [3]),
        ("flat = chain(model)\nfor name in names:\n  out.append(flat[name](out[-1]))", [4]),
        ("for step in steps(model):\n  x = step.module(x)", [3]),
        ("handle = model.conv1.register_forward_hook(keep)", [2]),
        ("return model[:4](x)", [2]),
        ("for draw in (lines, dots):\n  draw(axes, x)", []),
        ("for name in names:\n  x = x.rename(name)\n  y = rename(x, name)", []),
        ("return [n for n, layer in model.named_children() if isinstance(layer, kind)]", []),
        ("for layer in model.modules():\n  layer.reset_parameters()", []),
    ],
)
def test_a_walk_through_a_chain_is_found(body, expected):
    source = "def walk(model, x):\n" + "\n".join(f" {line}" for line in body.split("\n"))
    assert sorted(set(walks(ast.parse(source)))) == expected


def test_a_chain_is_walked_in_nets_and_deconv_alone():
    found = [f"{n}:{line}" for n, tree in in_package(but=WALKERS) for line in sorted(set(walks(tree)))]
    assert not found, "\n".join(["hooks, or layers that are run one by one:", *found])


# ---- results leave the device in one way, and a page's records know their seconds


def test_the_experiments_take_results_from_the_device_by_to_host_alone():
    found = [
        f"{name}:{node.lineno}: .{node.func.attr}()"
        for name, tree in in_package(below="zfutils/experiments/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("cpu", "item", "numpy")
    ]
    assert not found, "\n".join(found)


def test_the_pages_record_through_claims_which_take_the_time_themselves():
    found = [
        f"{page.name}, code cell {number}: {word}"
        for page in PAGES
        for number, source in enumerate(cells(page), 1)
        for word in ("perf_counter", "study.record(")
        if word in source
    ]
    assert not found, "\n".join(found)
