"""What else a followed map answers to: its projection on the picture, and on others (Fig. 7 c).

Zeiler & Fergus 2013, §4.2, set beside a picture the projection of the layer-5 map that is strongest on it,
with the same map's projections on other pictures: covering what they have in common should silence it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.data.pixels import Pixels
from zfutils.deconv.deconvnet import Deconvnet, Projections
from zfutils.deconv.top_activations import top_activations
from zfutils.deconv.top_projections import TopNine, top_nine
from zfutils.experiments.occlusion.sliding_patch import Occlusion


@dataclass(frozen=True)
class MapProjections:
    """A map's strongest activation on one picture, then on others, each projected into its whole picture."""

    number: int  # of the map in its layer
    projections: Float[np.ndarray, "k side side 3"]
    pictures: Int64[np.ndarray, " k"]  # rows of the set, the picture's own first


def map_projections(
    model: nn.Module,
    images: Pixels,
    found: Occlusion,
    *,
    pictures: Pixels | None = None,
    searched: Int64[Tensor, " m"],
    others: int = 3,
    side: int,
    scale: float,
) -> list[MapProjections]:
    """Project each picture's followed map, on the picture itself and where it is strongest elsewhere.

    Args:
        model: the network.
        images: the set in which others are searched.
        found: what was measured.
        pictures: the set that was measured; by default the same.
        searched: which images of the set; those that were measured do not count.
        others: how many.
        side, scale: as for `occlude`.

    Raises:
        ValueError: fewer other images than asked for.
    """
    deconvnet, how, layers = Deconvnet(model), {"side": side, "scale": scale}, [found.layer]
    own = images if pictures is None else pictures
    if pictures is None:
        searched = searched[~torch.isin(searched, torch.from_numpy(found.rows))]
    if not 1 <= others <= len(searched):
        raise ValueError(f"{others} other images were asked for, of {len(searched)}")
    elsewhere = top_activations(model, images, searched, layers=layers, k=others, **how)[found.layer]
    result = []
    for row, number in zip(found.rows.tolist(), found.maps.tolist(), strict=True):
        chosen, maps = torch.tensor([row]), torch.tensor([number])
        here = top_activations(model, own, chosen, layers=layers, k=1, **how)[found.layer]
        tops = [top_nine(deconvnet, own, here, maps=maps, **how)]
        tops.append(top_nine(deconvnet, images, elsewhere, maps=maps, **how))
        rows = torch.cat([top.strongest.images[0] for top in tops]).numpy()
        result.append(MapProjections(number, np.concatenate([_placed(top, side) for top in tops]), rows))
    return result


def _placed(top: TopNine, side: int) -> Float[np.ndarray, "k side side 3"]:
    """The projections of a single map in their places in the picture."""
    pixels = torch.from_numpy(top.projections[0]).permute(0, 3, 1, 2)
    corners = (torch.from_numpy(a[0]) for a in (top.tops, top.lefts))
    whole = Projections(pixels, *corners, top.strongest.values[0]).placed(side, side)
    return whole.permute(0, 2, 3, 1).numpy()
