"""The tables of the book's chapters.

Each takes data and returns a DataFrame whose column names are read as they stand; a page shows it with
`show`, which leaves out the row numbers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from pandas.io.formats.style import Styler

from zfutils.profiles import Profile
from zfutils.specs import NetworkSpec
from zfutils.statistics import Interval
from zfutils.study import Study
from zfutils.wording import ranged, rounded

RULES = {
    "literal": "standard deviation 0.01 everywhere",
    "fan-in": "standard deviation 0.01, above layer 1 corrected for the fan-in",
    "he": "He 2015 everywhere",
    "small-first": "standard deviation 0.01 in layer 1, He 2015 above",
}


def show(table: pd.DataFrame, *, caption: str = "") -> Styler:
    """A table as the book shows it: no row numbers, a caption."""
    style = table.style.hide(axis="index").set_table_attributes('class="dataframe study"')
    return style.set_caption(caption) if caption else style


def between(interval: Interval | None, *, scale: float = 1.0, digits: int = 1, unit: str = "") -> str:
    """An interval in words: estimate, then its 95 % ends in brackets."""
    if interval is None:
        return "not measured"
    ends = (scale * value for value in (interval.estimate, interval.low, interval.high))
    return ranged(*ends, digits=digits, unit=unit)


def in_words(table: pd.DataFrame, name: str, *, digits: int = 2) -> pd.DataFrame:
    """A table with its columns estimate, low and high as one, and its other numbers rounded likewise.

    Args:
        table: NaN ends stand where there was too little for an interval.
        name: of the joined column.
        digits: after the point.
    """
    ends = table[["estimate", "low", "high"]].itertuples(index=False)
    words = [ranged(*one, digits=digits) for one in ends]
    said = table.assign(estimate=words).drop(columns=["low", "high"]).rename(columns={"estimate": name})
    fractions = said.select_dtypes("floating").columns
    return said.assign(**{c: [rounded(value, digits=digits) for value in said[c]] for c in fractions})


def stage_table(spec: NetworkSpec, paper: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every layer of a network: size, maps, receptive field, parameters and multiply-adds.

    Args:
        spec: the network.
        paper: what the paper's figure says, by `stage`; `size`, `maps` and `receptive_field` are set beside.
    """
    said = {} if paper is None else paper.set_index("stage").to_dict("index")
    rows = []
    for stage in spec.stages():
        row: dict[str, Any] = {"layer": stage.name, "size (px)": stage.size, "maps": f"{stage.maps:,}"}
        row["receptive field (px)"] = stage.field.kernel if stage.field else "all"
        row["jump (px)"] = stage.field.stride if stage.field else ""
        row["parameters"] = f"{stage.parameters:,}" if stage.parameters else ""
        row["multiply-adds (million)"] = f"{stage.multiply_adds / 1e6:,.1f}" if stage.multiply_adds else ""
        if said:
            words = said.get(stage.name, {})
            field = words.get("receptive_field", math.nan)
            row["paper: size, maps, field"] = (
                f"{words['size']:.0f}, {words['maps']:.0f}" + (f", {field:.0f}" if field == field else "")
                if words
                else "number of classes"
            )
        rows.append(row)
    return pd.DataFrame(rows)


def recipe_table(profile: Profile) -> pd.DataFrame:
    """The recipe of an edition beside the paper's words, each departure with its reason."""
    t, size = profile.training, profile.images
    wait = f"after {t.plateau.patience} epochs without a new best, {t.plateau.drops} times"
    drops = f"× {t.plateau.factor:g} {wait}"
    radius = "never" if t.radius is None else f"{t.radius:g}, in layer 1 {t.radius / t.input_scale:g}"
    rows = [
        (
            "images",
            "ImageNet-2012, 256 px, cropped to 224",
            f"{size.size} px, cropped to {size.crop}",
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


def trial_table(study: Study, names: Sequence[str], extra: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """What was tried: settings, epochs and where the error of the held-out images ended.

    Args:
        study: the edition.
        names: its networks.
        extra: further columns, by name of the column and of the network.
    """
    rows = []
    for name in names:
        run, history = study.profile.networks[name], study.network(name).history
        row = {"tried": run.about, "rate": f"{run.training.rate:g}"}
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
