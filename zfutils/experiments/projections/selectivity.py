"""What a layer's units care for, in numbers: orientation, colour, texture (Zeiler & Fergus 2013, §4, Fig. 2).

The paper reads its hierarchy off the pictures: corners and edge-colour conjunctions in layer 2, textures in
layer 3, parts and objects above. Orientation and colour are read from the projections here. Texture is read
from the network: a patch is cut into tiles that change places, which leaves a texture what it was and takes
an object apart. The one idea: what a unit still answers to such a patch, it does not owe to the arrangement.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_activations import TopActivations
from zfutils.deconv.top_projections import TopProjections
from zfutils.experiments.projections.within_map_similarity import commonest_class_share
from zfutils.nets.activations import forward
from zfutils.nets.chains import Step
from zfutils.nets.geometry import Span, Window, seen_by
from zfutils.runtime.devices import device_of, dtype_of, to_host
from zfutils.runtime.seeds import mixed
from zfutils.stats.intervals import FEWEST_TO_BOOTSTRAP, bootstrap_interval, t_interval

TILES = 4  # along a side of the window
SMALLEST_TILE = 4  # pixels; smaller ones would hold no edge
SAME = 0.1  # of the greatest activation; half precision moves them by a hundredth
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

    Raises:
        ValueError: not five dimensions with three colours, or a mask of another shape.
    """
    _refuse_shapes(projections, inside)
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

    Raises:
        ValueError: not five dimensions with three colours.
    """
    _refuse_shapes(projections, None)
    found = np.empty(projections.shape[:2])
    for i, nine in enumerate(projections):
        chromatic = nine - nine.mean(-1, keepdims=True)
        with np.errstate(invalid="ignore"):
            found[i] = _energy(chromatic, chromatic) / _energy(nine, nine)
    return found


def shuffled_response(
    model: nn.Module,
    inputs: Inputs,
    found: TopActivations,
    *,
    maps: int | None = None,
    numbers: Int64[Tensor, " maps"] | None = None,
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
        found: their strongest activations in one convolutional layer.
        maps: how many maps to measure, chosen by the seed; all without it.
        numbers: the maps' numbers in the layer, where `found` does not hold all of them in order.
        seed: of the choice of maps and of every patch's cycle; a map's own do not depend on the choice.
        batch: pictures at a time.

    Returns:
        Columns map, rank (0 is the strongest), kept (response to the shuffled window over that to the window
        itself). NaN where the unit does not answer, or too little of its window lies in the picture to
        hold two tiles.

    Raises:
        ValueError: windows below 8 px, which hold a single tile (layer 1); some of the maps without their
            numbers; another side or scale than the search's.
    """
    deconvnet = Deconvnet(model)
    field, steps = deconvnet.window(found.layer), deconvnet.steps[: deconvnet.index(found.layer) + 1]
    if field.kernel < 2 * SMALLEST_TILE:
        raise ValueError(
            f"windows of {found.layer!r} are {field.kernel} px; two tiles of {SMALLEST_TILE} px that change "
            f"places need {2 * SMALLEST_TILE}"
        )
    units, kept = _units(found, steps, maps=maps, numbers=numbers, seed=seed), []
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
        before, after = (
            to_host(forward(model, images, [found.layer])[found.layer][(of, *at)])
            for images, of in ((pictures, torch.from_numpy(place)), (changed, torch.arange(len(some))))
        )
        if np.abs(before - some["value"]).max() > SAME * units["value"].max():
            raise ValueError(
                f"at side {inputs.side} and scale {inputs.scale:g} {found.layer!r} does not give the "
                "activations found"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            kept.append(np.where(np.array(moved) & (before > 0), after / before, np.nan))
    units["kept"] = np.concatenate(kept)
    return units[["map", "rank", "kept"]].sort_values(["map", "rank"], ignore_index=True)


def shuffle_tiles(
    picture: Float[Tensor, "channels h w"], row: int, column: int, field: Window, *, seed: int
) -> bool:
    """Let the tiles of a unit's window change places, in the picture given.

    Args:
        picture: is changed in place.
        row, column: the unit's position in its map.
        field: receptive field of its layer.
        seed: of the cycle in which every tile takes another's place.

    Returns:
        Whether anything moved: False where the picture holds fewer than two tiles of the window.
    """
    tile = max(SMALLEST_TILE, field.kernel // TILES)
    (top, down), (left, right) = (
        _grid(seen_by(unit, field), size, tile)
        for unit, size in zip((row, column), picture.shape[1:], strict=True)
    )
    n = down * right
    if n < 2:
        return False
    part = picture[:, top : top + down * tile, left : left + right * tile]
    tiles = part.unflatten(2, (right, tile)).unflatten(1, (down, tile)).transpose(2, 3).flatten(1, 2)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    cycled = torch.empty_like(tiles)
    cycled[:, order] = tiles[:, order.roll(1)]
    part.copy_(cycled.unflatten(1, (down, right)).transpose(2, 3).flatten(3, 4).flatten(1, 2))
    return True


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
            shuffled = shuffled_response(
                models[network], inputs, some.strongest, numbers=some.maps, seed=seed
            )
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
        value, n = group["value"], len(group)
        if n < 2:
            found.append((*key, float(value.iloc[0]), np.nan, np.nan, n))
            continue
        if n < FEWEST_TO_BOOTSTRAP:
            i = t_interval(value, resampled="maps")
        else:
            i = bootstrap_interval(value, resampled="maps", seed=seed)
        found.append((*key, i.estimate, i.low, i.high, i.n))
    return pd.DataFrame(found, columns=["layer", "network", "measure", "estimate", "low", "high", "n"])


def _units(
    found: TopActivations,
    steps: tuple[Step, ...],
    *,
    maps: int | None,
    numbers: Int64[Tensor, " maps"] | None,
    seed: int,
) -> pd.DataFrame:
    """The activations to measure, one row each, ordered by picture so that units share its own pass."""
    total, k = found.values.shape
    layer = next(step.module.out_channels for step in reversed(steps) if step.kind == "conv")
    numbers = np.arange(total) if numbers is None and total == layer else numbers
    if numbers is None or len(numbers) != total or min(numbers) < 0 or max(numbers) >= layer:
        came = "none" if numbers is None else list(map(int, numbers))
        raise ValueError(f"{total} maps need their numbers in {found.layer!r}, 0…{layer - 1}; got {came}")
    numbers, maps = np.asarray(numbers), total if maps is None else maps
    if not 1 <= maps <= total:
        raise ValueError(f"1…{total} of the maps found can be measured, not {maps}")
    chosen = np.sort(np.random.default_rng(mixed(seed, total)).permutation(total)[:maps])
    places = {"picture": found.images, "row": found.rows, "column": found.columns, "value": found.values}
    columns = {name: to_host(values)[chosen].ravel() for name, values in places.items()}
    units = pd.DataFrame(
        {"map": np.repeat(numbers[chosen], k), "rank": np.tile(np.arange(k), maps), **columns}
    )
    return units.sort_values("picture", kind="stable", ignore_index=True)


def _grid(span: Span, size: int, tile: int) -> tuple[int, int]:
    """Where tiles begin along an axis, in the middle of what the picture holds of a span, and how many."""
    start, stop = max(span.start, 0), min(span.stop, size)
    n = max(stop - start, 0) // tile
    return start + (stop - start - n * tile) // 2, n


def _energy(
    one: Float[np.ndarray, "k h w 3"], other: Float[np.ndarray, "k h w 3"]
) -> Float[np.ndarray, " k"]:
    """Product of two patterns, summed over pixels and colours."""
    return np.einsum("khwc,khwc->k", one, other, dtype=np.float64)


def _refuse_shapes(projections: np.ndarray, inside: np.ndarray | None) -> None:
    if projections.ndim != 5 or projections.shape[-1] != 3:
        raise ValueError(f"projections are (maps, k, side, side, 3), not {projections.shape}")
    if inside is not None and inside.shape != projections.shape[:-1]:
        raise ValueError(
            f"the mask must have the projections' shape {projections.shape[:-1]}, not {inside.shape}"
        )
