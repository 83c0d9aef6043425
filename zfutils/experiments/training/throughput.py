"""How fast this machine trains, beside what its multipliers could do, and where a step's time goes.

The paper's network took 12 days on one GTX 580 (Zeiler & Fergus 2013, §3). What can be compared between
machines is the share of the measured matrix rate: a training step is 3 × 2 floating-point operations a
multiply-add (forward, gradient of the weights, gradient of the input), and a large matrix product says how
many of them the device does in a second when nothing else stands in the way.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Literal

import pandas as pd
import torch
from torch import nn

from zfutils.data.pixels import Batch, Pixels, prefetched
from zfutils.nets.layers import layer_by_layer
from zfutils.nets.pooling import AVERAGES
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import device_name, has_bf16, image_type
from zfutils.training.recipe import Training
from zfutils.training.step import Step, same_random_state

Precision = Literal["float32", "bf16"]
Piece = tuple[str, str, str]  # of a step: phase, kind and layer (or what else it is)

WARM_UP = 2  # runs before the clock starts: memory is asked for, algorithms are chosen
FEWEST = 3  # measured runs, however long they take
DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bf16": torch.bfloat16}

KINDS = (
    (nn.Conv2d, "convolution"),
    (nn.LocalResponseNorm, "contrast norm"),
    (nn.MaxPool2d, "max pooling"),
    (AVERAGES, "averaging"),
    (nn.Linear, "fully connected"),
    (nn.Flatten, "fully connected"),  # where maps are stored channels last it copies them for the next layer
    (nn.ReLU, "ReLU"),
    (nn.Dropout, "dropout"),
)


def synchronise(device: torch.device) -> None:
    """Wait for a device that works on its own."""
    torch.get_device_module(device).synchronize()


def timed(run: Callable[[], object], device: torch.device, *, seconds: float) -> list[float]:
    """How long each of several runs takes (s), so many that they fill these seconds.

    Args:
        run: what is timed.
        device: that is waited for after each.
        seconds: of all together, beyond warming up; three runs at least.
    """
    for _ in range(WARM_UP):
        run()
    times: list[float] = []
    while len(times) < FEWEST or sum(times) < seconds:
        synchronise(device)
        started = time.perf_counter()
        run()
        synchronise(device)
        times.append(time.perf_counter() - started)
    return times


def matrix_rate(
    precision: Precision, device: torch.device, *, side: int | None = None, seconds: float = 1.0
) -> float:
    """Floating-point operations a second in the product of two square matrices: the best of several.

    The product is computed as such and as a 1×1 convolution, since the library behind either may be the
    slower one on a device (on one processor they were three times apart in float32). The best counts, not
    the median: it is a ceiling, and whatever interrupts a product can only hide it.

    Args:
        precision: "bf16" is emulated where the processor lacks it, and then slow.
        device: that multiplies.
        side: of the matrices, a multiple of 64; default 2,048 on a CPU, 8,192 on a GPU.
        seconds: how long products are repeated, three of either kind at least.
    """
    side = side or (2048 if device.type == "cpu" else 8192)
    # Random, since a GPU multiplies ones faster than what a network holds.
    numbers = torch.randn(2, side, side, generator=torch.Generator().manual_seed(0))
    a, b = numbers.to(device, DTYPES[precision])
    # Its columns become maps, which are stored channels last.
    pixels = a.reshape(side // 64, 8, 8, side).permute(0, 3, 1, 2)
    filters = b.reshape(side, side, 1, 1)
    products = (lambda: torch.mm(a, b), lambda: nn.functional.conv2d(pixels, filters))
    with torch.no_grad():
        best = min(min(timed(product, device, seconds=seconds / 2)) for product in products)
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
    rows, resident = torch.arange(len(images)), images.resident(step.device)
    recipe = step.recipe
    how = {"batch": recipe.batch, "side": spec.image, "scale": recipe.input_scale, "dtype": step.dtype}
    passes = (resident.shuffled(rows, seed=0, epoch=epoch, **how) for epoch in itertools.count(1))
    return prefetched(itertools.chain.from_iterable(passes), step.device)


def throughput(
    spec: NetworkSpec,
    images: Pixels,
    recipe: Training,
    *,
    device: torch.device,
    precisions: Sequence[Precision] | None = None,
    seconds: float = 8.0,
) -> pd.DataFrame:
    """Training images a second on one fixed batch, beside the matrix rate, in every precision.

    Args:
        spec: the network.
        images: where the batch comes from.
        recipe: how it is trained; its own precision is not looked at.
        device: that trains.
        precisions: default float32, and bf16 where the device multiplies it in hardware.
        seconds: for everything together, beyond warming up.

    Returns:
        One row for each precision: device, device_type ("cpu", "cuda" or "mps"), threads, precision, network,
        image (px), batch, images_per_second (from the median step), low and high (from the quartiles),
        repeats, matrix_rate (FLOP/s), flop_per_image, fraction (`fraction_of_rate`), step_seconds (median)
        and bound_seconds, what a step would take at the matrix rate.
    """
    precisions = precisions or (["float32", "bf16"] if has_bf16(device) else ["float32"])
    rows = []
    for precision in precisions:
        step = Step(spec, recipe.model_copy(update={"precision": precision}), device=device)
        rate = matrix_rate(precision, device, seconds=0.2 * seconds / len(precisions))
        batch = next(full_batches(step, spec, images))
        with same_random_state():
            run = partial(step, batch.images, batch.labels)
            times = timed(run, device, seconds=0.8 * seconds / len(precisions))
        quick, median, slow = statistics.quantiles(times, n=4, method="inclusive")
        n = len(batch.labels)
        flop = training_flop(spec)
        rows.append(
            {
                "device": device_name(device),
                "device_type": device.type,
                "threads": torch.get_num_threads(),
                "precision": precision,
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


def in_own_precision(speed: pd.DataFrame, recipe: Training, device: torch.device) -> pd.Series:
    """Of `throughput`'s rows, that of the precision in which a recipe trains on the device."""
    own = "bf16" if image_type(recipe.precision, device) == torch.bfloat16 else "float32"
    return speed.set_index("precision").loc[own]


