"""Rows of Table 3 that the tests of chapter 8 share."""

import pytest
from table_3_rows import of_seeds, outcome

from zfutils.experiments.ablation import contributions
from zfutils.experiments.ablation.contributions import REPLICA, WIDEST, ZFNET

SMALLER = "krizhevsky: layers 6, 7: 2048 units"


@pytest.fixture
def networks():
    """The widest network's training errors differ by seed, and the second's loss was still falling."""
    made = {
        REPLICA: of_seeds(8, 8, 8),
        contributions.WITHOUT["34"]: of_seeds(10, 10, 10),
        contributions.WITHOUT["67"]: of_seeds(9, 10, 11),
        contributions.WITHOUT["3467"]: of_seeds(16, 16, 16),
        SMALLER: of_seeds(8, 9, 10),
        ZFNET: of_seeds(6, 7, 8, epochs=6),
    }
    widest = {s: outcome(7, train=0.025 * s, ended=s != 1, epochs=5 + s) for s in range(3)}
    return made | {WIDEST: widest}
