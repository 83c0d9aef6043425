"""Orientation and colour of planted patterns; what shuffling takes from units whose filters are known."""

import math
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
from zfutils.deconv.top_activations import top_activations
from zfutils.deconv.top_projections import top_projections
from zfutils.experiments.projections import selectivity, within_map_similarity
from zfutils.nets.geometry import Window

GREY, RED_MINUS_GREEN = np.array([1.0, 1, 1]), np.array([1.0, -1, 0])


def grating(fx, fy=0.0, *, side=24, phase=0.4):
    """cos of a plane wave, (side, side); frequencies in cycles per pixel."""
    y, x = np.mgrid[:side, :side]
    return np.cos(2 * math.pi * (fx * x + fy * y) + phase)


def one(pattern, colours=GREY):
    """A pattern (side, side) in one colour as the projection of the only unit there is."""
    return (pattern[..., None] * colours)[None, None].astype(np.float32)


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


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


# ---- orientation


@pytest.mark.parametrize("wave", [(0.1, 0.0), (0.0, 0.23), (0.5, 0.0), (0.12, -0.31), (0.35, 0.35)])
@pytest.mark.parametrize("colours", [GREY, RED_MINUS_GREEN])
def test_a_grating_has_one_orientation_whatever_its_direction_frequency_and_colour(wave, colours):
    assert selectivity.orientation(one(grating(*wave), colours)) == pytest.approx(1, abs=1e-5)


def test_a_radially_symmetric_blob_has_none():
    y, x = np.mgrid[:25, :25] - 12
    assert selectivity.orientation(one(np.exp(-(x**2 + y**2) / 20))) == pytest.approx(0, abs=1e-6)


def test_two_gratings_at_right_angles_weigh_by_their_energy():
    # whole periods in 33 pixels: 32 differences along either axis, so that the gratings do not mix
    upright, level = grating(1 / 8, side=33), grating(0, 1 / 8, side=33)
    assert selectivity.orientation(one(upright + level)) == pytest.approx(0, abs=1e-5)
    assert selectivity.orientation(one(2 * upright + level)) == pytest.approx(0.6, abs=1e-5)  # (4 - 1) / 5


def test_the_edge_that_the_border_of_a_picture_makes_does_not_count():
    flat, inside = one(np.full((12, 12), 3.0)), np.ones((1, 1, 12, 12), dtype=bool)
    flat[:, :, :4], inside[:, :, :4] = 0, False
    assert selectivity.orientation(flat) == pytest.approx(1)
    assert np.isnan(selectivity.orientation(flat, inside=inside)).all()
    cut = one(grating(0.2, side=12)) * inside[..., None]
    assert selectivity.orientation(cut, inside=inside) == pytest.approx(1, abs=1e-5)
    assert (selectivity.orientation(cut) < 0.99).all()


def test_each_projection_has_its_own_value_and_zeros_have_none():
    projections = np.zeros((2, 2, 24, 24, 3), dtype=np.float32)
    projections[0, 1], projections[1, 0] = (
        one(grating(0.1))[0, 0],
        one(grating(0.2, 0.1), RED_MINUS_GREEN)[0, 0],
    )
    for measure in (selectivity.orientation, selectivity.colour):
        assert np.isnan(measure(projections)).tolist() == [[True, False], [False, True]]
    assert selectivity.colour(projections)[0, 1] == pytest.approx(0, abs=1e-9)
    assert selectivity.colour(projections)[1, 0] == pytest.approx(1)


def test_projections_and_masks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(maps, k, side, side, 3\), not \(2, 4, 4, 3\)"):
        selectivity.colour(np.zeros((2, 4, 4, 3)))
    with pytest.raises(ValueError, match=r"projections' shape \(1, 1, 4, 4\), not \(1, 1, 4, 5\)"):
        selectivity.orientation(np.zeros((1, 1, 4, 4, 3)), inside=np.ones((1, 1, 4, 5), dtype=bool))


# ---- colour


def test_grey_has_no_colour_and_red_minus_green_is_nothing_else():
    assert selectivity.colour(one(noise(8, 8))) == pytest.approx(0, abs=1e-9)
    assert selectivity.colour(one(noise(8, 8), RED_MINUS_GREEN)) == pytest.approx(1)
    # pure red is a third grey: (1, 0, 0) = (1, 1, 1) / 3 + (2, -1, -1) / 3
    assert selectivity.colour(one(noise(8, 8), np.array([1.0, 0, 0]))) == pytest.approx(2 / 3)


def test_independent_noise_in_three_channels_has_two_thirds():
    assert selectivity.colour(noise(8, 9, 32, 32, 3)).mean() == pytest.approx(
        selectivity.NOISE_COLOUR, abs=2e-3
    )


