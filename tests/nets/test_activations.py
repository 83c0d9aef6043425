"""The one walk: what layers give is what the network's parts give, and the network is left as it was."""

from collections import OrderedDict

import pytest
import small
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import activations, evaluating, forward

LAYERS = ("relu2", "conv1", "relu1", "pool1", "fc4")


@pytest.fixture
def model():
    return small.built().train()


@pytest.fixture(scope="module")
def inputs():
    return Inputs.of(small.pictures(11), torch.tensor([7, 0, 10, 3, 4]), side=32, scale=1 / 64)


def pixelwise(weights, **layers):
    """Convolutions of one pixel and one map each, with other layers, in the order given."""
    modules = OrderedDict()
    for name, value in (weights | layers).items():
        if not isinstance(value, nn.Module):
            weight, value = value, nn.Conv2d(1, 1, 1, bias=False)
            value.weight.data.fill_(weight)
        modules[name] = value
    return nn.Sequential(modules)


def modes(model):
    return {name: module.training for name, module in model.named_modules()}


# ---- what is found


def test_every_layer_gives_what_the_networks_first_part_gives_in_the_order_asked_for(model, inputs):
    images, names = inputs.tensor(), list(model._modules)
    found = forward(model, images, LAYERS)
    assert tuple(found) == LAYERS
    with torch.no_grad():
        for layer, values in found.items():
            expected = model.eval()[: names.index(layer) + 1](images)
            torch.testing.assert_close(values, expected, rtol=1e-5, atol=1e-6)
            assert not values.requires_grad


def test_a_gradient_with_respect_to_the_images_is_that_of_the_bare_parts_and_stays_off_unless_asked(model):
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = []
    for walk in (lambda x: forward(model, x, ["conv2"], gradient=True)["conv2"], model.eval()[:5]):
        x = images.clone().requires_grad_()
        found.append(torch.autograd.grad(walk(x).square().sum(), x)[0])
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)
    assert found[0].abs().max() > 0
    assert not forward(model, images.requires_grad_(), ["conv2"])["conv2"].requires_grad


def test_batches_follow_the_images_and_hold_their_labels_and_rows(model, inputs):
    whole = forward(model, inputs.tensor(), ["relu2", "fc4"])
    seen = list(activations(model, inputs, ["relu2", "fc4"], batch=2))
    assert [len(one.images) for one in seen] == [2, 2, 1]
    assert torch.cat([one.rows for one in seen]).tolist() == [7, 0, 10, 3, 4]
    assert torch.cat([one.labels for one in seen]).tolist() == [1, 0, 1, 0, 1]
    assert torch.equal(torch.cat([one.images for one in seen]), inputs.tensor())
    for layer, expected in whole.items():
        found = torch.cat([one.layers[layer] for one in seen])
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_the_walk_ends_at_the_last_layer_that_is_asked_for(model, inputs):
    model.fc3 = nn.Linear(5, 5)  # would not fit
    assert list(forward(model, inputs.tensor(), ["pool2", "conv1"])) == ["pool2", "conv1"]


def test_a_later_layer_that_works_in_place_changes_neither_what_was_kept_nor_the_images():
    model = pixelwise({"conv1": -1.0}, relu1=nn.ReLU(inplace=True), drop1=nn.Dropout(inplace=True))
    images = torch.tensor([[1.0, -2.0]]).view(1, 1, 1, 2)
    found = forward(model, images, ["conv1", "relu1"])
    assert found["conv1"].flatten().tolist() == [-1, 2]
    assert found["relu1"].flatten().tolist() == [0, 2]
    first = pixelwise({}, relu0=nn.ReLU(inplace=True), conv1=nn.Conv2d(1, 1, 1))
    forward(first, images, ["conv1"])
    assert images.flatten().tolist() == [1, -2]


def test_a_module_that_stands_twice_is_found_under_both_its_names():
    relu = nn.ReLU()
    model = pixelwise({"conv1": 2.0}, relu1=relu, conv2=nn.Conv2d(1, 1, 1, bias=False), relu2=relu)
    model.conv2.weight.data.fill_(-3)
    images = torch.tensor([[1.0, -2.0]]).view(1, 1, 1, 2)
    found = forward(model, images, ["relu1", "conv2", "relu2"])
    assert {name: x.flatten().tolist() for name, x in found.items()} == {
        "relu1": [2, 0], "conv2": [-6, 0], "relu2": [0, 0],
    }  # fmt: skip


def test_a_network_in_double_precision_is_given_its_images_in_double(model, inputs):
    single = forward(model, inputs.tensor(), ["relu2"])["relu2"]
    model.double()
    (seen,) = activations(model, inputs, ["relu2"])
    assert seen.images.dtype == seen.layers["relu2"].dtype == torch.float64
    assert forward(model, inputs.tensor(), ["fc4"])["fc4"].dtype == torch.float64
    torch.testing.assert_close(seen.layers["relu2"].float(), single, rtol=1e-4, atol=1e-6)
    rounded = seen.layers["relu2"].float().double()
    assert (rounded != seen.layers["relu2"]).any(), "computed in single precision"


# ---- the network is used as in evaluation and left as it was


def test_dropout_is_of_no_effect_and_every_module_gets_its_own_mode_back(model, inputs):
    model.train()
    model.conv2.eval()
    before = modes(model)
    first, again = (forward(model, inputs.tensor(), ["fc4"])["fc4"] for _ in range(2))
    assert torch.equal(first, again)
    walk = activations(model, inputs, ["fc4"], batch=2)
    next(walk)
    assert modes(model) == before, "also between batches"
    assert torch.is_grad_enabled()
    list(walk)
    assert modes(model) == before


def test_modes_are_restored_after_an_error(model, inputs):
    model.train()
    model.relu1.eval()
    before = modes(model)
    with pytest.raises(ValueError, match="fc3"):
        forward(model, inputs.whole().tensor(), ["fc4"])
    assert modes(model) == before

    def fail():
        with evaluating(model, model.conv1):
            assert not any(modes(model).values())
            assert not torch.is_grad_enabled()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert modes(model) == before
    assert torch.is_grad_enabled()


# ---- refusals


def test_a_layer_that_is_not_there_is_named_before_the_first_batch(model, inputs):
    with pytest.raises(ValueError, match="layer 'relu9' is not in this network; it has conv1, relu1, pool1"):
        activations(model, inputs, ["relu2", "relu9"])
    with pytest.raises(ValueError, match="no layer is asked for; the network has conv1"):
        activations(model, inputs, [])
    with pytest.raises(ValueError, match="layer 'images' is not in this network"):
        forward(model, inputs.tensor(), ["images"])


def test_images_that_a_layer_cannot_take_are_refused_by_the_layers_name(model, inputs):
    with pytest.raises(ValueError, match=r"fc3 \(Linear\) cannot take what comes to it, \(5, 192\)"):
        forward(model, inputs.whole().tensor(), ["fc4"])
    with pytest.raises(ValueError, match=r"conv1 \(Conv2d\) cannot take what comes to it, \(5, 1, 32, 32\)"):
        forward(model, inputs.tensor()[:, :1], ["relu1"])
    with pytest.raises(ValueError, match=r"conv1 \(Conv2d\) cannot take .*\(5, 3, 3, 3\)"):
        next(activations(model, Inputs.of(inputs.images, inputs.rows, side=3), ["relu1"]))
    assert forward(model, inputs.whole().tensor(), ["relu2"])["relu2"].shape == (5, 12, 9, 9)
