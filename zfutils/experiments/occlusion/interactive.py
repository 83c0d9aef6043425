"""The square under the reader's pointer (after Zeiler & Fergus 2013, Fig. 7).

The one idea: the positions that were measured are the states of the figure, so that it shows recorded numbers
and no others.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from zfutils.experiments.occlusion.sliding_patch import Occlusion
from zfutils.plotting.interactive import Bars, Interactive, Scene
from zfutils.plotting.tiles import in_colour

FILLS = {"grey": "#808080", "black": "#000"}  # others are shown as a veil
SHOWN = 5  # most probable classes, at most
MOST = 1.5  # times the activity on the whole image, at a full bar


def under_pointer(
    images: UInt8[np.ndarray, "n h w channels"], found: Occlusion, classes: Sequence[str]
) -> Interactive:
    """Images with a square that follows the pointer, and what the network says at each of its positions.

    Args:
        images: as the network saw them.
        found: what was measured on them, in this order.
        classes: names.
    """
    side = images.shape[1]
    spans, whole = found.patch.spans(side), np.where(found.plain_activations == 0, 1, found.plain_activations)
    scenes, probabilities = [], found.probabilities
    for i, label in enumerate(found.labels):
        names = [f"{name} (followed)" if c == label else name for c, name in enumerate(classes)]
        labels, rows = [], []
        for place in np.ndindex(found.activations.shape[1:]):
            each = probabilities[i][place]
            best = np.argsort(-each, kind="stable")[:SHOWN]
            activity = float(found.activations[i][place] / whole[i])
            row, column = (int(found.patch.centres(side)[k]) for k in place)
            labels.append(f"Square centred at row {row}, column {column} of {side}: {names[best[0]]}.")
            rows.append([[(names[c], each[c]) for c in best], [(f"map {found.maps[i]}", activity)]])
        scenes.append(Scene(classes[label], in_colour(images[i : i + 1]), labels, rows))
    return Interactive(
        control="Grey square" if found.patch.fill == "grey" else "Square",
        caption="Move the square over the image, with the pointer or with the arrow keys.",
        groups=(
            Bars("Most probable classes", percent=True),
            Bars(f"Summed activation of the map, relative to the whole image (full bar: {MOST})", most=MOST),
        ),
        scenes=scenes,
        start=int(found.fall()[0].argmax()),
        square=[(start / side, (stop - start) / side) for start, stop in zip(*spans, strict=True)],
        fill=FILLS.get(found.patch.fill, "rgb(128 128 128 / 70%)"),
    )
