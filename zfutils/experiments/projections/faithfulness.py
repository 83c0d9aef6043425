"""What a projection owes to the unit, and what to the picture: later work's controls (chapter 3).

Zeiler & Fergus 2013 read a projection as what a unit sees. Later work asked how much of it any unit would
show: other units at the same place (Nie et al. 2018), other switches (Mahendran & Vedaldi 2016), initial
weights in the upper layers (Adebayo et al. 2018; Sixt et al. 2020). The one idea: keep one thing, change the
other, and correlate. The last, initial weights, has `randomisation` to itself.

Units are chosen by the same rule everywhere: among the positions of a picture whose windows hold most of it,
the one with the largest sum of activations, and its strongest maps there. Projections of zero are left out.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from zfutils.data.pixels import Pixels
from zfutils.deconv.deconvnet import Deconvnet, Units
from zfutils.experiments.projections.comparisons import correlation, edge_correlation, inside_picture
from zfutils.nets.geometry import seen_by
from zfutils.runtime.seeds import mixed
from zfutils.stats.intervals import Interval, paired_difference

SWITCHES = ("recorded", "centred", "random")


# ---- the picture or the unit


def recovery(
    model: nn.Module,
    images: Pixels,
    chosen: Int64[Tensor, " n"],
    *,
    layer: str = "relu5",
    maps_a_picture: int = 4,
    side: int,
    scale: float,
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
        images: the set.
        chosen: which pictures, at least two.
        layer: a convolutional one.
        maps_a_picture: so many maps at one position of every picture, at least two.
        side: of the centre crop (pixels).
        scale: what images are multiplied by, as in training.
        batch: images, and projections, at a time.
        seed: of the order in which pictures follow each other.

    Returns:
        A row a picture: picture, maps (how many could be projected), same_picture (mean over pairs of maps
        at its one position), same_map (mean over maps, against the same map on another picture), edges (mean
        correlation of a projection's magnitude with the picture's gradient magnitude); NaN where nothing is
        left.

    Raises:
        ValueError: fewer than two pictures or maps, rows or a crop that the set does not have, no such layer.
    """
    if len(chosen) < 2 or maps_a_picture < 2:
        raise ValueError(f"pairs need two pictures and two maps, not {len(chosen)} and {maps_a_picture}")
    pictures = shown(model, images, chosen, side, scale)
    deconvnet = Deconvnet(model)
    activations = _activations(deconvnet, pictures, layer, batch)
    allowed = most_inside(deconvnet, layer, pictures.shape[-2:], activations.shape[-2:])
    units = strongest_units(activations, allowed, maps_a_picture)
    others = _same_maps_elsewhere(activations, allowed, units, seed)
    here = deconvnet.project(pictures, layer, units, batch=batch)
    there = deconvnet.project(pictures, layer, others, batch=batch)
    there.pixels[others.images == units.images] = 0  # nowhere else: left out below
    inside, inside_there = (inside_picture(p, pictures.shape[-2:]) for p in (here, there))
    edges = edge_correlation(here, pictures, units.images)
    found = []
    for picture, row in enumerate(chosen.tolist()):
        mine = (units.images == picture).nonzero()[:, 0].tolist()
        live = [i for i in mine if here.pixels[i].any()]
        pairs = [(i, j) for i in live for j in live if i < j]
        among = [correlation(here.pixels[i], here.pixels[j], inside[i]) for i, j in pairs]
        same = [correlation(here.pixels[i], there.pixels[i], inside[i] & inside_there[i]) for i in live]
        found.append((row, len(live), _mean(among), _mean(same), _mean(edges[live])))
    return pd.DataFrame(found, columns=["picture", "maps", "same_picture", "same_map", "edges"])


