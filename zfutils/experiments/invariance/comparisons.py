"""What chapter 5 claims: two arms and their difference (Zeiler & Fergus 2013, §4, Fig. 5).

Distances have no scale of their own, so that a claim is a difference between two arms: the trained network
against random weights, layer 7 against layer 1, one change or one network against another. Both arms are of
the same pictures, and the interval resamples pictures.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.experiments.invariance.feature_distances import LAYERS, Responses
from zfutils.experiments.invariance.summaries import FAR, GROUPS, PICTURES, TURNED, among, linearity, near
from zfutils.experiments.invariance.transformed_images import Kind
from zfutils.stats.intervals import Interval, paired_difference, unpaired_difference, where_enough

FIRST, LAST = LAYERS[0], LAYERS[-1]


class Comparison(NamedTuple):
    """The difference of two means over pictures, and what is measured and its control: a `Compared`."""

    interval: Interval
    arms: tuple[float, float]


def grows_with_depth(trained: Responses, random: Responses, *, within: float, seed: int = 0) -> Comparison:
    """Mean distance in layer 1 minus that in layer 7, over small changes: trained minus random weights.

    Args:
        trained, random: of the same pictures, in layers 1 and 7 at least.
        within: the largest change that counts (pixels, factor minus 1, or degrees).
        seed: of the bootstrap.

    Raises:
        ValueError: other pictures; no change is that small.
        TooFew: too few pictures for an interval.
    """
    _refuse_other_pictures(trained, random)
    arms = (near(one, FIRST, within=within) - near(one, LAST, within=within) for one in (trained, random))
    return _paired(*arms, seed=seed)


def straighter_than_layer_1(one: Responses, *, seed: int = 0) -> Comparison:
    """R² of a straight line through a picture's distances: layer 7 minus layer 1.

    Pictures whose distance never changes have no R² and are left out.

    Raises:
        TooFew: too few pictures for an interval.
    """
    return _paired(linearity(one, LAST), linearity(one, FIRST), seed=seed)


def straightness_learnt(
    trained: Sequence[Responses], random: Sequence[Responses], *, seed: int = 0
) -> Comparison:
    """R² of a straight line in layer 7, mean over several kinds of change: trained minus random weights.

    Args:
        trained, random: to each kind of change, all of the same pictures.
        seed: of the bootstrap.

    Raises:
        ValueError: other pictures.
        TooFew: too few pictures for an interval.
    """
    _refuse_other_pictures(*trained, *random)
    arms = (np.mean([linearity(one, LAST) for one in kinds], axis=0) for kinds in (trained, random))
    return _paired(*arms, seed=seed)


def rotation_beyond_translation(turned: Responses, moved: Responses, *, seed: int = 0) -> Comparison:
    """Mean distance in layer 7: turned by 90° to 270°, minus moved by the largest shift.

    Args:
        turned, moved: the same pictures through the same disc, with distances in the same unit.
        seed: of the bootstrap.

    Raises:
        ValueError: other pictures or another unit.
        TooFew: too few pictures for an interval.
    """
    _refuse_other_pictures(turned, moved)
    units = [float(one.units[one.layers.index(LAST)]) for one in (turned, moved)]
    if not np.isclose(*units, rtol=1e-3):
        raise ValueError(f"the distances have two units, {units[0]:g} and {units[1]:g}: measure one set")
    shifted = moved.layer(LAST)[:, moved.sizes == moved.sizes.max()].mean(1)
    return _paired(turned.layer(LAST)[:, among(turned, FAR)].mean(1), shifted, seed=seed)


def symmetry_learnt(
    trained: tuple[Responses, Responses],
    random: tuple[Responses, Responses],
    *,
    seed: int = 0,
) -> Comparison:
    """Mean distance in layer 7 over angles, objects without rotational symmetry minus objects with it:
    trained minus random weights.

    Args:
        trained, random: objects without rotational symmetry and with it, the same pictures in both.
        seed: of the bootstrap.

    Raises:
        ValueError: other pictures.
        TooFew: too few pictures for an interval.
    """
    for pair in zip(trained, random, strict=True):
        _refuse_other_pictures(*pair)
    (plain, symmetric), (plain_random, symmetric_random) = (
        [one.layer(LAST)[:, among(one, TURNED)].mean(1) for one in groups] for groups in (trained, random)
    )
    learnt = plain - plain_random, symmetric - symmetric_random
    interval = unpaired_difference(*learnt, resampled=f"{GROUPS}, each with both networks", seed=seed)
    arms = plain.mean() - symmetric.mean(), plain_random.mean() - symmetric_random.mean()
    return Comparison(interval, tuple(map(float, arms)))


def consistency(first: pd.DataFrame, second: pd.DataFrame, *, seed: int = 0) -> Comparison:
    """Share of pictures given one class at both shifts, of those that both networks classify correctly.

    Args:
        first, second: two networks' answers as `label_stability.two_shifts` gives them, of the same pictures.
        seed: of the bootstrap.

    Raises:
        ValueError: other pictures.
        TooFew: too few pictures for an interval.
    """
    if not np.array_equal(first["picture"], second["picture"]):
        raise ValueError("the two tables are not of the same pictures")
    both = (first["right"] & second["right"]).to_numpy()
    arms = (table["same"].to_numpy(dtype=float)[both] for table in (first, second))
    return _paired(*arms, seed=seed)


def of_distances(
    found: Mapping[Kind, Mapping[str, Responses]],
    groups: Mapping[str, tuple[Responses, Responses]],
    *,
    side: int,
    seed: int = 0,
) -> dict[str, Comparison | None]:
    """The comparisons behind the claims on translation, scale and symmetry, by the claim's name.

    Args:
        found: by kind and network, "trained" and "random".
        groups: by network, objects without rotational symmetry and with it, turned.
        side: of the pictures (pixels); 5 % of it is a small shift.
        seed: of the bootstrap.

    Returns:
        None where there are too few pictures for an interval.
    """
    shift, size = found["translation"], found["scale"]
    arms = {
        "grows-with-depth-over-random": (grows_with_depth, *shift.values()),
        "straighter-than-layer-1-in-translation": (straighter_than_layer_1, shift["trained"]),
        "straighter-than-layer-1-in-scale": (straighter_than_layer_1, size["trained"]),
        "straightness-is-learnt": (straightness_learnt, *([shift[net], size[net]] for net in shift)),
        "rotation-of-symmetric-objects-over-random": (symmetry_learnt, *groups.values()),
    }
    options = {"grows-with-depth-over-random": {"within": 0.05 * side}}
    return {name: where_enough(*arm, seed=seed, **options.get(name, {})) for name, arm in arms.items()}


def _paired(measured: Float[np.ndarray, " n"], control: Float[np.ndarray, " n"], *, seed: int) -> Comparison:
    """Both arms over the pictures that have both."""
    have = np.isfinite(measured) & np.isfinite(control)
    arms = measured[have], control[have]
    interval = paired_difference(*arms, resampled=PICTURES, seed=seed)
    return Comparison(interval, tuple(float(arm.mean()) for arm in arms))


def _refuse_other_pictures(first: Responses, *others: Responses) -> None:
    if not all(np.array_equal(first.pictures, other.pictures) for other in others):
        raise ValueError("the responses are not of the same pictures")
