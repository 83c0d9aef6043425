"""Initial weights against their formulas, and the radius against arithmetic by hand."""

import math

import pytest
import torch
from scipy.stats import chi2
from small import RECIPE
from torch import nn

from zfutils.nets.filters import filter_rms
from zfutils.nets.zoo import zfnet
from zfutils.training.initialisation import initialise, radii, renormalise

PAPER = zfnet()
QUARTER = zfnet(20).at(96).scaled(0.25)  # its first windows are 3 px wide, the paper's 7


def layers(model):
    return {name: m for name, m in model.named_children() if isinstance(m, nn.Conv2d | nn.Linear)}


def fan_in(layer):
    return (
        layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels * layer.kernel_size[0] ** 2
    )


@pytest.fixture(scope="module")
def paper_fan_in():
    with torch.device("meta"):
        return {name: fan_in(layer) for name, layer in layers(PAPER.build()).items()}


def expected_std(rule, name, layer, paper_fan_in):
    he = math.sqrt(2 / fan_in(layer))
    wider = math.sqrt(paper_fan_in[name] / fan_in(layer))
    return {
        "literal": 0.01,
        "he": he,
        "small-first": 0.01 * wider if name == "conv1" else he,
        "fan-in": 0.01 * wider,
    }[rule]


@pytest.mark.parametrize("rule", ["literal", "he", "small-first", "fan-in"])
def test_every_layer_is_gaussian_with_the_rules_standard_deviation_and_no_bias(rule, paper_fan_in):
    model = QUARTER.build()
    initialise(model, rule, seed=0, paper=PAPER)
    for name, layer in layers(model).items():
        std = expected_std(rule, name, layer, paper_fan_in)
        drawn = layer.weight.detach().double().flatten() / std
        low, high = chi2.interval(1 - 1e-6, len(drawn))
        assert low < drawn.square().sum().item() < high
        assert abs(drawn.mean().item()) < 5 / math.sqrt(len(drawn))
        assert 0.67 < (drawn.abs() < 1).double().mean().item() < 0.70  # a Gaussian's 68.3 %
        assert not layer.bias.any()


def test_the_fan_in_rule_is_the_literal_one_at_the_papers_own_size():
    spec = zfnet(1000, 224)
    convolutions = {}
    for rule in ("literal", "fan-in"):
        model = nn.Sequential()
        with torch.device("meta"):
            whole = spec.build()
        for name, module in whole.named_children():
            if name.startswith("conv"):
                model.add_module(name, module.to_empty(device="cpu"))
        initialise(model, rule, seed=0, paper=PAPER)
        convolutions[rule] = model.state_dict()
    assert all(
        torch.equal(convolutions["literal"][n], convolutions["fan-in"][n]) for n in convolutions["literal"]
    )


def test_the_fan_in_rule_widens_a_quarter_widths_third_layer_by_two():
    models = {}
    for rule in ("literal", "fan-in"):
        models[rule] = QUARTER.build()
        initialise(models[rule], rule, seed=0, paper=PAPER)
    # conv3 sees 64 maps instead of 256: a quarter of the fan-in, twice the standard deviation
    torch.testing.assert_close(models["fan-in"].conv3.weight, 2 * models["literal"].conv3.weight)


def test_the_seed_decides_the_weights_and_layers_differ():
    models = [QUARTER.build() for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        initialise(model, "literal", seed=seed, paper=PAPER)
    assert torch.equal(models[0].fc6.weight, models[1].fc6.weight)
    assert not torch.equal(models[0].fc6.weight, models[2].fc6.weight)
    assert not torch.equal(models[0].conv4.weight.flatten()[:100], models[0].conv3.weight.flatten()[:100])


# ---- the radius


def test_the_rms_of_a_filter_worked_by_hand():
    weight = torch.zeros(2, 1, 2, 2)
    weight[0] = 3.0
    weight[1, 0, 0, 0] = 4.0  # sqrt(16 / 4)
    assert filter_rms(weight).tolist() == [3.0, 2.0]


def test_renormalising_scales_long_filters_back_and_leaves_the_others_bit_for_bit():
    torch.manual_seed(0)
    weight = torch.randn(60, 5, 3, 3) * torch.linspace(0.01, 1, 60)[:, None, None, None]
    before = weight.clone()
    long = filter_rms(before) > 0.5
    assert 10 < long.sum() < 50
    renormalise(weight, 0.5)
    assert torch.equal(weight[~long], before[~long])
    after = weight.double().square().mean((1, 2, 3)).sqrt()
    assert (after[long] - 0.5).abs().max() < 0.5e-6
    directions = [nn.functional.normalize(w[long].flatten(1), dim=1) for w in (weight, before)]
    torch.testing.assert_close(*directions)


def test_a_filter_of_zeros_stays_one():
    weight = torch.zeros(2, 1, 3, 3)
    renormalise(weight, 0.1)
    assert torch.equal(weight, torch.zeros(2, 1, 3, 3))


def test_layer_1s_radius_is_divided_by_the_input_scale_and_no_other():
    model = QUARTER.build()
    assert radii(model, RECIPE) == {"conv1": 6.4, **{f"conv{i}": 0.1 for i in (2, 3, 4, 5)}}
    paper = RECIPE.model_copy(update={"input_scale": 1.0})
    assert set(radii(model, paper).values()) == {0.1}
    assert radii(model, RECIPE.model_copy(update={"radius": None})) == {}
