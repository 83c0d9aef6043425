"""Does a map of falls show where the object is? (Zeiler & Fergus 2013, §4.2)

The paper reads its occlusion maps by eye. On drawn scenes the object's place is known, so that they can be
scored: by where they fall most and by what of them lies on the object. A position counts as on the object if
the patch's centre is. On any picture they can be laid beside the projection of the map that falls.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64
from scipy.stats import spearmanr
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.experiments.occlusion.sliding_patch import Occlusion, Patch
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed
from zfutils.stats.formatting import ranged
from zfutils.stats.intervals import Interval, bootstrap_interval, paired_difference, where_enough

HALF = 0.5  # of the greatest fall: what lies above it is said to be the object, fixed before any was measured
MEASURES = ("probability", "log-odds", "activation")
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


def drops(found: Occlusion, masks: Bool[np.ndarray, "n side side"]) -> pd.DataFrame:
    """Mean fall over positions centred on the object, and over those on the background, picture by picture.

    Args:
        found: what was measured.
        masks: the object of each picture.

    Returns:
        One row per picture and measure: picture (row of the set), measure (one of `MEASURES`), object,
        background, difference. Pictures whose object or background no position is centred on are left out.

    Raises:
        ValueError: masks that do not fit the pictures.
    """
    on, tables = on_object(found, masks), []
    there = on.any((1, 2)) & (~on).any((1, 2))
    for measure in MEASURES:
        inside, outside = means_on_and_off(found.fall(measure)[there], on[there])
        columns = {"object": inside, "background": outside, "difference": inside - outside}
        tables.append(pd.DataFrame({"picture": found.rows[there], "measure": measure, **columns}))
    return pd.concat(tables, ignore_index=True)


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
    """Means of `drops` for several networks or patches, over the same pictures.

    Args:
        found: by name.
        masks: the object of each picture.

    Returns:
        One row per name and measure: name, measure, object, background, estimate, low, high (of the
        difference, pictures resampled; NaN where there are too few), n.
    """
    rows = []
    for name, one in found.items():
        for measure, table in drops(one, masks).groupby("measure", sort=False):
            means = table[["object", "background"]].mean().to_dict()
            ends = _ends(where_enough(drop_interval, table, measure))
            rows.append({"name": name, "measure": measure, **means, **ends, "n": len(table)})
    return pd.DataFrame(rows)


def drop_interval(table: pd.DataFrame, measure: str) -> Interval:
    """Mean difference of `drops` between object and background, pictures resampled."""
    return bootstrap_interval(table.loc[table["measure"] == measure, "difference"], resampled="pictures")


def patch_table(
    found: Mapping[str, Occlusion], masks: Bool[np.ndarray, "n side side"] | None = None
) -> pd.DataFrame:
    """What fill and size of the patch change, in words, with intervals over pictures.

    Args:
        found: by the patch's name, over the same pictures.
        masks: the object of each picture, where it is known.

    Returns:
        One row per patch and measure, and one for the share of positions where another class is the most
        probable: square, measure, mean fall and, with masks, on minus off (the object).
    """
    rows = []
    for name, one in found.items():
        parts = None if masks is None else drops(one, masks).set_index("measure")["difference"]
        for measure in MEASURES:
            row = {"square": name, "measure": measure, "mean fall": _words(one.fall(measure).mean((1, 2)))}
            rows.append(row if parts is None else row | {"on minus off": _words(parts[measure])})
        changed = (one.predicted != one.plain_predicted[:, None, None]).mean((1, 2))
        rows.append({"square": name, "measure": "another class wins", "mean fall": _words(changed)})
    return pd.DataFrame(rows).fillna("")


def _words(values: Float[np.ndarray, " n"]) -> str:
    return ranged(*_ends(where_enough(bootstrap_interval, values, resampled="pictures")).values(), digits=3)


def _ends(interval: Interval | None) -> dict[str, float]:
    """The columns of an interval; NaN where there were too few pictures for one."""
    return {name: getattr(interval, name, np.nan) for name in ("estimate", "low", "high")}


# ---- scores of maps


def floors_and_ceiling(patch: Patch, masks: Bool[np.ndarray, "n side side"]) -> dict[str, np.ndarray]:
    """Maps (n, p, q) that know no network: what is in the middle, and what is under the patch.

    Args:
        patch: whose positions the maps have.
        masks: the object of each picture.

    Returns:
        "centred Gaussian": the same for all pictures, with a standard deviation of a quarter of the side.
        "true mask under the patch": the share of the patch that lies on the object, the best that a map of
        this resolution can be expected to be.
    """
    side = masks.shape[1]
    away = (patch.centres(side) + 0.5) / side - 0.5
    gaussian = np.exp(-(away[:, None] ** 2 + away**2) / (2 * 0.25**2))
    area = patch.under(np.ones_like(masks[:1], dtype=float))
    return {
        "centred Gaussian": np.broadcast_to(gaussian, (len(masks), *gaussian.shape)),
        "true mask under the patch": patch.under(masks.astype(float)) / area,
    }


def scores(maps: Mapping[str, Float[np.ndarray, "n p q"]], on: Bool[np.ndarray, "n p q"]) -> pd.DataFrame:
    """How well maps point at the object.

    Args:
        maps: by name; greater where the object is said to be.
        on: which positions are centred on the object.

    Returns:
        One row per map and picture: map, place (of the picture), pointing (whether the greatest value is on
        the object), iou (intersection over union, in positions, of the object with what lies above `HALF` of
        the map's greatest value; 0 where nothing is above 0). Under the name "object's area" the same of a
        place drawn at random: the object's share of the positions, and its overlap with all of them.

    Raises:
        ValueError: a map of another shape.
    """
    n, share = len(on), on.mean((1, 2))
    tables = [pd.DataFrame({"map": "object's area", "place": range(n), "pointing": share, "iou": share})]
    for name, values in maps.items():
        if np.shape(values) != on.shape:
            raise ValueError(f"{name}: a map {np.shape(values)} beside positions {on.shape}")
        most = values.max((1, 2), keepdims=True)
        above = (values >= HALF * most) & (most > 0)
        iou = (above & on).sum((1, 2)) / np.maximum((above | on).sum((1, 2)), 1)
        pointing = np.take_along_axis(on.reshape(n, -1), values.reshape(n, -1).argmax(1)[:, None], 1)[:, 0]
        columns = {"place": range(n), "pointing": pointing.astype(float), "iou": iou}
        tables.append(pd.DataFrame({"map": name, **columns}))
    return pd.concat(tables, ignore_index=True)


def score_table(table: pd.DataFrame) -> pd.DataFrame:
    """Means of `scores` with intervals, pictures resampled: map, measure, estimate, low, high, n."""
    rows = []
    for name, group in table.groupby("map", sort=False):
        for measure in ("pointing", "iou"):
            ends = _ends(where_enough(bootstrap_interval, group[measure], resampled="pictures"))
            ends["estimate"] = group[measure].mean()
            rows.append({"map": name, "measure": measure, **ends, "n": len(group)})
    return pd.DataFrame(rows)


def pointing_interval(table: pd.DataFrame, name: str, masks: Bool[np.ndarray, "n side side"]) -> Interval:
    """Share of pictures in which a map points at the object, minus that whose own centre is on it."""
    middle = masks.shape[1] // 2
    chosen = table[table["map"] == name].sort_values("place")
    return paired_difference(chosen["pointing"], masks[:, middle, middle].astype(float), resampled="pictures")


# ---- the projection


def projection_energy(
    model: nn.Module, inputs: Inputs, found: Occlusion, *, batch: int = 32
) -> Float[np.ndarray, "n side side"]:
    """Energy, over colours, of the projection of the map that was followed: all its activations at once.

    The summed activation is what falls, so the whole map is projected, not its strongest activation alone.

    Args:
        model: the network.
        inputs: the pictures that were measured.
        found: what was measured on them, in their order.
        batch: pictures at a time.
    """
    deconvnet, energies, maps = Deconvnet(model), [], torch.from_numpy(found.maps)
    for view, part in zip(inputs.batches(batch), maps.split(batch), strict=True):
        energies.append(_energy(deconvnet.forward(view.images, found.layer).project_maps(part)))
    return np.concatenate(energies)


def contrast(inputs: Inputs) -> Float[np.ndarray, "n side side"]:
    """Energy, over colours, of what a grey patch takes away: the centred picture itself."""
    return np.concatenate([_energy(view.images) for view in inputs.batches(64)])


def _energy(images: Float[Tensor, "n channels h w"]) -> Float[np.ndarray, "n h w"]:
    return np.square(to_host(images), dtype=np.float64).sum(1)


def agreement(
    found: Occlusion, energies: Mapping[str, Float[np.ndarray, "n side side"]], *, seed: int = 0
) -> pd.DataFrame:
    """Spearman's correlation, over positions, of the activation's fall with an energy under the patch.

    Args:
        found: what was measured, of at least two pictures.
        energies: by name, of each picture.
        seed: of which other picture's energy is the control.

    Returns:
        One row per name and picture: energy, picture, own, other (with another picture's energy), difference.
        Pictures in which nothing falls or no energy lies are left out.

    Raises:
        ValueError: fewer than two pictures.
    """
    if len(found) < 2:
        raise ValueError(f"another picture's projection needs two pictures, not {len(found)}")
    order = np.random.default_rng(mixed(seed, len(found))).permutation(len(found))
    other = np.empty_like(order)
    other[order] = np.roll(order, 1)
    falls, rows = found.fall("activation"), []
    for name, energy in energies.items():
        under = found.patch.under(energy)
        for i, picture in enumerate(found.rows):
            flat = [values.ravel() for values in (falls[i], under[i], under[other[i]])]
            if all(np.ptp(values) > 0 for values in flat):
                own, others = (spearmanr(flat[0], values).statistic for values in flat[1:])
                rows.append((name, picture, own, others, own - others))
    return pd.DataFrame(rows, columns=["energy", "picture", "own", "other", "difference"])


def agreement_table(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Means of `agreement` by network: network, energy, own, other, estimate, low, high (of the difference).

    Args:
        found: what `agreement` gives for each network, by name.
    """
    rows = []
    for network, table in found.items():
        for energy, group in table.groupby("energy", sort=False):
            means = group[["own", "other"]].mean().to_dict()
            ends = _ends(where_enough(agreement_interval, table, energy))
            rows.append({"network": network, "energy": energy, **means, **ends})
    return pd.DataFrame(rows, columns=["network", "energy", "own", "other", "estimate", "low", "high"])


def agreement_interval(table: pd.DataFrame, energy: str) -> Interval:
    """Mean of `agreement`'s difference, pictures resampled."""
    return bootstrap_interval(table.loc[table["energy"] == energy, "difference"], resampled="pictures")


def means_on_and_off(falls: np.ndarray, on: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of maps (n, p, q) over positions on the object and beside it; 0 where there is none."""
    return tuple((falls * where).sum((1, 2)) / np.maximum(where.sum((1, 2)), 1) for where in (on, ~on))
