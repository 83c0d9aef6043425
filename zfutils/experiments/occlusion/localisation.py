"""How much falls where the object is covered, and how much beside it? (Zeiler & Fergus 2013, §4.2)

The paper reads its occlusion maps by eye. On drawn scenes the object's place is known, so that the falls can
be sorted by it; a position counts as on the object if the patch's centre is. Objects stand about the middle
of their pictures, and so do those of other scenes: the same falls sorted by these are the control.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from zfutils.experiments.occlusion.sliding_patch import Measure, Occlusion
from zfutils.runtime.seeds import mixed
from zfutils.stats.comparisons import Comparison, with_others
from zfutils.stats.formatting import between
from zfutils.stats.intervals import Interval, bootstrap_interval, ends, where_enough

MEASURES = ("probability", "log-odds", "activation")
ON_OFF = "object − background"
CHANGED = "another class wins"  # in place of a measure
FEWEST = 8  # correctly classified pictures, below which an edition is too small to ask for them


def correctly_classified(wrong: Bool[np.ndarray, " n"], most: int, *, seed: int = 0) -> Int64[Tensor, " m"]:
    """A random choice of pictures that a network classifies correctly, in order.

    Where there are hardly any, as in a tiny edition whose claims are not tested, any picture may be chosen.

    Args:
        wrong: whether it errs, for every picture of the set.
        most: how many at most.
        seed: of the choice.
    """
    pool = np.flatnonzero(~wrong) if (~wrong).sum() >= FEWEST else np.arange(len(wrong))
    chosen = np.random.default_rng(mixed(seed, len(wrong))).permutation(pool)[:most]
    return torch.from_numpy(np.sort(chosen))


def by_percentile(falls: Float[np.ndarray, "n p q"], percents: Sequence[float]) -> Int64[np.ndarray, " m"]:
    """Places of the pictures that lie so far up the order of their greatest falls: typical ones, not chosen.

    Args:
        falls: of each picture, by position.
        percents: how far up, from 0 to below 100.
    """
    order = falls.max((1, 2)).argsort(kind="stable")
    return order[(np.asarray(percents) * len(order) / 100).astype(int)]


def drops(found: Occlusion, masks: Bool[np.ndarray, "n side side"]) -> pd.DataFrame:
    """Mean fall over positions centred on the object, and over those on the background, picture by picture.

    Args:
        found: what was measured.
        masks: the object of each picture.

    Returns:
        One row per picture and measure: picture (row of the set), measure (one of `MEASURES`), object,
        background, difference, elsewhere (the same difference sorted by the object of another picture, mean
        over the others; NaN where there is none). Pictures whose object or background no position is centred
        on are left out.

    Raises:
        ValueError: masks that do not fit the pictures.
    """
    on, tables = on_object(found, masks), []
    there = on.any((1, 2)) & (~on).any((1, 2))
    on = on[there]
    for measure in MEASURES:
        falls = found.fall(measure)[there]
        inside, outside = means_on_and_off(falls, on)
        elsewhere = with_others(_by_every_mask(falls, on)).control
        columns = {"object": inside, "background": outside, "difference": inside - outside}
        columns |= {"elsewhere": elsewhere}
        tables.append(pd.DataFrame({"picture": found.rows[there], "measure": measure, **columns}))
    return pd.concat(tables, ignore_index=True)


def _by_every_mask(
    falls: Float[np.ndarray, "n p q"], on: Bool[np.ndarray, "n p q"]
) -> Float[np.ndarray, "n n"]:
    """Mean fall on an object minus that beside it; row: whose falls, column: whose object."""
    flat, inside = falls.reshape(len(falls), -1), on.reshape(len(on), -1).astype(float)
    means = [flat @ (where / where.sum(1, keepdims=True)).T for where in (inside, 1 - inside)]
    return means[0] - means[1]


def falls_there(found: Occlusion, masks: Bool[np.ndarray, "n side side"], measure: Measure) -> Comparison:
    """On minus off the picture's own object (`drops`), and the same by the objects of other pictures."""
    table = drops(found, masks)
    table = table[table["measure"] == measure]
    return Comparison(table["difference"].to_numpy(), table["elsewhere"].to_numpy())


