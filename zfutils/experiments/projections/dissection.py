"""Do maps see parts? Projections and activations against pictures whose parts are known (chapter 3).

Zeiler & Fergus 2013, §4, say that layers 4 and 5 answer to parts of objects. Two measures of that: how much
of a projection's energy falls on a part (the part chosen on some pictures, scored on others), and Network
Dissection (Bau et al. 2017), the overlap of the upsampled map with the part's masks. The one idea: the
pictures of `zfutils.data.parts` say at every pixel which part is seen, and the masks of other pictures
say what chance alone would give.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.data.part_masks import ProbeMasks
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_projections import TopProjections
from zfutils.nets.activations import activations
from zfutils.nets.geometry import Window
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed
from zfutils.stats.intervals import (
    FEWEST_TO_BOOTSTRAP,
    Interval,
    bootstrap_interval,
    proportion_difference,
    proportion_interval,
    unpaired_difference,
)

CHOOSING = 5  # of a map's nine strongest pictures; the part is scored on the others
MAJORITY = 3  # of those five must show a part that is to be chosen
SHOWN = 0.005  # of the window's area in the picture: a smaller part does not show
FLOOR = -6.0  # powers of two; also where a projection leaves the part out altogether
QUANTILE = 0.005  # of a map's activations, Bau et al. 2017
DETECTS = 0.04  # IoU, Bau et al. 2017


# ---- a projection's energy


def part_energy(nine: TopProjections, masks: ProbeMasks, *, seed: int = 0) -> pd.DataFrame:
    """How much more of a projection's energy falls on a part than the part's area would have.

    The value of a projection is log2 of its energy's share on the part over the part's share of the window,
    the window being what of it lies in the picture: 0 for energy spread evenly, 2 for a part of a quarter of
    the window that has all of it. Below -6 it counts as -6.

    Args:
        nine: a layer's projections, at least six pictures a map.
        masks: of the pictures at the size that the network saw (`cropped`), or of other pictures
            (`of_other_pictures`) for the control.
        seed: of the split of a map's pictures.

    Returns:
        One row per map: map, part (the one of the highest mean value on five pictures, of those that show on
        at least three of them), choice_score (that mean), score (its mean over the other pictures that show
        it), n_scored (how many these are). A part shows if it covers 0.5 % of the window. Without a part or
        a picture to score it on, and where the map's projections are zero, part is None or score NaN.

    Raises:
        ValueError: fewer than six pictures a map, or a picture without masks.
    """
    k = nine.projections.shape[1]
    if k <= CHOOSING:
        raise ValueError(f"a part is chosen on {CHOOSING} pictures and scored on others; there are {k}")
    found = []
    for i, number in enumerate(nine.maps.tolist()):
        places = masks.at(to_host(nine.strongest.images[i]))
        values = np.stack([
            energy_on_parts(
                nine.projections[i, j],
                windowed(masks.maps[place], nine.tops[i, j], nine.lefts[i, j], nine.projections.shape[2]),
                nine.inside[i, j],
                len(masks.parts),
            )
            for j, place in enumerate(places)
        ])  # fmt: skip
        order = np.random.default_rng(mixed(seed, number)).permutation(k)
        found.append((number, *_chosen_and_scored(values[order[:CHOOSING]], values[order[CHOOSING:]], masks)))
    return pd.DataFrame(found, columns=["map", "part", "choice_score", "score", "n_scored"])


def energies(
    tops: Mapping[str, Mapping[str, TopProjections]],
    masks: ProbeMasks,
    *,
    control: str = "other masks",
    seed: int = 0,
) -> dict[tuple[str, str], pd.DataFrame]:
    """`part_energy` of every network and layer, and of the first network on other pictures' masks.

    Args:
        tops: by network and layer.
        masks: of the pictures that were searched.
        control: what the last are called; each picture has the masks of another one of its category.
        seed: as for `part_energy`, and of the exchange of pictures.

    Returns:
        By network and layer.
    """
    first, others = next(iter(tops)), masks.of_other_pictures(seed=seed, same_label=True)
    shown = [*((network, tops[network], masks) for network in tops), (control, tops[first], others)]
    return {
        (network, layer): part_energy(top, of, seed=seed)
        for network, by_layer, of in shown
        for layer, top in by_layer.items()
    }


def energy_on_parts(
    projection: Float[np.ndarray, "h w channels"],
    numbers: UInt8[np.ndarray, "h w"],
    inside: Bool[np.ndarray, "h w"],
    parts: int,
) -> Float[np.ndarray, " parts"]:
    """log2 of each part's share of the energy over its share of the area; NaN where it does not show.

    Args:
        projection: on its window.
        numbers: part number at each pixel of the window, 0 for none.
        inside: which pixels lie in the picture.
        parts: how many parts there are.
    """
    energy = np.square(projection, dtype=np.float64).sum(-1)[inside]
    number = numbers[inside]
    on = np.bincount(number, energy, minlength=parts + 1)[1:]
    area = np.bincount(number, minlength=parts + 1)[1:] / number.size
    if energy.sum() == 0:
        return np.full(parts, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.maximum(np.log2(on / energy.sum() / area), FLOOR)
    return np.where(area >= SHOWN, values, np.nan)


def windowed(numbers: UInt8[np.ndarray, "h w"], top: int, left: int, side: int) -> UInt8[np.ndarray, "s s"]:
    """A square window of a picture's part numbers, 0 beyond the border."""
    whole = np.pad(numbers, side)
    return whole[top + side : top + 2 * side, left + side : left + 2 * side]


