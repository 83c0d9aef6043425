"""Pooling that averages: LeNet's own, and the blur that lets a map be subsampled without aliasing.

Zeiler & Fergus 2013 pool by maxima. LeNet-5 averages (LeCun 1998), and Zhang 2019 takes maxima at every
position and then blurs before subsampling. Both averages are one small fixed filter that slides over each map
by itself, so that their reversal is their transpose.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Pooling = Literal["max", "average", "blurred"]
BLUR = (1.0, 2.0, 1.0)  # binomial, in each direction: Zhang 2019's Tri-3


class BlurPool2d(nn.Module):
    """Blurs every map by a binomial filter of 3×3 and keeps every `stride`-th position (Zhang 2019).

    Takes float (n, maps, h, w) and gives (n, maps, p, q). Beyond the border lies zero, as for a convolution,
    where Zhang reflects the map: so the reversal is a plain transpose.
    """

    kernel_size = len(BLUR)
    padding = len(BLUR) // 2

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n maps p q"]:
        return averaged(nn.functional.pad(x, (self.padding,) * 4), self)

    def extra_repr(self) -> str:
        return f"stride={self.stride}"


AVERAGES = (nn.AvgPool2d, BlurPool2d)


def weights(module: nn.Module, like: Tensor) -> Float[Tensor, "maps 1 k k"]:
    """The filter that an averaging layer slides over each map of a tensor (n, maps, h, w), in its type."""
    if isinstance(module, BlurPool2d):
        line = torch.tensor(BLUR, dtype=like.dtype, device=like.device)
        kernel = line[:, None] * line / line.sum() ** 2
    else:
        k = module.kernel_size if isinstance(module.kernel_size, int) else module.kernel_size[0]
        kernel = like.new_full((k, k), 1 / (module.divisor_override or k * k))
    return kernel.expand(like.shape[1], 1, *kernel.shape)


def averaged(x: Float[Tensor, "n maps h w"], module: nn.Module) -> Float[Tensor, "n maps p q"]:
    """What an averaging layer makes of maps that hold their padding already."""
    return nn.functional.conv2d(x, weights(module, x), None, module.stride, groups=x.shape[1])


def spread(signal: Float[Tensor, "n maps p q"], module: nn.Module) -> Float[Tensor, "n maps h w"]:
    """The transpose of `averaged`: each value goes back to where it came from, by its weight there."""
    kernel = weights(module, signal)
    return nn.functional.conv_transpose2d(signal, kernel, None, module.stride, groups=signal.shape[1])


def layers(pooling: Pooling, kernel: int, stride: int, padding: int) -> dict[str, nn.Module]:
    """The one or two layers of a pooling, as "pool" and "blur"; each kind gives maps of the same size.

    Args:
        pooling: "max"; "average"; or "blurred", maxima at every position, then a blur before the subsampling.
        kernel, stride, padding: of the pooling (pixels of the map).
    """
    if pooling == "max":
        return {"pool": nn.MaxPool2d(kernel, stride, padding)}
    if pooling == "average":
        return {"pool": nn.AvgPool2d(kernel, stride, padding)}
    return {"pool": nn.MaxPool2d(kernel, 1, padding), "blur": BlurPool2d(stride)}
