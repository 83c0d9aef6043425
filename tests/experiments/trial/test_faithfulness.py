"""Controls of projections: networks whose answer is known by hand, and a plain gradient from autograd."""

from collections import OrderedDict
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import small
import torch
from scipy import stats
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.units import Projections
from zfutils.experiments.projections import correlations, faithfulness, randomisation

PLAIN = replace(  # without contrast norm, which a gradient would not pass straight through
    small.SPEC, convolutions=tuple(replace(c, norm=False) for c in small.SPEC.convolutions)
)
HOW = {"side": 32, "scale": 1 / 64}


def built(spec=PLAIN, *, seed=0):
    torch.manual_seed(seed)
    return spec.build().eval()


def only(conv, pool=None):
    """A network of one convolution, with its ReLU and perhaps a pooling."""
    layers = OrderedDict(conv1=conv, relu1=nn.ReLU())
    if pool is not None:
        layers |= {"pool1": pool, "conv2": nn.Conv2d(len(conv.weight), 2, 1, bias=False), "relu2": nn.ReLU()}
        layers["conv2"].weight.data.fill_(1)
    return nn.Sequential(layers)


def filters(*kernels):
    """A convolution with these filters of one channel each, (k, k), for colours alike."""
    weight = torch.tensor(kernels).float()[:, None].expand(-1, 3, -1, -1)
    conv = nn.Conv2d(3, len(weight), weight.shape[-1], bias=True)
    conv.weight.data, conv.bias.data = weight.clone(), torch.full((len(weight),), 1000.0)
    return conv


@pytest.fixture(scope="module")
def images():
    return small.pictures(24)


@pytest.fixture(scope="module")
def inputs(images):
    return Inputs.of(images, **HOW)


# ---- correlations


def test_correlation_is_over_colours_and_pixels_inside_and_undefined_where_constant():
    first = np.array([[[1.0, 2, 3], [4, 50, 6]]])
    second = np.array([[[2.0, 4, 6], [8, -9, 12]]])
    inside = np.array([[True, True, True], [True, False, True]])
    assert correlations.correlation(first, second, inside) == pytest.approx(1)
    assert correlations.correlation(first, -second, inside) == pytest.approx(-1)
    assert np.isnan(correlations.correlation(first, np.ones_like(first), inside))
    assert np.isnan(correlations.correlation(first, second, np.zeros_like(inside)))


def test_the_gradient_of_a_ramp_is_its_slope_and_a_constant_has_none():
    ramp = (3.0 * torch.arange(6) + torch.zeros(5, 1)).expand(1, 3, -1, -1)
    gradient = correlations.gradient_magnitude(ramp)
    assert gradient[0, :, 1:-1] == pytest.approx(3)
    assert correlations.gradient_magnitude(ramp.transpose(2, 3))[0, 1:-1] == pytest.approx(3)
    assert correlations.gradient_magnitude(torch.ones(1, 3, 4, 4)) == pytest.approx(0)


def test_a_projection_of_the_pictures_edges_correlates_fully_also_at_the_border():
    pictures = torch.randn(2, 3, 10, 12, generator=torch.Generator().manual_seed(0))
    edges = nn.functional.pad(correlations.gradient_magnitude(pictures), (4, 4, 4, 4))
    corners = [(-2, 3), (5, -4), (2, 2)]
    windows = [edges[i, t + 4 : t + 10, x + 4 : x + 10] for i, (t, x) in zip([0, 1, 1], corners, strict=True)]
    pixels = torch.stack(windows)[:, None].expand(-1, 3, -1, -1) * torch.tensor([1.0, -2, 5])[:, None, None]
    tops, lefts = torch.tensor(corners).T
    projections = Projections(pixels, tops, lefts, torch.ones(3))
    found = correlations.edge_correlation(projections, pictures, torch.tensor([0, 1, 1]))
    assert found == pytest.approx(1)


# ---- which units


def test_the_positions_whose_windows_hold_most_of_the_picture_are_allowed():
    deconvnet = Deconvnet(only(nn.Conv2d(3, 1, 3, 2, 1)))  # on 5 px: 0…1, 1…3, 3…4
    allowed = faithfulness.most_inside(deconvnet, "relu1", (5, 5), (3, 3))
    assert allowed.nonzero().tolist() == [[1, 1]]
    whole = faithfulness.most_inside(Deconvnet(only(nn.Conv2d(3, 1, 3))), "relu1", (5, 7), (3, 5))
    assert whole.all()