def _chosen_and_scored(
    choosing: np.ndarray, scoring: np.ndarray, masks: ProbeMasks
) -> tuple[str | None, float, float, int]:
    shown = np.isfinite(choosing).sum(0)
    means = np.where(shown >= MAJORITY, np.nansum(choosing, 0) / np.maximum(shown, 1), -np.inf)
    best = int(means.argmax())
    if means[best] == -np.inf:
        return None, np.nan, np.nan, 0
    scores = scoring[np.isfinite(scoring[:, best]), best]
    return masks.parts[best], means[best], scores.mean() if len(scores) else np.nan, len(scores)


def energy_interval(trained: pd.DataFrame, random: pd.DataFrame, *, seed: int = 0) -> Interval:
    """Mean score of the trained network's maps minus that of the random one's, maps without one left out."""
    scores = (table["score"].dropna() for table in (trained, random))
    return unpaired_difference(*scores, resampled="maps of each network", seed=seed)


def energy_scores(tables: Mapping[tuple[str, str], pd.DataFrame], *, seed: int = 0) -> pd.DataFrame:
    """Mean score by network and layer with its interval over maps, for a figure.

    Args:
        tables: by (network, layer), as `part_energy` gives them.

    Returns:
        Columns network, layer, estimate, low, high, n (maps that have a score) and maps; without bounds
        where fewer than eight maps have one.
    """
    found = []
    for (network, layer), table in tables.items():
        scores = table["score"].dropna().to_numpy()
        numbers = (scores.mean() if scores.size else np.nan, np.nan, np.nan)
        if scores.size >= FEWEST_TO_BOOTSTRAP:
            interval = bootstrap_interval(scores, resampled="maps", seed=seed)
            numbers = (interval.estimate, interval.low, interval.high)
        found.append((network, layer, *numbers, scores.size, len(table)))
    return pd.DataFrame(found, columns=["network", "layer", "estimate", "low", "high", "n", "maps"])


# ---- Network Dissection


