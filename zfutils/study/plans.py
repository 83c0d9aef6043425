"""What one network is trained by, and what networks are called: known before any picture is drawn."""

import json
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

from zfutils.data.pixels import Pixels
from zfutils.data.stores import Store
from zfutils.nets.specs import NetworkSpec
from zfutils.training import checkpoints
from zfutils.training.recipe import Training

DEPTHS = {8: "none", 4: "without layers 3, 4, 6, 7"}  # rows of Table 3 by the number of their layers


@dataclass(frozen=True)
class Plan:
    """What one network is trained by."""

    name: str
    spec: NetworkSpec
    recipe: Training
    images: Pixels | Store
    seed: int
    base: str  # which of the paper's networks it comes from
    start: Self | None = None  # the network from whose weights it goes on, but for its classifier

    @property
    def identity(self) -> dict[str, Any]:
        """What makes a trained network this one; plain data."""
        start = self.start and self.start.identity
        return checkpoints.identity(self.spec, self.recipe, self.images, self.seed, start=start)

    @property
    def digest(self) -> str:
        """A digest of the identity, as part of a folder's name."""
        return blake2b(json.dumps(self.identity).encode(), digest_size=4).hexdigest()

    def opened(self) -> Pixels:
        """What it learns from, drawn now where it was not yet."""
        return self.images.opened() if isinstance(self.images, Store) else self.images

    @property
    def work(self) -> int:
        """Multiply-adds of its training, forward."""
        return self.spec.multiply_adds * self.recipe.epochs * len(self.images)


def deep_name(layers: int, pictures: int, *, wider: bool = False) -> str:
    """What a network of `Networks.depth` is called."""
    return f"{layers} layers, {pictures} pictures" + ", wider" * wider


def plain(name: str) -> str:
    """A network's name as part of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", name)
