"""Training through the pixel store: against the same step on one fixed batch, without data, and against
torchvision's loader; the contrast norm against PyTorch's and against the convolution beside it.

All sides train the same network with the same step. A small network at 128 px takes the store hardest, since
its steps are short; the paper's at 224 px is what matters. A store that does not fit into memory is stood in
for by one whose pages the system was asked to drop. The peer reads an `ImageFolder` of JPEGs, decoded by
Pillow, through a `DataLoader` with torchvision's transforms, and is held to its best number of workers.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import RandomCrop
from torchvision.transforms.v2 import functional

from benchmarks import SCALE, Options, clocked, difference, drawn, folder, ratios, row, side_by_side, zfnet
from benchmarks.disk import drop, in_memory
from zfutils.data import windows
from zfutils.data.pixels import Batch, Pixels, prefetched
from zfutils.experiments.training.throughput import fraction_of_rate, full_batches, matrix_rate, training_flop
from zfutils.nets.contrast_norm import ContrastNorm
from zfutils.nets.specs import NetworkSpec
from zfutils.study.speed import Row
from zfutils.training.recipe import Plateau, Training
from zfutils.training.step import Step

MARGIN = {"small": 16, "paper": 32}  # stored images are larger than the crop by this (pixels), as in editions
WORKERS = (0, 1, 2)
QUALITY = 90  # of the JPEGs
BAR = 0.95  # of the rate on one fixed batch
TOGETHER = 4  # batches that are read to one value
FEW = 0.01  # of a dropped file, what may still be in memory


def measure(options: Options) -> Iterator[Row]:
    """All of it, on drawn pictures in a folder that is removed afterwards."""
    small = drawn(options.small_pictures, options.small_side + MARGIN["small"])
    spec = zfnet(options, small=True, classes=len(small.classes))
    step = step_of(spec, options.batch)
    yield from against_one_batch(step, spec, small, options, times=options.steps)
    yield from against_torchvision(step, spec, small, options)
    yield from contrast_norm(step, spec, options)
    spec = zfnet(options, classes=len(small.classes))
    step = step_of(spec, options.batch)
    images = drawn(options.pictures, options.side + MARGIN["paper"])
    yield from against_one_batch(step, spec, images, options)
    yield from larger_than_memory(step, spec, images, options)


def step_of(spec: NetworkSpec, batch: int) -> Step:
    """A step of the default edition's recipe, in the precision of the device."""
    plateau = Plateau(factor=0.2, patience=1, drops=0)
    how = {"rate": 0.01, "decay": 5e-4, "input_scale": SCALE, "initialisation": "small-first"}
    return Step(spec, Training(epochs=1, batch=batch, plateau=plateau, **how), paper=spec)


def against_one_batch(
    step: Step, spec: NetworkSpec, images: Pixels, options: Options, *, times: int = 1
) -> Iterator[Row]:
    """Batches from the store, against one that is there already."""
    batches = full_batches(step, spec, images)
    fixed = next(batches)
    places = [torch.tensor(values) for values in ((0, 1, 1), (0, 3, 5), (2, 7, 0), (False, True, False))]
    how = {"side": spec.image, "scale": SCALE}
    gathered = windows.gathered(images.pixels, images.mean, *places, *how.values()).permute(0, 3, 1, 2)
    apart = difference("crops", images.crops(*places, **how), gathered, within=0)
    ways = {"fixed": partial(step, fixed.images, fixed.labels), "store": partial(take, step, batches)}
    seconds = side_by_side(ways, repeats=options.repeats, times=times, before=1)
    rate = len(fixed.labels) / statistics.median(seconds["store"])
    peak = matrix_rate("bf16" if step.dtype == torch.bfloat16 else "float32", step.device)
    fraction = fraction_of_rate(rate, training_flop(spec), peak)
    yield row(
        f"training/{spec.image} px",
        f"training from the store at {spec.image} px, {len(fixed.labels)} images a step",
        "the same step on one fixed batch",
        ratios(seconds["fixed"], seconds["store"]),
        "of its rate",
        precision="auto",
        bar=BAR,
        ceiling=1.0,
        difference=apart,
        context={"images a second": rate, "of the matrix rate": fraction, "matrix rate (FLOP/s)": peak},
    )