def switch_structure(
    model: nn.Module,
    images: Pixels,
    chosen: Int64[Tensor, " n"],
    *,
    layer: str = "relu5",
    maps_a_picture: int = 4,
    side: int,
    scale: float,
    batch: int = 32,
    seed: int = 0,
) -> pd.DataFrame:
    """How much a projection follows the picture's edges, by the rule for switches.

    The same units under every rule: those of `recovery`.

    Args:
        seed: of the random switches; the others are as in `recovery`, one picture and one map will do.

    Returns:
        A row a picture and rule: picture, switches (recorded, centred, random), edges (mean over the
        picture's maps of the correlation of the projection's magnitude with the gradient magnitude of the
        picture in the same window), maps (how many).

    Raises:
        ValueError: as `recovery`.
    """
    pictures = shown(model, images, chosen, side, scale)
    units = _units(Deconvnet(model), pictures, layer, maps_a_picture, batch)
    tables = []
    for rule in SWITCHES:
        projections = Deconvnet(model, switches=rule, seed=seed).project(pictures, layer, units, batch=batch)
        correlations = edge_correlation(projections, pictures, units.images)
        tables.append(_by_picture(chosen, units, edges=correlations).assign(switches=rule))
    return pd.concat(tables, ignore_index=True)[["picture", "switches", "edges", "maps"]]


# ---- shared switches


def shared_switches(
    model: nn.Module,
    images: Pixels,
    chosen: Int64[Tensor, " n"],
    *,
    layers: Sequence[str] = ("relu3", "relu5"),
    maps_a_picture: int = 4,
    side: int,
    scale: float,
    batch: int = 32,
) -> pd.DataFrame:
    """What the rule for switches that two poolings share changes in projections, against adding up.

    Args:
        layers: convolutional ones; the other arguments are as in `recovery`.

    Returns:
        A row a layer, picture and rule: layer, picture, rule (last or largest), correlation (Pearson, over
        pixels and colours of the window) and difference (norm of the difference over the norm of the
        projection by adding up), means over the picture's maps; maps (how many).

    Raises:
        ValueError: as `recovery`.
    """
    pictures, tables = shown(model, images, chosen, side, scale), []
    for layer in layers:
        units = _units(Deconvnet(model), pictures, layer, maps_a_picture, batch)
        added = Deconvnet(model).project(pictures, layer, units, batch=batch)
        inside = inside_picture(added, pictures.shape[-2:])
        for rule in ("last", "largest"):
            other = Deconvnet(model, shared=rule).project(pictures, layer, units, batch=batch).pixels
            alike = [correlation(*three) for three in zip(added.pixels, other, inside, strict=True)]
            apart = (other - added.pixels).flatten(1).norm(dim=1) / added.pixels.flatten(1).norm(dim=1)
            values = {"correlation": np.array(alike), "difference": apart.cpu().numpy()}
            tables.append(_by_picture(chosen, units, **values).assign(layer=layer, rule=rule))
    return pd.concat(tables, ignore_index=True)[
        ["layer", "picture", "rule", "correlation", "difference", "maps"]
    ]


def switch_sharing(
    model: nn.Module,
    images: Pixels,
    chosen: Int64[Tensor, " n"],
    *,
    side: int,
    scale: float,
    batch: int = 8,
) -> pd.DataFrame:
    """Share of positive pooled outputs whose maximum is another pooling's maximum too.

    Returns:
        A row a picture and pooling layer: picture, layer, share; NaN where no output is positive.
    """
    deconvnet, found = Deconvnet(model), []
    pictures = shown(model, images, chosen, side, scale)
    for step in (s for s in deconvnet.steps if s.kind == "pool"):
        for rows, part in zip(chosen.split(batch), pictures.split(batch), strict=True):
            recording = deconvnet.forward(part, step.name)
            places = recording.switches[step.name].long()
            kernel, stride = step.window[:2]
            h, w = places.shape[2:]
            y = torch.arange(h, device=places.device)[:, None] * stride + places // kernel
            x = torch.arange(w, device=places.device) * stride + places % kernel
            width = (w - 1) * stride + kernel
            flat = (y * width + x).flatten(2)
            counts = torch.zeros(*flat.shape[:2], ((h - 1) * stride + kernel) * width, device=flat.device)
            counts.scatter_add_(2, flat, torch.ones_like(flat, dtype=counts.dtype))
            shared = (counts.gather(2, flat) > 1).flatten(1)
            positive = (recording.activations > 0).flatten(1)
            share = (shared & positive).sum(1) / positive.sum(1)
            found += [
                (row, step.name, value) for row, value in zip(rows.tolist(), share.tolist(), strict=True)
            ]
    return pd.DataFrame(found, columns=["picture", "layer", "share"])


