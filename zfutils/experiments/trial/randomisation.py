"""Does a map tell of what upper layers learnt? Maps while layers are given initial weights (chapter 14).

Adebayo et al. 2018 and Sixt et al. 2020: a picture of what a class sees that stays the same when the layers
above are drawn anew cannot come from what they learnt. The one idea: take the true class's map, give layers
their initial weights, from the top down or one at a time, and compare. How alike two maps are that should not
be alike, of another class or another picture, is the measure of what "the same" means.
"""

from collections.abc import Iterator, Mapping
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
from zfutils.deconv.deconvnet import Deconvnet, Recording
from zfutils.deconv.units import Units
from zfutils.experiments.trial.comparisons import mean_over_pictures
from zfutils.experiments.trial.correlations import row_correlations
from zfutils.nets.chains import steps
from zfutils.runtime.devices import to_host

METHODS = ("deconvnet", "guided", "gradient")
MEASURES = ("spearman", "ssim")
ORDERS = ("cascading", "independent")
CONTROLS = ("another class", "another image")  # of the trained network


def randomisation(
    model: nn.Module,
    initial: nn.Module,
    inputs: Inputs,
    *,
    batch: int = 16,
) -> pd.DataFrame:
    """The true class's map before and after layers get initial weights, and two maps that should differ.

    The map is the magnitude over colours of the class's projection from the last layer to the whole picture,
    seeded with 1, so that a class with a negative logit is asked the same question. Neither network is
    changed.

    Args:
        model: the trained network.
        initial: the same network with initial weights.
        inputs: the pictures, of the side that the network takes.
        batch: pictures at a time.

    Returns:
        One row per picture, method and change: picture, method, order ("cascading": the layer and all above
        it have initial weights, "independent": it alone, "control": none has), layer (or one of `CONTROLS`:
        the map of the next class, or of the next picture's true class in that picture), spearman (rank
        correlation of the two magnitudes over the picture's pixels), ssim (of the two, each divided by its
        greatest value). NaN where a map is constant.

    Source: Adebayo et al. 2018, Sanity checks for saliency maps, cascading and independent randomisation.
    """
    found, pictures, labels = [], inputs.tensor(), inputs.labels
    before = _maps(model, pictures, labels, batch)
    ranks = {method: _ranks(maps) for method, maps in before.items()}

    def compare(order: str, layer: str, after: Mapping[str, Float[np.ndarray, "n h w"]]) -> None:
        for method in METHODS:
            spearman = row_correlations(ranks[method], _ranks(after[method]))
            ssim = [_ssim(*pair) for pair in zip(before[method], after[method], strict=True)]
            rows = zip(inputs.rows.tolist(), spearman.tolist(), ssim, strict=True)
            found.extend((row, method, order, layer, rho, alike) for row, rho, alike in rows)

    classes = next(s.module.out_features for s in reversed(steps(model)) if s.kind == "fc")
    compare("control", CONTROLS[0], _maps(model, pictures, (labels + 1) % classes, batch))
    compare("control", CONTROLS[1], {method: np.roll(maps, -1, axis=0) for method, maps in before.items()})
    for order in ORDERS:
        for layer, network in randomised(model, initial, cascading=order == "cascading"):
            compare(order, layer, _maps(network, pictures, labels, batch))
    return pd.DataFrame(found, columns=["picture", "method", "order", "layer", *MEASURES])


def randomised(model: nn.Module, initial: nn.Module, *, cascading: bool) -> Iterator[tuple[str, nn.Module]]:
    """The network with initial weights in some of its layers, from the last layer down to the first.

    Args:
        model: the trained network; copied once.
        initial: the same with initial weights.
        cascading: in a layer and all above it; otherwise in that layer alone.

    Yields:
        Name of the (lowest) layer that has them, and the network, which the next step changes further. A
        batch norm goes with the layer below it.
    """
    network, changed = deepcopy(model), []
    learnt, drawn = ({s.name: s.module.state_dict() for s in steps(one)} for one in (model, initial))
    for step in reversed(steps(network)):
        step.module.load_state_dict(drawn[step.name])
        changed.append((step.module, learnt[step.name]))
        if step.kind in ("conv", "fc"):
            yield step.name, network
            if not cascading:
                for each, state in changed:
                    each.load_state_dict(state)
                changed = []


def class_maps(
    model: nn.Module,
    pictures: Float[Tensor, "n channels h w"],
    labels: Int64[Tensor, " n"],
) -> dict[str, Float[np.ndarray, "n h w"]]:
    """Each picture's class projected from the last layer, seeded with 1: magnitude over colours."""
    found, last = {}, Deconvnet(model).layers[-1]
    recorded = Deconvnet(model, nonlinearity="guided").forward(pictures, last)  # all that any method reads
    zeros = torch.zeros_like(labels)
    units = Units(torch.arange(len(labels), device=labels.device), labels, zeros, zeros)
    for method in METHODS:
        recording = replace(recorded, deconvnet=Deconvnet(model, nonlinearity=method))
        found[method] = to_host(seeded_with_ones(recording).project(units).pixels.norm(dim=1))
    return found


def seeded_with_ones(recording: Recording) -> Recording:
    """The recording with every activation 1."""
    return replace(recording, activations=torch.ones_like(recording.activations))


def randomisation_curves(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Mean over pictures of both measures: columns method, order, layer, measure, estimate, low, high, n."""
    found = []
    for key, group in table.groupby(["method", "order", "layer"], sort=False):
        of = dict(zip(("method", "order", "layer"), key, strict=True))
        for measure in MEASURES:
            found.append(of | {"measure": measure} | mean_over_pictures(group[measure], seed=seed))
    return pd.DataFrame(found)


def _maps(
    model: nn.Module, pictures: Tensor, labels: Tensor, batch: int
) -> dict[str, Float[np.ndarray, "n h w"]]:
    parts = zip(pictures.split(batch), labels.split(batch), strict=True)
    found = [class_maps(model, *part) for part in parts]
    return {method: np.concatenate([maps[method] for maps in found]) for method in METHODS}


def _ranks(maps: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n hw"]:
    return rankdata(maps.reshape(len(maps), -1), axis=1)


def _ssim(first: Float[np.ndarray, "h w"], second: Float[np.ndarray, "h w"]) -> float:
    if not (first.max() > 0 and second.max() > 0):
        return np.nan
    pair = (magnitude.astype(np.float64) / magnitude.max() for magnitude in (first, second))
    return float(structural_similarity(*pair, data_range=1.0))