def step_time(
    spec: NetworkSpec,
    images: Pixels,
    recipe: Training,
    *,
    device: torch.device,
    seconds: float,
) -> pd.DataFrame:
    """Where the time of a training step goes: by phase, layer and kind of layer.

    The step is taken apart: every layer runs forward and then backward by itself on what the layer beside
    it gave, with the clock read and the device waited for in between. On a GPU the waiting makes small
    pieces dearer than they are in a whole step.

    Args:
        spec: the network.
        images: where batches come from; getting them is the phase "data".
        recipe: how it is trained, precision included.
        device: that trains.
        seconds: how long steps are repeated, three at least.

    Returns:
        One row for each piece, in the order of a step: phase (data, forward, backward, optimiser,
        renormalise), kind (that of the layer; otherwise loss or the phase's name), layer, seconds (median
        over steps).
    """
    step = Step(spec, recipe, device=device)
    batches = full_batches(step, spec, images)
    samples: list[dict[Piece, float]] = []
    with same_random_state():
        for _ in range(WARM_UP):
            _taken_apart(step, batches)
        while len(samples) < FEWEST or sum(sum(sample.values()) for sample in samples) < seconds:
            samples.append(_taken_apart(step, batches))
    rows = [(*piece, statistics.median(sample[piece] for sample in samples)) for piece in samples[0]]
    return pd.DataFrame(rows, columns=["phase", "kind", "layer", "seconds"])


def _taken_apart(step: Step, batches: Iterator[Batch]) -> dict[Piece, float]:
    """One training step in pieces: the seconds of each."""
    pieces: dict[Piece, float] = {}
    synchronise(step.device)
    last = time.perf_counter()

    def note(phase: str, kind: str, layer: str | None = None) -> None:
        nonlocal last
        synchronise(step.device)
        pieces[phase, kind, layer or kind] = time.perf_counter() - last
        last = time.perf_counter()

    batch, ran = next(batches), []
    note("data", "data")
    with step.fabric.autocast():
        for layer in layer_by_layer(step.model, batch.images, apart=True):
            ran.append(layer)
            note("forward", _kind(layer.module), layer.name)
    logits = layer.output.detach().float().requires_grad_()
    loss = nn.functional.cross_entropy(logits, batch.labels)
    note("forward", "loss")
    loss.backward()
    note("backward", "loss")
    gradient = logits.grad
    for layer in reversed(ran):
        layer.output.backward(gradient.to(layer.output.dtype))
        gradient = layer.input.grad
        note("backward", _kind(layer.module), layer.name)
    step.optimizer.step()
    step.optimizer.zero_grad()
    note("optimiser", "optimiser")
    step.renormalise()
    note("renormalise", "renormalise")
    return pieces


def _kind(module: nn.Module) -> str:
    for class_, kind in KINDS:
        if isinstance(module, class_):
            return kind
    known = ", ".join(kind for _, kind in KINDS)
    raise ValueError(f"a {type(module).__name__} is none of the layers of these networks: {known}")