def on_object(found: Occlusion, masks: Bool[np.ndarray, "n side side"]) -> Bool[np.ndarray, "n p q"]:
    """Which positions are centred on the object.

    Raises:
        ValueError: masks of other pictures; names the shapes.
    """
    on = found.patch.at_centres(np.asarray(masks, dtype=bool))
    if on.shape != found.activations.shape:
        raise ValueError(f"masks {masks.shape} do not fit positions {found.activations.shape}")
    return on


def drop_table(found: Mapping[str, Occlusion], masks: Bool[np.ndarray, "n side side"]) -> pd.DataFrame:
    """Means of `drops` for several networks, over the same pictures.

    Args:
        found: by name.
        masks: the object of each picture.

    Returns:
        One row per name and measure: name, measure, object, background, difference, elsewhere, and estimate,
        low, high of difference minus elsewhere (pictures resampled; NaN where there are too few), n.
    """
    rows = []
    for name, one in found.items():
        for measure, table in drops(one, masks).groupby("measure", sort=False):
            means = table[["object", "background", "difference", "elsewhere"]].mean().to_dict()
            there = Comparison(table["difference"].to_numpy(), table["elsewhere"].to_numpy()).interval
            row = {"name": name, "measure": measure, **means, "estimate": there.estimate if there else np.nan}
            rows.append(row | ends(there) | {"n": len(table)})
    return pd.DataFrame(rows)


def patch_intervals(
    found: Mapping[str, Occlusion], masks: Bool[np.ndarray, "n side side"] | None = None
) -> dict[tuple[str, str], dict[str, Interval | None]]:
    """What fill and size of the patch change, by patch and measure, with intervals over pictures.

    Args:
        found: by the patch's name, over the same pictures.
        masks: the object of each picture, where it is known.

    Returns:
        For each patch and measure the mean drop and, with masks, that on the object minus that on the
        background; under `CHANGED` the share of positions where another class is the most probable.
    """
    rows: dict[tuple[str, str], dict[str, Interval | None]] = {}
    for name, one in found.items():
        parts = None if masks is None else drops(one, masks).set_index("measure")["difference"]
        for measure in MEASURES:
            rows[name, measure] = {"mean drop": _over_pictures(one.fall(measure).mean((1, 2)))}
            if parts is not None:
                rows[name, measure][ON_OFF] = _over_pictures(parts[measure].to_numpy())
        changed = (one.predicted != one.plain_predicted[:, None, None]).mean((1, 2))
        rows[name, CHANGED] = {"mean drop": _over_pictures(changed)}
    return rows


def patch_table(intervals: Mapping[tuple[str, str], Mapping[str, Interval | None]]) -> pd.DataFrame:
    """What `patch_intervals` gives, in words: one row per patch and measure."""
    rows = [
        {"square": name, "measure": measure}
        | {column: between(one, digits=3, otherwise="–") for column, one in row.items()}
        for (name, measure), row in intervals.items()
    ]
    return pd.DataFrame(rows).fillna("–")


def above_zero(intervals: Mapping[tuple[str, str], Mapping[str, Interval | None]]) -> str:
    """In how many rows of `patch_intervals` the drop is larger on the object than on the background."""
    known = [row[ON_OFF] for row in intervals.values() if row.get(ON_OFF) is not None]
    return f"{sum(one.low > 0 for one in known)} of {len(known)} rows"


def _over_pictures(values: Float[np.ndarray, " n"]) -> Interval | None:
    return where_enough(bootstrap_interval, values, resampled="pictures")


def means_on_and_off(falls: np.ndarray, on: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of maps (n, p, q) over positions on the object and beside it; 0 where there is none."""
    return tuple((falls * where).sum((1, 2)) / np.maximum(where.sum((1, 2)), 1) for where in (on, ~on))
