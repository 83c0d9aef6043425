"""Nine projections beside nine patches: what a map's strongest activations are about (Fig. 2).

Zeiler & Fergus 2013, §4: for each of the nine, the pattern that the deconvnet gives and the piece of the
picture that the unit sees. Pattern and patch are cut by the same exact window, the unit's receptive field, so
that they can be laid over each other; where the window reaches past the picture's border, there is nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from zfutils.data.pixels import Pixels
from zfutils.deconv.deconvnet import Deconvnet, Units
from zfutils.deconv.top_activations import TopActivations, top_activations

UNITS_AT_ONCE = 96  # whose pictures are held in memory together


@dataclass(frozen=True)
class TopNine:
    """The strongest activations of some maps of a layer, projected, with the patches they come from."""

    strongest: TopActivations  # of these maps
    maps: Int64[Tensor, " maps"]  # their numbers in the layer
    projections: Float[np.ndarray, "maps k side side 3"]  # zero outside the picture
    patches: UInt8[np.ndarray, "maps k side side 3"]
    inside: Bool[np.ndarray, "maps k side side"]  # what of the window lies in the picture
    tops: Int64[np.ndarray, "maps k"]  # the window's corner in the picture (pixels)
    lefts: Int64[np.ndarray, "maps k"]

    def some(self, n: int, *, seed: int) -> "TopNine":
        """A random choice of its maps (`TopActivations.some`)."""
        return self.of(self.strongest.some(n, seed=seed))

    def of(self, places: Int64[Tensor, " m"]) -> "TopNine":
        """Those of some of these maps, by their place here."""
        arrays = (self.projections, self.patches, self.inside, self.tops, self.lefts)
        return TopNine(self.strongest.of(places), self.maps[places], *(a[places.numpy()] for a in arrays))


def top_nine(
    deconvnet: Deconvnet,
    images: Pixels,
    found: TopActivations,
    *,
    maps: Int64[Tensor, " m"] | None = None,
    side: int,
    scale: float,
    batch: int = 32,
) -> TopNine:
    """Project the strongest activations of a layer and cut out their patches.

    Args:
        deconvnet: of the network that was searched.
        images: the set that was searched.
        found: by `top_activations`, over the same crops.
        maps: which maps of the layer; all by default.
        side: of the centre crop that was searched (pixels).
        scale: what centred pixels are multiplied by.
        batch: units at a time on the way up and down; bounds the memory.

    Raises:
        ValueError: a layer whose units see the whole picture, or maps that are not there.
    """
    window = deconvnet.window(found.layer)
    maps = torch.arange(len(found)) if maps is None else maps
    if not len(maps) or maps.min() < 0 or maps.max() >= len(found):
        raise ValueError(f"{found.layer} has maps 0…{len(found) - 1}, asked for were {maps.tolist()}")
    chosen = found.of(maps)
    shape = (*chosen.values.shape, window.kernel, window.kernel)
    projections = np.zeros((*shape, 3), dtype=np.float32)
    order = chosen.images.flatten().argsort(stable=True)  # units of one picture together
    for part in order.split(UNITS_AT_ONCE):
        at = np.unravel_index(part.numpy(), chosen.values.shape)
        rows, place = chosen.images.flatten()[part].unique(return_inverse=True)
        (view,) = next(images.views(rows, crops=1, batch=len(rows), side=side, scale=scale))
        units = Units(place, maps[at[0]], chosen.rows.flatten()[part], chosen.columns.flatten()[part])
        patterns = deconvnet.project(view.images, found.layer, units, batch=batch)
        projections[at] = patterns.pixels.permute(0, 2, 3, 1).numpy()
    margin = (images.size - side) // 2
    tops, lefts = ((t * window.stride - window.padding).numpy() for t in (chosen.rows, chosen.columns))
    patches, inside = _patches(images, chosen.images.numpy(), tops, lefts, window.kernel, side, margin)
    return TopNine(chosen, maps, projections, patches, inside, tops, lefts)


def _patches(images, numbers, tops, lefts, kernel, side, margin) -> tuple[np.ndarray, np.ndarray]:
    """What of the crops lies in each window; what lies outside is black, and said to be outside."""
    places = [start[..., None] + np.arange(kernel) for start in (tops, lefts)]
    within = [(p >= 0) & (p < side) for p in places]
    rows, columns = (p.clip(0, side - 1) + margin for p in places)
    inside = within[0][..., :, None] & within[1][..., None, :]
    patches = images.pixels.numpy()[numbers[..., None, None], rows[..., :, None], columns[..., None, :]]
    return patches * inside[..., None], inside


def strongest_maps(
    deconvnet: Deconvnet,
    model: nn.Module,
    picture: Pixels,
    layer: str,
    *,
    k: int = 9,
    side: int,
    scale: float,
) -> TopNine:
    """The maps of a layer that answer a single picture most, each projected from its strongest place.

    Args:
        deconvnet: of the model.
        model: the network.
        picture: a set of one, as `own_picture` gives it.
        layer: of the maps.
        k: how many maps.
        side, scale: as for `top_nine`.

    Returns:
        The k maps, strongest first, with one projection each.
    """
    none = torch.zeros(1, dtype=torch.int64)
    found = top_activations(model, picture, none, layers=[layer], k=1, side=side, scale=scale)[layer]
    maps = found.values[:, 0].argsort(descending=True, stable=True)[:k]
    return top_nine(deconvnet, picture, found, maps=maps, side=side, scale=scale)


def survey(
    model: nn.Module,
    images: Pixels,
    chosen: Int64[Tensor, " n"],
    *,
    layers: Sequence[str],
    k: int = 9,
    side: int,
    scale: float,
) -> dict[str, TopNine]:
    """Search a set for the strongest activations of every map of several layers, and project them all.

    Args:
        model: the network.
        images: the set, centred as in training.
        chosen: which of its images.
        layers: convolutional ones; "relu5" is the paper's layer 5.
        k: how many of each map.
        side: of the centre crop (pixels); the images' own size shows all.
        scale: what centred pixels are multiplied by, as in training.

    Returns:
        By layer, with all its maps in order.
    """
    found = top_activations(model, images, chosen, layers=layers, k=k, side=side, scale=scale)
    deconvnet = Deconvnet(model)
    return {layer: top_nine(deconvnet, images, found[layer], side=side, scale=scale) for layer in layers}
