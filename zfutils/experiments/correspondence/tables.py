"""Tables of chapter 7, in words: five faces beside the paper's Table 1, and all faces."""

import pandas as pd

from zfutils.experiments.correspondence.faces import PARTS
from zfutils.experiments.correspondence.occluders import SAME
from zfutils.experiments.correspondence.sign_changes import PAPER

COLUMNS = {  # of `Consistency.summary`: the heading, and the form of its numbers
    "delta": ("Δ", "{:.3f}"),
    "changed": ("units changed", "{:.1%}"),
    "kappa": ("κ", "{:.3f}"),
    "zero_as_plus": ("Δ, 0 as +", "{:.3f}"),
    "zero_as_minus": ("Δ, 0 as −", "{:.3f}"),
    "p": ("p", "{:.4f}"),
    "below": ("places below", "{:.0%}"),
}


def few_faces_table(few: pd.DataFrame) -> pd.DataFrame:
    """Δ of few faces beside that of Table 1, one row for each way of covering them.

    Args:
        few: as `sign_changes.of_few` gives it.
    """
    paper = PAPER.set_index("occluded").rename({"random": SAME})
    lines = []
    for name, rows in few.groupby("occluded", sort=False):
        line = {"covered": name if name in PARTS else f"random, {name}"}
        for row in rows.itertuples():
            head = f"layer {row.layer[-1]}"
            line[head] = f"{row.delta:.3f} ± {row.spread:.3f}"
            ends = paper[[row.layer, f"{row.layer}_spread"]]
            line[f"{head}, paper"] = "{:.3f} ± {:.3f}".format(*ends.loc[name]) if name in ends.index else "–"
            line[f"{head}, other fives ±"] = f"{row.across:.3f}"
        lines.append(line)
    return pd.DataFrame(lines)


def summary_table(summary: pd.DataFrame) -> pd.DataFrame:
    """What `Consistency.summary` found, one row per layer and way of covering the faces.

    Args:
        summary: of one network.
    """
    columns = {"layer": summary["layer"].str[-1], "covered": summary["occluded"]}
    for name, (head, form) in COLUMNS.items():
        columns[head] = summary[name].map(form.format, na_action="ignore").fillna("–")
    return pd.DataFrame(columns)
