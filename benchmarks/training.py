"""Training through the pixel store, against the same step without data and against torchvision's loader;
the contrast norm against PyTorch's and against the convolution beside it.

Both sides train the same network with the same step. The peer reads an `ImageFolder` of JPEGs through a
`DataLoader` with torchvision's transforms, at several numbers of workers and threads; both sides are held
to their best threads, the peer to its best workers. It is measured with Pillow, as it comes, and with
torchvision's own decoder, which is faster and on its way out. What is read lies in the page cache on both
sides.
"""

import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import pil_loader
from torchvision.transforms import RandomCrop
from torchvision.transforms.v2 import functional

from benchmarks import Options, row, side_by_side
from zfutils.data.parts import PartsImages
from zfutils.data.pixels import Batch, Pixels
from zfutils.data.stores import build
from zfutils.experiments.training.throughput import fraction_of_rate, full_batches, matrix_rate, training_flop
from zfutils.nets import zoo
from zfutils.nets.contrast_norm import ContrastNorm
from zfutils.nets.specs import NetworkSpec
from zfutils.training.recipe import Plateau, Training
from zfutils.training.step import Step

MARGIN = 16  # stored images are larger than the crop by this (pixels), as in the default edition
WORKERS = (0, 1, 2)
QUALITY = 90  # of the JPEGs


def measure(options: Options) -> list[dict[str, object]]:
    """All of it, on parts pictures in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as temporary:
        source = PartsImages("train", n=options.pictures, size=options.image + MARGIN)
        images = build(source, Path(temporary) / "pixels", progress=False)
        folder = _jpegs(images, Path(temporary) / "jpegs")
        spec = zoo.zfnet(len(images.classes), options.image).scaled(options.width)
        recipe = Training(
            epochs=1,
            batch=options.batch,
            rate=0.01,
            decay=5e-4,
            input_scale=1 / 64,
            initialisation="small-first",
            plateau=Plateau(factor=0.2, patience=1, drops=0),
            precision=options.precision,
        )
        step = Step(spec, recipe)
        return [
            *_against_one_batch(step, spec, images, options),
            *_against_torchvision(step, spec, images, folder, options),
            *_contrast_norm(step, spec, options),
        ]


def _against_one_batch(
    step: Step, spec: NetworkSpec, images: Pixels, options: Options
) -> list[dict[str, object]]:
    batches = full_batches(step, spec, images)
    fixed = next(batches)
    seconds = side_by_side(
        {
            "one fixed batch": lambda: step(fixed.images, fixed.labels),
            "pixel store": partial(_next_step, step, _pairs(batches)),
        },
        pairs=options.pairs,
        times=options.steps,
        before=2,
    )
    rates = {name: [len(fixed.labels) / s for s in times] for name, times in seconds.items()}
    ratios = [a / b for a, b in zip(rates["pixel store"], rates["one fixed batch"], strict=True)]
    peak = matrix_rate("bf16" if step.dtype == torch.bfloat16 else "float32", step.device)
    shares = [fraction_of_rate(r, training_flop(spec), peak) for r in rates["pixel store"]]
    return [
        *(row(f"training, {name}", values, "images/s", options) for name, values in rates.items()),
        row("training, pixel store over one fixed batch", ratios, "ratio", options, reach=0.95),
        row("training, pixel store, of the matrix rate", shares, f"of {peak:.3g} FLOP/s", options),
    ]


def _against_torchvision(
    step: Step, spec: NetworkSpec, images: Pixels, folder: Path, options: Options
) -> list[dict[str, object]]:
    fewer = max(1, options.threads - 1)
    settings = sorted(
        {(w, t) for w in WORKERS for t in (options.threads, fewer) if w or t == options.threads}
    )
    own = _pairs(full_batches(step, spec, images))
    ours = {threads: partial(_next_step, step, own, threads) for threads in {options.threads, fewer}}
    seconds = side_by_side(ours, pairs=options.pairs, times=3, before=2)
    best_threads = min(ours, key=lambda threads: statistics.median(seconds[threads]))
    rows: list[dict[str, object]] = []
    for decoder, decode in _decoders().items():
        ratios: dict[str, list[float]] = {}
        for workers, threads in settings:
            name = f"ImageFolder, {decoder}, workers: {workers}, threads: {threads}"
            loader = _loader(step, spec, images, folder, decode, workers, options)
            ways = {
                "ours": ours[best_threads],
                "theirs": partial(_next_step, step, _endless(step, loader), threads),
            }
            queue = (loader.prefetch_factor or 0) * workers
            seconds = side_by_side(ways, pairs=options.pairs, times=options.steps, before=queue + 1)
            ratios[name] = [b / a for a, b in zip(seconds["ours"], seconds["theirs"], strict=True)]
            rates = [loader.batch_size / s for s in seconds["theirs"]]
            rows.append(row(f"training, {name}", rates, "images/s", options))
            del ways, loader  # ends its workers
        torch.set_num_threads(options.threads)
        best = min(ratios, key=lambda name: statistics.median(ratios[name]))
        name = f"training, pixel store, threads: {best_threads}, over {best}"
        rows.append(row(name, ratios[best], "ratio", options, reach=2.0))
    return rows


def _pairs(batches: Iterable[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
    return ((batch.images, batch.labels) for batch in batches)


def _next_step(step: Step, batches: Iterator[tuple[Tensor, Tensor]], threads: int | None = None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    step(*next(batches))


# ---- torchvision's road


def _jpegs(images: Pixels, folder: Path) -> Path:
    """The same pictures as an `ImageFolder` reads them: one folder a class."""
    for i, (pixels, label) in enumerate(zip(images.pixels, images.labels.tolist(), strict=True)):
        path = folder / f"{label:03d}" / f"{i:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.numpy()).save(path, quality=QUALITY)
    return folder


def _decoders() -> dict[str, Callable[[str], Image.Image | Tensor]]:
    """torchvision's ways to read a JPEG; newer versions of it will have the first alone."""
    decoders: dict[str, Callable[[str], Image.Image | Tensor]] = {"Pillow": pil_loader}
    if hasattr(torchvision.io, "decode_image"):
        decoders["torchvision.io"] = _decoded
    return decoders


