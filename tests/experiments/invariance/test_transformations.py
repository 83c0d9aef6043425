"""Transformed pictures: pixels that only move arrive unchanged, and what is resampled keeps its place."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.transforms.functional import gaussian_blur

from tests.small import pictures
from zfutils.data.inputs import Inputs
from zfutils.data.parts import PartsImages
from zfutils.data.stores import build
from zfutils.data.transformations import blurred, disc, possible_scale, rotated, scaled, translated
from zfutils.experiments.invariance import transformed_images
from zfutils.experiments.invariance.tables import range_table

NUMBERED = torch.arange(64.0).reshape(1, 1, 8, 8)  # row r, column c holds 8 r + c


def smooth(size=41, wave=9.0):
    """A picture without fine detail, the same everywhere up to its phase."""
    y, x = torch.meshgrid(*[torch.arange(float(size)) - (size - 1) / 2] * 2, indexing="ij")
    return (torch.cos(2 * math.pi * x / wave) + 0.5 * torch.sin(2 * math.pi * y / (1.5 * wave)))[None, None]


# ---- translation


def test_without_a_shift_the_centre_crop_comes_out():
    expected = NUMBERED[..., 2:6, 2:6]
    assert torch.equal(translated(NUMBERED, 0, side=4), expected)
    assert torch.equal(scaled(NUMBERED, 1.0, side=4), expected)
    assert torch.equal(rotated(NUMBERED, 0, side=4), expected * disc(4))


def test_a_shift_moves_every_pixel_exactly_and_shows_what_lay_outside_the_crop():
    assert translated(NUMBERED, 1, 2, side=4)[0, 0].tolist() == [
        [8, 9, 10, 11],  # rows 1 … 4, columns 0 … 3: what was above and to the left came in
        [16, 17, 18, 19],
        [24, 25, 26, 27],
        [32, 33, 34, 35],
    ]
    assert torch.equal(translated(NUMBERED, -2, side=4), NUMBERED[..., 4:8, 2:6])


@pytest.mark.parametrize(
    ("border", "above"),
    [("grey", [0, 0]), ("reflect", [16 + 2, 8 + 2]), ("wrap", [48 + 2, 56 + 2])],
)
def test_beyond_the_stored_picture_the_border_rule_fills_in(border, above):
    moved = translated(NUMBERED, 4, side=4, border=border)  # the picture's first row is now the crop's third
    assert moved[0, 0, :, 0].tolist() == [*above, 2, 10]


def test_a_shift_to_the_other_side_is_filled_there():
    moved = translated(NUMBERED, 0, -3, side=4, border="reflect")
    assert moved[0, 0, 0].tolist() == [16 + 5, 16 + 6, 16 + 7, 16 + 6]


def test_an_odd_border_leaves_crop_turn_and_enlargement_on_the_same_middle():
    images = NUMBERED[..., :7, :7]
    expected = images[..., 1:5, 1:5]
    assert torch.equal(translated(images, 0, side=4), expected)
    assert torch.equal(scaled(images, 1.0, side=4), expected)
    assert torch.equal(rotated(images, 180, side=4), expected.flip(-1, -2) * disc(4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: translated(NUMBERED, 0.5, side=4), "whole pixels, not by 0.5"),
        (lambda: translated(NUMBERED, 8, side=4), "8 px cannot be moved by 8"),
        (lambda: translated(NUMBERED, 1, side=4, border="black"), "border is 'black'; allowed are grey"),
        (lambda: translated(NUMBERED, 1, side=9), "a crop of 9 px does not fit"),
        (lambda: scaled(NUMBERED, 1.1, side=4), r"cannot be enlarged 1\.1 times, but 1\.0 times"),
        (lambda: possible_scale(0.2, size=8, side=4), r"at a scale of 0\.2 .* does not fill a crop of 4 px"),
    ],
)
def test_what_cannot_be_done_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- scale


def test_possible_scales_keep_the_crops_parity():
    assert possible_scale(1.0, size=144, side=128) == 1
    assert possible_scale(1.8, size=144, side=128) == 260 / 144  # 259.2 px, of which 260 is the even one
    assert possible_scale(1.3, size=8, side=4) == 10 / 8
    assert possible_scale(1.0, size=145, side=128) == 1  # a row and a column are left out


def test_twice_the_size_halves_the_frequency_about_the_middle():
    large, source = scaled(smooth(wave=9.0), possible_scale(2, size=41, side=21), side=21), smooth(21, 9.0)
    factor = possible_scale(2, size=41, side=21)
    expected = smooth(21, 9.0 * factor)
    assert torch.allclose(large, expected, atol=0.02)
    assert not torch.allclose(large, source, atol=0.5)


def test_a_smaller_picture_is_antialiased():
    stripes = torch.tensor([1.0, -1.0]).repeat(16).expand(1, 1, 32, 32)  # as fine as pixels can be
    assert scaled(stripes, 0.5, side=16)[..., 2:-2].abs().max() < 1e-5


# ---- rotation


def test_quarter_turns_exchange_pixels_exactly():
    crop = NUMBERED[..., 2:6, 2:6]
    quarter = rotated(NUMBERED, 90, side=4)
    assert torch.equal(quarter, torch.rot90(crop, -1, (-2, -1)) * disc(4))
    assert quarter[0, 0, 1, 2] == crop[0, 0, 1, 1] * disc(4)[1, 2]  # clockwise: the left goes to the top
    assert torch.equal(rotated(NUMBERED, 180, side=4), crop.flip(-1, -2) * disc(4))
    assert torch.equal(rotated(NUMBERED, -90, side=4), rotated(NUMBERED, 270, side=4))
    assert torch.equal(rotated(NUMBERED, 360, side=4), rotated(NUMBERED, 0, side=4))


def test_other_angles_lie_between_the_quarter_turns():
    picture = smooth()
    for angle in (89.999, 90.001):
        assert torch.allclose(rotated(picture, angle, side=31), rotated(picture, 90, side=31), atol=1e-3)
    assert not torch.allclose(rotated(picture, 45, side=31), rotated(picture, 90, side=31), atol=0.3)


def test_a_picture_that_is_the_same_all_round_does_not_change_when_it_is_turned():
    along = torch.arange(41.0) - 20
    bump = torch.exp(-(along[:, None] ** 2 + along**2) / 50)[None, None]
    for angle in (10, 33, 45, 170, 271):
        assert torch.allclose(rotated(bump, angle, side=31), rotated(bump, 0, side=31), atol=0.01)


def test_the_disc_is_soft_symmetric_and_leaves_out_every_corner():
    weights = disc(32)
    assert weights[0, 0] == weights[3, 3] == 0
    assert weights[16, 16] == 1
    assert torch.equal(weights, weights.T)
    assert torch.equal(weights, weights.flip(0))
    row = weights[16, :16]
    assert (row.diff() >= 0).all()
    assert ((row > 0) & (row < 1)).sum() == 2  # a 16th of 32 px
    picture = torch.ones(1, 3, 40, 40)
    for angle in (0, 30, 90):
        assert torch.allclose(rotated(picture, angle, side=32)[0, 0], weights, atol=1e-5)


# ---- series of transformed images


def test_the_papers_ranges_at_the_papers_size():
    shifts = transformed_images.paper_amounts("translation", side=224)
    assert shifts.tolist() == list(range(-60, 61))
    assert transformed_images.paper_amounts("translation", side=128, steps=3).tolist() == [-34, 0, 34]
    assert transformed_images.paper_amounts("scale", side=224, steps=3).tolist() == pytest.approx(
        [1, 1.4, 1.8]
    )
    assert transformed_images.paper_amounts("rotation", side=224).tolist() == list(range(0, 360, 10))


def test_moved_by_whole_pixels_a_series_shows_the_crops_that_training_would_cut():
    images, chosen = pictures(12), torch.tensor([3, 7])
    inputs = Inputs.of(images, chosen, side=32, scale=1 / 64)
    series = transformed_images.Transformed(inputs, "translation", [-2, 0, 3])
    where = [torch.tensor([row, row]) for row in (4 - 3, 4)]
    cut = images.crops(chosen, *where, torch.zeros(2, dtype=torch.bool), side=32, scale=1 / 64)
    assert torch.equal(series.view(slice(0, 2), 2), cut)
    for amount in (1, None):
        assert torch.equal(series.view(slice(0, 2), amount), inputs.tensor())


@pytest.mark.parametrize(("size", "side"), [(40, 32), (40, 31)])
def test_what_is_moved_can_be_seen_through_the_disc_of_what_is_turned(size, side):
    assert pictures(4).size == size
    inputs = Inputs.of(pictures(4), side=side, scale=1 / 64)
    every = slice(0, 4)
    turned = transformed_images.Transformed(inputs, "rotation", [0, 90])
    for kind, amounts in (("translation", [-2, 0, 3]), ("scale", [1, 1.3])):
        whole = transformed_images.Transformed(inputs, kind, amounts)
        seen = transformed_images.Transformed(inputs, kind, amounts, through_disc=True)
        assert torch.equal(seen.view(every, 0), whole.view(every, 0) * disc(side))
        assert torch.equal(seen.view(every, None), turned.view(every, None))  # so that their unit is one


def test_what_is_looked_at_goes_from_one_end_of_the_range_to_the_other():
    images = replace(pictures(12), mean=torch.full((40, 40, 3), 128.0))
    inputs = Inputs.of(images, torch.tensor([3, 7]), side=32, scale=1 / 64)
    series = transformed_images.Transformed(inputs, "translation", [-4, -3, 0, 1, 4])
    seen = transformed_images.as_seen(series, steps=3)
    stored = images.pixels[[3, 7], :, 4:36].numpy()
    assert seen.shape == (2, 3, 32, 32, 3)
    for column, top in enumerate((8, 4, 0)):  # up by 4, as it is, down by 4
        assert (seen[:, column] == stored[:, top : top + 32]).all()


def test_a_series_of_sizes_says_which_sizes_it_really_has():
    series = transformed_images.Transformed(Inputs.of(pictures(4), side=32), "scale", [1, 1.01, 1.26])
    assert series.amounts.tolist() == [1, 50 / 40]
    assert series.view(slice(0, 3), 1).shape == (3, 3, 32, 32)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Scenes of 64 px with 4 px more on every side, and their store."""
    source = PartsImages("validation", n=20, size=72, field=72 / 64)
    return source, build(source, tmp_path_factory.mktemp("parts") / "pixels", workers=1, progress=False)


