"""Tables of chapter 1: a network's layers beside what the paper says of them, dead filters, and errors."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from zfutils.experiments.architecture.aliasing import OVER, RANDOM, TRAINED, UNDER, PerMap
from zfutils.experiments.architecture.comparisons import rms
from zfutils.nets.filters import dominance
from zfutils.nets.specs import NetworkSpec
from zfutils.stats.formatting import between, percent, rounded
from zfutils.stats.intervals import Interval, bootstrap_interval, proportion_interval, where_enough
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import Scores
from zfutils.training.outcomes import NOT_RUN, Outcome, origin


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
        millions = stage.multiply_adds / 1e6
        digits = 1 if millions >= 0.05 else 2  # what is left after rounding
        row["multiply-adds (million)"] = f"{millions:,.{digits}f}" if millions else ""
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


def first_layer(spec: NetworkSpec) -> str:
    """Kernel and stride of a network's first layer, in words."""
    kernel, stride, _ = spec.convolutions[0].window
    return f"{kernel}×{kernel}, stride {stride}"


def share_table(specs: Mapping[str, NetworkSpec], speeds: Mapping[str, float]) -> pd.DataFrame:
    """How much of the image's side a unit of each convolution sees, and what a network costs.

    Args:
        specs: networks, by what the table calls them.
        speeds: images/s in training, of those networks that were trained.
    """
    rows = []
    for name, spec in specs.items():
        row: dict[str, Any] = {"network": name, "image (px)": spec.image}
        row |= {
            stage.name: percent(stage.field.kernel / spec.image, digits=1)
            for stage in spec.stages()
            if stage.kind == "conv" and stage.field
        }
        row["maps of layer 5 (px)"] = [s.size for s in spec.stages() if s.kind == "conv"][-1]
        row["multiply-adds (million)"] = f"{spec.multiply_adds / 1e6:,.0f}"
        row["images/s"] = f"{speeds[name]:,.0f}" if name in speeds else "–"
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def dead_table(filters: Mapping[str, Mapping[str, pd.DataFrame | None]]) -> pd.DataFrame:
    """How many filters of layer 1 are dead, one row for every network before and after training.

    Args:
        filters: by time ("before training") and network, as `filters.dead_filters` gives them; None where a
            network was not run yet.
    """
    return pd.DataFrame(
        {"network": f"{network}, {time}"}
        | {
            kind: NOT_RUN if table is None else f"{int(table[kind].sum())} of {len(table)}"
            for kind in ("blank", "silent", "dead")
        }
        for time, tables in filters.items()
        for network, table in tables.items()
    )


def dominance_table(
    sweep: Mapping[float | None, Outcome | None], *, papers: float, seed: int = 0
) -> pd.DataFrame:
    """How much the largest filter of layer 1 stands out after training, one row for each radius.

    Args:
        sweep: outcomes by radius, None for no radius; None where a network was not run yet.
        papers: the paper's radius, as a multiple of which sizes are given.
        seed: of the resampling.
    """
    rows = []
    for radius, one in sweep.items():
        row = {"radius": "none" if radius is None else f"{radius:g}"}
        if one is not None:
            sizes = rms(one)
            found = where_enough(dominance, sizes, seed=seed)
            row["largest filter"] = rounded(sizes.max() / papers, digits=2)
            row["median filter"] = rounded(float(np.median(sizes)) / papers, digits=2)
            row["largest / median"] = between(found, digits=2, otherwise="too few filters")
            row["ended"] = "yes" if one.ended.ended else "no"
        rows.append(row | {"scores": origin([one.published] if one else [])})
    return pd.DataFrame(rows).fillna("")


def aliasing_table(
    by_map: PerMap,
    strides: Mapping[str, int],
    beyond: tuple[Interval, tuple[float, float]] | None,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """How far layer 2's power at the grid frequencies stands out, by network, and what the claim makes of it.

    Args:
        by_map: as `aliasing.prominence_by_map` gives it.
        strides: of layer 1 (pixels), by network.
        beyond: as `aliasing.prominence_beyond_random` gives it; None where there were too few maps.
        seed: of the resampling.
    """
    rows = []
    for network, stride in strides.items():
        row = {"network": network, "stride of layer 1": str(stride)}
        for weights in (TRAINED, RANDOM):
            values = by_map[network, weights]
            found = where_enough(bootstrap_interval, values, resampled="maps", seed=seed)
            row[weights] = between(found, digits=2, otherwise="too few maps")
        means = (by_map[network, weights].mean() for weights in (TRAINED, RANDOM))
        rows.append(row | {f"{TRAINED} minus {RANDOM}": rounded(np.subtract(*means), digits=2)})
    interval, arms = beyond or (None, (math.nan, math.nan))
    row = {"network": f"{OVER} minus {UNDER}", "stride of layer 1": ""}
    row |= {weights: rounded(arm, digits=2) for weights, arm in zip((TRAINED, RANDOM), arms, strict=True)}
    row[f"{TRAINED} minus {RANDOM}"] = between(interval, digits=2, otherwise="too few maps")
    return pd.DataFrame([*rows, row])


def error_table(networks: Mapping[str, Trained], scores: Mapping[tuple[str, int], Scores]) -> pd.DataFrame:
    """Top-1 errors with their intervals over images (Wilson), and what each network costs, one row for each.

    Args:
        networks: by name.
        scores: by network and number of crops, which is 10 or 1.
    """
    rows = []
    for name, trained in networks.items():
        row = {"network": name}
        for crops, words in ((10, "ten crops"), (1, "centre crop")):
            wrong = scores[name, crops].wrong()
            error = proportion_interval(int(wrong.sum()), len(wrong), resampled="images")
            row[words] = between(error, scale=100, unit=" %")
        row["parameters"] = f"{trained.spec.parameters:,}"
        row["multiply-adds (million)"] = f"{trained.spec.multiply_adds / 1e6:,.0f}"
        row["training (s)"] = f"{trained.seconds:,.0f}"
        rows.append(row)
    return pd.DataFrame(rows)
