"""How the maps of a layer depend on each other: correlations, effective rank, dead and duplicate maps.

Dropout was made to keep feature detectors from co-adapting (Hinton 2012, Srivastava 2014). Nobody has one
number for that; here are those that are asked for most. The one idea: all of them follow from the moments of
a layer's activations over images and positions, which are gathered in one pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import activations
from zfutils.runtime.devices import to_host

DUPLICATE = 0.95  # correlation from which on two maps say the same


@dataclass(frozen=True)
class Moments:
    """Greatest activation of every map of a layer, and covariances between maps."""

    peaks: Float[np.ndarray, " maps"]
    covariance: Float[np.ndarray, "maps maps"]

    @property
    def dead(self) -> float:
        """Share of maps that no image excites."""
        return float((self.peaks <= 0).mean())

    @property
    def correlations(self) -> Float[np.ndarray, "alive alive"]:
        """Pearson correlations between the maps that vary at all."""
        alive = np.flatnonzero((self.peaks > 0) & (np.diag(self.covariance) > 0))
        spread = np.sqrt(np.diag(self.covariance)[alive])
        return self.covariance[np.ix_(alive, alive)] / np.outer(spread, spread)

    @property
    def mean_correlation(self) -> float:
        """Mean absolute correlation over pairs of maps; 0 where fewer than two maps vary."""
        n = len(self.correlations)
        return float((np.abs(self.correlations).sum() - n) / (n * (n - 1))) if n > 1 else 0.0

    @property
    def duplicates(self) -> float:
        """Share of all maps that another one correlates with at `DUPLICATE` or more."""
        others = self.correlations - 2 * np.eye(len(self.correlations))
        return float((others >= DUPLICATE).any(0).sum() / len(self.peaks))

    @property
    def effective_rank(self) -> float:
        """In how many directions the maps vary, as a share of their number; dead maps count as missing.

        The exponential of the entropy of the correlation matrix' eigenvalues, scaled to add up to 1.

        Source: Roy & Vetterli 2007, The Effective Rank.
        """
        if not len(self.correlations):
            return 0.0
        values = np.linalg.eigvalsh(self.correlations).clip(min=0)
        shares = values[values > 0] / values.sum()
        return float(np.exp(-(shares * np.log(shares)).sum()) / len(self.peaks))


def moments(
    model: nn.Module, inputs: Inputs, layers: Sequence[str], *, batch: int = 100
) -> dict[str, Moments]:
    """Moments of several layers' maps over images and positions.

    Args:
        model: a chain of layers.
        inputs: the images as the network sees them.
        layers: such as "relu1"; a unit of a fully connected layer is a map of one position.
        batch: images at a time.
    """
    found: dict[str, list[tuple[int, np.ndarray, np.ndarray, np.ndarray]]] = {layer: [] for layer in layers}
    for seen in activations(model, inputs, layers, batch=batch):
        for layer, x in seen.layers.items():
            rows = x.flatten(2).transpose(1, 2).flatten(0, 1) if x.ndim == 4 else x
            rows = to_host(rows).astype(np.float64)
            found[layer].append((len(rows), rows.max(0), rows.sum(0), rows.T @ rows))
    together = {}
    for layer, parts in found.items():
        counts, peaks, sums, products = (np.array(part) for part in zip(*parts, strict=True))
        mean = sums.sum(0) / counts.sum()
        covariance = products.sum(0) / counts.sum() - np.outer(mean, mean)
        together[layer] = Moments(peaks.max(0), covariance)
    return together
