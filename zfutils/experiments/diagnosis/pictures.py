"""The pictures of a network that are looked at: filters, projections, falls under the square.

Zeiler & Fergus 2013 show filters (Fig. 6), projections beside their patches (Fig. 2) and what is lost under a
square (Fig. 7). Of networks that are not trained again, the first two are kept as bytes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.top_projections import TopProjections, top_projections
from zfutils.experiments.diagnosis import appearance, covering
from zfutils.plotting.tiles import colours_and_mask, eight_bits
from zfutils.runtime.devices import to_host

VERSION = 1  # raised by hand when what is kept changes its meaning
SEARCHED = 1000  # pictures, for the strongest activations
KEPT = {"relu3": 6, "relu5": 2}  # maps whose strongest projection is kept


@dataclass(frozen=True)
class Pictures:
    """What is shown of a network on digits."""

    filters: UInt8[np.ndarray, "maps k k channels"]
    projections: TopProjections  # of layer 2
    shown: UInt8[np.ndarray, "n side side"]
    falls: Float[np.ndarray, "n rows columns"]  # of the log-odds of the class that the network names


def of_digits(model: nn.Module, validation: Inputs, rows: slice, *, logits: str) -> Pictures:
    """Pictures of a LeNet-5.

    Args:
        model: the network.
        validation: digits that are searched, as it sees them.
        rows: which of them are covered.
        logits: name of its last layer.
    """
    return Pictures(
        filter_tiles(model),
        appearance.projected(model, validation, "relu2"),
        validation[rows].pixels()[..., 0],
        covering.falls(model, validation[rows], logits),
    )


def kept(model: nn.Module, inputs: Inputs) -> dict[str, UInt8[np.ndarray, "..."]]:
    """Pictures of a ZFNet as bytes: filters, and projections with patches of the maps that answer most.

    Args:
        model: the network.
        inputs: pictures that are searched, the first `SEARCHED` of them.

    Returns:
        filters; and for each layer of `KEPT` projections_LAYER and patches_LAYER, (maps, side, side, 3).
    """
    found = {"filters": filter_tiles(model)}
    searched = inputs[:SEARCHED]
    for layer, top in top_projections(model, searched, layers=list(KEPT), k=1).items():
        strongest = to_host(top.strongest.values[:, 0].argsort(descending=True, stable=True))
        shown = [colours_and_mask(top, index) for index in strongest[: KEPT[layer]]]
        found[f"projections_{layer}"] = np.stack([colours[0] for colours, _, _ in shown])
        found[f"patches_{layer}"] = np.stack([patches[0] for _, patches, _ in shown])
    return found


def filter_tiles(model: nn.Module) -> UInt8[np.ndarray, "maps k k channels"]:
    """Filters of layer 1 as bytes: mid-grey is 0, all on the scale of the largest weight."""
    weight = to_host(appearance.first_filters(model)).transpose(0, 2, 3, 1)
    largest = np.abs(weight).max()
    return eight_bits(0.5 + 0.5 * weight / (largest if largest > 0 else 1))
