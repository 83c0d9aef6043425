"""Does a network treat the same part of different faces alike? (Zeiler & Fergus 2013, §4.3, Fig. 8, Table 1)

A part of face i is covered; ε_i = x_i − x̃_i is the change of the feature vector x_i at a layer. Δ of a part
is the mean over ordered pairs i ≠ j of the share of units in which sign(ε_i) and sign(ε_j) differ. The sign
has three values: |ε| ≤ 1e-6 · max|x_i| counts as 0, as most units of a ReLU's output do not change at all.
The lower Δ, the more alike the change. But Δ also falls when fewer units change, so what it is held against
must change as many (`matching`).
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

from zfutils.experiments.correspondence.faces import PARTS
from zfutils.experiments.correspondence.occluders import PLACE, Occluders
from zfutils.experiments.correspondence.sign_agreement import SignChanges, over_pairs, pairs
from zfutils.nets.activations import forward
from zfutils.runtime.devices import device_of, to_host

LAYERS = ("relu5", "relu7")
TOLERANCE = 1e-6  # of the largest activation
PAPER = pd.DataFrame(  # Table 1; what ± means is not said
    [
        ("right eye", 0.067, 0.007, 0.069, 0.015),
        ("left eye", 0.069, 0.007, 0.068, 0.013),
        ("nose", 0.079, 0.017, 0.069, 0.011),
        ("random", 0.107, 0.017, 0.073, 0.014),
    ],
    columns=["occluded", "relu5", "relu5_spread", "relu7", "relu7_spread"],
)


def sign_changes(
    model: nn.Module,
    images: Float[Tensor, "n c side side"],
    squares: Occluders,
    *,
    grey: Float[Tensor, "c side side"],
    layers: Sequence[str] = LAYERS,
    tolerance: float = TOLERANCE,
    batch: int = 128,
) -> SignChanges:
    """Which units rise and which fall when a square covers part of a face.

    Args:
        model: a plain chain of layers, in whatever mode; it is evaluated in eval mode.
        images: faces, as the network takes them.
        squares: on each face.
        grey: what the squares show, as the network takes it.
        layers: names in the chain.
        tolerance: of the face's largest activation in the layer; a change that is not larger has the sign 0.
        batch: pictures at a time.

    Raises:
        ValueError: a layer that the network does not have.
    """
    device = device_of(model)
    grey, masks = grey.to(device), torch.from_numpy(squares.masks())[:, :, None]
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    for part in torch.arange(len(images)).split(batch):
        some = images[part].to(device)
        whole = forward(model, some, layers)
        signs: dict[str, list[Tensor]] = {layer: [] for layer in layers}
        for mask in masks[:, part]:
            covered = forward(model, torch.where(mask.to(device), grey, some), layers)
            for layer, x in whole.items():
                signs[layer].append(signs_of_change(x.flatten(1), covered[layer].flatten(1), tolerance))
        for layer in layers:
            found[layer].append(to_host(torch.stack(signs[layer])))
    return SignChanges(squares.names, {layer: np.concatenate(s, 1) for layer, s in found.items()})


def signs_of_change(
    x: Float[Tensor, "n units"],
    covered: Float[Tensor, "n units"],
    tolerance: float,
) -> Int8[Tensor, "n units"]:
    """The sign of ε: 1 where covering lowers a unit, −1 where it raises it, 0 where nothing changes.

    Args:
        x, covered: features of faces, and of the same faces covered.
        tolerance: of the face's largest activation; a change that is not larger counts as none.
    """
    change = x - covered
    silent = tolerance * x.abs().amax(1, keepdim=True)
    return (change.sign() * (change.abs() > silent)).to(torch.int8)


def of_few(changes: SignChanges, rows: Sequence[int], *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """The paper's protocol, with few faces: on some that are named, and on draws of as many others.

    Args:
        rows: the faces.

    Returns:
        One row per layer and name: delta and spread, mean and standard deviation over the pairs of the named
        faces (over places too, where they are random); across, the standard deviation of delta over draws;
        and ordered, the share of draws in which every part's Δ is below that of random places, the same in
        every row of a layer.
    """
    n, few = changes.n, np.asarray(rows)
    rng = np.random.default_rng(seed)
    drawn = np.zeros((draws, n))
    np.put_along_axis(drawn, rng.random((draws, n)).argsort(1)[:, : len(few)], 1.0, axis=1)
    tables = []
    for layer in changes.signs:
        found, of_draws = [], {}
        for name in dict.fromkeys(changes.names):
            own = [pairs(signs, signs).differ for signs in changes.of(layer, name)]
            of_draws[name] = np.mean([over_pairs(table, drawn) for table in own], axis=0)
            values = np.concatenate([t[np.ix_(few, few)][np.triu_indices(len(few), 1)] for t in own])
            spread = values.std(ddof=1) if len(values) > 1 else math.nan
            found.append((layer, name, values.mean(), spread, of_draws[name].std()))
        table = pd.DataFrame(found, columns=["layer", "occluded", "delta", "spread", "across"])
        highest = np.max([of_draws[part] for part in PARTS], axis=0)
        tables.append(table.assign(ordered=float((highest < of_draws[PLACE]).mean())))
    return pd.concat(tables, ignore_index=True)
