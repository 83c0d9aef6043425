"""Series of pictures in changing poses: the same pictures moved, enlarged or turned, step by step.

Two kinds (Zeiler & Fergus 2013, Fig. 5): `Transformed` changes the picture as a whole, as the paper does,
and `Rendered` draws a scene of the parts world again with its objects elsewhere, so that there is no border
and nothing is interpolated. An experiment takes either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from zfutils.data.parts import PartsImages, Scene
from zfutils.data.pixels import Pixels
from zfutils.experiments.invariance import transformations
from zfutils.experiments.invariance.transformations import Border
from zfutils.runtime.parallel import side_by_side

Kind = Literal["translation", "scale", "rotation"]
UNCHANGED: dict[str, float] = {"translation": 0.0, "scale": 1.0, "rotation": 0.0}
FARTHEST = 60 / 224  # of the side: the paper's longest shift
LARGEST = 1.8
SYMMETRIC = ("clock", "ball", "flower", "golf ball")  # categories whose objects look alike when turned


def paper_amounts(kind: Kind, *, side: int, steps: int | None = None) -> Float[np.ndarray, " poses"]:
    """The paper's range of a transformation.

    Args:
        kind: "translation" (down, pixels: −60 … 60 of 224 scaled to the crop), "scale" (1 … 1.8) or
            "rotation" (degrees clockwise, 0 … 350).
        side: of the crop (pixels).
        steps: how many; default every whole pixel, 33 sizes, 36 angles.

    Raises:
        ValueError: another kind, or fewer than two steps.
    """
    _refuse_kind(kind)
    limit = round(FARTHEST * side)
    steps = {"translation": 2 * limit + 1, "scale": 33, "rotation": 36}[kind] if steps is None else steps
    if steps < 2:
        raise ValueError(f"a range needs at least 2 steps, not {steps}")
    if kind == "translation":
        return np.unique(np.rint(np.linspace(-limit, limit, steps)))
    return np.linspace(1, LARGEST, steps) if kind == "scale" else np.arange(steps) * 360 / steps


class TransformedImages(Protocol):
    """n pictures in p poses, given a few pictures and one pose at a time."""

    kind: Kind
    amounts: Float[np.ndarray, " poses"]  # pixels down, factor, or degrees clockwise
    pictures: Int64[np.ndarray, " n"]  # rows of the set they come from
    labels: Int64[np.ndarray, " n"]
    mean: Float[Tensor, "side side channels"]  # of the training pictures, in the centre crop
    scale: float  # what centred pixels are multiplied by

    def view(self, which: slice, pose: int | None) -> Float[Tensor, "m channels side side"]:
        """Some of the pictures in one pose, centred and scaled; untransformed where `pose` is None."""
        ...


def as_seen(
    poses: TransformedImages, which: slice, at: Sequence[int | None]
) -> UInt8[np.ndarray, "m shown side side channels"]:
    """Some pictures in some poses as pixels, to be looked at."""
    views = torch.stack([poses.view(which, pose).cpu() for pose in at], 1).permute(0, 1, 3, 4, 2)
    return (views / poses.scale + poses.mean).round().clamp(0, 255).to(torch.uint8).numpy()


class Transformed:
    """Stored pictures, transformed as a whole.

    Args:
        images: the set, centred as in training.
        chosen: which of its pictures.
        kind: of transformation.
        amounts: as `paper_amounts` gives them; a scale becomes the nearest possible one.
        side: of the centre crop (pixels).
        scale: what centred pixels are multiplied by, as in training.
        border: of a translation, beyond the stored picture.

    Raises:
        ValueError: no amounts, no pictures, another kind, or a crop that does not fit.
    """

    def __init__(
        self,
        images: Pixels,
        chosen: Int64[Tensor, " n"],
        kind: Kind,
        amounts: Sequence[float] | Float[np.ndarray, " poses"],
        *,
        side: int,
        scale: float,
        border: Border = "grey",
    ) -> None:
        values = _refuse_empty(kind, amounts, len(chosen))
        if not 1 <= side <= images.size:
            raise ValueError(f"a crop of {side} px does not fit in pictures of {images.size} px")
        if kind == "scale":
            possible = (transformations.possible_scale(a, size=images.size, side=side) for a in values)
            values = np.unique(list(possible))
        self.kind, self.amounts, self.side, self.scale, self.border = kind, values, side, scale, border
        self.pictures, self.labels = chosen.numpy(), images.labels[chosen].cpu().numpy()
        self.mean = _centre(images, side)
        self._images, self._chosen = images, chosen

    def view(self, which: slice, pose: int | None) -> Float[Tensor, "m channels side side"]:
        """Some of the pictures in one pose, centred and scaled; untransformed where `pose` is None."""
        rows = self._chosen[which].to(self._images.pixels.device)
        corner, upright = torch.zeros_like(rows), torch.zeros_like(rows, dtype=torch.bool)
        whole = self._images.crops(rows, corner, corner, upright, side=self._images.size, scale=self.scale)
        amount = UNCHANGED[self.kind] if pose is None else float(self.amounts[pose])
        if self.kind == "translation":
            return transformations.translated(whole, amount, side=self.side, border=self.border)
        how = {"scale": transformations.scaled, "rotation": transformations.rotated}[self.kind]
        return how(whole.contiguous(), amount, side=self.side)


@dataclass(frozen=True)
class Rendered:
    """Scenes drawn again in every pose; `pixels[:, 0]` are the scenes as they are."""

    kind: Kind
    amounts: Float[np.ndarray, " poses"]
    pictures: Int64[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]
    pixels: UInt8[np.ndarray, "n poses+1 side side 3"]
    mean: Float[Tensor, "side side 3"]
    scale: float

    def view(self, which: slice, pose: int | None) -> Float[Tensor, "m channels side side"]:
        """Some of the scenes in one pose, centred and scaled; as they are where `pose` is None."""
        drawn = torch.from_numpy(self.pixels[which, 0 if pose is None else pose + 1])
        return ((drawn - self.mean) * self.scale).permute(0, 3, 1, 2)


def rendered(
    source: PartsImages,
    images: Pixels,
    chosen: Int64[Tensor, " n"],
    kind: Kind,
    amounts: Sequence[float] | Float[np.ndarray, " poses"],
    *,
    side: int,
    scale: float,
    workers: int | None = None,
) -> Rendered:
    """Scenes drawn again with their objects moved, enlarged or turned, the ground as it was.

    Args:
        source: the scenes.
        images: the same pictures, as stored; for the mean that they are centred with.
        chosen: which of them.
        kind: of change.
        amounts: as `paper_amounts` gives them.
        side: of the pictures (pixels); they show what the centre crop shows.
        scale: what centred pixels are multiplied by, as in training.
        workers: processes that draw; default one a core.

    Raises:
        ValueError: no amounts, no pictures, or another kind.
    """
    values = _refuse_empty(kind, amounts, len(chosen))
    scenes = [source.scene(int(i)) for i in chosen]
    draw = partial(_drawn, kind=kind, amounts=values, side=side)
    drawn = np.stack([*side_by_side(draw, scenes, workers=workers)])
    labels = np.array([scene.label for scene in scenes])
    return Rendered(kind, values, chosen.numpy(), labels, drawn, _centre(images, side), scale)


def _centre(images: Pixels, side: int) -> Float[Tensor, "{side} {side} channels"]:
    corner = (images.size - side) // 2
    return images.mean[corner : corner + side, corner : corner + side].cpu()


def _drawn(
    scene: Scene, kind: Kind, amounts: Float[np.ndarray, " poses"], side: int
) -> UInt8[np.ndarray, "poses+1 side side 3"]:
    moves: dict[str, str] = {"translation": "dy", "scale": "scale", "rotation": "rotation"}
    unit = side if kind == "translation" else 1
    poses = [scene, *(scene.moved(**{moves[kind]: float(a) / unit}) for a in amounts)]
    return np.stack([pose.render(side) for pose in poses])


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
    n: int = 64,
    symmetric: Sequence[str] = SYMMETRIC,
    seed: int = 0,
) -> Choice:
    """Pictures drawn at random: a few to show, some for the means, and two groups to be turned.

    Args:
        labels, classes: of the set.
        shown: how many to show.
        n: how many for the means, as many without rotational symmetry, and half as many with it, as far
            as there are such.
        symmetric: names of the classes whose objects have it.
        seed: of the draw.

    Raises:
        ValueError: fewer classes or pictures than are asked for.
    """
    present = len(labels.unique())
    if not 1 <= shown <= min(n, present) or n > len(labels):
        raise ValueError(f"{shown} pictures to show and {n} in all, of {len(labels)} in {present} classes")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    names = [classes[int(label)] for label in labels[order]]
    firsts = {name: place for place, name in reversed([*enumerate(names)])}  # each class's first
    by_place = sorted(firsts, key=firsts.__getitem__)
    plain = [name for name in by_place if name not in symmetric]
    even = [name for name in by_place if name in symmetric]
    first = [firsts[name] for name in (plain[: shown - bool(even)] + even)[:shown]]
    rest = [place for place in range(len(names)) if place not in first]
    groups = [
        [p for p in first + rest if (names[p] in symmetric) == alike][:count]
        for alike, count in ((False, n), (True, n // 2))
    ]
    return Choice(*(order[places] for places in (first, (first + rest)[:n], *groups)))


def training_poses(source: PartsImages, *, n: int = 1000) -> pd.DataFrame:
    """The poses of a world's objects as they are drawn: what a network can have seen in training.

    Args:
        source: the training scenes.
        n: so many of them are looked at, the first.

    Returns:
        A row a quantity: pose, low, middle, high (2.5 %, 50 % and 97.5 % of the scenes): height of the
        object's middle (sides of the picture from the top), size of its box over the median of its
        category, rotation (degrees).
    """
    first = [source.scene(i).objects[0] for i in range(min(n, len(source)))]
    sizes = pd.DataFrame({"category": [o.category for o in first], "size": [o.scale for o in first]})
    relative = sizes["size"] / sizes.groupby("category")["size"].transform("median")
    seen = {
        "height": [o.y for o in first],
        "relative size": relative.to_numpy(),
        "rotation": [o.rotation for o in first],
    }
    rows = [(name, *np.quantile(values, (0.025, 0.5, 0.975))) for name, values in seen.items()]
    return pd.DataFrame(rows, columns=["pose", "low", "middle", "high"])


def _refuse_kind(kind: str) -> None:
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}; allowed are {', '.join(get_args(Kind))}")


def _refuse_empty(
    kind: Kind, amounts: Sequence[float] | Float[np.ndarray, " poses"], n: int
) -> Float[np.ndarray, " poses"]:
    """The amounts as an array; refuses another kind, an empty range and no pictures."""
    _refuse_kind(kind)
    values = np.array(amounts, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"the range of the {kind} is empty or not finite: {amounts!r}")
    if not n:
        raise ValueError("no pictures were chosen")
    return values
