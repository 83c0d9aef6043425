"""Does the predicted class survive a small shift? (Azulay & Weiss 2018; Zhang 2019)

Zeiler & Fergus 2013 look at shifts of many pixels and at distances. Later work asked for the label, after one
pixel or a few. Where the shifted crop is cut from a larger picture, nothing but the shift changes; where a
border has to be made up, the border changes too, and both are told apart here.
"""

from collections.abc import Iterator, Mapping
from typing import get_args

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Batch
from zfutils.data.transformations import Border, translated
from zfutils.nets.activations import evaluating
from zfutils.runtime.devices import device_of, dtype_of, to_host
from zfutils.runtime.seeds import mixed
from zfutils.stats.intervals import Interval, bootstrap_interval, where_enough

LARGER = "larger picture"  # beside the border rules: no border at all
BORDERS = (LARGER, *get_args(Border))
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))  # down, right


def label_changes(
    model: nn.Module,
    inputs: Inputs,
    *,
    pixels: int,
) -> pd.DataFrame:
    """Whether the predicted class changes when a picture moves a little, in each of four directions.

    Args:
        model: gives logits; used as in evaluation.
        inputs: pictures, as the network sees them.
        pixels: how far they move.

    Returns:
        One row for each picture and border: picture, label, predicted, border, changed (share of the
        directions). Of the "larger picture" the crop is cut that much farther; the others are rules by which
        the crop by itself is filled up.

    Raises:
        ValueError: too few pixels around the crop for the larger picture.
    """
    _refuse_margin(inputs, pixels)
    side, tables = inputs.side, []
    for view in _whole(model, inputs):
        crop = translated(view.images, 0, side=side)
        before = _classes(model, crop)
        columns = {"picture": to_host(view.rows), "label": to_host(view.labels), "predicted": to_host(before)}
        for border in BORDERS:
            source, how = (view.images, {}) if border == LARGER else (crop, {"border": border})
            moved = [translated(source, pixels * d, pixels * r, side=side, **how) for d, r in DIRECTIONS]
            changed = torch.stack([_classes(model, images) != before for images in moved])
            tables.append(
                pd.DataFrame(columns | {"border": border, "changed": to_host(changed.float().mean(0))})
            )
    return pd.concat(tables, ignore_index=True)


def flips(table: pd.DataFrame, *, border: str, right: bool, seed: int = 0) -> Interval:
    """Share of pictures whose class changes, mean of the four directions; pictures are resampled.

    Args:
        table: as `label_changes` gives it.
        border: which.
        right: of the pictures alone that are correctly classified before they are moved.
    """
    chosen = table[(table["border"] == border) & ((not right) | (table["predicted"] == table["label"]))]
    return bootstrap_interval(chosen["changed"], resampled="pictures never trained on", seed=seed)


def flip_shares(
    changes: Mapping[int, pd.DataFrame], *, seed: int = 0
) -> dict[tuple[int, str, bool], Interval | None]:
    """`flips` by shift, border, and whether the correctly classified pictures alone are counted.

    Args:
        changes: what `label_changes` gives, by the pixels of the shift.
        seed: of the bootstrap.

    Returns:
        None where there are too few pictures for an interval.
    """
    return {
        (pixels, border, right): where_enough(flips, table, border=border, right=right, seed=seed)
        for pixels, table in changes.items()
        for border in BORDERS
        for right in (False, True)
    }


def two_shifts(model: nn.Module, inputs: Inputs, *, up_to: int, seed: int = 0) -> pd.DataFrame:
    """The class given to each picture at two random shifts, cut from the larger picture.

    The shifts, uniform in both directions, depend on the seed and the picture alone, so that two networks
    see the same crops.

    Args:
        model: gives logits; used as in evaluation.
        inputs: pictures, as the network sees them.
        up_to: the largest shift in either direction (pixels).
        seed: of the shifts.

    Returns:
        One row for each picture: picture, label, predicted (from the centre crop), same (at both shifts),
        right (at the centre).

    Raises:
        ValueError: fewer pixels around the crop than that.
    """
    _refuse_margin(inputs, up_to)
    tables = []
    for view in _whole(model, inputs):
        rows, label = to_host(view.rows), to_host(view.labels)
        shifts = np.stack([_shifts(seed, int(row), up_to) for row in rows])  # (n, 2, 2)
        first, second = (
            _classes(model, _shifted(view.images, by, side=inputs.side)) for by in shifts.transpose(1, 0, 2)
        )
        predicted = to_host(_classes(model, translated(view.images, 0, side=inputs.side)))
        columns = {"picture": rows, "label": label, "predicted": predicted}
        tables.append(pd.DataFrame(columns | {"same": to_host(first == second), "right": predicted == label}))
    return pd.concat(tables, ignore_index=True)


def _shifts(seed: int, picture: int, up_to: int) -> np.ndarray:
    return np.random.default_rng(mixed(seed, picture)).integers(-up_to, up_to + 1, (2, 2))


def _shifted(images: Tensor, shifts: Int64[np.ndarray, "n 2"], *, side: int) -> Tensor:
    """The centre crop of each picture, moved by its own shift."""
    pairs = zip(images, shifts.tolist(), strict=True)
    return torch.cat([translated(image[None], *shift, side=side) for image, shift in pairs])


def _whole(model: nn.Module, inputs: Inputs) -> Iterator[Batch]:
    """The pictures as they are stored, not cropped, where the network is."""
    return inputs.whole().batches(64, device=device_of(model), dtype=dtype_of(model))


def _classes(model: nn.Module, crops: Float[Tensor, "n channels side side"]) -> Int64[Tensor, " n"]:
    with evaluating(model):
        return model(crops.contiguous(memory_format=torch.channels_last)).argmax(1)


def _refuse_margin(inputs: Inputs, pixels: int) -> None:
    if inputs.corner < pixels:
        raise ValueError(
            f"a crop of {inputs.side} px cannot be moved by {pixels} px "
            f"in pictures of {inputs.images.size} px"
        )
