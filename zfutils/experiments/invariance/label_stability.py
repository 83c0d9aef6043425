"""Does the predicted class survive a small shift? (Azulay & Weiss 2018; Zhang 2019)

Zeiler & Fergus 2013 look at shifts of many pixels and at distances. Later work asked for the label, after one
pixel or a few. Where the shifted crop is cut from a larger picture, nothing but the shift changes; where a
border has to be made up, the border changes too, and both are told apart here.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from zfutils.data.pixels import Pixels
from zfutils.experiments.invariance.transformations import Border, translated
from zfutils.runtime.seeds import mixed
from zfutils.stats.intervals import Interval, bootstrap_interval, paired_difference

LARGER = "larger picture"  # beside the border rules: no border at all
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))  # down, right


@torch.no_grad()
def label_changes(
    model: nn.Module,
    images: Pixels,
    chosen: Int64[Tensor, " n"],
    *,
    pixels: int = 1,
    borders: Sequence[str | Border] = (LARGER, "grey", "reflect", "wrap"),
    side: int,
    scale: float,
    batch: int = 64,
) -> pd.DataFrame:
    """Whether the predicted class changes when a picture moves by a pixel, in each of four directions.

    Args:
        model: gives logits; used as in evaluation.
        images: the set, centred as in training.
        chosen: which of its pictures.
        pixels: how far it moves.
        borders: "larger picture" (the crop is cut that much farther), or a rule by which the crop by itself
            is filled up.
        side: of the crop (pixels).
        scale: what centred pixels are multiplied by, as in training.
        batch: pictures at a time.

    Returns:
        A row a picture and border: picture, border, label, predicted, changed (share of the directions).

    Raises:
        ValueError: no pictures, borders or shift, or too few pixels around the crop for the larger picture.
    """
    if not len(chosen) or not borders or pixels < 1:
        raise ValueError(f"there must be pictures, borders and a shift of at least 1 px, not {pixels}")
    _refuse_margin(images, side, pixels if LARGER in borders else 0)
    tables = []

    def look(whole: Tensor, rows: Tensor, say: Callable[[Tensor], Tensor]) -> None:
        crop = translated(whole, 0, side=side)
        before = say(crop)
        for border in borders:
            source, how = (whole, {}) if border == LARGER else (crop, {"border": border})
            moved = [translated(source, pixels * d, pixels * r, side=side, **how) for d, r in DIRECTIONS]
            changed = torch.stack([say(one) != before for one in moved]).float().mean(0)
            columns = {"picture": rows, "border": border, "label": images.labels[rows].cpu()}
            tables.append(pd.DataFrame(columns | {"predicted": before, "changed": changed}))

    _over(model, images, chosen, look, scale=scale, batch=batch)
    return pd.concat(tables, ignore_index=True)


def flips(table: pd.DataFrame, *, border: str = LARGER, right: bool = False, seed: int = 0) -> Interval:
    """Share of pictures whose class changes, mean of the four directions; pictures are resampled.

    Args:
        table: as `label_changes` gives it.
        border: which.
        right: of the pictures alone that are rightly classified before they are moved.
    """
    chosen = table[(table["border"] == border) & ((not right) | (table["predicted"] == table["label"]))]
    return bootstrap_interval(chosen["changed"], resampled="pictures never trained on", seed=seed)


@torch.no_grad()
def two_shifts(
    model: nn.Module,
    images: Pixels,
    chosen: Int64[Tensor, " n"],
    *,
    up_to: int = 8,
    side: int,
    scale: float,
    batch: int = 64,
    seed: int = 0,
) -> pd.DataFrame:
    """The class given to each picture at two random shifts, cut from the larger picture.

    The shifts, uniform in both directions, depend on the seed and the picture alone, so that two networks
    see the same crops.

    Args:
        model: gives logits; used as in evaluation.
        images: the set, centred as in training.
        chosen: which of its pictures.
        up_to: the largest shift in either direction (pixels).
        side: of the crop (pixels).
        scale: what centred pixels are multiplied by, as in training.
        batch: pictures at a time.
        seed: of the shifts.

    Returns:
        A row a picture: picture, label, predicted (from the centre crop), same (at both shifts), right (at
        the centre).

    Raises:
        ValueError: no pictures, a shift of less than a pixel, or fewer pixels around the crop than that.
    """
    if not len(chosen) or up_to < 1:
        raise ValueError(f"there must be pictures and a shift of at least 1 px, not {up_to}")
    _refuse_margin(images, side, up_to)
    tables = []

    def look(whole: Tensor, rows: Tensor, say: Callable[[Tensor], Tensor]) -> None:
        shifts = np.stack([_shifts(seed, int(row), up_to) for row in rows])  # (n, 2, 2)
        crops = [
            torch.cat(
                [translated(one[None], *shift, side=side) for one, shift in zip(whole, by, strict=True)]
            )
            for by in shifts.transpose(1, 0, 2)
        ]
        first, second = (say(crop) for crop in crops)
        predicted, label = say(translated(whole, 0, side=side)), images.labels[rows].cpu()
        columns = {"picture": rows, "label": label, "predicted": predicted}
        tables.append(pd.DataFrame(columns | {"same": first == second, "right": predicted == label}))

    _over(model, images, chosen, look, scale=scale, batch=batch)
    return pd.concat(tables, ignore_index=True)


def consistency_difference(
    first: pd.DataFrame, second: pd.DataFrame, *, right: bool = False, seed: int = 0
) -> Interval:
    """Share of pictures given one class at both shifts: the first network less the second, paired.

    Args:
        first, second: as `two_shifts` gives them, of the same pictures and seed.
        right: of the pictures alone that both networks classify rightly.
    """
    if not np.array_equal(first["picture"], second["picture"]):
        raise ValueError("the two tables are not of the same pictures")
    chosen = (first["right"] & second["right"]).to_numpy() | (not right)
    same = (table["same"].to_numpy(dtype=float)[chosen] for table in (first, second))
    return paired_difference(*same, resampled="pictures never trained on", seed=seed)


def _shifts(seed: int, picture: int, up_to: int) -> np.ndarray:
    return np.random.default_rng(mixed(seed, picture)).integers(-up_to, up_to + 1, (2, 2))


def _over(
    model: nn.Module,
    images: Pixels,
    chosen: Int64[Tensor, " n"],
    look: Callable[[Tensor, Tensor, Callable[[Tensor], Tensor]], None],
    *,
    scale: float,
    batch: int,
) -> None:
    """Whole pictures, batch by batch, with their rows and what gives a batch of crops its classes."""
    device, was_training = next(model.parameters()).device, model.training

    def say(crop: Tensor) -> Int64[Tensor, " n"]:
        return model(crop.to(device).contiguous(memory_format=torch.channels_last)).argmax(1).cpu()

    model.eval()
    try:
        for (view,) in images.views(chosen, crops=1, batch=batch, side=images.size, scale=scale):
            look(view.images, view.rows.cpu(), say)
    finally:
        model.train(was_training)


def _refuse_margin(images: Pixels, side: int, pixels: int) -> None:
    margin = images.size - side
    if side < 1 or margin < 0 or margin // 2 < pixels:
        raise ValueError(
            f"a crop of {side} px cannot be moved by {pixels} px in pictures of {images.size} px"
        )
