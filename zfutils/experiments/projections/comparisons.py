"""What chapter 3 claims: a measured arm, its control, and their difference with an interval of its own.

Most controls are the same network with its initial, random weights. The one idea: each claim is one function,
from what the page has measured to the difference and its two arms, or to None where too little was measured.
"""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zfutils.experiments.projections.dissection import Dissection
from zfutils.stats.comparisons import Compared
from zfutils.stats.intervals import (
    bootstrap_interval,
    joined_difference,
    paired_difference,
    proportion_difference,
    unpaired_difference,
    where_enough,
)

NETWORKS = ("trained", "random")
UPPER, LOWER = 5, 2  # the layers between which the share of one class is claimed to rise
TOP, BOTTOM = "relu5", "relu1"  # those between which detectors are


def likeness_by_layer(alike: pd.DataFrame, *, seed: int = 0) -> dict[str, Compared | None]:
    """Likeness within minus across maps: trained minus random weights, maps of each resampled.

    Args:
        alike: as `within_map_similarity.every_layer` gives it; maps without pairs are left out.
        seed: of the resampling.

    Returns:
        Of every layer, of projections and then of patches: by "layer 5, projections" and so on.
    """
    apart = alike.assign(apart=alike["within"] - alike["across"]).dropna(subset="apart")
    by = {key: own.to_numpy() for key, own in apart.groupby(["of", "layer", "network"])["apart"]}
    compared: dict[str, Compared | None] = {}
    for of, layer in product(("projections", "patches"), sorted(alike["layer"].unique())):
        arms = [by.get((of, layer, network), np.array([])) for network in NETWORKS]
        found = where_enough(unpaired_difference, *arms, resampled="maps of each network", seed=seed)
        compared[f"layer {layer}, {of}"] = found and (found, (float(arms[0].mean()), float(arms[1].mean())))
    return compared


def class_rise(values: pd.DataFrame, *, seed: int = 0) -> Compared | None:
    """Share of the commonest class, layer 5 minus layer 2: trained minus random weights.

    Args:
        values: as `selectivity.measures` gives them; maps without a share are left out.
        seed: of the resampling, of the maps of either layer of each network.
    """
    shares = values[values["measure"] == "class"].dropna(subset=["value"])
    groups = {key: group.to_numpy() for key, group in shares.groupby(["network", "layer"])["value"]}
    samples = [groups.get((n, layer), np.array([])) for n in NETWORKS for layer in (UPPER, LOWER)]
    found = where_enough(
        bootstrap_interval,
        *samples,
        statistic=_difference_of_rises,
        resampled="maps of either layer of each network",
        seed=seed,
    )
    means = [sample.mean() for sample in samples] if found else []
    return found and (found, (float(means[0] - means[1]), float(means[2] - means[3])))


def detector_rise(dissected: Mapping[str, Mapping[str, Dissection]]) -> Compared | None:
    """Share of maps that detect some part, layer 5 minus layer 1: trained minus random weights.

    Two of Newcombe's intervals are joined as Newcombe joins two of Wilson's: sound where no map of a layer
    detects anything, of which a bootstrap would say that it is certain.

    Args:
        dissected: by network and layer; empty where the pictures have no masks.
    """
    if not dissected:
        return None
    said, rises = "maps of either layer of each network", []
    for network in NETWORKS:
        maps = [dissected[network][layer].detectors for layer in (TOP, BOTTOM)]
        rises.append(proportion_difference(*((m.sum(), m.size) for m in maps), resampled=said))
    trained, random = rises
    return joined_difference(trained, random), (trained.estimate, random.estimate)


def detected_parts_rise(
    dissected: Mapping[str, Mapping[str, Dissection]], *, seed: int = 0
) -> Compared | None:
    """Share of parts that some map detects, layer 5 minus layer 1: trained minus random weights, by part.

    Args:
        dissected: as for `detector_rise`.
        seed: of the resampling, of parts.
    """
    if not dissected:
        return None
    arms = [
        dissected[n][TOP].detected.astype(float) - dissected[n][BOTTOM].detected.astype(float)
        for n in NETWORKS
    ]
    found = where_enough(paired_difference, *arms, resampled="parts", seed=seed)
    return found and (found, (float(arms[0].mean()), float(arms[1].mean())))


def _difference_of_rises(
    upper: NDArray, lower: NDArray, upper_control: NDArray, lower_control: NDArray, axis: int = -1
) -> NDArray | np.floating:
    a, b, c, d = (np.mean(sample, axis=axis) for sample in (upper, lower, upper_control, lower_control))
    return (a - b) - (c - d)
