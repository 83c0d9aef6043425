"""What a network answers when some pixels of a picture change: only what they reach is computed again.

A unit depends on its window of the picture, so that a rectangle reaches a window of every map, which grows
layer by layer. The one idea: every map of the unchanged picture is kept, and many rectangles are taken up at
a time on windows of one size. A convolution is linear, so it runs over the change alone, with nothing around
it; a pooling runs over the changed window pasted into the unchanged map. Above the convolutions everything
changes, and all of it is computed. The values are those of the plain way.

Which windows these are depends on no picture: `rectangles` plans them once, on the host. From there on
everything is tensors where the network's weights are.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.experiments.occlusion.plain import Answers
from zfutils.experiments.occlusion.rectangles import Corners, Group, Rectangles, Windows, planned
from zfutils.nets import chains, pooling
from zfutils.nets.activations import forward
from zfutils.nets.geometry import Window
from zfutils.runtime.devices import device_of, dtype_of

FEW = 256  # weights of a filter, below which its arithmetic is not what takes the time


class Incremental:
    """A network that ends in class scores, made ready for pictures of which the same rectangles change.

    Args:
        model: what `chains.chain` takes; used as in evaluation, and left as it is.
        layer: one that has maps, whose activations are summed.
        rectangles: each at least one pixel of the picture.
        shape: channels, height and width of the pictures.
        batch: rectangles at a time; bounds the memory.

    Raises:
        ValueError: no such layer, one that sees the whole picture, or a model that is no plain chain or whose
            batch norm is in training mode; pictures that the network does not take.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        rectangles: Rectangles,
        *,
        shape: tuple[int, int, int],
        batch: int = 256,
    ) -> None:
        steps = chains.steps(model)
        end = next((i for i, step in enumerate(steps) if step.kind == "flatten"), len(steps))
        there = [step.name for step in steps[:end]]
        if layer not in there:
            raise ValueError(f"layer {layer!r} has no maps in this network; these have: {', '.join(there)}")
        sizes = chains.sizes(steps, torch.empty(1, *shape, device="meta"))[: end + 1]
        self.model, self.layer = model, layer
        self.below, self.above = steps[:end], steps[end:]
        self._batches = planned(rectangles, [step.window for step in self.below], sizes, batch=batch)
        order = np.concatenate([group.places for groups in self._batches for group in groups])
        self._places = torch.tensor(order.argsort().tolist(), device=device_of(model))
        self._dense = {
            step.name: _fully_connected(chains.with_weights_as_used(step.module))
            for step in self.above
            if step.kind == "fc"
        }

    @torch.no_grad()
    def answers(self, image: Float[Tensor, "channels h w"], filled: Float[Tensor, "channels h w"]) -> Answers:
        """The answers to a picture in which one rectangle after another shows another picture.

        Args:
            image: as the network takes it; sent where its weights are, in their type.
            filled: what the rectangles show.

        Returns:
            In the order of the rectangles, where the network's weights are.
        """
        pair = torch.stack([image, filled]).to(device_of(self.model), dtype_of(self.model))
        whole, other = self._whole(pair[:1]), _last(pair[1:])[0]
        logits, sums = [], []
        for groups in self._batches:
            tops = []
            for group in groups:
                top, sum_ = self._windows(whole, other, group)
                tops.append(top)
                sums.append(sum_)
            logits.append(self._top(torch.cat(tops).permute(0, 3, 1, 2)))
        found = (torch.cat(logits)[self._places], torch.cat(sums)[self._places])
        return Answers(*found, whole.logits, whole.sums)

    def _whole(self, image: Float[Tensor, "1 channels h w"]) -> "_Whole":
        """The unchanged picture, layer by layer."""
        last = [*self.below, *self.above][-1].name
        found = forward(self.model, image, [*(step.name for step in self.below), last])
        maps = [image, *(found[step.name] for step in self.below)]
        slid = [
            _padded(x, step) if _slides(step) else None for x, step in zip(maps, self.below, strict=False)
        ]
        sums = found[self.layer].sum((2, 3))[0]
        return _Whole([_last(x)[0] for x in maps], slid, sums, found[last].flatten(1)[0])

    def _windows(self, whole: "_Whole", other: Tensor, group: Group) -> tuple[Tensor, Tensor]:
        """The last maps, (m, h, w, maps), and the summed activations (m, maps), for a group of rectangles."""
        x, sums = _filled(whole.maps[0], other, group), whole.sums
        for i, step in enumerate(self.below):
            name, kind, module, window = step[:4]
            below, here, unchanged = group.windows[i], group.windows[i + 1], whole.maps[i + 1]
            if _slides(step):
                frames = _frames(x, below.corners, whole.slid[i], here, window)
                if kind == "pool":
                    frames = nn.functional.max_pool2d(frames, window.kernel, window.stride)
                elif kind == "average":
                    frames = pooling.averaged(frames, module)
                else:
                    frames = _filtered(frames, module, bias=module.bias)
                x = _last(frames)
            elif kind == "conv":
                change, firsts = _change(x, below.corners, whole.maps[i], window)
                x = _added(_filtered(change, module, padding=window.kernel - 1), firsts, unchanged, here)
            elif kind == "relu":
                x = x.relu_()
            elif kind not in ("skip", "same-size"):
                x = _last(module(x.permute(0, 3, 1, 2)))
            if name == self.layer:
                sums = whole.sums + (x - _cut(unchanged, here)).sum((1, 2))
        last = whole.maps[-1].expand(len(x), *whole.maps[-1].shape).clone()
        (h, w), corners = group.windows[-1].size, group.windows[-1].corners
        for some, (top, left) in _runs(corners):
            last[some, top : top + h, left : left + w] = x[some]
        return last, sums

    def _top(self, x: Tensor) -> Tensor:
        for step in self.above:
            if step.kind == "fc":
                x = self._dense[step.name](x)
            elif step.kind != "skip":
                x = step.module(x)
        return x.flatten(1)


