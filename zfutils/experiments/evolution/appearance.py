"""How a map's appearance moves while the network trains, and jumps (Zeiler & Fergus 2013, §4 and Fig. 4).

The paper shows each map by the projection of its strongest activation at several epochs, and says that it
jumps where another picture becomes the strongest. The one idea here: compare a map with itself, where its
picture changed and where it stayed; and take off what the same comparison gives with the picture held fixed,
since early snapshots differ more in everything.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isnan, nan
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_activations import TopActivations
from zfutils.deconv.top_projections import project_top
from zfutils.runtime.devices import to_host
from zfutils.stats.intervals import Interval, bootstrap_interval, paired_difference, where_enough

ARMS = ("free", "held")  # the picture that is strongest at each snapshot, and the last snapshot's throughout
BEYOND = "as it is found, minus held fixed"
OUTSIDE = 128  # grey value of a patch where its window leaves the picture


def changes(found: Mapping[float, Mapping[str, TopActivations]]) -> pd.DataFrame:
    """Share of maps whose strongest picture is another one than at the snapshot before.

    Maps that answer to no picture at either snapshot have no strongest one and are left out.

    Args:
        found: by epoch and layer, over the same images; the first of k counts.

    Returns:
        Columns layer, from_epoch, to_epoch, maps (how many count), changed (share of them; NaN of none) and
        per_epoch (that share over the epochs between, a lower bound: a change back is not seen).
    """
    rows = []
    for (start, before), (end, after) in pairwise(sorted(found.items())):
        for layer in before:
            live = _live(before[layer]) & _live(after[layer])
            other = to_host(before[layer].images[:, 0] != after[layer].images[:, 0])
            share = float(other[live].mean()) if live.any() else nan
            rows.append((layer, start, end, int(live.sum()), share, share / (end - start)))
    return pd.DataFrame(rows, columns=["layer", "from_epoch", "to_epoch", "maps", "changed", "per_epoch"])


def strongest_on_windows(
    model: nn.Module, inputs: Inputs, found: TopActivations, maps: Int64[Tensor, " m"]
) -> tuple[Float[np.ndarray, "m s s channels"], UInt8[np.ndarray, "m s s channels"]]:
    """The strongest activation of some maps on its unit's window: its projection, and the patch below it.

    The picture and the unit are those of `found`, the weights those of `model`: with another snapshot's
    `found` the picture is held fixed, and where the unit then does not answer the projection is zero.

    Args:
        model: as `Deconvnet` takes it.
        inputs: the images that `found` was searched in.
        found: the strongest activations of a layer; the first of k is projected.
        maps: rows of `found`, which are the layer's maps.

    Returns:
        Projections, float32, and patches, mid-grey where the window leaves the picture; s is the side of the
        layer's receptive field (pixels).

    Raises:
        ValueError: no maps, or one that the layer lacks.
    """
    top = project_top(Deconvnet(model), inputs, found, maps=maps)
    patches = np.where(top.inside[..., None], top.patches, np.uint8(OUTSIDE))
    return top.projections[:, 0], patches[:, 0]


def lines_of_snapshots(
    models: Mapping[int, nn.Module],
    inputs: Inputs,
    found: Mapping[int, Mapping[str, TopActivations]],
    layer: str,
    *,
    count: int,
    seed: int = 0,
) -> dict[str, Any]:
    """Some maps of a layer at every snapshot, as the paper's Fig. 4 sets them in lines.

    Args:
        models: the network by epoch.
        inputs: the images that were searched.
        found: by epoch and layer.
        layer: whose maps.
        count: how many; of those that respond at the last snapshot.
        seed: of the choice.

    Returns:
        projections and patches (maps, epochs, s, s, channels), images (maps, epochs), the rows they are of,
        epochs, and maps, their numbers; what `figures.fig_4` takes.
    """
    maps = found[max(found)][layer].some(count, seed=seed)
    parts: dict[str, list] = {"projections": [], "patches": [], "images": []}
    for epoch, best in sorted(found.items()):
        projections, patches = strongest_on_windows(models[epoch], inputs, best[layer], maps)
        parts["projections"].append(projections)
        parts["patches"].append(patches)
        parts["images"].append(to_host(best[layer].images[maps, 0]))
    arrays = {name: np.stack(values, 1) for name, values in parts.items()}
    return arrays | {"epochs": sorted(found), "maps": maps.tolist()}


def moves(
    models: Mapping[int, nn.Module],
    inputs: Inputs,
    found: Mapping[int, Mapping[str, TopActivations]],
    *,
    layers: Sequence[str],
    maps: int,
    seed: int = 0,
) -> pd.DataFrame:
    """How far projections move between successive snapshots, with the picture free and with it held.

    Args:
        models: the network by epoch.
        inputs: the images that were searched.
        found: by epoch and layer.
        layers: which layers.
        maps: how many maps of each, chosen by the seed among those that answer at the end.
        seed: of the choice of maps.

    Returns:
        Columns layer, map, from_epoch, to_epoch, changed (bool, whether the strongest picture did), free
        (distance between the projections of what is strongest at either snapshot) and held (distance between
        those of the last snapshot's strongest activation, the control). Only pairs of snapshots that have
        both distances (`jumps`).
    """
    last, tables = found[max(found)], []
    for layer in layers:
        chosen = last[layer].some(maps, seed=seed)
        of_layer = {epoch: of[layer] for epoch, of in found.items()}
        end = strongest_on_windows(models[max(found)], inputs, last[layer], chosen)[0]
        free, held = {max(found): end}, {max(found): end}
        for epoch in sorted(of_layer)[:-1]:
            model = models[epoch]
            free[epoch] = strongest_on_windows(model, inputs, of_layer[epoch], chosen)[0]
            held[epoch] = strongest_on_windows(model, inputs, last[layer], chosen)[0]
        tables.append(jumps(dict(zip(ARMS, (free, held), strict=True)), of_layer, chosen))
    return pd.concat(tables, ignore_index=True)


def jumps(
    arms: Mapping[str, Mapping[float, Float[np.ndarray, "m s s 3"]]],
    found: Mapping[float, TopActivations],
    maps: Int64[Tensor, " m"],
) -> pd.DataFrame:
    """How far each map's projection moves from one snapshot to the next, and whether its picture changed.

    The distance is 1 minus the Pearson correlation over the whole window's pixels and colours. Windows of
    different pictures or units are correlated as they are, without alignment. Pairs in which a map answers
    to no picture, or a projection of any arm is constant, have no distance and are left out.

    Args:
        arms: projections by arm and epoch, as `strongest_on_windows` gives them.
        found: by the same epochs, of one layer; says whether the strongest picture changed.
        maps: which maps the projections are of.

    Returns:
        Columns layer, map, from_epoch, to_epoch, changed (bool), and the distance in every arm (0 to 2).
    """
    rows = []
    for start, end in pairwise(sorted(found)):
        before, after = found[start], found[end]
        live = _live(before) & _live(after)
        other = to_host(before.images[:, 0] != after.images[:, 0])
        for row, which in enumerate(maps.tolist()):
            distances = [_distance(arm[start][row], arm[end][row]) for arm in arms.values()]
            if live[which] and not any(map(isnan, distances)):
                rows.append((before.layer, which, start, end, bool(other[which]), *distances))
    columns = {"layer": str, "map": int, "from_epoch": float, "to_epoch": float, "changed": bool}
    columns |= dict.fromkeys(arms, float)
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def jump_sizes(table: pd.DataFrame) -> pd.DataFrame:
    """How much farther each map moves where its strongest picture changed than where it stayed.

    Args:
        table: as `moves` gives it. Maps whose picture always changed, or never did, are left out.

    Returns:
        Columns layer, map, free and held: mean distance where the picture changed minus mean distance where
        it stayed, with the picture free and with it held at the same snapshots.
    """
    means = table.groupby(["layer", "map", "changed"], sort=False)[list(ARMS)].mean().unstack("changed")
    both = means.reindex(columns=pd.MultiIndex.from_product([ARMS, (True, False)])).dropna()
    return pd.DataFrame({arm: both[arm][True] - both[arm][False] for arm in ARMS}).reset_index()


def jump_intervals(sizes: pd.DataFrame, *, seed: int = 0) -> dict[str, Interval | None]:
    """What a change of the image adds to the distance: as it is found, with the image held, the difference.

    Args:
        sizes: as `jump_sizes` gives it.
        seed: of the resampling.

    Returns:
        Means over maps, maps resampled, in pairs for the difference `BEYOND`; None below eight maps.
    """
    arms = {"as it is found": "free", "held fixed, the control": "held"}
    found = {
        words: where_enough(bootstrap_interval, sizes[arm], resampled="maps", seed=seed)
        for words, arm in arms.items()
    }
    pairs = sizes["free"], sizes["held"]
    return found | {BEYOND: where_enough(paired_difference, *pairs, resampled="maps", seed=seed)}


def _live(found: TopActivations) -> np.ndarray:
    return to_host(found.values[:, 0] > 0)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """1 minus the Pearson correlation; NaN where either is constant."""
    x, y = (array.astype(np.float64).ravel() for array in (a, b))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return nan
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip(1 - x @ y / np.sqrt((x @ x) * (y @ y)), 0, 2))
