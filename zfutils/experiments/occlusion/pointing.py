"""Does a map of falls point at the object? (Zeiler & Fergus 2013, §4.2)

A map points at the position where it is greatest, and is right if the patch's centre is on the object there.
Two questions that the middle of the picture cannot answer: does the map of a scene point at its object more
often than maps of other scenes do, and of two objects at the one that the network names?
"""

import numpy as np
from jaxtyping import Bool, Float, Int64

from zfutils.experiments.occlusion.localisation import MEASURES, on_object
from zfutils.experiments.occlusion.sliding_patch import Measure, Occlusion
from zfutils.stats.comparisons import Comparison, with_others


def off_centre(masks: Bool[np.ndarray, "n side side"]) -> Bool[np.ndarray, " n"]:
    """Scenes whose centre does not lie on the object."""
    middle = masks.shape[1] // 2
    return ~masks[:, middle, middle]


def named(
    predicted: Int64[np.ndarray, " n"], first: Int64[np.ndarray, " n"], second: Int64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """Which of two objects a network names: 0 the first, 1 the second, -1 neither.

    Args:
        predicted: the most probable class of each scene.
        first, second: classes of its objects.
    """
    return np.where(predicted == first, 0, np.where(predicted == second, 1, -1))


def pointing(maps: Float[np.ndarray, "n p q"], on: Bool[np.ndarray, "n p q"]) -> Comparison:
    """Whether each map points at its own scene's object; the share of the other maps that do is the control.

    Args:
        maps: greater where the object is said to be.
        on: which positions are centred on the object.
    """
    there = on.reshape(len(on), -1)[:, _greatest(maps)]  # row: whose object, column: whose map
    return with_others(there.astype(float), resampled="scenes")


def pointing_at_the_named(
    maps: Float[np.ndarray, "n p q"], named: Bool[np.ndarray, "n p q"], other: Bool[np.ndarray, "n p q"]
) -> Comparison:
    """Whether each map points at the object of the class that it follows; at the scene's other object.

    Args:
        maps: of the class that the network names.
        named, other: which positions are centred on the object of that class, and on the other one.
    """
    place = _greatest(maps)[:, None]
    hits = (np.take_along_axis(on.reshape(len(on), -1), place, 1)[:, 0] for on in (named, other))
    return Comparison(*(hit.astype(float) for hit in hits), "scenes")


def by_measure(
    found: Occlusion,
    masks: Bool[np.ndarray, "n side side"],
    other: Bool[np.ndarray, "n side side"] | None = None,
) -> dict[Measure, Comparison]:
    """Whether the maps of each measure point at the object: `pointing`, or `pointing_at_the_named`.

    Args:
        found: what was measured.
        masks: the object of each scene; with `other`, that of the class that is followed.
        other: each scene's other object, where there are two.

    Raises:
        ValueError: masks that do not fit the pictures.
    """
    on = on_object(found, masks)
    if other is None:
        return {measure: pointing(found.fall(measure), on) for measure in MEASURES}
    off = on_object(found, other)
    return {measure: pointing_at_the_named(found.fall(measure), on, off) for measure in MEASURES}


def _greatest(maps: Float[np.ndarray, "n p q"]) -> Int64[np.ndarray, " n"]:
    return maps.reshape(len(maps), -1).argmax(1)
