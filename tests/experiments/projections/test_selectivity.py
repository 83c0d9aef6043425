"""Orientation and colour of planted patterns, and the table of all measures."""

import math

import numpy as np
import pandas as pd
import pytest
import small

from zfutils.deconv.top_projections import top_projections
from zfutils.experiments.projections import selectivity, tile_shuffling, within_map_similarity

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


@pytest.fixture(scope="module")
def tiny():
    """A network of two layers with norm between them, and its strongest in both."""
    return small.built().train(), small.seen(24)


# ---- the table


def test_every_measure_is_taken_of_every_map_and_texture_where_windows_hold_two_tiles(tiny):
    model, inputs = tiny
    tops = {n: top_projections(model, inputs, layers=["relu1", "relu2"], k=3) for n in ("trained", "random")}
    similarity = within_map_similarity.every_layer(dict(reversed(tops.items())))
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
    shuffled = tile_shuffling.shuffled_response(model, inputs, top.strongest, top.maps, seed=2)
    kept = shuffled.groupby("map")["kept"].mean()
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


def test_the_layer_in_which_a_measure_is_highest_is_named_for_each_network():
    rows = [("trained", 1, "class", 0.2), ("trained", 5, "class", 0.5), ("trained", 5, "likeness", 1.0)]
    rows += [("trained", 1, "colour", 0.3), ("random", 2, "class", 0.25), ("random", 5, "class", 0.1)]
    rows += [("random", 1, "colour", 0.4), ("random", 2, "colour", 0.1)]
    means = pd.DataFrame(rows, columns=["network", "layer", "measure", "estimate"])
    assert selectivity.highest(means) == (
        "Highest in the trained network: class in layer 5, colour in layer 1. "
        "With random weights: class in layer 2, colour in layer 1. "
        "In the same layer with either, so that the place takes no learning: colour."
    )