def test_scenes_drawn_again_show_what_the_centre_crop_shows(world):
    source, images = world
    inputs = Inputs.of(images, torch.tensor([5, 2]), side=64, scale=1 / 64)
    series = transformed_images.rendered(source, inputs, "translation", [0, 16], workers=1)
    assert np.array_equal(series.pixels[:, 0], series.pixels[:, 1])
    difference = (series.view(slice(0, 2), None) - inputs.tensor()).abs().mean() * 64
    assert difference < 12  # levels of 255: the sensor's noise is drawn for each size anew
    assert torch.equal(series.view(slice(0, 1), 0), series.view(slice(0, 1), None))


def test_a_scene_drawn_again_moves_its_object_by_the_pixels_that_were_asked_for(world):
    source, images = world
    inputs = Inputs.of(images, torch.tensor([1]), side=64, scale=1 / 64)
    series = transformed_images.rendered(source, inputs, "translation", [0, 16], workers=1)
    ground = replace(source.scene(1), objects=()).render(64).astype(int)
    rows = [
        np.flatnonzero((np.abs(one.astype(int) - ground).sum(2) > 90).sum(1) > 4)
        for one in series.pixels[0, 1:]
    ]
    assert rows[1][0] - rows[0][0] == pytest.approx(16, abs=2)


