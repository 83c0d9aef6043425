"""Tables of chapter 3: what was searched, maps that hold on to a part, and classes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from zfutils.deconv.top_projections import TopProjections
from zfutils.experiments.projections.dissection import Dissection
from zfutils.stats.formatting import percent, rounded


def searched_table(tops: Mapping[str, TopProjections]) -> pd.DataFrame:
    """What was projected, one row per layer: maps, projections, their windows and how many the border cuts.

    Args:
        tops: by layer.
    """
    return pd.DataFrame(
        {
            "layer": name[-1],
            "maps": len(top.maps),
            "projections": top.tops.size,
            "window (px)": top.patches.shape[2],
            "cut at the border": percent(1 - top.inside.all((2, 3)).mean()),
            "maps that are never active": int((top.strongest.values[:, 0] <= 0).sum()),
        }
        for name, top in tops.items()
    )


def parts_table(energy: Mapping[tuple[str, str], pd.DataFrame], *, n: int = 4) -> pd.DataFrame:
    """The trained network's maps of each layer whose projections hold most of their energy on one part.

    Args:
        energy: by network and layer, as `part_energy.energies` gives them.
        n: so many of each layer, those of the highest score first.
    """
    return pd.DataFrame(
        {
            "layer": layer[-1],
            "map": row.map,
            "part": row.part,
            "energy over area": f"{2**row.score:.1f}×",
            "images scored": row.n_scored,
        }
        for (network, layer), table in energy.items()
        if network == "trained"
        for row in table.dropna(subset=["score"]).nlargest(n, "score").itertuples()
    )


def detectors_table(dissected: Mapping[str, Mapping[str, Dissection]]) -> pd.DataFrame:
    """Maps that detect a part, and parts that some map detects, one row per layer.

    Args:
        dissected: by network and layer, the same layers and parts in each.
    """
    rows = []
    for layer, one in next(iter(dissected.values())).items():
        row = {"layer": layer[-1], "maps": len(one.iou)}
        own = {network: by_layer[layer] for network, by_layer in dissected.items()}
        row |= {
            f"detectors, {network}": f"{found.detectors.sum()} ({percent(found.detectors.mean())})"
            for network, found in own.items()
        }
        row["by chance"] = rounded(one.by_chance * len(one.iou))
        row |= {f"parts detected, {network}": int(found.detected.sum()) for network, found in own.items()}
        rows.append(row | {"of parts": len(one.parts)})
    return pd.DataFrame(rows)


def most_probable(
    names: Sequence[str],
    probabilities: Float[np.ndarray, "n classes"],
    classes: Sequence[str],
    *,
    k: int = 5,
) -> pd.DataFrame:
    """The most probable classes of single photographs, the first first.

    Args:
        names: of the photographs.
        probabilities: of each class, in [0, 1].
        classes: what they are called.
        k: how many.
    """
    rows = []
    for name, given in zip(names, probabilities, strict=True):
        order = np.argsort(-given, kind="stable")[:k]
        rows.append(
            {"photograph": name} | {f"{i}": f"{classes[c]} {given[c]:.2f}" for i, c in enumerate(order, 1)}
        )
    return pd.DataFrame(rows)
