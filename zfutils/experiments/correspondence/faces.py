"""Faces that fill the frame, and where their eyes and nose are (chapter 7).

Zeiler & Fergus 2013, §4.3, Fig. 8. Two kinds of faces: animals of the drawn world, whose key points are known
(`drawn_faces`); and photographs of dogs, marked by eye in `book/data/dog_faces.csv`. The one idea: a face is
a square picture with three points and a mask, so that what follows need not know which kind it is.

Right and left are the animal's own: a right eye lies at the left of the picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from PIL import Image
from torch import Tensor

from zfutils.data import photos
from zfutils.data.decoding import decode
from zfutils.data.inputs import Inputs

PARTS = ("right eye", "left eye", "nose")
FILL = 0.8  # share of the frame's area that the face's box fills, at least
POINTS = [f"{part.replace(' ', '_')}_{axis}" for part in PARTS for axis in "xy"]
BOX = ["face_left", "face_top", "face_right", "face_bottom"]


class Frame(NamedTuple):
    """A square, in sides of the picture that it is cut from."""

    left: float
    top: float
    side: float


@dataclass(frozen=True)
class Faces:
    """Faces, one per picture; `points` are x and y of each of `PARTS`, in pixels from the top left corner."""

    images: UInt8[np.ndarray, "n side side 3"]
    points: Float[np.ndarray, "n parts 2"]
    masks: Bool[np.ndarray, "n side side"]  # which pixels are of the face
    filled: Float[np.ndarray, " n"]  # share of the frame that the face's box fills
    kinds: tuple[str, ...]  # category or breed
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def side(self) -> int:
        """Of a frame (pixels)."""
        return self.images.shape[1]

    def of(self, rows: Sequence[int] | Int64[np.ndarray, " m"]) -> "Faces":
        """Some of the faces."""
        rows = np.asarray(rows, dtype=np.int64)
        kinds, names = ([words[i] for i in rows] for words in (self.kinds, self.names))
        arrays = (self.images[rows], self.points[rows], self.masks[rows], self.filled[rows])
        return Faces(*arrays, tuple(kinds), tuple(names))

    def in_turn(self, n: int) -> "Faces":
        """The first n faces when the kinds take turns: the paper's five dogs are of different breeds."""
        kinds = pd.Series(self.kinds)
        order = np.lexsort((np.arange(len(kinds)), kinds.groupby(kinds).cumcount()))
        return self.of(order[:n])


def filled_frame(box: Sequence[float], *, inside: bool = True) -> Frame:
    """The largest square about a box's middle of which the box fills `FILL`.

    Args:
        box: left, top, right, bottom; in sides of the picture. One longer than `FILL` of its width is cut.
        inside: keep the square in the picture, moved or smaller, so that nothing beyond it is made up.

    Raises:
        ValueError: a box without an inside.
    """
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    if not (wide > 0 and high > 0):
        raise ValueError(f"a frame needs a box with an inside, got {tuple(box)}")
    side = min(math.sqrt(wide * high / FILL), min(wide, high) / FILL)
    side = min(side, 1.0) if inside else side
    corner = [(low + high) / 2 - side / 2 for low, high in ((left, right), (top, bottom))]
    return Frame(*(min(max(c, 0.0), 1 - side) for c in corner) if inside else corner, side)


def filled_share(box: Sequence[float], frame: Frame) -> float:
    """Share of a frame that a box fills, as far as it lies inside."""
    sides = (
        max(0.0, min(box[k + 2], frame[k] + frame.side) - max(box[k], frame[k])) / frame.side for k in (0, 1)
    )
    return math.prod(sides)


def read_annotations(path: Path, *, boxes: bool = True) -> pd.DataFrame:
    """Marked faces: file, x and y of eyes and nose, the face's box; fractions of width and height.

    Args:
        path: a CSV file; lines that begin with # are remarks.
        boxes: whether it has the boxes of the faces.

    Raises:
        ValueError: a column or a part of a face is missing, a value is outside 0…1, a right eye lies to the
            right of the left one, or a file stands there twice; names the file.
    """
    table, wanted = pd.read_csv(path, comment="#"), POINTS + (BOX if boxes else [])
    if missing := [name for name in ["file", *wanted] if name not in table]:
        raise ValueError(f"{path.name} has no column {missing[0]}; it needs file, {', '.join(wanted)}")
    numbers = table[wanted].apply(pd.to_numeric, errors="coerce")
    faults = {
        "has no": numbers.isna(),
        "has a value outside 0…1 in": (numbers < 0) | (numbers > 1),
        "has right and left exchanged in": pd.DataFrame(
            {"right_eye_x": numbers["right_eye_x"] >= numbers["left_eye_x"]}
        ),
        "is there twice, see": pd.DataFrame({"file": table["file"].duplicated()}),
    }
    for words, wrong in faults.items():
        if wrong.to_numpy().any():
            row, column = np.argwhere(wrong.to_numpy())[0]
            raise ValueError(f"{path.name}: {table['file'][row]} {words} {wrong.columns[column]}")
    return pd.concat([table["file"], numbers], axis=1)