def test_the_poses_of_the_world_lie_where_it_draws_them(world):
    seen = transformed_images.training_poses(PartsImages("train", n=160, size=64)).set_index("pose")
    assert -15 <= seen.loc["rotation", "low"] < -12
    assert 12 < seen.loc["rotation", "high"] <= 15
    assert 0 < seen.loc["height", "low"] < 0.45 < seen.loc["height", "middle"] < 0.55
    assert seen.loc["relative size", "middle"] == pytest.approx(1, abs=0.01)


def test_the_ranges_are_set_beside_what_training_has_seen():
    ranges = {"translation": np.arange(-3.0, 4), "scale": np.array([1, 1.8]), "rotation": np.arange(4) * 90.0}
    photographs = range_table(ranges, margin=8)
    assert photographs[["here", "steps"]].to_numpy().tolist() == [
        ["−3 to 3 px", 7],
        ["1 to 1.8×", 2],
        ["0 to 270°", 4],
    ]
    assert photographs["in training"].tolist() == [
        "±8 px, by the crop; beyond that unknown",
        "none by the crop; beyond that unknown",
        "none; beyond that unknown",
    ]
    rows = [("height", 0.3, 0.5, 0.7), ("relative size", 0.8, 1, 1.25), ("rotation", -14.6, 0, 14.6)]
    poses = pd.DataFrame(rows, columns=["pose", "low", "middle", "high"])
    assert range_table(ranges, margin=8, poses=poses)["in training"].tolist() == [
        "±8 px, by the crop; objects' middles at 0.30 to 0.70 of the height",
        "none by the crop; objects of one category, 0.80 to 1.25 of the median",
        "−15° to 15°, objects",
    ]


