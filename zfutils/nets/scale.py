"""The paper's networks for smaller pictures: windows that see the paper's share of the picture.

With the paper's windows on a smaller picture, a unit sees more of it and the upper maps shrink: on 128 px a
unit of layer 5 sees 109 % of the picture's side, 62 % in the paper. Here layers 1 and 2 and their pooling are
chosen anew, so that every convolution sees the paper's share and layers 3 to 5 keep maps of the paper's kind;
from layer 3 on nothing changes.

Every layer's share is within 15 % of the paper's (layer 1: within a pixel), and layers 3 to 5 run on maps of
9 to 15 px. Convolutions have odd kernels of 3 px or more; pools are the paper's 3 px wide. Of all such stems
`STEMS` has the one whose layer 1 steps as the paper's or nearest to it, for its stride is what the paper's
Fig. 6 compares; then the one with the fewest windows of another kernel or stride; then the cheapest, and of
equals the one with the least padding. `tests/nets/test_scale.py` searches for it.
"""

from typing import NamedTuple

from zfutils.nets.geometry import Window

PAPER = 224  # px, side of the paper's pictures


class Stem(NamedTuple):
    """The windows below layer 3, which change with the picture."""

    conv1: Window
    pool1: Window
    conv2: Window
    pool2: Window


ZFNET = Stem(Window(7, 2, 1), Window(3, 2, 1), Window(5, 2, 0), Window(3, 2, 1))
KRIZHEVSKY = Stem(Window(11, 4, 2), Window(3, 2, 0), Window(5, 1, 2), Window(3, 2, 0))

# By the paper's stem, then by the side of the picture (px).
STEMS: dict[Stem, dict[int, Stem]] = {
    ZFNET: {
        64: Stem(Window(3, 1, 0), Window(3, 1, 0), Window(3, 2, 0), Window(3, 2, 0)),
        96: Stem(Window(3, 2, 0), Window(3, 1, 0), Window(3, 2, 0), Window(3, 2, 0)),
        128: Stem(Window(5, 2, 0), Window(3, 2, 0), Window(3, 1, 0), Window(3, 2, 0)),
        160: Stem(Window(5, 2, 0), Window(3, 3, 0), Window(3, 1, 0), Window(3, 2, 0)),
        PAPER: ZFNET,
    },
    KRIZHEVSKY: {
        64: Stem(Window(3, 2, 0), Window(3, 1, 0), Window(5, 1, 0), Window(3, 2, 0)),
        96: Stem(Window(5, 4, 0), Window(3, 1, 0), Window(3, 1, 0), Window(3, 2, 0)),
        128: Stem(Window(7, 4, 0), Window(3, 1, 0), Window(5, 1, 0), Window(3, 2, 0)),
        160: Stem(Window(7, 4, 0), Window(3, 1, 0), Window(5, 1, 0), Window(3, 3, 0)),
        PAPER: KRIZHEVSKY,
    },
}


def sides() -> list[int]:
    """Sides of pictures (px) for which there is a geometry to scale of both of the paper's networks."""
    return sorted(set.intersection(*map(set, STEMS.values())))


def to_scale(paper: Stem, image: int) -> Stem:
    """The stem that sees the same shares of a picture of another size.

    Args:
        paper: the stem on pictures of 224 px.
        image: side of the picture (px); one of the table's.

    Raises:
        ValueError: a stem of no network of the paper; a size that is not in the table, naming the nearest.
    """
    if paper not in STEMS:
        windows = ", ".join(f"{name} {tuple(window)}" for name, window in paper._asdict().items())
        raise ValueError(
            f"only networks with the first two layers of ZFNet or Krizhevsky's at {PAPER} px can be brought "
            f"to another size; this one has {windows}"
        )
    sizes = STEMS[paper]
    if image not in sizes:
        nearest = min(sizes, key=lambda size: abs(size - image))
        raise ValueError(
            f"there is no geometry to scale for {image} px; the nearest is {nearest} px, and there are "
            f"{', '.join(map(str, sizes))} px"
        )
    return sizes[image]
