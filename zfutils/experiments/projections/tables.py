"""Tables of chapter 3: what was searched, the maps that hold on to a part, and the controls' means."""

from collections.abc import Mapping

import pandas as pd

from zfutils.deconv.top_projections import TopProjections

KINDS = {  # columns of `faithfulness.recovery`, in words
    "same_picture": "two maps, one picture",
    "same_map": "one map, two pictures",
    "edges": "with the picture's edges",
}


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
            "cut at the border": f"{1 - top.inside.all((2, 3)).mean():.0%}",
            "maps that never answer": int((top.strongest.values[:, 0] <= 0).sum()),
        }
        for name, top in tops.items()
    )


def parts_table(
    energy: Mapping[tuple[str, str], pd.DataFrame], *, network: str = "trained", n: int = 4
) -> pd.DataFrame:
    """The maps of each layer whose projections hold most of their energy on one part.

    Args:
        energy: by network and layer, as `dissection.part_energy` gives them.
        network: whose maps.
        n: so many of each layer, those of the highest score first.
    """
    return pd.DataFrame(
        {
            "layer": layer[-1],
            "map": row.map,
            "part": row.part,
            "energy over area": f"{2**row.score:.1f}×",
            "pictures scored": row.n_scored,
        }
        for (name, layer), table in energy.items()
        if name == network
        for row in table.dropna(subset=["score"]).nlargest(n, "score").itertuples()
    )


def recovery_table(recovered: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean correlations of projections, one row per network.

    Args:
        recovered: by network, as `faithfulness.recovery` gives them.
    """
    return pd.DataFrame(
        {"network": network}
        | {words: f"{table[kind].mean():.2f}" for kind, words in KINDS.items()}
        | {"pictures": len(table)}
        for network, table in recovered.items()
    )


def rules_table(rules: pd.DataFrame) -> pd.DataFrame:
    """What the rules for a shared switch change, means over pictures, one row per layer and rule.

    Args:
        rules: as `faithfulness.shared_switches` gives it.
    """
    means = rules.groupby(["layer", "rule"])[["correlation", "difference"]].mean().reset_index()
    return pd.DataFrame(
        {
            "layer": row.layer[-1],
            "rule": f"the {row.rule} alone",
            "correlation": f"{row.correlation:.3f}",
            "difference": f"{row.difference:.0%}",
        }
        for row in means.itertuples()
    )
