"""The study's claims, registered before anything is measured, and what a measurement makes of them.

Each claim of `book/claims.yaml` states what the paper (or later work) says, what exactly is measured
and a rule of plain comparisons that turns the measurement into a verdict. A rule can be read, compared
between commits and evaluated, but it is no program: it is parsed here, by the grammar

    rule       = all { "or" all }
    all        = comparison { "and" comparison }
    comparison = ( estimate | low | high | n | p | detectable ) ( < | <= | > | >= ) number

Whether a claim can be tested may depend on the sample's size and on the smallest difference that could
be detected, never on the result: so nobody can call an unwelcome result untestable.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
NAMES = ("estimate", "low", "high", "n", "p", "detectable")
BEFOREHAND = ("n", "detectable")
TOKEN = re.compile(r"\s*(<=|>=|<|>|[+-]?\d+(?:\.\d+)?(?![\w.])|[A-Za-z_]+|\S)")


class Verdict(StrEnum):
    """What a measurement makes of a claim."""

    REPRODUCED = "reproduced"
    PARTLY = "partly reproduced"
    NOT_REPRODUCED = "not reproduced"
    NOT_TESTABLE = "not testable at this scale"


@dataclass(frozen=True)
class Measurement:
    """What one edition measured for one claim; estimate, low and high are None where nothing could be.

    Args:
        estimate: the claim's quantity, in its unit.
        low: lower end of the 95 % interval.
        high: upper end.
        n: how many of the claim's `n` were measured.
        edition: the edition that measured it.
        p: p-value, where the rule asks for one.
        detectable: smallest difference that the interval could have told from zero, likewise.

    Raises:
        ValueError: a number is not finite, the interval does not hold the estimate, only some of the
            three are given, n is negative, or p lies outside 0…1.
    """

    estimate: float | None
    low: float | None
    high: float | None
    n: int
    edition: str
    p: float | None = None
    detectable: float | None = None

    def __post_init__(self) -> None:
        three = (self.estimate, self.low, self.high)
        for name in NAMES:
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, got {value}")
        if None in three and three != (None, None, None):
            raise ValueError(f"estimate, low and high are given together or not at all, got {three}")
        if None not in three and not self.low <= self.estimate <= self.high:
            raise ValueError(f"the interval [{self.low}, {self.high}] does not hold {self.estimate}")
        if self.n < 0 or not 0 <= (self.p or 0) <= 1 or (self.detectable or 0) < 0 or not self.edition:
            raise ValueError(
                "a measurement needs n ≥ 0, p in 0…1, a detectable difference ≥ 0 and its edition's name, "
                f"got {self.n}, {self.p}, {self.detectable}, {self.edition!r}"
            )


@dataclass(frozen=True)
class Comparison:
    """One `name operator number` of a rule."""

    name: str
    symbol: str
    number: float

    def holds(self, measurement: Measurement) -> bool:
        """Whether the measurement meets it; a number that was not measured is a ValueError."""
        value = getattr(measurement, self.name)
        if value is None:
            raise ValueError(f"the rule compares {self.name}, which the measurement does not give")
        return OPERATORS[self.symbol](value, self.number)


@dataclass(frozen=True)
class Condition:
    """A parsed rule: the measurement meets every comparison of at least one alternative."""

    text: str
    alternatives: tuple[tuple[Comparison, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a rule such as `"low > 0 and estimate >= 1"`.

        Raises:
            ValueError: not in the grammar; the message names the place and what may stand there.
        """
        if not isinstance(text, str):
            raise ValueError(f'a rule is text such as "low > 0", got {text!r}')
        words = [(found[1], found.start(1) + 1) for found in TOKEN.finditer(text)]

        def take(allowed: str, matches: Any) -> str:
            word, place = words.pop(0) if words else ("the end", len(text) + 1)
            if not matches(word):
                raise ValueError(f"in {text!r}, at character {place}: expected {allowed}, got {word!r}")
            return word

        alternatives: list[list[Comparison]] = [[]]
        while True:
            name = take(f"one of {', '.join(NAMES)}", NAMES.__contains__)
            symbol = take(f"one of {' '.join(OPERATORS)}", OPERATORS.__contains__)
            number = take("a number", lambda word: word[-1].isdigit())
            alternatives[-1].append(Comparison(name, symbol, float(number)))
            if not words:
                return cls(text, tuple(map(tuple, alternatives)))
            if take("'and', 'or' or the end", ("and", "or").__contains__) == "or":
                alternatives.append([])

    def holds(self, measurement: Measurement) -> bool:
        """Whether the measurement meets the rule."""
        return any(all(part.holds(measurement) for part in every) for every in self.alternatives)

    @property
    def names(self) -> set[str]:
        """The numbers the rule compares."""
        return {part.name for every in self.alternatives for part in every}


def _beforehand(text: str) -> Condition:
    condition = Condition.parse(text)
    if not condition.names <= set(BEFOREHAND):
        raise ValueError(
            f"in {text!r}: whether a claim is testable depends on {' and '.join(BEFOREHAND)} only"
        )
    return condition


Text = Annotated[str, Field(min_length=1)]
Outcome = Annotated[Condition, PlainValidator(Condition.parse)]


class Rule(BaseModel):
    """When a claim is testable, reproduced, partly reproduced; not reproduced in every other case.

    `editions` are those that can test it; where it is left out, every one but `smoke`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    testable: Annotated[Condition, PlainValidator(_beforehand)]
    editions: tuple[Literal["quick", "photos", "imagenet"], ...] | None = Field(default=None, min_length=1)
    reproduced: Outcome
    partly: Outcome | None = None


class Claim(BaseModel):
    """One statement, how it is measured and by which rule it is judged."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)+$")]
    chapter: Annotated[int, Field(strict=True, ge=1, le=9)]
    kind: Literal["paper", "later-work", "gate"]
    source: Text  # where it is claimed
    says: Text  # what is claimed, in our words
    quantity: Text  # what is measured, and what its sign means
    unit: Text
    n: Text  # what n counts
    resampled: Text  # what the interval resamples
    control: Text  # what stands beside it
    rule: Rule

    def open_in(self, edition: str) -> bool:
        """Whether an edition can test the claim at all; `smoke` never can."""
        return edition != "smoke" if self.rule.editions is None else edition in self.rule.editions

    def verdict(self, measurement: Measurement) -> Verdict:
        """Judge a measurement by the registered rule.

        Raises:
            ValueError: the rule asks for p or detectable and the measurement lacks it.
        """
        if not self.open_in(measurement.edition) or measurement.estimate is None:
            return Verdict.NOT_TESTABLE
        if not self.rule.testable.holds(measurement):
            return Verdict.NOT_TESTABLE
        if self.rule.reproduced.holds(measurement):
            return Verdict.REPRODUCED
        if self.rule.partly is not None and self.rule.partly.holds(measurement):
            return Verdict.PARTLY
        return Verdict.NOT_REPRODUCED


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
    if faults:
        raise ValueError("\n".join(f"{path}: {fault}" for fault in faults))
    return claims


def _explained(detail: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    fields = Rule.model_fields if detail["loc"][:1] == ("rule",) else Claim.model_fields
    if detail["type"] == "extra_forbidden":
        return f"key {place!r}: unknown; allowed are {', '.join(fields)}"
    if detail["type"] == "missing":
        return f"key {place!r}: missing"
    return f"key {place!r}: {detail['msg'].removeprefix('Value error, ')}, got {detail['input']!r}"


class _UniqueKeys(yaml.SafeLoader):
    """YAML's safe loader, which by itself lets the second of two equal keys win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.MarkedYAMLError(problem=f"key {twice!r} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)
