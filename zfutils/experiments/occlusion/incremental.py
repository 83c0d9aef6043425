"""What a network answers when some pixels of a picture change: only what they reach is computed again.

A unit depends on its window of the picture, so that a rectangle reaches a window of every map, which grows
layer by layer. The one idea: every map of the unchanged picture is kept, and many rectangles are taken up at
a time on windows of one size. A convolution is linear, so it runs over the change alone, with nothing around
it; a pooling runs over the changed window pasted into the unchanged map. Above the convolutions everything
changes, and all of it is computed. The values are those of the plain way.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.experiments.occlusion.rectangles import Corners, Rectangles, Spans, grouped
from zfutils.nets import chains
from zfutils.nets.geometry import Window, output_size

FEW = 256  # weights of a filter, below which its arithmetic is not what takes the time


class Answers(NamedTuple):
    """What a network says when each of n rectangles has changed, and what when nothing has."""

    logits: Float[Tensor, "n classes"]
    sums: Float[Tensor, "n maps"]  # activation of each map of one layer, summed over its positions
    plain_logits: Float[Tensor, " classes"]
    plain_sums: Float[Tensor, " maps"]


class Incremental:
    """A network that ends in class scores, with a layer whose maps are looked at.

    Args:
        model: what `chains.chain` takes; used as in evaluation, and left as it is.
        layer: one that has maps.

    Raises:
        ValueError: no such layer, one that sees the whole picture, or a model that is no plain chain or whose
            batch norm is in training mode; names it.
    """

    def __init__(self, model: nn.Module, layer: str) -> None:
        steps = chains.steps(model)
        flat = next((i for i, step in enumerate(steps) if step.kind == "flatten"), len(steps))
        self.below, self.above = steps[:flat], steps[flat:]
        there = [step.name for step in self.below]
        if layer not in there:
            raise ValueError(f"layer {layer!r} has no maps in this network; these have: {', '.join(there)}")
        for name, kind, module, _ in steps:
            if kind == "batchnorm" and module.training:
                raise ValueError(
                    f"{name} is in training mode, where a picture depends on others: call eval()"
                )
        self.layer = layer
        self._dense = {step.name: _fully_connected(step.module) for step in self.above if step.kind == "fc"}

    @torch.no_grad()
    def answers(
        self,
        image: Float[Tensor, "channels h w"],
        filled: Float[Tensor, "channels h w"],
        rectangles: Rectangles,
        *,
        batch: int = 256,
    ) -> Answers:
        """The answers to a picture in which one rectangle after another shows another picture.

        Args:
            image: as the network takes it.
            filled: what the rectangles show.
            rectangles: each at least one pixel of the picture.
            batch: rectangles at a time; bounds the memory.

        Raises:
            ValueError: pictures of different shapes or too small, no rectangles, one that is empty or lies
                outside.
        """
        _check(image, filled, rectangles, batch)
        whole, other = self._whole(image), filled.permute(1, 2, 0).contiguous()
        sums = whole.sums.new_empty(len(rectangles), *whole.sums.shape)
        logits = whole.logits.new_empty(len(rectangles), *whole.logits.shape)
        groups = [torch.from_numpy(places) for places in grouped(rectangles, batch, whole.reach)]
        while groups:
            n = max(1, int((np.cumsum([len(places) for places in groups]) <= batch).sum()))
            taken, groups, tops = groups[:n], groups[n:], []
            for places in taken:
                top, sums[places] = self._windows(whole, other, rectangles.of(places.numpy()))
                tops.append(top)
            logits[torch.cat(taken)] = self._top(torch.cat(tops).permute(0, 3, 1, 2))
        return Answers(logits, sums, whole.logits, whole.sums)

    def _whole(self, image: Tensor) -> "_Whole":
        """The unchanged picture, layer by layer."""
        x = image[None].contiguous(memory_format=torch.channels_last)
        sizes, windows = [tuple(x.shape[2:])], []
        first = next((step.module for step in self.below if step.kind == "conv"), None)
        if first is not None and first.in_channels != x.shape[1]:
            raise ValueError(f"this network takes pictures of {first.in_channels} channels, not {x.shape[1]}")
        inputs, sums, looked_at = [], x.new_empty(0), x.new_empty(0)
        for step in self.below:
            name, kind, module, window = step
            if min(output_size(n, window) for n in x.shape[2:]) < 1:
                h, w = image.shape[1:]
                raise ValueError(f"a picture of {h}×{w} px is too small: {name} is empty")
            before = tuple(x.shape[2:])
            inputs.append(_last(_padded(x, step))[0])
            x = _plainly(x, step)
            if kind == "same-size" and tuple(x.shape[2:]) != before:
                raise ValueError(f"{name} ({type(module).__name__}) would average maps of {before}")
            if kind in ("conv", "pool"):
                sizes.append(tuple(x.shape[2:]))
                windows.append(window)
            if name == self.layer:
                sums, looked_at = x.sum((0, 2, 3)), _last(x)[0]
        dense = next((step for step in self.above if step.kind == "fc"), None)
        if dense is not None and x[0].numel() != dense.module.in_features:
            came = f"{image.shape[1]}×{image.shape[2]} px give {dense.name} {x[0].numel()} values"
            raise ValueError(f"pictures of {came}; it takes {dense.module.in_features}")
        own = image.permute(1, 2, 0).contiguous()
        return _Whole(own, [*inputs, _last(x)[0]], sizes, windows, looked_at, sums, self._top(x)[0])

    def _windows(self, whole: "_Whole", other: Tensor, reached: Rectangles) -> tuple[Tensor, Tensor]:
        """The last maps, (m, h, w, maps), and the summed activations, for some rectangles."""
        size = whole.image.shape[:2]
        corners, extent = reached.together(size)
        x, sums = _filled(whole.image, other, reached, corners, extent), whole.sums
        for (name, kind, module, window), input_, output in zip(
            self.below, whole.inputs[:-1], whole.inputs[1:], strict=True
        ):
            if kind in ("conv", "pool"):
                size = tuple(output_size(n, window) for n in size)
                below, reached = corners, reached.above(window, size)
                corners, extent = reached.together(size)
            if kind == "pool":
                frames = _frames(x, below, input_, corners, extent, window)
                x = _last(nn.functional.max_pool2d(frames, window.kernel, window.stride))
            elif kind == "conv" and module.weight[0].numel() < FEW:
                frames = _frames(x, below, input_, corners, extent, window)
                x = _last(_filtered(frames, module, bias=module.bias))
            elif kind == "conv":
                change, firsts = _change(x, below, input_, window)
                x = _added(
                    _filtered(change, module, padding=window.kernel - 1), firsts, output, corners, extent
                )
            elif kind == "relu":
                x = x.relu_()
            elif kind not in ("skip", "same-size"):
                x = _last(module(x.permute(0, 3, 1, 2)))
            if name == self.layer:
                sums = whole.sums + (x - _cut(whole.looked_at, corners, extent)).sum((1, 2))
        last = whole.inputs[-1].expand(len(x), *whole.inputs[-1].shape).clone()
        for some, (top, left) in _runs(corners):
            last[some, top : top + extent[0], left : left + extent[1]] = x[some]
        return last, sums

    def _top(self, x: Tensor) -> Tensor:
        for step in self.above:
            dense = self._dense.get(step.name)
            x = dense(x) if dense else _plainly(x, step)
        return x.flatten(1)


class _Whole(NamedTuple):
    """The unchanged picture; maps are (height, width, maps)."""

    image: Tensor
    inputs: list[Tensor]  # of every step, with its padding where it pools; then the last maps
    sizes: list[tuple[int, int]]  # height and width of the picture, then of every convolution and pooling
    windows: list[Window]
    looked_at: Tensor
    sums: Tensor
    logits: Tensor

    def reach(self, spans: Spans, axis: int) -> Float[np.ndarray, " n"]:
        """How much of their axis stretches of the picture reach, summed over the layers."""
        total = np.zeros(len(spans.starts))
        for window, size in zip(self.windows, self.sizes[1:], strict=True):
            spans = spans.above(window, size[axis])
            total += (spans.stops - spans.starts) / size[axis]
        return total


def _check(image: Tensor, filled: Tensor, rectangles: Rectangles, batch: int) -> None:
    if image.ndim != 3 or image.shape != filled.shape or not image.is_floating_point():
        came = f"{image.dtype} {tuple(image.shape)} and {tuple(filled.shape)}"
        raise ValueError(f"a picture and what fills it are float (channels, h, w), not {came}")
    if batch < 1:
        raise ValueError(f"batch is {batch}; it must be 1 or more")
    if not len(rectangles):
        raise ValueError("no positions: nothing of the picture is to change")
    for axis, size in zip(rectangles, image.shape[1:], strict=True):
        if (axis.starts < 0).any() or (axis.stops > size).any() or (axis.stops <= axis.starts).any():
            raise ValueError(f"a rectangle is empty or does not lie in the picture, {size} px along an axis")


def _plainly(x: Tensor, step: chains.Step) -> Tensor:
    """A layer's output, its input left as it is: a ReLU may be one that works in place."""
    return x if step.kind == "skip" else x.relu() if step.kind == "relu" else step.module(x)