def test_chosen_pictures_are_of_different_classes_and_the_symmetric_one_comes_last():
    labels, classes = torch.arange(60) % 6, ("cat", "clock", "dog", "ball", "house", "tree")
    chosen = transformed_images.choice(labels, classes, shown=4, n=20, seed=3)
    names = [classes[i] for i in labels[chosen.shown]]
    assert len(set(names)) == 4
    assert [name in transformed_images.SYMMETRIC for name in names] == [False, False, False, True]
    assert len(chosen.some) == len(chosen.some.unique()) == 20
    assert set(chosen.shown.tolist()) <= set(chosen.some.tolist())
    assert set(chosen.shown.tolist()) <= {*chosen.plain.tolist(), *chosen.symmetric.tolist()}
    assert {classes[i] for i in labels[chosen.plain]} == {"cat", "dog", "house", "tree"}
    assert {classes[i] for i in labels[chosen.symmetric]} == {"clock", "ball"}
    assert (len(chosen.plain), len(chosen.symmetric)) == (20, 10)
    assert torch.equal(chosen.some, transformed_images.choice(labels, classes, shown=4, n=20, seed=3).some)
    with pytest.raises(ValueError, match="7 pictures to show and 5 in all, of 60"):
        transformed_images.choice(labels, classes, shown=7, n=5)


def test_of_fewer_classes_than_are_shown_further_pictures_are_shown():
    chosen = transformed_images.choice(torch.arange(20) % 2, ("a", "b"), shown=5, n=6)
    assert len(chosen.shown) == len(chosen.shown.unique()) == 5
    assert set((chosen.shown[:2] % 2).tolist()) == {0, 1}
    assert set((chosen.shown[2:4] % 2).tolist()) == {0, 1}  # each in turn
    assert set(chosen.shown.tolist()) <= set(chosen.some.tolist())


def test_every_picture_behind_the_means_is_turned_too_however_many_are_symmetric():
    labels = torch.tensor([0] * 18 + [1] * 2)
    chosen = transformed_images.choice(labels, ("clock", "dog"), shown=2, n=12)
    assert set(chosen.some.tolist()) <= {*chosen.plain.tolist(), *chosen.symmetric.tolist()}


def test_without_symmetric_classes_all_that_are_shown_are_of_others():
    chosen = transformed_images.choice(torch.arange(9) % 3, ("a", "b", "c"), shown=3, n=6)
    assert (len(chosen.shown), len(chosen.symmetric)) == (3, 0)


# ---- blur


@pytest.mark.parametrize(("side", "sigma"), [(1, 0.3), (5, 0.8), (13, 3.0)])
def test_a_blur_is_torchvision_s(side, sigma):
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 9, 7)))
    expected = gaussian_blur(images, [side, side], [sigma, sigma])
    torch.testing.assert_close(blurred(images, sigma, side=side), expected)
    torch.testing.assert_close(blurred(images[0], sigma, side=side), expected[0])


@pytest.mark.parametrize("side", [4, 15, -1])
def test_a_blur_that_no_picture_of_that_size_can_have_is_refused(side):
    with pytest.raises(ValueError, match=f"{side} px"):
        blurred(torch.zeros(3, 9, 7), 1.0, side=side)
