"""Which part is seen at each pixel of the pictures of parts, and what chance would say (chapters 3 and 6).

The one idea: the scenes of `zfutils.data.parts` can be drawn again in flat colours, so the truth about many
pictures is one byte per pixel; exchanged between pictures, the same masks are the control.
"""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64, UInt8

from zfutils.data.inputs import Inputs
from zfutils.data.parts.drawn import DrawnImages
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed

APART = {  # another thing than others of that name
    ("owl", "body"),
    ("teapot", "body"),
    ("gear", "teeth"),
    ("fish", "fin"),
    ("fish", "tail"),
    ("snail", "foot"),
}


def concept(category: str, part: str) -> str:
    """What a part is, whichever of its kind: the left and the right eye are an eye, wheels are wheels.

    A part is the same in all categories (an eye of cat or owl, a wheel of car or bus), except those in
    `APART`: an owl's body is no car's, a gear's teeth are no rabbit's.
    """
    kind = re.sub(r"^(left|right|front|rear|middle|lower|upper) | \d+$", "", part)
    return f"{kind} of {category}" if (category, part) in APART else kind


@dataclass(frozen=True)
class ProbeMasks:
    """Which part is seen at each pixel of pictures.

    `maps` holds a part's number at each pixel: 0 is none, k is `parts[k - 1]`; map i belongs to row `rows[i]`
    of the set, whose label is `labels[i]`. One byte per pixel: 1,500 pictures of 192 px take 55 MB.
    """

    maps: UInt8[np.ndarray, "n side side"]
    rows: Int64[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]
    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        n, shape = len(self.rows), self.maps.shape
        if shape != (n, *shape[1:2] * 2) or len(self.labels) != n or len(np.unique(self.rows)) != n or not n:
            counts = f"maps of shape {shape}, {n} rows, {len(self.labels)} labels"
            raise ValueError(f"masks need a square map and a label for each of their distinct rows: {counts}")
        if self.maps.max() > len(self.parts):
            raise ValueError(f"a mask has part number {self.maps.max()}; there are {len(self.parts)} parts")

    @classmethod
    def build(cls, source: DrawnImages) -> "ProbeMasks":
        """The masks of all pictures of a source, in their size and field, drawn again from their scenes."""
        maps = np.zeros((len(source), source.size, source.size), dtype=np.uint8)
        numbers: dict[str, int] = {}
        for i in range(len(source)):
            scene = source.scene(i)
            for part, mask in scene.part_masks(source.size, field=source.field).items():
                number = numbers.setdefault(concept(source.classes[scene.label], part), len(numbers) + 1)
                maps[i][mask] = number
        return cls(maps, np.arange(len(source)), source.labels, tuple(numbers))

    def at(self, rows: Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " k"]:
        """Places of these rows of the set in `maps`.

        Raises:
            ValueError: a row that has no mask; names it.
        """
        places = pd.Index(self.rows).get_indexer(rows)
        if (missing := places < 0).any():
            raise ValueError(f"row {np.asarray(rows)[missing][0]} has no mask; there are {len(self.rows)}")
        return places

    def of(self, rows: Int64[np.ndarray, " k"]) -> "ProbeMasks":
        """The masks of some of the rows.

        Raises:
            ValueError: a row that has no mask; names it.
        """
        places = self.at(rows)
        return replace(self, maps=self.maps[places], rows=self.rows[places], labels=self.labels[places])

    def cropped(self, side: int) -> "ProbeMasks":
        """The masks of the centre crops that a network is shown."""
        far = self.maps.shape[1] - side
        if side < 1 or far < 0:
            raise ValueError(f"a crop of {side} px does not fit in masks of {self.maps.shape[1]} px")
        return replace(self, maps=self.maps[:, far // 2 : far // 2 + side, far // 2 : far // 2 + side])

    def of_other_pictures(self, *, seed: int = 0, same_label: bool = False) -> "ProbeMasks":
        """The same rows, each with another picture's masks: the control.

        Args:
            seed: of the exchange; the pictures are rolled by one in a shuffled order.
            same_label: with another picture of the same category, which has the same parts elsewhere.

        Raises:
            ValueError: a picture that has no other to take from.
        """
        groups = self.labels if same_label else np.zeros_like(self.labels)
        rows, generator = self.rows.copy(), np.random.default_rng(mixed(seed, len(self.rows)))
        for group in np.unique(groups):
            order = generator.permutation(np.flatnonzero(groups == group))
            if len(order) < 2:
                raise ValueError(f"the picture of row {self.rows[order[0]]} has no other to take masks from")
            rows[order] = self.rows[np.roll(order, 1)]
        return replace(self, rows=rows)


def object_masks(source: DrawnImages, inputs: Inputs, *, of: int = 0) -> Bool[np.ndarray, "n side side"]:
    """Where an object of each drawn picture is, as a network sees it: all of its parts, as far as they show.

    Args:
        source: where the pictures come from.
        inputs: the pictures.
        of: which object of each scene; the first gives the label.

    Raises:
        IndexError: a row that the source does not have.
        ValueError: a scene that has no such object.
    """
    margin = source.size - inputs.side
    here = slice(margin // 2, margin // 2 + inputs.side)
    masks = []
    for row in to_host(inputs.rows).tolist():
        parts = source.scene(row).part_masks(source.size, field=source.field, of=of)
        masks.append(np.any(list(parts.values()), axis=0)[here, here])
    return np.stack(masks)
