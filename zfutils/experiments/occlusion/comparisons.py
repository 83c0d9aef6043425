"""What chapter 6 claims: two arms of the same pictures, what is measured and its control.

The one idea: an occlusion map is asked about its own picture and about every other one. A map that falls in
the middle whatever it is shown does as well on another picture's object, so that the difference is due to the
picture itself.
"""

import numpy as np
from jaxtyping import Float

from zfutils.stats.comparisons import Comparison


def with_others(table: Float[np.ndarray, "n n"], resampled: str = "pictures") -> Comparison:
    """Each picture with its own, and as its control the mean over all others.

    Args:
        table: row i is of picture i; its column i belongs to it, the others to other pictures. NaN cells are
            left out.
        resampled: what the pictures are called.
    """
    others = np.array(table, dtype=float)
    np.fill_diagonal(others, np.nan)
    known = np.isfinite(others).sum(1)
    means = np.where(known > 0, np.nansum(others, axis=1) / np.maximum(known, 1), np.nan)
    return Comparison(np.diagonal(table).astype(float), means, resampled)
