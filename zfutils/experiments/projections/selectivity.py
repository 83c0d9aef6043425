"""What a layer's units care for, in numbers: orientation, colour, texture (Zeiler & Fergus 2013, §4, Fig. 2).

The paper reads its hierarchy off the pictures: corners and edge-colour conjunctions in layer 2, textures in
layer 3, parts and objects above. The one idea: each step of that is a number of every map. Orientation and
colour are read from the projections here, texture from the network (`tile_shuffling`), class and likeness
from the nine strongest (`within_map_similarity`).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int64
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.tiles import SMALLEST_TILE
from zfutils.deconv.top_projections import TopProjections
from zfutils.experiments.projections.tile_shuffling import shuffled_response
from zfutils.experiments.projections.within_map_similarity import commonest_class_share
from zfutils.runtime.devices import to_host
from zfutils.stats.intervals import bootstrap_interval, t_interval, where_enough

TEXTURE_MAPS = 48  # of a layer, whose windows are shuffled
NOISE_COLOUR = 2 / 3  # of the energy of white noise in three channels; grey is one direction of three


def orientation(
    projections: Float[np.ndarray, "maps k side side 3"],
    *,
    inside: Bool[np.ndarray, "maps k side side"] | None = None,
) -> Float[np.ndarray, "maps k"]:
    """How much of a projection's structure has one orientation: the coherence of its structure tensor.

    Gradients are differences within squares of 2 × 2 pixels, so that a plane wave of any frequency has
    one direction of gradient, and their energy is summed over the window and the three colours. Small
    windows hold few independent gradients: noise lies above 0 there, hence the random network beside it.

    Args:
        projections: on their windows.
        inside: which pixels lie in the picture; without it the picture's border counts as an edge.

    Returns:
        (λ1 - λ2) / (λ1 + λ2) of the tensor's eigenvalues: 0 where no orientation prevails, 1 where there is
        only one. NaN for a projection without gradient, such as one of zeros.
    """
    found = np.empty(projections.shape[:2])
    for i, nine in enumerate(projections):
        left, right = nine[:, :, :-1], nine[:, :, 1:]
        across = (right - left)[:, :-1] + (right - left)[:, 1:]
        down = (left + right)[:, 1:] - (left + right)[:, :-1]
        if inside is not None:
            rows = inside[i][:, :-1] & inside[i][:, 1:]
            whole = (rows[:, :, :-1] & rows[:, :, 1:])[..., None]
            across, down = across * whole, down * whole
        xx, yy, xy = (_energy(*pair) for pair in ((across, across), (down, down), (across, down)))
        with np.errstate(invalid="ignore"):
            found[i] = np.hypot(xx - yy, 2 * xy) / (xx + yy)
    return found


def colour(projections: Float[np.ndarray, "maps k side side 3"]) -> Float[np.ndarray, "maps k"]:
    """Share of a projection's energy that is colour: orthogonal to grey, (1, 1, 1).

    Returns:
        0 for a projection in grey, 1 where every pixel's colours add up to nothing, 2/3 on average for
        independent noise in the three channels. NaN for a projection of zeros.
    """
    found = np.empty(projections.shape[:2])
    for i, nine in enumerate(projections):
        chromatic = nine - nine.mean(-1, keepdims=True)
        with np.errstate(invalid="ignore"):
            found[i] = _energy(chromatic, chromatic) / _energy(nine, nine)
    return found


def measures(
    models: Mapping[str, nn.Module],
    inputs: Inputs,
    tops: Mapping[str, Mapping[str, TopProjections]],
    similarity: pd.DataFrame,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """The hierarchy in numbers: every measure of every map, layer and network.

    Measures are orientation, colour, class (`commonest_class_share`), likeness (within minus across maps) and
    texture (`shuffled_response`, of some maps, in layers whose windows hold two tiles).

    Args:
        models: by network.
        inputs: the images that were searched.
        tops: by network and layer ("relu3"), what was found and projected.
        similarity: columns layer (number), network, of ("projections"), within and across, a row for every
            map in the order of `tops`, as `within_map_similarity.within_and_across` gives them.
        seed: of the choice of maps and of what is shuffled.

    Returns:
        Columns layer (number), network, measure, map, value, as `per_map` gives them.
    """
    of_projections = similarity[similarity["of"] == "projections"]
    alike = {key: table for key, table in of_projections.groupby(["network", "layer"])}
    found = []
    for network, by_layer in tops.items():
        for name, top in by_layer.items():
            layer = int(name.removeprefix("relu"))
            values = {
                "orientation": orientation(top.projections, inside=top.inside),
                "colour": colour(top.projections),
                "class": commonest_class_share(top.strongest, inputs.images.labels),
                "likeness": (alike[network, layer]["within"] - alike[network, layer]["across"]).to_numpy(),
            }
            found.append(per_map(layer, network, to_host(top.maps), **values))
            if top.projections.shape[2] < 2 * SMALLEST_TILE:
                continue
            some = top.some(TEXTURE_MAPS, seed=seed)
            shuffled = shuffled_response(models[network], inputs, some.strongest, some.maps, seed=seed)
            kept = shuffled.groupby("map")["kept"].mean()
            found.append(per_map(layer, network, kept.index.to_numpy(), texture=kept.to_numpy()))
    return pd.concat(found, ignore_index=True)


def per_map(
    layer: int,
    network: str,
    maps: Int64[np.ndarray, " maps"],
    **measures: Float[np.ndarray, "maps ..."],
) -> pd.DataFrame:
    """One row per map and measure; where a map has a value for each of its nine, their mean without NaN.

    Args:
        layer, network: what stands in every row, e.g. 5 and "trained".
        maps: their numbers in the layer.
        measures: by name, a value of each map or of each of its nine.

    Returns:
        Columns layer, network, measure, map, value.
    """
    tables = []
    for measure, values in measures.items():
        value = pd.DataFrame(np.asarray(values, dtype=float).reshape(len(maps), -1)).mean(axis=1)
        tables.append(
            pd.DataFrame(
                {"layer": layer, "network": network, "measure": measure, "map": maps, "value": value}
            )
        )
    return pd.concat(tables, ignore_index=True)


def table(values: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Mean over maps of every layer, network and measure, with its interval, maps resampled.

    Args:
        values: as `per_map` gives it, of any layers and networks together; NaN is left out.

    Returns:
        Columns layer, network, measure, estimate, low, high, n (maps), in the order in which they came. From
        two to seven maps have a t interval, a single one has none (NaN), and without any there is no row.
    """
    found = []
    for key, group in values.dropna().groupby(["layer", "network", "measure"], sort=False):
        value = group["value"]
        i = where_enough(bootstrap_interval, value, resampled="maps", seed=seed)
        i = i or where_enough(t_interval, value, resampled="maps")
        numbers = (i.estimate, i.low, i.high) if i else (value.iloc[0], np.nan, np.nan)
        found.append((*key, *numbers, len(value)))
    return pd.DataFrame(found, columns=["layer", "network", "measure", "estimate", "low", "high", "n"])


def highest(means: pd.DataFrame) -> str:
    """In which layer each measure is highest, in a sentence for each network, and where both agree.

    Args:
        means: as `table` gives it, of the networks "trained" and "random"; likeness is left out.
    """
    own = means[means["measure"] != "likeness"]
    top = own.loc[own.groupby(["network", "measure"], sort=False)["estimate"].idxmax()]
    said = {
        network: ", ".join(f"{row.measure} in layer {row.layer}" for row in rows.itertuples())
        for network, rows in top.groupby("network", sort=False)
    }
    layers = top.groupby("measure", sort=False)["layer"].agg(list)
    alike = [name for name, both in layers.items() if len(both) == 2 and both[0] == both[1]]
    unlearnt = (
        f" In the same layer with either, so that the place takes no learning: {', '.join(alike)}."
        if alike
        else ""
    )
    return (
        f"Highest in the trained network: {said['trained']}. With random weights: {said['random']}.{unlearnt}"
    )


def _energy(
    one: Float[np.ndarray, "k h w 3"], other: Float[np.ndarray, "k h w 3"]
) -> Float[np.ndarray, " k"]:
    """Product of two patterns, summed over pixels and colours."""
    return np.einsum("khwc,khwc->k", one, other, dtype=np.float64)
