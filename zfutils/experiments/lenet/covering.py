"""A grey square slides over digits, and the network reads each covered digit (Zeiler & Fergus 2013, §4.2).

The network is so small that it simply reads every covered digit whole. The grey is the mean of the training
digits at each pixel, which is 0 to the network. A black square would be paper on paper beside the ink, and
change nothing there.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import forward
from zfutils.runtime.devices import device_of, dtype_of, to_host


@dataclass(frozen=True)
class Covered:
    """Class probabilities of n digits with the square at each of p × p positions, and of the whole digits."""

    size: int  # side of the square (pixels)
    centres: Int64[np.ndarray, " p"]  # of its positions, along either axis (pixels)
    labels: Int64[np.ndarray, " n"]
    probabilities: Float[np.ndarray, "n p p classes"]
    whole: Float[np.ndarray, "n classes"]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def fall(self) -> Float[np.ndarray, "n p p"]:
        """How much of the true class's probability the square takes away."""
        rows = np.arange(len(self))
        return self.whole[rows, self.labels][:, None, None] - self.probabilities[rows, :, :, self.labels]

    @property
    def read(self) -> Int64[np.ndarray, "n p p"]:
        """The most probable class at each position."""
        return self.probabilities.argmax(-1)

    @property
    def read_whole(self) -> Int64[np.ndarray, " n"]:
        """The most probable class of the whole digit."""
        return self.whole.argmax(-1)

    def at_centres(self, values: np.ndarray) -> np.ndarray:
        """A picture's values (n, h, w) at the centre of each position (n, p, p)."""
        return values[:, self.centres[:, None], self.centres]


def squares(side: int, size: int, stride: int) -> tuple[Int64[Tensor, " p"], Bool[Tensor, "p*p side side"]]:
    """Centres along an axis, of a grid in the middle of the picture, and what each position covers.

    Args:
        side: of the picture (pixels).
        size: of the square (pixels), odd, so that it has a centre; at the border it is cut.
        stride: from one position to the next (pixels).

    Raises:
        ValueError: an even size, a square larger than the picture, or a stride below 1.
    """
    if size % 2 == 0 or not 1 <= size <= side or stride < 1:
        raise ValueError(
            f"size is odd and in 1…{side} and stride 1 or more (pixels), not {size} and {stride}"
        )
    n = (side - 1) // stride + 1
    centres = (side - 1 - (n - 1) * stride) // 2 + stride * torch.arange(n)
    near = (torch.arange(side) - centres[:, None]).abs() <= size // 2  # (n, side), along one axis
    return centres, (near[:, None, :, None] & near[None, :, None, :]).flatten(0, 1)


def cover(model: nn.Module, inputs: Inputs, *, size: int, stride: int = 1, batch: int = 8) -> Covered:
    """Cover digits position by position and keep the probabilities of all classes.

    Args:
        model: LeNet-5.
        inputs: the digits, as the network sees them.
        size, stride: of the square (pixels), as for `squares`.
        batch: digits at a time, each with all positions; bounds the memory.

    Raises:
        ValueError: as `squares`.
    """
    centres, covered = squares(inputs.side, size, stride)
    device = device_of(model)
    seen = torch.cat([torch.ones(1, *covered.shape[1:]), (~covered).float()]).to(device, dtype_of(model))
    found = []
    for view in inputs.batches(batch, device=device, dtype=dtype_of(model)):
        images = (view.images[:, None] * seen[:, None]).flatten(0, 1)
        scores = forward(model, images, ["fc5"])["fc5"].float().softmax(1)
        found.append(scores.unflatten(0, (len(view.images), len(seen))))
    probabilities, p = to_host(torch.cat(found)), len(centres)
    return Covered(
        size,
        to_host(centres),
        to_host(inputs.labels),
        probabilities[:, 1:].reshape(len(probabilities), p, p, -1),
        probabilities[:, 0],
    )
