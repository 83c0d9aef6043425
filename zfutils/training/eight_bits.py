"""Weights in 8 bits, for networks that are kept where space is short.

A row of a weight (all that leads to one map or unit) has a scale, its largest absolute value over 127, and is
rounded to multiples of it; biases are in half precision.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

LEVELS = 127  # on either side of 0
SCALE = ".scale"  # ends the name of a weight's scales


def narrowed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's weights in 8 bits, with their scales.

    Args:
        weights: by name, floats of any shape; those of one dimension are biases.
    """
    kept: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.ndim < 2:
            kept[name] = weight.half()
            continue
        rows = weight.float().flatten(1)
        scale = rows.abs().amax(1) / LEVELS
        steps = (rows / torch.where(scale > 0, scale, 1)[:, None]).round()
        kept |= {name: steps.to(torch.int8).view_as(weight), name + SCALE: scale}
    return kept


def widened(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as single precision, whether they were kept in 8, 16 or 32 bits.

    Args:
        weights: by name, with the scales of those in 8 bits.

    Raises:
        ValueError: a weight in 8 bits lacks its scales, or has another number of them; names it.
    """
    for name, weight in weights.items():
        scale = weights.get(name + SCALE)
        if weight.dtype == torch.int8 and (scale is None or scale.shape != weight.shape[:1]):
            raise ValueError(f"{name} is in 8 bits and needs {len(weight)} scales, one for each row")
    return {
        name: _scaled(weight, weights.get(name + SCALE))
        for name, weight in weights.items()
        if not name.endswith(SCALE)
    }


def _scaled(weight: Tensor, scale: Tensor | None) -> Tensor:
    return weight.float() if scale is None else weight * scale.view(-1, *[1] * (weight.ndim - 1))
