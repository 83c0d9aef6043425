"""Numbers in words: rounded, and with their interval in brackets."""

import math


def rounded(value: float | None, *, digits: int = 1) -> str:
    """A number for reading, a dash where there is none; what is rounded to 0 has no sign."""
    return "–" if value is None or math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"


def ranged(value: float, low: float, high: float, *, digits: int = 1, unit: str = "") -> str:
    """An estimate with the ends of its interval in brackets, where it has one."""
    ends = "" if math.isnan(low) else f" [{rounded(low, digits=digits)}, {rounded(high, digits=digits)}]"
    return rounded(value, digits=digits) + unit + ends
