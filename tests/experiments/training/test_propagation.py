"""Signal propagation: standard deviations against hand-worked ones, and what the initialisations predict."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.experiments.training.propagation import by_layer, by_rule, logits_ratios
from zfutils.nets import specs, zoo
from zfutils.nets.geometry import Window
from zfutils.training.initialisation import initialise

SMALL = zoo.zfnet(10, 64).scaled(0.1)
PAPER = zoo.zfnet(10, 64)


def noise(n=8, seed=0):
    """Gaussian noise of standard deviation 30 in whole levels around the mean."""
    generator = torch.Generator().manual_seed(seed)
    levels = 128 + 30 * torch.randn(n, 64, 64, 3, generator=generator)
    pixels, mean = levels.round().clamp(0, 255).byte(), torch.full((64, 64, 3), 128.0)
    classes, names = tuple(map(str, range(10))), tuple(map(str, range(n)))
    return Inputs.of(Pixels(pixels, torch.arange(n) % 10, mean, classes, names, {}))


def batch(n):
    inputs = noise(n)
    return inputs.tensor(), inputs.labels


def std(table, layer, quantity="activation", **where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table[(table.layer == layer) & (table.quantity == quantity)]["std"].item()


def test_a_linear_network_has_the_standard_deviations_worked_out_by_hand():
    model = nn.Sequential()
    model.add_module("fc1", nn.Linear(1, 2))
    with torch.no_grad():
        model.fc1.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        model.fc1.bias.zero_()
    # Logits are ±1 for the first image, ±3 for the second: mean 0, mean square (1 + 1 + 9 + 9) / 4 = 5.
    table = by_layer(model, torch.tensor([[1.0], [3.0]]), torch.tensor([0, 0]))
    assert std(table, "fc1") == pytest.approx(math.sqrt(5))
    # An image's gradient is (p - 1, 1 - p) with p = sigmoid(2x), x half the logits' difference.
    away = [1 - 1 / (1 + math.exp(-2 * x)) for x in (1, 3)]
    root = math.sqrt((away[0] ** 2 + away[1] ** 2) / 2)
    assert std(table, "fc1", "activation gradient") == pytest.approx(root, rel=1e-5)
    # The weights' gradient is that of the mean loss, ± (1·away + 3·away) / 2.
    mean = (away[0] + 3 * away[1]) / 2
    assert std(table, "fc1", "weight gradient") == pytest.approx(mean, rel=1e-5)


def test_a_layer_is_its_relu_and_the_classifier_its_logits():
    model = SMALL.build()
    initialise(model, "he", seed=0, paper=PAPER)
    images, labels = batch(2)
    table = by_layer(model, images, labels)
    assert list(table[table.quantity == "activation"].layer) == list(SMALL.layers)
    with torch.no_grad():
        after = nn.functional.relu(model.conv1(images))
        logits = model.eval()(images)
    assert std(table, "conv1") == pytest.approx(after.std(correction=0).item(), rel=1e-5)
    assert std(table, "fc8") == pytest.approx(logits.std(correction=0).item(), rel=1e-5)


@pytest.mark.parametrize("layer", ["conv1", "conv4", "fc6", "fc8"])
def test_weight_gradients_are_those_of_back_propagation(layer):
    model = SMALL.build().eval()
    initialise(model, "he", seed=0, paper=PAPER)
    images, labels = batch(4)
    table = by_layer(model, images, labels)
    nn.functional.cross_entropy(model(images), labels).backward()
    expected = model.get_submodule(layer).weight.grad.std(correction=0).item()
    assert std(table, layer, "weight gradient") == pytest.approx(expected, rel=1e-4)


def test_layer_1_of_the_literal_rule_follows_its_fan_in():
    """On Gaussian inputs of standard deviation s a filter's sum has 0.01 · s · sqrt(fan-in); away from the
    padded border the ReLU of a Gaussian keeps sqrt(1/2 - 1/2π) of it."""
    wide = zoo.zfnet(10, 64)
    convolutions = (specs.Convolution("conv1", 96, Window(7, 2, 0)),)
    spec = specs.NetworkSpec("one layer", convolutions, (), "fc2", 10, 64)
    table = by_rule({"one": spec}, noise(16, seed=1), paper=wide)
    measured = np.mean([std(table, "conv1", rule="literal", seed=seed) for seed in range(3)])
    expected = 0.01 * 30 * math.sqrt(7 * 7 * 3) * math.sqrt(1 / 2 - 1 / (2 * math.pi))
    assert measured == pytest.approx(expected, rel=0.05)


def test_the_literal_rule_loses_the_signal_where_the_others_keep_it():
    specs = {"wide": zoo.zfnet(10, 64).scaled(0.2), "narrow": SMALL}
    table = by_rule(specs, noise(4), paper=PAPER, seeds=(0, 1))
    found = logits_ratios(table, wide="wide", narrow="narrow")
    # Above layer 1 every one of seven layers loses the square root of the width ratio.
    assert found.pop("literal").tolist() == pytest.approx([7 * math.log10(math.sqrt(2))] * 2, abs=0.5)
    assert list(found) == ["fan-in", "he", "small-first"]
    assert all(kept.abs().max() < 0.4 for kept in found.values())


@pytest.mark.parametrize(("rule", "scale"), [("literal", 1), ("he", 1 / 64)])
def test_every_rule_sees_the_same_pictures_at_its_own_scale(rule, scale):
    table = by_rule({"net": SMALL}, noise(2), paper=PAPER, seeds=[0])
    model, images = SMALL.build(), replace(noise(2), scale=scale)
    initialise(model, rule, seed=0, paper=PAPER)
    alone = by_layer(model, images.tensor(), images.labels)
    assert table[table.rule == rule]["std"].tolist() == pytest.approx(alone["std"].tolist(), rel=1e-4)


def test_the_ratio_is_the_logarithm_of_the_logits_alone_seed_by_seed():
    specs = {"a": SMALL.scaled(2), "b": SMALL}
    table = by_rule(specs, noise(2), paper=PAPER, seeds=(3, 4))
    ratio = logits_ratios(table, wide="a", narrow="b")["he"]
    assert list(ratio.index) == [3, 4]
    a, b = (std(table, "fc8", network=name, rule="he", seed=4) for name in "ab")
    by_hand = a / b
    assert ratio[4] == pytest.approx(math.log10(by_hand))


def test_nothing_is_left_behind():
    model = SMALL.build().train()
    before = {name: p.clone() for name, p in model.named_parameters()}
    images, labels = batch(2)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    by_layer(model, images, labels)
    by_rule({"net": SMALL}, noise(2), paper=PAPER, seeds=[0])
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(p.grad is None and torch.equal(p, before[n]) for n, p in model.named_parameters())
    assert not images.requires_grad
