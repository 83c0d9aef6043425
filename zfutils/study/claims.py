"""The study's claims, registered before anything is measured, and what a measurement makes of them.

Each claim of `book/claims.yaml` states what the paper (or later work) says, what exactly is measured
and rules (`zfutils.study.rules`) that turn the measurement into a verdict. Whether a claim can be tested
may depend on the sample's size, on the smallest difference that could be detected, and on its `condition`,
which compares numbers known beforehand or about the control, but never on the claim's own outcome: so nobody
can call an unwelcome result untestable.

A claim that turns out unfair is not changed: it is superseded by others, which are registered before they are
measured and stay `planned` until a page measures them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    model_validator,
)

from zfutils.stats.intervals import Interval
from zfutils.study.rules import Condition

ENDS = ("estimate", "low", "high")
NAMES = (*ENDS, "n", "p", "detectable")
BEFOREHAND = ("n", "detectable")


class Verdict(StrEnum):
    """What a measurement makes of a claim."""

    REPRODUCED = "reproduced"
    PARTLY = "partly reproduced"
    NOT_REPRODUCED = "not reproduced"
    NOT_TESTABLE = "not testable at this scale"


@dataclass(frozen=True)
class Measurement:
    """What one edition measured for one claim.

    Args:
        interval: estimate and 95 % interval, in the claim's unit; None where nothing could be measured.
        edition: the edition that measured it.
        n: how many of the claim's `n` were measured; default the interval's.
        p: p-value, where the rule asks for one.
        detectable: smallest difference that the interval could have told from zero, likewise.
        conditions: the numbers that the claim's condition compares, by name.

    Raises:
        ValueError: a number is not finite, p lies outside 0…1, or the detectable difference is negative.
    """

    interval: Interval | None
    edition: str
    n: int | None = None
    p: float | None = None
    detectable: float | None = None
    conditions: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (self.values | dict(self.conditions)).items():
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, got {value}")
        if not 0 <= (self.p or 0) <= 1 or (self.detectable or 0) < 0:
            raise ValueError(
                f"p must lie in 0…1 and a detectable difference be ≥ 0, got {self.p}, {self.detectable}"
            )

    @property
    def values(self) -> dict[str, float | None]:
        """The numbers that rules compare, by name."""
        found = {name: getattr(self.interval, name, None) for name in ENDS}
        n = getattr(self.interval, "n", 0) if self.n is None else self.n
        return found | {"n": n, "p": self.p, "detectable": self.detectable}


def _beforehand(text: str) -> Condition:
    condition = Condition.parse(text, NAMES)
    if not condition.names <= set(BEFOREHAND):
        raise ValueError(
            f"in {text!r}: whether a claim is testable depends on {' and '.join(BEFOREHAND)} only"
        )
    return condition


def _curled(text: str) -> str:
    """A text with the apostrophes and quotation marks of the book's prose."""
    opened = re.sub(r"(?<!\w)'(?=\w)", "\N{LEFT SINGLE QUOTATION MARK}", text)
    return opened.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")


Text = Annotated[str, Field(min_length=1), AfterValidator(_curled)]
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)+$")]
Outcome = Annotated[Condition, PlainValidator(lambda text: Condition.parse(text, NAMES))]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Rule(_Strict):
    """When a claim is testable, reproduced, partly reproduced; not reproduced in every other case.

    `verdict_on` says how the control enters the quantity; without it the control stands beside it.
    `editions` are those that can test it; where it is left out, every one but `smoke`.
    """

    testable: Annotated[Condition, PlainValidator(_beforehand)]
    editions: tuple[Literal["quick", "photos", "imagenet"], ...] | None = Field(default=None, min_length=1)
    verdict_on: Literal["measured - control", "measured / control"] | None = None
    reproduced: Outcome
    partly: Outcome | None = None


class Superseded(_Strict):
    """By which claims one was replaced, and what was unfair in it."""

    by: tuple[Id, ...] = Field(min_length=1)
    because: Text


class Reworded(_Strict):
    """How a claim's statement was first put, and why that said more, or less, than was measured.

    Rule, quantity and control stay: another measurement needs another claim.
    """

    first: Text
    because: Text