def test_units_are_the_strongest_maps_at_the_position_of_the_largest_sum_and_positive():
    activations = torch.zeros(2, 4, 2, 2)
    activations[0, :, 0, 1] = torch.tensor([1.0, 3, 2, 0])  # sum 6
    activations[0, 0, 1, 0] = 5.0
    activations[0, :, 1, 1] = 100.0  # not allowed
    activations[1, 2, 1, 0] = 1.0  # a single one
    allowed = torch.tensor([[True, True], [True, False]])
    units = faithfulness.strongest_units(activations, allowed, 2)
    assert torch.stack(units).T.tolist() == [[0, 1, 0, 1], [0, 2, 0, 1], [1, 2, 1, 0]]
    with pytest.raises(ValueError, match="no map answers"):
        faithfulness.strongest_units(0 * activations, allowed, 2)


# ---- recovery


def test_without_pooling_and_layers_above_a_projection_is_the_filter_and_says_nothing_of_the_picture(inputs):
    kernels = [[[1.0, 2], [3, 5]], [[1.0, -2], [3, 0]], [[0.0, 1], [-1, 4]]]
    some = inputs.at(torch.tensor([3, 0, 7]))
    table = faithfulness.recovery(only(filters(*kernels)), some, layer="relu1", maps_a_picture=3)
    pairs = [
        np.corrcoef(np.ravel(kernels[i]), np.ravel(kernels[j]))[0, 1] for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    assert table["picture"].tolist() == [3, 0, 7]
    assert table["maps"].tolist() == [3, 3, 3]
    assert table["same_map"].to_numpy() == pytest.approx(1)
    assert table["same_picture"].to_numpy() == pytest.approx(np.mean(pairs))


def test_maps_with_the_same_filter_have_the_same_projection_which_is_another_on_another_picture(inputs):
    conv = nn.Conv2d(3, 4, 5, bias=False)
    conv.weight.data[:] = torch.randn(3, 5, 5, generator=torch.Generator().manual_seed(2))
    model = only(conv, nn.MaxPool2d(3, 2))
    table = faithfulness.recovery(model, inputs[:10], layer="relu2", maps_a_picture=2).dropna()
    assert len(table) == 10
    assert table["same_picture"].to_numpy() == pytest.approx(1)
    assert table["same_map"].median() < 0.5  # the switches are the picture's


def test_a_picture_that_nothing_answers_to_is_left_out_of_the_interval(images):
    pixels = images.pixels.clone()
    pixels[2] = 0  # far below the mean: the filters, all positive, give nothing
    dark = Pixels(**{**images.__dict__, "pixels": pixels, "mean": torch.full_like(images.mean, 1.0)})
    conv = nn.Conv2d(3, 3, 5, bias=False)
    conv.weight.data.uniform_(0.1, 1, generator=torch.Generator().manual_seed(0))
    table = faithfulness.recovery(only(conv), Inputs.of(dark, **HOW)[:12], layer="relu1")
    assert table.loc[2, "maps"] == 0
    assert table.loc[2, ["same_picture", "same_map", "edges"]].isna().all()
    interval = faithfulness.recovery_interval(table)
    assert (interval.n, interval.resampled) == (11, "pictures")
    expected = (table["same_picture"] - table["same_map"]).mean()  # NaN is left out
    assert interval.estimate == pytest.approx(expected)


def test_recovery_repeats_and_does_not_depend_on_the_batch(inputs):
    tables = [faithfulness.recovery(built(), inputs[:9], layer="relu2", batch=batch) for batch in (32, 32, 4)]
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)
    pd.testing.assert_frame_equal(tables[0], tables[2], atol=1e-4)
    assert tables[0][["same_picture", "same_map", "edges"]].abs().max(axis=None) <= 1


# ---- randomised weights


def test_the_gradients_map_is_autograds_whatever_the_sign_of_the_logit(inputs):
    model, pictures = built(), inputs[:5].tensor()
    labels = torch.tensor([0, 1, 2, 0, 1])
    found = randomisation.class_maps(model, pictures, labels, nonlinearity="gradient")
    pixels = pictures.clone().requires_grad_()
    model(pixels).gather(1, labels[:, None]).sum().backward()
    np.testing.assert_allclose(found, pixels.grad.norm(dim=1).numpy(), rtol=1e-4, atol=1e-7)
    shifted = deepcopy(model)
    shifted.fc4.bias.data -= 1000
    for method in randomisation.METHODS:
        maps = [randomisation.class_maps(m, pictures, labels, nonlinearity=method) for m in (model, shifted)]
        np.testing.assert_array_equal(*maps)


def test_layers_are_given_initial_weights_one_by_one_from_the_top():
    trained, initial = built(seed=0), built(seed=1)
    layers, order = ["conv1", "conv2", "fc3", "fc4"], []
    for count, (lowest, network) in enumerate(randomisation.cascade(trained, initial), start=1):
        order.append(lowest)
        for i, layer in enumerate(layers):
            wanted = initial if i >= len(layers) - count else trained
            assert torch.equal(network.get_submodule(layer).weight, wanted.get_submodule(layer).weight)
    assert order == ["fc4", "fc3", "conv2", "conv1"]
    with pytest.raises(ValueError, match="do not have the same layers: they differ in fc3"):
        next(
            randomisation.cascade(trained, replace(PLAIN, dense=(replace(PLAIN.dense[0], units=25),)).build())
        )


