"""The grammar of rules: plain comparisons that can be read, compared between commits and evaluated.

A rule is no program: it is parsed here, by the grammar

    rule       = all { "or" all }
    all        = comparison { "and" comparison }
    comparison = name ( < | <= | > | >= ) number

and says of a number that misses its bound by how much it does.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from zfutils.stats.formatting import HARD

OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
SIGNS = {"<=": "≤", ">=": "≥"}
WORDS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}
WHOLE = {("low", ">"), ("low", ">="), ("high", "<"), ("high", "<=")}  # if an end does, the interval does
ENDS = {"low": "lower end", "high": "upper end"}
TOKEN = re.compile(r"\s*(<=|>=|<|>|[+-]?\d+(?:\.\d+)?(?![\w.])|[A-Za-z_]\w*|\S)")

Values = Mapping[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """One `name operator number` of a rule."""

    name: str
    symbol: str
    number: float

    def holds(self, values: Values) -> bool:
        """Whether the values meet it; a number that was not measured is a ValueError."""
        return OPERATORS[self.symbol](self._value(values), self.number)

    def missed(self, values: Values) -> str:
        """What came and what was asked, in words, for a comparison that does not hold."""
        value = self._value(values)
        came = f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"
        return f"{self.name} is {came}, must be {SIGNS.get(self.symbol, self.symbol)} {self.number:,g}"

    @property
    def in_words(self) -> str:
        """What an outcome's rule asks, for a reader: "whole interval above 0.1", "estimate below 2"."""
        whole = (self.name, self.symbol) in WHOLE
        subject = "whole interval" if whole else ENDS.get(self.name, self.name)
        return printed(f"{subject} {WORDS[self.symbol]} {self.number:g}")

    def _value(self, values: Values) -> float:
        value = values.get(self.name)
        if value is None:
            raise ValueError(f"the rule compares {self.name}, which the measurement does not give")
        return value


@dataclass(frozen=True)
class Condition:
    """A parsed rule: the values meet every comparison of at least one alternative."""

    text: str
    alternatives: tuple[tuple[Comparison, ...], ...]

    @classmethod
    def parse(cls, text: str, names: Collection[str]) -> Condition:
        """Read a rule such as `"low > 0 and estimate >= 1"`.

        Args:
            text: the rule.
            names: what it may compare.

        Raises:
            ValueError: not in the grammar; the message names the position and what may stand there.
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
            name = take(f"one of {', '.join(names)}", names.__contains__)
            symbol = take(f"one of {' '.join(OPERATORS)}", OPERATORS.__contains__)
            number = take("a number", lambda word: word[-1].isdigit() and not word[0].isalpha())
            alternatives[-1].append(Comparison(name, symbol, float(number)))
            if not words:
                return cls(text, tuple(map(tuple, alternatives)))
            if take("'and', 'or' or the end", ("and", "or").__contains__) == "or":
                alternatives.append([])

    def holds(self, values: Values) -> bool:
        """Whether the values meet the rule."""
        return any(all(part.holds(values) for part in every) for every in self.alternatives)

    def missed(self, values: Values) -> list[str]:
        """Each comparison that keeps the rule from holding, in words; empty where it holds."""
        if self.holds(values):
            return []
        return [part.missed(values) for part in self.parts if not part.holds(values)]

    @property
    def in_words(self) -> str:
        """The rule for a reader."""
        return " or ".join(" and ".join(part.in_words for part in every) for every in self.alternatives)

    @property
    def parts(self) -> list[Comparison]:
        """Every comparison of the rule."""
        return [part for every in self.alternatives for part in every]

    @property
    def names(self) -> set[str]:
        """The numbers the rule compares."""
        return {part.name for part in self.parts}


def printed(bounds: str) -> str:
    """Bounds, or what was known of a number, with the signs of print, each number on the line of its sign."""
    for written, sign in (SIGNS | {" - ": " \N{MINUS SIGN} "}).items():
        bounds = bounds.replace(written, sign)
    bounds = re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", bounds)
    return re.sub("([<≤≥>]) ", rf"\1{HARD}", bounds)
