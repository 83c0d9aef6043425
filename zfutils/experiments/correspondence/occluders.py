"""Equal grey squares over the parts of faces, and over random places on them (chapter 7).

Zeiler & Fergus 2013, §4.3, Fig. 8; the paper gives neither the size of its squares nor how its random ones
were chosen. Here a square's side is 7/32 of the frame's, the same for eyes, nose and random places. Random
places lie on the face, each face has its own, and they touch no square over an eye or the nose.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from zfutils.data.inputs import Inputs
from zfutils.experiments.correspondence.faces import PARTS, Faces
from zfutils.runtime.devices import to_host

SQUARE = 7 / 32  # side of a square, in sides of the frame: 28 px of 128
ON_FACE = 3 / 4  # share of a random square that lies on the face, at least
PLACE = "random place on the face"


@dataclass(frozen=True)
class Occluders:
    """Equal squares, each on every face: over a part, or at random places.

    `corners[s, i]` are top and left of square s on face i (pixels); the name of random places stands there
    once for each of them.
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

    def named(self, *names: str) -> Int64[np.ndarray, " k"]:
        """Which squares have one of these names."""
        return np.flatnonzero(np.isin(self.names, names))

    def of(self, chosen: Sequence[int], *, faces: Sequence[int] | None = None) -> "Occluders":
        """Some of the squares, on some of the faces or on all."""
        names, corners = tuple(self.names[c] for c in chosen), self.corners[list(chosen)]
        return replace(self, names=names, corners=corners if faces is None else corners[:, list(faces)])

    def masks(self) -> Bool[np.ndarray, "squares n side side"]:
        """Which pixels the squares cover."""
        at, starts = np.arange(self.side), self.corners[..., None]
        rows, columns = np.moveaxis((at >= starts) & (at < starts + self.size), 2, 0)
        return rows[..., :, None] & columns[..., None, :]


def over_faces(faces: Faces, *, places: int = 24, seed: int = 0) -> Occluders:
    """Squares of one size over each part, and at random places on the face that spare the parts.

    The places of a face are drawn from all that touch no square over one of its parts and lie on it with
    three quarters of their area, each at most once.

    Args:
        places: how many on each face.

    Raises:
        ValueError: a square that does not lie in its frame, or fewer places than are wanted.
    """
    size = round(SQUARE * faces.side)
    parts = np.rint(faces.points[..., ::-1] - size / 2).astype(np.int64).transpose(1, 0, 2)
    Occluders(PARTS, parts, size, faces.side)  # refuses a part at the border before places are sought
    free = [np.argwhere(own) for own in _sparing(parts, size, faces.side) & _on(faces.masks, size)]
    if (fewest := min(map(len, free))) < places:
        raise ValueError(f"{places} random places are wanted; {fewest} on the face spare eyes and nose")
    rng = np.random.default_rng(seed)
    own = np.stack([rng.permutation(found)[:places] for found in free], 1)
    return Occluders((*PARTS, *[PLACE] * places), np.concatenate([parts, own]), size, faces.side)


def _sparing(parts: Int64[np.ndarray, "parts n 2"], size: int, side: int) -> Bool[np.ndarray, "n far far"]:
    """For every face: the corners of squares that share no pixel with a square over a part."""
    near = np.abs(np.arange(side - size + 1) - parts[..., None]) < size
    return ~(near[:, :, 0, :, None] & near[:, :, 1, None, :]).any(0)


def _on(masks: Bool[np.ndarray, "n side side"], size: int) -> Bool[np.ndarray, "n far far"]:
    """For every face: the corners of squares that lie on it with `ON_FACE` of their area."""
    total = np.pad(masks.cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0)))
    by_row = total[:, size:] - total[:, :-size]
    return by_row[:, :, size:] - by_row[:, :, :-size] >= ON_FACE * size**2


def grey(like: Inputs, *, level: int | None = None) -> Float[Tensor, "3 side side"]:
    """What a square shows, a whole picture as a network takes it.

    Args:
        like: images of a set, as the network sees them.
        level: of one grey for all pixels, in 0…255; by default the mean of the training pictures at each
            pixel, as in chapter 6, which is 0 once a picture is centred.
    """
    mean = like.mean()
    return like.centred(mean if level is None else torch.full_like(mean, level))


def covered_pictures(
    faces: Faces, squares: Occluders, shown: UInt8[np.ndarray, "side side 3"]
) -> UInt8[np.ndarray, "squares n side side 3"]:
    """The faces with every square on them, to be looked at.

    Args:
        shown: what squares show, a whole picture.
    """
    return np.where(squares.masks()[..., None], shown, faces.images[None])


def mean_picture(like: Inputs) -> UInt8[np.ndarray, "side side 3"]:
    """The mean of the training pictures, to be looked at."""
    return to_host(like.mean().permute(1, 2, 0).round().clamp(0, 255).byte())
