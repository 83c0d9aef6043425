"""The deconvnet as back-propagation: slow and plain, and without a line of `zfutils.deconv.deconvnet` (§2.1).

The way down is the way a gradient takes, with three things changed: ReLU's backward is ReLU of the gradient,
contrast norm hands it through untouched, and the activation itself is what starts at the top. Biases then
have no part in it by themselves, nor has what BatchNorm adds. Whole images, one of them, one unit at a time.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from zfutils.nets.pooling import BlurPool2d


class Rectified(torch.autograd.Function):
    """ReLU; on the way back the signal is rectified (deconvnet), masked where x ≤ 0 (gradient), or both."""

    @staticmethod
    def forward(ctx, x, nonlinearity):
        ctx.save_for_backward(x)
        ctx.nonlinearity = nonlinearity
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, signal):
        (x,) = ctx.saved_tensors
        if ctx.nonlinearity in ("deconvnet", "guided"):
            signal = signal.clamp(min=0)
        if ctx.nonlinearity in ("gradient", "guided"):
            signal = signal * (x > 0)
        return signal, None


class Unhindered(torch.autograd.Function):
    """A layer on the way up that is not there on the way back."""

    @staticmethod
    def forward(ctx, x, layer):
        return layer(x)

    @staticmethod
    def backward(ctx, signal):
        return signal, None


class Pooled(torch.autograd.Function):
    """Max pooling whose way back goes to given places: (1, maps, h, w), row * kernel + column in the window.

    Where two windows share a place their signals are added, or the last window's (row by row) stands, or the
    largest. Of the windows those count that hold a signal: a 0 does not overwrite.
    """

    @staticmethod
    def forward(ctx, x, pool, places, shared):
        ctx.shape, ctx.pool, ctx.places, ctx.shared = x.shape, pool, places.long(), shared
        return nn.functional.max_pool2d(x, pool.kernel_size, pool.stride, pool.padding)

    @staticmethod
    def backward(ctx, signal):
        _, maps, height, width = ctx.shape
        kernel, stride, padding = ctx.pool.kernel_size, ctx.pool.stride, ctx.pool.padding
        rows = torch.arange(signal.shape[2])[:, None] * stride - padding + ctx.places[0] // kernel
        columns = torch.arange(signal.shape[3]) * stride - padding + ctx.places[0] % kernel
        below, every = signal.new_zeros(maps, height, width), torch.arange(maps)
        if ctx.shared == "add":
            at = (every[:, None, None].expand_as(rows), rows, columns)
            return below.index_put_(at, signal[0], accumulate=True)[None], None, None, None
        for i in range(signal.shape[2]):
            for j in range(signal.shape[3]):
                at, new = (every, rows[:, i, j], columns[:, i, j]), signal[0, :, i, j]
                old = below[at]
                stands = new != 0 if ctx.shared == "last" else (new != 0) & ((old == 0) | (new > old))
                below[at] = torch.where(stands, new, old)
        return below[None], None, None, None


def leaves(model: nn.Module) -> list[nn.Module]:
    """A network's layers in order, whatever they are nested in; torchvision's AlexNet and VGG too."""
    if hasattr(model, "features"):
        return [*leaves(model.features), model.avgpool, nn.Flatten(), *leaves(model.classifier)]
    if isinstance(model, nn.Sequential):
        return [leaf for child in model for leaf in leaves(child)]
    return [model]


class Oracle:
    """One image taken up through a network, from which any unit can be projected.

    Args:
        model: in eval mode.
        image: (channels, height, width).
        upto: the last layer that is needed; there the way up ends.
        nonlinearity: what becomes of a signal at a ReLU.
        switches: places of the pools to use on the way back, by the pool's name; without them PyTorch's own.
        shared: the rule for windows that share a place; other than "add" needs `switches`.

    Layers are named by the number of weight layers up to them: conv3, relu3, pool3, …, fc6.
    """

    def __init__(
        self,
        model: nn.Module,
        image: Tensor,
        upto: str,
        *,
        nonlinearity: str = "deconvnet",
        switches: Mapping[str, Tensor] | None = None,
        shared: str = "add",
    ) -> None:
        self.pixels = image[None].clone().requires_grad_()
        self.activations: dict[str, Tensor] = {}
        self.pools: dict[str, tuple[Tensor, nn.MaxPool2d]] = {}  # what each pools, and the pool
        x, number = self.pixels, 0
        for layer in leaves(model):
            number += isinstance(layer, nn.Conv2d | nn.Linear)
            kind = type(layer).__name__.lower()
            if isinstance(layer, nn.MaxPool2d):
                self.pools[f"pool{number}"] = (x, layer)
            if isinstance(layer, nn.ReLU):
                x = Rectified.apply(x, nonlinearity)
            elif isinstance(layer, nn.LocalResponseNorm):
                x = Unhindered.apply(x, layer)
            elif isinstance(layer, nn.MaxPool2d) and switches is not None:
                x = Pooled.apply(x, layer, switches[f"pool{number}"], shared)
            elif not isinstance(layer, nn.Dropout):
                x = layer(x)
            names = {nn.Conv2d: "conv", nn.Linear: "fc", nn.ReLU: "relu", nn.MaxPool2d: "pool"}
            names |= {nn.AvgPool2d: "average", BlurPool2d: "average"}
            self.activations[f"{names.get(type(layer), kind)}{number}"] = x
            if upto in self.activations:
                return
        raise AssertionError(f"{upto} is not among {', '.join(self.activations)}")

    def value(self, layer: str, unit: int, row: int = 0, column: int = 0) -> float:
        """One unit's activation."""
        return self._at(self.activations[layer], unit, row, column).item()

    def project(self, layer: str, unit: int, row: int = 0, column: int = 0) -> Tensor:
        """One unit's projection, (channels, height, width)."""
        seed = torch.zeros_like(self.activations[layer])
        self._at(seed, unit, row, column).copy_(self._at(self.activations[layer], unit, row, column).detach())
        return self._down(layer, seed)

    def project_map(self, layer: str, unit: int) -> Tensor:
        """All activations of one map at once, (channels, height, width)."""
        seed = torch.zeros_like(self.activations[layer])
        seed[:, unit] = self.activations[layer][:, unit].detach()
        return self._down(layer, seed)

    def _down(self, layer: str, seed: Tensor) -> Tensor:
        top = self.activations[layer]
        (pattern,) = torch.autograd.grad(top, self.pixels, seed, retain_graph=True)
        return pattern[0]

    @staticmethod
    def _at(activations: Tensor, unit: int, row: int, column: int) -> Tensor:
        return activations[0, unit, row, column] if activations.ndim == 4 else activations[0, unit]
