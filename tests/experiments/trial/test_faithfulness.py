"""The picture or the unit: networks whose answer is known by hand."""

import numpy as np
import pandas as pd
import pytest
import small
import torch
from small import PLAIN, built, only
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.units import Projections
from zfutils.experiments.trial import comparisons, correlations, faithfulness


def filters(*kernels):
    """A convolution with these filters of one channel each, (k, k), for colours alike."""
    weight = torch.tensor(kernels).float()[:, None].expand(-1, 3, -1, -1)
    conv = nn.Conv2d(3, len(weight), weight.shape[-1], bias=True)
    conv.weight.data, conv.bias.data = weight.clone(), torch.full((len(weight),), 1000.0)
    return conv


@pytest.fixture(scope="module")
def inputs():
    return small.seen(24)


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


def test_a_projection_of_a_pictures_edges_correlates_fully_with_it_also_at_the_border():
    pictures = torch.randn(3, 3, 10, 12, generator=torch.Generator().manual_seed(0))
    pictures[2, :, :, 6:] = pictures[1, :, :, 6:]  # alike where they are alike
    edges = nn.functional.pad(correlations.gradient_magnitude(pictures), (4, 4, 4, 4))
    corners, of = [(-2, 3), (5, -4), (2, 7)], [0, 1, 1]
    windows = [edges[i, t + 4 : t + 10, x + 4 : x + 10] for i, (t, x) in zip(of, corners, strict=True)]
    pixels = torch.stack(windows)[:, None].expand(-1, 3, -1, -1) * torch.tensor([1.0, -2, 5])[:, None, None]
    tops, lefts = torch.tensor(corners).T
    found = correlations.edge_correlations(Projections(pixels, tops, lefts, torch.ones(3)), pictures)
    assert found.shape == (3, 3)
    assert found[[0, 1, 2], of] == pytest.approx(1)
    assert found[2, 2] == pytest.approx(1)  # column 6 is another one, which an edge at column 7 reads
    here, there = edges[0, 4:8, 7:13].numpy().ravel(), edges[1, 4:8, 7:13].numpy().ravel()
    assert found[0, 1] == pytest.approx(np.corrcoef(here, there)[0, 1], abs=1e-5)


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


def test_a_picture_that_nothing_answers_to_is_left_out_of_the_interval():
    dark = small.stored(small.pictures(12).pixels, mean=1.0)
    dark.pixels[2] = 0  # below the mean: the filters, all positive, give nothing
    conv = nn.Conv2d(3, 3, 5, bias=False)
    conv.weight.data.uniform_(0.1, 1, generator=torch.Generator().manual_seed(0))
    table = faithfulness.recovery(only(conv), Inputs.of(dark, side=32, scale=1 / 64), layer="relu1")
    assert table.loc[2, "maps"] == 0
    assert table.loc[2, ["same_picture", "same_map", "edges", "other_edges"]].isna().all()
    interval = comparisons.paired(table["same_picture"], table["same_map"]).interval
    assert (interval.n, interval.resampled) == (11, "pictures")
    expected = (table["same_picture"] - table["same_map"]).mean()  # NaN is left out
    assert interval.estimate == pytest.approx(expected)


def test_recovery_repeats_and_does_not_depend_on_the_batch(inputs):
    tables = [
        faithfulness.recovery(built(PLAIN), inputs[:9], layer="relu2", batch=batch) for batch in (32, 32, 4)
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)
    pd.testing.assert_frame_equal(tables[0], tables[2], atol=1e-4)
    assert tables[0][["same_picture", "same_map", "edges", "other_edges"]].abs().max(axis=None) <= 1


def test_every_method_is_asked_about_the_same_units_and_reverses_the_relu_its_own_way(inputs):
    tables = {
        method: faithfulness.recovery(built(PLAIN), inputs[:9], layer="relu2", nonlinearity=method)
        for method in ("deconvnet", "guided", "gradient")
    }
    deconvnet, guided, gradient = tables.values()
    assert deconvnet["picture"].tolist() == guided["picture"].tolist() == gradient["picture"].tolist()
    assert (deconvnet["edges"] - gradient["edges"]).abs().max() > 0.01
    pictures, model = inputs[:9].tensor(), built(PLAIN)
    units = faithfulness.units_of(Deconvnet(model), inputs[:9], "relu2", 4, 32)
    pixels = pictures.clone().requires_grad_()
    first = units.images == 0
    maps = model.relu2(model.conv2(model.pool1(model.relu1(model.conv1(pixels)))))
    patterns = [
        torch.autograd.grad(maps[0, unit, row, column], pixels, retain_graph=True)[0][0]
        for unit, row, column in zip(*(t[first].tolist() for t in units[1:]), strict=True)
    ]
    windows = Deconvnet(model).window("relu2")
    top, left = (int(t[first][0]) * windows.stride - windows.padding for t in units[2:])
    side = windows.kernel
    cut = [p[:, max(top, 0) : top + side, max(left, 0) : left + side].ravel() for p in patterns]
    pairs = [np.corrcoef(a, b)[0, 1] for i, a in enumerate(cut) for b in cut[:i]]
    assert gradient["same_picture"][0] == pytest.approx(np.mean(pairs), abs=1e-4)


def test_layer_by_layer_a_row_is_the_mean_of_that_layers_recovery(inputs):
    models = {"a": built(PLAIN), "b": built(PLAIN, seed=1)}
    table = faithfulness.by_layer(models, inputs[:9], ["relu1", "relu2"])
    assert len(table) == 2 * 2 * 2
    one = table[(table["network"] == "b") & (table["layer"] == "relu2") & (table["pair"] == "same_map")]
    expected = faithfulness.recovery(models["b"], inputs[:9], layer="relu2")["same_map"]
    assert one["estimate"].item() == pytest.approx(expected.mean())
    assert one["n"].item() == expected.notna().sum()
    assert (table["low"] <= table["estimate"]).all()


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
        faithfulness.recovery(built(PLAIN), inputs[:n], **arguments)
