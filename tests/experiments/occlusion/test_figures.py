"""Figures of occlusion: every panel holds what it says, and each position lies on its own pixels."""

import numpy as np
import pytest
from legible import assert_readable
from matplotlib.colors import to_hex

from zfutils.experiments.occlusion import figures
from zfutils.experiments.occlusion.map_projections import MapProjections
from zfutils.experiments.occlusion.sliding_patch import Occlusion, Patch

SIDE, PATCH = 64, Patch(16, 8)
CLASSES = tuple(f"class number {i} with a name" for i in range(12))


def found(n=3, *, classes=12, seed=0):
    draw = np.random.default_rng(seed)
    grid = (n, 8, 8)
    return Occlusion(
        PATCH,
        "relu5",
        np.arange(n),
        np.arange(n) % classes,
        np.arange(n) + 40,
        draw.normal(size=(*grid, classes)),
        draw.random(grid),
        draw.normal(size=(n, classes)),
        np.ones(n),
    )


def pictures(n=3):
    return np.random.default_rng(1).integers(0, 256, (n, SIDE, SIDE, 3), dtype=np.uint8)


def projections(n=3):
    draw = np.random.default_rng(2)
    return [MapProjections(40 + i, draw.normal(size=(2, SIDE, SIDE, 3))) for i in range(n)]


def discs(n=3):
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([np.hypot(y - 30, x - 20 - 5 * i) < 14 for i in range(n)])


@pytest.mark.parametrize("n", [1, 4])
def test_a_line_a_picture_with_its_panels(n):
    measured = found(n)
    figure = figures.fig_7(pictures(n), measured, projections(n), CLASSES, masks=discs(n))
    assert_readable(figure)
    lines = np.array(figure.axes[: 8 * (n + 1)]).reshape(n + 1, 8)
    for i, line in enumerate(lines[:n]):
        np.testing.assert_array_equal(line[0].images[0].get_array(), pictures(n)[i])
        np.testing.assert_allclose(line[1].images[0].get_array(), measured.activations[i])
        np.testing.assert_allclose(line[4].images[0].get_array(), measured.probability[i])
        lost = measured.fall("log-odds")[i].clip(min=0)
        np.testing.assert_allclose(line[5].images[0].get_array(), lost)
        assert [len(axes.images) for axes in line[2:4]] == [1, 1]
        assert line[2].get_xlabel() == f"map {40 + i}"
        assert line[4].images[0].get_clim() == (0, 1)


def test_a_map_without_a_projection_elsewhere_has_no_panel_for_it():
    alone = [MapProjections(one.number, one.projections[:1]) for one in projections(2)]
    figure = figures.fig_7(pictures(2), found(2), alone, CLASSES)
    assert_readable(figure)
    panels = np.array(figure.axes[:16]).reshape(2, 8)
    titles = [axes.get_title(loc="left") for axes in panels[0]]
    assert "elsewhere" not in titles
    assert len([title for title in titles if title]) == 6
    assert not any(axes.images for axes in panels[:, 3])


def test_every_position_lies_about_its_centre():
    measured = found(1)
    axes = figures.fig_7(pictures(1), measured, projections(1), CLASSES).axes[1]
    left, right, bottom, top = axes.images[0].get_extent()
    rows = PATCH.centres(SIDE)
    step = (bottom - top) / len(rows)
    np.testing.assert_allclose(top + step * (np.arange(len(rows)) + 0.5), rows)
    assert (left, right) == (top, bottom)
    assert axes.get_xlim() == (-0.5, SIDE - 0.5)


def test_the_legend_names_the_classes_that_are_shown_the_followed_one_first():
    measured = found(1, classes=4)
    logits = np.zeros((1, 8, 8, 4))
    logits[..., 0] = 1
    logits[0, :2, :, 2] = 2
    logits[0, 7, 7, 3] = 2
    measured = Occlusion(**{**vars(measured), "logits": logits})
    figure = figures.fig_7(pictures(1), measured, projections(1), ["dog", "cat", "owl", "car"])
    panel, beside = figure.axes[6:8]
    assert [t.get_text() for t in beside.get_legend().get_texts()] == ["dog", "owl", "car"]
    drawn = panel.images[0]
    colours = {n: to_hex(drawn.cmap(drawn.norm(v))) for n, v in (("dog", 0), ("owl", 1), ("car", 2))}
    swatches = {
        t.get_text(): to_hex(h.get_facecolor())
        for t, h in zip(beside.get_legend().get_texts(), beside.get_legend().legend_handles, strict=True)
    }
    assert colours == swatches
    assert drawn.get_array()[0, 0] == 1
    assert drawn.get_array()[7, 7] == 2
    assert drawn.get_array()[4, 4] == 0


def test_classes_beyond_the_colours_there_are_share_a_grey():
    measured = found(1)  # random: all twelve are shown
    beside = figures.fig_7(pictures(1), measured, projections(1), CLASSES).axes[7]
    names = [t.get_text() for t in beside.get_legend().get_texts()]
    assert len(names) == len(figures.CLASS_COLOURS) + 1
    assert names[-1] == figures.REST


def test_the_scale_of_activations_ends_where_it_says():
    measured = found(2)
    measured = Occlusion(**{**vars(measured), "activations": 5 * measured.activations})
    shown = figures.fig_7(pictures(2), measured, projections(2), CLASSES).axes[1].images[0]
    assert shown.get_clim() == (0, figures.MOST)


def test_the_cheats_figure_shows_scenes_maps_and_a_dot_a_scene():
    draw = np.random.default_rng(3)
    falls = {"honest": draw.random((3, 8, 8)), "cheat": -draw.random((3, 8, 8))}
    shares = {"honest": draw.random(50), "honest, another seed": draw.random(50), "cheat": draw.random(50)}
    figure = figures.cheat(pictures(), falls, shares, PATCH, masks=discs())
    assert_readable(figure)
    *panels, dots = figure.axes
    assert len(panels) == 9
    np.testing.assert_allclose(panels[1].images[0].get_array(), falls["honest"][0])
    assert not panels[2].images[0].get_array().any()  # a rise is no drop
    assert panels[2].get_xlabel() == "no drop"
    for points, values in zip(dots.collections, shares.values(), strict=True):
        np.testing.assert_allclose(points.get_offsets()[:, 0], values)
    medians = [line.get_xdata()[0] for line in dots.lines[: len(shares)]]
    np.testing.assert_allclose(medians, [np.median(v) for v in shares.values()])


def test_scenes_of_two_objects_have_both_outlines_and_a_cross_at_the_greatest_fall():
    falls = np.random.default_rng(4).normal(size=(3, 8, 8)) - 1
    others = discs()[:, :, ::-1]
    figure = figures.pointing(pictures(), falls, PATCH, CLASSES[:3], named=discs(), others=others)
    assert_readable(figure)
    panels = np.array(figure.axes).reshape(2, 3)
    for i, (above, below) in enumerate(panels.T):
        np.testing.assert_array_equal(above.images[0].get_array(), pictures()[i])
        np.testing.assert_allclose(below.images[0].get_array(), falls[i].clip(min=0))
        row, column = np.argwhere(falls[i] == falls[i].max())[0]
        centres = PATCH.centres(SIDE)
        assert below.lines[0].get_xydata().tolist() == [[centres[column], centres[row]]]
        assert len(above.collections) == len(below.collections) == 2
