"""What chapter 1 claims of layer 1's filters (Zeiler & Fergus 2013, §3 and §4.1, Fig. 6 a-c).

Without renormalisation one filter dominates; large filters at a large stride die, and miss the middle
frequencies. Each claim has its control in the number: the twin that is scaled back, the same filters before
training. `measured` of an outcome holds, of every filter of layer 1, its RMS and its greatest response before
training and after.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.nets.filters import (
    MANY,
    dead_filters,
    filter_table,
    greatest_responses,
    high_share_over_noise,
    noise_filters,
    over_median,
)
from zfutils.stats.comparisons import Compared
from zfutils.stats.intervals import Interval, bootstrap_interval, proportion_difference, unpaired_difference
from zfutils.training.outcomes import Outcome

TIMES = ("before training", "trained")


def filter_tables(models: Mapping[str, nn.Module], inputs: Inputs) -> dict[str, pd.DataFrame]:
    """`nets.filters.filter_table` of every network's layer 1, with its responses to some images.

    Args:
        models: by name; each has a layer conv1.
        inputs: the images; 1,000 or more, so that a filter may be called silent.
    """
    return {
        name: filter_table(model.conv1.weight, greatest_responses(model, inputs), image=inputs.side)
        for name, model in models.items()
    }


def noisiest(layers: Mapping[str, Float[Tensor, "maps channels k k"]]) -> tuple[str, Compared]:
    """The layer that has most of noise's high frequencies: its name, its share over noise's, both shares."""
    found = {name: high_share_over_noise(weight) for name, weight in layers.items()}
    name = max(found, key=lambda name: found[name][0].estimate)
    ratio, *arms = found[name]
    return name, (ratio, tuple(arms))


def noise_layers(
    layers: Mapping[str, Float[Tensor, "maps channels k k"]],
) -> dict[str, Float[Tensor, "many channels k k"]]:
    """For every layer, Gaussian noise filters of its size."""
    return {name: noise_filters(MANY, weight.shape[-1]) for name, weight in layers.items()}


def middle_over_noise(
    tables: Mapping[str, pd.DataFrame],
    noise: Mapping[str, Float[Tensor, "many channels k k"]],
    *,
    over: str,
    under: str,
    image: int,
) -> tuple[Interval, tuple[float, float], dict[str, tuple[int, int]], dict[str, float]]:
    """By how much more live filters of one layer peak in the middle frequencies than of another.

    Args:
        tables: as `filter_tables` gives them.
        noise: the same names, as `noise_layers` gives them: what the size of a filter does by itself.
        over, under: the two networks.
        image: side of the images that both work on (pixels).

    Returns:
        The difference of the shares minus that of noise filters, filters resampled (Newcombe); the two
        differences; for every network how many live filters peak there, of how many; and the share of its
        noise filters that do.
    """
    live = {name: table[~table["dead"]] for name, table in tables.items()}
    counts = {name: (int(table["middle"].sum()), len(table)) for name, table in live.items()}
    chance = {name: float(filter_table(one, image=image)["middle"].mean()) for name, one in noise.items()}
    found = proportion_difference(counts[over], counts[under], resampled="filters")
    by_size = chance[over] - chance[under]
    return found.shifted(-by_size), (found.estimate, by_size), counts, chance


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
