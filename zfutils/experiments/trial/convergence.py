"""Do signals that start differently become one on their way down? (chapter 14)

Sixt et al. 2020: a signal goes down through a product of matrices, one for each layer. Where this product
comes close to a matrix of rank 1, the signal has one direction at the pixels wherever it started, and the
layers above leave no trace in it. The one idea: start from noise at the last layer, several times in each
picture, and take the cosine of two signals layer by layer. The same start in two pictures shows the rest:
what the picture decides.
"""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.experiments.trial.comparisons import mean_over_pictures
from zfutils.experiments.trial.randomisation import METHODS
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed

START = "start"
STARTS = 4  # of signals
ONE_RECTIFICATION = 1 / np.pi  # cosine of two independent Gaussian signals once both are rectified
KINDS = ("same_picture", "same_start")  # two starts in one picture, one start in two


def convergence(
    model: nn.Module,
    inputs: Inputs,
    *,
    batch: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """Absolute cosine similarity of signals on their way down from the last layer, layer by layer.

    `STARTS` signals start from independent Gaussian noise, the same in every picture. Absolute, since a
    signal and its negative lie on a line.

    Args:
        model: the network; a classifier.
        inputs: the pictures.
        batch: pictures at a time; a picture's neighbour is the next one in its batch.
        seed: of the noise.

    Returns:
        One row per picture, method and layer: picture, method, layer ("start", then the layers that the
        signals have passed, from the top), same_picture (mean over pairs of starts), same_start (mean over
        starts, with the neighbour). NaN where a signal is zero, or a picture has no neighbour.

    Source: Sixt et al. 2020, When explanations lie, cosine similarity convergence.
    """
    found = []
    for seen in inputs.batches(batch):
        recorded = Deconvnet(model, nonlinearity="guided").forward(seen.images, Deconvnet(model).layers[-1])
        n, units = recorded.activations.shape
        noise = torch.randn(STARTS, units, generator=torch.Generator().manual_seed(mixed(seed, STARTS)))
        started = noise.to(recorded.activations).repeat(n, 1)
        images = torch.arange(n).repeat_interleave(STARTS)
        for method in METHODS:
            recording = replace(recorded, deconvnet=Deconvnet(model, nonlinearity=method))
            for name, signal in [(START, started), *recording.signals(started, images)]:
                layer, _, what = name.partition(": ")
                if what in ("", "filtered"):
                    rows = zip(seen.rows.tolist(), *_cosines(signal.reshape(n, STARTS, -1)), strict=True)
                    found += [(row, method, layer, *values) for row, *values in rows]
    return pd.DataFrame(found, columns=["picture", "method", "layer", *KINDS])


def _cosines(
    signals: Float[Tensor, "n starts values"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Of every picture: mean over pairs of its signals, and over its signals with the next picture's."""
    unit = signals / signals.norm(dim=2, keepdim=True)  # NaN where nothing came down
    among = to_host(unit @ unit.transpose(1, 2))
    across = to_host((unit * unit.roll(-1, dims=0)).sum(2))
    pairs = [np.abs(among[:, i, j]) for i, j in combinations(range(signals.shape[1]), 2)]
    alone = len(signals) == 1
    return np.mean(pairs, axis=0), np.full(1, np.nan) if alone else np.abs(across).mean(1)


def curves(tables: dict[str, pd.DataFrame], *, seed: int = 0) -> pd.DataFrame:
    """Means over pictures: columns network, method, layer, kind (of `KINDS`), estimate, low, high, n.

    Args:
        tables: by network, as `convergence` gives them.
        seed: of the resampling.
    """
    return pd.DataFrame(
        {"network": network, "method": method, "layer": layer, "kind": kind}
        | mean_over_pictures(group[kind], seed=seed)
        for network, table in tables.items()
        for (method, layer), group in table.groupby(["method", "layer"], sort=False)
        for kind in KINDS
    )
