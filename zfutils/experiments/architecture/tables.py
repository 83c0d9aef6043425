"""Tables of chapter 1: every layer of a network, beside what the paper's figure says."""

import math
from typing import Any

import pandas as pd

from zfutils.nets.specs import NetworkSpec


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
