"""Tables of chapter 11: the settings, what images reach, how alike they are, and where else they work."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.experiments.maximisation.ascent import Made, Way
from zfutils.experiments.maximisation.comparisons import (
    geometric_interval,
    likeness_row,
    mean_interval,
    paired,
)
from zfutils.experiments.maximisation.elsewhere import Shares
from zfutils.experiments.maximisation.likeness import likeness
from zfutils.experiments.maximisation.strongest import Strongest
from zfutils.stats.comparisons import Compared
from zfutils.stats.formatting import between, bracketed, percent

Images = Mapping[tuple[str, str, str], Made]  # by network, layer and way


def settings_table(ways: Mapping[str, Way]) -> pd.DataFrame:
    """The settings of the variants of ascent, one row per variant."""
    return pd.DataFrame([
        {
            "variant": name,
            "steps": way.steps,
            "step (grey levels)": f"{way.step:g}",
            "start, ± (grey levels)": f"{way.noise:g}",
            "decay per step": percent(way.decay) if way.decay else "–",
            "blur (px)": f"{way.blur:g}, every {way.every} steps" if way.blur else "–",
            "jitter": f"± {percent(way.jitter)} of the side" if way.jitter else "–",
        }
        for name, way in ways.items()
    ])  # fmt: skip


def reached_table(
    made: Images, real: Mapping[str, Mapping[str, Strongest]], *, seed: int = 0
) -> pd.DataFrame:
    """Activation reached over the strongest real one: its geometric mean over units for each set of images.

    Args:
        made: images of units, by network, layer and way.
        real: by network and layer.
        seed: of the resampling.

    Returns:
        Columns network, way, layer (number), estimate, low, high, n; NaN where nothing could be measured.
    """
    rows = []
    for (network, layer, way), one in made.items():
        most = real[network][layer].over(one.goal.of)[list(one.goal.maps)]
        found = geometric_interval(one.reached.mean(1) / most, seed=seed)
        ends = (found.estimate, found.low, found.high, found.n) if found else (np.nan, np.nan, np.nan, 0)
        row = dict(zip(("estimate", "low", "high", "n"), ends, strict=True))
        rows.append({"network": network, "way": way, "layer": int(layer[-1])} | row)
    return pd.DataFrame(rows)


def likeness_table(made: Images, layer: str, *, seed: int = 0) -> pd.DataFrame:
    """Likeness of images of one layer from different starts: of one unit, of different units.

    Args:
        made: by network, layer and way.
        layer: which.
        seed: of the resampling.
    """
    return pd.DataFrame([
        {"network": network, "ascent": way} | likeness_row(likeness(one.images), seed=seed)
        for (network, where, way), one in made.items()
        if where == layer
    ])  # fmt: skip


def shares_table(shares: Mapping[str, Shares], *, seed: int = 0) -> pd.DataFrame:
    """What images excite, as shares of the strongest real activation: in their own network, and in another.

    Args:
        shares: by what the images are; in that order, the first with which all others are compared.
        seed: of the resampling.
    """
    rows, (first, of_first) = [], next(iter(shares.items()))
    for name, one in shares.items():
        interval = mean_interval(one.other, seed=seed)
        rows.append({
            "image": name,
            "its own unit": between(mean_interval(one.own, seed=seed), digits=2, otherwise="–"),
            "best map of another seed": between(interval, digits=2, otherwise="–"),
            "minus noise": _minus(one.noise, one, seed),
            f"minus {first}": _minus(None if one is of_first else of_first.other, one, seed),
            "n": interval.n if interval else 0,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _minus(control: Float[np.ndarray, " units"] | None, one: Shares, seed: int) -> str:
    """What the best map of another seed reaches minus a control, in words."""
    found = None if control is None else paired(one.other, control, seed=seed)
    return between(found and found.interval, digits=2, otherwise="–")


def maps_table(
    made: Mapping[str, Made],
    shares: Mapping[str, Shares],
    most: Float[np.ndarray, " maps"],
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """The same three questions of images made for whole maps, with t intervals over the few maps.

    Args:
        made: by way; of the same maps.
        shares: by way.
        most: the strongest real mean of every map of the layer, NaN where there is none.
        seed: of the resampling.
    """
    rows = []
    for way, one in made.items():
        reached = one.reached.mean(1) / most[list(one.goal.maps)]
        alike = likeness_row(likeness(one.images), seed=seed)
        rows.append({
            "ascent": way,
            "times the strongest": between(
                geometric_interval(reached, resampled="maps", seed=seed), digits=2, otherwise="–"
            ),
            "correlation, same minus different": alike["difference"],
            "best map of another seed": between(
                geometric_interval(shares[way].other, resampled="maps", seed=seed), digits=2, otherwise="–"),
            "minus noise": _minus(shares[way].noise, shares[way], seed),
            "n": len(one.goal.maps),
        })  # fmt: skip
    return pd.DataFrame(rows)


def answer(compared: Mapping[str, Compared | None], random: Compared | None) -> str:
    """The chapter's numbers in a few sentences, those of them that were measured, with their intervals.

    Args:
        compared: by claim: "beyond-every-picture", "starts-agree", "carries-over-beyond-noise".
        random: as the first of them, with random weights.
    """
    two_digits = "{estimate:.2f}" + bracketed("{low:.2f}", "{high:.2f}")
    said = {
        "beyond-every-picture": "Plain ascent reached {estimate:.1f}"
        f"{bracketed('{low:.1f}', '{high:.1f}')} times the activation of the strongest validation image"
        f"{_with_random_weights(compared.get('beyond-every-picture'), random)}.",
        "starts-agree": "Its images from two starts correlate at {measured:.2f} for one unit and at "
        f"{{control:.2f}} for two (difference {two_digits}, from unrounded numbers).",
        "carries-over-beyond-noise": "An image made with decay, blur and jitter excites the best map "
        "of another seed's network to {measured:.2f} of that map's own strongest activation, and noise with "
        f"the same spectrum to {{control:.2f}} (difference {two_digits}, from unrounded numbers).",
    }
    sentences = [
        text.format(**vars(one.interval), measured=one.arms[0], control=one.arms[1])
        for name, text in said.items()
        if (one := compared.get(name))
    ]
    return " ".join(sentences)


def _with_random_weights(one: Compared | None, random: Compared | None) -> str:
    """How far the same ascent comes with random weights, and what that makes of the trained units' gain."""
    if one is None or random is None:
        return ""
    ends = bracketed(f"{random.interval.low:.1f}", f"{random.interval.high:.1f}")
    gained = f", and with random weights {random.interval.estimate:.1f}{ends} times"
    if random.interval.high < one.interval.low:
        return f"{gained}: the trained units gain more than random filters do"
    return f"{gained}: random filters gain as much or more, so that the first number is no sign of learning"