def _decoded(path: str) -> Tensor:
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return torchvision.io.decode_image(path, torchvision.io.ImageReadMode.RGB)


class _Transform:
    """Random crop, mirror, per-pixel mean and scale as in the pixel store, in torchvision's functions."""

    def __init__(self, mean: Tensor, side: int, scale: float) -> None:
        self.mean, self.side, self.scale = mean.permute(2, 0, 1).contiguous(), side, scale

    def __call__(self, image: Image.Image | Tensor) -> Tensor:
        corner = RandomCrop.get_params(image, (self.side, self.side))
        pixels = functional.to_image(functional.crop(image, *corner)).float()
        pixels = pixels.sub_(functional.crop(self.mean, *corner)).mul_(self.scale)
        return functional.horizontal_flip(pixels) if torch.rand(1) < 0.5 else pixels


def _loader(
    step: Step,
    spec: NetworkSpec,
    images: Pixels,
    folder: Path,
    load: Callable,
    workers: int,
    options: Options,
) -> DataLoader:
    transform = _Transform(images.mean, spec.image, step.recipe.input_scale)
    return DataLoader(
        ImageFolder(str(folder), transform, loader=load),
        min(options.batch, len(images)),
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=step.device.type == "cuda",
    )


def _endless(step: Step, loader: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        for pixels, labels in loader:
            pixels = pixels.to(step.device, step.dtype, memory_format=torch.channels_last)
            yield pixels, labels.to(step.device)


# ---- contrast norm


def _contrast_norm(step: Step, spec: NetworkSpec, options: Options) -> list[dict[str, object]]:
    """Forward and backward of layer 1's contrast norm, PyTorch's, and the convolution whose maps it norms."""
    first = spec.convolutions[0]
    sizes = {stage.name: stage.size for stage in spec.stages()}
    shapes = {
        "input": (options.batch, spec.channels, spec.image, spec.image),
        "pooled": (options.batch, first.maps, sizes["pool1"], sizes["pool1"]),
    }
    data = {
        name: torch.randn(shape, device=step.device, dtype=step.dtype).contiguous(
            memory_format=torch.channels_last
        )
        for name, shape in shapes.items()
    }
    ours = ContrastNorm(first.maps)
    layers = {
        "contrast norm": (ours, "pooled"),
        "contrast norm, PyTorch's": (
            nn.LocalResponseNorm(ours.size, ours.alpha, ours.beta, ours.k),
            "pooled",
        ),
        "convolution before it": (nn.Conv2d(spec.channels, first.maps, *first.window), "input"),
    }

    def there_and_back(layer: nn.Module, x: Tensor) -> None:
        x = x.detach().requires_grad_(not isinstance(layer, nn.Conv2d))
        with step.fabric.autocast():
            y = layer(x)
        y.sum().backward()

    ways = {
        name: partial(there_and_back, layer.to(step.device, memory_format=torch.channels_last), data[of])
        for name, (layer, of) in layers.items()
    }
    seconds = side_by_side(ways, pairs=options.pairs, times=options.steps)
    own = seconds.pop("contrast norm")
    rows = [row("layer 1, contrast norm", [1000 * s for s in own], "ms a batch", options)]
    for name, theirs in seconds.items():
        ratios = [b / a for a, b in zip(own, theirs, strict=True)]
        reach = 1.0 if name.startswith("convolution") else None
        rows.append(row(f"layer 1, {name}", [1000 * s for s in theirs], "ms a batch", options))
        rows.append(row(f"layer 1, {name}, over our contrast norm", ratios, "ratio", options, reach=reach))
    return rows
