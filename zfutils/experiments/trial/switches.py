"""What a projection owes to the switches of its pooling layers (chapter 14).

Mahendran & Vedaldi 2016 trace most of a projection's structure to the switches. The one idea: compare a
projection with itself under other switches, and with itself moved as a whole, which loses correlation too
but keeps the structure.

The deconvnet reads nothing else of a picture: from one activation the pattern follows from weights and
switches alone, times the activation. With another picture's switches it is that picture's projection of the
same unit. The gradient and guided back-propagation also read where each ReLU was active, which stays here.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet, Nonlinearity, Recording
from zfutils.deconv.tiles import shuffle_tiles
from zfutils.deconv.units import Projections, Units
from zfutils.experiments.trial.correlations import correlation, inside_picture
from zfutils.experiments.trial.faithfulness import by_picture, mean, units_of
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed

SHIFTS = 16  # of every projection
CHANGES = ("random", "centred", "tiles", "another")  # what the switches are, if not the recorded ones


def lost_with_other_switches(
    model: nn.Module,
    inputs: Inputs,
    *,
    layer: str = "relu5",
    nonlinearity: Nonlinearity = "deconvnet",
    maps_a_picture: int = 4,
    batch: int = 32,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of a projection's variance that is lost with other switches.

    Lost is 1 - r², with r Pearson's correlation of the projection with what it becomes, over pixels and
    colours of the window where it lies in the picture. The units are those of `faithfulness.recovery`.

    Args:
        model: a chain of layers.
        inputs: the pictures.
        layer: a convolutional one.
        nonlinearity: how a ReLU is reversed; which ReLUs were active stays recorded.
        maps_a_picture: so many maps at one position of every picture.
        batch: images, and projections, at a time.
        seed: of random switches, of the cycle of other pictures, and of the tiles.

    Returns:
        One row per picture: picture, a column for each of `CHANGES` (means over the picture's maps; NaN where
        no projection has structure left).

    Raises:
        ValueError: no such layer, or a fully connected one.
    """
    deconvnet, pictures = Deconvnet(model, nonlinearity=nonlinearity), inputs.tensor()
    units = units_of(deconvnet, inputs, layer, maps_a_picture, batch)
    recorded = deconvnet.project(pictures, layer, units, batch=batch)
    inside, pixels = inside_picture(recorded, pictures.shape[-2:]), to_host(recorded.pixels)
    changed = with_other_switches(deconvnet, pictures, layer, units, batch=batch, seed=seed)
    found = pd.DataFrame({"picture": to_host(inputs.rows)})
    for change, other in changed.items():
        pairs = zip(pixels, to_host(other.pixels), inside, strict=True)
        lost = {change: np.array([1 - correlation(*three) ** 2 for three in pairs])}
        found[change] = by_picture(inputs, units, **lost)[change]
    return found


def with_other_switches(
    deconvnet: Deconvnet,
    pictures: Float[Tensor, "n channels h w"],
    layer: str,
    units: Units,
    *,
    batch: int = 32,
    seed: int = 0,
) -> Mapping[str, Projections]:
    """Projections of the same activations by switches that are not their own, one for each of `CHANGES`.

    Args:
        deconvnet: with the recorded switches.
        pictures: what was recorded.
        layer, units: of which activations; all units of a picture at one position.
        batch: projections at a time.
        seed: as for `lost_with_other_switches`.

    Returns:
        "random" and "centred" in the pooling's window; "tiles": the picture's own after the tiles of the
        unit's window changed places; "another": those of another picture (`partners`).
    """
    found = {}
    for rule in ("random", "centred"):
        how = {"nonlinearity": deconvnet.ways.nonlinearity, "switches": rule, "seed": seed}
        found[rule] = Deconvnet(deconvnet.model, **how).project(pictures, layer, units, batch=batch)
    recording, field, shuffled = deconvnet.forward(pictures, layer), deconvnet.window(layer), pictures.clone()
    at = torch.stack([units.images, units.rows, units.columns], dim=1).unique(dim=0)
    for image, row, column in at.tolist():
        shuffle_tiles(shuffled[image], row, column, field, seed=mixed(seed, image))
    others = {"tiles": shuffled, "another": pictures[partners(len(pictures), seed=seed)]}
    for name, images in others.items():
        switches = deconvnet.forward(images, layer).switches
        found[name] = recording.with_switches(switches).project(units, batch=batch)
    return found


def partners(n: int, *, seed: int) -> Int64[Tensor, " n"]:
    """Another picture for each of n, by one cycle through all of them."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(mixed(seed, n)))
    found = torch.empty_like(order)
    found[order] = order.roll(1)
    return found


def lost_by_moving(
    model: nn.Module,
    inputs: Inputs,
    *,
    layer: str = "relu5",
    maps_a_picture: int = 4,
    shifts: int = SHIFTS,
    batch: int = 32,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of a deconvnet projection's variance that is lost by moving it as a whole.

    It is moved by shifts as large as those that random switches make (`switch_shifts`), and zeros move in at
    its borders.

    Args:
        shifts: by which each projection is moved, one after the other.
        model, inputs, layer, maps_a_picture, batch, seed: as for `lost_with_other_switches`.

    Returns:
        One row per picture: picture, moved (mean over shifts and maps), shift (their length in pixels, mean).

    Raises:
        ValueError: as `lost_with_other_switches`.
    """
    deconvnet, pictures = Deconvnet(model), inputs.tensor()
    units = units_of(deconvnet, inputs, layer, maps_a_picture, batch)
    recorded = deconvnet.project(pictures, layer, units, batch=batch)
    inside, pixels = inside_picture(recorded, pictures.shape[-2:]), to_host(recorded.pixels)
    by = _shifts_of_all(deconvnet, inputs, layer, units, shifts, batch, seed)
    lost = np.array([
        mean([1 - correlation(one, moved(one, *shift), seen) ** 2 for shift in own.tolist()])
        for one, own, seen in zip(pixels, by, inside, strict=True)
    ])  # fmt: skip
    found = by_picture(inputs, units, moved=lost, shift=np.hypot(*np.moveaxis(by, 2, 0)).mean(1))
    return found[["picture", "moved", "shift"]]


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
