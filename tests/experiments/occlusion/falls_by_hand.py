"""Falls and objects given by hand, as `Occlusion` and masks hold them."""

import numpy as np

from zfutils.experiments.occlusion.sliding_patch import Occlusion, Patch

FOUR = Patch(2, 2)  # of a picture of 4 px: positions centred on pixels 1 and 3
CORNER = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)


def with_falls(falls, patch, *, plain=0.9, activations=None):
    """Pictures of two classes whose probability falls by that much at each position."""
    falls = np.asarray(falls, dtype=float)
    n = len(falls)
    odds = np.log((plain - falls) / (1 - plain + falls))
    logits = np.stack([odds, np.zeros_like(odds)], -1)
    activations = np.ones_like(falls) if activations is None else np.asarray(activations, dtype=float)
    whole = np.tile([np.log(plain / (1 - plain)), 0.0], (n, 1))
    zeros = np.zeros(n, dtype=np.int64)
    return Occlusion(patch, "relu5", np.arange(n), zeros, zeros, logits, activations, whole, np.full(n, 2.0))
