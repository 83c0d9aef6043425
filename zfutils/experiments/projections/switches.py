"""What a projection owes to the switches of its pooling layers (chapter 3).

Mahendran & Vedaldi 2016 trace most of a projection's structure to the switches. The one idea: compare a
projection with itself under other switches, and with itself moved as a whole, which loses correlation too
but keeps the structure. The choice that the paper leaves open, what two poolings that share a switch give,
is measured by the same comparison.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet, Recording
from zfutils.deconv.units import Units
from zfutils.experiments.projections.correlations import correlation, inside_picture
from zfutils.experiments.projections.faithfulness import by_picture, mean, units_of
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed

SHIFTS = 16  # of every projection


def lost_without_switches(
    model: nn.Module,
    inputs: Inputs,
    *,
    layer: str = "relu5",
    maps_a_picture: int = 4,
    shifts: int = SHIFTS,
    batch: int = 32,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of a projection's variance that is lost with other switches, and by moving it as a whole.

    Lost is 1 - r², with r Pearson's correlation of the projection with what it becomes, over pixels and
    colours of the window where it lies in the picture. The units are those of `faithfulness.recovery`. A
    projection is moved by shifts as large as those that random switches make (`switch_shifts`), and zeros
    move in at its borders.

    Args:
        model: a chain of layers.
        inputs: the pictures.
        layer: a convolutional one.
        maps_a_picture: so many maps at one position of every picture.
        shifts: by which each projection is moved, one after the other.
        batch: images, and projections, at a time.
        seed: of the random switches and of the shifts.

    Returns:
        One row per picture: picture, random and centred (lost with such switches), moved (lost by moving,
        mean over shifts), shift (length of the shifts in pixels, mean), all means over the picture's maps;
        maps (how many). NaN where no projection has structure left.

    Raises:
        ValueError: no map or shift, no such layer, or a fully connected one.
    """
    if shifts < 1:
        raise ValueError(f"a projection needs at least 1 shift, not {shifts}")
    deconvnet, pictures = Deconvnet(model), inputs.tensor()
    units = units_of(deconvnet, inputs, layer, maps_a_picture, batch)
    recorded = deconvnet.project(pictures, layer, units, batch=batch)
    inside, pixels = inside_picture(recorded, pictures.shape[-2:]), to_host(recorded.pixels)
    lost = {}
    for rule in ("random", "centred"):
        other = Deconvnet(model, switches=rule, seed=seed).project(pictures, layer, units, batch=batch)
        pairs = zip(pixels, to_host(other.pixels), inside, strict=True)
        lost[rule] = np.array([1 - correlation(*three) ** 2 for three in pairs])
    by = _shifts_of_all(deconvnet, inputs, layer, units, shifts, batch, seed)
    lost["moved"] = np.array([
        mean([1 - correlation(one, moved(one, *shift), seen) ** 2 for shift in own.tolist()])
        for one, own, seen in zip(pixels, by, inside, strict=True)
    ])  # fmt: skip
    centred = by_picture(inputs, units, centred=lost.pop("centred"))["centred"]
    found = by_picture(inputs, units, **lost, shift=np.hypot(*np.moveaxis(by, 2, 0)).mean(1))
    return found.assign(centred=centred)


def switch_shifts(
    recording: Recording, unit: Units, n: int, *, generator: np.random.Generator
) -> Int64[np.ndarray, "n 2"]:
    """How far random switches move a unit's signal, along n of the paths that it takes to the pixels.

    A path goes through one pooling of every pooling layer, drawn by its share of the energy that passes there
    on the way down (what is negative does not pass: it is rectified). Its shift is the sum, over these
    layers, of how far a random switch lies from the recorded one.

    Args:
        recording: of the unit's picture.
        unit: a single one.
        n: how many paths.
        generator: of the paths and of the random switches.

    Returns:
        Shifts downwards and to the right (pixels); zero where nothing passes.
    """
    deconvnet, total = recording.deconvnet, np.zeros((n, 2), dtype=np.int64)
    steps = {step.name: step for step in deconvnet.steps}
    for (_, above), (name, below) in pairwise(recording.walk(unit)):
        pool, _, what = name.rpartition(": ")
        if what != "unpooled":
            continue
        energy = to_host(above[0].double().clamp(min=0).square())
        if not energy.any():
            return np.zeros((n, 2), dtype=np.int64)
        (kernel, stride, padding), taken = steps[pool].window, recording.switches[pool][unit.images[0]]
        paths = generator.choice(energy.size, n, p=energy.ravel() / energy.sum())
        offsets = divmod(to_host(taken).ravel()[paths].astype(np.int64), kernel)
        _, *places = np.unravel_index(paths, energy.shape)
        pixels = deconvnet.window(pool).stride // stride  # from one place of the map below to the next
        for axis, (place, offset, size) in enumerate(zip(places, offsets, below.shape[2:], strict=True)):
            start = place * stride - padding
            first, last = np.maximum(-start, 0), np.minimum(size - 1 - start, kernel - 1)
            total[:, axis] += pixels * (generator.integers(first, last + 1) - offset)
    return total


