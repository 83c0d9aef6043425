"""Faces of the drawn world, drawn again so that they fill the frame, no two in the same position (chapter 7).

In one position on every face a square would change the same units whatever it covers, because they look
there. So faces are shifted, scaled and turned at random; their points and masks are drawn along with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from zfutils.data.parts import PartsImages, Scene
from zfutils.experiments.correspondence.faces import PARTS, Faces, filled_frame
from zfutils.experiments.correspondence.occluders import SQUARE

KINDS = ("cat", "dog", "rabbit", "bear")  # the owl has no nose
TRIES = 1000  # a face whose parts fit in the frame fits after a few
_MARGIN = 0.01  # sides of the frame: corners of squares are whole pixels
_DRAWN_AS = {"right eye": "left eye", "left eye": "right eye", "nose": "nose"}  # as the picture shows them
_NOT_FACE = ("ear", "whiskers")
_PROBED = 256  # side (pixels) at which a face is measured before it is drawn


@dataclass(frozen=True)
class Jitter:
    """How far faces are moved at random, each number drawn evenly."""

    shift: float = 0.1  # either way along each axis, sides of the frame
    scale: tuple[float, float] = (0.9, 1.2)  # of a face that fills the frame
    rotation: float = 20.0  # either way, degrees

    def __post_init__(self) -> None:
        low, high = self.scale
        if not (0 <= self.shift < 1 and 0 < low <= high and 0 <= self.rotation <= 180):
            needs = "a shift in 0…1, scales above 0 in order and a rotation in 0…180"
            raise ValueError(f"a jitter has {needs}, got {self.shift}, {self.scale}, {self.rotation}")

    def moved(self, scene: Scene, rng: np.random.Generator) -> Scene:
        """A scene that fills the frame, with its object moved at random."""
        dx, dy, turn, size = rng.uniform(-1, 1, 4)
        low, high = self.scale
        scale = (low + high) / 2 + size * (high - low) / 2
        return scene.moved(self.shift * dx, self.shift * dy, scale=scale, rotation=self.rotation * turn)


STILL = Jitter(0.0, (1.0, 1.0), 0.0)


def rendered_faces(
    source: PartsImages, *, n: int = 64, side: int, kinds: Sequence[str] = KINDS, jitter: Jitter | None = None
) -> Faces:
    """Faces of the drawn world, drawn again so that they fill the frame, and then moved at random.

    A move is drawn anew until a square over each part (`occluders.SQUARE`) lies in the frame. How a face is
    moved depends on the seed of the source and on the scene alone.

    Args:
        source: the scenes; the first n of these kinds are taken.
        side: of a frame (pixels).
        kinds: categories with two eyes and a nose.
        jitter: how far faces are moved; default `Jitter()`, while `STILL` leaves them upright in the middle.

    Raises:
        ValueError: a category without one of the parts or that there is not, fewer than n faces, or a jitter
            that moves parts out of the frame.
    """
    if unknown := [kind for kind in kinds if kind not in source.classes]:
        raise ValueError(f"there is no category {unknown[0]!r}; there are {', '.join(source.classes)}")
    labels = [source.classes.index(kind) for kind in kinds]
    rows = np.flatnonzero(np.isin(source.labels, labels))[:n]
    if len(rows) < n or n < 1:
        raise ValueError(f"{n} faces are wanted; the {len(source)} scenes have {len(rows)}")
    images, points, masks = [], [], []
    for row in rows:
        rng = np.random.default_rng((source.seed, int(row)))
        scene = _jittered(_filling(source.scene(int(row)).uncovered()), jitter or Jitter(), rng)
        probe = scene.probe(side)
        images.append(probe.image)
        points.append([probe.key_points[_DRAWN_AS[part]][:2] for part in PARTS])
        masks.append(_face(probe.part_masks))
    names = tuple(source.names[row] for row in rows)
    drawn = tuple(source.classes[source.labels[row]] for row in rows)
    filled = np.array([(right - left) * (low - top) for left, top, right, low in map(_box, masks)])
    return Faces(np.stack(images), np.array(points), np.stack(masks), filled, drawn, names)


def _face(masks: dict[str, Bool[np.ndarray, "side side"]]) -> Bool[np.ndarray, "side side"]:
    """Pixels of a face: of all its parts but ears and whiskers."""
    return np.any([mask for name, mask in masks.items() if not name.endswith(_NOT_FACE)], axis=0)


def _box(mask: Bool[np.ndarray, "side side"]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what a mask holds, in sides of the picture."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    ends = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return tuple(float(end) / len(mask) for end in ends)


def _filling(scene: Scene) -> Scene:
    """The scene with its animal upright and its face in the middle, filling the frame."""
    animal = scene.objects[0]
    there = {part.name for part in animal.parts}
    if lacking := [part for part in PARTS if _DRAWN_AS[part] not in there]:
        needed = ", ".join(PARTS)
        raise ValueError(f"the face of the {animal.category} has no {lacking[0]}; a face needs {needed}")
    upright = scene.moved(0.5 - animal.x, 0.5 - animal.y, rotation=-animal.rotation)
    face = _face(upright.part_masks(_PROBED))
    frame = filled_frame(_box(face), inside=False)
    middle = [corner + frame.side / 2 for corner in frame[:2]]
    shift = [(0.5 - at) / frame.side for at in middle]
    # objects grow about their own middle, which the upright one has in the middle of the picture
    return upright.moved(*shift, scale=1 / frame.side)


def _jittered(scene: Scene, jitter: Jitter, rng: np.random.Generator) -> Scene:
    """The scene moved so that a square about each part lies in the frame."""
    for _ in range(TRIES):
        moved = jitter.moved(scene, rng)
        animal = moved.objects[0]
        at = np.array([animal.place(part.key_point) for part in animal.parts if part.name in _DRAWN_AS])
        if (np.abs(at - 0.5) < (1 - SQUARE) / 2 - _MARGIN).all():
            return moved
    raise ValueError(f"{jitter} moves the parts of the {scene.objects[0].category} out of the frame")
