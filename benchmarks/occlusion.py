"""An occlusion map of one picture, a patch of 48 px every 8 px, against captum's and against the plain loop.

All sides have the same module, ZFNet at the paper's width with initial weights and our contrast norm, the
same picture, float32 and the same 23 × 23 positions, which do not reach past the border as captum's do not.
captum is held to its best `perturbations_per_eval`. It returns the mean fall of one score over all positions
that cover a pixel; the same mean of our values is compared with it, and every 16th position with the network
run plainly on the covered picture, which is also what the plain loop is timed on. Ours gives all classes and
the sums of layer 5 besides. What is done once for a network and its positions is timed by itself.
"""

import statistics
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from captum.attr import Occlusion
from torch import Tensor, nn

from benchmarks import SCALE, Options, difference, drawn, network, ratios, row, side_by_side, zfnet
from zfutils.data.inputs import Inputs
from zfutils.experiments.occlusion.incremental import Incremental
from zfutils.experiments.occlusion.plain import Answers, one_by_one
from zfutils.experiments.occlusion.rectangles import Rectangles, Spans
from zfutils.nets.geometry import Window
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import device_of
from zfutils.study.speed import Row

SIZE, STRIDE = 48, 8  # of the patch (pixels)
TARGET = 3  # the class that captum follows
BATCHES = (8, 16, 32, 64)  # captum's, of which the best is taken
EVERY = 16  # of how many positions the plain loop is run at one
SHARE = 0.9  # of the ceiling that is to be reached


def measure(options: Options) -> Iterator[Row]:
    """All of it, on a drawn picture."""
    torch.backends.cudnn.allow_tf32 = False  # float32 on all sides, so that values can be compared
    spec = zfnet(options)
    model = network(spec)
    image = Inputs.of(drawn(options.pictures, options.side)).at([0]).tensor(device_of(model))[0] * SCALE
    grey, rectangles = torch.zeros_like(image), positions(options.side, SIZE, STRIDE)
    some = rectangles.of(np.arange(0, len(rectangles), EVERY))
    prepared = partial(Incremental, model, "relu5", rectangles, shape=tuple(image.shape))
    ours = partial(prepared().answers, image, grey)
    plain = torch.no_grad()(partial(one_by_one, model, image, grey, some))
    theirs = {batch: partial(captum, model, image, STRIDE, batch) for batch in BATCHES}
    answers = ours()
    falls = mean_falls(answers, rectangles, image)
    worst = max(
        difference("captum's mean falls", falls, theirs[BATCHES[-1]](), of=answers.logits),
        difference("the plain loop", answers.logits[::EVERY], plain()),
    )
    fewer = {batch: partial(captum, model, image, 3 * STRIDE, batch) for batch in BATCHES}
    trial = side_by_side(fewer, repeats=1)
    best = min(trial, key=lambda batch: trial[batch])
    built = statistics.median(side_by_side({"built": prepared}, repeats=options.repeats)["built"])
    ways = {"ours": ours, "captum": theirs[best], "plain": plain}
    seconds = side_by_side(ways, repeats=options.repeats)
    seconds["plain"] = [s * len(rectangles) / len(some) for s in seconds["plain"]]
    ceiling = spec.multiply_adds / least_multiply_adds(spec, rectangles)
    of = {"captum": f"captum's Occlusion, {best} at a time", "plain": "one position after another"}
    for way, against in of.items():
        # Counting the work bounds what a way gains that has as many positions at a time.
        limits = {"bar": SHARE * ceiling, "ceiling": ceiling} if way == "captum" else {}
        yield row(
            f"occlusion/{way}",
            f"an occlusion map of {len(rectangles)} positions",
            against,
            ratios(seconds[way], seconds["ours"]),
            "times as fast",
            difference=worst,
            **limits,
            context={"seconds": statistics.median(seconds["ours"]), "seconds once for a network": built},
        )


def positions(side: int, size: int, stride: int) -> Rectangles:
    """captum's positions: from the upper left corner on, none past the border."""
    starts = np.arange(0, side - size + 1, stride)
    rows, columns = np.repeat(starts, len(starts)), np.tile(starts, len(starts))
    return Rectangles(Spans(rows, rows + size), Spans(columns, columns + size))


@torch.no_grad()
def captum(model: nn.Module, image: Tensor, stride: int, batch: int) -> Tensor:
    """captum's mean falls, pixel by pixel."""
    how = {"strides": (3, stride, stride), "target": TARGET, "perturbations_per_eval": batch}
    return Occlusion(model).attribute(image[None], (3, SIZE, SIZE), **how)[0, 0]


def mean_falls(answers: Answers, rectangles: Rectangles, image: Tensor) -> Tensor:
    """Of our values the mean that captum gives: of every pixel, over the positions that cover it."""
    falls = (answers.plain_logits - answers.logits)[:, TARGET]
    total, count = torch.zeros_like(image[:2])
    for fall, (top, bottom, left, right) in zip(falls, rectangles.ends(), strict=True):
        total[top:bottom, left:right] += fall
        count[top:bottom, left:right] += 1
    return total / count.clamp(min=1)


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
