"""Tables of chapter 1: counts and shares worked out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from small import SPEC
from torch import nn

from zfutils.experiments.architecture import aliasing
from zfutils.experiments.architecture.tables import (
    aliasing_table,
    dead_table,
    error_table,
    first_layer,
    share_table,
)
from zfutils.nets import zoo
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
    assert row["ten crops"] == "0.0\u00a0%\u00a0[0.0,\u00a027.8]"
    assert row["centre crop"] == "50.0\u00a0%\u00a0[23.7,\u00a076.3]"
    # conv1 8·75 + 8, conv2 12·72 + 12, then vectors of 12·3·3, 24 and 3
    assert row["parameters"] == f"{608 + 876 + 24 * 108 + 24 + 3 * 24 + 3:,}"
    assert row["training (s)"] == "1,234"


def test_shares_of_the_picture_are_the_papers_at_its_own_size_and_near_them_to_scale():
    specs = {"the paper's ZFNet": zoo.zfnet(), "to scale": zoo.zfnet().at(128), "two layers": zoo.zfnet()}
    specs["two layers"] = specs["two layers"].without("conv3", "conv4")
    paper, scaled, shallow = share_table(specs, {"to scale": 1234.4}).to_dict("records")
    # 7, 27, 75, 107 and 139 of 224 px; 5, 17, 41, 57 and 73 of 128
    layers = [f"conv{k}" for k in range(1, 6)]
    assert [paper[n] for n in layers] == [f"{share}\u00a0%" for share in (3.1, 12.1, 33.5, 47.8, 62.1)]
    assert [scaled[n] for n in layers] == [f"{share}\u00a0%" for share in (3.9, 13.3, 32.0, 44.5, 57.0)]
    assert (paper["maps of layer 5 (px)"], scaled["maps of layer 5 (px)"]) == (13, 13)
    assert (paper["images/s"], scaled["images/s"]) == ("–", "1,234")
    assert (shallow["conv3"], shallow["conv5"]) == ("", "33.5\u00a0%")


def test_the_first_layer_is_named_by_its_window():
    assert first_layer(zoo.krizhevsky()) == "11×11, stride 4"
    assert first_layer(zoo.zfnet().at(128)) == "5×5, stride 2"


def test_the_table_of_aliasing_shows_both_arms_and_their_difference():
    levels = {
        "Krizhevsky": {"trained": 3.0, "random weights": 1.0},
        "ZFNet": {"trained": 1.0, "random weights": 0.5},
    }
    by_map = {(k, w): np.full(8, level) for k, own in levels.items() for w, level in own.items()}
    strides = {"ZFNet": 2, "Krizhevsky": 4}
    found = aliasing.prominence_beyond_random(by_map)
    zfnet, krizhevsky, difference = aliasing_table(by_map, strides, found).to_dict("records")
    assert (zfnet["stride of layer 1"], krizhevsky["stride of layer 1"]) == ("2", "4")
    assert krizhevsky["trained"] == "3.00\u00a0[3.00,\u00a03.00]"
    assert (difference["trained"], difference["random weights"]) == ("2.00", "0.50")
    assert difference["trained minus random weights"] == "1.50\u00a0[1.50,\u00a01.50]"
    few = {key: values[:3] for key, values in by_map.items()}
    assert aliasing_table(few, strides, None)["trained"].tolist() == ["too few maps", "too few maps", "–"]