class Claim(_Strict):
    """One statement, how it is measured and by which rule it is judged."""

    id: Id
    chapter: Annotated[int, Field(strict=True, ge=1, le=14)]
    kind: Literal["paper", "later-work", "gate"]
    planned: bool = False  # registered, and not measured by any page yet
    run: Literal["published"] | None = None  # measured where its kept networks are, else shown as published
    replaces: tuple[Id, ...] = ()
    superseded: Superseded | None = None
    reworded: Reworded | None = None
    known: Text | None = None  # what was known of its numbers when it was registered
    source: Text  # where it is claimed
    says: Text  # what is claimed, in our words
    quantity: Text  # what is measured, and what its sign means
    unit: Text
    n: Text  # what n counts
    resampled: Text  # what the interval resamples
    control: Text  # what is taken off, or stands beside
    condition: str | None = None  # what must hold for a verdict, beside `rule.testable`
    where: dict[str, Text] = {}  # what each name of the condition means
    fails: Text | None = None  # what result would speak against it
    rule: Rule

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if outcome := sorted(set(self.where) & set(NAMES)):
            raise ValueError(f"a condition is never about the claim's own outcome: {', '.join(outcome)}")
        if (self.condition is None) != (not self.where):
            raise ValueError("'condition' and 'where', the meaning of its names, are given together")
        if self.condition is not None and (unused := set(self.where) - self.conditions.names):
            raise ValueError(f"'where' explains what the condition does not ask: {', '.join(sorted(unused))}")
        if not (self.planned or self.replaces):
            return self
        if self.fails is None:
            raise ValueError(
                "key 'fails' is missing, which a claim needs that is planned or replaces another"
            )
        if self.kind != "gate" and self.rule.verdict_on is None:
            raise ValueError(
                "key 'rule.verdict_on' is missing: "
                "a claim that is planned or replaces another has its control in the number"
            )
        return self

    @cached_property
    def conditions(self) -> Condition | None:
        """The condition, parsed."""
        return None if self.condition is None else Condition.parse(self.condition, tuple(self.where))

    def open_in(self, edition: str) -> bool:
        """Whether an edition can test the claim at all; `smoke` never can."""
        return edition != "smoke" if self.rule.editions is None else edition in self.rule.editions

    def missed(self, measurement: Measurement) -> list[str]:
        """What keeps a measurement from testing the claim, with value and bound; empty where it tests it.

        Raises:
            ValueError: a rule asks for a number that the measurement lacks, or the measurement gives one that
                the condition does not name.
        """
        asked = self.conditions.names if self.conditions else set()
        if unknown := sorted(set(measurement.conditions) - asked):
            names = ", ".join(sorted(asked)) or "none"
            raise ValueError(f"{self.id} has no condition on {', '.join(unknown)}; it has {names}")
        missed = self.rule.testable.missed(measurement.values)
        if self.conditions:
            missed += self.conditions.missed(measurement.conditions)
        if not self.open_in(measurement.edition):
            editions = self.rule.editions
            those = f"{' and '.join(editions)} only" if editions else "every edition but smoke"
            missed.append(f"registered for {those} (this is {measurement.edition})")
        return missed

    def verdict(self, measurement: Measurement) -> Verdict:
        """Judge a measurement by the registered rule.

        Raises:
            ValueError: as `missed`.
        """
        if measurement.interval is None or self.missed(measurement):
            return Verdict.NOT_TESTABLE
        if self.rule.reproduced.holds(measurement.values):
            return Verdict.REPRODUCED
        if self.rule.partly is not None and self.rule.partly.holds(measurement.values):
            return Verdict.PARTLY
        return Verdict.NOT_REPRODUCED


def retired(claims: Mapping[str, Claim]) -> set[str]:
    """The ids of claims that were superseded and whose successors are all measured by pages."""
    return {
        claim.id
        for claim in claims.values()
        if claim.superseded and not any(claims[other].planned for other in claim.superseded.by)
    }


def standing(claims: Mapping[str, Claim]) -> dict[str, Claim]:
    """The claims that pages measure and the scoreboard shows: neither planned nor retired."""
    gone = retired(claims)
    return {name: claim for name, claim in claims.items() if not claim.planned and name not in gone}
