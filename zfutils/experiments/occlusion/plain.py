"""What a network answers when some pixels of a picture change, computed anew for every rectangle.

The plain way to what `incremental` gives faster for plain chains: any network, every position a whole pass.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.experiments.occlusion.rectangles import Rectangles
from zfutils.nets.activations import known_layers
from zfutils.nets.graphs import evaluating, values_of
from zfutils.runtime.devices import device_of, dtype_of


class Answers(NamedTuple):
    """What a network says when each of n rectangles has changed, and what when nothing has."""

    logits: Float[Tensor, "n classes"]
    sums: Float[Tensor, "n maps"]  # activation of each map of one layer, summed over its positions
    plain_logits: Float[Tensor, " classes"]
    plain_sums: Float[Tensor, " maps"]


@torch.no_grad()
def one_by_one(
    model: nn.Module,
    image: Float[Tensor, "channels h w"],
    filled: Float[Tensor, "channels h w"],
    rectangles: Rectangles,
) -> Float[Tensor, "n classes"]:
    """The plain way, which the others are held to: each covered picture through the whole network.

    Args:
        model: gives class scores, in evaluation mode.
        image, filled: the picture, and what the rectangles show of another one.
        rectangles: one is covered at a time.
    """
    logits = []
    for top, bottom, left, right in rectangles.ends():
        covered = image.clone()
        covered[:, top:bottom, left:right] = filled[:, top:bottom, left:right]
        logits.append(model(covered[None])[0])
    return torch.stack(logits)


class Plain:
    """A network that ends in class scores, made ready for pictures of which the same rectangles change.

    Args:
        model: any network that `tracing.graph` takes; used as in evaluation, and left as it is.
        layer: one that has maps, whose activations are summed.
        rectangles: each at least one pixel of the picture.
        batch: rectangles at a time; bounds the memory.

    Raises:
        ValueError: no such layer.
    """

    def __init__(self, model: nn.Module, layer: str, rectangles: Rectangles, *, batch: int) -> None:
        self.model, self.layer, self.batch = model, layer, batch
        self.steps, self.ends = known_layers(model, [layer]), rectangles.ends()

    @torch.no_grad()
    def answers(self, image: Float[Tensor, "channels h w"], filled: Float[Tensor, "channels h w"]) -> Answers:
        """The answers to a picture in which one rectangle after another shows another picture.

        Args:
            image: as the network takes it; sent where its weights are, in their type.
            filled: what the rectangles show.

        Raises:
            ValueError: a layer without maps, or a network that does not end in class scores.
        """
        image, filled = torch.stack([image, filled]).to(device_of(self.model), dtype_of(self.model))
        found = []
        for start in range(0, len(self.ends), self.batch):
            some = self.ends[start : start + self.batch]
            covered = image.repeat(len(some), 1, 1, 1)
            for picture, (top, bottom, left, right) in zip(covered, some, strict=True):
                picture[:, top:bottom, left:right] = filled[:, top:bottom, left:right]
            found.append(self._said(covered))
        (plain_logits,), (plain_sums,) = self._said(image[None])
        logits, sums = (torch.cat(parts) for parts in zip(*found, strict=True))
        return Answers(logits, sums, plain_logits, plain_sums)

    def _said(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        place, last = next(i for i, s in enumerate(self.steps) if s.name == self.layer), len(self.steps) - 1
        with evaluating(self.model):
            found = values_of(self.steps, pictures, [place, last])
        maps, logits = found[place], found[last].flatten(1)
        if maps.ndim != 4:
            raise ValueError(f"layer {self.layer!r} has no maps, it gives {tuple(maps.shape[1:])}")
        return logits, maps.sum((2, 3))
