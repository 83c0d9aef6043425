"""Occlusion maps against captum's `Occlusion`: one picture of 224 px, a patch of 48 px every 8 px; then 16.

Both sides have the same module, ZFNet at the paper's width with initial weights and our contrast norm, the
same pictures, float32 and the same 23 × 23 positions, which do not reach past the border as captum's do not.
captum is held to its best `perturbations_per_eval`. It returns the mean fall of one score over all positions
that cover a pixel; the same mean of our values is compared with it, and every 16th position with the network
run plainly on the covered picture. Ours gives all classes and the sums of layer 5 besides. What is done once
for a network and its positions, before the first picture, is timed by itself.
"""

import statistics
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from captum.attr import Occlusion
from torch import Tensor, nn

from benchmarks import Options, row, side_by_side
from zfutils.data.parts import PartsImages
from zfutils.experiments.occlusion.incremental import Incremental
from zfutils.experiments.occlusion.plain import Answers
from zfutils.experiments.occlusion.rectangles import Rectangles, Spans
from zfutils.nets import zoo
from zfutils.nets.geometry import Window
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import chosen_device, keep_memory, to_host
from zfutils.training.initialisation import initialise

SIDE, SIZE, STRIDE = 224, 48, 8
SCALE = 1 / 64
PICTURES = 16
TARGET = 3  # the class that captum follows
BATCHES = (8, 16, 32, 64)  # captum's, of which the best is taken
EQUAL = 1e-5  # of the greatest logit


def measure(options: Options) -> list[dict[str, object]]:
    """All of it, on pictures of parts."""
    keep_memory()
    torch.backends.cudnn.allow_tf32 = False  # float32 on both sides, so that values can be compared
    options, device = replace(options, precision="float32"), chosen_device()
    spec = zoo.zfnet(image=SIDE)
    model = spec.build()
    initialise(model, "he", seed=0)
    model = model.eval().to(device, memory_format=torch.channels_last)
    source = PartsImages("validation", n=PICTURES, size=SIDE)
    pixels = np.stack([source[i] for i in range(PICTURES)]).astype(np.float32)
    images = torch.from_numpy((pixels - pixels.mean(0)) * SCALE).permute(0, 3, 1, 2).contiguous().to(device)
    rectangles = _positions()
    prepared = partial(Incremental, model, "relu5", rectangles, shape=(3, SIDE, SIDE))
    network = prepared()
    worst = _difference(model, network, images[0], rectangles)
    best = min(BATCHES, key=lambda batch: _once(partial(_captum, model, images[:1], batch)))
    plain, least = spec_multiply_adds(spec), least_multiply_adds(spec, rectangles)
    context = {"ceiling": plain / least, "greatest difference": worst}
    built = side_by_side({"built": prepared}, pairs=options.pairs)["built"]
    rows = [row("occlusion, once for a network", built, "s", options)]
    for n in (1, PICTURES):
        ways = {
            "ours": partial(_ours, network, images[:n]),
            "captum": partial(_captum, model, images[:n], max(1, best // n)),
        }
        few = {"pairs": options.pairs} if n == 1 else {"pairs": 1, "before": 0}
        seconds = side_by_side(ways, **few)
        words = f"occlusion, {n} picture{'s' if n > 1 else ''}"
        ratios = [b / a for a, b in zip(seconds["ours"], seconds["captum"], strict=True)]
        names = {"ours": "ours", "captum": f"captum ({best} at a time)"}
        rows += [
            row(f"{words}, {names[w]}", [n * len(rectangles) / s for s in v], "positions a second", options)
            for w, v in seconds.items()
        ]
        rows.append(
            row(
                f"{words}, ours over captum",
                ratios,
                "ratio",
                options,
                reach=5.0 if n == 1 else None,
                **context,
            )
        )
    return rows


def _positions() -> Rectangles:
    """captum's positions: from the upper left corner on, none past the border."""
    starts = np.arange(0, SIDE - SIZE + 1, STRIDE)
    rows, columns = np.repeat(starts, len(starts)), np.tile(starts, len(starts))
    return Rectangles(Spans(rows, rows + SIZE), Spans(columns, columns + SIZE))


def _ours(network: Incremental, images: Tensor) -> list[Answers]:
    grey = torch.zeros_like(images[0])
    return [network.answers(image, grey) for image in images]


@torch.no_grad()
def _captum(model: nn.Module, images: Tensor, batch: int) -> Tensor:
    """captum's mean falls, pixel by pixel."""
    return Occlusion(model).attribute(
        images, (3, SIZE, SIZE), strides=(3, STRIDE, STRIDE), target=TARGET, perturbations_per_eval=batch
    )


@torch.no_grad()
def _difference(model: nn.Module, network: Incremental, image: Tensor, rectangles: Rectangles) -> float:
    """Greatest difference of our values from captum's and from the plain way's, of the greatest logit.

    Raises:
        ValueError: it is larger than what rounding explains.
    """
    (answers,) = _ours(network, image[None])
    falls = to_host(answers.plain_logits[TARGET] - answers.logits[:, TARGET])
    total, count = np.zeros((2, SIDE, SIDE))
    ends = rectangles.ends()
    for fall, (top, bottom, left, right) in zip(falls, ends, strict=True):
        total[top:bottom, left:right] += fall
        count[top:bottom, left:right] += 1
    theirs = to_host(_captum(model, image[None], 16)[0, 0])
    greatest = float(answers.logits.abs().max())
    worst = float(np.abs(total / count - theirs).max()) / greatest
    for i in range(0, len(ends), 16):
        top, bottom, left, right = ends[i]
        covered = image.clone()
        covered[:, top:bottom, left:right] = 0
        worst = max(worst, float((model(covered[None])[0] - answers.logits[i]).abs().max()) / greatest)
    if worst > EQUAL:
        raise ValueError(f"values differ by {worst:.2g} of the greatest logit")
    return worst


def spec_multiply_adds(spec: NetworkSpec) -> float:
    """Of one picture, the whole network."""
    return float(sum(stage.multiply_adds for stage in spec.stages()))


def least_multiply_adds(spec: NetworkSpec, rectangles: Rectangles) -> float:
    """Of one position, on average, where only a changed value is multiplied; the fully connected ones whole.

    A layer's changed values are what a rectangle reaches; which of them change is not looked at.
    """
    total, maps = 0.0, spec.channels
    for stage in spec.stages():
        if stage.window is None:
            total += stage.multiply_adds
            continue
        size = (stage.size, stage.size)
        if stage.kind == "conv":
            pairs = [_meetings(axis, stage.window, stage.size) for axis in rectangles]
            total += float((pairs[0] * pairs[1]).mean()) * maps * stage.maps
        rectangles, maps = rectangles.above(stage.window, size), stage.maps
    return total


def _meetings(spans: Spans, window: Window, size: int) -> np.ndarray:
    """How often a unit above sees a unit of a stretch, along one axis."""
    starts = np.arange(size)[:, None] * window.stride - window.padding
    seen = np.minimum(starts + window.kernel, spans.stops) - np.maximum(starts, spans.starts)
    return seen.clip(min=0).sum(0)


def _once(way) -> float:
    return statistics.median(side_by_side({"once": way}, pairs=1, before=0)["once"])