# ---- intervals


def recovery_interval(table: pd.DataFrame, *, seed: int = 0) -> Interval:
    """Likeness within a picture less likeness within a map, paired over pictures that have both."""
    both = table.dropna(subset=["same_picture", "same_map"])
    return paired_difference(both["same_picture"], both["same_map"], resampled="pictures", seed=seed)


def switches_interval(
    table: pd.DataFrame, first: str = "recorded", second: str = "random", *, seed: int = 0
) -> Interval:
    """Correlation with the picture's edges under one rule for switches less another, paired over pictures."""
    wide = table.pivot(index="picture", columns="switches", values="edges")
    return paired_by_picture(wide, first, second, seed)


def paired_by_picture(wide: pd.DataFrame, first: str, second: str, seed: int) -> Interval:
    if missing := {first, second} - set(wide.columns):
        raise ValueError(f"there is no {', '.join(sorted(missing))}; there are {', '.join(wide.columns)}")
    both = wide[[first, second]].dropna()
    return paired_difference(both[first], both[second], resampled="pictures", seed=seed)


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
    highest, place = activations.flatten(2).masked_fill(~allowed.flatten().to(activations.device), 0).max(2)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(mixed(seed, n, maps))).tolist()
    turn = {picture: i for i, picture in enumerate(order)}
    other = []
    for picture, number in zip(units.images.tolist(), units.maps.tolist(), strict=True):
        following = (order[(turn[picture] + step) % n] for step in range(1, n))
        other.append(next((p for p in following if highest[p, number] > 0), picture))
    images = torch.tensor(other, device=activations.device)
    there = place[images, units.maps]
    return Units(images, units.maps, there // width, there % width)


def _units(deconvnet: Deconvnet, pictures: Tensor, layer: str, maps_a_picture: int, batch: int) -> Units:
    if maps_a_picture < 1:
        raise ValueError(f"a picture needs at least 1 map, not {maps_a_picture}")
    activations = _activations(deconvnet, pictures, layer, batch)
    allowed = most_inside(deconvnet, layer, pictures.shape[-2:], activations.shape[-2:])
    return strongest_units(activations, allowed, maps_a_picture)


def _activations(deconvnet: Deconvnet, pictures: Tensor, layer: str, batch: int) -> Tensor:
    deconvnet.window(layer)  # refuses a layer whose units see the whole picture
    return torch.cat([deconvnet.forward(part, layer).activations for part in pictures.split(batch)])


def shown(model: nn.Module, images: Pixels, chosen: Tensor, side: int, scale: float) -> Tensor:
    if len(chosen) == 0 or chosen.min() < 0 or chosen.max() >= len(images):
        raise ValueError(f"chosen names at least one of the {len(images)} images, 0…{len(images) - 1}")
    views = images.views(chosen, crops=1, batch=256, side=side, scale=scale)
    return torch.cat([view.images for (view,) in views]).to(next(model.parameters()).device)


def _mean(values: Sequence[float]) -> float:
    finite = np.asarray(values, dtype=float)[np.isfinite(np.asarray(values, dtype=float))]
    return float(finite.mean()) if finite.size else np.nan


def _by_picture(chosen: Tensor, units: Units, **values: Float[np.ndarray, " n"]) -> pd.DataFrame:
    """Means over each picture's units, those that are NaN left out."""
    table = pd.DataFrame({"place": units.images.cpu().numpy(), **values}).dropna()
    groups = table.groupby("place")
    means = groups.mean().assign(maps=groups.size()).reindex(range(len(chosen)))
    return means.assign(picture=chosen.numpy(), maps=means["maps"].fillna(0).astype(int)).reset_index(
        drop=True
    )