def test_a_batch_norm_goes_with_the_layer_below_it():
    def network(seed):
        torch.manual_seed(seed)
        model = nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 2, 3), bn1=nn.BatchNorm2d(2), relu1=nn.ReLU()))
        model.add_module("conv2", nn.Conv2d(2, 2, 3))
        model.bn1.running_mean += seed
        return model.eval()

    means = [m.bn1.running_mean.tolist() for _, m in randomisation.cascade(network(0), network(5))]
    assert means == [[0, 0], [5, 5]]


def test_without_randomisation_maps_are_themselves_and_the_networks_are_left_alone(inputs):
    model, initial = built().train(), built(seed=1)
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in (model, initial)]
    same = randomisation.randomisation(model, model, inputs[:3])
    assert same["spearman"].to_numpy() == pytest.approx(1)
    assert same["ssim"].to_numpy() == pytest.approx(1)
    randomisation.randomisation(model, initial, inputs[:3])
    for network, state in zip((model, initial), before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert model.training


def test_rank_correlations_are_scipys_between_the_trained_and_the_randomised_networks_maps(inputs):
    model, initial = built(small.SPEC), built(small.SPEC, seed=1)
    some = inputs.at(torch.tensor([7, 2, 11]))
    table = randomisation.randomisation(model, initial, some, batch=2)
    assert len(table) == 3 * 3 * 4
    for method in randomisation.METHODS:
        maps = [
            randomisation.class_maps(m, some.tensor(), torch.tensor([1, 2, 2]), nonlinearity=method)
            for m in (model, initial)
        ]
        expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(*maps, strict=True)]
        last = table[(table["method"] == method) & (table["lowest"] == "conv1")].set_index("picture")
        assert last.loc[[7, 2, 11], "spearman"].to_numpy() == pytest.approx(expected, abs=1e-6)
    assert table["ssim"].dropna().between(-1, 1).all()


def test_other_labels_have_other_maps_and_must_be_as_many_as_pictures(inputs):
    model, initial = built(), built(seed=1)
    own, other = (
        randomisation.randomisation(model, initial, inputs[:2], labels=labels, methods=["gradient"])
        for labels in (None, torch.tensor([2, 2]))
    )
    assert (own["spearman"] != other["spearman"]).any()
    with pytest.raises(ValueError, match="2 pictures need as many labels, got 1"):
        randomisation.randomisation(model, initial, inputs[:2], labels=torch.tensor([0]))


def test_the_claims_interval_is_paired_and_the_curves_have_one_for_every_step():
    draw = np.random.default_rng(0)
    rows = [
        (picture, method, lowest, count, level + 0.01 * picture, draw.random())
        for picture in range(10)
        for method, level in (("deconvnet", 0.9), ("gradient", 0.4))
        for count, lowest in enumerate(("fc8", "fc7", "fc6"), start=1)
    ]
    columns = ["picture", "method", "lowest", "randomised", "spearman", "ssim"]
    table = pd.DataFrame(rows, columns=columns)
    table.loc[(table["picture"] == 3) & (table["method"] == "gradient"), "spearman"] = np.nan
    interval = randomisation.randomisation_interval(table)
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((0.5, 0.5, 0.5))
    assert interval.n == 9
    curves = randomisation.randomisation_curves(table)
    assert len(curves) == 2 * 3 * 2
    first = curves[(curves["method"] == "deconvnet") & (curves["measure"] == "spearman")]
    assert first["lowest"].tolist() == ["fc8", "fc7", "fc6"]
    assert first["estimate"].to_numpy() == pytest.approx(0.945)
    with pytest.raises(ValueError, match="lowest is one of fc8, fc7, fc6, not 'conv9'"):
        randomisation.randomisation_interval(table, lowest="conv9")


# ---- refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 1}, "pairs need two pictures and two maps, not 1 and 4"),
        ({"maps_a_picture": 1}, "pairs need two pictures and two maps, not 2 and 1"),
        ({"layer": "relu9"}, r"'relu9' is not in this network; it has conv1"),
        ({"layer": "fc3"}, "a unit of fc3 sees the whole image"),
    ],
)
def test_wrong_arguments_are_refused_by_name(inputs, change, message):
    arguments = {"n": 2, "layer": "relu2"} | change
    n = arguments.pop("n")
    with pytest.raises(ValueError, match=message):
        faithfulness.recovery(built(), inputs[:n], **arguments)
