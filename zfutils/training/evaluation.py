"""The errors of a network: top-k, from the centre crop or averaged over ten (Krizhevsky 2012, §4.1).

Several ranks (`runtime.ranks`) share the images out, batch by batch, and each has the whole result.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import evaluating
from zfutils.runtime.devices import Precision, device_of, image_type, to_host
from zfutils.runtime.ranks import Share


class Ranked:
    """Where the true class of each picture stands among the classes, and the errors that follow from it."""

    classes: int
    ranks: Int64[np.ndarray, " n"]  # of the true class; 0 is the most probable

    def wrong(self, k: int = 1) -> Bool[np.ndarray, " n"]:
        """Whether the true class is not among the k most probable, picture by picture."""
        if not 1 <= k <= self.classes:
            raise ValueError(f"top-{k} of {self.classes} classes does not exist")
        return self.ranks >= k

    def error(self, k: int = 1) -> float:
        """Top-k error, in [0, 1]."""
        return float(self.wrong(k).mean())


@dataclass(frozen=True)
class Scores(Ranked):
    """What a network says of a set: mean probabilities over the crops, and the true labels."""

    probabilities: Float[np.ndarray, "n classes"]
    labels: Int64[np.ndarray, " n"]

    @property
    def classes(self) -> int:
        """How many there are."""
        return self.probabilities.shape[1]

    @property
    def ranks(self) -> Int64[np.ndarray, " n"]:
        """How many classes stand above the true one; of equals, the lower index is first.

        So a network that says the same of every class is at chance, and one that says NaN is always wrong.
        """
        own = self.probabilities[np.arange(len(self.labels)), self.labels][:, None]
        before = np.arange(self.classes) < self.labels[:, None]
        above = ~(self.probabilities <= own)  # of what is not a number, everything is above
        return (above | ((self.probabilities == own) & before)).sum(1)

    def log_loss(self) -> Float[np.ndarray, " n"]:
        """Cross-entropy of each picture (nats); at most that of the smallest probability of float32."""
        own = self.probabilities[np.arange(len(self.labels)), self.labels]
        return -np.log(own.clip(min=np.finfo(np.float32).tiny))


@dataclass(frozen=True)
class Errors(Ranked):
    """What is left of scores without the probabilities, which grow with the images and the classes."""

    ranks: Int64[np.ndarray, " n"]
    log_loss: Float[np.ndarray, " n"]  # cross-entropy (nats)
    classes: int


def evaluate(
    model: nn.Module,
    inputs: Inputs,
    *,
    crops: Literal[1, 10] = 1,
    precision: Precision = "auto",
    batch: int = 256,
) -> Scores:
    """Class probabilities of a network, in eval mode, from the centre crop or averaged over ten.

    Args:
        model: takes (n, channels, side, side), gives logits.
        inputs: the images, as the network sees them.
        crops: 1, or the ten of Krizhevsky 2012.
        precision: in which the device computes; "auto" is bf16 where it multiplies that in hardware.
        batch: images at a time.
    """
    share = Share.of(len(inputs), batch)
    found = list(_probabilities(model, inputs, crops, precision, share))
    probabilities, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Scores(to_host(share.gathered(probabilities)), to_host(share.gathered(labels)))


def errors(model: nn.Module, inputs: Inputs, *, precision: Precision = "auto", batch: int = 256) -> Errors:
    """As `evaluate` on the centre crop, without keeping probabilities.

    Args:
        model, inputs, precision, batch: as for `evaluate`.
    """
    share = Share.of(len(inputs), batch)
    found = [
        Scores(to_host(probabilities), to_host(labels))
        for probabilities, labels in _probabilities(model, inputs, 1, precision, share)
    ]
    ranks, losses = (
        to_host(share.gathered(torch.from_numpy(np.concatenate(parts))))
        for parts in zip(*((scores.ranks, scores.log_loss()) for scores in found), strict=True)
    )
    return Errors(ranks, losses, found[0].classes)


def _probabilities(
    model: nn.Module, inputs: Inputs, crops: Literal[1, 10], precision: Precision, share: Share
) -> Iterator[tuple[Float[Tensor, "n classes"], Int64[Tensor, " n"]]]:
    """Mean probabilities over the crops, and labels, of this rank's images, batch by batch."""
    device = device_of(model)
    dtype = image_type(precision, device)
    with evaluating(model), torch.autocast(device.type, dtype, enabled=dtype == torch.bfloat16):
        for views in inputs[share.own].views(share.batch, crops=crops, device=device, dtype=dtype):
            probabilities = [model(view.images).float().softmax(1) for view in views]
            yield torch.stack(probabilities).mean(0), views[0].labels
