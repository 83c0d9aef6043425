"""Which maps detect a part? Network Dissection, with a threshold for every part (chapter 3).

Bau et al. 2017 upsample a map, cut it at its highest values and call it a detector of a part if it overlaps
the part's masks by more than 0.04, whatever the part. The one idea here: the overlap that chance gives grows
with the part, so each part's threshold is taken from the masks of other pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.data.part_masks import ProbeMasks
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.experiments.projections.part_energy import OTHER
from zfutils.nets.activations import activations
from zfutils.nets.geometry import Window
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed
from zfutils.stats.intervals import proportion_interval

QUANTILE = 0.005  # share of a map's positions above the cut, Bau et al. 2017
SHUFFLES = 50  # of the pictures' masks
CHANCE = 0.999  # quantile of the overlap with other pictures' masks, over maps and shuffles


@dataclass(frozen=True)
class Dissection:
    """Overlap of a layer's maps with parts: intersection over union, summed over the probe pictures."""

    parts: tuple[str, ...]  # those that the probe pictures show
    iou: Float[np.ndarray, "maps parts"]
    chance: Float[np.ndarray, "shuffles maps parts"]  # the same with the masks of other pictures

    @cached_property
    def thresholds(self) -> Float[np.ndarray, " parts"]:
        """What a part's overlap must exceed: the 99.9th percentile by chance, over maps and shuffles."""
        return np.quantile(self.chance, CHANCE, axis=(0, 1))

    @property
    def detections(self) -> Bool[np.ndarray, "maps parts"]:
        """Which map detects which part."""
        return self.iou > self.thresholds

    @property
    def detectors(self) -> Bool[np.ndarray, " maps"]:
        """Which maps detect some part."""
        return self.detections.any(1)

    @property
    def detected(self) -> Bool[np.ndarray, " parts"]:
        """Which parts some map detects: Bau et al.'s unique detectors, whatever the number of maps."""
        return self.detections.any(0)

    @property
    def by_chance(self) -> float:
        """Share of maps that would detect some part on other pictures' masks, mean over shuffles."""
        return float((self.chance > self.thresholds).any(2).mean())


def network_dissection(
    model: nn.Module,
    inputs: Inputs,
    masks: ProbeMasks,
    *,
    layers: Sequence[str],
    shuffles: int = SHUFFLES,
    every: int = 2,
    batch: int = 16,
    seed: int = 0,
) -> dict[str, Dissection]:
    """Overlap of upsampled maps, cut at their highest 0.5 %, with the masks of parts.

    The cut is at the quantile of the map's own positions over all pictures, and above 0. Each map is then
    interpolated linearly between the centres of its units' receptive fields, and held constant beyond the
    outermost; IoU is the intersection summed over all pictures over the union summed over them. In a shuffle
    every picture is given the masks of another one.

    Args:
        model: a chain of layers, as `zfutils.nets.chains.chain` takes it.
        inputs: the pictures that are looked at.
        masks: of these pictures at least, as they are stored.
        layers: convolutional layers, such as relu1 and relu5.
        shuffles: of the masks.
        every: maps and masks are compared at every so many-th pixel of every so many-th row.
        batch: images at a time; two passes are made.
        seed: of the shuffles.

    Returns:
        By layer. Parts that none of the pictures shows are left out.

    Raises:
        ValueError: masks of another size than the images, a picture without one, or no such layer.

    Source: Bau et al. 2017, Network Dissection, §2.
    """
    stored = inputs.images.size
    if masks.maps.shape[1] != stored:
        raise ValueError(f"masks of {masks.maps.shape[1]} px do not fit images of {stored} px")
    fields = {layer: Deconvnet(model).window(layer) for layer in layers}
    masks = masks.of(to_host(inputs.rows)).cropped(inputs.side)
    others = (masks.of_other_pictures(seed=mixed(seed, shuffle)) for shuffle in range(shuffles))
    orders = [exchanged.at(masks.rows) for exchanged in (masks, *others)]
    cuts = _cuts(model, inputs, layers, batch)
    at = slice(every // 2, None, every)
    grid, parts = torch.arange(inputs.side)[at], len(masks.parts) + 1
    truth = masks.maps[:, at, at].reshape(len(masks.maps), -1)
    overlaps = {name: np.zeros((len(orders), len(cut) * parts), dtype=np.int64) for name, cut in cuts.items()}
    done = 0
    for seen in activations(model, inputs, layers, batch=batch):
        for layer, maps in seen.layers.items():
            up, across = (interpolation(n, fields[layer], grid).to(maps) for n in maps.shape[2:])
            active = (up @ maps @ across.T >= cuts[layer][:, None, None]).flatten(2).nonzero()
            picture, number, pixel = to_host(active).T
            # a map is active at half a percent of the pixels: the part is looked up at these alone
            for overlap, order in zip(overlaps[layer], orders, strict=True):
                seen_part = truth[order[done + picture], pixel]
                overlap += np.bincount(number * parts + seen_part, minlength=len(overlap))
        done += len(seen.images)
    areas = np.bincount(truth.ravel(), minlength=parts)
    return {layer: _dissection(overlap, areas, masks.parts) for layer, overlap in overlaps.items()}


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


def detector_shares(dissected: Mapping[str, Mapping[str, Dissection]]) -> pd.DataFrame:
    """Share of maps that detect some part by network and layer with Wilson's interval, for a figure.

    Args:
        dissected: by network and layer; the first network's share on `OTHER` pictures' masks comes last.

    Returns:
        Columns network, layer, estimate, low, high, n (maps); chance, a mean over shuffles, has no interval.
    """
    found = []
    for network, by_layer in dissected.items():
        for layer, one in by_layer.items():
            i = proportion_interval(one.detectors.sum(), one.detectors.size, resampled="maps")
            found.append((network, layer, i.estimate, i.low, i.high, i.n))
    first = next(iter(dissected.values()))
    found += [(OTHER, name, one.by_chance, np.nan, np.nan, len(one.iou)) for name, one in first.items()]
    return pd.DataFrame(found, columns=["network", "layer", "estimate", "low", "high", "n"])


def _cuts(
    model: nn.Module, inputs: Inputs, layers: Sequence[str], batch: int
) -> dict[str, Float[Tensor, " maps"]]:
    """Of every map, the value that `QUANTILE` of its positions over all pictures reach."""
    highest: dict[str, Tensor] = {}
    for seen in activations(model, inputs, layers, batch=batch):
        for layer, maps in seen.layers.items():
            values = maps.transpose(0, 1).flatten(1)
            most = max(1, int(QUANTILE * len(inputs) * maps[0, 0].numel()))
            if layer in highest:
                values = torch.cat([highest[layer], values], 1)
            highest[layer] = values.topk(min(most, values.shape[1]), sorted=False).values
    above = 1 - 1e-6  # a flat map's interpolated values may lie a rounding below its own
    return {layer: (v.amin(1) * above).clamp(min=torch.finfo(v.dtype).tiny) for layer, v in highest.items()}


def _dissection(
    overlap: Int64[np.ndarray, "orders maps*parts"], areas: Int64[np.ndarray, " parts"], parts: Sequence[str]
) -> Dissection:
    counts, shown = overlap.reshape(len(overlap), -1, len(areas)), areas[1:] > 0
    union = counts.sum(2, keepdims=True) + areas[1:] - counts[:, :, 1:]
    iou = (counts[:, :, 1:] / union.clip(min=1))[:, :, shown]
    return Dissection(tuple(np.array(parts)[shown].tolist()), iou[0], iou[1:])