def annotation_differences(first: pd.DataFrame, second: pd.DataFrame, *, size: int) -> pd.DataFrame:
    """How far apart the points of faces lie that were marked twice.

    Args:
        first, second: as `read_annotations` gives them; faces of `second` that `first` has are compared.
        size: of the pictures (pixels).

    Returns:
        One row per face and part: file, part, pixels.
    """
    both = first.merge(second, on="file", suffixes=("", "_again"))
    apart = [
        np.hypot(*(size * (both[f"{name}_{axis}"] - both[f"{name}_{axis}_again"]) for axis in "xy"))
        for name in (part.replace(" ", "_") for part in PARTS)
    ]
    columns = {"file": np.repeat(both["file"], len(PARTS)), "part": PARTS * len(both)}
    return pd.DataFrame({**columns, "pixels": np.stack(apart, 1).ravel()}).reset_index(drop=True)


def photographed_faces(marked: pd.DataFrame, root: Path, *, side: int, size: int = 160) -> Faces:
    """Marked photographs, squashed as all of this study are, and cut so that the face fills the frame.

    A mask is the ellipse in the face's box, as far as it lies in the frame.

    Args:
        marked: as `read_annotations` gives it, with boxes.
        root: the data folder.
        side: of a frame (pixels).
        size: of the squashed picture that frames are cut from (pixels).

    Raises:
        FileNotFoundError: a picture that is not there; names the first.
    """
    if missing := [name for name in marked["file"] if not (root / name).is_file()]:
        raise FileNotFoundError(f"{len(missing)} of {len(marked)} faces are not below {root}: {missing[0]}")
    images, points, masks, filled = [], [], [], []
    for row in marked.to_dict("records"):
        box = [row[name] for name in BOX]
        frame = filled_frame(box)
        edges = (frame.left, frame.top, frame.left + frame.side, frame.top + frame.side)
        picture = Image.fromarray(decode(root / row["file"], size, name=row["file"]))
        bicubic, cut = Image.Resampling.BICUBIC, tuple(size * edge for edge in edges)
        images.append(np.asarray(picture.resize((side, side), bicubic, box=cut)))
        at = np.array([row[name] for name in POINTS]).reshape(-1, 2)
        points.append(side * (at - frame[:2]) / frame.side)
        masks.append(_ellipse(side * (np.reshape(box, (2, 2)) - frame[:2]) / frame.side, side))
        filled.append(filled_share(box, frame))
    kinds = (Path(name).parent.name for name in marked["file"])
    names = tuple(photos.WORDNET.get(kind, kind) for kind in kinds)
    arrays = np.stack(images), np.array(points), np.stack(masks), np.array(filled)
    return Faces(*arrays, names, tuple(marked["file"]))


def _ellipse(box: Float[np.ndarray, "corners 2"], side: int) -> Bool[np.ndarray, "side side"]:
    """Pixels whose middle lies in the ellipse that touches a box; x and y of its two corners (pixels)."""
    (x, y), (half_x, half_y) = box.mean(0), np.diff(box, axis=0)[0] / 2
    at = np.arange(side) + 0.5
    return ((at - x) / half_x) ** 2 + ((at[:, None] - y) / half_y) ** 2 <= 1


def centred(images: UInt8[np.ndarray, "n side side 3"], like: Inputs) -> Float[Tensor, "n 3 side side"]:
    """Faces as a network takes them: centred and scaled as images of a set are, on which it was trained.

    Args:
        images: faces as large as the crops of the set.
        like: images of the set, as the network sees them.
    """
    return like.centred(torch.from_numpy(images).permute(0, 3, 1, 2))
