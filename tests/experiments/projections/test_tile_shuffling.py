"""What shuffling the tiles of a window takes from units whose filters are known."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import small
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.deconv import tiles
from zfutils.deconv.top_activations import top_activations
from zfutils.experiments.projections import tile_shuffling
from zfutils.nets.geometry import Window


def store(pictures):
    """A store of these grey pictures (n, side, side), centred on 0."""
    whole = torch.as_tensor(np.asarray(pictures)).to(torch.uint8)[..., None].expand(-1, -1, -1, 3)
    n = len(whole)
    mean, names = torch.zeros(whole.shape[1:]), tuple(map(str, range(n)))
    return Pixels(whole.contiguous(), torch.zeros(n, dtype=torch.int64), mean, ("a",), names, {})


def network(*filters, stride=1, padding=0):
    """A convolution of grey filters (k, k), with its ReLU."""
    weight = torch.stack([torch.as_tensor(f, dtype=torch.float32).expand(3, -1, -1) for f in filters])
    conv = nn.Conv2d(3, len(filters), weight.shape[-1], stride, padding, bias=False)
    conv.weight.data.copy_(weight)
    return nn.Sequential(OrderedDict(conv1=conv, relu1=nn.ReLU()))


def searched(model, inputs, *, layer="relu1", k=9):
    return top_activations(model, inputs, layers=[layer], k=k)[layer]


def shuffled(model, inputs, found, **options):
    """`shuffled_response` of all maps of a layer."""
    return tile_shuffling.shuffled_response(model, inputs, found, torch.arange(len(found.values)), **options)


@pytest.fixture(scope="module")
def steps():
    """Twelve pictures, each with an upright step from bright to dark somewhere."""
    x = np.arange(32)
    pictures = store([np.broadcast_to(np.where(x < 8 + i, 200 - i, 40), (32, 32)) for i in range(12)])
    return Inputs.of(pictures)


def halves(side=16):
    """The template of an upright step: bright on the left, dark on the right."""
    return np.where(np.arange(side) < side // 2, 1.0, -1.0) * np.ones((side, 1))


def test_a_unit_that_sums_over_its_window_keeps_everything_and_an_edge_template_does_not(steps):
    model = network(np.ones((16, 16)), halves(), stride=2)
    table = shuffled(model, steps, searched(model, steps))
    assert list(table.columns) == ["map", "rank", "kept"]
    assert table["map"].tolist() == [0] * 9 + [1] * 9
    assert table["rank"].tolist() == [*range(9)] * 2
    assert (table.loc[table["map"] == 0, "kept"] == 1).all()
    # steps that lie between tiles: of 8 bright tiles b end on the left, and (2 b - 8) / 8 is kept, or nothing
    edges = table.loc[table["map"] == 1, "kept"]
    between = np.isin(edges.round(5), np.arange(0, 1, 0.25))
    assert between.sum() >= 3
    assert edges.mean() < 0.5
    assert (edges < 1).all()


def test_a_unit_keeps_what_its_own_shuffled_window_gives_it(steps):
    noise = np.random.default_rng(0).normal(size=(16, 16))
    model = network(halves(), noise, stride=3, padding=5)
    inputs = Inputs.of(steps.images, side=30, scale=0.01)
    found = searched(model, inputs, k=3)
    table = shuffled(model, inputs, found, seed=5, batch=4)
    whole = steps.images.pixels.permute(0, 3, 1, 2).float()[:, :, 1:31, 1:31] * 0.01
    for row in table.itertuples():
        picture = whole[found.images[row.map, row.rank]].clone()
        place = (int(found.rows[row.map, row.rank]), int(found.columns[row.map, row.rank]))
        seed = tile_shuffling.mixed(5, row.map, row.rank)
        tiles.shuffle_tiles(picture, *place, Window(16, 3, 5), seed=seed)
        after = model(picture[None])[0, row.map][place]
        assert row.kept == pytest.approx((after / found.values[row.map, row.rank]).item(), abs=1e-5)


@pytest.fixture(scope="module")
def tiny():
    """A network of two layers with norm between them, and its strongest in both."""
    return small.built().train(), small.seen(24)


def test_neither_batches_nor_the_choice_of_maps_change_a_maps_values_nor_the_model(tiny):
    model, inputs = tiny
    found = searched(model, inputs, layer="relu2", k=4)
    whole, pieces = (shuffled(model, inputs, found, batch=batch) for batch in (64, 5))
    pd.testing.assert_frame_equal(whole, pieces, rtol=1e-4)
    assert len(whole) == 12 * 4
    assert model.training
    part = torch.tensor([7, 2])
    some = tile_shuffling.shuffled_response(model, inputs, found.of(part), part)
    same = whole[whole["map"].isin([2, 7])].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, same, rtol=1e-4)


def test_a_unit_that_does_not_answer_keeps_nothing_that_could_be_said(steps):
    model = network(-halves(), np.ones((16, 16)))  # steps the other way round would be needed
    found = searched(model, steps)
    assert (found.values[0] == 0).all()
    table = shuffled(model, steps, found)
    assert table["kept"].isna().tolist() == [True] * 9 + [False] * 9


def test_what_cannot_be_shuffled_or_was_not_searched_is_refused(tiny):
    model, inputs = tiny
    found = searched(model, inputs, layer="relu2", k=2)
    for images, changed, message in (
        (inputs, searched(model, inputs, k=2), "windows of 'relu1' are 5 px; two tiles of 4 px"),
        (inputs, replace(found, layer="relu3"), "sees the whole image"),
        (small.seen(4), found, "at least one of the 4 images, 0…3"),
        (replace(inputs, scale=1), found, "scale 1 'relu2' does not give the activations"),
    ):
        with pytest.raises(ValueError, match=message):
            shuffled(model, images, changed)
