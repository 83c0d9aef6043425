"""What chapter 1 claims of layer 1's filters, from networks of which a few numbers are kept (Fig. 6 a-c).

Zeiler & Fergus 2013, §3 and §4.1: without renormalisation one filter dominates, and large filters at a large
stride die. Each claim has its control in the number: the twin that is scaled back, the same filters before
training. `measured` of an outcome holds, of every filter of layer 1, its RMS and its greatest response before
training and after.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.nets.filters import dead_filters, over_median
from zfutils.stats.intervals import Interval, bootstrap_interval, unpaired_difference
from zfutils.training.outcomes import Outcome

TIMES = ("before training", "trained")

Compared = tuple[Interval, tuple[float, float]]  # a difference or ratio and its arms, measured and control


def rms(outcome: Outcome) -> Float[np.ndarray, " maps"]:
    """RMS of the weights of every filter of layer 1, after training."""
    return outcome.measured["rms"][1]


def dominance_over(unbounded: Outcome, twin: Outcome, *, seed: int = 0) -> Compared:
    """Largest over median filter RMS without renormalisation, over the same ratio of a twin that has it.

    Args:
        unbounded, twin: of networks that differ in the radius alone.
        seed: of the resampling.

    Returns:
        The ratio of the two ratios, the other filters of both networks resampled, for the medians; then the
        two ratios.

    Raises:
        TooFew: fewer than nine filters.
    """
    ordered = [np.sort(rms(one)) for one in (unbounded, twin)]
    (one, other), others = (own[-1] for own in ordered), [own[:-1] for own in ordered]

    def ratio(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return over_median(one, a, axis=axis) / over_median(other, b, axis=axis)

    found = bootstrap_interval(*others, statistic=ratio, resampled="the other filters", seed=seed)
    return found, (float(over_median(one, others[0])), float(over_median(other, others[1])))


def dead_by_time(networks: Mapping[str, Outcome | None]) -> dict[str, dict[str, pd.DataFrame | None]]:
    """Which filters of layer 1 are dead, by time ("before training", "trained") and network.

    Args:
        networks: by name; None where one was not run yet.

    Returns:
        As `nets.filters.dead_filters` gives them; None where a network was not run yet.
    """
    return {
        time: {
            name: one and dead_filters(one.measured["rms"][i], one.measured["response"][i])
            for name, one in networks.items()
        }
        for i, time in enumerate(TIMES)
    }


def killed(
    dead: Mapping[str, Mapping[str, pd.DataFrame]], *, over: str, under: str, seed: int = 0
) -> Compared:
    """Share of layer-1 filters that training killed in one network minus that in another.

    Args:
        dead: as `dead_by_time` gives it.
        over, under: the networks.
        seed: of the resampling.

    Returns:
        Dead after training minus dead before, filter by filter: the difference of the means, the filters of
        either network resampled; then the difference after training, and before.
    """
    counts = {
        name: [dead[time][name]["dead"].to_numpy(dtype=float) for time in TIMES] for name in (over, under)
    }
    deaths = [after - before for before, after in counts.values()]
    found = unpaired_difference(*deaths, resampled="filters, each with itself before training", seed=seed)
    before, after = (counts[over][i].mean() - counts[under][i].mean() for i in range(len(TIMES)))
    return found, (float(after), float(before))
