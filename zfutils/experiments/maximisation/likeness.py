"""How alike are images that ascent made from different starts?

Two images of one unit are alike for the unit's sake, and two of any units for the sake of the ascent: the
range of pixels, the window, the blur. So images of one unit are compared with images of different ones.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float


def likeness(images: Float[np.ndarray, "maps starts channels side side"]) -> pd.DataFrame:
    """Mean Pearson correlation, over pixels and colours, of images from different starts.

    From each colour of each image its mean is taken off. An image of one colour has no correlation.

    Args:
        images: of each map, one from each start.

    Returns:
        One row per map, in order: same (two starts, the map's own), different (another start, another map);
        NaN where there is no such pair, or none has a correlation.
    """
    maps, starts = images.shape[:2]
    centred = images - images.mean((-2, -1), keepdims=True)
    flat = centred.reshape(maps * starts, -1).astype(np.float64)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    flat = np.divide(flat, length, out=np.full_like(flat, np.nan), where=length > 0)
    pairs = (flat @ flat.T).reshape(maps, starts, maps, starts)
    other_start = ~np.eye(starts, dtype=bool)
    rows = []
    for one in range(maps):
        table = pairs[one].transpose(1, 0, 2)[:, other_start]  # by the other map
        others = np.delete(table, one, axis=0)
        rows.append({"same": _mean(table[one]), "different": _mean(others)})
    return pd.DataFrame(rows)


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan


def phases_at_random(
    images: Float[np.ndarray, "*n channels side side"], *, seed: int = 0
) -> Float[np.ndarray, "*n channels side side"]:
    """Noise with the spectrum of an image: amplitudes and mean colour kept, phases moved at random.

    All colours of an image are moved by the same phases, so that they go together as they did. Those of white
    noise are taken, which makes the result real.

    Source: Theiler et al. 1992, surrogate data; Prichard & Theiler 1994 for several channels.
    """
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(*images.shape[:-3], 1, *images.shape[-2:]))
    phases = np.angle(np.fft.fft2(noise))
    phases[..., 0, 0] = 0
    moved = np.fft.ifft2(np.fft.fft2(images) * np.exp(1j * phases))
    return moved.real.astype(images.dtype)
