"""Tables of chapter 1: counts and shares worked out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from small import SPEC
from torch import nn

from zfutils.experiments.architecture.tables import dead_table, error_table
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import Scores


def test_dead_filters_are_counted_for_every_network_and_time():
    blank, silent = np.array([True, False, False]), np.array([True, True, False])
    table = pd.DataFrame({"blank": blank, "silent": silent, "dead": blank | silent})
    shown = dead_table(
        {"before training": {"ZFNet": ~table}, "trained": {"ZFNet": table, "other": table[1:]}}
    )
    assert shown.to_numpy().tolist() == [
        ["ZFNet, before training", "2 of 3", "1 of 3", "1 of 3"],
        ["ZFNet, trained", "1 of 3", "2 of 3", "2 of 3"],
        ["other, trained", "0 of 2", "1 of 2", "1 of 2"],
    ]  # fmt: skip


def test_errors_have_their_interval_and_networks_their_cost():
    right = np.eye(3)[[0] * 10]
    scores = {
        ("ZFNet", 10): Scores(right, np.zeros(10, dtype=int)),
        ("ZFNet", 1): Scores(right, np.arange(10) % 2),  # half are of the second class
    }
    record = {"seconds": 1234.5}
    trained = Trained(SPEC, nn.Sequential(), pd.DataFrame(), record, Path(), torch.device("cpu"))
    (row,) = error_table({"ZFNet": trained}, scores).to_dict("records")
    # Wilson, n = 10, z = 1.96: 0 of 10 has 0…z²/(n + z²), 5 of 10 has 0.5 ± 0.263
    assert row["ten crops"] == "0.0 % [0.0, 27.8]"
    assert row["centre crop"] == "50.0 % [23.7, 76.3]"
    # conv1 8·75 + 8, conv2 12·72 + 12, then vectors of 12·3·3, 24 and 3
    assert row["parameters"] == f"{608 + 876 + 24 * 108 + 24 + 3 * 24 + 3:,}"
    assert row["training (s)"] == "1,234"
