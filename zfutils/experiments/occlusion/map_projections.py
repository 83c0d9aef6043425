"""What else a followed map answers to: its projection on the picture, and on others (Fig. 7 c).

Zeiler & Fergus 2013, §4.2, set beside a picture the projection of the layer-5 map that is strongest on it,
with the same map's projections on other pictures: covering what they have in common should silence it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_activations import top_activations
from zfutils.deconv.top_projections import project_top
from zfutils.experiments.occlusion.sliding_patch import Occlusion


@dataclass(frozen=True)
class MapProjections:
    """A map's strongest activation on one picture, then on another, each projected into its whole picture."""

    number: int  # of the map in its layer
    projections: Float[np.ndarray, "one_or_two side side 3"]


def map_projections(
    model: nn.Module, inputs: Inputs, found: Occlusion, searched: Inputs | None
) -> list[MapProjections]:
    """Project each picture's followed map, on the picture itself and where it is strongest elsewhere.

    Args:
        model: the network.
        inputs: the pictures that were measured.
        found: what was measured on them, in their order.
        searched: where another is searched; those that were measured do not count. None: no other.
    """
    deconvnet, how = Deconvnet(model), {"layers": [found.layer], "k": 1}
    if searched is not None:
        if searched.images is inputs.images:
            searched = searched.at(searched.rows[~torch.isin(searched.rows, inputs.rows)])
        elsewhere = top_activations(model, searched, **how)[found.layer]
    result = []
    for place, number in enumerate(found.maps.tolist()):
        picture, maps = inputs[place : place + 1], torch.tensor([number])
        here = top_activations(model, picture, **how)[found.layer]
        tops = [project_top(deconvnet, picture, here, maps=maps)]
        if searched is not None:
            tops.append(project_top(deconvnet, searched, elsewhere, maps=maps))
        placed = [top.placed(0, inputs.side) for top in tops]
        result.append(MapProjections(number, np.concatenate(placed)))
    return result
