"""The curves of a tiny network, and of the control whose weights move in step."""

import numpy as np
import pytest
import small
import torch
from torch import nn

from zfutils.experiments.evolution import trajectories
from zfutils.experiments.evolution.similarity import debiased_cka, pooled_features
from zfutils.training.initialisation import initialise

LAYERS = ["relu1", "relu2", "relu3"]


def network(seed):
    model = small.SPEC.build()
    initialise(model, "he", seed=seed, paper=small.SPEC)
    return model


def way(seed):
    """A network that leaves the straight line: layer 1 arrives at once, the others a little later each."""
    shares = {0: (0.0, 0.0), 1: (1.0, 0.2), 4: (1.0, 0.6), 6: (1.0, 1.0)}
    snapshots, (start, end) = {}, (network(seed).state_dict(), network(seed + 100).state_dict())
    for epoch, (first, others) in shares.items():
        share = {name: first if name.startswith("conv1") else others for name in start}
        snapshots[epoch] = small.SPEC.build()
        weights = {name: start[name] + share[name] * (end[name] - start[name]) for name in start}
        snapshots[epoch].load_state_dict(weights)
    return snapshots


@pytest.fixture(scope="module")
def pictures():
    inputs = small.seen(120)
    return inputs[:60], inputs[60:]


@pytest.fixture(scope="module")
def measured(pictures):
    return trajectories.measure(way(0), *pictures, layers=LAYERS, name="network, seed 0")


def of_weights(*values):
    """A network of one weight for each value, two of them in every layer."""
    layers = [nn.Linear(2, 1, bias=False) for _ in values[::2]]
    for layer, pair in zip(layers, zip(values[::2], values[1::2], strict=True), strict=True):
        layer.weight.data = torch.tensor([pair])
    return nn.Sequential(*layers)


# ---- weights moved in step


def test_how_far_along_is_the_nearest_point_of_the_line_for_all_weights_together():
    snapshots = {0: of_weights(0.0, 0.0, 1.0, 1.0), 7: of_weights(2.0, 0.0, 1.0, 2.0)}
    snapshots[2] = of_weights(2.0, 3.0, 1.0, 1.0)  # (2, 3, 0, 0) · (2, 0, 0, 1) / 5
    snapshots[5] = of_weights(1.0, 0.0, 0.0, 1.5)
    assert trajectories.shares_of_the_way(snapshots) == pytest.approx({0: 0, 2: 0.8, 5: 0.5, 7: 1})


def test_weights_in_step_are_as_far_in_every_layer_and_leave_the_ends_as_they_were():
    first, last = of_weights(0.0, 4.0, 1.0, 1.0), of_weights(2.0, 0.0, 1.0, 2.0)
    moved = trajectories.between(first, last, 0.25)
    assert [p.tolist() for p in moved.parameters()] == [[[0.5, 3.0]], [[1.0, 1.25]]]
    assert first[0].weight.tolist() == [[0.0, 4.0]]
    assert last[0].weight.tolist() == [[2.0, 0.0]]


# ---- the curves


def test_every_snapshot_is_compared_with_the_last(pictures, measured):
    _, validation = pictures
    assert measured["epochs"].tolist() == [0, 1, 4, 6]
    features = {e: pooled_features(model, validation, layers=LAYERS) for e, model in way(0).items()}
    expected = [
        [debiased_cka(features[epoch][layer], features[6][layer]) for layer in LAYERS]
        for epoch in (0, 1, 4, 6)
    ]
    np.testing.assert_allclose(measured["cka"], expected, atol=1e-6)
    assert measured["cka"][1, 0] == pytest.approx(1)  # layer 1 is there at once
    assert measured["cka"][1, 2] < 1
    assert ((measured["probe"] >= 0) & (measured["probe"] <= 1)).all()


def test_the_control_begins_and_ends_as_the_network_and_is_on_the_line_between(pictures, measured):
    _, validation = pictures
    for name in ("cka", "probe"):
        np.testing.assert_array_equal(measured[name][[0, -1]], measured[f"{name}_in_step"][[0, -1]])
    snapshots = way(0)
    share = measured["along"][1]
    assert 0.2 < share < 1
    model, (start, end) = small.SPEC.build(), (snapshots[0].state_dict(), snapshots[6].state_dict())
    model.load_state_dict({name: start[name] + share * (end[name] - start[name]) for name in start})
    seen, last = (pooled_features(one, validation, layers=LAYERS) for one in (model, snapshots[6]))
    expected = [debiased_cka(seen[layer], last[layer]) for layer in LAYERS]
    np.testing.assert_allclose(measured["cka_in_step"][1], expected, atol=1e-4)
    assert measured["cka_in_step"][1, 0] < measured["cka"][1, 0]


def test_a_line_is_printed_for_each_snapshot(pictures, capsys):
    trajectories.measure(way(0), *pictures, layers=LAYERS, name="network, seed 0")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith("network, seed 0, epoch 6: CKA with the last relu1 1.00, relu2 1.00")


def test_a_dead_layer_has_no_similarity_but_does_not_end_the_chapter(pictures):
    snapshots = way(0)
    snapshots[1].conv2.bias.data.fill_(-1e3)
    found = trajectories.measure(snapshots, *pictures, layers=LAYERS)
    assert np.argwhere(np.isnan(found["cka"])).tolist() == [[1, 1], [1, 2]]


def test_a_way_needs_a_start_before_training_and_an_end(pictures):
    for epochs in ([0], [1, 6]):
        with pytest.raises(ValueError, match=r"from epoch 0 to a later one, got snapshots"):
            trajectories.measure({e: network(0) for e in epochs}, *pictures, layers=LAYERS)
