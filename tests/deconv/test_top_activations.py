"""The strongest activations: the same ones however the images come, and those that a full sort finds."""

import numpy as np
import pytest
import small
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.deconv.top_activations import TopActivations, top_activations

LAYERS = ("relu1", "pool1", "conv2", "fc3", "fc4")


@pytest.fixture(scope="module")
def inputs():
    return small.seen(60)


@pytest.fixture(scope="module")
def model():
    return small.built()


def found(model, inputs, **options):
    return top_activations(model, inputs, **{"layers": LAYERS} | options)


def everything(model, inputs, layer):
    """All activations of a layer, (n, maps, places)."""
    x = inputs.tensor()
    with torch.no_grad():
        for name, module in model.named_children():
            x = module(x)
            if name == layer:
                return x.reshape(*x.shape[:2], -1), (x.shape[-1] if x.ndim == 4 else 1)
    raise AssertionError(layer)


@pytest.mark.parametrize("layer", LAYERS)
def test_they_are_those_that_sorting_all_activations_gives(model, inputs, layer):
    got = found(model, inputs)[layer]
    whole, width = everything(model, inputs, layer)
    values, order = whole.amax(2).sort(0, descending=True)
    assert got.values.shape == (whole.shape[1], 9)
    torch.testing.assert_close(got.values, values[:9].T, rtol=1e-5, atol=1e-6)
    alone = 1e-3 * values[:9].T.abs() < values[:9].T - values[1:10].T  # no near tie with the next
    assert alone.any()
    assert torch.equal(got.images[alone], order[:9].T[alone])
    places = got.rows * width + got.columns
    maps = torch.arange(len(places))[:, None].expand_as(places)
    torch.testing.assert_close(whole[got.images, maps, places], got.values, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_neither_batches_nor_the_order_of_images_matter(model, inputs, batch):
    once = found(model, inputs, batch=60)
    shuffled = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    again = found(model, inputs[shuffled], batch=batch)
    for layer in LAYERS:
        for name in ("images", "rows", "columns"):
            assert torch.equal(getattr(once[layer], name), getattr(again[layer], name)), (layer, name)


def constant(values, size=4):
    """Pictures of one grey each, and a network that hands them through."""
    pixels = (
        torch.tensor(values, dtype=torch.uint8)[:, None, None, None].expand(-1, size, size, 1).contiguous()
    )
    labels = torch.zeros(len(values), dtype=torch.int64)
    names = tuple(map(str, range(len(values))))
    images = Pixels(pixels, labels, torch.zeros(size, size, 1), ("grey",), names, {})
    same = nn.Conv2d(1, 1, 1)
    nn.init.ones_(same.weight)
    nn.init.zeros_(same.bias)
    return nn.Sequential(same), images


def test_ties_go_to_the_earlier_image_and_the_earlier_place():
    model, images = constant([5, 9, 9, 7, 9, 0])
    inputs = Inputs.of(images, torch.tensor([4, 5, 3, 2, 1, 0]))
    got = top_activations(model, inputs, layers=["conv1"], k=4)
    assert got["conv1"].images.tolist() == [[1, 2, 4, 3]]
    assert got["conv1"].values.tolist() == [[9, 9, 9, 7]]
    assert got["conv1"].rows.tolist() == got["conv1"].columns.tolist() == [[0, 0, 0, 0]]


def test_negative_activations_are_ordered_too():
    model, images = constant([5, 9, 1])
    nn.init.constant_(model[0].weight, -1)
    got = top_activations(model, Inputs.of(images), layers=["conv1"], k=3)
    assert got["conv1"].values.tolist() == [[-1, -5, -9]]


@pytest.mark.parametrize(("second", "strongest"), [(1.0 + 4e-7, 0), (1.0001, 1)])
def test_what_differs_by_rounding_alone_is_a_tie(second, strongest):
    images = torch.tensor([1.0, second]).view(2, 1, 1, 1)
    got = top_activations(constant([0])[0], images, layers=["conv1"], k=1)
    assert got["conv1"].images.item() == strongest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 61}, "61 activations of different images were asked for, of a set of 60"),
        ({"k": 0}, "0 activations"),
    ],
)
def test_what_cannot_be_found_is_refused(model, inputs, options, message):
    with pytest.raises(ValueError, match=message):
        found(model, inputs, **options)


def test_nan_names_the_layer_and_the_image(inputs):
    spoilt = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    nn.init.constant_(spoilt[0].weight, np.nan)
    with pytest.raises(ValueError, match="relu1 gives NaN for image 41"):
        top_activations(spoilt, inputs[41:43], layers=["relu1"], k=1)


# ---- a choice of maps


def answering(*rows):
    """Maps with these values, in a set of as many images."""
    values = torch.tensor(rows, dtype=torch.float32)
    zeros = torch.zeros(values.shape, dtype=torch.int64)
    return TopActivations("relu5", values, torch.arange(values.shape[1]).expand_as(zeros), zeros, zeros)


def test_a_choice_is_among_the_maps_that_answer_to_all_their_images():
    found = answering([3, 2], [1, 0], [0, 0], [5, 5], [2, 1], [4, 0])  # 0, 3 and 4 do
    assert found.some(3, seed=0).tolist() == [0, 3, 4]
    pairs = {tuple(found.some(2, seed=seed).tolist()) for seed in range(20)}
    assert pairs == {(0, 3), (0, 4), (3, 4)}, "in order, whatever the seed drew first"
    assert torch.equal(found.some(2, seed=5), found.some(2, seed=5))


def test_where_too_few_answer_the_choice_is_among_all():
    found = answering([3, 2], [1, 0], [0, 0])
    drawn = {tuple(found.some(2, seed=seed).tolist()) for seed in range(20)}
    assert drawn == {(0, 1), (0, 2), (1, 2)}
    assert found.some(9, seed=0).tolist() == [0, 1, 2]


def test_those_of_some_maps_are_their_rows():
    found = answering([3, 2], [1, 0], [5, 4]).of(torch.tensor([2, 0]))
    assert found.values.tolist() == [[5, 4], [3, 2]]
    assert (found.layer, len(found)) == ("relu5", 2)


def test_a_tensor_is_searched_as_the_images_that_it_holds(model, inputs):
    of_tensor, of_inputs = found(model, inputs.tensor(), batch=7), found(model, inputs)
    for layer, best in of_inputs.items():
        assert torch.equal(of_tensor[layer].images, best.images)
        torch.testing.assert_close(of_tensor[layer].values, best.values)
