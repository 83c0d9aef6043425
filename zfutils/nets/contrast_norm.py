"""Contrast normalisation across maps (Krizhevsky 2012, §3.3), which the paper follows without its constants.

The sum over neighbouring maps is a 1×1 convolution with a band of ones, and the backward pass is written out:
on a CPU that costs a small part of the convolution beside it, where PyTorch's own costs more than all of it.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

NORM_ALPHA = 1e-4  # of the contrast norm, for inputs in ±128; Krizhevsky 2012, §3.3
BETA = 0.75


class _Contrast(torch.autograd.Function):
    """x (k + band * x²)^-¾, where the band sums over neighbouring maps; the backward pass is written out."""

    @staticmethod
    def forward(ctx, x: Tensor, band: Tensor, k: float) -> Tensor:
        band = band.to(x.dtype)
        denominator = nn.functional.conv2d(x * x, band).add_(k)
        root = denominator.rsqrt().to(x.dtype)  # a GPU's autocast takes it in float32
        scale = root * root.sqrt()  # the power −¾ in less than half the time that pow takes
        ctx.save_for_backward(x, band, denominator, scale)
        return x * scale

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        x, band, denominator, scale = ctx.saved_tensors
        through = (gradient * x).mul_(scale).div_(denominator)
        spread = nn.functional.conv2d(through, band)  # the band is symmetric, so it is its own transpose
        return (gradient * scale).sub_(spread.mul_(x), alpha=2 * BETA), None, None


class ContrastNorm(nn.LocalResponseNorm):
    """Contrast normalisation across maps, x / (k + α/n Σ x²)^β over n neighbouring maps.

    Equal to `nn.LocalResponseNorm` with n = 5, k = 2, β = 0.75.

    Takes and returns float (n, maps, h, w).
    """

    def __init__(self, maps: int, alpha: float = NORM_ALPHA) -> None:
        super().__init__(size=5, alpha=alpha, beta=BETA, k=2.0)
        index = torch.arange(maps)
        band = ((index[:, None] - index).abs() <= self.size // 2) * (alpha / self.size)
        self.register_buffer("band", band[:, :, None, None].float(), persistent=False)

    def forward(self, x: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n maps h w"]:
        return _Contrast.apply(x, self.band, self.k)
