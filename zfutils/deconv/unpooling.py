"""Pooling with switches and its reversal, on whole maps and on windows of them (Zeiler & Fergus 2013, §2.1).

A switch is the place that a pooling took its maximum from, counted within the pooling's own window. A batch
of windows lies in frames: each sample has its own corner in the map, and what lies outside the map is
filled as padding would be, so that a window gives the values of the whole map.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Self

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from zfutils.deconv.units import Units
from zfutils.nets.geometry import Window

Shared = Literal["add", "last", "largest"]
Switches = Literal["recorded", "centred", "random"]


class Frame(NamedTuple):
    """Where a batch of equally large windows lies in maps of one size."""

    tops: Int64[Tensor, " n"]
    lefts: Int64[Tensor, " n"]
    height: int
    width: int
    of: tuple[int, int]  # height and width of the map

    @classmethod
    def whole(cls, x: Tensor, size: tuple[int, int]) -> Self:
        """The frame of a batch of whole maps."""
        zeros = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        return cls(zeros, zeros, *size, size)

    def below(self, window: Window, of: tuple[int, int]) -> Self:
        """The frame of what a sliding window has to see to fill this one.

        Args:
            window: what slides.
            of: height and width of the map that it slides over.
        """
        tops, lefts = (start * window.stride - window.padding for start in (self.tops, self.lefts))
        height, width = ((n - 1) * window.stride + window.kernel for n in (self.height, self.width))
        return type(self)(tops, lefts, height, width, of)

    def places(self) -> tuple[Tensor, Tensor]:
        """Rows (n, height) and columns (n, width) in the map; some may lie outside."""
        rows = self.tops[:, None] + torch.arange(self.height, device=self.tops.device)
        return rows, self.lefts[:, None] + torch.arange(self.width, device=self.tops.device)

    def cut(self, maps: Tensor, samples: Int64[Tensor, " n"], *, zero_outside: bool = True) -> Tensor:
        """The windows, (n, channels, height, width), channels last in memory.

        Args:
            maps: (m, channels, h, w).
            samples: which of the m maps each window is of.
            zero_outside: fill with zero outside the map; otherwise with the nearest value, which is as good
                where nothing is going to be read.
        """
        rows, columns = self.places()
        within = rows.clamp(0, self.of[0] - 1), columns.clamp(0, self.of[1] - 1)
        found = maps[samples[:, None, None], :, within[0][:, :, None], within[1][:, None, :]]
        found = found.permute(0, 3, 1, 2)
        return self.fill_(found, 0.0) if zero_outside else found

    def fill_(self, x: Tensor, value: float) -> Tensor:
        """The windows with what lies outside the map set to a value, in place."""
        h, w = self.of
        rows, columns = self.places()
        outside = ((rows < 0) | (rows >= h))[:, :, None] | ((columns < 0) | (columns >= w))[:, None, :]
        return x.masked_fill_(outside[:, None], value) if outside.any() else x


def frames_of(
    units: Units, fields: Mapping[int, Window], sizes: Mapping[int, tuple[int, int]]
) -> dict[int, Frame]:
    """Where each unit's window lies in every node that it sees.

    Args:
        units: of one layer.
        fields: what one of them sees of each node, as `graphs.fields` gives it.
        sizes: height and width of the nodes.
    """
    found = {}
    for node, (kernel, stride, padding) in fields.items():
        tops, lefts = (places * stride - padding for places in (units.rows, units.columns))
        found[node] = Frame(tops, lefts, kernel, kernel, sizes[node])
    return found


def pad(x: Tensor, window: Window, value: float, out: tuple[int, int] = (0, 0)) -> Tensor:
    """Whole maps with their padding around them, as much as a window needs for so many positions."""
    first = window.padding
    spans = ((n - 1) * window.stride + window.kernel for n in out)
    rows, columns = (max(first, span - n - first) for span, n in zip(spans, x.shape[2:], strict=True))
    return nn.functional.pad(x, (first, columns, first, rows), value=value) if first + rows + columns else x


def crop(x: Tensor, window: Window, size: tuple[int, int]) -> Tensor:
    """Whole maps without the padding; what no window reached is zero."""
    x = x[:, :, window.padding :, window.padding :][:, :, : size[0], : size[1]]
    short = size[0] - x.shape[2], size[1] - x.shape[3]
    return nn.functional.pad(x, (0, short[1], 0, short[0])) if any(short) else x


def pool(x: Float[Tensor, "n maps h w"], window: Window) -> tuple[Float[Tensor, "n maps p q"], Tensor]:
    """Maxima, and the places they were taken from, counted within each pooling's window (uint8).

    Args:
        x: maps that hold their padding already (minus infinity).
        window: of the pooling.
    """
    maxima, taken = nn.functional.max_pool2d(x, window.kernel, window.stride, return_indices=True)
    rows, columns = _corners(maxima, window)
    width, k = x.shape[-1], window.kernel
    within = (taken - (rows[:, None] * width + columns)).int()  # row in the window × width + column there
    row = sum((within >= i * width).to(torch.int32) for i in range(1, k))  # cheaper than to divide
    return maxima, (within - row * (width - k)).to(torch.uint8)


def chosen(
    recorded: UInt8[Tensor, "n maps p q"],
    window: Window,
    size: tuple[int, int],
    frame: Frame,
    rule: Switches,
    *,
    generator: torch.Generator | None,
) -> UInt8[Tensor, "n maps p q"]:
    """The switches that the way back shall use.

    Args:
        recorded: on the way up.
        window: of the pooling.
        size: height and width of the map that it slides over.
        frame: of the pooling's output.
        rule: "recorded"; "centred" in the part of each window that lies in the map; "random" there.
        generator: of random ones.
    """
    if rule == "recorded":
        return recorded
    offsets = []
    for places, most in zip(frame.places(), size, strict=True):
        start = places * window.stride - window.padding
        first = (-start).clamp(0, window.kernel - 1)  # of the places in the window that lie in the map
        last = (most - 1 - start).clamp(first, torch.full_like(first, window.kernel - 1))
        offsets.append((first, last))
    (top, bottom), (left, right) = offsets
    top, bottom = (v[:, None, :, None] for v in (top, bottom))
    left, right = (v[:, None, None, :] for v in (left, right))
    if rule == "centred":
        middle = torch.tensor(window.kernel // 2, device=recorded.device)
        row, column = middle.clamp(top, bottom), middle.clamp(left, right)
    else:
        draws = torch.rand(2, *recorded.shape, generator=generator, device=recorded.device)
        row = top + (draws[0] * (bottom - top + 1)).long()
        column = left + (draws[1] * (right - left + 1)).long()
    return (row * window.kernel + column).to(torch.uint8).expand_as(recorded)


def unpool(
    x: Float[Tensor, "n maps p q"], switches: UInt8[Tensor, "n maps p q"], window: Window, shared: Shared
) -> Float[Tensor, "n maps h w"]:
    """Each value back in the place it was taken from, zero elsewhere; the padding is still there.

    The order of additions is fixed, so that the result is the same bit for bit on every run.

    Args:
        x: what is unpooled.
        switches: places within each window.
        window: of the pooling.
        shared: what becomes of values that share a place: they "add", the "last" stays, or the "largest".
            A value of zero is no signal and takes no place from another.
    """
    if shared == "add" and x.device.type == "cpu":
        return _in_one_pass(x, switches, window)
    return _by_offset(x, switches, window, shared)


def _in_one_pass(
    x: Float[Tensor, "n maps p q"], switches: UInt8[Tensor, "n maps p q"], window: Window
) -> Float[Tensor, "n maps h w"]:
    """`unpool` that adds, in one pass; for the CPU, as on a GPU its order of additions is not fixed."""
    (n, maps, p, q), k = x.shape, window.kernel
    h, w = _unpooled_size(x, window)
    rows, columns = _corners(x, window)
    offsets = (torch.arange(k)[:, None] * w + torch.arange(k)).flatten()
    places = offsets[switches.int()].add_(rows[:, None] * w + columns)
    flat = [t.permute(0, 2, 3, 1).reshape(n, p * q, maps) for t in (places, x)]
    out = x.new_zeros(n, h * w, maps).scatter_add_(1, *flat)
    return out.view(n, h, w, maps).permute(0, 3, 1, 2)


def _by_offset(
    x: Float[Tensor, "n maps p q"], switches: UInt8[Tensor, "n maps p q"], window: Window, shared: Shared
) -> Float[Tensor, "n maps h w"]:
    """`unpool` by any rule on any device, one place of the window after another."""
    (n, maps, p, q), k, s = x.shape, window.kernel, window.stride
    nothing = -torch.inf if shared == "largest" else 0.0
    out = x.new_full((n, *_unpooled_size(x, window), maps), nothing).permute(0, 3, 1, 2)
    for offset in reversed(range(k * k)):  # a later window meets a place at an earlier offset
        here = out[:, :, offset // k :: s, offset % k :: s][:, :, :p, :q]
        match = (switches == offset) & (x != 0)
        if shared == "add":
            here.add_(torch.where(match, x, 0.0))
        elif shared == "last":
            here.copy_(torch.where(match, x, here))
        else:
            here.copy_(torch.where(match, torch.maximum(x, here), here))
    return out.masked_fill_(out.isneginf(), 0.0) if shared == "largest" else out


def _unpooled_size(x: Tensor, window: Window) -> tuple[int, int]:
    """Height and width that the windows of a pooling whose output is `x` span."""
    height, width = ((size - 1) * window.stride + window.kernel for size in x.shape[-2:])
    return height, width


def _corners(x: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """First row and column of every window of a pooling whose output is `x`."""
    return tuple(torch.arange(n, device=x.device) * window.stride for n in x.shape[-2:])
