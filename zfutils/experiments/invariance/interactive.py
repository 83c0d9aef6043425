"""An image that the reader turns (after Zeiler & Fergus 2013, Fig. 5).

The one idea: the angles that were measured are the states of the figure. Distances are those of the page; the
probabilities of all classes, of which the page keeps the true one's, are computed again.
"""

from collections.abc import Sequence

import numpy as np
from torch import nn

from zfutils.experiments.invariance.feature_distances import Responses
from zfutils.experiments.invariance.transformed_images import TransformedImages, as_seen
from zfutils.nets.activations import forward, known_layers
from zfutils.plotting.interactive import Bars, Interactive, Scene
from zfutils.plotting.tiles import in_colour, words
from zfutils.runtime.devices import device_of, to_host

SHOWN = 5  # most probable classes, at most
MOST = 1.5  # times the distance to another image, at a full bar


def turning(
    model: nn.Module,
    series: TransformedImages,
    measured: Responses,
    classes: Sequence[str],
    *,
    layers: Sequence[str] = ("relu1", "relu7"),
) -> Interactive:
    """Images with a slider of the angle: how far two layers' features went, and the most probable classes.

    Args:
        model: the network that was measured.
        series: a few images, turned.
        measured: of them, at the same angles.
        classes: names.
        layers: whose distances are shown.

    Raises:
        ValueError: images that were not measured.
    """
    measured = measured.of(series.inputs.rows)
    last, device = known_layers(model, layers)[-1].name, device_of(model)
    angles = [f"{angle:.0f}°" for angle in series.amounts]
    views = (series.view(slice(None), place, device=device) for place in range(len(angles)))
    found = [to_host(forward(model, view, [last])[last].float().softmax(1)) for view in views]
    frames, scenes = in_colour(as_seen(series, steps=len(angles))), []
    for i, label in enumerate(to_host(series.inputs.labels).tolist()):
        names = [f"{name} (true)" if c == label else name for c, name in enumerate(classes)]
        labels, rows = [], []
        for place, angle in enumerate(angles):
            each = found[place][i]
            best = np.argsort(-each, kind="stable")[:SHOWN]
            moved = [(words(name), measured.layer(name)[i, place]) for name in layers]
            labels.append(f"{angle}: {names[best[0]]}.")
            rows.append([moved, [(names[c], each[c]) for c in best]])
        scenes.append(Scene(classes[label], frames[i], labels, rows))
    return Interactive(
        control="Angle, clockwise",
        caption="Turn the image with the slider. A distance of 1 is as far as another image.",
        groups=(
            Bars(f"Distance from the image at rest (full bar: {MOST})", most=MOST),
            Bars("Most probable classes", percent=True),
        ),
        scenes=scenes,
    )
