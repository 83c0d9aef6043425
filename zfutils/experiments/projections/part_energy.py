"""How much of a projection's energy falls on a part of the object (chapter 3).

Zeiler & Fergus 2013, §4, say that layers 4 and 5 answer to parts of objects. The one idea: the pictures of
`zfutils.data.parts` say at every pixel which part is seen, so that a part can be chosen on some of a map's
pictures and scored on the others; the masks of other pictures say what chance alone would give.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, UInt8

from zfutils.data.part_masks import ProbeMasks
from zfutils.deconv.top_projections import TopProjections
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed
from zfutils.stats.intervals import (
    Interval,
    bootstrap_interval,
    unpaired_difference,
    where_enough,
)

CHOOSING = 5  # of a map's nine strongest pictures; the part is scored on the others
MAJORITY = 3  # of those five must show a part that is to be chosen
SHOWN = 0.005  # of the window's area in the picture: a smaller part does not show
OTHER = "other masks"  # what the control is called
FLOOR = -6.0  # powers of two; also where a projection leaves the part out altogether


def part_energy(nine: TopProjections, masks: ProbeMasks, *, seed: int = 0) -> pd.DataFrame:
    """How much more of a projection's energy falls on a part than the part's area would have.

    The value of a projection is log2 of its energy's share on the part over the part's share of the window,
    the window being what of it lies in the picture: 0 for energy spread evenly, 2 for a part of a quarter of
    the window that has all of it. Below -6 it counts as -6.

    Args:
        nine: a layer's projections, at least six pictures a map.
        masks: of the pictures at the size that the network saw (`cropped`), or of other pictures
            (`of_other_pictures`) for the control.
        seed: of the split of a map's pictures.

    Returns:
        One row per map: map, part (the one of the highest mean value on five pictures, of those that show on
        at least three of them), choice_score (that mean), score (its mean over the other pictures that show
        it), n_scored (how many these are). A part shows if it covers 0.5 % of the window. Without a part or
        a picture to score it on, and where the map's projections are zero, part is None or score NaN.

    Raises:
        ValueError: fewer than six pictures a map, or a picture without masks.
    """
    k = nine.projections.shape[1]
    if k <= CHOOSING:
        raise ValueError(f"a part is chosen on {CHOOSING} pictures and scored on others; there are {k}")
    found = []
    for i, number in enumerate(nine.maps.tolist()):
        places = masks.at(to_host(nine.strongest.images[i]))
        values = np.stack([
            energy_on_parts(
                nine.projections[i, j],
                windowed(masks.maps[place], nine.tops[i, j], nine.lefts[i, j], nine.projections.shape[2]),
                nine.inside[i, j],
                len(masks.parts),
            )
            for j, place in enumerate(places)
        ])  # fmt: skip
        order = np.random.default_rng(mixed(seed, number)).permutation(k)
        found.append((number, *_chosen_and_scored(values[order[:CHOOSING]], values[order[CHOOSING:]], masks)))
    return pd.DataFrame(found, columns=["map", "part", "choice_score", "score", "n_scored"])


def energies(
    tops: Mapping[str, Mapping[str, TopProjections]],
    masks: ProbeMasks,
    *,
    seed: int = 0,
) -> dict[tuple[str, str], pd.DataFrame]:
    """`part_energy` of every network and layer, and of the first network on `OTHER` pictures' masks.

    There each picture has the masks of another one of its category.

    Args:
        tops: by network and layer.
        masks: of the pictures that were searched.
        seed: as for `part_energy`, and of the exchange of pictures.

    Returns:
        By network and layer.
    """
    first, others = next(iter(tops)), masks.of_other_pictures(seed=seed, same_label=True)
    shown = [*((network, tops[network], masks) for network in tops), (OTHER, tops[first], others)]
    return {
        (network, layer): part_energy(top, of, seed=seed)
        for network, by_layer, of in shown
        for layer, top in by_layer.items()
    }


def energy_on_parts(
    projection: Float[np.ndarray, "h w channels"],
    numbers: UInt8[np.ndarray, "h w"],
    inside: Bool[np.ndarray, "h w"],
    parts: int,
) -> Float[np.ndarray, " parts"]:
    """log2 of each part's share of the energy over its share of the area; NaN where it does not show.

    Args:
        projection: on its window.
        numbers: part number at each pixel of the window, 0 for none.
        inside: which pixels lie in the picture.
        parts: how many parts there are.
    """
    energy = np.square(projection, dtype=np.float64).sum(-1)[inside]
    number = numbers[inside]
    on = np.bincount(number, energy, minlength=parts + 1)[1:]
    area = np.bincount(number, minlength=parts + 1)[1:] / number.size
    if energy.sum() == 0:
        return np.full(parts, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.maximum(np.log2(on / energy.sum() / area), FLOOR)
    return np.where(area >= SHOWN, values, np.nan)


def windowed(numbers: UInt8[np.ndarray, "h w"], top: int, left: int, side: int) -> UInt8[np.ndarray, "s s"]:
    """A square window of a picture's part numbers, 0 beyond the border."""
    whole = np.pad(numbers, side)
    return whole[top + side : top + 2 * side, left + side : left + 2 * side]


def _chosen_and_scored(
    choosing: np.ndarray, scoring: np.ndarray, masks: ProbeMasks
) -> tuple[str | None, float, float, int]:
    shown = np.isfinite(choosing).sum(0)
    means = np.where(shown >= MAJORITY, np.nansum(choosing, 0) / np.maximum(shown, 1), -np.inf)
    best = int(means.argmax())
    if means[best] == -np.inf:
        return None, np.nan, np.nan, 0
    scores = scoring[np.isfinite(scoring[:, best]), best]
    return masks.parts[best], means[best], scores.mean() if len(scores) else np.nan, len(scores)


def energy_interval(
    tables: Mapping[tuple[str, str], pd.DataFrame], layers: Sequence[str], *, seed: int = 0
) -> Interval | None:
    """Mean score of the trained network's maps minus that of the random one's, maps without one left out.

    Args:
        tables: by (network, layer), as `part_energy` gives them; may be empty.
        layers: whose maps are taken together.

    Returns:
        The interval, maps of each network resampled; None from fewer than eight maps with a score.
    """
    if not tables:
        return None
    scores = (pd.concat(tables[n, name]["score"] for name in layers).dropna() for n in ("trained", "random"))
    return where_enough(unpaired_difference, *scores, resampled="maps of each network", seed=seed)


def energy_scores(tables: Mapping[tuple[str, str], pd.DataFrame], *, seed: int = 0) -> pd.DataFrame:
    """Mean score by network and layer with its interval over maps, for a figure.

    Args:
        tables: by (network, layer), as `part_energy` gives them.

    Returns:
        Columns network, layer, estimate, low, high, n (maps that have a score) and maps; without bounds
        where fewer than eight maps have one.
    """
    found = []
    for (network, layer), table in tables.items():
        scores = table["score"].dropna()
        one = where_enough(bootstrap_interval, scores, resampled="maps", seed=seed)
        numbers = (one.estimate, one.low, one.high) if one else (scores.mean(), np.nan, np.nan)
        found.append((network, layer, *numbers, scores.size, len(table)))
    return pd.DataFrame(found, columns=["network", "layer", "estimate", "low", "high", "n", "maps"])
