"""The networks of chapter 12 side by side: coarse, fine, and fine with blurred pooling, from several seeds.

Everything is read from what was kept when a network was trained (`zfutils.training.outcomes`), so that a page
needs no weights. A network that was not run yet has an empty entry, and what needs it is not there.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from zfutils.experiments.pooling.aliasing import subsamplings
from zfutils.experiments.pooling.comparisons import POINTS, RANDOM, TRAINED
from zfutils.experiments.pooling.steadiness import DIRECTIONS, SHIFTS
from zfutils.training.outcomes import Outcome

Runs = Mapping[int, Outcome]  # of one network, by seed
FIRST = "convolution 1"  # as `energy_table` calls the first subsampling


def errors(runs: Runs) -> dict[int, float]:
    """Top-1 error from one crop, by seed (%)."""
    return {seed: POINTS * one.answers[1].error() for seed, one in runs.items()}


def beyond(runs: Runs, *, first: bool = False) -> dict[int, float]:
    """Share of energy beyond Nyquist of the trained network, by seed.

    Args:
        runs: of which network.
        first: before the first convolution's subsampling, where it has a stride; otherwise the mean over all
            other subsamplings.
    """
    found = {}
    for seed, one in runs.items():
        chosen = [(name == "conv1") == first for name in subsamplings(one.spec)]
        if any(chosen):
            found[seed] = float(one.measured["beyond"][1, chosen].mean())
    return found


def labels_kept(runs: Runs, others: Runs) -> dict[int, float]:
    """Share of shifts that leave the label as it is, of pictures that both networks of a seed know (%).

    A better network is also a steadier one; so only pictures count that both classify correctly.

    Args:
        runs: of which network.
        others: of the one that it is compared with.

    Returns:
        By seed that both have; without seeds in which both know no picture.
    """
    found = {}
    for seed in sorted(runs.keys() & others.keys()):
        both = (runs[seed].measured["correct"] & others[seed].measured["correct"]).astype(bool)
        if both.any():
            found[seed] = POINTS * float(runs[seed].measured["kept"][both].mean()) / len(DIRECTIONS)
    return found


def ended(*networks: Runs) -> float | None:
    """Share of some networks whose training had come to its end; None where one was not run yet."""
    flags = [one.ended.ended for runs in networks for one in runs.values()]
    return float(np.mean(flags)) if all(networks) else None


def label_table(networks: Mapping[str, Runs]) -> pd.DataFrame:
    """Share of labels kept by shift, of all pictures and of those that all networks of a seed know.

    Returns:
        One row for each network, seed, shift and set of pictures: network, seed, shift (px), pictures, share
        (%), n.
    """
    rows = []
    for name, runs in networks.items():
        for seed, one in runs.items():
            kept, every = one.measured["kept"], np.ones(len(one.measured["kept"]), bool)
            known = [other[seed].measured["correct"] for other in networks.values() if seed in other]
            sets = {"all images": every, "those that all classify correctly": np.all(known, axis=0)}
            for pictures, chosen in sets.items():
                for shift, values in zip(SHIFTS, kept[chosen].T, strict=True):
                    share = POINTS * values.mean() / len(DIRECTIONS) if chosen.any() else np.nan
                    rows.append((name, seed, shift, pictures, share, int(chosen.sum())))
    return pd.DataFrame(rows, columns=["network", "seed", "shift", "pictures", "share", "n"])


def energy_table(networks: Mapping[str, Runs]) -> pd.DataFrame:
    """Energy beyond Nyquist before each subsampling.

    Returns:
        One row for each network, seed, subsampling and set of weights: network, seed, layer ("pooling 2",
        say), weights, share.
    """
    rows = []
    for name, runs in networks.items():
        for seed, one in runs.items():
            for weights, shares in zip((RANDOM, TRAINED), one.measured["beyond"], strict=True):
                for layer, share in zip(subsamplings(one.spec), shares, strict=True):
                    rows.append((name, seed, _place(layer), weights, float(share)))
    return pd.DataFrame(rows, columns=["network", "seed", "layer", "weights", "share"])


def _place(layer: str) -> str:
    """Where a layer subsamples, the same for networks that pool with and without a blur."""
    return f"convolution {layer[4:]}" if layer.startswith("conv") else f"pooling {layer[4:]}"
