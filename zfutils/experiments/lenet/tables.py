"""Tables of chapter 10: the network's layers, errors and confusions."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64

from zfutils.experiments.lenet.patterns import Patterns, half_energy, likeness, likeness_within_classes
from zfutils.nets.specs import NetworkSpec
from zfutils.stats.formatting import between, ranged, rounded
from zfutils.stats.intervals import (
    Interval,
    bootstrap_interval,
    proportion_interval,
    t_interval,
    where_enough,
)
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import Scores

PERCENT = 100
WHAT = {"conv": "convolution, rectification", "pool": "pooling", "fc": "fully connected, rectification"}


def layers(spec: NetworkSpec) -> pd.DataFrame:
    """Every layer: what it does, what it gives, how much of the picture one value depends on, its weights."""
    stages, rows = spec.stages(), []
    for stage in stages:
        maps = stage.kind != "fc"
        rows.append(
            {
                "layer": stage.name,
                "what it does": "fully connected" if stage is stages[-1] else WHAT[stage.kind],
                "what it gives": f"{stage.maps} maps of {stage.size}×{stage.size}"
                if maps
                else f"{stage.maps} units",
                "one value sees (px)": f"{stage.field.kernel}×{stage.field.kernel}"
                if maps
                else "the whole digit",
                "weights and biases": f"{stage.parameters:,}" if stage.parameters else "–",
            }
        )
    return pd.DataFrame(rows)


def error(scores: Scores) -> Interval:
    """Error in %, with Wilson's interval over the test digits."""
    wrong = scores.wrong()
    return proportion_interval(int(wrong.sum()), len(wrong), resampled="test digits").times(PERCENT)


def errors(networks: Mapping[str, tuple[Scores, Trained | None]]) -> pd.DataFrame:
    """Error of each network on the test digits; of a trained one also how its training ended.

    Args:
        networks: by name, what each says of the test digits, and the training; None for random weights.
    """
    rows = []
    for name, (scores, trained) in networks.items():
        interval = error(scores)
        rows.append(
            {
                "network": name,
                "test error (%)": between(interval, digits=2, otherwise="–"),
                "n": f"{interval.n:,}",
                "training error (%)": _training_error(trained) if trained else "–",
                "how the training ended": trained.ended.why if trained else "–",
                "seconds": rounded(trained.seconds, digits=0) if trained else "–",
            }
        )
    return pd.DataFrame(rows)


def _training_error(trained: Trained) -> str:
    """The error on what a network was trained on (%), Wilson."""
    n = trained.record["trained_on"]
    found = proportion_interval(round(trained.training_error * n), n, resampled="training images")
    return between(found.times(PERCENT), digits=2, otherwise="–")


def active(layers: Mapping[str, Float[np.ndarray, "n units"]]) -> str:
    """How many of each layer's units are active for a digit, as a sentence.

    Args:
        layers: what each gives for two digits or more, rectified, by its name.
    """
    shares = {
        name: t_interval(PERCENT * (values > 0).mean(1), resampled="digits")
        for name, values in layers.items()
    }
    (first, share), *others = (
        (name, ranged(one.estimate, one.low, one.high, digits=0, unit=" %")) for name, one in shares.items()
    )
    n = next(iter(shares.values())).n
    more = "".join(f", of {name}'s {one}" for name, one in others)
    return (
        f"Of {first}'s units {share} are active for a digit{more} "
        f"(means with 95 % t intervals over these {n} digits)."
    )


def mean(values: np.ndarray, *, resampled: str = "digits", digits: int = 2) -> str:
    """A mean with its 95 % interval in words; values that are not known (NaN) are left out."""
    known = values[np.isfinite(values)]
    return between(where_enough(bootstrap_interval, known, resampled=resampled), digits=digits, otherwise="–")


def alike(layers: Iterable[Patterns]) -> list[str]:
    """How alike the projections of two units on one digit are (cosine), a text for each layer."""
    return [mean(likeness(found.pixels)) for found in layers]


def of_classes(networks: Iterable[Patterns], labels: Int64[np.ndarray, " n"]) -> dict[str, list[str]]:
    """Two columns on the projections of the true classes, a text for each network.

    How alike the projections of two digits of a class are (cosine), and in how few pixels half of a
    projection's energy lies.

    Args:
        networks: the projections of each, of one unit for each digit, that of its class.
        labels: of the digits.
    """
    found = list(networks)
    within = [likeness_within_classes(one, labels) for one in found]
    return {
        "two digits of a class alike": [mean(values, resampled="classes") for values in within],
        "half the energy (px)": [mean(half_energy(one.pixels), digits=0) for one in found],
    }


def more_often(increases: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """The confusions that are more frequent under the square than without, by intervals above 0.

    Args:
        increases: as `confusions.increases` gives them.
        most: rows.
    """
    found = increases[increases["low"] > 0].head(most)
    ends = found[["estimate", "low", "high"]].itertuples(index=False)
    return pd.DataFrame(
        {
            "digit": found["digit"],
            "taken for": found["taken for"],
            "covered (%)": [between(one, digits=1, otherwise="–") for one in found["covered"]],
            "whole (%)": [between(one, digits=1, otherwise="–") for one in found["whole"]],
            "difference (points)": [ranged(*one) for one in ends],
            "n": found["n"],
        }
    )
