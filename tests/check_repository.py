"""What must hold of the checkout and of the built pages, each as a function that returns complaints.

    python tests/check_repository.py              the checkout (`make check`)
    python tests/check_repository.py html FOLDER  built pages load nothing from another host (`make book`)
    python tests/check_repository.py lock         print requirements.lock for the running environment

One module beside the tests: `make check` runs it as a script and the tests plant faults for it, so that no
folder of tools is needed and nothing of it is installed with the package.
"""

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCK_LINE = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.!+]+)(?P<marker> ; \w+ [!=]= \"\w+\")?")
ADDRESS = re.compile(r"://|--(extra-)?index-url|--find-links", re.IGNORECASE)
PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "darwin": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}


def notebooks(root: Path = ROOT) -> list[str]:
    """Source notebooks are valid, carry no outputs, and begin with typed parameters."""
    found = []
    for path in sorted((root / "book").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        try:
            nbformat.validate(notebook)
        except nbformat.ValidationError as error:
            found.append(f"{path.name}: {error.args[0]}")
            continue
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        if any(cell.outputs or cell.execution_count is not None for cell in code):
            found.append(f"{path.name}: carries outputs or execution counts")
        if "papermill" in notebook.metadata or "widgets" in notebook.metadata:
            found.append(f"{path.name}: carries what an execution left in its metadata")
        if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
            found.append(f"{path.name}: its kernel is not python3")
        if not code or "parameters" not in code[0].metadata.get("tags", []):
            found.append(f"{path.name}: the first code cell is not tagged 'parameters'")
    return found


def contents(root: Path = ROOT) -> list[str]:
    """The table of contents lists every page of the book once, and no other."""
    text = (root / "book" / "_toc.yml").read_text()
    listed = re.findall(r"^ *(?:- )?(?:root|file): *(\S+)$", text, flags=re.MULTILINE)
    there = {path.stem for path in (root / "book").iterdir() if path.suffix in {".ipynb", ".md"}}
    return (
        [f"book/_toc.yml: {page} is not in book/" for page in listed if page not in there]
        + [f"book/_toc.yml: {page} is not listed" for page in sorted(there - set(listed))]
        + [f"book/_toc.yml: {page} is listed twice" for page in sorted(set(listed)) if listed.count(page) > 1]
    )


def lock(root: Path = ROOT) -> list[str]:
    """requirements.lock is `name==version ; marker` lines in order, and pins what pyproject.toml asks for."""
    found, pins = [], {}
    lines = (root / "requirements.lock").read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if match := LOCK_LINE.fullmatch(line):
            pins[match["name"]] = Version(match["version"])
        else:
            found.append(f"requirements.lock:{number}: not 'name==version ; marker': {line}")
    if lines != sorted(lines, key=lambda line: line.partition("==")[0]):
        found.append("requirements.lock: not in alphabetical order")
    for requirement in _requirements(root):
        name = canonicalize_name(requirement.name)
        if name not in pins:
            found.append(f"requirements.lock: {name} of pyproject.toml is missing")
        elif pins[name] not in requirement.specifier:
            found.append(
                f"requirements.lock: {name}=={pins[name]}, but pyproject.toml asks for {requirement}"
            )
    return found


def environment(root: Path = ROOT) -> list[str]:
    """environment.yml has pyproject.toml's range of Python, and installs this package by the lock."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    asked = yaml.safe_load((root / "environment.yml").read_text())["dependencies"]
    plain = [entry for entry in asked if isinstance(entry, str)]
    by_pip = [line for entry in asked if isinstance(entry, dict) for line in entry.get("pip", [])]
    found = []
    pythons = [entry.removeprefix("python").strip() for entry in plain if re.match(r"python\b", entry)]
    if [SpecifierSet(python) for python in pythons] != [SpecifierSet(project["requires-python"])]:
        found.append(
            f"environment.yml: python {pythons}, but pyproject.toml has {project['requires-python']}"
        )
    extras = ",".join(sorted(project["optional-dependencies"]))
    wanted = ["-c requirements.lock", f"-e .[{extras}]"]
    if by_pip != wanted:
        found.append(f"environment.yml: pip is given {by_pip}, not {wanted}")
    if beyond := [entry for entry in plain if not re.match(r"(python|pip)\b", entry)]:
        found.append(f"environment.yml: {beyond} belong in pyproject.toml")
    return found


def addresses(root: Path = ROOT) -> list[str]:
    """No file that steers an installation names a package index."""
    names = ["requirements.lock", "environment.yml", "pyproject.toml", "Makefile", ".ci/run"]
    return [
        f"{name}:{number}: names an address: {line.strip()}"
        for name in names
        for number, line in enumerate((root / name).read_text().splitlines(), 1)
        if ADDRESS.search(line) and "file://$" not in line
    ]


class _Loads(HTMLParser):
    """Collects the addresses that a page loads by itself: scripts, style sheets, images, frames."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in {"script", "img", "iframe", "source", "video", "audio", "embed"}:
            self.loads.append(values.get("src", ""))
        elif tag == "link" and values.get("rel") not in {"canonical", "author", "license"}:
            self.loads.append(values.get("href", ""))


def remote(folder: Path) -> list[str]:
    """Built pages load nothing from another host, so that they read the same without a network."""
    pages = sorted(folder.rglob("*.html"))
    if not pages:
        return [f"{folder}: there are no pages"]
    found = []
    for page in pages:
        parser = _Loads()
        parser.feed(page.read_text(encoding="utf-8"))
        foreign = [address for address in parser.loads if re.match(r"(https?:)?//", address)]
        found += [f"{page.relative_to(folder)}: loads {address}" for address in foreign]
    return found


def locked() -> str:
    """The lock of the running environment: what the package needs, and what that needs, as installed here.

    A package that only some platforms need gets the marker of those it is needed on.
    """
    needed = {system: closure(_requirements(ROOT), system) for system in PLATFORMS}
    lines = []
    for name in sorted(set().union(*needed.values())):
        systems = [system for system in PLATFORMS if name in needed[system]]
        marker = {1: f' ; sys_platform == "{systems[0]}"', 3: ""}.get(len(systems))
        if marker is None:
            marker = f' ; sys_platform != "{next(s for s in PLATFORMS if s not in systems)}"'
        lines.append(f"{name}=={Version(importlib.metadata.version(name)).public}{marker}")
    return "\n".join(lines) + "\n"


def declared(root: Path = ROOT) -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: by extra, and under "" what every installation needs."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {name: [Requirement(line) for line in lines] for name, lines in groups.items()}


def _requirements(root: Path) -> list[Requirement]:
    return [requirement for group in declared(root).values() for requirement in group]


def closure(asked: Iterable[Requirement], system: str = sys.platform) -> set[str]:
    """Names of the installed distributions needed on a platform, with all that these need in turn."""
    waiting, seen = [(canonicalize_name(need.name), frozenset(need.extras)) for need in asked], set()
    while waiting:
        name, extras = waiting.pop()
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # needed on another platform only, so not here to be pinned
        seen.add((name, extras))
        for need in map(Requirement, lines):
            places = [PLATFORMS[system] | {"extra": extra} for extra in {"", *extras}]
            if need.marker is None or any(need.marker.evaluate(place) for place in places):
                entry = (canonicalize_name(need.name), frozenset(need.extras))
                if entry not in seen and entry not in waiting:
                    waiting.append(entry)
    return {name for name, _ in seen}


def main(words: list[str]) -> int:
    """Print what is wrong; 1 if anything is."""
    if words == ["lock"]:
        print(locked(), end="")
        return 0
    if words[:1] == ["html"] and len(words) == 2:
        found = remote(Path(words[1]))
    elif not words:
        found = notebooks() + contents() + lock() + environment() + addresses()
    else:
        print(__doc__, file=sys.stderr)
        return 2
    for complaint in found:
        print(complaint, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
