"""Whether a network keeps its label when the picture is shifted by a few pixels (Zhang 2019, §4).

The shifted crop is cut from a larger picture, so that nothing but the shift changes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.data.transformations import translated
from zfutils.nets.activations import evaluating
from zfutils.runtime.devices import device_of, dtype_of, to_host

SHIFTS = (1, 2, 3, 4)  # pixels
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))  # down, right


class Labels(NamedTuple):
    """What becomes of the labels of n pictures under shifts."""

    kept: UInt8[np.ndarray, "n shifts"]  # in how many of the four directions the label stays
    correct: Bool[np.ndarray, " n"]  # at the centre


def labels_under_shifts(
    model: nn.Module, inputs: Inputs, *, shifts: Sequence[int] = SHIFTS, batch: int = 64
) -> Labels:
    """In how many directions a shift leaves the predicted class as it is at the centre.

    Args:
        model: gives logits; used as in evaluation.
        inputs: pictures, stored larger than they are seen.
        shifts: how far, in each of `DIRECTIONS` (pixels).
        batch: pictures at a time.

    Raises:
        ValueError: fewer pixels around the crop than the longest shift.
    """
    if inputs.corner < max(shifts):
        size = inputs.images.size
        raise ValueError(f"a crop of {inputs.side} px cannot move by {max(shifts)} px in {size} px")
    kept, correct = [], []
    for view in inputs.whole().batches(batch, device=device_of(model), dtype=dtype_of(model)):

        def classes(down: int, right: int, images: Tensor = view.images) -> Tensor:
            crops = translated(images, down, right, side=inputs.side)
            with evaluating(model):
                return model(crops.contiguous(memory_format=torch.channels_last)).argmax(1)

        centre = classes(0, 0)
        same = [[classes(k * d, k * r) == centre for d, r in DIRECTIONS] for k in shifts]
        kept.append(to_host(torch.stack([torch.stack(one).sum(0) for one in same], 1)))
        correct.append(to_host(centre == view.labels))
    return Labels(np.concatenate(kept).astype(np.uint8), np.concatenate(correct))
