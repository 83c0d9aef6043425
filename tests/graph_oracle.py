"""The deconvnet on any network, as back-propagation: without a line of `zfutils` or a graph (§2.1).

The network runs as it is. A mode of PyTorch changes this in it, wherever they are called from: a
rectifier's backward is ReLU of the gradient, and a gate's output is cut off from what it was made of; no call
works in place. Modules' outputs are caught by hooks. One picture, one unit at a time.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

RECTIFIERS = {
    functional.relu, functional.relu6, functional.leaky_relu, functional.elu,
    functional.gelu, functional.silu,
    functional.hardswish, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_,
}  # fmt: skip
GATES = {functional.sigmoid, functional.hardsigmoid, torch.sigmoid, Tensor.sigmoid, torch.tanh}


class Rectified(torch.autograd.Function):
    """Any rectifier; on the way back a signal is rectified (deconvnet), times its slope or both."""

    @staticmethod
    def forward(ctx, x, y, slope, nonlinearity):
        ctx.slope, ctx.nonlinearity = slope, nonlinearity
        return y.clone()

    @staticmethod
    def backward(ctx, signal):
        if ctx.nonlinearity in ("deconvnet", "guided"):
            signal = signal.clamp(min=0)
        if ctx.nonlinearity in ("gradient", "guided"):
            signal = signal * ctx.slope
        return signal, None, None, None


class Rules(TorchFunctionMode):
    """What a call inside the network does instead."""

    def __init__(self, nonlinearity):
        super().__init__()
        self.nonlinearity = nonlinearity

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = {k: v for k, v in (kwargs or {}).items() if k != "inplace"}
        if func in RECTIFIERS:
            inside = args[0].detach().clone().requires_grad_()
            y = func(inside.clone(), *args[1:], **kwargs)
            (slope,) = torch.autograd.grad(y.sum(), inside)
            return Rectified.apply(args[0], y.detach(), slope, self.nonlinearity)
        found = func(*args, **kwargs)
        return found.detach() if func in GATES else found


class Oracle:
    """One picture taken up through a network in eval mode.

    Args:
        model: any.
        image: (channels, height, width).
        nonlinearity: what becomes of a signal at a rectifier.
    """

    def __init__(self, model: nn.Module, image: Tensor, *, nonlinearity: str = "deconvnet") -> None:
        self.pixels = image[None].clone().requires_grad_()
        self.outputs: dict[str, list[Tensor]] = {}
        handles = [
            module.register_forward_hook(
                lambda _, __, y, name=name: self.outputs.setdefault(name, []).append(y)
            )
            for name, module in model.named_modules()
        ]
        try:
            with Rules(nonlinearity):
                model(self.pixels)
        finally:
            for handle in handles:
                handle.remove()

    def project(self, module: str, call: int, unit: tuple[int, ...]) -> Tensor:
        """The pattern of one unit of what a module gave when it was called for the so-many-th time.

        Args:
            module, call: whose.
            unit: map, row and column, or the number of a unit that has none.
        """
        top = self.outputs[module][call]
        seed = torch.zeros_like(top)
        seed[(0, *unit)] = top[(0, *unit)].detach()
        return torch.autograd.grad(top, self.pixels, seed, retain_graph=True)[0][0]
