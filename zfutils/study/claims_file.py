"""The register of claims as a file: read, and refused with every fault that it has."""

from collections.abc import Hashable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from zfutils.study.claims import Claim, Reworded, Rule, Superseded


def load(path: Path | str) -> dict[str, Claim]:
    """Read a file of claims, in its order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: every fault of the file, a line each: claim, key, what came and what is allowed.
    """
    path = Path(path)
    try:
        entries = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path} must hold a list of claims ('- id: …'), got {type(entries).__name__}")
    claims: dict[str, Claim] = {}
    faults: list[str] = []
    for number, entry in enumerate(entries, start=1):
        name = f"claim {entry.get('id', number)!r}" if isinstance(entry, Mapping) else f"claim {number}"
        try:
            claim = Claim.model_validate(entry)
        except ValidationError as error:
            faults += [f"{name}, {_explained(detail)}" for detail in error.errors()]
            continue
        if claim.id in claims:
            faults.append(f"{name}, key 'id': given twice, each claim needs its own")
        claims[claim.id] = claim
    faults = faults or _inconsistent(claims)
    if faults:
        raise ValueError("\n".join(f"{path}: {fault}" for fault in faults))
    return claims


def _inconsistent(claims: Mapping[str, Claim]) -> list[str]:
    """What is wrong between the claims of a register: replacements that do not match, or go in a circle."""
    by = {(c.id, later) for c in claims.values() if c.superseded for later in c.superseded.by}
    replaces = {(earlier, c.id) for c in claims.values() for earlier in c.replaces}
    faults = []
    for earlier, later in sorted(by ^ replaces | {pair for pair in by if not claims.keys() >= set(pair)}):
        if absent := {earlier, later} - claims.keys():
            faults.append(f"claims {earlier!r} and {later!r}: {absent.pop()!r} is not registered")
        elif (earlier, later) in by:
            faults.append(f"claim {later!r}, key 'replaces': lacks {earlier!r}, which it supersedes")
        else:
            faults.append(f"claim {earlier!r}, key 'superseded.by': lacks {later!r}, which replaces it")
    try:
        TopologicalSorter({later: {e for e, other in by if other == later} for _, later in by}).prepare()
    except CycleError as circle:
        faults.append(f"claims replace each other in a circle: {' → '.join(circle.args[1])}")
    return faults


def _explained(detail: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    if not place:
        return detail["msg"].removeprefix("Value error, ")
    section = {"rule": Rule, "superseded": Superseded, "reworded": Reworded}.get(detail["loc"][0], Claim)
    if detail["type"] == "extra_forbidden":
        return f"key {place!r}: unknown; allowed are {', '.join(section.model_fields)}"
    if detail["type"] == "missing":
        return f"key {place!r}: missing"
    return f"key {place!r}: {detail['msg'].removeprefix('Value error, ')}, got {detail['input']!r}"


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML's safe loader, which by itself lets the second of two equal keys win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.MarkedYAMLError(problem=f"key {twice!r} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)
