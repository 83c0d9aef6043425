"""Projections in their places in single pictures."""

import numpy as np
import pytest
import small

from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_projections import strongest_maps
from zfutils.experiments.projections.figures.photographs import in_place


@pytest.fixture(scope="module")
def pictures():
    return small.seen(3)


@pytest.fixture(scope="module")
def found(pictures):
    deconvnet = Deconvnet(small.built())
    return [strongest_maps(deconvnet, pictures[i : i + 1], "relu2", k=2) for i in range(3)]


def test_a_projection_placed_is_zero_outside_its_window_and_itself_inside(found):
    top = found[1]
    for index in range(2):
        (placed,) = top.placed(index, 32)
        side, (y,), (x,) = top.projections.shape[2], top.tops[index], top.lefts[index]
        expected = np.zeros((32 + 2 * side, 32 + 2 * side, 3), np.float32)
        expected[y + side : y + 2 * side, x + side : x + 2 * side] = top.projections[index, 0]
        assert np.array_equal(placed, expected[side:-side, side:-side])


def test_every_row_has_its_picture_and_every_networks_maps_with_their_numbers(pictures, found):
    figure = in_place(pictures.pixels(), {"one": found, "other": found})
    figure.canvas.draw()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    heads = {axes.get_title(loc="left"): axes.get_tightbbox() for axes in figure.axes}
    for name in ("one", "other"):
        (head,) = [title for title in titles if title.startswith(f"{name}\n")]
        assert heads[head].y1 <= figure.bbox.y1, "the network's name is in the figure"
        titles[titles.index(head)] = head.removeprefix(f"{name}\n")
    numbers = [[f"map {number}" for number in top.maps.tolist()] for top in found]
    assert titles == [title for own in numbers for title in ("", *own, *own)]
    shown = [axes.images[0].get_array() for axes in figure.axes[::5]]
    assert all(np.array_equal(a, b) for a, b in zip(shown, pictures.pixels(), strict=True))
