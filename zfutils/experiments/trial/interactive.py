"""A projection whose switches the reader exchanges (chapter 14).

The one idea: beside each projection stands its correlation with that by the recorded switches, the number
behind the share of variance that the chapter's table gives.
"""

import numpy as np
from jaxtyping import Bool

from zfutils.experiments.trial.correlations import correlation
from zfutils.experiments.trial.examples import Columns
from zfutils.experiments.trial.figures import in_grey
from zfutils.plotting.interactive import Bars, Interactive, Scene
from zfutils.plotting.tiles import eight_bits, hatched, in_colour

SWITCHES = {  # columns of `examples.by_switches`, and what the slider calls them
    "recorded": "Recorded switches",
    "centred": "Centred switches",
    "random": "Random switches",
    "tiles shuffled": "Switches of the image with its tiles shuffled",
    "another image's": "Another image's switches",
}


def exchanging_switches(columns: Columns, inside: Bool[np.ndarray, "n h w"]) -> Interactive:
    """Image windows beside the projection of one unit, with a slider through the kinds of switches.

    Args:
        columns: as `examples.by_switches` gives them.
        inside: which pixels of the windows lie in the images (`examples.inside`).
    """
    scenes = []
    for i, seen in enumerate(inside):
        frames, rows = [], []
        for kind in SWITCHES:
            pair = [np.moveaxis(columns[key][i], -1, 0) for key in ("recorded", kind)]
            source = "the other image" if kind == "another image's" else "image"
            tiles = columns[source][i], eight_bits(in_grey(columns[kind][i : i + 1]))[0]
            frames.append(np.concatenate([hatched(in_colour(tile), seen) for tile in tiles], axis=1))
            rows.append([[("correlation", correlation(*pair, seen))]])
        scenes.append(Scene(str(i + 1), np.stack(frames), [*SWITCHES.values()], rows))
    return Interactive(
        control="Switches",
        caption="Exchange the switches with the slider. Left: the image that they come from, in one window; "
        "right: the projection, at a contrast of its own.",
        groups=(Bars("Correlation with the projection by the recorded switches"),),
        scenes=scenes,
    )
