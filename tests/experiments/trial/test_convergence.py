"""Cosines of signals on their way down: networks whose signals are known by hand."""

from collections import OrderedDict

import numpy as np
import pytest
import small
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.experiments.trial import convergence
from zfutils.runtime.seeds import mixed


def classifier(weight):
    """The first colour of a 2×2 picture, rectified; then a fully connected layer."""
    top = nn.Linear(4, len(weight), bias=False)
    top.weight.data = torch.as_tensor(weight, dtype=torch.float32)
    return nn.Sequential(OrderedDict(conv1=small.red(), relu1=nn.ReLU(), flatten=nn.Flatten(), fc2=top))


def bright(n):
    """Pictures in which every ReLU is active."""
    return Inputs.of(small.stored(np.full((n, 2, 2, 3), 100)))


def cosines(signals):
    pairs = [(i, j) for i in range(len(signals)) for j in range(i)]
    lengths = np.linalg.norm(signals, axis=1)
    return np.mean([abs(signals[i] @ signals[j]) / lengths[i] / lengths[j] for i, j in pairs])


def test_where_nothing_converges_the_cosine_is_that_of_the_starts_and_of_rectified_starts():
    table = convergence.convergence(classifier(np.eye(4)), bright(3), seed=6)
    draw = torch.Generator().manual_seed(mixed(6, convergence.STARTS))
    noise = torch.randn(convergence.STARTS, 4, generator=draw).double().numpy()
    rectified = cosines(noise.clip(0))
    assert rectified != pytest.approx(cosines(noise), abs=0.05)
    for method, at_pixels in (("gradient", cosines(noise)), ("deconvnet", rectified), ("guided", rectified)):
        rows = table[table["method"] == method].set_index("layer")["same_picture"]
        assert rows["start"].to_numpy() == pytest.approx(cosines(noise), abs=1e-6)
        assert rows["fc2"].to_numpy() == pytest.approx(cosines(noise), abs=1e-6)
        assert rows["conv1"].to_numpy() == pytest.approx(at_pixels, abs=1e-6)
    assert table["same_start"].to_numpy() == pytest.approx(1)  # the pictures are alike


def test_a_layer_of_rank_one_makes_all_signals_one():
    model = classifier(np.outer([1.0, -2, 3, 0.5, 1], [1.0, 2, 3, 4]))
    table = convergence.convergence(model, bright(2))
    rows = table[table["method"] == "gradient"].set_index("layer")["same_picture"]
    assert (rows["start"] < 0.99).all()
    assert rows[["fc2", "conv1"]].to_numpy() == pytest.approx(1)


def test_the_same_start_goes_apart_where_pictures_differ_and_a_last_picture_alone_has_no_neighbour():
    table = convergence.convergence(small.built(), small.seen(5), batch=2)
    at = table.set_index(["picture", "method", "layer"]).sort_index()["same_start"]
    assert at.loc[0, :, "start"].to_numpy() == pytest.approx(1)
    assert at.loc[:3, "gradient", "conv1"].max() < 0.99
    assert at.loc[4].isna().all()
    assert table["same_picture"].between(0, 1 + 1e-6).all()
    assert table["layer"].unique().tolist() == ["start", "fc4", "fc3", "conv2", "conv1"]


def test_the_mean_over_pictures_leaves_out_those_without_a_neighbour():
    tables = {"trained": convergence.convergence(classifier(np.eye(4)), bright(9), batch=4)}
    curves = convergence.curves(tables).set_index(["method", "layer", "kind"])
    assert curves.loc[("deconvnet", "conv1", "same_start"), ["estimate", "n"]].tolist() == pytest.approx(
        [1, 8]
    )
    assert curves.loc[("deconvnet", "conv1", "same_picture"), "n"] == 9


def test_one_rectification_makes_independent_noise_alike_by_one_over_pi():
    first, second = np.random.default_rng(0).normal(size=(2, 400_000)).clip(0)
    found = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert found == pytest.approx(convergence.ONE_RECTIFICATION, abs=0.005)
