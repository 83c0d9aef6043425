"""How fast this machine trains, beside what its multipliers could do, and where a step's time goes.

The paper's network took 12 days on one GTX 580 (Zeiler & Fergus 2013, §3). What can be compared between
machines is the share of the measured matrix rate: a training step is 3 × 2 floating-point operations a
multiply-add (forward, gradient of the weights, gradient of the input), and a large matrix product says how
many of them the device does in a second when nothing else stands in the way.
"""

import itertools
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Literal

import pandas as pd
import torch
from torch import nn

from zfutils.data.pixels import Batch, Pixels
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import device_name, has_bf16
from zfutils.training.recipe import Training
from zfutils.training.step import Step, same_random_state

Precision = Literal["float32", "bf16"]

WARM_UP = 2  # steps before the clock starts: memory is asked for, algorithms are chosen
FEWEST = 3  # measured repeats, however long they take

KINDS = (
    (nn.Conv2d, "convolution"),
    (nn.LocalResponseNorm, "contrast norm"),
    (nn.MaxPool2d, "max pooling"),
    (nn.Linear, "fully connected"),
    (nn.Flatten, "fully connected"),  # where maps are stored channels last it copies them for the next layer
    (nn.ReLU, "ReLU"),
    (nn.Dropout, "dropout"),
)


def synchronise() -> None:
    """Wait for the device, where it works on its own."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def matrix_rate(precision: Precision, *, side: int | None = None, seconds: float = 1.0) -> float:
    """Floating-point operations a second in the product of two square matrices: the best of several.

    The product is computed as such and as a 1×1 convolution, since the library behind either may be the
    slower one on a device (on one processor they were three times apart in float32). The best counts, not
    the median: it is a ceiling, and whatever interrupts a product can only hide it.

    Args:
        precision: "bf16" is emulated where the processor lacks it, and then slow.
        side: of the matrices, a multiple of 64; default 2,048 on a CPU, 8,192 on a GPU.
        seconds: how long products are repeated, three of either kind at least.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    side = side or (8192 if device == "cuda" else 2048)
    a, b = (torch.ones(side, side, device=device, dtype=_dtype(precision)) for _ in range(2))
    pixels = a.reshape(side // 64, 8, 8, side).permute(
        0, 3, 1, 2
    )  # side columns, as maps stored channels last
    filters = b.reshape(side, side, 1, 1)
    products = (lambda: torch.mm(a, b), lambda: nn.functional.conv2d(pixels, filters))
    best = math.inf
    with torch.no_grad():
        for product in products:
            product()
            times: list[float] = []
            while len(times) < FEWEST or sum(times) < seconds / len(products):
                synchronise()
                started = time.perf_counter()
                product()
                synchronise()
                times.append(time.perf_counter() - started)
            best = min(best, *times)
    return 2 * side**3 / best


def training_flop(spec: NetworkSpec) -> int:
    """Floating-point operations of a training step, for one image (convolutions and fully connected layers).

    Two a multiply-add, each three times: forward, for the gradient of the weights and for that of the
    layer's input, which the first layer does without. 6 × multiply-adds would count that, too.
    """
    return 2 * (3 * spec.multiply_adds - spec.stages()[0].multiply_adds)


def fraction_of_rate(images_per_second: float, flop_per_image: float, rate: float) -> float:
    """Share of the matrix rate that training puts to use.

    Args:
        images_per_second: in training.
        flop_per_image: as `training_flop` gives it.
        rate: floating-point operations a second, as `matrix_rate` gives it.
    """
    return flop_per_image * images_per_second / rate


def full_batches(step: Step, spec: NetworkSpec, images: Pixels) -> Iterator[Batch]:
    """Training batches without end, through the road that training takes; every one full."""
    resident = images.to(step.fabric.device)
    for epoch in itertools.count(1):
        yield from resident.shuffled(
            torch.arange(len(images)),
            seed=0,
            epoch=epoch,
            batch=step.recipe.batch,
            side=spec.image,
            scale=step.recipe.input_scale,
            dtype=step.dtype,
        )


def throughput(
    spec: NetworkSpec,
    images: Pixels,
    recipe: Training,
    *,
    precisions: Sequence[Precision] | None = None,
    seconds: float = 8.0,
) -> pd.DataFrame:
    """Training images a second on one fixed batch, beside the matrix rate, in every precision.

    Args:
        spec: the network.
        images: where the batch comes from.
        recipe: how it is trained; its own precision is not looked at.
        precisions: default float32, and bf16 where the device multiplies it in hardware.
        seconds: for everything together, beyond warming up.

    Returns:
        One row a precision: device, threads, precision, network, image (px), batch, images_per_second
        (from the median step), low and high (from the quartiles), repeats, matrix_rate (FLOP/s),
        flop_per_image, fraction (`fraction_of_rate`), step_seconds (median) and bound_seconds, what a step
        would take at the matrix rate.
    """
    precisions = precisions or (["float32", "bf16"] if has_bf16() else ["float32"])
    rows = []
    for precision in precisions:
        step = Step(spec, recipe.model_copy(update={"precision": precision}))
        rate = matrix_rate(precision, seconds=0.2 * seconds / len(precisions))
        batch = next(full_batches(step, spec, images))
        times: list[float] = []
        with same_random_state():
            for repeat in range(10**9):
                started = time.perf_counter()
                step(batch.images, batch.labels)
                synchronise()
                if repeat >= WARM_UP:
                    times.append(time.perf_counter() - started)
                if len(times) >= FEWEST and sum(times) > 0.8 * seconds / len(precisions):
                    break
        quick, median, slow = statistics.quantiles(times, n=4, method="inclusive")
        n = len(batch.labels)
        flop = training_flop(spec)
        rows.append(
            {
                **_circumstances(precision),
                "network": spec.name,
                "image": spec.image,
                "batch": n,
                "images_per_second": n / median,
                "low": n / slow,
                "high": n / quick,
                "repeats": len(times),
                "matrix_rate": rate,
                "flop_per_image": flop,
                "fraction": fraction_of_rate(n / median, flop, rate),
                "step_seconds": median,
                "bound_seconds": n * flop / rate,
            }
        )
    return pd.DataFrame(rows)


