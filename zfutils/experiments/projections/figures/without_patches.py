"""Projections alone, layer by layer, beside those of random weights, and the classes of their pictures.

What the paper's Fig. 2 shows, for pictures that must not be handed on: no patch is in it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from zfutils.deconv.top_projections import TopProjections
from zfutils.plotting.style import WIDTH, bare, new, styled
from zfutils.plotting.tiles import block, colours_and_mask, words

TILE = 96  # screen pixels of a projection, at least; whole multiples of its window where that is smaller
NAMED = 2  # classes that are named below a map
SMALL = 9  # points


@styled
def without_patches(
    tops: Mapping[str, Mapping[str, TopProjections]],
    classes: Mapping[str, Mapping[str, Sequence[Sequence[str]]]],
) -> Figure:
    """The nine strongest projections of some maps of each layer, network beside network.

    Strongest first, in reading order; the contrast is a map's own. Below each map stand the classes that most
    of its nine pictures belong to, with their number.

    Args:
        tops: of each network, by layer; all networks have the same layers.
        classes: of each map's pictures, likewise (`atlas.classes_of`).
    """
    names = list(next(iter(tops.values())))
    columns = sum(len(by_layer[names[0]].maps) for by_layer in tops.values())
    side = WIDTH / columns
    figure = new(height=len(names) * (side + 0.68))
    figure.set_dpi(3 * TILE / side)
    panels = figure.subplots(len(names), columns, squeeze=False)
    for row, layer in enumerate(names):
        found = [
            (network, by_layer[layer], index)
            for network, by_layer in tops.items()
            for index in range(len(by_layer[layer].maps))
        ]
        for axes, (network, top, index) in zip(panels[row], found, strict=True):
            colours, _, inside = colours_and_mask(top, index)
            window = colours.shape[1]
            tile = window * -(-TILE // window)
            bare(axes).imshow(block(colours, inside, tile=tile, gap=max(1, tile // 48)))
            axes.set_title(
                f"{words(layer)}, map {int(top.maps[index])}\n{network}", fontsize=SMALL, loc="left"
            )
            most = Counter(classes[network][layer][index]).most_common(NAMED)
            said = "\n".join(f"{name} {count}" for name, count in most)
            axes.set_xlabel(said, fontsize=SMALL, loc="left")
    return figure
