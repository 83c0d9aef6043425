"""Tables of chapter 5: what the network has seen of each change and is tried on, and the arms of claims."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.experiments.invariance.comparisons import Comparison
from zfutils.experiments.invariance.transformed_images import Kind
from zfutils.stats.formatting import ranged, rounded

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
        seen["rotation"] = f"{turn.low:.0f}° to {turn.high:.0f}°, objects"
    return pd.DataFrame(
        {"change": kind, "in training": seen[kind]}
        | {"here": f"{amounts[0]:g} to {amounts[-1]:g}{UNITS[kind]}", "steps": len(amounts)}
        for kind, amounts in ranges.items()
    )


def arms(
    compared: Mapping[str, Comparison | None],
    *,
    comparison: str = "claim",
    measured: str = "measured",
    control: str = "control",
) -> pd.DataFrame:
    """What was measured, its control, and their difference with its interval, one row per comparison.

    Args:
        compared: by name; None where there were too few pictures.
        comparison, measured, control: what the columns are called.
    """
    rows = []
    for name, one in compared.items():
        means = [rounded(mean, digits=3) for mean in (one.arms if one else (None, None))]
        ends = one and (one.interval.estimate, one.interval.low, one.interval.high)
        row = {comparison: name} | dict(zip((measured, control), means, strict=True))
        rows.append(row | {f"{measured} − {control}": ranged(*ends, digits=3) if ends else "not measured"})
    return pd.DataFrame(rows)
