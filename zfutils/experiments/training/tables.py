"""Tables of chapter 2: the recipe beside the paper's, what was tried, and how fast machines train."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from zfutils.stats.intervals import proportion_interval
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import Scores
from zfutils.training.recipe import Training

RULES = {
    "literal": "standard deviation 0.01 everywhere",
    "fan-in": "standard deviation 0.01, above layer 1 corrected for the fan-in",
    "he": "He 2015 everywhere",
    "small-first": "standard deviation 0.01 in layer 1, He 2015 above",
}


def recipe_table(t: Training, *, size: int, crop: int) -> pd.DataFrame:
    """A recipe beside the paper's words, each departure with its reason.

    Args:
        t: the recipe.
        size, crop: sides of a stored image and of what the network sees (pixels).
    """
    wait = f"after {t.plateau.patience} epochs without a new best, {t.plateau.drops} times"
    drops = f"× {t.plateau.factor:g} {wait}"
    radius = "never" if t.radius is None else f"{t.radius:g}, in layer 1 {t.radius / t.input_scale:g}"
    rows = [
        (
            "images",
            "ImageNet-2012, 256 px, cropped to 224",
            f"{size} px, cropped to {crop}",
            "what two cores can train",
        ),
        (
            "crops in training",
            "one of ten: corners and centre, mirrored or not",
            "any position, mirrored or not",
            "more variety from fewer images",
        ),
        (
            "inputs",
            "mean of each pixel subtracted: about ±128",
            f"the same, times {t.input_scale:g}",
            "see what was tried, below",
        ),
        (
            "optimiser",
            "SGD, momentum 0.9, batches of 128",
            f"SGD, momentum {t.momentum:g}, batches of {t.batch}",
            "the paper's" if t.batch == 128 else "fewer images need smaller batches for as many steps",
        ),
        (
            "rate",
            "0.01, lowered by hand when validation error stops falling",
            f"{t.rate:g}, {drops}",
            "by rule, on images held out of training, so that the reported set decides nothing",
        ),
        ("epochs", "70", f"{t.epochs} at most; the last plateau ends it", "smaller sets are learnt sooner"),
        (
            "initial weights",
            "“to 1e-2”, biases 0",
            f"{RULES[t.initialisation]}; biases 0",
            "see what was tried, below",
        ),
        ("weight decay", "not stated", f"{t.decay:g}", "Krizhevsky's"),
        ("dropout", "0.5 in layers 6 and 7", "the same", "the paper's"),
        ("filter RMS at most", "0.1", radius, "layer 1 works on inputs that much smaller"),
        (
            "contrast norm",
            "not stated",
            f"n 5, k 2, α {t.norm_alpha:g}, β 0.75",
            "Krizhevsky's, whom the paper follows",
        ),
        (
            "held out",
            "not stated",
            f"{t.held_out:.0%} of the training images",
            "decides the rate, and is never trained on",
        ),
    ]
    return pd.DataFrame(rows, columns=["", "the paper", "here", "why"])


def trial_table(
    trials: Mapping[str, tuple[str, Trained]], extra: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """What was tried: settings, epochs, since when a training was dead, and where the held-out error ended.

    Args:
        trials: what was tried, in words, and the network it gave, by name.
        extra: further columns, by name of the column and of the network.
    """
    rows = []
    for name, (about, trained) in trials.items():
        history, dead = trained.history, trained.record.get("dead")
        row = {"tried": about, "rate": f"{trained.record['identity']['training']['rate']:g}"}
        row["epochs"] = str(history["epoch"].iloc[-1]) + (f", dead since {dead['since']}" if dead else "")
        row["held-out error"] = f"{history['held_out_error'].iloc[-1]:.1%}"
        row |= {column: values[name] for column, values in extra.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def largest_over_radius(history: pd.DataFrame, radii: Mapping[str, float]) -> float:
    """The largest filter RMS over all epochs and convolutions, as a multiple of the convolution's radius.

    Args:
        history: of a training; for every convolution a column rms_max_….
        radii: of the convolutions, as `initialisation.radii` gives them.
    """
    return max(float(history[f"rms_max_{layer}"].max()) / radius for layer, radius in radii.items())


def crop_errors(scores: Mapping[str, Mapping[int, Scores]]) -> pd.DataFrame:
    """Top-1 and top-5 errors with Wilson's intervals over images, for `figures.crop_errors`.

    Args:
        scores: by network and number of crops.

    Returns:
        One row for each network, number of crops and top: network, crops, top; estimate, low, high (shares).
    """
    rows = []
    for network, by_crops in scores.items():
        for (crops, said), top in product(by_crops.items(), (1, 5)):
            wrong = said.wrong(top)
            error = proportion_interval(int(wrong.sum()), len(wrong), resampled="images")
            ends = {"estimate": error.estimate, "low": error.low, "high": error.high}
            rows.append({"network": network, "crops": crops, "top": top} | ends)
    return pd.DataFrame(rows)


def speed_table(speed: pd.DataFrame, kept: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """How fast this machine trains, and how fast GPUs did, one row for each device and precision.

    Args:
        speed: as `throughput.throughput` gives it.
        kept: rows of the same kind that were measured on GPUs, each with its edition and date.
    """
    rows = [_speed(row) for row in speed.to_dict("records")]
    rows += [_speed(row, f", edition {row['edition']}, {row['date']}") for row in kept]
    if not kept and set(speed["device_type"]) == {"cpu"}:
        rows.append({"device": "a GPU"} | dict.fromkeys(list(rows[0])[1:], "not measured"))
    return pd.DataFrame(rows)


def _speed(row: Mapping[str, Any], when: str = "") -> dict[str, str]:
    return {
        "device": f"{row['device']}, {row['precision']}{when}",
        "images/s": f"{row['images_per_second']:,.0f} [{row['low']:,.0f}, {row['high']:,.0f}]",
        "matrix rate (GFLOP/s)": f"{row['matrix_rate'] / 1e9:,.0f}",
        "share of it reached": f"{row['fraction']:.0%}",
        "step (ms)": f"{1e3 * row['step_seconds']:,.0f}",
        "arithmetic bound (ms)": f"{1e3 * row['bound_seconds']:,.0f}",
    }
