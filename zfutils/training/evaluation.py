"""The errors of a network: top-k, from the centre crop or averaged over ten (Krizhevsky 2012, §4.1)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.data.pixels import Pixels
from zfutils.runtime.devices import image_type
from zfutils.training.recipe import Training


@dataclass(frozen=True)
class Scores:
    """What a network says of a set: mean probabilities over the crops, and the true labels."""

    probabilities: Float[np.ndarray, "n classes"]
    labels: Int64[np.ndarray, " n"]

    def wrong(self, k: int = 1) -> np.ndarray:
        """bool (n,): the true class is not among the k most probable; of equals, the lower index is first.

        So a network that says the same of every class is at chance, and one that says NaN is always wrong.
        """
        if not 1 <= k <= self.probabilities.shape[1]:
            raise ValueError(f"top-{k} of {self.probabilities.shape[1]} classes does not exist")
        own = self.probabilities[np.arange(len(self.labels)), self.labels][:, None]
        before = np.arange(self.probabilities.shape[1]) < self.labels[:, None]
        above = ~(self.probabilities <= own)  # of what is not a number, everything is above
        return (above | ((self.probabilities == own) & before)).sum(1) >= k

    def error(self, k: int = 1) -> float:
        """Top-k error, in [0, 1]."""
        return float(self.wrong(k).mean())


@torch.no_grad()
def evaluate(
    model: nn.Module,
    images: Pixels,
    recipe: Training,
    *,
    side: int,
    crops: Literal[1, 10] = 1,
    rows: Int64[Tensor, " n"] | None = None,
    batch: int = 256,
) -> Scores:
    """Class probabilities of a network, in eval mode, from the centre crop or averaged over ten.

    Args:
        model: takes (n, channels, side, side), gives logits.
        images: the set, centred as in training.
        recipe: its input scale and precision.
        side: of a crop (pixels).
        rows: which images; default all.
    """
    dtype = image_type(recipe.precision)
    rows = torch.arange(len(images)) if rows is None else rows
    mode, device = model.training, next(model.parameters()).device
    model.eval()
    found = []
    with torch.autocast(device.type, dtype, enabled=dtype == torch.bfloat16):
        for views in images.views(
            rows, crops=crops, batch=batch, side=side, scale=recipe.input_scale, dtype=dtype
        ):
            probabilities = [model(v.images.to(device)).float().softmax(1) for v in views]
            found.append(torch.stack(probabilities).mean(0).cpu())
    model.train(mode)
    return Scores(torch.cat(found).numpy(), images.labels[rows].cpu().numpy())
