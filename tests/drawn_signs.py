"""Tables of signs as networks would leave them, with what tells each fault known."""

import numpy as np
import pandas as pd

from zfutils.experiments.diagnosis.faults import KINDS, LEAK, SHUFFLED
from zfutils.experiments.diagnosis.signs import SIGNS


def drawn(seeds=16, *, told=True, seed=0):
    """Noise in every sign; where it is told, shuffled labels raise the gap and the leak what falls beside."""
    rng = np.random.default_rng(seed)
    rows = []
    for name in KINDS:
        for s in range(seeds):
            row = {"network": name, "seed": s, "test_error": 0.1, "ended": True}
            row |= dict(zip(SIGNS, rng.normal(size=len(SIGNS)), strict=True))
            if told and name == SHUFFLED:
                row |= {"gap": row["gap"] + 100, "test_error": 0.9 + 0.001 * s}
            if told and name == LEAK:
                row["falls_beside"] += 100
                row["rank_conv"] -= 100
            rows.append(row)
    return pd.DataFrame(rows)
