"""The files of an edition: its own and those it starts from, laid one on the other.

A file may name another edition to start from (`extends: photos`) and then holds only what differs, so that an
edition on one's own pictures is three lines. A network that the other edition has is taken out by `null`.

    python -m zfutils.study.editions mine   prints the files of an edition, for make
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

# Mappings whose keys are names: one that is given as null is taken out, and the whole by null itself.
NAMED = ("networks", "settings", "filters", "pooling", "faults", "cheats", "seeds_of")


def read(path: Path) -> dict[str, Any]:
    """What an edition says, with all that it starts from.

    Args:
        path: its file; `extends: NAME` in it starts from NAME.yaml beside it.

    Raises:
        FileNotFoundError: no such file; names the editions there are.
        ValueError: a file that is no mapping, one that extends itself, or photographs that start from an
            edition of drawn pictures.
    """
    data: dict[str, Any] = {}
    for file, own in reversed(_chain(path)):
        of_photos = _source(own) == "photos"
        if of_photos and data and _source(data) != "photos":
            raise ValueError(
                f"{file.name}: an edition of photographs starts from one of photographs: extends: photos"
            )
        data = merged(data, own)
    return data


def files(path: Path) -> list[Path]:
    """The files of an edition: its own, then what it extends; as far as they are there."""
    return [file for file, _ in _chain(path)]


def merged(base: Any, over: Any, key: str = "") -> Any:
    """`over` laid on `base`, mapping by mapping.

    Args:
        base, over: plain data.
        key: of both, where they are part of something.
    """
    if over is None and key in NAMED and isinstance(base, Mapping):
        return {}
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    gone = {name for name, value in over.items() if key in NAMED and value is None and name in base}
    both = {**base, **{name: merged(base.get(name), value, name) for name, value in over.items()}}
    return {name: value for name, value in both.items() if name not in gone}


def _source(data: Mapping[str, Any]) -> Any:
    images = data.get("images")
    return images.get("source") if isinstance(images, Mapping) else None


def _chain(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Each file of an edition with what it says itself, `extends` taken out."""
    found: list[tuple[Path, dict[str, Any]]] = []
    while True:
        data = _own(path)
        base = data.pop("extends", None)
        found.append((path, data))
        if base is None:
            return found
        if not isinstance(base, str):
            raise ValueError(f"{path.name}: extends names one edition, such as photos (came: {base!r})")
        path = path.with_name(f"{base}.yaml")
        if base in (names := [file.stem for file, _ in found]):
            raise ValueError(f"{found[0][0].name} extends itself: {' -> '.join((*names, base))}")


def _own(path: Path) -> dict[str, Any]:
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise FileNotFoundError(f"there is no edition {path.stem!r} in {path.parent}; there are: {there}")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not readable as YAML: {error}") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path.name} is not a mapping of keys to values")
    if "name" in data:
        raise ValueError(f"{path.name}: an edition is called as its file is; remove the key 'name'")
    return data


if __name__ == "__main__":
    try:
        print(*files(Path("book/profiles") / f"{sys.argv[1]}.yaml"))
    except (OSError, ValueError) as error:
        sys.exit(str(error))
