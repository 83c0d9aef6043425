"""Tables of chapter 5: what the network has seen of each change, and how often labels change."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.experiments.invariance.feature_distances import Responses
from zfutils.experiments.invariance.label_stability import LARGER
from zfutils.experiments.invariance.summaries import FAR, among
from zfutils.experiments.invariance.transformed_images import Kind
from zfutils.stats.formatting import between, rounded
from zfutils.stats.intervals import Interval, t_interval

UNITS = {"translation": " px", "scale": "×", "rotation": "°"}


def range_table(
    ranges: Mapping[Kind, Float[np.ndarray, " amounts"]], *, margin: int, poses: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The range of each change in training, and the range that it is tried on.

    Args:
        ranges: what is tried, by kind.
        margin: how far training's crops move to either side (pixels).
        poses: of the objects in training, as `training_poses` gives them; none for photographs.
    """
    seen = {"translation": f"±{margin} px, by the crop", "scale": "none by the crop", "rotation": "none"}
    if poses is None:
        seen = {kind: f"{words}; beyond that unknown" for kind, words in seen.items()}
    else:
        ends = poses.set_index("pose")[["low", "high"]]
        height, size, turn = (ends.loc[name] for name in ("height", "relative size", "rotation"))
        seen["translation"] += f"; objects' middles at {height.low:.2f} to {height.high:.2f} of the height"
        seen["scale"] += f"; objects of one category, {size.low:.2f} to {size.high:.2f} of the median"
        seen["rotation"] = f"{turn.low:.0f}° to {turn.high:.0f}°, objects".replace("-", "−")
    return pd.DataFrame(
        {"change": kind, "in training": seen[kind]}
        | {"here": f"{amounts[0]:g} to {amounts[-1]:g}{UNITS[kind]}".replace("-", "−"), "steps": len(amounts)}
        for kind, amounts in ranges.items()
    )


def outputs(groups: Mapping[str, tuple[Responses, Responses]]) -> pd.DataFrame:
    """The probability of the true class at rest, at the largest shift and turned by 90° to 270°.

    Args:
        groups: by name, the same pictures turned and moved, seen through one disc; at least two of each.
    """
    rows = []
    for name, (turned, moved) in groups.items():
        largest = moved.sizes == moved.sizes.max()
        means = {
            "unchanged": turned.untransformed,
            "shifted": moved.probabilities[:, largest].mean(1),
            "turned": turned.probabilities[:, among(turned, FAR)].mean(1),
        }
        row: dict[str, Any] = {"objects": name, "n": len(turned.pictures)}
        for column, values in means.items():
            mean = t_interval(values, resampled="pictures")
            within = replace(mean, low=max(0.0, mean.low), high=min(1.0, mean.high))
            row[column] = between(within, digits=2)
        rows.append(row)
    return pd.DataFrame(rows)


def border_adds(shares: Mapping[tuple[int, str, bool], Interval | None]) -> str:
    """How much oftener the class changes with a made-up border than with more of the image, in a sentence.

    Args:
        shares: as `label_stability.flip_shares` gives them; a shift that was not measured is left out.
    """
    added: dict[int, list[float]] = {}
    for (pixels, border, right), share in shares.items():
        beside = shares.get((pixels, LARGER, right))
        if border != LARGER and not right and share and beside:
            added.setdefault(pixels, []).append(100 * (share.estimate - beside.estimate))
    ends = [f"{min(v):+.2f} to {max(v):+.2f} points at {pixels} px" for pixels, v in added.items()]
    return f"A made-up border adds {' and '.join(ends).replace('-', '−')}." if ends else ""


def flips(shares: Mapping[tuple[int, str, bool], Interval | None]) -> pd.DataFrame:
    """How often the predicted class changes, in %, one row per shift and border.

    Args:
        shares: as `label_stability.flip_shares` gives them.
    """
    columns = {False: "all images", True: "correctly classified"}
    rows: dict[tuple[int, str], dict[str, str]] = {}
    for (pixels, border, right), share in shares.items():
        came = "more of the larger image" if border == LARGER else border
        row = rows.setdefault((pixels, border), {"shift": f"{pixels} px", "what comes in": came})
        row[columns[right]] = between(share, scale=100, unit=" %")
    return pd.DataFrame(rows.values())


def consistency(answers: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How often each network gives one class at two shifts, in %.

    Args:
        answers: by network, of the same pictures, as `label_stability.two_shifts` gives them.
    """
    both = np.logical_and.reduce([table["right"] for table in answers.values()])
    return pd.DataFrame(
        {
            "network, kernel/stride of layer 1": name,
            "correctly classified": rounded(100 * table["right"].mean()),
            "same class at both shifts": rounded(100 * table["same"].mean()),
            "of those both classify correctly": rounded(100 * table["same"][both].mean()),
        }
        for name, table in answers.items()
    )
