"""Equal grey squares over the parts of faces, and over random places that spare them (chapter 7).

Zeiler & Fergus 2013, §4.3, Fig. 8; the paper gives neither the size of its squares nor how its random ones
were chosen. Here a square's side is 7/32 of the frame's, the same for eyes, nose and random places, and these
are of two kinds: one place for all faces at a time, and a place of its own for each face.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from zfutils.data.inputs import Inputs
from zfutils.experiments.correspondence.faces import PARTS, Faces

SQUARE = 7 / 32  # side of a square, in sides of the frame: 28 px of 128
GREY = 128  # its level
SAME, OWN = "one place for all faces", "a place for each face"  # the two kinds of random squares


@dataclass(frozen=True)
class Occluders:
    """Equal squares, each on every face: over a part, or at random places.

    `corners[s, i]` are top and left of square s on face i (pixels); a random kind's name stands there once
    for each of its places.
    """

    names: tuple[str, ...]
    corners: Int64[np.ndarray, "squares n 2"]
    size: int
    side: int  # of the frames

    def __post_init__(self) -> None:
        far = self.side - self.size
        outside = (self.corners < 0) | (self.corners > far)
        if outside.any():
            square, face, _ = np.argwhere(outside)[0]
            top, left = self.corners[square, face]
            raise ValueError(
                f"the square of {self.size} px over {self.names[square]} of face {face} is not in the frame: "
                f"row {top}, column {left}; corners may lie in 0…{far}"
            )

    def named(self, name: str) -> Int64[np.ndarray, " k"]:
        """Which squares have a name."""
        return np.flatnonzero(np.array(self.names) == name)

    def of(self, chosen: Sequence[int], *, faces: Sequence[int] | None = None) -> "Occluders":
        """Some of the squares, on some of the faces or on all."""
        names, corners = tuple(self.names[c] for c in chosen), self.corners[list(chosen)]
        return replace(self, names=names, corners=corners if faces is None else corners[:, list(faces)])

    def masks(self) -> Bool[np.ndarray, "squares n side side"]:
        """Which pixels the squares cover."""
        at, starts = np.arange(self.side), self.corners[..., None]
        rows, columns = np.moveaxis((at >= starts) & (at < starts + self.size), 2, 0)
        return rows[..., :, None] & columns[..., None, :]


def over_faces(
    faces: Faces, *, share: float = SQUARE, places: int = 24, overlap: float = 0.0, seed: int = 0
) -> Occluders:
    """Squares of one size over each part, and at random places of both kinds that spare the parts.

    A place spares a face whose parts' squares it covers by at most `overlap` of their area each; a place for
    all faces must spare every one. Places are drawn from all that do, each at most once.

    Args:
        share: side of a square, in sides of the frame.
        places: how many of either kind.
        overlap: 0 where faces leave room enough; those of dogs differ too much for it.

    Raises:
        ValueError: a square that does not lie in its frame, or fewer places than are wanted.
    """
    size = round(share * faces.side)
    if not 1 <= size <= faces.side:
        raise ValueError(f"a square of {size} px does not fit in a frame of {faces.side} px")
    parts = np.rint(faces.points[..., ::-1] - size / 2).astype(np.int64).transpose(1, 0, 2)
    Occluders(PARTS, parts, size, faces.side)  # refuses a part at the border before places are sought
    free = _sparing(parts, size, faces.side, overlap)
    rng = np.random.default_rng(seed)
    everywhere = np.argwhere(free.all(0))
    of_each = [np.argwhere(own) for own in free]
    fewest = min(len(found) for found in (everywhere, *of_each))
    if fewest < places:
        raise ValueError(f"{places} random places are wanted; {fewest} spare eyes and nose")
    same = np.repeat(rng.permutation(everywhere)[:places, None], len(faces), 1)
    own = np.stack([rng.permutation(found)[:places] for found in of_each], 1)
    names = (*PARTS, *[SAME] * places, *[OWN] * places)
    return Occluders(names, np.concatenate([parts, same, own]), size, faces.side)


def _sparing(
    parts: Int64[np.ndarray, "parts n 2"], size: int, side: int, overlap: float
) -> Bool[np.ndarray, "n far far"]:
    """For every face: the corners of squares that cover at most a share of each of its parts' squares."""
    at = np.arange(side - size + 1)
    common = np.clip(size - np.abs(at - parts[..., None]), 0, None)  # pixels shared along either axis
    area = common[:, :, 0, :, None] * common[:, :, 1, None, :]
    return (area <= overlap * size**2).all(0)


def grey(like: Inputs, *, level: int = GREY) -> Float[Tensor, "3 side side"]:
    """A picture of one grey as a network takes it, which is what a square shows.

    Args:
        like: images of a set, as the network sees them.
        level: of the grey, in 0…255.
    """
    return (level - like.mean()) * like.scale


def covered_pictures(
    faces: Faces, squares: Occluders, *, level: int = GREY
) -> UInt8[np.ndarray, "squares n side side 3"]:
    """The faces with every square on them, to be looked at."""
    return np.where(squares.masks()[..., None], np.uint8(level), faces.images[None])
