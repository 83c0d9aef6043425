"""A small square slid over small pictures: where a network looks, as one number for each network.

After Zeiler & Fergus 2013, §4.2. On pictures of 28 px everything is computed again for each position; the
class that is followed is the one that the network names on the whole picture, since a sick network's labels
may be wrong.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import forward
from zfutils.runtime.devices import device_of, dtype_of, to_host

SIZE, STRIDE = 5, 2  # of the square (pixels)


def corners(side: int) -> list[int]:
    """Where the square begins along an axis: every second pixel, within the picture."""
    return list(range(0, side - SIZE + 1, STRIDE))


def falls(model: nn.Module, inputs: Inputs, logits: str) -> Float[np.ndarray, "n rows columns"]:
    """How much the log-odds of the named class fall with the square at each position (nats).

    Args:
        model: a chain of layers.
        inputs: the images as the network sees them; the square shows the mean of the training images.
        logits: name of the last layer.
    """
    images = inputs.tensor(device_of(model), dtype_of(model))
    whole = forward(model, images, [logits])[logits]
    named = whole.argmax(1)
    starts = corners(inputs.side)
    rows = []
    for top in starts:  # a row of positions at a time
        covered = images.repeat(len(starts), 1, 1, 1)
        for place, left in zip(covered.split(len(images)), starts, strict=True):
            place[:, :, top : top + SIZE, left : left + SIZE] = 0
        said = _log_odds(forward(model, covered, [logits])[logits], named.repeat(len(starts)))
        rows.append(said.view(len(starts), len(images)))
    return to_host(_log_odds(whole, named)[:, None, None] - torch.stack(rows).permute(2, 0, 1))


def beside(covered: Float[np.ndarray, "n rows columns"], objects: Bool[np.ndarray, "n side side"]) -> float:
    """Share of all falls that is at positions where the square does not touch the object.

    Args:
        covered: as `falls` gives them; where the log-odds rise, nothing falls.
        objects: which pixels are the object's.

    Returns:
        0 where nothing falls anywhere.
    """
    starts = corners(objects.shape[1])
    off = np.stack(
        [[~objects[:, y : y + SIZE, x : x + SIZE].any((1, 2)) for x in starts] for y in starts]
    ).transpose(2, 0, 1)
    fallen = covered.clip(min=0)
    return float(fallen[off].sum() / fallen.sum()) if fallen.any() else 0.0


def _log_odds(logits: Float[Tensor, "n classes"], named: Tensor) -> Float[Tensor, " n"]:
    """Of the named class against all others together."""
    own = logits.gather(1, named[:, None])[:, 0]
    others = logits.scatter(1, named[:, None], -torch.inf)
    return own.float() - others.float().logsumexp(1)
