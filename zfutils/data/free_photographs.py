"""Four photographs that may be shown anywhere and that come with scikit-image: no download, no permission.

None shows one of the classes that the published networks of chapters 3 and 6 were trained on.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8


class FreePhotograph(NamedTuple):
    """A photograph with its licence."""

    name: str
    pixels: UInt8[np.ndarray, "h w 3"]
    credit: str  # who took it, and on which terms it is given away


CREDITS = {
    "cat": "Stéfan van der Walt, CC0",
    "astronaut": "NASA, public domain",
    "coffee": "Rachel Michetti, CC0",
    "rocket": "SpaceX, public domain",
}


def free_photographs() -> list[FreePhotograph]:
    """The four photographs, each in its own size; credits as `skimage.data` states them."""
    from skimage import data  # chapters without photographs do without it

    return [FreePhotograph(name, getattr(data, name)(), credit) for name, credit in CREDITS.items()]
