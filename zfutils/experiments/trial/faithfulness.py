"""What a projection owes to the unit, and what to the picture (chapter 14).

Zeiler & Fergus 2013 read a projection as what a unit sees. Mahendran & Vedaldi 2016 and Nie et al. 2018 asked
how much of it any unit would show. The one idea: keep one thing, change the other, and correlate. Here it is
the unit and the picture; `switches` and `randomisation` do the same with switches and weights.

Units are chosen by the same rule everywhere: among the positions of a picture whose windows hold most of it,
the one with the largest sum of activations, and its strongest maps there. Projections of zero are left out.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet, Nonlinearity
from zfutils.deconv.units import Units
from zfutils.experiments.trial.comparisons import mean_over_pictures
from zfutils.experiments.trial.correlations import correlation, edge_correlations, inside_picture
from zfutils.nets.activations import activations
from zfutils.nets.geometry import seen_by
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed

PAIRS = {"same_picture": "two maps, one image", "same_map": "one map, two images"}
EDGES = {"edges": "its own image", "other_edges": "other images"}


def recovery(
    model: nn.Module,
    inputs: Inputs,
    *,
    layer: str = "relu5",
    nonlinearity: Nonlinearity = "deconvnet",
    maps_a_picture: int = 4,
    batch: int = 32,
    seed: int = 0,
) -> pd.DataFrame:
    """Is a projection's likeness by the picture or by the unit?

    Correlations are Pearson's over pixels and colours of the window, where it lies in the picture (for two
    pictures: in both). On another picture a map is projected from where it is strongest among the positions
    whose windows hold most of the picture; which picture follows is shuffled, and the first one that the map
    answers to is taken.

    Args:
        model: a chain of layers.
        inputs: the pictures, at least two.
        layer: a convolutional one.
        nonlinearity: how a ReLU is reversed.
        maps_a_picture: so many maps at one position of every picture, at least two.
        batch: images, and projections, at a time.
        seed: of the order in which pictures follow each other.

    Returns:
        One row per picture: picture, maps (how many could be projected), same_picture (mean over pairs of
        maps at its one position), same_map (mean over maps, against the same map on another picture), edges
        (mean correlation of a projection's magnitude with the picture's gradient magnitude), other_edges (the
        same with the gradients of all other pictures in the same window); NaN where nothing is left.

    Raises:
        ValueError: fewer than two pictures or maps, no such layer, or a fully connected one.
    """
    if len(inputs) < 2 or maps_a_picture < 2:
        raise ValueError(f"pairs need two pictures and two maps, not {len(inputs)} and {maps_a_picture}")
    deconvnet, pictures = Deconvnet(model, nonlinearity=nonlinearity), inputs.tensor()
    maps, allowed = _maps(deconvnet, inputs, layer, batch)
    units = strongest_units(maps, allowed, maps_a_picture)
    others = _same_maps_elsewhere(maps, allowed, units, seed)
    projected = [deconvnet.project(pictures, layer, which, batch=batch) for which in (units, others)]
    edges = edge_correlations(projected[0], pictures)
    inside, inside_there = (inside_picture(p, pictures.shape[-2:]) for p in projected)
    here, there = (to_host(p.pixels) for p in projected)
    pictured, elsewhere = to_host(units.images), to_host(others.images)
    there[elsewhere == pictured] = 0  # nowhere else: left out below
    found = []
    for picture, row in enumerate(inputs.rows.tolist()):
        live = [i for i in np.flatnonzero(pictured == picture) if here[i].any()]
        pairs = [(i, j) for i in live for j in live if i < j]
        among = [correlation(here[i], here[j], inside[i]) for i, j in pairs]
        same = [correlation(here[i], there[i], inside[i] & inside_there[i]) for i in live]
        own, other = edges[live, picture], np.delete(edges[live], picture, axis=1)
        found.append((row, len(live), *map(mean, (among, same, own, other))))
    return pd.DataFrame(found, columns=["picture", "maps", *PAIRS, *EDGES])


def by_layer(
    models: Mapping[str, nn.Module], inputs: Inputs, layers: Sequence[str], *, seed: int = 0
) -> pd.DataFrame:
    """How alike projections are by the picture and by the unit, layer by layer, means over pictures.

    Args:
        models: by name.
        inputs, seed: as for `recovery`.
        layers: convolutional ones.

    Returns:
        Columns network, layer, pair (a column of `recovery`), estimate, low, high, n.
    """
    found = []
    for (network, model), layer in product(models.items(), layers):
        table = recovery(model, inputs, layer=layer, seed=seed)
        found += [
            {"network": network, "layer": layer, "pair": pair} | mean_over_pictures(table[pair], seed=seed)
            for pair in PAIRS
        ]
    return pd.DataFrame(found)


# ---- units


def most_inside(
    deconvnet: Deconvnet, layer: str, picture: tuple[int, int], maps: tuple[int, int]
) -> Bool[Tensor, "h w"]:
    """Positions of a map whose windows hold the largest area of a picture of that height and width."""
    window = deconvnet.window(layer)

    def within(units: int, size: int) -> Tensor:
        spans = [seen_by(unit, window) for unit in range(units)]
        return torch.tensor([max(0, min(size, span.stop) - max(0, span.start)) for span in spans])

    area = torch.outer(*(within(*pair) for pair in zip(maps, picture, strict=True)))
    return area == area.max()


def strongest_units(
    activations: Float[Tensor, "n maps h w"], allowed: Bool[Tensor, "h w"], maps_a_picture: int
) -> Units:
    """The strongest maps at the allowed position of the largest sum, in every picture; positive ones only."""
    n, maps, _, width = activations.shape
    open_to = activations.flatten(2).masked_fill(~allowed.flatten().to(activations.device), 0)
    place = open_to.sum(1).argmax(1)
    there = open_to[torch.arange(n, device=place.device), :, place]
    values, numbers = there.topk(min(maps_a_picture, maps), dim=1)
    images = torch.arange(n, device=place.device)[:, None].expand_as(numbers)
    places = place[:, None].expand_as(numbers)
    live = values > 0
    if not live.any():
        raise ValueError("no map answers to any of these pictures")
    return Units(images[live], numbers[live], places[live] // width, places[live] % width)


def _same_maps_elsewhere(activations: Tensor, allowed: Tensor, units: Units, seed: int) -> Units:
    """For every unit the same map on the first following picture that it answers to; itself where none."""
    n, maps, _, width = activations.shape
    open_to = activations.flatten(2).masked_fill(~allowed.flatten().to(activations.device), 0)
    highest, place = (to_host(t) for t in open_to.max(2))
    order = torch.randperm(n, generator=torch.Generator().manual_seed(mixed(seed, n, maps))).tolist()
    turn = {picture: i for i, picture in enumerate(order)}
    pictures, numbers = (to_host(t) for t in (units.images, units.maps))
    other = pictures.copy()
    for i, (picture, number) in enumerate(zip(pictures, numbers, strict=True)):
        following = (order[(turn[picture] + step) % n] for step in range(1, n))
        other[i] = next((p for p in following if highest[p, number] > 0), picture)
    there = place[other, numbers]
    return Units(*(torch.from_numpy(t) for t in (other, numbers, there // width, there % width)))


def units_of(deconvnet: Deconvnet, inputs: Inputs, layer: str, maps_a_picture: int, batch: int) -> Units:
    """The strongest units of every picture, by the rule above; arguments as in `recovery`."""
    return strongest_units(*_maps(deconvnet, inputs, layer, batch), maps_a_picture)


def _maps(
    deconvnet: Deconvnet, inputs: Inputs, layer: str, batch: int
) -> tuple[Float[Tensor, "n maps h w"], Bool[Tensor, "h w"]]:
    """Activations of a layer, and the positions whose windows hold most of a picture."""
    deconvnet.window(layer)  # refuses a layer whose units see the whole picture
    found = [seen.layers[layer] for seen in activations(deconvnet.model, inputs, [layer], batch=batch)]
    picture = (inputs.side, inputs.side)
    return torch.cat(found), most_inside(deconvnet, layer, picture, found[0].shape[-2:])


def mean(values: Sequence[float]) -> float:
    """Mean of those that are finite; NaN where none is."""
    values = np.asarray(values, dtype=float)
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else np.nan


def by_picture(inputs: Inputs, units: Units, **values: Float[np.ndarray, " n"]) -> pd.DataFrame:
    """Means over each picture's units, those that are NaN left out."""
    table = pd.DataFrame({"place": to_host(units.images), **values}).dropna()
    groups = table.groupby("place")
    means = groups.mean().assign(maps=groups.size()).reindex(range(len(inputs)))
    means = means.assign(picture=to_host(inputs.rows), maps=means["maps"].fillna(0).astype(int))
    return means.reset_index(drop=True)
