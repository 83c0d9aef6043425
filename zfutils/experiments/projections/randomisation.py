"""Does a map tell of what upper layers learnt? Maps while these are given initial weights (chapter 3).

Adebayo et al. 2018 and Sixt et al. 2020: a picture of what a class sees that stays the same when the layers
above are drawn anew cannot come from what they learnt. The one idea: take the true class's map, give layers
their initial weights one by one from the top, and compare.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from scipy.stats import rankdata
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.units import Units
from zfutils.experiments.projections.correlations import row_correlations
from zfutils.experiments.projections.faithfulness import paired_by_picture
from zfutils.nets.chains import chain, steps
from zfutils.runtime.devices import to_host
from zfutils.stats.intervals import Interval, bootstrap_interval

METHODS = ("deconvnet", "guided", "gradient")
MEASURES = ("spearman", "ssim")


def randomisation(
    model: nn.Module,
    initial: nn.Module,
    inputs: Inputs,
    *,
    labels: Int64[Tensor, " n"] | None = None,
    methods: Sequence[str] = METHODS,
    batch: int = 16,
) -> pd.DataFrame:
    """The true class's map before and after layers are given initial weights, one by one from the top.

    The map is the magnitude over colours of the class's projection from the last layer to the whole picture,
    seeded with 1, so that a class with a negative logit is asked the same question. Neither network is
    changed.

    Args:
        model: the trained network.
        initial: the same network with initial weights.
        inputs: the pictures, of the side that the network takes.
        labels: the classes whose maps are taken; the pictures' own, where they are left out.
        methods: ways to reverse the ReLU, of deconvnet, guided and gradient.
        batch: pictures at a time.

    Returns:
        One row per picture, method and step: picture, method, lowest (the lowest layer given initial
        weights; those above it have them too), randomised (how many layers), spearman (rank correlation of
        the two magnitudes over the picture's pixels), ssim (of the two, each divided by its greatest value).
        NaN where a map is constant.

    Raises:
        ValueError: networks that differ, or labels that do not fit.

    Source: Adebayo et al. 2018, Sanity checks for saliency maps, cascading randomisation.
    """
    labels = inputs.labels if labels is None else labels
    if len(labels) != len(inputs):
        raise ValueError(f"{len(inputs)} pictures need as many labels, got {len(labels)}")
    asked = (inputs.tensor(), labels, batch)
    before = {method: _maps(model, *asked, method) for method in methods}
    ranks = {method: _ranks(maps) for method, maps in before.items()}
    found = []
    for count, (lowest, network) in enumerate(cascade(model, initial), start=1):
        for method in methods:
            after = _maps(network, *asked, method)
            spearman = row_correlations(ranks[method], _ranks(after))
            ssim = [_ssim(*pair) for pair in zip(before[method], after, strict=True)]
            rows = zip(inputs.rows.tolist(), spearman.tolist(), ssim, strict=True)
            found += [(row, method, lowest, count, rho, alike) for row, rho, alike in rows]
    return pd.DataFrame(found, columns=["picture", "method", "lowest", "randomised", *MEASURES])


def cascade(model: nn.Module, initial: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The network with initial weights in its last layer, in its last two, and so on down to the first.

    Args:
        model: the trained network; copied once.
        initial: the same with initial weights.

    Yields:
        Name of the lowest layer that has them, and the network, which the next step changes further. A batch
        norm goes with the layer below it.

    Raises:
        ValueError: the two do not have the same layers; names the first that differs.
    """
    shapes = [{n: v.shape for n, v in chain(one).state_dict().items()} for one in (model, initial)]
    if differing := set(shapes[0].items()) ^ set(shapes[1].items()):
        first = min(name for name, _ in differing)
        raise ValueError(f"the two networks do not have the same layers: they differ in {first}")
    network, source = deepcopy(model), {step.name: step.module for step in steps(initial)}
    for name, kind, module, _ in reversed(steps(network)):
        module.load_state_dict(source[name].state_dict())
        if kind in ("conv", "fc"):
            yield name, network


def class_maps(
    model: nn.Module,
    pictures: Float[Tensor, "n channels h w"],
    labels: Int64[Tensor, " n"],
    *,
    nonlinearity: str = "deconvnet",
) -> Float[np.ndarray, "n h w"]:
    """Magnitude over colours of each picture's class, projected from the last layer, seeded with 1."""
    deconvnet = Deconvnet(model, nonlinearity=nonlinearity)
    recording = deconvnet.forward(pictures, deconvnet.layers[-1])
    if recording.activations.ndim != 2:
        raise ValueError(
            f"{recording.layer} is no classifier: it gives maps of {recording.activations.shape[2:]}"
        )
    ones = replace(recording, activations=torch.ones_like(recording.activations))
    zeros = torch.zeros_like(labels)
    units = Units(torch.arange(len(labels), device=labels.device), labels, zeros, zeros)
    return to_host(ones.project(units).pixels.norm(dim=1))


def randomisation_interval(
    table: pd.DataFrame,
    first: str = "deconvnet",
    second: str = "gradient",
    *,
    lowest: str = "fc6",
    measure: str = "spearman",
    seed: int = 0,
) -> Interval:
    """What survives by one method minus by another, once the layers from `lowest` up have initial weights."""
    there = table[table["lowest"] == lowest]
    if there.empty:
        raise ValueError(f"lowest is one of {', '.join(table['lowest'].unique())}, not {lowest!r}")
    return paired_by_picture(
        there.pivot(index="picture", columns="method", values=measure), first, second, seed
    )


def randomisation_curves(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Mean over pictures of both measures with intervals: columns method, lowest, randomised, measure, …"""
    found = []
    for (method, count, lowest), group in table.groupby(["method", "randomised", "lowest"], sort=False):
        for measure in MEASURES:
            values = group[measure].dropna()
            interval = bootstrap_interval(values, resampled="pictures", seed=seed)
            bounds = (interval.estimate, interval.low, interval.high, interval.n)
            found.append((method, lowest, count, measure, *bounds))
    columns = ["method", "lowest", "randomised", "measure", "estimate", "low", "high", "n"]
    return pd.DataFrame(found, columns=columns)


def _maps(model: nn.Module, pictures: Tensor, labels: Tensor, batch: int, method: str) -> np.ndarray:
    parts = zip(pictures.split(batch), labels.split(batch), strict=True)
    return np.concatenate([class_maps(model, *part, nonlinearity=method) for part in parts])


def _ranks(maps: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n hw"]:
    return rankdata(maps.reshape(len(maps), -1), axis=1)


def _ssim(first: Float[np.ndarray, "h w"], second: Float[np.ndarray, "h w"]) -> float:
    if not (first.max() > 0 and second.max() > 0):
        return np.nan
    pair = (magnitude.astype(np.float64) / magnitude.max() for magnitude in (first, second))
    return float(structural_similarity(*pair, data_range=1.0))
