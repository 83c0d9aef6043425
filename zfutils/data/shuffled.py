"""Pictures whose labels say nothing: the same pictures and labels, dealt out anew (Zhang 2017)."""

import numpy as np
from jaxtyping import UInt8

from zfutils.data import ImageSource


class ShuffledLabels:
    """The pictures of a source with its labels shuffled, so that every class keeps its number of pictures.

    Args:
        source: pictures and labels.
        seed: of the shuffling.

    Source: Zhang et al. 2017, Understanding Deep Learning Requires Rethinking Generalization.
    """

    def __init__(self, source: ImageSource, *, seed: int) -> None:
        self.source, self.seed = source, seed
        self.classes, self.names = source.classes, source.names
        self.labels = np.random.default_rng(seed).permutation(source.labels)
        self.chiral = getattr(source, "chiral", False)

    @property
    def identity(self) -> dict[str, object]:
        """What fixes pictures and labels."""
        return {"source": "shuffled labels", "seed": self.seed, "of": dict(self.source.identity)}

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "size size channels"]:
        return self.source[index]
