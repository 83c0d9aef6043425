"""Numbers in words: rounded, and with their interval in brackets, which no line break takes apart."""

import math
import re

from zfutils.stats.intervals import Interval

HARD = "\N{NO-BREAK SPACE}"  # keeps a number in one piece


def rounded(value: float | None, *, digits: int = 1) -> str:
    """A number for reading, a dash where there is none; what is rounded to 0 has no sign."""
    return "–" if value is None or math.isnan(value) else _signed(f"{round(value, digits) + 0.0:.{digits}f}")


def percent(share: float, *, digits: int = 0) -> str:
    """A share in percent."""
    return f"{rounded(100 * share, digits=digits)}{HARD}%"


def ranged(value: float, low: float, high: float, *, digits: int = 1, unit: str = "") -> str:
    """An estimate with the ends of its interval in brackets, where it has one."""
    ends = "" if math.isnan(low) else bracketed(rounded(low, digits=digits), rounded(high, digits=digits))
    return rounded(value, digits=digits) + unit.replace(" ", HARD) + ends


def between(
    interval: Interval | None,
    *,
    scale: float = 1.0,
    digits: int = 1,
    unit: str = "",
    otherwise: str = "not measured",
) -> str:
    """An interval in words: estimate, then its 95 % ends in brackets; `otherwise` where there is none."""
    if interval is None:
        return otherwise
    ends = (scale * value for value in (interval.estimate, interval.low, interval.high))
    return ranged(*ends, digits=digits, unit=unit)


def give_or_take(value: str, spread: str) -> str:
    """A number and its spread, both as they are written."""
    return f"{value}{HARD}±{HARD}{spread}"


def duration(seconds: float) -> str:
    """Seconds in words, in minutes from two minutes on."""
    count, unit = (seconds, "second") if seconds < 119.5 else (seconds / 60, "minute")
    return f"{count:.0f} {unit}{'s' * (f'{count:.0f}' != '1')}"


def significant(value: float, low: float, high: float) -> str:
    """An estimate with its interval, to three significant digits."""
    value, low, high = (_signed(f"{number:.3g}") for number in (value, low, high))
    return value + bracketed(low, high)


def bracketed(low: str, high: str) -> str:
    """The ends of an interval as they follow the estimate."""
    return f"{HARD}[{low},{HARD}{high}]"


def _signed(number: str) -> str:
    """A number as it is printed: its minus is no hyphen."""
    return re.sub("^-", "\N{MINUS SIGN}", number)
