"""How fast things are, measured side by side in one process: `python -m benchmarks` runs all of it.

Two ways of doing the same are timed in turn, round after round, so that whatever else the machine does meets
both; reported are medians over the rounds, with quartiles. Before the clock starts both are seen to give the
same values. Absolute numbers are this machine's.
"""

import functools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from zfutils.data.parts import PartsImages
from zfutils.data.pixels import Pixels
from zfutils.data.stores import build
from zfutils.experiments.training.throughput import synchronise
from zfutils.nets import zoo
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import Precision, chosen_device, device_name, image_type
from zfutils.runtime.folders import build_folder
from zfutils.study.speed import Row
from zfutils.training.initialisation import initialise

Key = TypeVar("Key", str, int)

SCALE = 1 / 64  # of the inputs
EQUAL = 1e-5  # of the greatest value: what rounding explains


@dataclass(frozen=True)
class Options:
    """How much is measured; the paper's network at 224 px, and a small one as in the default edition."""

    repeats: int = 5
    width: float = 1.0
    side: int = 224
    small_width: float = 0.25
    small_side: int = 128
    pictures: int = 256  # that are searched; a search spends most on the first, when strongest keep changing
    small_pictures: int = 1536
    batch: int = 128
    steps: int = 6  # of the small network to one measurement; the paper's takes one
    units: int = 32  # projections of a layer to one measurement
    atlas: bool = True  # whether all projections are computed once besides
    cold: int = 3072  # images of the store that is read from the disk; 200 kB each
    growing: int = 4  # sizes to each kind of growth


QUICK = Options(
    repeats=2,
    pictures=96,
    small_pictures=512,
    batch=64,
    steps=4,
    units=16,
    atlas=False,
    cold=1024,
    growing=2,
)


def side_by_side(
    ways: Mapping[Key, Callable[[], object]], *, repeats: int, times: int = 1, before: int = 0
) -> dict[Key, list[float]]:
    """Seconds that each way takes, one value a round; within a round the ways take turns in going first.

    Every way is run once before the first round.

    Args:
        ways: by name.
        repeats: how many rounds.
        times: how often a way is run to one value.
        before: how often it is run before the clock starts, each time: what another way has left running
            (a loader that fills its queue) has come to rest by then, and its own queue is empty.
    """
    seconds: dict[Key, list[float]] = {name: [] for name in ways}
    for turn in range(repeats):
        first = turn % len(ways)
        for name in [*ways][first:] + [*ways][:first]:
            for _ in range(max(before, not turn)):
                ways[name]()
            seconds[name].append(clocked(ways[name], times) / times)
    return seconds


def clocked(way: Callable[[], object], times: int = 1) -> float:
    """Seconds until the device is done."""
    synchronise(device := chosen_device())
    started = time.perf_counter()
    for _ in range(times):
        way()
    synchronise(device)
    return time.perf_counter() - started


def ratios(first: Iterable[float], second: Iterable[float]) -> list[float]:
    """The first over the second, round by round."""
    return [a / b for a, b in zip(first, second, strict=True)]


def difference(
    what: str, ours: Tensor, theirs: Tensor, *, within: float = EQUAL, of: Tensor | None = None
) -> float:
    """Greatest difference between two ways' values, of the greatest value.

    Args:
        what: is compared.
        ours, theirs: the values.
        within: what may be explained by rounding.
        of: what the greatest value is taken of, where the values are differences of these; default theirs.

    Raises:
        ValueError: it is larger than what rounding explains; or another shape.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"{what}: values of shape {tuple(ours.shape)} and {tuple(theirs.shape)}")
    size = (theirs if of is None else of).abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    worst = float((ours - theirs).abs().max() / size)
    if not worst <= within:
        raise ValueError(f"{what}: values differ by {worst:.2g} of the greatest, more than {within:g}")
    return worst


def row(
    name: str,
    work: str,
    against: str,
    values: list[float],
    unit: str,
    *,
    precision: Precision = "float32",
    **more: object,
) -> Row:
    """One comparison: median and quartiles of the values, and the circumstances."""
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    device = chosen_device()
    bf16 = image_type(precision, device) == torch.bfloat16
    return Row(
        **dict(zip(("low", "median", "high"), quartiles, strict=True)),
        name=name,
        work=work,
        against=against,
        unit=unit,
        repeats=len(values),
        precision="bf16" if bf16 else "float32",
        threads=torch.get_num_threads(),
        device=device_name(device).rsplit(",", 1)[0],
        torch=torch.__version__,
        **more,
    )


def network(spec: NetworkSpec, *, rule: str = "he") -> nn.Sequential:
    """The network with initial weights on the device, in eval mode."""
    model = spec.build()
    initialise(model, rule, seed=0, paper=spec)
    return model.eval().to(chosen_device(), memory_format=torch.channels_last)


def zfnet(options: Options, *, small: bool = False, classes: int = 1000) -> NetworkSpec:
    """The paper's network, or the small one."""
    width, side = (options.small_width, options.small_side) if small else (options.width, options.side)
    return zoo.zfnet(classes, side).scaled(width)


@functools.cache
def folder() -> tempfile.TemporaryDirectory:
    """Where benchmarks write; on the disk of the build folder, and removed at the end."""
    build_folder().mkdir(exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="bench-", dir=build_folder())


@functools.cache
def drawn(n: int, size: int) -> Pixels:
    """A store of drawn pictures."""
    path = Path(folder().name) / f"{n}-{size}"
    return build(PartsImages("train", n=n, size=size), path, progress=False)