# ---- tiles that change places


def test_every_tile_of_the_window_moves_and_nothing_else_changes():
    before = torch.arange(3 * 40 * 40, dtype=torch.float32).reshape(3, 40, 40)
    after = before.clone()
    field = Window(18, 4, 0)  # four tiles of 4 px along a side and a rim of one pixel
    assert selectivity.shuffle_tiles(after, 2, 3, field, seed=0)
    window = torch.zeros(40, 40, dtype=torch.bool)
    window[9:25, 13:29] = True
    assert torch.equal(after[:, ~window], before[:, ~window])

    def tiles(picture):
        part = picture[:, 9:25, 13:29]
        return [part[:, y : y + 4, x : x + 4] for y in range(0, 16, 4) for x in range(0, 16, 4)]

    old, new = tiles(before), tiles(after)
    came = [[torch.equal(n, o) for o in old].index(True) for n in new]
    assert sorted(came) == list(range(16))
    assert all(i != j for i, j in enumerate(came))
    again, other = before.clone(), before.clone()
    selectivity.shuffle_tiles(again, 2, 3, field, seed=0)
    selectivity.shuffle_tiles(other, 2, 3, field, seed=1)
    assert torch.equal(again, after)
    assert not torch.equal(other, after)


def test_a_window_that_the_border_cuts_is_shuffled_where_it_lies_in_the_picture():
    before = torch.rand(1, 20, 20, generator=torch.Generator().manual_seed(0))
    after, field = before.clone(), Window(16, 4, 8)
    assert selectivity.shuffle_tiles(after, 0, 2, field, seed=0)  # rows -8…8, columns 0…16: 2 × 4 tiles
    assert (after != before)[0, :8, :16].all()
    assert torch.equal(after[:, 8:], before[:, 8:])
    assert torch.equal(after[:, :, 16:], before[:, :, 16:])
    corner = before.clone()
    assert not selectivity.shuffle_tiles(corner, 0, 0, Window(16, 4, 12), seed=0)  # one tile alone
    assert torch.equal(corner, before)


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
    table = selectivity.shuffled_response(model, steps, searched(model, steps))
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
    model = network(halves(), noise(16, 16), stride=3, padding=5)
    inputs = Inputs.of(steps.images, side=30, scale=0.01)
    found = searched(model, inputs, k=3)
    table = selectivity.shuffled_response(model, inputs, found, seed=5, batch=4)
    whole = steps.images.pixels.permute(0, 3, 1, 2).float()[:, :, 1:31, 1:31] * 0.01
    for row in table.itertuples():
        picture = whole[found.images[row.map, row.rank]].clone()
        place = (int(found.rows[row.map, row.rank]), int(found.columns[row.map, row.rank]))
        seed = selectivity.mixed(5, row.map, row.rank)
        selectivity.shuffle_tiles(picture, *place, Window(16, 3, 5), seed=seed)
        after = model(picture[None])[0, row.map][place]
        assert row.kept == pytest.approx((after / found.values[row.map, row.rank]).item(), abs=1e-5)


@pytest.fixture(scope="module")
def tiny():
    """A network of two layers with norm between them, and its strongest in both."""
    torch.manual_seed(0)
    return small.SPEC.build().train(), Inputs.of(small.pictures(24), scale=1 / 64)


def test_neither_batches_nor_the_choice_of_maps_change_a_maps_values_nor_the_model(tiny):
    model, inputs = tiny
    found = searched(model, inputs, layer="relu2", k=4)
    tables = [
        selectivity.shuffled_response(model, inputs, found, **some)
        for some in ({"batch": 5}, {"batch": 64}, {"maps": 4}, {"maps": 4, "seed": 1})
    ]
    pd.testing.assert_frame_equal(*tables[:2], rtol=1e-4)
    assert len(tables[0]) == 12 * 4
    chosen = tables[2]["map"].unique()
    assert len(chosen) == 4
    pd.testing.assert_frame_equal(
        tables[2], tables[0][tables[0]["map"].isin(chosen)].reset_index(drop=True), rtol=1e-4
    )
    assert set(tables[3]["map"]) != set(chosen)
    assert model.training
    part = torch.tensor([7, 2])
    numbered = selectivity.shuffled_response(model, inputs, found.of(part), numbers=part)
    pd.testing.assert_frame_equal(
        numbered, tables[0][tables[0]["map"].isin([2, 7])].reset_index(drop=True), rtol=1e-4
    )


def test_a_unit_that_does_not_answer_keeps_nothing_that_could_be_said(steps):
    model = network(-halves(), np.ones((16, 16)))  # steps the other way round would be needed
    found = searched(model, steps)
    assert (found.values[0] == 0).all()
    table = selectivity.shuffled_response(model, steps, found)
    assert table["kept"].isna().tolist() == [True] * 9 + [False] * 9