def step_time(spec: NetworkSpec, images: Pixels, recipe: Training, *, seconds: float = 4.0) -> pd.DataFrame:
    """Where the time of a training step goes: by phase, layer and kind of layer.

    The step is taken apart: every layer runs forward and then backward by itself on what the layer beside
    it gave, with the clock read and the device waited for in between. On a GPU the waiting makes small
    pieces dearer than they are in a whole step.

    Args:
        spec: the network.
        images: where batches come from; getting them is the phase "data".
        recipe: how it is trained, precision included.
        seconds: how long steps are repeated, three at least.

    Returns:
        One row a piece, in the order of a step: phase (data, forward, backward, optimizer, renormalise),
        kind (that of the layer; otherwise loss or the phase's name), layer, seconds (median over steps) and
        share of all; device, threads, precision, batch.
    """
    step = Step(spec, recipe)
    batches = full_batches(step, spec, images)
    samples: list[dict[tuple[str, str], float]] = []
    spent = 0.0
    with same_random_state():
        for repeat in range(10**9):
            pieces, batch = _taken_apart(step, batches)
            if repeat >= WARM_UP:
                samples.append(pieces)
                spent += sum(pieces.values())
            if len(samples) >= FEWEST and spent > seconds:
                break
    kinds = {name: _kind(module) for name, module in step.model.named_children()}
    medians = {piece: statistics.median(s[piece] for s in samples) for piece in samples[0]}
    total = sum(medians.values())
    rows = [
        {"phase": phase, "kind": kinds.get(layer, layer), "layer": layer, "seconds": s, "share": s / total}
        for (phase, layer), s in medians.items()
    ]
    precision = "bf16" if step.dtype == torch.bfloat16 else "float32"
    return pd.DataFrame(rows).assign(**_circumstances(precision), batch=len(batch.labels))


class _Clock:
    """Seconds by piece; a piece ends where it is noted."""

    def __init__(self) -> None:
        self.pieces: dict[tuple[str, str], float] = {}
        synchronise()
        self.last = time.perf_counter()

    def note(self, phase: str, layer: str) -> None:
        synchronise()
        now = time.perf_counter()
        self.pieces[phase, layer] = now - self.last
        self.last = time.perf_counter()


def _taken_apart(step: Step, batches: Iterator[Batch]) -> tuple[dict[tuple[str, str], float], Batch]:
    """One training step in pieces: seconds by phase and layer (or what else it is), and its batch."""
    clock = _Clock()
    batch = next(batches)
    clock.note("data", "data")
    x, ends = batch.images, []
    with step.fabric.autocast():
        for name, module in step.model.named_children():
            start = x.detach().requires_grad_(bool(ends))  # the images need no gradient
            x = module(start)
            ends.append((name, start, x))
            clock.note("forward", name)
    start = x.detach().float().requires_grad_()
    loss = nn.functional.cross_entropy(start, batch.labels)
    clock.note("forward", "loss")
    step.optimizer.zero_grad()
    clock.note("optimizer", "optimizer")
    clearing = clock.pieces.pop(("optimizer", "optimizer"))
    loss.backward()
    clock.note("backward", "loss")
    gradient = start.grad
    for name, start, x in reversed(ends):
        x.backward(gradient.to(x.dtype))
        gradient = start.grad
        clock.note("backward", name)
    step.optimizer.step()
    clock.note("optimizer", "optimizer")
    clock.pieces["optimizer", "optimizer"] += clearing
    step.renormalise()
    clock.note("renormalise", "renormalise")
    return clock.pieces, batch


def _kind(module: nn.Module) -> str:
    for class_, kind in KINDS:
        if isinstance(module, class_):
            return kind
    known = ", ".join(class_.__name__ for class_, _ in KINDS)
    raise ValueError(f"a {type(module).__name__} is none of the layers of these networks: {known}")


def _dtype(precision: Precision) -> torch.dtype:
    dtypes = {"float32": torch.float32, "bf16": torch.bfloat16}
    if precision not in dtypes:
        raise ValueError(f"precision {precision!r}; allowed are {', '.join(dtypes)}")
    return dtypes[precision]


def _circumstances(precision: Precision) -> dict[str, str | int]:
    """What a timing is worth nothing without."""
    return {"device": device_name(), "threads": torch.get_num_threads(), "precision": precision}
