"""How fast things are, measured side by side in one process: `python -m benchmarks` runs all of it.

Two ways of doing the same are timed in turn, pair after pair, so that whatever else the machine does meets
both; reported are medians over the pairs, with quartiles. Absolute numbers are this machine's.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch

from zfutils.experiments.training.throughput import synchronise
from zfutils.runtime.devices import Precision, chosen_device, device_name, image_type

Key = TypeVar("Key", str, int)


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    pairs: int
    steps: int
    width: float
    image: int
    batch: int
    pictures: int
    units: int
    precision: Precision
    threads: int

    @classmethod
    def parse(cls, arguments: list[str] | None = None) -> tuple["Options", list[str]]:
        """From the command line; beside the options, the names of the benchmarks that were asked for."""
        parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
        parser.add_argument("names", nargs="*", help="which benchmarks; default all")
        parser.add_argument("--pairs", type=int, default=5, help="how often each pair is repeated")
        parser.add_argument("--steps", type=int, default=10, help="training steps to one measurement")
        parser.add_argument("--width", type=float, default=0.25, help="of ZFNet, as a factor of the paper's")
        parser.add_argument("--image", type=int, default=128, help="side of what the network sees, pixels")
        parser.add_argument("--batch", type=int, default=128)
        parser.add_argument("--pictures", type=int, default=1500, help="rendered for measuring")
        parser.add_argument("--units", type=int, default=64, help="projections of a layer to one measurement")
        parser.add_argument("--precision", choices=("auto", "bf16", "float32"), default="auto")
        parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of PyTorch")
        read = vars(parser.parse_args(arguments))
        names = read.pop("names")
        return cls(**read), names


def side_by_side(
    ways: Mapping[Key, Callable[[], object]], *, pairs: int, times: int = 1, before: int = 1
) -> dict[Key, list[float]]:
    """Seconds that each way takes, one value a round; within a round the ways take turns in going first.

    Args:
        ways: by name.
        pairs: how many rounds.
        times: how often a way is run to one value.
        before: how often it is run before the clock starts, each time: what another way has left running
            (a loader that fills its queue) has come to rest by then, and its own queue is empty.
    """
    seconds: dict[Key, list[float]] = {name: [] for name in ways}
    device = chosen_device()
    for turn in range(pairs):
        first = turn % len(ways)
        for name in [*ways][first:] + [*ways][:first]:
            for _ in range(before):
                ways[name]()
            synchronise(device)
            started = time.perf_counter()
            for _ in range(times):
                ways[name]()
            synchronise(device)
            seconds[name].append((time.perf_counter() - started) / times)
    return seconds


def row(
    measured: str,
    values: list[float],
    unit: str,
    options: Options,
    *,
    reach: float | None = None,
    **context: object,
) -> dict[str, object]:
    """One line of a benchmark's table: median and quartiles of the values, and what is to be reached."""
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    device = chosen_device()
    bf16 = image_type(options.precision, device) == torch.bfloat16
    return {
        "measured": measured,
        "median": quartiles[1],
        "low": quartiles[0],
        "high": quartiles[2],
        "unit": unit,
        "reach": reach,
        "reached": None if reach is None else quartiles[1] >= reach,
        "repeats": len(values),
        "precision": "bf16" if bf16 else "float32",
        "threads": torch.get_num_threads(),
        "device": device_name(device).rsplit(",", 1)[0],
        **context,
    }