def test_what_cannot_be_shuffled_or_was_not_searched_is_refused(tiny):
    model, inputs = tiny
    found = searched(model, inputs, layer="relu2", k=2)
    part = found.of(torch.tensor([0, 3]))
    for changed, options, message in (
        (searched(model, inputs, k=2), {}, "windows of 'relu1' are 5 px; two tiles of 4 px"),
        (part, {}, "2 maps need their numbers in 'relu2', 0…11; got none"),
        (part, {"numbers": torch.tensor([0, 12])}, r"0…11; got \[0, 12\]"),
        (found, {"maps": 13}, "1…12 of the maps found can be measured, not 13"),
        (replace(found, layer="relu3"), {}, "sees the whole image"),
    ):
        with pytest.raises(ValueError, match=message):
            selectivity.shuffled_response(model, inputs, changed, **options)
    with pytest.raises(ValueError, match=r"rows must name at least one of the 4 images, 0…3"):
        selectivity.shuffled_response(model, Inputs.of(small.pictures(4), scale=1 / 64), found)
    with pytest.raises(ValueError, match=r"at side 40 and scale 1 'relu2' does not give the activations"):
        selectivity.shuffled_response(model, replace(inputs, scale=1), found)


# ---- the table


def test_every_measure_is_taken_of_every_map_and_texture_where_windows_hold_two_tiles(tiny):
    model, inputs = tiny
    tops = {n: top_projections(model, inputs, layers=["relu1", "relu2"], k=3) for n in ("trained", "random")}
    similarity = pd.concat(
        within_map_similarity.within_and_across(top, of=of).assign(layer=int(name[-1]), network=n, of=of)
        for of in ("projections", "patches")
        for n, by_layer in reversed(tops.items())
        for name, top in by_layer.items()
    )
    found = selectivity.measures(dict.fromkeys(tops, model), inputs, tops, similarity, seed=2)
    counts = found.groupby(["layer", "measure"]).size().to_dict()
    four = ("class", "colour", "likeness", "orientation")
    assert counts == {(1, m): 16 for m in four} | {(2, m): 24 for m in (*four, "texture")}
    top, of_layer = tops["random"]["relu2"], found[(found["layer"] == 2) & (found["network"] == "random")]
    values = {measure: table["value"].to_numpy() for measure, table in of_layer.groupby("measure")}
    np.testing.assert_allclose(
        values["colour"], pd.DataFrame(selectivity.colour(top.projections)).mean(axis=1)
    )
    np.testing.assert_array_equal(
        values["class"], within_map_similarity.commonest_class_share(top.strongest, inputs.images.labels)
    )
    lone = within_map_similarity.within_and_across(top)
    np.testing.assert_array_equal(values["likeness"], lone["within"] - lone["across"])
    kept = selectivity.shuffled_response(model, inputs, top.strongest, seed=2).groupby("map")["kept"].mean()
    np.testing.assert_allclose(values["texture"], kept, rtol=1e-4)


def test_a_row_is_the_mean_over_a_maps_nine_and_the_interval_is_over_maps():
    maps = np.arange(8)
    each = np.stack([maps, maps + 2.0], 1)  # means 1…8
    each[3] = np.nan
    each[4, 1] = np.nan  # mean 4
    values = pd.concat([
        selectivity.per_map(2, "trained", maps, orientation=each, share=np.full(8, 0.5)),
        selectivity.per_map(1, "random", maps[:3], orientation=np.array([1.0, 2, 3])),
        selectivity.per_map(5, "random", maps[:1], orientation=np.array([7.0])),
        selectivity.per_map(3, "random", maps, orientation=np.full((8, 2), np.nan)),
    ])  # fmt: skip
    assert list(values.columns) == ["layer", "network", "measure", "map", "value"]
    table = selectivity.table(values)
    keys = [f"{row.layer} {row.network} {row.measure} {row.n}" for row in table.itertuples()]
    assert keys == [
        "2 trained orientation 7",
        "2 trained share 8",
        "1 random orientation 3",
        "5 random orientation 1",
    ]
    assert table["estimate"].tolist() == pytest.approx([(1 + 2 + 3 + 4 + 6 + 7 + 8) / 7, 0.5, 2, 7])
    # t of 0.975 with 2 degrees of freedom is 4.303, the standard error 1 / sqrt(3)
    assert table.loc[2, ["low", "high"]].tolist() == pytest.approx([2 - 2.484, 2 + 2.484], abs=1e-3)
    assert table.loc[1, ["low", "high"]].tolist() == [0.5, 0.5]
    assert table.loc[3, ["low", "high"]].isna().all()
