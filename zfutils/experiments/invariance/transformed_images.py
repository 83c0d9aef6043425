"""Transformed images: the same pictures moved, enlarged or turned, step by step.

Two kinds (Zeiler & Fergus 2013, Fig. 5): `Transformed` changes the picture as a whole, as the paper does,
and `Rendered` draws a scene of the parts world again with its objects elsewhere, so that there is no border
and nothing is interpolated. An experiment takes either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from zfutils.data import transformations
from zfutils.data.inputs import Inputs
from zfutils.data.parts import PartsImages, Scene, catalogue
from zfutils.runtime.devices import to_host
from zfutils.runtime.parallel import side_by_side

Kind = Literal["translation", "scale", "rotation"]
UNCHANGED: dict[str, float] = {"translation": 0.0, "scale": 1.0, "rotation": 0.0}
FARTHEST = 60 / 224  # of the side: the paper's longest shift
LARGEST = 1.8
SYMMETRIC = (*catalogue.SYMMETRIC, "golf ball")  # categories whose objects look alike when turned


def paper_amounts(kind: Kind, *, side: int, steps: int | None = None) -> Float[np.ndarray, " amounts"]:
    """The paper's range of a transformation.

    Args:
        kind: "translation" (down, pixels: −60 … 60 of 224 scaled to the crop), "scale" (1 … 1.8) or
            "rotation" (degrees clockwise, 0 … 350).
        side: of the crop (pixels).
        steps: how many, at least two; default every whole pixel, 33 sizes, 36 angles.
    """
    limit = round(FARTHEST * side)
    steps = {"translation": 2 * limit + 1, "scale": 33, "rotation": 36}[kind] if steps is None else steps
    if kind == "translation":
        return np.unique(np.rint(np.linspace(-limit, limit, steps)))
    return np.linspace(1, LARGEST, steps) if kind == "scale" else np.arange(steps) * 360 / steps


class Transformed:
    """Stored pictures, transformed as a whole.

    Args:
        inputs: the pictures, as the network sees them.
        kind: of transformation.
        amounts: as `paper_amounts` gives them (pixels down, factor, or degrees clockwise); a scale becomes
            the nearest possible one. Beyond the stored picture a translation shows grey.
        through_disc: whether a picture that is moved or enlarged is seen through the disc that a turned one
            always is, so that their distances can be compared.
    """

    def __init__(
        self,
        inputs: Inputs,
        kind: Kind,
        amounts: Sequence[float] | Float[np.ndarray, " amounts"],
        *,
        through_disc: bool = False,
    ) -> None:
        values = np.array(amounts, dtype=np.float64)
        if kind == "scale":
            size = {"size": inputs.images.size, "side": inputs.side}
            values = np.unique([transformations.possible_scale(amount, **size) for amount in values])
        self.inputs, self.kind, self.amounts, self.through_disc = inputs, kind, values, through_disc

    def view(
        self, which: slice, amount: int | None, *, device: torch.device | str = "cpu"
    ) -> Float[Tensor, "m channels side side"]:
        """Some of the pictures as a network sees them.

        Args:
            which: of the pictures, by their places in `inputs`.
            amount: by its place in `amounts`; untransformed where it is None.
            device: of the images.
        """
        here = "cpu" if torch.device(device).type == "mps" else device  # which resamples bilinearly at most
        whole, side = self.inputs[which].whole().tensor(here), self.inputs.side
        value = UNCHANGED[self.kind] if amount is None else float(self.amounts[amount])
        if self.kind == "rotation":
            return transformations.rotated(whole.contiguous(), value, side=side).to(device)
        if self.kind == "translation":
            images = transformations.translated(whole, value, side=side)
        else:
            images = transformations.scaled(whole.contiguous(), value, side=side)
        if self.through_disc:
            images = images * transformations.disc(side).to(images)
        return images.to(device)


@dataclass(frozen=True)
class Rendered:
    """Scenes drawn again with their objects changed by every amount; `pixels[:, 0]` are as they were."""

    inputs: Inputs
    kind: Kind
    amounts: Float[np.ndarray, " amounts"]
    pixels: UInt8[np.ndarray, "n amounts+1 side side 3"]

    def view(
        self, which: slice, amount: int | None, *, device: torch.device | str = "cpu"
    ) -> Float[Tensor, "m channels side side"]:
        """Some of the scenes as a network sees them, as in `Transformed.view`."""
        drawn = torch.from_numpy(self.pixels[which, 0 if amount is None else amount + 1]).to(device)
        return self.inputs.centred(drawn.permute(0, 3, 1, 2))


TransformedImages = Transformed | Rendered  # given a few pictures and one amount at a time


def as_seen(series: TransformedImages, *, steps: int = 5) -> UInt8[np.ndarray, "n steps side side channels"]:
    """All its pictures at some of its amounts, from one end of the range to the other, to be looked at."""
    places = np.linspace(0, len(series.amounts) - 1, steps).round().astype(int).tolist()
    views = torch.stack([series.view(slice(None), place) for place in places], 1)
    return to_host(series.inputs.levels(views).round().clamp(0, 255).to(torch.uint8).permute(0, 1, 3, 4, 2))


def rendered(
    source: PartsImages,
    inputs: Inputs,
    kind: Kind,
    amounts: Sequence[float] | Float[np.ndarray, " amounts"],
    *,
    workers: int | None = None,
) -> Rendered:
    """Scenes drawn again with their objects moved, enlarged or turned, the ground as it was.

    Args:
        source: the scenes.
        inputs: which of them, as they are stored; they are drawn as large as the crop, and show what it does.
        kind: of change.
        amounts: as `paper_amounts` gives them.
        workers: processes that draw; default one for each core.
    """
    values = np.array(amounts, dtype=np.float64)
    draw = partial(_drawn, kind=kind, amounts=values, side=inputs.side)
    scenes = [source.scene(row) for row in inputs.rows.tolist()]
    return Rendered(inputs, kind, values, np.stack([*side_by_side(draw, scenes, workers=workers)]))


def _drawn(
    scene: Scene, kind: Kind, amounts: Float[np.ndarray, " amounts"], side: int
) -> UInt8[np.ndarray, "amounts+1 side side 3"]:
    moves: dict[str, str] = {"translation": "dy", "scale": "scale", "rotation": "rotation"}
    unit = side if kind == "translation" else 1
    changed = (scene.moved(**{moves[kind]: float(amount) / unit}) for amount in amounts)
    return np.stack([drawn.render(side) for drawn in (scene, *changed)])


class Choice(NamedTuple):
    """Rows of a set; those that are shown are among the others too."""

    shown: Int64[Tensor, " shown"]  # of different classes, the last one symmetric where there is one
    some: Int64[Tensor, " n"]
    plain: Int64[Tensor, " n"]  # objects without rotational symmetry
    symmetric: Int64[Tensor, " m"]


def choice(
    labels: Int64[Tensor, " n"],
    classes: Sequence[str],
    *,
    shown: int = 5,
    n: int,
    seed: int = 0,
) -> Choice:
    """Pictures drawn at random: a few to show, some for the means, and two groups to be turned.

    Args:
        labels, classes: of the set.
        shown: how many to show; each of another class, where there are fewer the classes in turn.
        n: how many for the means, as many without rotational symmetry, and half as many with it, as far
            as there are such (`SYMMETRIC`); those for the means are all in one of the two groups.
        seed: of the draw.

    Raises:
        ValueError: fewer pictures than are asked for.
    """
    if not 1 <= shown <= n <= len(labels):
        raise ValueError(f"{shown} pictures to show and {n} in all, of {len(labels)}")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    names = [classes[int(label)] for label in labels[order]]
    firsts = {name: place for place, name in reversed([*enumerate(names)])}  # each class's first
    by_place = sorted(firsts, key=firsts.__getitem__)
    plain = [name for name in by_place if name not in SYMMETRIC]
    even = [name for name in by_place if name in SYMMETRIC]
    first = [firsts[name] for name in (plain[: shown - bool(even)] + even)[:shown]]
    turn = pd.Series(names).groupby(names).cumcount()  # where classes are few, each in turn
    others = (place for place in range(len(names)) if place not in first)
    first += sorted(others, key=turn.__getitem__)[: shown - len(first)]
    rest = [place for place in range(len(names)) if place not in first]
    some = (first + rest)[:n]
    among = sum(names[place] in SYMMETRIC for place in some)
    groups = [
        [p for p in first + rest if (names[p] in SYMMETRIC) == alike][:count]
        for alike, count in ((False, n), (True, max(n // 2, among)))
    ]
    return Choice(*(order[places] for places in (first, some, *groups)))


def training_poses(source: PartsImages) -> pd.DataFrame:
    """The poses of a world's objects as they are drawn: what a network can have seen in training.

    Args:
        source: the training scenes, of which the first 1,000 are looked at.

    Returns:
        One row for each quantity: pose, low, middle, high (2.5 %, 50 % and 97.5 % of the scenes): height of
        the object's middle (sides of the picture from the top), size of its box over the median of its
        category, rotation (degrees).
    """
    first = [source.scene(i).objects[0] for i in range(min(1000, len(source)))]
    sizes = pd.DataFrame({"category": [o.category for o in first], "size": [o.scale for o in first]})
    relative = sizes["size"] / sizes.groupby("category")["size"].transform("median")
    seen = {
        "height": [o.y for o in first],
        "relative size": relative.to_numpy(),
        "rotation": [o.rotation for o in first],
    }
    rows = [(name, *np.quantile(values, (0.025, 0.5, 0.975))) for name, values in seen.items()]
    return pd.DataFrame(rows, columns=["pose", "low", "middle", "high"])
