"""How much of a response is texture: what survives when tiles of the unit's window change places (Fig. 2).

Zeiler & Fergus 2013, §4, find textures in layer 3, parts and objects above. Cutting a patch into tiles that
change places leaves a texture what it was and takes an object apart. The one idea: what a unit still answers
to such a patch, it does not owe to the arrangement.
"""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.tiles import SMALLEST_TILE, shuffle_tiles
from zfutils.deconv.top_activations import TopActivations
from zfutils.nets.activations import forward
from zfutils.runtime.devices import device_of, dtype_of, to_host
from zfutils.runtime.seeds import mixed

SAME = 0.1  # of the greatest activation; half precision moves them by a hundredth


def shuffled_response(
    model: nn.Module,
    inputs: Inputs,
    found: TopActivations,
    numbers: Int64[Tensor, " maps"],
    *,
    seed: int = 0,
    batch: int = 32,
) -> pd.DataFrame:
    """What is left of the strongest activations when tiles of the units' windows change places.

    Tiles have a quarter of the window's side, 4 px at least. They fill the part of the window that lies in
    the picture; a rim narrower than a tile stays, and so does the rest of the picture. Every tile moves (one
    cycle drawn at random). Both responses are the same unit's, at the same place. The seams between tiles
    are edges that the picture did not have.

    Args:
        model: as the deconvnet takes it.
        inputs: the images that were searched.
        found: their strongest activations in some maps of one convolutional layer.
        numbers: of these maps in the layer.
        seed: of every patch's cycle; a map's own do not depend on the others.
        batch: pictures at a time.

    Returns:
        Columns map, rank (0 is the strongest), kept (response to the shuffled window over that to the window
        itself). NaN where the unit does not answer, or too little of its window lies in the picture to
        hold two tiles.

    Raises:
        ValueError: windows below 8 px, which hold a single tile (layer 1); another side or scale than the
            search's.
    """
    field = Deconvnet(model).window(found.layer)
    if field.kernel < 2 * SMALLEST_TILE:
        raise ValueError(
            f"windows of {found.layer!r} are {field.kernel} px; two tiles of {SMALLEST_TILE} px that change "
            f"places need {2 * SMALLEST_TILE}"
        )
    units, kept = _units(found, numbers), []
    for start in range(0, len(units), batch):
        some = units.iloc[start : start + batch]
        rows, place = np.unique(some["picture"], return_inverse=True)
        pictures = inputs.at(torch.from_numpy(rows)).tensor(device_of(model), dtype_of(model))
        changed = pictures[torch.from_numpy(place)]
        moved = [
            shuffle_tiles(picture, unit.row, unit.column, field, seed=mixed(seed, unit.map, unit.rank))
            for picture, unit in zip(changed, some.itertuples(), strict=True)
        ]
        at = [torch.tensor(some[name].to_numpy()) for name in ("map", "row", "column")]
        if not kept:  # at another side or scale the first pictures tell
            own = to_host(forward(model, pictures, [found.layer])[found.layer])[(place, *at)]
            if np.abs(own - some["value"]).max() > SAME * units["value"].max():
                raise ValueError(
                    f"at side {inputs.side} and scale {inputs.scale:g} {found.layer!r} does not give the "
                    "activations found"
                )
        before, of = some["value"].to_numpy(), torch.arange(len(some))
        after = to_host(forward(model, changed, [found.layer])[found.layer][(of, *at)])
        with np.errstate(divide="ignore", invalid="ignore"):
            kept.append(np.where(np.array(moved) & (before > 0), after / before, np.nan))
    units["kept"] = np.concatenate(kept)
    return units[["map", "rank", "kept"]].sort_values(["map", "rank"], ignore_index=True)


def _units(found: TopActivations, numbers: Int64[Tensor, " maps"]) -> pd.DataFrame:
    """The activations to measure, one row each, ordered by picture so that units share its own pass."""
    maps, k = found.values.shape
    places = {"picture": found.images, "row": found.rows, "column": found.columns, "value": found.values}
    columns = {name: to_host(values).ravel() for name, values in places.items()}
    units = pd.DataFrame(
        {"map": np.repeat(to_host(numbers), k), "rank": np.tile(np.arange(k), maps), **columns}
    )
    return units.sort_values("picture", kind="stable", ignore_index=True)
