"""What the way up leaves for the way down: switches, slopes, gates, and where windows lie."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from zfutils.deconv.unpooling import Frame
from zfutils.nets.geometry import Window


class Trace(NamedTuple):
    """What the way up leaves for the way down."""

    switches: dict[str, Tensor]  # by pooling: uint8 (n, maps, h, w), row × kernel + column in its window
    signs: dict[str, Tensor]  # by rectifier: whether it let the activation pass, or its slope; if it matters
    held: dict[str, Tensor]  # by gated step: the gate; by maxima without switches: what they were taken from
    shapes: dict[int, tuple[int, ...]]  # by node: (maps, h, w) or (units)
    linear: dict[str, Callable[..., Tensor]]  # by linear step: the step, to be transposed
    fields: dict[int, Window] | None  # by node: what a unit sees of it; none: whole images
    frames: dict[int, Frame] | None  # by node: where the windows lie

    def of(self, images: Tensor) -> "Trace":
        """The same for some of the images."""
        kept = {name: getattr(self, name).items() for name in ("switches", "signs", "held")}
        return self._replace(**{name: {n: t[images] for n, t in tensors} for name, tensors in kept.items()})
