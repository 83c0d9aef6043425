"""Figures of chapter 11: every picture in its row and column, all names readable."""

import numpy as np
import pandas as pd
import pytest
import small
from drawn import series
from legible import assert_readable

from zfutils.data.inputs import Inputs
from zfutils.experiments.maximisation import figures
from zfutils.experiments.maximisation.ascent import Goal, Made, PixelRange
from zfutils.plotting.tiles import colours_and_mask

RANGE = PixelRange((100.0, 100.0, 100.0), 1.0)


def made(maps=(0, 11), starts=2, side=5, value=0.0):
    images = np.full((len(maps), starts, 3, side, side), value)
    images += np.arange(len(maps))[:, None, None, None, None] + 10 * np.arange(starts)[:, None, None, None]
    return Made(Goal("relu1", maps, "unit", starts), images, np.ones((len(maps), starts)))


def pictures(rows, columns, side=6):
    draw = np.random.default_rng(0)
    return [[draw.integers(0, 256, (side, side, 3), np.uint8) for _ in range(columns)] for _ in range(rows)]


@pytest.mark.parametrize(
    ("rows", "columns", "groups"),
    [
        (["map 3", "map 17"], ["four strongest patches", "their projections", "plain", "decay and blur"], ()),
        (["strongest image", "decay and blur"], [f"map {i}" for i in range(60, 66)], ()),
        (
            [f"layer {i}\nmap 61" for i in (1, 2, 3)],
            ["patches", "projections", *["plain", "decay and blur", "with jitter"] * 2],
            [("four strongest", 2), ("one unit", 3), ("whole map", 3)],
        ),
        (["map 61"], ["1", "2", "3"] * 3, [("plain", 3), ("decay and blur", 3), ("with jitter", 3)]),
    ],
)
def test_a_gallery_shows_every_picture_in_its_row_and_column(rows, columns, groups):
    cells = pictures(len(rows), len(columns))
    figure = figures.gallery(cells, rows=rows, columns=columns, groups=groups)
    assert_readable(figure)
    shown = figure.axes[0].images
    placed = sorted(shown, key=lambda image: (image.get_extent()[3], image.get_extent()[0]))
    for image, picture in zip(placed, [one for row in cells for one in row], strict=True):
        np.testing.assert_array_equal(image.get_array(), picture)
        left, right, bottom, top = image.get_extent()
        assert right - left == pytest.approx(bottom - top)


def test_four_windows_are_laid_out_whole():
    top = small.top_projections()
    patches, projections = figures.four(top, 0)
    colours, own, inside = colours_and_mask(top, 0)
    times = round(figures.FOUR / 2 / 7)
    tile = 7 * times
    assert patches.shape == projections.shape
    first = own[0].repeat(times, 0).repeat(times, 1)
    np.testing.assert_array_equal(patches[:tile, :tile], first)
    np.testing.assert_array_equal(projections[:tile, :tile], colours[0].repeat(times, 0).repeat(times, 1))
    assert inside[0].all()


def test_a_row_has_the_map_s_own_images():
    top = small.top_projections()  # maps 0 and 11
    rows = figures.rows_of(top, [made(), made(value=50.0)], RANGE)
    assert [len(row) for row in rows] == [4, 4]
    assert [int(row[2][0, 0, 0]) for row in rows] == [100, 101]
    assert [int(row[3][0, 0, 0]) for row in rows] == [150, 151]
    with pytest.raises(ValueError, match="not of the maps"):
        figures.rows_of(top, [made(maps=(0, 1))], RANGE)


def test_rows_of_starts_have_all_starts_of_a_map_side_by_side():
    rows = figures.rows_of_starts([made(), made(value=50.0)], 2, RANGE)
    assert [[int(picture[0, 0, 0]) for picture in row] for row in rows] == [
        [100, 110, 150, 160],
        [101, 111, 151, 161],
    ]


def test_one_picture_may_be_the_strongest_of_two_maps():
    inputs = Inputs.of(small.pictures(6), side=32)
    rows = figures.rows_of_maps(inputs, np.array([4, 2, 4]), [made(maps=(0, 1, 2))], RANGE)
    stored = inputs.images.pixels[:, 4:36, 4:36].numpy()
    for picture, number in zip(rows[0], (4, 2, 4), strict=True):
        np.testing.assert_array_equal(picture, stored[number])
    assert [int(picture[0, 0, 0]) for picture in rows[1]] == [100, 101, 102]


def test_what_is_reached_stands_at_its_layer_in_its_network_s_panel():
    table = pd.DataFrame([
        {"network": n, "way": way, "layer": layer, "estimate": e, "low": e / 2, "high": 2 * e, "n": 8}
        for n, factor in (("trained", 1), ("random", 5))
        for way in ("plain", "decay and blur", "with jitter")
        for layer, e in ((1, factor * 0.4), (2, factor * 3.0))
    ])  # fmt: skip
    figure = figures.reached(table)
    assert_readable(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["trained weights", "random weights"]
    for axes, factor in zip(figure.axes, (1, 5), strict=True):
        for line, ends in series(axes):
            np.testing.assert_allclose(line.get_ydata(), [0.4 * factor, 3 * factor])
            np.testing.assert_allclose(ends[0], [0.2 * factor, 0.8 * factor])
            assert np.rint(line.get_xdata()).tolist() == [1, 2]
