"""Maps while layers are given initial weights: autograd's gradient, scipy's ranks, weights layer by layer."""

from collections import OrderedDict
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import small
import torch
from scipy import stats
from small import PLAIN, built
from torch import nn

from zfutils.deconv.deconvnet import Deconvnet, Units
from zfutils.experiments.trial import randomisation


@pytest.fixture(scope="module")
def inputs():
    return small.seen(24)


def test_the_gradients_map_is_autograds_whatever_the_sign_of_the_logit(inputs):
    model, pictures = built(PLAIN), inputs[:5].tensor()
    labels = torch.tensor([0, 1, 2, 0, 1])
    found = randomisation.class_maps(model, pictures, labels)["gradient"]
    pixels = pictures.clone().requires_grad_()
    model(pixels).gather(1, labels[:, None]).sum().backward()
    np.testing.assert_allclose(found, pixels.grad.norm(dim=1).numpy(), rtol=1e-4, atol=1e-7)
    shifted = deepcopy(model)
    shifted.fc4.bias.data -= 1000
    maps = [randomisation.class_maps(m, pictures, labels) for m in (model, shifted)]
    for method in randomisation.METHODS:
        np.testing.assert_array_equal(maps[0][method], maps[1][method])


def test_each_methods_map_is_the_one_of_a_recording_of_its_own(inputs):
    """One way up serves all methods, and the deconvnet does not read which units were active on it."""
    model, pictures, labels = built(PLAIN), inputs[:5].tensor(), torch.tensor([0, 1, 2, 0, 1])
    found = randomisation.class_maps(model, pictures, labels)
    zeros = torch.zeros_like(labels)
    units = Units(torch.arange(5), labels, zeros, zeros)
    for method in randomisation.METHODS:
        recording = randomisation.seeded_with_ones(
            Deconvnet(model, nonlinearity=method).forward(pictures, "fc4")
        )
        np.testing.assert_array_equal(found[method], recording.project(units).pixels.norm(dim=1).numpy())
    assert not np.allclose(found["deconvnet"], found["guided"])


@pytest.mark.parametrize("cascading", [True, False])
def test_layers_are_given_initial_weights_from_the_top_down_or_one_at_a_time(cascading):
    trained, initial = built(PLAIN), built(PLAIN, seed=1)
    layers, order = ["fc4", "fc3", "conv2", "conv1"], []
    for step, (layer, network) in enumerate(randomisation.randomised(trained, initial, cascading=cascading)):
        order.append(layer)
        for i, name in enumerate(layers):
            drawn = i <= step if cascading else i == step
            wanted = initial if drawn else trained
            assert torch.equal(network.get_submodule(name).weight, wanted.get_submodule(name).weight)
    assert order == layers


def test_a_batch_norm_goes_with_the_layer_below_it():
    def network(seed):
        torch.manual_seed(seed)
        model = nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 2, 3), bn1=nn.BatchNorm2d(2), relu1=nn.ReLU()))
        model.add_module("conv2", nn.Conv2d(2, 2, 3))
        model.bn1.running_mean += seed
        return model.eval()

    for cascading in (True, False):
        steps = randomisation.randomised(network(0), network(5), cascading=cascading)
        assert [m.bn1.running_mean.tolist() for _, m in steps] == [[0, 0], [5, 5]]


def test_without_randomisation_maps_are_themselves_and_the_networks_are_left_alone(inputs):
    model, initial = built(PLAIN).train(), built(PLAIN, seed=1)
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in (model, initial)]
    table = randomisation.randomisation(model, model, inputs[:3])
    same = table[table["order"] != "control"]
    assert len(same) == 3 * 3 * 2 * 4
    assert same["spearman"].to_numpy() == pytest.approx(1)
    assert same["ssim"].to_numpy() == pytest.approx(1)
    randomisation.randomisation(model, initial, inputs[:3])
    for network, state in zip((model, initial), before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert model.training


def test_rank_correlations_are_scipys_between_the_trained_and_the_randomised_networks_maps(inputs):
    model, initial = built(), built(seed=1)
    some = inputs.at(torch.tensor([7, 2, 11]))
    table = randomisation.randomisation(model, initial, some, batch=2)
    assert len(table) == 3 * 3 * (2 * 4 + 2)
    labels, table = (
        torch.tensor([1, 2, 2]),
        table.set_index(["method", "order", "layer", "picture"]).sort_index(),
    )
    own, other_class, drawn = (
        randomisation.class_maps(network, some.tensor(), of)
        for network, of in ((model, labels), (model, torch.tensor([2, 0, 0])), (initial, labels))
    )
    for method in randomisation.METHODS:
        after = {
            ("cascading", "conv1"): drawn[method],
            ("control", "another class"): other_class[method],
            ("control", "another image"): own[method][[1, 2, 0]],
        }
        for change, maps in after.items():
            pairs = zip(own[method], maps, strict=True)
            expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in pairs]
            found = table.loc[(method, *change)].loc[[7, 2, 11], "spearman"]
            assert found.to_numpy() == pytest.approx(expected, abs=1e-6)
    assert table["ssim"].dropna().between(-1, 1).all()


def test_the_curves_have_a_mean_for_every_change_of_the_pictures_that_have_it():
    rows = [
        (picture, "deconvnet", order, layer, level + 0.01 * picture, 0.5)
        for picture in range(10)
        for order, layer, level in (
            ("control", "another class", 0.2), ("cascading", "fc8", 0.9), ("cascading", "fc7", 0.6)
        )
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["picture", "method", "order", "layer", "spearman", "ssim"])
    table.loc[(table["picture"] == 9) & (table["layer"] == "fc7"), "spearman"] = np.nan
    curves = randomisation.randomisation_curves(table)
    assert curves["layer"].unique().tolist() == ["another class", "fc8", "fc7"]
    ranks = curves[curves["measure"] == "spearman"]
    assert ranks["estimate"].to_numpy() == pytest.approx([0.245, 0.945, 0.64])
    assert ranks["n"].tolist() == [10, 10, 9]
    flat = curves[curves["measure"] == "ssim"]
    assert flat[["estimate", "low", "high"]].to_numpy() == pytest.approx(0.5)
