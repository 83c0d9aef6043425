"""Figures of chapter 1: they hold what they should, and no label leaves the figure or covers another."""

import numpy as np
import pytest
import torch
from legible import assert_readable, texts
from matplotlib.patches import Polygon, Rectangle

from zfutils.experiments.architecture import figures
from zfutils.experiments.architecture.filter_images import mosaic
from zfutils.nets import filters, zoo

SPECS = {
    "ZFNet at 224": zoo.zfnet(),
    "Krizhevsky at 224": zoo.krizhevsky(),
    "ZFNet at 128, half as wide": zoo.zfnet(20, 128).scaled(0.5, fc_width=0.25),
    "ZFNet at 96, a quarter as wide": zoo.zfnet(16, 96).scaled(0.25),
    "Krizhevsky at 96, a quarter as wide": zoo.krizhevsky(16, 96).scaled(0.25),
    "512-1024-512": zoo.wide(zoo.zfnet()),
    "without layers 3, 4, 6, 7": zoo.krizhevsky().without("conv3", "conv4", "fc6", "fc7"),
    "8192 units": zoo.zfnet().with_fc(8192),
    "tiny": zoo.zfnet(4, 64).scaled(0.02),
    "LeNet-5": zoo.lenet5(),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_drawing_of_a_network_is_readable_at_every_size_and_width(spec):
    figure = figures.network_to_scale(spec)
    assert_readable(figure)
    written = {text.strip("*") for text, _ in texts(figure)}
    assert {stage.name for stage in spec.stages()} <= written


def test_the_drawing_is_to_scale():
    figure = figures.network_to_scale(zoo.zfnet())
    boxes = [p.get_xy() for p in figure.axes[0].patches if isinstance(p, Polygon)]
    fronts = [
        b for b in boxes if len(b) == 5 and b[0, 1] == b[1, 1] and b[0, 0] == b[3, 0] and b[0, 1] == 1.0
    ]
    size = {  # width and height of every front, in the order of the layers
        name: (front[1, 0] - front[0, 0], front[2, 1] - front[1, 1])
        for name, front in zip(("image", *(s.name for s in zoo.zfnet().stages())), fronts, strict=True)
    }
    assert size["conv1"][1] / size["image"][1] == pytest.approx(110 / 224)
    assert size["conv2"][1] / size["conv1"][1] == pytest.approx(26 / 110)
    assert size["conv3"][0] / size["conv1"][0] == pytest.approx(384 / 96)
    assert size["fc8"][1] / size["fc7"][1] == pytest.approx(1000 / 4096)


def test_receptive_fields_are_drawn_to_the_images_scale():
    figure = figures.network_to_scale(zoo.zfnet(20, 128))
    sides = [p.get_width() for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    image, *fields = sides
    assert np.array(fields) * 128 / image == pytest.approx([171, 139, 107, 75, 43, 27, 11, 7])


def test_the_contact_sheet_shows_every_category_with_its_name():
    classes = tuple(f"a rather long name {i}" for i in range(16))
    labels = np.tile(np.arange(16), 5)
    images = np.random.default_rng(0).integers(0, 256, (80, 24, 24, 3), dtype=np.uint8)
    figure = figures.contact_sheet(images, labels, classes, examples=4)
    assert_readable(figure)
    assert {" ".join(text.split()) for text, _ in texts(figure)} == set(classes)
    shown = figure.axes[0].images
    assert len(shown) == 64
    assert np.array_equal(shown[0].get_array(), images[0])
    assert np.array_equal(shown[5].get_array(), images[17])  # the second example of the second category


def test_a_category_with_too_few_images_is_named():
    with pytest.raises(ValueError, match=r"a sheet of 2 images a category: wheel has fewer"):
        figures.contact_sheet(
            np.zeros((3, 8, 8, 3), np.uint8), np.array([0, 1, 0]), ("eye", "wheel"), examples=2
        )


def test_filters_stand_in_the_order_of_their_rms_about_mid_grey():
    weight = torch.tensor([0.5, -2.0, 1.0])[:, None, None, None].expand(3, 3, 2, 2)
    tiles, places = mosaic(weight, 3, each=False)
    assert tiles.shape == (2, 8, 3)  # three filters of two pixels, one white pixel between
    assert tiles[0, :, 0].tolist() == [0, 0, 1, 0.75, 0.75, 1, 0.625, 0.625]
    assert places.tolist() == [[6.5, 0.5], [0.5, 0.5], [3.5, 0.5]]
    own, _ = mosaic(weight, 3, each=True)
    assert own[0, :, 0].tolist() == [0, 0, 1, 1, 1, 1, 1, 1]


def test_a_filter_of_zeros_is_mid_grey_and_grey_filters_are_shown_too():
    tiles, _ = mosaic(torch.zeros(1, 1, 3, 3), 12, each=True)
    assert (tiles == 0.5).all()
    assert tiles.shape == (3, 3, 3)
    with pytest.raises(ValueError, match="1 or 3 colours"):
        mosaic(torch.zeros(1, 5, 3, 3), 12, each=True)


@pytest.fixture(scope="module")
def layers():
    """Three layers as in Fig. 6; in the first, filter 2 is blank and filter 4 silent."""
    first = filters.noise_filters(24, 7, seed=1)
    first[2] *= 0.01
    weights = {
        "(a) 7×7, stride 2, without renormalisation": first,
        "(b) 11×11, stride 4": filters.noise_filters(24, 11),
        "(c) 7×7, stride 2": filters.noise_filters(24, 7),
    }
    silent = np.where(np.arange(24) == 4, 0.0, 1.0)
    answers = [silent, np.ones(24), np.ones(24)]
    tables = {n: filters.filter_table(w, a) for (n, w), a in zip(weights.items(), answers, strict=True)}
    return weights, tables


def test_figure_6_marks_the_dead_filters_where_they_stand(layers):
    weights, _ = layers
    figure = figures.fig_6(*layers)
    assert_readable(figure)
    assert len(figure.axes) == 3
    marked = {line.get_marker(): line.get_xydata().tolist() for line in figure.axes[0].lines}
    _, places = mosaic(next(iter(weights.values())), round((24 * 0.75) ** 0.5), each=False)
    assert marked == {"x": [places[2].tolist()], "o": [places[4].tolist()]}
    assert not figure.axes[1].lines
    assert {"dead: blank", "dead: silent"} <= {text for text, _ in texts(figure)}


def test_spectra_leave_out_dead_filters_and_mark_each_strides_nyquist_frequency(layers):
    weights, tables = (dict(zip(("ZFNet", "Krizhevsky"), d.values(), strict=False)) for d in layers)
    noise = {"ZFNet": filters.noise_filters(100, 7), "Krizhevsky": filters.noise_filters(100, 11)}
    strides = {"ZFNet": 2, "Krizhevsky": 4}
    figure = figures.spectra(weights, tables, strides, image=224, noise=noise)
    assert_readable(figure)
    left, right = figure.axes
    dotted = [line.get_xdata()[0] for line in left.lines if line.get_linestyle() == ":"]
    assert dotted == [56, 28]
    assert len(right.collections[0].get_offsets()) == 22  # of 24, two are dead
    peaks = tables["ZFNet"].loc[~tables["ZFNet"]["dead"], "peak_frequency"]
    assert np.asarray(right.collections[0].get_offsets())[:, 0] == pytest.approx(224 * peaks.to_numpy())
    assert len(right.collections) == 4
