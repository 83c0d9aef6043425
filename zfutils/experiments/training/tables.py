"""Tables of chapter 2: the recipe beside the paper's, what was tried, and how fast this machine trains."""

from collections.abc import Mapping

import pandas as pd
import torch

from zfutils.training.checkpoints import Trained
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
    """What was tried: settings, epochs and where the error of the held-out images ended.

    Args:
        trials: what was tried, in words, and the network it gave, by name.
        extra: further columns, by name of the column and of the network.
    """
    rows = []
    for name, (about, trained) in trials.items():
        history = trained.history
        row = {"tried": about, "rate": f"{trained.record['identity']['training']['rate']:g}"}
        row["epochs"] = str(history["epoch"].iloc[-1])
        row["held-out error"] = f"{history['held_out_error'].iloc[-1]:.1%}"
        row |= {column: values[name] for column, values in extra.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def speed_table(speed: pd.DataFrame) -> pd.DataFrame:
    """How fast this machine trains, a row a precision, and a GPU's row where one was there to be measured.

    Args:
        speed: as `throughput.throughput` gives it.
    """
    rows = [
        {
            "device": f"{row['device']}, {row['precision']}",
            "images/s": f"{row['images_per_second']:,.0f} [{row['low']:,.0f}, {row['high']:,.0f}]",
            "matrix rate (GFLOP/s)": f"{row['matrix_rate'] / 1e9:,.0f}",
            "share of it reached": f"{row['fraction']:.0%}",
            "step (ms)": f"{1e3 * row['step_seconds']:,.0f}",
            "arithmetic bound (ms)": f"{1e3 * row['bound_seconds']:,.0f}",
        }
        for row in speed.to_dict("records")
    ]
    if not torch.cuda.is_available():
        rows.append({"device": "a GPU"} | dict.fromkeys(list(rows[0])[1:], "not measured"))
    return pd.DataFrame(rows)
