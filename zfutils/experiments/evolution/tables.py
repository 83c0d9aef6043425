"""The tables of chapter 4: which networks are followed, when their layers settle, what the claims compare."""

import math
from collections.abc import Mapping

import pandas as pd

from zfutils.experiments.evolution.comparisons import Comparison
from zfutils.experiments.evolution.settling import rate_drops
from zfutils.stats.comparisons import arms_table
from zfutils.stats.formatting import between, percent, rounded
from zfutils.stats.intervals import Interval
from zfutils.training.outcomes import NOT_RUN, Outcome, origin

CURVES = {"cka": "CKA"}  # what a measure is called in a table, where its name is not that


def networks_table(found: Mapping[int, Outcome | None]) -> pd.DataFrame:
    """The networks whose layers are dated, one row for each seed.

    Args:
        found: by seed; None where it was not run yet.
    """
    rows = []
    for seed, outcome in found.items():
        row = {"seed": str(seed), "curves": NOT_RUN}
        if outcome is not None:
            lowered = rate_drops(outcome.history)
            row |= {"curves": origin([outcome.published]), "epochs": str(outcome.made["epochs"])}
            row |= {"at the end of training": outcome.ended.why}
            row |= {"rate lowered after epoch": ", ".join(map(str, lowered)) or "never"}
            row |= {"held-out error": percent(outcome.history["held_out_error"].iloc[-1], digits=1)}
            row |= {"snapshots at epochs": ", ".join(map(str, outcome.measured["epochs"]))}
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def times_table(settled: pd.DataFrame, loss: Mapping[int, float]) -> pd.DataFrame:
    """Mean time to 90 % over the seeds that reach it, by measure and run; and of the training loss.

    Args:
        settled: as `settling.times` gives it.
        loss: by seed, the time of the training loss (epochs).
    """
    rows = []
    for (measure, run), own in settled.groupby(["measure", "run"], sort=False):
        means = own.groupby("layer", sort=False)["time"].mean()
        row = {"curve": CURVES.get(measure, measure), "run": run}
        rows.append(row | {f"layer {name.removeprefix('relu')}": rounded(t) for name, t in means.items()})
    there = [time for time in loss.values() if not math.isnan(time)]
    mean = rounded(sum(there) / len(there)) if there else "–"
    row = {"curve": "training loss", "run": rows[0]["run"]}
    return pd.DataFrame([*rows, row | dict.fromkeys([*rows[0]][2:], mean)])


def claims_compared(compared: Mapping[str, tuple[Comparison, str]]) -> pd.DataFrame:
    """What was measured, its control, and what the verdict is taken on, one line for each claim.

    Args:
        compared: by what is claimed, the comparison and the rule's `verdict_on`.
    """
    found = {claimed: one.arms and (one.interval, one.arms) for claimed, (one, _) in compared.items()}
    table = arms_table(found, ("claim", "measured", "control", "which is"))
    table.insert(3, "seeds", [len(one.seeds) for one, _ in compared.values()])
    table.insert(4, "verdict taken on", [taken.replace("-", "−") for _, taken in compared.values()])
    return table


def jumps_table(farther: Mapping[str, Interval | None]) -> pd.DataFrame:
    """How much farther a projection moves when the strongest image changed, one row for each arm.

    Args:
        farther: as `appearance.jump_intervals` gives it.
    """
    return pd.DataFrame(
        {"the strongest image": words, "additional change": between(one, digits=2)}
        for words, one in farther.items()
    )