class _Whole(NamedTuple):
    """The unchanged picture; maps are (height, width, maps)."""

    maps: list[Tensor]  # the picture, then every step's output
    slid: list[Tensor | None]  # the padded inputs of steps that slide over windows of them
    sums: Float[Tensor, " maps"]
    logits: Float[Tensor, " classes"]


def takes(model: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Whether a network is a plain chain without dilation, of which no adaptive pooling averages.

    Args:
        model: any.
        shape: channels, height and width of the pictures.

    Raises:
        ValueError: pictures that the chain does not take.
    """
    try:
        steps = chains.steps(model)
    except ValueError:
        return False
    sizes = chains.sizes(steps, torch.empty(1, *shape, device="meta"))
    return all(
        (s.kind != "conv" or (s.module.dilation == (1, 1) and not isinstance(s.module.padding, str)))
        and not getattr(s.module, "ceil_mode", False)
        and (s.kind != "same-size" or sizes[i] == sizes[i + 1])
        for i, s in enumerate(steps)
    )


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


def _slides(step: chains.Step) -> bool:
    """Whether a layer runs over changed windows pasted into the unchanged map, not over the change alone."""
    return step.kind in ("pool", "average") or (step.kind == "conv" and step.module.weight[0].numel() < FEW)


def _padded(x: Tensor, step: chains.Step) -> Tensor:
    """The layer's only input (1, maps, h, w) with its padding, as (h, w, maps)."""
    beyond = -torch.inf if step.kind == "pool" else 0.0
    return _last(nn.functional.pad(x, (step.window.padding,) * 4, value=beyond))[0]


def _runs(*places: Sequence) -> Iterator[tuple]:
    """Neighbours that lie in the same places, to be copied together: which they are, then the places."""
    start = 0
    for where, same in groupby(zip(*places, strict=True)):
        stop = start + sum(1 for _ in same)
        yield slice(start, stop), *where
        start = stop


def _cut(maps: Float[Tensor, "height width maps"], windows: Windows) -> Float[Tensor, "n h w maps"]:
    h, w = windows.size
    x = maps.new_empty(len(windows.corners), h, w, maps.shape[2])
    for some, (top, left) in _runs(windows.corners):
        x[some] = maps[top : top + h, left : left + w]
    return x


def _filled(image: Tensor, other: Tensor, group: Group) -> Tensor:
    """Windows of the picture that hold the rectangles, which show the other picture."""
    x = _cut(image, group.windows[0])
    for some, (top, left), (first, last, start, stop) in _runs(group.windows[0].corners, group.ends):
        x[some, first - top : last - top, start - left : stop - left] = other[first:last, start:stop]
    return x


def _frames(x: Tensor, below: Corners, padded: Tensor, here: Windows, window: Window) -> Tensor:
    """What a layer slides over to fill its windows: the unchanged map, with the changed windows in it."""
    k, s, p = window
    starts = [(top * s, left * s) for top, left in here.corners]
    size = tuple((n - 1) * s + k for n in here.size)
    frames = _cut(padded, Windows(starts, size))
    for some, corner, (top, left) in _runs(starts, below):
        inside, there = _overlap(corner, size, (top + p, left + p), x.shape[1:3])
        frames[some, *inside] = x[some, *there]
    return frames.permute(0, 3, 1, 2)


def _change(x: Tensor, below: Corners, unchanged: Tensor, window: Window) -> tuple[Tensor, Corners]:
    """The changed windows minus the unchanged map, zero around it where a stride asks for it; overwrites `x`.

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


def _added(spread: Tensor, firsts: Corners, unchanged: Tensor, here: Windows) -> Tensor:
    """Windows of an unchanged map with what a change adds to it."""
    spread, (h, w) = spread.permute(0, 2, 3, 1), here.size
    out = unchanged.new_empty(len(spread), h, w, unchanged.shape[2])
    for some, (top, left), first in _runs(here.corners, firsts):
        own = unchanged[top : top + h, left : left + w]
        inside, there = _overlap((top, left), here.size, first, spread.shape[1:3])
        part = spread[some, *there]
        if part.shape[1:3] == here.size:
            torch.add(own, part, out=out[some])
        else:
            out[some] = own
            out[some, *inside] += part
    return out


def _overlap(corner, extent, other, size) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where two windows lie over each other: in the one, and in the other."""
    here, there = [], []
    for a, n, b, m in zip(corner, extent, other, size, strict=True):
        low, high = max(a, b), max(min(a + n, b + m), a, b)
        here.append(slice(low - a, high - a))
        there.append(slice(low - b, high - b))
    return tuple(here), tuple(there)
