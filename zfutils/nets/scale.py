"""The paper's networks for smaller pictures: windows that see the paper's share of the picture.

With the paper's windows on a smaller picture, a unit sees more of it and the upper maps shrink: on 128 px a
unit of layer 5 sees 109 % of the picture's side, 62 % in the paper. Here layers 1 and 2 and their pooling are
chosen anew, so that every convolution sees the paper's share and layers 3 to 5 keep maps of the paper's kind;
from layer 3 on nothing changes. The choice is found by `search` and kept as a table, `STEMS`, which a test
holds to the search.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from zfutils.nets.geometry import Window, output_size, receptive_field

PAPER = 224  # px, side of the paper's pictures
TOLERANCE = 0.15  # of the paper's share, in layers 2 to 5
MAPS = (9, 15)  # smallest and largest side of the maps of layers 3 to 5; 13 in the paper
UPPER = Window(3, 1, 1)  # layers 3, 4 and 5, in the paper and here


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


def shares(stem: Stem, image: int) -> tuple[float, ...]:
    """Side of what a unit of layers 1 to 5 sees, over the side of the picture."""
    fields = [receptive_field([stem.conv1])]
    for upper in range(4):
        fields.append(receptive_field([stem.conv1, stem.pool1, stem.conv2, *_above(stem, upper)]))
    return tuple(field.kernel / image for field in fields)


def search(paper: Stem, image: int, maps: tuple[int, int, int] = (96, 256, 384)) -> list[Stem]:
    """All stems that see the paper's shares of a picture of `image` px, the best first.

    Every layer's share is within 15 % of the paper's (layer 1: within a pixel), and layers 3 to 5 run on maps
    of 9 to 15 px. Convolutions have odd kernels of 3 px or more; pools are the paper's 3 px wide. First come
    those whose layer 1 steps as the paper's or nearest to it, for its stride is what the paper's Fig. 6
    compares; then those with the fewest windows of another kernel or stride; then the cheapest, and
    of equals the one with the least padding.

    Args:
        paper: the stem on pictures of 224 px.
        image: side of the picture (px).
        maps: of layers 1, 2 and 3, for the cost.
    """
    wanted = shares(paper, PAPER)
    found = {}
    for stem in _stems(paper, wanted, image):
        size = map_sizes(stem, image)[-1]
        near = all(
            abs(a / b - 1) <= TOLERANCE for a, b in zip(shares(stem, image)[1:], wanted[1:], strict=True)
        )
        if near and MAPS[0] <= size <= MAPS[1]:
            stride = abs(stem.conv1.stride - paper.conv1.stride)
            changed = sum(a[:2] != b[:2] for a, b in zip(stem, paper, strict=True))
            found[stem] = (stride, changed, _cost(stem, image, maps))
    return sorted(found, key=lambda stem: (*found[stem], sum(w.padding for w in stem), stem))


def map_sizes(stem: Stem, image: int) -> tuple[int, ...]:
    """Side of the map after each window of the stem (px)."""
    sizes = [image]
    for window in stem:
        sizes.append(output_size(sizes[-1], window))
    return tuple(sizes[1:])


def _above(stem: Stem, upper: int) -> list[Window]:
    return [stem.pool2, *[UPPER] * upper] if upper else []


def _stems(paper: Stem, wanted: Sequence[float], image: int) -> Iterator[Stem]:
    """Every stem whose first two layers see about what they should."""
    first = [k for k in range(3, 2 * paper.conv1.kernel, 2) if abs(k - wanted[0] * image) <= 1]
    for k1, k2 in itertools.product(first, (3, 5)):
        strides = itertools.product(range(1, min(k1, 4) + 1), (1, 2, 3), (1, 2), (1, 2, 3))
        for s1, p1, s2, p2 in strides:
            paddings = itertools.product(range(k1 // 2 + 1), (0, 1), range(k2 // 2 + 1), (0, 1))
            for a, b, c, d in paddings:
                yield Stem(Window(k1, s1, a), Window(3, p1, b), Window(k2, s2, c), Window(3, p2, d))


def _cost(stem: Stem, image: int, maps: tuple[int, int, int]) -> int:
    """Multiply-adds of layers 1 to 5, the upper three as wide as the third."""
    one, _, two, top = map_sizes(stem, image)
    first = 3 * maps[0] * stem.conv1.kernel**2 * one**2
    second = maps[0] * maps[1] * stem.conv2.kernel**2 * two**2
    return first + second + 9 * maps[2] * (maps[1] + 2 * maps[2]) * top**2
