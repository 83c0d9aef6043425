"""Single activations, and the pixel patterns they are projected to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from jaxtyping import Float, Int64
from torch import Tensor


class Units(NamedTuple):
    """Single activations; int64 tensors (n,). Row and column are 0 in a fully connected layer."""

    images: Int64[Tensor, " n"]  # place in the batch of images
    maps: Int64[Tensor, " n"]
    rows: Int64[Tensor, " n"]
    columns: Int64[Tensor, " n"]

    def on(self, device: torch.device) -> "Units":
        """The same on a device."""
        return Units(*(tensor.to(device) for tensor in self))

    def split(self, batch: int) -> Iterator["Units"]:
        """The same units, so many at a time."""
        for part in zip(*(t.split(batch) for t in self), strict=True):
            yield Units(*part)


def check(units: Units, layer: str, shape: Sequence[int | None]) -> None:
    """Refuses units that are not there.

    Args:
        units: which.
        layer: their layer.
        shape: of its activations, (n, maps, h, w) or (n, units); none where it is not known yet.

    Raises:
        ValueError: no units, or one that is not there; names it and what there is.
    """
    if not len(units.images):
        raise ValueError("no units to project")
    for (name, came), most in zip(units._asdict().items(), (*shape, 1, 1)[:4], strict=True):
        if most is not None and (came.min() < 0 or came.max() >= most):
            wrong = came[(came < 0) | (came >= most)][0]
            raise ValueError(f"{layer} has {name} 0…{most - 1} here, not {wrong}")


@dataclass(frozen=True)
class Projections:
    """Pixel patterns of single activations, each on its unit's window.

    Attributes:
        pixels: (n, channels, h, w), zero where the window lies outside the image.
        tops, lefts: the windows' corners in the image (pixels), negative beyond the border, (n,).
        values: the activations themselves, (n,).
    """

    pixels: Float[Tensor, "n channels h w"]
    tops: Int64[Tensor, " n"]
    lefts: Int64[Tensor, " n"]
    values: Float[Tensor, " n"]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Several batches, one after another."""
        fields = ("pixels", "tops", "lefts", "values")
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in fields))

    def placed(self, height: int, width: int) -> Float[Tensor, "n channels {height} {width}"]:
        """The patterns in their places in an image of that size; zero elsewhere."""
        side = self.pixels.shape[-2:]
        whole = self.pixels.new_zeros(*self.pixels.shape[:2], height + 2 * side[0], width + 2 * side[1])
        corners = zip((self.tops + side[0]).tolist(), (self.lefts + side[1]).tolist(), strict=True)
        for image, pattern, (top, left) in zip(whole, self.pixels, corners, strict=True):
            image[:, top : top + side[0], left : left + side[1]] = pattern
        return whole[:, :, side[0] : side[0] + height, side[1] : side[1] + width]
