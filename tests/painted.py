"""Pictures in files, for the tests that read some."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def paint(path: Path, seed: int, *, width: int = 20, height: int = 12) -> UInt8[np.ndarray, "h w 3"]:
    """A random picture at a path, in the format of its ending; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(drawn).save(path)
    return drawn
