"""A chain layer by layer: the forward pass in pieces, whose gradients join to those of the whole."""

from itertools import pairwise

import pytest
import torch
from small import SPEC
from torch import nn

from zfutils.nets.layers import layer_by_layer, layers_of

NAMES = ["conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "flatten"]
NAMES += ["fc3", "relu3", "drop3", "fc4"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SPEC.build().eval()


@pytest.fixture
def images():
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_every_layer_is_given_what_the_one_before_it_gave(model, images):
    ran = list(layer_by_layer(model, images))
    assert [layer.name for layer in ran] == NAMES
    assert ran[0].input is images
    assert all(above.input is below.output for below, above in pairwise(ran))
    assert all(model.get_submodule(layer.name) is layer.module for layer in ran)
    torch.testing.assert_close(ran[-1].output, model(images), rtol=0, atol=0)


def test_a_layer_runs_when_it_is_asked_for_and_not_before(model, images):
    model.fc3 = None  # would fail
    walk = layer_by_layer(model, images)
    assert [next(walk).name for _ in range(8)] == NAMES[:8]
    with pytest.raises(TypeError):
        next(walk)


def test_layers_apart_run_backward_one_by_one_to_the_gradients_of_the_whole(model, images):
    labels = torch.tensor([0, 1, 2, 0])
    nn.functional.cross_entropy(model(images), labels).backward()
    expected = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    ran = list(layer_by_layer(model, images, apart=True))
    assert all(layer.input.is_leaf for layer in ran)
    assert [layer.input.requires_grad for layer in ran] == [False] + [True] * (len(ran) - 1)
    logits = ran[-1].output.detach().requires_grad_()
    nn.functional.cross_entropy(logits, labels).backward()
    gradient = logits.grad
    for layer in reversed(ran):
        layer.output.backward(gradient)
        gradient = layer.input.grad
    assert gradient is None, "the images need none"
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name])


def test_layers_of_a_kind_are_found_by_name_in_order_and_in_nested_chains(model):
    assert list(layers_of(model, nn.Conv2d, nn.Linear)) == ["conv1", "conv2", "fc3", "fc4"]
    assert layers_of(model, nn.ReLU)["relu2"] is model.relu2
    assert list(layers_of(model)) == NAMES
    shared = nn.ReLU()
    nested = nn.Sequential(nn.Sequential(nn.Conv2d(3, 2, 3), shared), nn.Conv2d(2, 2, 3), shared)
    assert list(layers_of(nested, nn.ReLU)) == ["relu1", "relu2"]
    with pytest.raises(ValueError, match="Conv2d is no plain chain of layers"):
        layers_of(nn.Conv2d(3, 2, 3), nn.ReLU)
