"""Figures of chapter 3: one contrast for a map's nine, every window's pixels in place, the walk down."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from legible import assert_readable, texts
from matplotlib.backends.backend_agg import FigureCanvasAgg
from small import top_projections

from zfutils.experiments.projections.figures.schematic import pooled_and_unpooled, schematic
from zfutils.experiments.projections.figures.walk import support, walk
from zfutils.plotting import projections, tiles


def rendered(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


# ---- contrast


def test_full_contrast_is_the_percentile_of_what_lies_inside_the_picture():
    pattern, inside = np.full((1, 10, 10, 3), 1e6), np.zeros((1, 10, 10), bool)
    inside.reshape(-1)[:67] = True  # 201 values, of which the 99.5th percentile is the last but one: 199
    pattern[inside] = np.arange(201.0).reshape(67, 3) * np.where(np.arange(3) == 1, -1, 1)
    shown = tiles.shades(pattern, inside)[inside].flatten()
    assert shown[[0, 1, 3]] == pytest.approx([0.5, 0.5 - 0.5 / 199, 0.5 + 1.5 / 199])
    assert shown[199] == 0.0  # -199 in full
    assert shown[200] == 1.0  # 200, clipped
    assert shown[198] == pytest.approx(0.5 + 0.5 * 198 / 199)


def test_all_of_a_map_are_on_one_scale_so_that_a_weaker_projection_looks_weaker():
    one = np.random.default_rng(0).choice([-1.0, 1.0], (1, 8, 8, 3))
    both = np.concatenate((one, one / 4))
    shown = tiles.shades(both, np.ones((2, 8, 8), bool))
    assert set(np.unique(shown[0])) == {0.0, 1.0}
    assert set(np.unique(shown[1])) == {0.375, 0.625}


def test_nothing_is_mid_grey_and_a_single_bright_pixel_is_still_seen():
    inside = np.ones((1, 40, 40), bool)
    pattern = np.zeros((1, 40, 40, 3))
    assert (tiles.shades(pattern, inside) == 0.5).all()
    pattern[0, 3, 4] = 7, 0, -7  # far fewer than one value in two hundred
    assert tiles.shades(pattern, inside)[0, 3, 4].tolist() == [1, 0.5, 0]
    assert tiles.eight_bits(np.array([0, 0.5, 1])).tolist() == [0, 128, 255]


# ---- tiles


def test_tiles_stand_in_reading_order_and_enlarged_pixels_are_repeated():
    colours = np.arange(3 * 2 * 2, dtype=np.uint8).reshape(3, 2, 2, 1).repeat(3, -1)
    page = tiles.block(colours, np.ones((3, 2, 2), bool), tile=4, gap=1)[..., 0]
    grey, empty = [tiles.GUTTER], [tiles.GUTTER] * 4
    assert page.shape == (9, 9)
    assert page[0].tolist() == [0, 0, 1, 1, *grey, 4, 4, 5, 5]
    assert page[3].tolist() == [2, 2, 3, 3, *grey, 6, 6, 7, 7]
    assert page[4].tolist() == grey * 9
    assert page[8].tolist() == [10, 10, 11, 11, *grey, *empty]


def test_what_lies_outside_the_picture_is_hatched_and_no_pixel_of_it_is_shown():
    colours = np.full((1, 14, 14, 3), 100, np.uint8)
    inside = np.ones((1, 14, 14), bool)
    inside[0, :, :7] = False
    page = tiles.block(colours, inside, tile=14, gap=1)
    assert (page[:, 7:] == 100).all()
    assert set(np.unique(page[:, :7])) == {tiles.OUTSIDE, tiles.HATCH}
    assert (page[:, :7, 0] == tiles.HATCH).mean() == pytest.approx(1 / 7)


def test_windows_that_do_not_fit_are_averaged():
    board = np.indices((20, 20)).sum(0) % 2 * 255
    page = tiles.block(
        board.astype(np.uint8)[None, ..., None].repeat(3, -1), np.ones((1, 20, 20), bool), tile=5, gap=1
    )
    assert page.shape == (5, 5, 3)
    assert np.abs(page.astype(int) - 128).max() < 20


# ---- Fig. 2


@pytest.mark.parametrize(("side", "maps", "columns", "k"), [
    (7, 12, 4, 9), (27, 5, 3, 9), (75, 4, 3, 9), (107, 3, 2, 9), (139, 3, 2, 9),
    (139, 4, 3, 1), (11, 1, 2, 9),
])  # fmt: skip
def test_every_pixel_of_every_window_is_on_the_page_at_its_place(side, maps, columns, k):
    top = top_projections(maps, k, side, layer="relu3")
    figure = projections.nine(top, columns=columns)
    assert_readable(figure)
    page, images = rendered(figure), figure.axes[0].images
    assert page.shape[1] == round(figure.get_size_inches()[0] * figure.dpi)
    assert figure.get_size_inches()[0] == pytest.approx(7.5)
    assert len(images) == 2 * maps
    half = images[1].get_extent()[0] - images[0].get_extent()[0]
    for index in range(maps):
        colours, patches, inside = tiles.colours_and_mask(top, index)
        for image, tile in ((images[2 * index], colours), (images[2 * index + 1], patches)):
            left, _, bottom, above = (round(x) for x in image.get_extent())
            block = image.get_array()
            assert (page[above:bottom, left : left + block.shape[1]] == block).all()
            times = round(k**-0.5 * block.shape[1] / side)
            corner = block[: times * side, : times * side]
            assert (corner[::times, ::times] == np.where(inside[0, ..., None], tile[0], 255)).all()
        assert images[2 * index + 1].get_extent()[0] - images[2 * index].get_extent()[0] == half
    lefts = [image.get_extent()[0] for image in images[::2]]
    assert lefts[0] == 0
    assert len(set(lefts)) == min(columns, maps)


def test_projections_of_one_channel_are_shown_in_grey():
    grey = top_projections(2, side=20, channels=1)
    colours, patches, inside = tiles.colours_and_mask(grey, 1)
    assert colours.shape == patches.shape == (*inside.shape, 3)
    assert (patches == grey.patches[1]).all()
    assert len(np.unique(colours)) > 100
    for figure in (projections.nine(grey, columns=2), projections.second_layers({"a": grey, "b": grey})):
        page = rendered(figure)
        assert (page[..., :1] == page).all()


def test_projections_of_other_numbers_of_channels_are_shown_as_the_grey_of_their_mean():
    grey = top_projections(2, side=20, channels=1)
    patches = np.concatenate([grey.patches // 2, grey.patches // 4], axis=-1)
    two = replace(grey, projections=grey.projections.repeat(2, -1), patches=patches)
    colours, shown, _ = tiles.colours_and_mask(two, 1)
    near = np.abs(colours.astype(int) - tiles.colours_and_mask(grey, 1)[0])
    assert near.max() <= 1, "the scale is a percentile of twice as many values"
    assert (shown[..., 0] == patches[1].mean(-1).astype(np.uint8)).all()
    assert (shown[..., :1] == shown).all()
    projections.nine(two, columns=2)
    with pytest.raises(ValueError, match="as many channels"):
        projections.nine(replace(two, patches=grey.patches), columns=2)


def test_maps_are_named_by_their_number_in_both_halves():
    figure = projections.nine(top_projections(2, numbers=[17, 203], layer="relu4"), columns=2)
    written = [text for text, _ in texts(figure)]
    assert sorted(written) == sorted(
        ["Layer 4: projections", "patches, 7×7 px", *["map 17"] * 2, *["map 203"] * 2]
    )


def test_a_map_that_answers_to_fewer_pictures_leaves_their_tiles_empty():
    top = top_projections(1, side=10)
    top.strongest.values[0, 4:] = 0
    inside = tiles.colours_and_mask(top, 0)[-1]
    assert inside[:4].any((1, 2)).all()
    assert not inside[4:].any()
    page = projections.nine(top, columns=1).axes[0].images[1].get_array()
    last = page[-page.shape[0] // 4 :, -page.shape[1] // 4 :]
    assert set(np.unique(last)) == {tiles.OUTSIDE, tiles.HATCH}


def test_where_the_page_is_too_narrow_windows_are_scaled_down_to_300_dots_an_inch():
    figure = projections.nine(top_projections(6, side=139), columns=6)
    assert figure.dpi == pytest.approx(300, rel=0.02)
    assert figure.axes[0].images[0].get_array().shape[0] < 3 * 139
    assert_readable(figure)


def test_arrays_that_do_not_belong_together_are_refused():
    top = top_projections(2)
    short = replace(top, projections=top.projections[:1])
    with pytest.raises(ValueError, match=r"layer 'relu1': 2 maps .* got projections \(1, 9, 7, 7, 3\)"):
        projections.nine(short, columns=2)
    with pytest.raises(ValueError, match="patches are uint8, not float64"):
        projections.nine(replace(top, patches=top.patches / 255), columns=2)
    with pytest.raises(ValueError, match="0 maps"):
        projections.nine(top.of(torch.tensor([], dtype=torch.int64)), columns=2)
    with pytest.raises(ValueError, match="columns is 0; it must be 1 or more"):
        projections.nine(top, columns=0)
    with pytest.raises(ValueError, match=r"240 tiles do not fit on 7.5 inches; take fewer columns"):
        projections.nine(top_projections(40, side=3), columns=40)


# ---- Fig. 6 d, e


def test_second_layers_show_a_pixel_of_the_picture_at_one_size():
    tops = {
        "Krizhevsky": top_projections(40, 2, 51, layer="relu2"),
        "ZFNet": top_projections(130, 2, 27, layer="relu2"),
    }
    figure = projections.second_layers(tops)
    assert_readable(figure)
    written = [text for text, _ in texts(figure)]
    assert written == [
        "Krizhevsky\n25 of 40 maps, windows of 51 px",
        "ZFNet\n81 of 130 maps, windows of 27 px",
    ]
    left, right = (image.get_array() for image in figure.axes[0].images)
    times = left.shape[1] // (5 * 51)
    for page, top, side in ((left, tops["Krizhevsky"], 51), (right, tops["ZFNet"], 27)):
        own = tiles.eight_bits(tiles.shades(top.projections[0][:1], top.inside[0][:1]))[0]
        assert (page[: times * side : times, : times * side : times] == own).all()


def test_second_layers_are_of_two_networks_and_a_silent_map_is_hatched():
    with pytest.raises(ValueError, match="two networks stand side by side, not 1: one"):
        projections.second_layers({"one": top_projections()})
    silent = top_projections(1, side=20)
    silent.strongest.values[:] = 0
    page = projections.second_layers({"a": silent, "b": silent}).axes[0].images[0].get_array()
    assert set(np.unique(page)) <= {tiles.OUTSIDE, tiles.HATCH, tiles.GUTTER}


# ---- the walk


def steps(*, size=60):
    """A seed, a step of two maps with energy 5 at one place, and a projection."""
    seed, middle, pixels = torch.zeros(1, 8, 9, 9), torch.zeros(1, 4, 20, 20), torch.zeros(1, 3, size, size)
    seed[0, 3, 4, 5] = 2
    middle[0, 1, 10, 10], middle[0, 2, 10, 10], middle[0, 2, 16, 8] = 3, -4, 1
    pixels[0, :, 20:40, 25:45] = torch.randn(3, 20, 20, generator=torch.Generator().manual_seed(0))
    return [("relu5", seed), ("conv5: filtered", middle), ("conv1: filtered", pixels)]


def test_the_walk_shows_energy_over_maps_cropped_to_where_it_is():
    figure = walk(steps(), np.zeros((30, 30, 3), np.uint8), corner=(15, 20))
    assert_readable(figure)
    seed, middle = (figure.axes[i].images[0].get_array() for i in (0, 1))
    assert seed.shape == (5, 5)
    assert (seed[2, 2], seed.sum()) == (2, 2)
    assert middle.shape == (9, 9)  # rows 10 to 16 and a position around
    assert sorted(middle[middle > 0].tolist()) == [1, 5]  # √(3² + 4²)
    below = [text for text, _ in texts(figure)]
    assert "5×5 of 9×9\n1 of 8 maps\nnorm 2" in below
    assert "9×9 of 20×20\n2 of 4 maps\nnorm 5.1" in below  # √26


def test_projection_and_patch_are_cut_by_the_same_window():
    signals = steps()
    patch = np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    figure = walk(signals, patch, corner=(40, -10))
    projection, picture = (axes.images[0].get_array()[5::10, 5::10] for axes in figure.axes[-2:])
    assert projection.shape == (30, 30, 3)
    inside = np.zeros((30, 30), bool)
    inside[:20, 10:] = True
    assert (picture[inside] == patch[inside]).all()
    assert set(np.unique(picture[~inside])) == {tiles.OUTSIDE, tiles.HATCH}
    part = signals[-1][1][0, :, 40:60, 0:20].permute(1, 2, 0).numpy()[None]
    own = tiles.eight_bits(tiles.shades(part, np.ones((1, 20, 20), bool)))[0]
    assert (projection[:20, 10:] == own).all()


@pytest.mark.parametrize("count", [2, 5, 17])
def test_a_walk_of_any_length_is_readable(count):
    middle = [(f"relu{i}: rectified", torch.ones(1, 4, 100, 100)) for i in range(count - 1)]
    end = ("conv1: filtered", torch.ones(1, 3, 64, 48))
    figure = walk([*middle, end], np.zeros((64, 48, 3), np.uint8), corner=(0, 0))
    assert_readable(figure)
    assert len(figure.axes) == count + 1


def test_a_walk_in_one_channel_ends_in_grey():
    signals = [(name, signal[:, :1]) for name, signal in steps()]
    figure = walk(signals, np.full((30, 30, 1), 7, np.uint8), corner=(15, 20))
    projection, picture = (axes.images[0].get_array() for axes in figure.axes[-2:])
    assert projection.shape == picture.shape == (300, 300, 3)
    assert (picture == 7).all()
    assert (projection[..., :1] == projection).all()


def test_a_signal_that_died_on_its_way_is_shown_whole():
    energy = np.zeros((6, 4))
    assert support(energy) == (slice(0, 6), slice(0, 4))
    energy[5, 0] = 1
    assert energy[support(energy)].shape == (5, 4)  # five positions at least, none beyond the map
    assert energy[support(energy)][-1, 0] == 1


# ---- the schematic


@pytest.mark.parametrize("size", [(5, 5), (7, 9), (11, 5)])
def test_unpooling_adds_at_shared_switches_as_the_derivative_of_pooling_does(size):
    generator = torch.Generator().manual_seed(sum(size))
    values = torch.randn(size, generator=generator).requires_grad_()
    maxima = torch.nn.functional.max_pool2d(values[None], 3, 2)[0]
    above = torch.randn(maxima.shape, generator=generator)
    (derivative,) = torch.autograd.grad(maxima, values, above)
    example = pooled_and_unpooled(values.detach(), above)
    assert len(example.switches.unique()) < example.switches.numel()  # some are shared
    torch.testing.assert_close(example.unpooled, derivative)
    assert torch.equal(values.flatten()[example.switches], example.maxima)


def test_the_schematic_is_readable_and_shows_what_the_rules_give():
    figure = schematic()
    assert_readable(figure)
    written = [text for text, _ in texts(figure)]
    assert "a switch shared by 2 windows: 3 + 2 = 5" in written
    assert {"max pooling", "max unpooling", "switches", "filtering with {F}", "filtering with {Fᵀ}"} <= set(
        written
    )
    assert written.count("rectified linear") == 2
