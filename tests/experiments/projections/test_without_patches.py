"""Projections without their patches: every map's nine, its classes below, and no pixel of a picture."""

from dataclasses import replace

import pytest
from legible import assert_readable, texts
from small import CLASSES, pictures, top_projections

from zfutils.experiments.projections import atlas
from zfutils.experiments.projections.figures.without_patches import without_patches

LAYERS = ("relu1", "relu2")


@pytest.fixture(scope="module")
def tops():
    return {
        name: {layer: top_projections(maps, layer=layer) for layer in LAYERS}
        for name, maps in (("trained", 2), ("random weights", 1))
    }


@pytest.fixture(scope="module")
def classes(tops):
    return {name: atlas.classes_of(by_layer, pictures()) for name, by_layer in tops.items()}


def test_a_row_is_a_layer_and_each_map_has_its_name_and_classes(tops, classes):
    figure = without_patches(tops, classes)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(titles) == 6
    assert titles[0].startswith("layer 1, map ")
    assert [title.split("\n")[1] for title in titles] == ["trained", "trained", "random weights"] * 2
    below = figure.axes[0].get_xlabel().split("\n")
    named = dict(line.rsplit(" ", 1) for line in below)
    of_first = list(classes["trained"]["relu1"][0])
    assert {name: int(count) for name, count in named.items()} == {n: of_first.count(n) for n in named}
    assert set(named) <= set(CLASSES)
    assert_readable(figure)
    assert texts(figure)


def test_what_is_shown_does_not_depend_on_the_patches(tops, classes):
    def pages(found):
        return [axes.images[0].get_array().tobytes() for axes in without_patches(found, classes).axes]

    black = {
        name: {layer: replace(top, patches=0 * top.patches) for layer, top in by_layer.items()}
        for name, by_layer in tops.items()
    }
    assert pages(black) == pages(tops)
