"""What chapter 11 claims: a measured arm, its control, and their difference or ratio, unit by unit.

The one idea: every comparison is of the same units, so that one that is easily excited counts on both sides.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.stats.comparisons import Compared
from zfutils.stats.formatting import between
from zfutils.stats.intervals import (
    FEWEST_TO_BOOTSTRAP,
    Interval,
    bootstrap_interval,
    t_interval,
    where_enough,
)

FLOOR = 1e-3  # share of the strongest real activation that silence counts as, where logarithms are taken


def mean_interval(values: Sequence[float], *, resampled: str = "units", seed: int = 0) -> Interval | None:
    """The mean of the known values: bootstrapped, or with a t interval where they are fewer than eight."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if len(known) < FEWEST_TO_BOOTSTRAP:
        return where_enough(t_interval, known, resampled=f"{resampled} (t)")
    return bootstrap_interval(known, resampled=resampled, seed=seed)


def geometric_interval(
    shares: Sequence[float], *, resampled: str = "units", seed: int = 0
) -> Interval | None:
    """The geometric mean of the known shares, silence counted as `FLOOR`; times the strongest real one."""
    logs = np.log(np.maximum(np.asarray(shares, float), FLOOR))  # NaN stays
    found = mean_interval(logs, resampled=resampled, seed=seed)
    if found is None:
        return None
    ends = (float(np.exp(value)) for value in (found.estimate, found.low, found.high))
    return Interval(*ends, found.n, found.resampled)


def over_pictures(
    reached: Float[np.ndarray, " units"], most: Float[np.ndarray, " units"], *, seed: int = 0
) -> Compared | None:
    """Activation reached over the strongest real one: geometric means, units resampled.

    Args:
        reached: mean over starts.
        most: the strongest real activations of the same maps, NaN where there is none.
        seed: of the resampling.
    """
    interval = geometric_interval(reached / most, seed=seed)
    if interval is None:
        return None
    control = float(np.exp(np.log(most[np.isfinite(most)]).mean()))
    return Compared(interval, (interval.estimate * control, control))


def paired(measured: Sequence[float], control: Sequence[float], *, seed: int = 0) -> Compared | None:
    """Mean difference, units resampled; a unit of which either is not known is left out."""
    both = np.array([measured, control], float)
    both = both[:, np.isfinite(both).all(0)]
    interval = mean_interval(both[0] - both[1], seed=seed)
    return interval and Compared(interval, (float(both[0].mean()), float(both[1].mean())))


def likeness_row(alike: pd.DataFrame, *, seed: int = 0) -> dict[str, object]:
    """One row of the table of likeness: both arms and their difference, each with its interval.

    Args:
        alike: as `likeness.likeness` gives it.
        seed: of the resampling.
    """
    found, known = paired(alike["same"], alike["different"], seed=seed), alike.dropna()
    return {
        "same": between(mean_interval(known["same"], seed=seed), digits=2, otherwise="–"),
        "different": between(mean_interval(known["different"], seed=seed), digits=2, otherwise="–"),
        "difference": between(found and found.interval, digits=2, otherwise="–"),
        "n": found.interval.n if found else 0,
    }