def _fully_connected(module: nn.Linear) -> Callable[[Tensor], Tensor]:
    """The layer, by oneDNN on a CPU, which takes half the time of BLAS on some processors."""
    weight = module.weight.detach()
    fit = weight.device.type == "cpu" and weight.dtype == torch.float32
    if not (fit and torch.backends.mkldnn.is_available()):
        return module
    weight, bias = (None if t is None else t.detach().to_mkldnn() for t in (weight, module.bias))
    return lambda x: nn.functional.linear(x.to_mkldnn(), weight, bias).to_dense()


def _last(x: Tensor) -> Tensor:
    """(n, maps, h, w) as (n, h, w, maps)."""
    return x.permute(0, 2, 3, 1).contiguous()


def _filtered(x: Tensor, module: nn.Conv2d, *, bias: Tensor | None = None, padding: int = 0) -> Tensor:
    return nn.functional.conv2d(x, module.weight, bias, module.stride, padding, 1, module.groups)


def _padded(x: Tensor, step: chains.Step) -> Tensor:
    """A layer's input as it is kept: with its padding, where windows of it are to be slid over."""
    if step.kind == "pool" or (step.kind == "conv" and step.module.weight[0].numel() < FEW):
        beyond = -torch.inf if step.kind == "pool" else 0.0
        return nn.functional.pad(x, (step.window.padding,) * 4, value=beyond)
    return x


