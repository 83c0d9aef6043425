"""Tables of chapter 2: the recipe beside the paper's, what was tried, and how fast machines train."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from zfutils.nets.filters import high_share_over_noise
from zfutils.nets.specs import DROPOUT
from zfutils.stats.formatting import between, bracketed, percent
from zfutils.stats.intervals import (
    Interval,
    proportion_difference,
    proportion_interval,
    t_interval,
    where_enough,
)
from zfutils.training.checkpoints import Trained
from zfutils.training.ended import Ended
from zfutils.training.evaluation import Scores
from zfutils.training.outcomes import Outcome, origin
from zfutils.training.recipe import Training

RULES = {
    "literal": "standard deviation 0.01 everywhere",
    "fan-in": "standard deviation 0.01, corrected for the fan-in",
    "he": "He 2015 everywhere",
    "small-first": "standard deviation 0.01, corrected for the fan-in, in layer 1, He 2015 above",
}

# Short names of the trials, for the curves.
TRIALS = {
    "trial-recipe": "as chosen",
    "trial-he": "He's rule",
    "trial-literal": "0.01 everywhere",
    "trial-paper-scale": "fan-in",
    "trial-no-radius": "without radius",
}

# Two trials that differ in their initial weights alone, by the rule of these.
INITIALISATION_PAIR = {"fan-in": "trial-paper-scale", "literal": "trial-literal"}


def recipe_table(t: Training, *, images: int, size: int, crop: int, dropout: float) -> pd.DataFrame:
    """A recipe beside the paper's words, each departure with its reason.

    Args:
        t: the recipe.
        images: training images, those held out among them.
        size, crop: sides of a stored image and of what the network sees (pixels).
        dropout: share of units dropped in layers 6 and 7.
    """
    drops, why, epochs = _schedule(t)
    radius = "never" if t.radius is None else f"{t.radius:g}, in layer 1 {t.radius / t.input_scale:g}"
    rows = [
        ("images", "1.3 million of ImageNet-2012, 256 px, cropped to 224",
         f"{images:,}, {size} px, cropped to {crop}", "the edition's own; smaller ones take less time"),
        ("crops in training", "one of ten: corners and centre, mirrored or not",
         "any position, mirrored or not", "more variety from fewer images"),
        ("inputs", "mean of each pixel subtracted: about ±128",
         f"the same, times {t.input_scale:g}", "see what was tried, below"),
        ("optimiser", "SGD, momentum 0.9, batches of 128",
         f"SGD, momentum {t.momentum:g}, batches of {t.batch}",
         "the paper's" if t.batch == 128 else "fewer images need smaller batches for as many steps"),
        ("rate", "0.01, lowered by hand when validation error stops falling",
         f"{t.rate:g}, {drops}", why),
        ("epochs", "70", epochs, "smaller sets are learnt sooner"),
        ("initial weights", "“to 1e-2”, biases 0",
         f"{RULES[t.initialisation]}; biases 0", "see what was tried, below"),
        ("weight decay", "not stated", f"{t.decay:g}", "Krizhevsky's"),
        ("dropout", "0.5 in layers 6 and 7", f"{dropout:g}",
         "the paper's" if dropout == DROPOUT else "half of so few units is not half of the paper's 4,096"),
        ("filter RMS at most", "0.1", radius, "layer 1 works on inputs that much smaller"),
        ("contrast norm", "not stated",
         f"n 5, k 2, α {t.norm_alpha:g}, β 0.75", "Krizhevsky's, whom the paper follows"),
        ("held out", "not stated",
         f"{percent(t.held_out)} of the training images", "never trained on; settings may be chosen on it"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["", "the paper", "here", "why"])


def _schedule(t: Training) -> tuple[str, str, str]:
    """When the rate is lowered, why so, and how many epochs there are."""
    if t.phases is not None:
        shares = ", ".join(map(percent, t.phases.shares))
        words = f"× {t.phases.factor:g} from phase to phase: {shares} of the epochs"
        return words, "all networks are trained equally long, to the end", str(t.epochs)
    wait = f"after {t.plateau.patience} epochs without a new best, {t.plateau.drops} times"
    why = "by rule, on images held out of training, so that the reported set decides nothing"
    return f"× {t.plateau.factor:g} {wait}", why, f"{t.epochs} at most; the last plateau ends it"


def signal_table(ratios: Mapping[str, pd.Series]) -> pd.DataFrame:
    """How much of the logits' standard deviation is lost with the width, one row for each initialisation.

    Args:
        ratios: log10 of it at the paper's width over that at this edition's, by rule and seed, as
            `propagation.logits_ratios` gives it; what He's rule loses is taken off in the last column.
    """
    rows = []
    for rule, values in ratios.items():
        row = {"initial weights": RULES[rule]}
        for column, seeds in (("powers of ten", values), ("beyond He's rule", values - ratios["he"])):
            found = where_enough(t_interval, seeds, resampled="seeds of the initialisation")
            row[column] = between(found, digits=2, otherwise="–")
        rows.append(row | ({"beyond He's rule": ""} if rule == "he" else {}))
    return pd.DataFrame(rows)


def end_table(networks: Mapping[str, Ended]) -> pd.DataFrame:
    """Whether trainings had come to their end, one row for each.

    Args:
        networks: what the test of an ended training found, by network.
    """
    return pd.DataFrame(
        {
            "network": name,
            "fall of the loss in the last fifth": percent(found.fall, digits=1),
            "training error": percent(found.training_error, digits=1),
            "ended": "yes" if found.ended else "no",
        }
        for name, found in networks.items()
    )


def settings_table(settings: Mapping[str, Outcome | None]) -> pd.DataFrame:
    """What was tried of the recipe: losses, errors, whether the training ended, and whose scores they are.

    Args:
        settings: outcomes by what was tried, in words; None where it was not run yet.
    """
    rows = []
    for about, one in settings.items():
        row: dict[str, Any] = {"recipe": about}
        if one is not None:
            last = one.history.iloc[-1]
            row |= {"epochs": f"{last['epoch']:.0f}", "training loss": f"{last['loss']:.2f}"}
            row |= {"held-out loss": f"{last['held_out_loss']:.2f}"}
            row |= {"held-out error": percent(last["held_out_error"], digits=1)}
            row |= {"training error": percent(one.training_error, digits=1)}
            row |= {"ended": "yes" if one.ended.ended else "no"}
        rows.append(row | {"scores": origin([one.published] if one else [])})
    return pd.DataFrame(rows).fillna("")


def gain_of_time(once: Outcome, doubled: Outcome) -> tuple[Interval, float, float]:
    """By how much twice the epochs lower the training error (points), and the two errors (%).

    Args:
        once, doubled: outcomes of the same network. The pictures trained on are resampled for either run by
            itself (Newcombe), which is wide, since they are the same.
    """
    counts = [(round(o.training_error * o.made["trained_on"]), o.made["trained_on"]) for o in (once, doubled)]
    gain = proportion_difference(*counts, resampled="training pictures").times(100)
    return gain, *(100 * wrong / n for wrong, n in counts)


def trial_table(
    networks: Mapping[str, Trained], about: Mapping[str, str], scores: Mapping[str, Scores]
) -> pd.DataFrame:
    """What was tried: settings, epochs, since when a training was dead, errors, and noise left in layer 1.

    Args:
        networks: by name.
        about: what was tried, in words, by the same names.
        scores: the same names, answers with one crop.
    """
    rows = []
    for name, trained in networks.items():
        history, dead = trained.history, trained.record.get("dead")
        row = {"tried": about[name], "rate": f"{trained.record['identity']['training']['rate']:g}"}
        row["epochs"] = str(history["epoch"].iloc[-1]) + (f", dead since {dead['since']}" if dead else "")
        row["held-out error"] = percent(history["held_out_error"].iloc[-1], digits=1)
        wrong = scores[name].wrong()
        error = proportion_interval(int(wrong.sum()), len(wrong), resampled="images")
        row["top-1 error, one crop"] = between(error, scale=100, unit=" %")
        share, *_ = high_share_over_noise(trained.model.conv1.weight.detach())
        row["layer-1 energy above 0.3 cycles/pixel, of noise's"] = between(share, digits=2)
        rows.append(row)
    return pd.DataFrame(rows)


def largest_over_radius(history: pd.DataFrame, radii: Mapping[str, float]) -> float:
    """The largest filter RMS after any epoch, over all convolutions, in multiples of a convolution's radius.

    Before the first step nothing was scaled back: the row of epoch 0 is left out.

    Args:
        history: of a training; epoch, and for every convolution a column rms_max_….
        radii: of the convolutions, as `initialisation.radii` gives them.
    """
    after = history[history["epoch"] > 0]
    return max(float(after[f"rms_max_{layer}"].max()) / radius for layer, radius in radii.items())


def crop_errors(scores: Mapping[str, Mapping[int, Scores]]) -> pd.DataFrame:
    """Top-1 and top-5 errors with Wilson's intervals over images, for `figures.crop_errors`.

    Of five classes or fewer top-5 is never wrong, and is left out.

    Args:
        scores: by network and number of crops.

    Returns:
        One row for each network, number of crops and top: network, crops, top; estimate, low, high (shares).
    """
    rows = []
    for network, by_crops in scores.items():
        for (crops, said), top in product(by_crops.items(), (1, 5)):
            if top >= said.classes:
                continue
            wrong = said.wrong(top)
            error = proportion_interval(int(wrong.sum()), len(wrong), resampled="images")
            ends = {"estimate": error.estimate, "low": error.low, "high": error.high}
            rows.append({"network": network, "crops": crops, "top": top} | ends)
    return pd.DataFrame(rows)


def top_5(scores: Sequence[Scores]) -> list[float] | None:
    """Top-5 errors (%), one for each number of crops; None where there are no more than five classes."""
    return [100 * said.error(5) for said in scores] if all(said.classes > 5 for said in scores) else None


def speed_table(speed: pd.DataFrame, kept: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
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
    precision = row["precision"]
    if (row["device_type"], precision) == ("cuda", "float32"):
        precision = "TF32"  # which convolutions take for float32, unless PyTorch is told otherwise
    return {
        "device": f"{row['device']}, {precision}, {row['image']} px, {row['batch']} images a step{when}",
        "images/s": f"{row['images_per_second']:,.0f}"
        + bracketed(f"{row['low']:,.0f}", f"{row['high']:,.0f}"),
        "matrix rate (GFLOP/s)": f"{row['matrix_rate'] / 1e9:,.0f}",
        "share of it reached": percent(row["fraction"]),
        "step (ms)": f"{1e3 * row['step_seconds']:,.0f}",
        "arithmetic bound (ms)": f"{1e3 * row['bound_seconds']:,.0f}",
    }