def moved(pattern: Float[np.ndarray, "channels h w"], down: int, right: int) -> np.ndarray:
    """A pattern moved within its window (pixels, negative for up and left); zeros move in."""
    found = np.zeros_like(pattern)
    height, width = pattern.shape[1:]
    to = (slice(max(0, by), min(n, n + by)) for by, n in ((down, height), (right, width)))
    of = (slice(max(0, -by), min(n, n - by)) for by, n in ((down, height), (right, width)))
    found[(slice(None), *to)] = pattern[(slice(None), *of)]
    return found


def shared_switches(
    model: nn.Module,
    inputs: Inputs,
    *,
    layers: Sequence[str] = ("relu3", "relu5"),
    maps_a_picture: int = 4,
    batch: int = 32,
) -> pd.DataFrame:
    """What the rule for switches that two poolings share changes in projections, against adding up.

    Args:
        layers: convolutional ones; the other arguments are as in `faithfulness.recovery`.

    Returns:
        One row per layer, picture and rule: layer, picture, rule (last or largest), correlation (Pearson,
        over pixels and colours of the window) and difference (norm of the difference over the norm of the
        projection by adding up), means over the picture's maps; maps (how many).

    Raises:
        ValueError: as `faithfulness.recovery`.
    """
    pictures, tables = inputs.tensor(), []
    for layer in layers:
        units = units_of(Deconvnet(model), inputs, layer, maps_a_picture, batch)
        added = Deconvnet(model).project(pictures, layer, units, batch=batch)
        inside, pixels = inside_picture(added, pictures.shape[-2:]), to_host(added.pixels)
        for rule in ("last", "largest"):
            other = Deconvnet(model, shared=rule).project(pictures, layer, units, batch=batch)
            alike = [correlation(*three) for three in zip(pixels, to_host(other.pixels), inside, strict=True)]
            apart, whole = (p.flatten(1).norm(dim=1) for p in (other.pixels - added.pixels, added.pixels))
            values = {"correlation": np.array(alike), "difference": to_host(apart / whole)}
            tables.append(by_picture(inputs, units, **values).assign(layer=layer, rule=rule))
    return pd.concat(tables, ignore_index=True)[
        ["layer", "picture", "rule", "correlation", "difference", "maps"]
    ]


def switch_sharing(model: nn.Module, inputs: Inputs, *, batch: int = 8) -> pd.DataFrame:
    """Share of positive pooled outputs whose maximum is another pooling's maximum too.

    Returns:
        One row per picture and pooling layer: picture, layer, share; NaN where no output is positive.
    """
    deconvnet, found = Deconvnet(model), []
    for step in (s for s in deconvnet.steps if s.kind == "pool"):
        for seen in inputs.batches(batch):
            recording = deconvnet.forward(seen.images, step.name)
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
            share = to_host((shared & positive).sum(1) / positive.sum(1))
            found.append(pd.DataFrame({"picture": to_host(seen.rows), "layer": step.name, "share": share}))
    return pd.concat(found, ignore_index=True)


def _shifts_of_all(
    deconvnet: Deconvnet, inputs: Inputs, layer: str, units: Units, shifts: int, batch: int, seed: int
) -> Int64[np.ndarray, "units shifts 2"]:
    """`switch_shifts` of all units, which come in the order of their pictures."""
    found, start = [], 0
    for seen in inputs.batches(batch):
        recording, stop = deconvnet.forward(seen.images, layer), start + len(seen.images)
        for i in np.flatnonzero(to_host((units.images >= start) & (units.images < stop))):
            unit = Units(*(t[i : i + 1] for t in units))
            generator = np.random.default_rng(mixed(seed, int(i)))
            here = unit._replace(images=unit.images - start)
            found.append(switch_shifts(recording, here, shifts, generator=generator))
        start = stop
    return np.stack(found)
