"""Scenes of several objects, scored by average precision (Zeiler & Fergus 2013, §5.2, Table 6; PASCAL VOC).

Every class is a search: pictures are put in the order of the class's probability, and the average precision
is the area under the staircase of precision over recall. It is VOC's measure since 2010, where the precision
at a recall is the highest at that recall or beyond; scikit-learn's `average_precision_score` does not raise
it so and is therefore never higher. Pictures of equal probability come together. Difficult objects are
neither found nor missed: for that class the picture is not there.

A picture's share of positives is what chance reaches, and it is larger where pictures hold more objects. What
can be compared between sets is the average precision above chance, (AP − share) / (1 − share).
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int8, Int64

from zfutils.data.pixels import Pixels
from zfutils.experiments.transfer.classifiers import GRID, QUARTER, fit
from zfutils.stats.intervals import FEWEST_TO_BOOTSTRAP, Interval, TooFew, of_draws

SCENES = "scenes of either set"
DRAWS = 1999
AT_ONCE = 200  # draws in memory together


@dataclass(frozen=True, eq=False)
class Ranked:
    """What a classifier says of scenes, and what is in them."""

    scores: Float[np.ndarray, "n classes"]
    present: Int8[np.ndarray, "n classes"]  # 1 there, 0 not, −1 there but difficult


def average_precision(
    said: Ranked, *, copies: Float[np.ndarray, "draws n"] | None = None
) -> Float[np.ndarray, "draws classes"]:
    """Average precision of every class; NaN where a draw holds none of it.

    Args:
        said: scores and truth.
        copies: how often each scene is there, for each of several draws; default once each, one draw.
    """
    return _precisions(said, copies)[0]


def above_chance(
    said: Ranked, *, copies: Float[np.ndarray, "draws n"] | None = None
) -> Float[np.ndarray, "draws classes"]:
    """Average precision above chance of every class: 0 is a random order, 1 a perfect one.

    Args:
        said, copies: as in `average_precision`.
    """
    precision, share = _precisions(said, copies)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (precision - share) / (1 - share)


def _precisions(said: Ranked, copies: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    copies = np.ones((1, len(said.scores))) if copies is None else copies
    found = [_of_class(s, p, copies) for s, p in zip(said.scores.T, said.present.T, strict=True)]
    precision, share = (np.stack(each, 1) for each in zip(*found, strict=True))
    return precision, share


def _of_class(
    scores: Float[np.ndarray, " n"], present: Int8[np.ndarray, " n"], copies: Float[np.ndarray, "draws n"]
) -> tuple[Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]]:
    """Average precision and share of positives of one class; precision is highest where a positive comes."""
    order = np.argsort(-scores, kind="stable")
    order = order[present[order] >= 0]
    places = np.flatnonzero(present[order] == 1)
    ordered, seen = -scores[order], copies[:, order].cumsum(1)
    last = np.searchsorted(ordered, ordered[places], side="right") - 1  # of those with the same score
    right = copies[:, order[places]]
    hits = right.cumsum(1)[:, np.searchsorted(places, last, side="right") - 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(hits / seen[:, last])  # 0 / 0 before the first scene that a draw holds
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        total = right.sum(1)
        return (right * precision).sum(1) / total, total / (copies @ (present >= 0))


@lru_cache(maxsize=4)
def draws(n: int, *, seed: int) -> Float[np.ndarray, "draws n"]:
    """Scenes drawn again with replacement: how often each is there; the first draw is the scenes themselves.

    Raises:
        TooFew: fewer scenes than a bootstrap needs.
    """
    if n < FEWEST_TO_BOOTSTRAP:
        raise TooFew(f"{n} scenes are too few to bootstrap, at least {FEWEST_TO_BOOTSTRAP} are needed")
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    return np.concatenate([np.ones((1, n)), drawn])


@lru_cache(maxsize=16)
def mean_above_chance(said: Ranked, *, seed: int = 0) -> Float[np.ndarray, " draws"]:
    """Mean over classes of the average precision above chance; the scenes' own first, then draws of them.

    A class that a draw holds no scene of, or nothing else than scenes of, is left out of that draw.

    Raises:
        TooFew: fewer scenes than a bootstrap needs.
        ValueError: a class that no scene holds; names its number.
    """
    if absent := np.flatnonzero(~(said.present == 1).any(0)).tolist():
        raise ValueError(f"class {absent[0]} is in no scene, so that it has no average precision")
    parts = np.array_split(draws(len(said.scores), seed=seed), -(-DRAWS // AT_ONCE))
    return np.concatenate([np.nanmean(above_chance(said, copies=part), axis=1) for part in parts])


def fewer_objects_less_more(one: Ranked, several: Ranked, *, seed: int = 0) -> Interval:
    """Average precision above chance of scenes of one object minus that of scenes of several.

    Args:
        one, several: independent sets; the scenes of each are drawn again on their own.

    Returns:
        The percentile interval; n is the smaller set's.

    Raises:
        TooFew: fewer scenes than a bootstrap needs.
    """
    n = min(len(one.scores), len(several.scores))
    return of_draws(_loss(one, several, seed), n, resampled=SCENES)


def harder_than_for_random(
    one: Mapping[str, Ranked], several: Mapping[str, Ranked], network: str, control: str, *, seed: int = 0
) -> tuple[Interval, tuple[float, float]]:
    """What a network loses from scenes of one object to scenes of several, minus what another loses.

    Args:
        one, several: by network; the scenes of each kind are drawn again for both networks together.
        network: whose loss.
        control: whose loss is taken off.

    Returns:
        The percentile interval, in average precision above chance, and the two losses.

    Raises:
        TooFew: as `fewer_objects_less_more`.
    """
    losses = [_loss(one[name], several[name], seed) for name in (network, control)]
    n = min(len(one[network].scores), len(several[network].scores))
    interval = of_draws(losses[0] - losses[1], n, resampled=SCENES)
    return interval, (float(losses[0][0]), float(losses[1][0]))


def above(said: Ranked, control: Ranked, *, seed: int = 0) -> Interval:
    """Average precision above chance of a network minus that of another on the same scenes.

    Raises:
        TooFew: as `fewer_objects_less_more`.
    """
    values = mean_above_chance(said, seed=seed) - mean_above_chance(control, seed=seed)
    return of_draws(values, len(said.scores), resampled=SCENES)


def _loss(one: Ranked, several: Ranked, seed: int) -> Float[np.ndarray, " draws"]:
    return mean_above_chance(one, seed=seed) - mean_above_chance(several, seed=seed + 1)


def examples(
    present: Int8[np.ndarray, "n classes"],
) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
    """Each scene once for each of its objects: rows and labels, as a softmax over classes is trained.

    Difficult objects are left out.
    """
    rows, labels = np.nonzero(present == 1)
    return rows, labels.astype(np.int64)


def by_label(images: Pixels, present: Int8[np.ndarray, "n classes"], *, classes: Sequence[str]) -> Pixels:
    """The pictures of `examples` as a set of their own, to train a network from scratch on.

    Args:
        images: all of them are used.
        present: what is in them.
        classes: what the columns of `present` are called.
    """
    rows, labels = examples(present)
    pixels = images.pixels[torch.from_numpy(rows)]
    digest = hashlib.blake2b(np.ascontiguousarray(present).tobytes(), digest_size=16).hexdigest()
    return Pixels(
        pixels,
        torch.from_numpy(labels),
        pixels.float().mean(0),
        tuple(classes),
        tuple(f"{images.names[r]}: {classes[k]}" for r, k in zip(rows, labels, strict=True)),
        {"by label": digest, "of": images.identity},
    )


def fit_and_rank(
    x: Float[np.ndarray, "n features"],
    present: Int8[np.ndarray, "n classes"],
    tested: Float[np.ndarray, "m features"],
    truth: Int8[np.ndarray, "m classes"],
    *,
    seed: int = 0,
) -> Ranked:
    """One softmax over all classes, as the paper's, trained on frozen features of scenes, and what it says.

    Each scene is an example of each of its objects. C is the one with the highest mean average precision on a
    quarter of the training scenes, held out scene by scene, and the smallest of equally good ones.

    Args:
        x, present: features of the training scenes, and what is in them.
        tested, truth: the same of the test scenes, which decide nothing.
        seed: of the split.
    """
    shuffled = np.random.default_rng(seed).permutation(len(x))
    apart, kept = shuffled[: len(x) // QUARTER], shuffled[len(x) // QUARTER :]
    best, strength = -math.inf, min(GRID)
    for c in GRID:
        said = Ranked(_scores(x[kept], present[kept], x[apart], c), present[apart])
        precision = average_precision(said)
        score = np.nanmean(precision) if np.isfinite(precision).any() else -math.inf
        if score > best:
            best, strength = score, c
    return Ranked(_scores(x, present, tested, strength), truth)


def _scores(x: np.ndarray, present: np.ndarray, tested: np.ndarray, c: float) -> np.ndarray:
    rows, labels = examples(present)
    return fit(x[rows], labels, grid=(c,)).probabilities(tested, present.shape[1])


def table(said: Ranked, classes: Sequence[str]) -> pd.DataFrame:
    """Columns class, precision (average), share (of positives), above (chance) and positives (how many)."""
    precision, share = (each[0] for each in _precisions(said, None))
    above, positives = above_chance(said)[0], (said.present == 1).sum(0)
    columns = {"class": list(classes), "precision": precision, "share": share, "above": above}
    return pd.DataFrame(columns | {"positives": positives})
