"""What a design could have seen: the power of a comparison of a few networks."""

import math

import numpy as np
from scipy import optimize, stats

from zfutils.stats.intervals import CONFIDENCE, TAILS


def smallest_detectable_difference(standard_deviation: float, n: int, *, power: float = 0.8) -> float:
    """The true difference at which the t interval of n differences leaves out zero with this power.

    Args:
        standard_deviation: of the n paired differences (sample standard deviation, in their unit).

    Source: Cohen 1988, chapter 2, from the noncentral t distribution.
    """
    if n < 2 or not 0 <= standard_deviation < math.inf or not 1 - CONFIDENCE < power < 1:
        needs = "n ≥ 2, a finite standard deviation ≥ 0 and a power in (0.05, 1)"
        raise ValueError(f"a detectable difference needs {needs}, got {n}, {standard_deviation}, {power}")
    critical = stats.t.ppf(TAILS[1], n - 1)

    def missing_power(shift: float) -> float:
        below = np.nan_to_num(stats.nct.cdf(-critical, n - 1, shift))  # NaN where it underflows
        return stats.nct.sf(critical, n - 1, shift) + below - power

    shift = optimize.brentq(missing_power, 1e-6, 10 * critical)
    return float(shift * standard_deviation / math.sqrt(n))
