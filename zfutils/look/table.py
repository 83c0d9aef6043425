"""The steps of a network as a table that a page of the book shows."""

from collections.abc import Sequence

import pandas as pd

from zfutils.look.drawing import gives, slides
from zfutils.nets.outline import Line


def steps(lines: Sequence[Line], shown: Sequence[str]) -> pd.DataFrame:
    """One row for each step: what it does, what it gives, what a unit sees (pixels), and whether it is shown.

    Args:
        lines: of the network, as `nets.outline.outline` gives them.
        shown: names of the layers that are looked at.
    """
    return pd.DataFrame(
        {
            "step": line.name,
            "does": line.does + slides(line.window),
            "gives": gives(line.shape),
            "a unit sees": f"{line.field.kernel} px" if line.field else "all",
            "every": f"{line.field.stride} px" if line.field else "",
            "looked at": "yes" if line.name in shown else "",
        }
        for line in lines
    )