def _runs(*places: Sequence) -> Iterator[tuple]:
    """Neighbours that lie in the same places, to be copied together: which they are, then the places."""
    start = 0
    for where, same in groupby(zip(*places, strict=True)):
        stop = start + sum(1 for _ in same)
        yield slice(start, stop), *where
        start = stop


def _cut(maps: Tensor, corners: Corners, extent: tuple[int, int]) -> Tensor:
    """Windows (n, h, w, maps) of maps (height, width, maps)."""
    x = maps.new_empty(len(corners), *extent, maps.shape[2])
    for some, (top, left) in _runs(corners):
        x[some] = maps[top : top + extent[0], left : left + extent[1]]
    return x


def _filled(image: Tensor, other: Tensor, rectangles: Rectangles, corners: Corners, extent) -> Tensor:
    """Windows of the picture that hold the rectangles, which show the other picture."""
    x = _cut(image, corners, extent)
    ends = (ends.tolist() for axis in rectangles for ends in axis)
    for some, (top, left), first, last, start, stop in _runs(corners, *ends):
        x[some, first - top : last - top, start - left : stop - left] = other[first:last, start:stop]
    return x


def _frames(x: Tensor, below: Corners, padded: Tensor, corners: Corners, extent, window: Window) -> Tensor:
    """What a layer slides over to fill its windows: the unchanged map, with the changed windows in it."""
    k, s, p = window
    starts = [(top * s, left * s) for top, left in corners]
    size = tuple((n - 1) * s + k for n in extent)
    frames = _cut(padded, starts, size)
    for some, corner, (top, left) in _runs(starts, below):
        here, there = _overlap(corner, size, (top + p, left + p), x.shape[1:3])
        frames[some, *here] = x[some, *there]
    return frames.permute(0, 3, 1, 2)


def _change(x: Tensor, below: Corners, unchanged: Tensor, window: Window) -> tuple[Tensor, Corners]:
    """The changed windows less the unchanged map, zero around it where a stride asks for it; overwrites `x`.

    Returns:
        The change, and the place of its first filtered value in the layer's output.
    """
    k, s, p = window
    h, w = x.shape[1:3]
    for some, (top, left) in _runs(below):
        x[some] -= unchanged[top : top + h, left : left + w]
    before = [(top + p - k + 1, left + p - k + 1) for top, left in below]
    firsts = [(top // s, left // s) for top, left in before]
    shifts = [(top % s, left % s) for top, left in before]
    down, right = (max(axis) for axis in zip(*shifts, strict=True))
    if not down and not right:
        return x.permute(0, 3, 1, 2), firsts
    spread = x.new_zeros(len(x), h + down, w + right, x.shape[3])
    for some, (top, left) in _runs(shifts):
        spread[some, top : top + h, left : left + w] = x[some]
    return spread.permute(0, 3, 1, 2), firsts


def _added(spread: Tensor, firsts: Corners, unchanged: Tensor, corners: Corners, extent) -> Tensor:
    """Windows of an unchanged map with what a change adds to it."""
    spread = spread.permute(0, 2, 3, 1)
    out = unchanged.new_empty(len(spread), *extent, unchanged.shape[2])
    h, w = extent
    for some, (top, left), first in _runs(corners, firsts):
        own = unchanged[top : top + h, left : left + w]
        here, there = _overlap((top, left), extent, first, spread.shape[1:3])
        part = spread[some, *there]
        if part.shape[1:3] == extent:
            torch.add(own, part, out=out[some])
        else:
            out[some] = own
            out[some, *here] += part
    return out


def _overlap(corner, extent, other, size) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where two windows lie over each other: in the one, and in the other."""
    here, there = [], []
    for a, n, b, m in zip(corner, extent, other, size, strict=True):
        low, high = max(a, b), max(min(a + n, b + m), a, b)
        here.append(slice(low - a, high - a))
        there.append(slice(low - b, high - b))
    return tuple(here), tuple(there)
