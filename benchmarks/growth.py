"""How seconds and memory grow with images, maps, the picture's side, the occluder's stride and ranks.

Every size is measured in a process of its own, `python -m benchmarks.growth KIND SIZE REPEATS`, so that what
one size left in memory is not counted for another. Networks have initial weights and pictures are noise:
what is computed does not depend on either.
"""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from benchmarks import SCALE, Options, network
from benchmarks.alone import in_a_process, measured
from benchmarks.occlusion import least_multiply_adds, positions
from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_activations import top_activations
from zfutils.deconv.units import Units
from zfutils.experiments.occlusion.incremental import Incremental
from zfutils.nets import zoo
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import device_of, keep_memory
from zfutils.runtime.ranks import joined
from zfutils.stats.growth import exponent
from zfutils.study.speed import Growth

WIDTH, SIDE, PATCH = 0.25, 128, 32
Work = Callable[[], object]


def spec(side: int = SIDE) -> NetworkSpec:
    """ZFNet at quarter width, with the paper's windows."""
    return zoo.zfnet(image=side).scaled(WIDTH)


def noise(n: int, side: int = SIDE) -> Inputs:
    """Pictures of noise; labels are all 0."""
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8))
    names, mean = tuple(map(str, range(n))), torch.full((side, side, 3), 127.5)
    labels = torch.zeros(n, dtype=torch.int64)
    return Inputs.of(Pixels(pixels, labels, mean, ("noise",), names, {"noise": n}), scale=SCALE)


def searched(n: int, side: int = SIDE) -> Work:
    """The strongest nine of layers 1 to 5."""
    layers = [f"relu{number}" for number in range(1, 6)]
    return partial(top_activations, network(spec(side)), noise(n, side), layers=layers, batch=32)


def projected(maps: int, side: int = SIDE) -> Work:
    """Nine activations of each of some maps of layer 3."""
    model, layer = network(spec(side)), "relu3"
    images = noise(9, side).tensor(device_of(model))
    numbers, pictures = torch.arange(maps).repeat_interleave(9), torch.arange(9).repeat(maps)
    at = torch.full_like(numbers, side // 16 - 3)
    return partial(Deconvnet(model).project, images, layer, Units(pictures, numbers, at, at))


def occluded(stride: int) -> Work:
    """An occlusion map with a patch of 32 px."""
    model = network(spec())
    image = noise(9).tensor(device_of(model))[0]
    shape, rectangles = tuple(image.shape), positions(SIDE, PATCH, stride)
    return partial(Incremental(model, "relu5", rectangles, shape=shape).answers, image, 0 * image)


class Kind(NamedTuple):
    """One piece of work that is measured at several sizes."""

    work: Callable[[int], Work]
    what: str
    along: str
    sizes: tuple[int, ...]  # the smallest piece of work first
    counted: Callable[[int], float]  # how much there is to compute, in whatever unit


KINDS = {
    "images": Kind(searched, "the strongest nine of layers 1 to 5", "images", (128, 256, 512, 1024), float),
    "maps": Kind(projected, "the nine of each map of layer 3, projected", "maps", (12, 24, 48, 96), float),
    "side": Kind(
        partial(searched, 64),
        "the strongest nine in 64 pictures",
        "side of a picture (px)",
        (96, 128, 192, 256),
        lambda side: float(sum(stage.multiply_adds for stage in spec(side).stages()[:-3])),
    ),
    "side, projecting": Kind(
        partial(projected, 24),
        "216 projections of layer 3",
        "side of a picture (px)",
        (96, 128, 192, 256),
        lambda side: 1.0,
    ),
    "stride": Kind(
        occluded,
        "an occlusion map",
        "stride of the occluder (px)",
        (32, 16, 8, 4),
        lambda stride: (
            len(positions(SIDE, PATCH, stride)) * least_multiply_adds(spec(), positions(SIDE, PATCH, stride))
        ),
    ),
    "ranks": Kind(
        lambda ranks: searched(512),
        "the strongest nine, a core a rank",
        "ranks",
        (1, 2),
        lambda ranks: 1 / ranks,
    ),
}


def expected(kind: Kind) -> float:
    """The exponent that counting the work gives."""
    return exponent(kind.sizes, [[kind.counted(size)] * 2 for size in kind.sizes]).estimate


def measure(options: Options) -> Iterator[Growth]:
    """Every kind, at its sizes."""
    for name, kind in KINDS.items():
        sizes = kind.sizes[: options.growing]
        alone = {"OMP_NUM_THREADS": "1"} if name == "ranks" else {}
        found = [
            in_a_process("benchmarks.growth", name, size, options.repeats, ranks=ranks, **alone)
            for size in sizes
            for ranks in [size if name == "ranks" else None]
        ]
        grown = [None if one["peak"] is None else float(one["peak"] - one["before"]) for one in found]
        yield Growth(
            name=name,
            work=kind.what,
            along=kind.along,
            expected=expected(kind),
            sizes=sizes,
            seconds=[one["seconds"] for one in found],
            memory=grown,
        )


if __name__ == "__main__":
    keep_memory()
    name, size, repeats = sys.argv[1], *map(int, sys.argv[2:])
    with joined():
        print(json.dumps(measured(KINDS[name].work(size), repeats=repeats)))
