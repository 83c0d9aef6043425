"""Signal propagation: standard deviations against hand-worked ones, and what the initialisations predict."""

import math

import pytest
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.experiments.training.propagation import by_layer, by_rule, logits_ratio
from zfutils.nets import specs, zoo
from zfutils.nets.geometry import Window
from zfutils.training.initialisation import initialise

SMALL = zoo.zfnet(10, 64).scaled(0.1)
PAPER = zoo.zfnet(10, 64)


def noise(n=8, side=64, seed=0):
    """Gaussian noise of standard deviation 30 in whole levels around the mean."""
    generator = torch.Generator().manual_seed(seed)
    levels = 128 + 30 * torch.randn(n, side, side, 3, generator=generator)
    pixels, mean = levels.round().clamp(0, 255).byte(), torch.full((side, side, 3), 128.0)
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
    table = by_rule({"one": spec}, noise(32, seed=1), paper=wide, rules=["literal"], seeds=range(5))
    measured = table[(table.layer == "conv1") & (table.quantity == "activation")]["std"].mean()
    expected = 0.01 * 30 * math.sqrt(7 * 7 * 3) * math.sqrt(1 / 2 - 1 / (2 * math.pi))
    assert measured == pytest.approx(expected, rel=0.05)


def test_the_literal_rule_loses_the_signal_where_the_others_keep_it():
    specs = {"wide": zoo.zfnet(10, 64).scaled(0.2), "narrow": SMALL}
    table = by_rule(specs, noise(4), paper=PAPER, seeds=(0, 1))
    lost = logits_ratio(table, wide="wide", narrow="narrow")
    # Above layer 1 every one of seven layers loses the square root of the width ratio.
    assert lost.tolist() == pytest.approx([7 * math.log10(math.sqrt(2))] * 2, abs=0.5)
    for rule in ("fan-in", "he", "small-first"):
        kept = logits_ratio(table, wide="wide", narrow="narrow", rule=rule)
        assert kept.abs().max() < 0.4


def test_every_rule_sees_the_same_pictures_at_its_own_scale():
    """He's first layer is He's on inputs 1/64 as large: doubling its scale doubles the activations."""
    once, twice = (
        by_rule({"net": SMALL}, noise(2), paper=PAPER, rules=["he"], seeds=[0], scales={"he": s})
        for s in (1 / 64, 1 / 32)
    )
    assert std(twice, "conv1") == pytest.approx(2 * std(once, "conv1"), rel=1e-4)


def test_the_ratio_is_the_logarithm_of_the_logits_alone_seed_by_seed():
    specs = {"a": SMALL.scaled(2), "b": SMALL}
    table = by_rule(specs, noise(2), paper=PAPER, rules=["he"], seeds=(3, 4))
    ratio = logits_ratio(table, wide="a", narrow="b", rule="he")
    assert list(ratio.index) == [3, 4]
    by_hand = std(table, "fc8", network="a", seed=4) / std(table, "fc8", network="b", seed=4)
    assert ratio[4] == pytest.approx(math.log10(by_hand))


def test_nothing_is_left_behind():
    model = SMALL.build().train()
    before = {name: p.clone() for name, p in model.named_parameters()}
    images, labels = batch(2)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    by_layer(model, images, labels)
    by_rule({"net": SMALL}, noise(2), paper=PAPER, rules=["he"], seeds=[0])
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(p.grad is None and torch.equal(p, before[n]) for n, p in model.named_parameters())
    assert not images.requires_grad


def test_arguments_that_do_not_fit_are_named():
    with pytest.raises(
        ValueError, match=r"net: the network takes images \(3, 64, 64\), these are \(3, 32, 32\)"
    ):
        by_rule({"net": SMALL}, noise(2, side=32), paper=PAPER)
    with pytest.raises(ValueError, match="no input scale for he; there are scales for literal"):
        by_rule({"net": SMALL}, noise(2), paper=PAPER, rules=["he"], scales={"literal": 1})
    table = by_rule({"net": SMALL}, noise(2), paper=PAPER, rules=["he"], seeds=[0])
    with pytest.raises(ValueError, match="network 'full' is not in the table; it has 'net'"):
        logits_ratio(table, wide="full", narrow="net", rule="he")
    with pytest.raises(ValueError, match="rule 'literal' is not in the table; it has 'he'"):
        logits_ratio(table, wide="net", narrow="net")