def take(step: Step, batches: Iterator[Batch]) -> None:
    """One step on the next batch."""
    batch = next(batches)
    step(batch.images, batch.labels)


# ---- a store larger than memory


def larger_than_memory(step: Step, spec: NetworkSpec, images: Pixels, options: Options) -> Iterator[Row]:
    """Training and reading from a store of which nothing is in memory, where the system lets go of files."""
    path, rows = Path(folder().name) / "cold.npy", torch.arange(options.cold) % len(images)
    shape = (options.cold, *images.pixels.shape[1:])
    written = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for place, row_ in enumerate(rows.tolist()):
        written[place] = images.pixels[row_]
    written.flush()
    del written
    warm = replace(images, pixels=images.pixels[rows], labels=images.labels[rows])

    def batches(store: Pixels) -> Iterator[Batch]:
        how = {"batch": options.batch, "side": spec.image, "scale": SCALE, "dtype": step.dtype}
        return prefetched(store.shuffled(torch.arange(len(store)), seed=0, epoch=1, **how), step.device)

    def cold() -> Iterator[Batch]:
        drop(path)
        return batches(replace(warm, pixels=torch.from_numpy(np.load(path, mmap_mode="c"))))

    coming = cold()
    if (there := in_memory(path)) > FEW:
        print(f"{there:.0%} of a dropped file stay in memory: no store larger than that is measured here")
        return
    fixed = next(batches(warm))
    apart = difference("a batch", next(coming).images.float(), fixed.images.float(), within=0)
    ways = {"fixed": partial(step, fixed.images, fixed.labels), "cold": partial(take, step, coming)}
    seconds = side_by_side(ways, repeats=options.repeats)
    del coming, ways  # what is mapped cannot be dropped
    opened: dict[str, Callable[[], Iterator[Batch]]] = {"cold": cold, "warm": partial(batches, warm)}
    read = {name: [] for name in opened}
    for _ in range(options.repeats):
        for name, store in opened.items():
            read[name].append(clocked(partial(next, store()), TOGETHER) / TOGETHER)
    megabytes = len(fixed.rows) * images.pixels[0].numel() / 1e6
    of_all = f"of {options.cold * images.pixels[0].numel() / 1e9:.1f} GB on disk"
    yield row(
        "training/cold",
        f"training at {spec.image} px from a store {of_all}, nothing of it in memory",
        "the same step on one fixed batch",
        ratios(seconds["fixed"], seconds["cold"]),
        "of its rate",
        precision="auto",
        bar=BAR,
        ceiling=1.0,
        difference=apart,
        context={"images a second": len(fixed.rows) / statistics.median(seconds["cold"])},
    )
    yield row(
        "training/reading",
        f"reading and cropping batches {of_all}, nothing of it in memory",
        "the same store in memory",
        ratios(read["warm"], read["cold"]),
        "of its rate",
        precision="auto",
        ceiling=1.0,
        context={
            "MB a second": megabytes / statistics.median(read["cold"]),
            "images a second": len(fixed.rows) / statistics.median(read["cold"]),
            "MB a second in memory": megabytes / statistics.median(read["warm"]),
        },
    )


# ---- torchvision's road


def against_torchvision(step: Step, spec: NetworkSpec, images: Pixels, options: Options) -> Iterator[Row]:
    """Batches from the store, against those of a loader that decodes the same pictures."""
    transform, files = Transform(images.mean, spec.image), jpegs(images)
    corner, places = (3, 5), [torch.tensor([value]) for value in (0, 3, 5, True)]
    ours = images.crops(*places, side=spec.image, scale=SCALE)[0]
    apart = difference(
        "a picture", transform.at(Image.fromarray(images.pixels[0].numpy()), corner, True), ours
    )
    ways: dict[str, Callable[[], None]] = {"ours": partial(take, step, full_batches(step, spec, images))}
    queue = 0
    for workers in WORKERS:
        loader = DataLoader(
            ImageFolder(str(files), transform),
            min(options.batch, len(images)),
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=step.device.type == "cuda",
        )
        queue = max(queue, (loader.prefetch_factor or 0) * workers)
        ways[f"{workers} workers"] = partial(take, step, endless(step, loader))
    seconds = side_by_side(ways, repeats=options.repeats, times=options.steps, before=queue + 1)
    ways.clear()  # ends the workers
    medians = {way: statistics.median(values) for way, values in seconds.items() if way != "ours"}
    best = min(medians, key=lambda way: medians[way])
    fixed = len(images.labels[: options.batch])
    yield row(
        "training/ImageFolder",
        f"training from the store at {spec.image} px",
        f"ImageFolder of JPEGs and DataLoader, {best}",
        ratios(seconds[best], seconds["ours"]),
        "times as fast",
        precision="auto",
        difference=apart,
        context={"images a second": fixed / statistics.median(seconds["ours"])},
    )


