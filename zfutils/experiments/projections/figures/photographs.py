"""Single pictures with the strongest maps of a layer projected into them, one network beside another."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from zfutils.deconv.top_projections import TopProjections
from zfutils.plotting.style import WIDTH, bare, new, styled
from zfutils.plotting.tiles import eight_bits, shades


@styled
def in_place(
    pictures: UInt8[np.ndarray, "n side side 3"], found: Mapping[str, Sequence[TopProjections]]
) -> Figure:
    """One row for each picture: the picture, then the strongest maps of each network, projected in place.

    Each projection has a contrast of its own (`tiles.CONTRAST`), and its map's number above it.

    Args:
        pictures: as the networks saw them.
        found: by name of the network, for each picture its strongest maps (`strongest_maps`); as many for
            one picture as for another.
    """
    wide = 1 + sum(len(tops[0].maps) for tops in found.values())
    figure = new(height=(WIDTH / wide + 0.14) * len(pictures) + 0.3)
    grid = figure.subplots(len(pictures), wide, squeeze=False)
    for row, (line, picture) in enumerate(zip(grid, pictures, strict=True)):
        bare(line[0]).imshow(picture)
        column = 1
        for name, tops in found.items():
            for index, number in enumerate(tops[row].maps.tolist()):
                placed = tops[row].placed(index, picture.shape[0])
                colours = eight_bits(shades(placed, np.ones(placed.shape[:3], dtype=bool)))
                bare(line[column]).imshow(colours[0])
                heading = "" if row or index else f"{name}\n"
                line[column].set_title(f"{heading}map {number}", fontsize=9, pad=2)
                column += 1
    return figure
