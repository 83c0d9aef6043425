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


def check(rectangles: Rectangles, size: tuple[int, int], batch: int) -> None:
    """Refuses a batch below 1, no rectangles, and one that is empty or lies outside a picture of a size."""
    if batch < 1:
        raise ValueError(f"batch is {batch}; it must be 1 or more")
    if not len(rectangles):
        raise ValueError("no positions: nothing of the picture is to change")
    for axis, n in zip(rectangles, size, strict=True):
        if (axis.starts < 0).any() or (axis.stops > n).any() or (axis.stops <= axis.starts).any():
            raise ValueError(f"a rectangle is empty or does not lie in the picture, {n} px along an axis")


class Plain:
    """A network that ends in class scores, made ready for pictures of which the same rectangles change.

    Args:
        model: any network that `tracing.graph` takes; used as in evaluation, and left as it is.
        layer: one that has maps, whose activations are summed.
        rectangles: each at least one pixel of the picture.
        shape: channels, height and width of the pictures.
        batch: rectangles at a time; bounds the memory.

    Raises:
        ValueError: no such layer; no rectangles, one that is empty or lies outside.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        rectangles: Rectangles,
        *,
        shape: tuple[int, int, int],
        batch: int = 256,
    ) -> None:
        self.model, self.layer, self.batch = model, layer, batch
        self.steps = known_layers(model, [layer])
        check(rectangles, shape[1:], batch)
        self.ends = rectangles.ends()

    @property
    def classes(self) -> int | None:
        """How many classes the network has, where its last step says it."""
        return getattr(self.steps[-1].module, "out_features", None)

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