def jpegs(images: Pixels) -> Path:
    """The same pictures as an `ImageFolder` reads them: one folder a class."""
    top = Path(folder().name) / "jpegs"
    for i, (pixels, label) in enumerate(zip(images.pixels, images.labels.tolist(), strict=True)):
        path = top / f"{label:03d}" / f"{i:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.numpy()).save(path, quality=QUALITY)
    return top


class Transform:
    """Random crop, mirror, per-pixel mean and scale as in the pixel store, in torchvision's functions."""

    def __init__(self, mean: Tensor, side: int) -> None:
        self.mean, self.side = mean.permute(2, 0, 1).contiguous(), side

    def __call__(self, image: Image.Image) -> Tensor:
        top, left, *_ = RandomCrop.get_params(image, (self.side, self.side))
        return self.at(image, (top, left), bool(torch.rand(1) < 0.5))

    def at(self, image: Image.Image, corner: tuple[int, int], mirrored: bool) -> Tensor:
        """The crop at a corner, mirrored or not."""
        here = (*corner, self.side, self.side)
        pixels = functional.to_image(functional.crop(image, *here)).float()
        pixels = pixels.sub_(functional.crop(self.mean, *here)).mul_(SCALE)
        return functional.horizontal_flip(pixels) if mirrored else pixels


def endless(step: Step, loader: DataLoader) -> Iterator[Batch]:
    """Batches of a loader on the device, pass after pass."""
    while True:
        for pixels, labels in loader:
            pixels = pixels.to(step.device, step.dtype, memory_format=torch.channels_last)
            yield Batch(pixels, labels.to(step.device), labels)


# ---- contrast norm


def contrast_norm(step: Step, spec: NetworkSpec, options: Options) -> Iterator[Row]:
    """Forward and backward of layer 1's contrast norm, PyTorch's, and the convolution whose maps it norms."""
    first, size = spec.convolutions[0], next(s.size for s in spec.stages() if s.name == "pool1")
    ours = ContrastNorm(first.maps).to(step.device)
    theirs = nn.LocalResponseNorm(ours.size, ours.alpha, ours.beta, ours.k)
    draw = partial(torch.randn, device=step.device)
    pooled = draw(options.batch, first.maps, size, size, dtype=step.dtype)
    pixels = draw(options.batch, spec.channels, spec.image, spec.image, dtype=step.dtype)
    few = 100 * draw(2, first.maps, size, size)
    pairs = zip(both(few, ours), both(few, theirs), strict=True)
    apart = max(difference("contrast norm", *pair) for pair in pairs)

    def there_and_back(layer: nn.Module, x: Tensor) -> None:
        x = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_(x is pooled)
        with step.fabric.autocast():
            y = layer(x)
        y.sum().backward()

    convolution = nn.Conv2d(spec.channels, first.maps, *first.window).to(step.device)
    layers = {"ours": (ours, pooled), "PyTorch": (theirs, pooled), "convolution": (convolution, pixels)}
    ways = {
        name: partial(there_and_back, layer.to(memory_format=torch.channels_last), x)
        for name, (layer, x) in layers.items()
    }
    seconds = side_by_side(ways, repeats=options.repeats, times=options.steps)
    of = {"PyTorch": "nn.LocalResponseNorm", "convolution": "the convolution before it"}
    for name, against in of.items():
        yield row(
            f"norm/{name}",
            "contrast norm of layer 1, there and back",
            against,
            ratios(seconds[name], seconds["ours"]),
            "times as fast",
            precision="auto",
            bar=1.0,
            difference=apart if name == "PyTorch" else None,
        )


def both(x: Tensor, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """What a layer gives, and the gradient of the sum of its squares."""
    x = x.clone().requires_grad_()
    y = layer(x)
    return y.detach(), torch.autograd.grad(y.square().sum(), x)[0]
