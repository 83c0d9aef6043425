"""Projections of a map's strongest activations beside the patches they come from (Fig. 2).

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

from zfutils.data.inputs import Inputs
from zfutils.data.preprocessing import Preprocessing
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_activations import TopActivations, top_activations
from zfutils.deconv.units import Projections, Units
from zfutils.nets.activations import Images, taken
from zfutils.nets.geometry import Window
from zfutils.runtime.devices import device_of, dtype_of, to_host

UNITS_AT_ONCE = 96  # whose pictures are held in memory together


@dataclass(frozen=True)
class TopProjections:
    """The strongest activations of some maps of a layer, projected, with the patches they come from.

    Attributes:
        strongest: of these maps.
        maps: their numbers in the layer.
        projections: (maps, k, side, side, channels), zero outside the picture.
        patches: of the same shape, in 0…255.
        inside: what of each window lies in the picture, (maps, k, side, side).
        tops, lefts: the windows' corners in the picture (pixels), (maps, k).
    """

    strongest: TopActivations
    maps: Int64[Tensor, " maps"]
    projections: Float[np.ndarray, "maps k side side channels"]
    patches: UInt8[np.ndarray, "maps k side side channels"]
    inside: Bool[np.ndarray, "maps k side side"]
    tops: Int64[np.ndarray, "maps k"]
    lefts: Int64[np.ndarray, "maps k"]

    def some(self, n: int, *, seed: int) -> "TopProjections":
        """A random choice of its maps (`TopActivations.some`)."""
        return self.of(self.strongest.some(n, seed=seed))

    def placed(self, index: int, side: int) -> Float[np.ndarray, "k side side channels"]:
        """The projections of one of these maps in their places in pictures of a side (pixels)."""
        pixels = torch.from_numpy(self.projections[index]).permute(0, 3, 1, 2)
        corners = (torch.from_numpy(ends[index]) for ends in (self.tops, self.lefts))
        whole = Projections(pixels, *corners, self.strongest.values[index]).placed(side, side)
        return to_host(whole.permute(0, 2, 3, 1))

    def of(self, places: Int64[Tensor, " m"]) -> "TopProjections":
        """Those of some of these maps, by their place here."""
        arrays = (self.projections, self.patches, self.inside, self.tops, self.lefts)
        at = to_host(places)
        return TopProjections(self.strongest.of(places), self.maps[places], *(a[at] for a in arrays))


def project_top(
    deconvnet: Deconvnet,
    inputs: Inputs,
    found: TopActivations,
    *,
    maps: Int64[Tensor, " m"] | None = None,
) -> TopProjections:
    """Project the strongest activations of a layer and cut out their patches.

    Where channels have scales of their own, projections are brought to one scale of levels
    (`Inputs.in_levels`). A window that is larger than the picture is the picture.

    Args:
        deconvnet: of the network that was searched.
        inputs: the images that were searched.
        found: by `top_activations`, over the same images.
        maps: which maps of the layer; all by default.

    Raises:
        ValueError: maps that are not there.
    """
    window, found = deconvnet.window(found.layer, inputs.side), found.on("cpu")
    if whole := window.kernel > inputs.side:
        window = Window(inputs.side, 0, 0)
    maps = torch.arange(len(found)) if maps is None else maps.cpu()
    if not len(maps) or maps.min() < 0 or maps.max() >= len(found):
        raise ValueError(f"{found.layer} has maps 0…{len(found) - 1}, asked for were {maps.tolist()}")
    chosen, channels = found.of(maps), inputs.images.pixels.shape[3]
    where = {"device": device_of(deconvnet.model), "dtype": dtype_of(deconvnet.model)}
    shape = (*chosen.values.shape, window.kernel, window.kernel)
    projections = np.zeros((*shape, channels), dtype=np.float32)
    order = chosen.images.flatten().argsort(stable=True)  # units of one picture together
    for part in order.split(UNITS_AT_ONCE):
        at = np.unravel_index(to_host(part), chosen.values.shape)
        rows, place = chosen.images.flatten()[part].unique(return_inverse=True)
        units = Units(place, maps[at[0]], chosen.rows.flatten()[part], chosen.columns.flatten()[part])
        pictures = inputs.at(rows).tensor(**where)
        patterns = deconvnet.project(pictures, found.layer, units, whole=whole)
        projections[at] = to_host(inputs.in_levels(patterns.pixels).permute(0, 2, 3, 1))
    corners = [to_host(t * window.stride - window.padding) for t in (chosen.rows, chosen.columns)]
    patches, inside = _patches(inputs, to_host(chosen.images), *corners, window.kernel)
    return TopProjections(chosen, maps, projections, patches, inside, *corners)


def _patches(
    inputs: Inputs, rows: np.ndarray, tops: np.ndarray, lefts: np.ndarray, kernel: int
) -> tuple[np.ndarray, np.ndarray]:
    """What of the crops lies in each window; what lies outside is black, and said to be outside."""
    places = [start[..., None] + np.arange(kernel) for start in (tops, lefts)]
    within = [(p >= 0) & (p < inputs.side) for p in places]
    y, x = (p.clip(0, inputs.side - 1) + inputs.corner for p in places)
    inside = within[0][..., :, None] & within[1][..., None, :]
    patches = to_host(inputs.images.pixels)[rows[..., None, None], y[..., :, None], x[..., None, :]]
    return patches * inside[..., None], inside


def strongest_maps(deconvnet: Deconvnet, picture: Inputs, layer: str, *, k: int = 9) -> TopProjections:
    """The maps of a layer that answer a single picture most, each projected from its strongest position.

    Args:
        deconvnet: of the network.
        picture: a single image, as the network sees it.
        layer: of the maps.
        k: how many maps.

    Returns:
        The k maps, strongest first, with one projection each.
    """
    found = top_activations(deconvnet.model, picture, layers=[layer], k=1)[layer]
    maps = found.values[:, 0].argsort(descending=True, stable=True)[:k]
    return project_top(deconvnet, picture, found, maps=maps)


def top_projections(
    model: nn.Module,
    images: Images,
    *,
    layers: Sequence[str] | None = None,
    k: int = 9,
    preprocessing: Preprocessing | None = None,
) -> dict[str, TopProjections]:
    """Search images for the strongest activations of every map of several layers, and project them all.

    Args:
        model: the network.
        images: that are searched: a folder, files, arrays of bytes or `Inputs`; of a tensor that is
            preprocessed nobody knows the pixels, which are the patches.
        layers, k, preprocessing: as for `top_activations`.

    Returns:
        By layer, with all its maps in order.

    Raises:
        ValueError: a preprocessed tensor, or as for `top_activations`.
    """
    inputs = taken(model, images, preprocessing)
    if isinstance(inputs, Tensor):
        raise ValueError("patches are cut from pixels of 8 bits; give files, arrays of bytes or Inputs")
    found, deconvnet = top_activations(model, inputs, layers=layers, k=k), Deconvnet(model)
    return {layer: project_top(deconvnet, inputs, found[layer]) for layer in found}
