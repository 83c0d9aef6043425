"""What filters and projections look like, as numbers: how rough, how alike, how much off the object.

A practitioner looks at a first layer for noise and for filters that repeat each other (Zeiler & Fergus 2013,
§4.1), and at projections for what excites a map (§4). The one idea: each of these looks is one number.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.top_projections import TopProjections, top_projections
from zfutils.nets.filters import filter_table
from zfutils.nets.layers import layers_of
from zfutils.runtime.devices import to_host

STRONGEST = 4  # projections of each map


def first_filters(model: nn.Module) -> Float[Tensor, "maps channels k k"]:
    """The weights of layer 1."""
    return next(iter(layers_of(model, nn.Conv2d).values())).weight.detach()


def roughness(weight: Float[Tensor, "maps channels k k"]) -> float:
    """Share of the filters' energy above 0.3 cycles per pixel; 0 for filters of zeros."""
    table = filter_table(weight)
    total = table["energy"].sum()
    return float((table["high_share"] * table["energy"]).sum() / total) if total > 0 else 0.0


def alikeness(rows: Float[np.ndarray, "n values"]) -> float:
    """Mean absolute cosine between pairs of rows other than zeros; 0 where there are fewer than two."""
    rows = rows[np.linalg.norm(rows, axis=1) > 0]
    if len(rows) < 2:
        return 0.0
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return float((np.abs(unit @ unit.T).sum() - len(rows)) / (len(rows) * (len(rows) - 1)))


def projected(model: nn.Module, inputs: Inputs, layer: str) -> TopProjections:
    """The strongest activations of every map of a layer, projected."""
    return top_projections(model, inputs, layers=[layer], k=STRONGEST)[layer]


def off_the_object(top: TopProjections, objects: Bool[np.ndarray, "images side side"]) -> float:
    """Share of the projections' energy at pixels that are not the object's.

    Args:
        top: projections.
        objects: which pixels are the object's, for every image of the set that was searched, by its row.

    Returns:
        0 where every projection is blank.
    """
    window, side = top.projections.shape[2], objects.shape[1]
    energy = np.square(top.projections).sum(-1)
    y, x = (start[..., None] + np.arange(window) for start in (top.tops, top.lefts))
    rows = to_host(top.strongest.images)[..., None, None]
    where = (y.clip(0, side - 1)[..., :, None], x.clip(0, side - 1)[..., None, :])
    off = ~objects[rows, *where]
    return float(energy[off].sum() / energy.sum()) if energy.any() else 0.0


def strongest_alone(top: TopProjections) -> Float[np.ndarray, "maps pixels"]:
    """The strongest projection of each map as a row; zeros where a map answers to nothing."""
    answered = to_host(torch.as_tensor(top.strongest.values))[:, 0] > 0
    return top.projections[:, 0].reshape(len(top.maps), -1) * answered[:, None]