def network_dissection(
    model: nn.Module,
    inputs: Inputs,
    masks: ProbeMasks,
    *,
    layers: Sequence[str],
    quantile: float = QUANTILE,
    threshold: float = DETECTS,
    every: int = 2,
    batch: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """Which maps detect a part: overlap of the upsampled map, cut at its highest 0.5 %, with part masks.

    The cut is at the quantile of the map's own positions over all pictures, and above 0. Each map is then
    interpolated linearly between the centres of its units' receptive fields, and held constant beyond the
    outermost; IoU is the intersection summed over all pictures over the union summed over them.

    Args:
        model: a chain of layers, as `zfutils.nets.chains.chain` takes it.
        inputs: the pictures that are looked at.
        masks: of these pictures at least, as they are stored.
        layers: convolutional layers, such as relu1 and relu5.
        quantile: share of a map's positions above the cut.
        threshold: the IoU above which a map counts as a detector.
        every: maps and masks are compared at every so many-th pixel of every so many-th row.
        batch: images at a time; two passes are made.
        seed: of the exchange of pictures that gives the chance.

    Returns:
        One row per layer and map: layer, map, part, iou, detector; chance_part, chance_iou and
        chance_detector are the same against the masks of other pictures.

    Raises:
        ValueError: masks of another size than the images, a picture without one, no such layer, or options
            out of range.

    Source: Bau et al. 2017, Network Dissection, §2.
    """
    if not (0 < quantile < 1 and 0 < threshold < 1 and 1 <= every <= inputs.side and batch >= 1):
        given = f"quantile {quantile}, threshold {threshold}, every {every}, batch {batch}"
        raise ValueError(f"{given}: the first two lie in (0, 1), the others are at least 1")
    stored = inputs.images.size
    if masks.maps.shape[1] != stored:
        raise ValueError(f"masks of {masks.maps.shape[1]} px do not fit images of {stored} px")
    fields = {layer: Deconvnet(model).window(layer) for layer in layers}
    masks = masks.of(to_host(inputs.rows)).cropped(inputs.side)
    cuts = _cuts(model, inputs, layers, batch, quantile)
    at = slice(every // 2, None, every)
    grid, parts = torch.arange(inputs.side)[at], len(masks.parts) + 1
    truth = [m.maps[m.at(masks.rows)][:, at, at] for m in (masks, masks.of_other_pictures(seed=seed))]
    overlaps = {layer: np.zeros((2, len(cut) * parts), dtype=np.int64) for layer, cut in cuts.items()}
    done = 0
    for seen in activations(model, inputs, layers, batch=batch):
        for layer, maps in seen.layers.items():
            up, across = (interpolation(n, fields[layer], grid).to(maps) for n in maps.shape[2:])
            active = (up @ maps @ across.T >= cuts[layer][:, None, None]).nonzero()
            picture, number, row, column = to_host(active).T
            for overlap, numbers in zip(overlaps[layer], truth, strict=True):
                seen_part = numbers[done + picture, row, column]
                overlap += np.bincount(number * parts + seen_part, minlength=len(overlap))
        done += len(seen.images)
    areas = np.bincount(truth[0].ravel(), minlength=parts)
    tables = [_detectors(layer, overlap, areas, masks, threshold) for layer, overlap in overlaps.items()]
    return pd.concat(tables, ignore_index=True)


def interpolation(units: int, field: Window, pixels: Int64[Tensor, " n"]) -> Float[Tensor, "n units"]:
    """Weights of a map's units at pixels, linear between the centres of the units' receptive fields.

    Args:
        units: positions of the map along one axis.
        field: the units' receptive field (pixels).
        pixels: where along that axis; beyond the outermost centres the outermost unit has all the weight.
    """
    first = (field.kernel - 1) / 2 - field.padding
    place = ((pixels.double() - first) / field.stride).clamp(0, units - 1)
    return (1 - (place[:, None] - torch.arange(units)).abs()).clamp(min=0)


def _cuts(
    model: nn.Module, inputs: Inputs, layers: Sequence[str], batch: int, quantile: float
) -> dict[str, Float[Tensor, " maps"]]:
    """Of every map, the value that this share of its positions over all pictures reaches."""
    highest: dict[str, Tensor] = {}
    for seen in activations(model, inputs, layers, batch=batch):
        for layer, maps in seen.layers.items():
            values = maps.transpose(0, 1).flatten(1)
            most = max(1, int(quantile * len(inputs) * maps[0, 0].numel()))
            if layer in highest:
                values = torch.cat([highest[layer], values], 1)
            highest[layer] = values.topk(min(most, values.shape[1]), sorted=False).values
    above = 1 - 1e-6  # a flat map's interpolated values may lie a rounding below its own
    return {layer: (v.amin(1) * above).clamp(min=torch.finfo(v.dtype).tiny) for layer, v in highest.items()}


def _detectors(
    layer: str,
    overlap: Int64[np.ndarray, "2 maps*parts"],
    areas: Int64[np.ndarray, " parts"],
    masks: ProbeMasks,
    threshold: float,
) -> pd.DataFrame:
    table = {}
    for name, counts in zip(("", "chance_"), overlap.reshape(2, -1, len(areas)), strict=True):
        union = counts.sum(1, keepdims=True) + areas[1:] - counts[:, 1:]
        iou = (counts[:, 1:] / union.clip(min=1)).astype(np.float32)
        table[f"{name}part"] = [masks.parts[part] for part in iou.argmax(1)]
        table[f"{name}iou"] = iou.max(1)
        table[f"{name}detector"] = iou.max(1) > threshold
    return pd.DataFrame({"layer": layer, "map": np.arange(len(iou)), **table})


def detectors(table: pd.DataFrame, layer: str, *, chance: bool = False) -> tuple[int, int]:
    """How many of a layer's maps are detectors, and how many maps it has."""
    found = table.loc[table["layer"] == layer, "chance_detector" if chance else "detector"]
    if found.empty:
        raise ValueError(f"layer {layer!r} was not dissected, only {', '.join(table['layer'].unique())}")
    return int(found.sum()), len(found)


def detectors_interval(table: pd.DataFrame, upper: str = "relu5", lower: str = "relu1") -> Interval:
    """Share of one layer's maps that are detectors minus that of another's (Newcombe)."""
    shares = (detectors(table, layer) for layer in (upper, lower))
    return proportion_difference(*shares, resampled="maps of either layer")


def detector_shares(tables: Mapping[str, pd.DataFrame], *, chance: str = "chance") -> pd.DataFrame:
    """Share of detectors by network and layer with Wilson's interval over maps, for a figure.

    Args:
        tables: by network, as `network_dissection` gives them; the first one's chance comes last.
        chance: what it is called.

    Returns:
        Columns network, layer, estimate, low, high, n.
    """
    found = []
    first = next(iter(tables.values()))
    for network, table in [*tables.items(), (chance, first)]:
        for layer in table["layer"].unique():
            counts = detectors(table, layer, chance=network == chance)
            interval = proportion_interval(*counts, resampled="maps")
            found.append((network, layer, interval.estimate, interval.low, interval.high, interval.n))
    return pd.DataFrame(found, columns=["network", "layer", "estimate", "low", "high", "n"])
