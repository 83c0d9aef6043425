"""Faces of the drawn world, drawn again so that they fill the frame, no two in the same position (chapter 7).

In one position on every face a square would change the same units whatever it covers, because they look
there. So faces are shifted, scaled and turned at random; their points and masks are drawn along with them.
"""

import numpy as np
from jaxtyping import Bool

from zfutils.data.parts import PartsImages, Scene
from zfutils.experiments.correspondence.faces import PARTS, Faces, filled_frame
from zfutils.experiments.correspondence.occluders import SQUARE

KINDS = ("cat", "dog", "rabbit", "bear")  # the owl has no nose
SHIFT = 0.1  # either way along each axis, sides of the frame
SCALE = (0.9, 1.2)  # of a face that fills the frame
ROTATION = 20.0  # either way, degrees
_MARGIN = 0.01  # sides of the frame: corners of squares are whole pixels
_DRAWN_AS = {"right eye": "left eye", "left eye": "right eye", "nose": "nose"}  # as the picture shows them
_NOT_FACE = ("ear", "whiskers")
_PROBED = 256  # side (pixels) at which a face is measured before it is drawn


def rendered_faces(source: PartsImages, *, n: int = 64, side: int) -> Faces:
    """Faces of the drawn world, drawn again so that they fill the frame, and then moved at random.

    A move is drawn anew until a square over each part (`occluders.SQUARE`) lies in the frame. How a face is
    moved depends on the seed of the source and on the scene alone.

    Args:
        source: the scenes; the first n of `KINDS` are taken, fewer where there are no more.
        side: of a frame (pixels).
    """
    labels = [source.classes.index(kind) for kind in KINDS]
    rows = np.flatnonzero(np.isin(source.labels, labels))[:n]
    images, points, masks = [], [], []
    for row in rows:
        rng = np.random.default_rng((source.seed, int(row)))
        scene = _jittered(_filling(source.scene(int(row)).uncovered()), rng)
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
    upright = scene.moved(0.5 - animal.x, 0.5 - animal.y, rotation=-animal.rotation)
    face = _face(upright.part_masks(_PROBED))
    frame = filled_frame(_box(face), inside=False)
    middle = [corner + frame.side / 2 for corner in frame[:2]]
    shift = [(0.5 - at) / frame.side for at in middle]
    # objects grow about their own middle, which the upright one has in the middle of the picture
    return upright.moved(*shift, scale=1 / frame.side)


def _jittered(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with its object moved at random, so that a square about each part lies in the frame."""
    low, high = SCALE
    while True:
        dx, dy, turn, size = rng.uniform(-1, 1, 4)
        scale = (low + high) / 2 + size * (high - low) / 2
        moved = scene.moved(SHIFT * dx, SHIFT * dy, scale=scale, rotation=ROTATION * turn)
        animal = moved.objects[0]
        at = np.array([animal.place(part.key_point) for part in animal.parts if part.name in _DRAWN_AS])
        if (np.abs(at - 0.5) < (1 - SQUARE) / 2 - _MARGIN).all():
            return moved
