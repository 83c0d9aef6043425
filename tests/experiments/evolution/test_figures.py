"""Figures of chapter 4: what they are given stands in them, and no label covers another."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from legible import assert_readable, texts

from zfutils.experiments.evolution import figures, settling

EPOCHS = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12]
LAYERS = [f"relu{number}" for number in range(1, 8)]


def table(layers=LAYERS, runs=(("the recipe", 3), ("a constant rate", 1)), epochs=EPOCHS):
    """Curves as `evolution_table` gives them: layer l comes to its end with a time constant of l / 2."""
    draw, rows = np.random.default_rng(0), []
    for run, seeds in runs:
        for seed in range(seeds):
            for number, layer in enumerate(layers, 1):
                way = 1 - np.exp(-np.array(epochs) * 2 / number)
                cka, probe = 0.1 + 0.9 * way / way[-1], 0.1 + 0.1 * number * way
                probe[1:] += draw.normal(0, 0.01, len(epochs) - 1)
                rescaled = settling.rescaled(cka, end=1), settling.rescaled(probe, end=probe[-1])
                columns = zip(epochs, cka, rescaled[0], probe, rescaled[1], strict=True)
                rows += [(run, seed, layer, *values) for values in columns]
    names = ["run", "seed", "layer", "epoch", "cka", "cka_rescaled", "probe", "probe_rescaled"]
    return pd.DataFrame(rows, columns=names)


# ---- Fig. 4


def evolving(maps=3, epochs=10, side=12):
    draw = np.random.default_rng(0)
    projections = draw.normal(size=(maps, epochs, side, side, 3))
    patches = draw.integers(0, 256, (maps, epochs, side, side, 3), dtype=np.uint8)
    return projections, patches, np.zeros((maps, epochs), dtype=np.int64)


def marks(figure):
    """Corners of the triangles (inches from the left and the top), in reading order."""
    (line,) = [line for line in figure.axes[0].lines if line.get_gid() == "changes"]
    return np.transpose(line.get_data())


@pytest.mark.parametrize("epochs", [EPOCHS, [1, 2, 5, 10, 20, 30, 40, 64], [0, 12]])
def test_fig_4_is_readable_and_names_its_maps_and_epochs(epochs):
    figure = figures.fig_4(*evolving(3, len(epochs)), epochs=epochs, maps=[0, 17, 255])
    assert_readable(figure)
    written = [text for text, _ in texts(figure)]
    assert {f"{epoch:g}" for epoch in epochs} | {"map\n0", "map\n17", "map\n255"} <= set(written)


def test_without_patches_every_projection_stands_in_its_column_in_the_row_of_its_map():
    wide, narrow = evolving(2, 3)[0], evolving(1, 3, side=5)[0]
    maps = {"relu3": [4, 90], "relu1": [7]}
    figure = figures.without_patches({"relu3": wide, "relu1": narrow}, epochs=[1, 15, 60], maps=maps)
    assert_readable(figure)
    written = [text for text, _ in texts(figure)]
    assert {"1", "15", "60", "layer 3\nmap 4", "layer 3\nmap 90", "layer 1\nmap 7"} <= set(written)
    images = sorted(figure.axes[0].images, key=lambda one: (one.get_extent()[3], one.get_extent()[0]))
    assert len(images) == 9
    for image, projection in zip(images, [*wide.reshape(6, 12, 12, 3), *narrow[0]], strict=True):
        values = np.asarray(image.get_array())
        assert np.corrcoef(values.ravel(), projection.ravel())[0, 1] > 0.99
        assert values.shape == projection.shape


def test_every_projection_stands_in_its_column_above_its_patch():
    projections, patches, images = evolving(2, 3)
    figure = figures.fig_4(projections, patches, images, epochs=[1, 2, 5], maps=[4, 9])
    shown = {
        tuple(np.round(image.get_extent(), 6)): np.asarray(image.get_array())
        for image in figure.axes[0].images
    }
    assert len(shown) == 12
    places = sorted(shown, key=lambda place: (place[3], place[0]))  # reading order: top, then left
    for number, place in enumerate(places):
        row, (kind, column) = number // 6, divmod(number % 6, 3)
        if kind:
            np.testing.assert_array_equal(shown[place], patches[row, column])
        else:
            full = np.percentile(np.abs(projections[row, column]), 99.5)
            expected = (0.5 + 0.5 * projections[row, column] / full).clip(0, 1)
            np.testing.assert_allclose(shown[place], expected)
    lefts = sorted({place[0] for place in places})
    assert len(lefts) == 3


def test_a_triangle_stands_on_the_boundary_before_every_change_and_nowhere_else():
    projections, patches, images = evolving(3, 4)
    images[0] = [5, 5, 8, 8]  # before the third column
    images[2] = [1, 2, 2, 1]  # before the second and the fourth
    figure = figures.fig_4(projections, patches, images, epochs=[0, 1, 2, 3], maps=[0, 1, 2])
    lefts = sorted({image.get_extent()[0] for image in figure.axes[0].images})
    tops = sorted({image.get_extent()[3] for image in figure.axes[0].images})[::2]  # of projections
    expected = [(lefts[2], tops[0]), (lefts[1], tops[2]), (lefts[3], tops[2])]
    np.testing.assert_allclose(marks(figure), expected, atol=0.04)
    none = figures.fig_4(projections, patches, images * 0, epochs=[0, 1, 2, 3], maps=[0, 1, 2])
    assert len(marks(none)) == 0


def test_zero_is_mid_grey_and_every_projection_has_its_full_range():
    projections, patches, images = evolving(2, 2)
    projections[:] = 0
    projections[0, 0, :6], projections[0, 1, :6], projections[1, 1, :6] = 1, -4, 0.01
    figure = figures.fig_4(projections, patches, images, epochs=[0, 1], maps=[0, 1])
    shown = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    levels = [np.unique(picture).tolist() for picture in shown if picture.dtype != np.uint8]
    assert levels == [[0.5, 1], [0, 0.5], [0.5], [0.5, 1]]


# ---- curves and times


@pytest.mark.parametrize("measure", ["cka", "probe"])
def test_curves_are_readable_with_a_panel_a_run(measure):
    figure = figures.curves(table(), measure=measure, lowered=[7, 10])
    assert_readable(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["the recipe", "a constant rate"]
    written = {text for text, _ in texts(figure)}
    assert {f"layer {number}" for number in range(1, 8)} | {"rate lowered"} <= written
    assert ("90 %" in written) == (measure == "cka")


def test_thin_lines_are_seeds_and_the_broad_one_is_their_mean():
    data = table(["relu1"], (("the recipe", 3),))
    (axes,) = figures.curves(data, measure="cka", lowered=[7]).axes
    *seeds, mean, drop, settled = axes.lines
    by_epoch = data.pivot(index="epoch", columns="seed", values="cka_rescaled")
    assert len(seeds) == 3
    for seed, line in enumerate(seeds):
        np.testing.assert_array_equal(line.get_ydata(), by_epoch[seed])
    np.testing.assert_allclose(mean.get_ydata(), by_epoch.mean(axis=1))
    assert mean.get_linewidth() > 2 * seeds[0].get_linewidth()
    assert list(drop.get_xdata()) == [7, 7]
    assert list(settled.get_ydata()) == [0.9, 0.9]


def test_the_likeness_of_two_seeds_is_a_bar_in_the_layers_colour_or_a_triangle_below_the_axis():
    layers = ["relu1", "relu2", "relu3"]
    between = {"relu1": 0.7, "relu2": 0.4, "relu3": -9.0}
    figure = figures.curves(table(layers), measure="cka", between=between)
    assert_readable(figure)
    trained, stepped = figure.axes
    bars = [line for line in trained.lines if line.get_gid() == "between seeds"]
    assert [list(line.get_ydata()) for line in bars[:2]] == [[0.7, 0.7], [0.4, 0.4]]
    assert len({tuple(line.get_color()) for line in bars}) == 3
    assert bars[2].get_ydata()[0] == trained.get_ylim()[0] > -1, "a triangle at the foot"
    assert not any(line.get_gid() == "between seeds" for line in stepped.lines)
    assert "two seeds" in {text for text, _ in texts(figure)}


def test_curves_that_could_not_be_rescaled_are_left_out():
    data = table(["relu1", "relu2"], (("the recipe", 2),))
    data.loc[(data["layer"] == "relu1") | (data["seed"] == 1), "cka_rescaled"] = np.nan
    figure = figures.curves(data, measure="cka")
    assert_readable(figure)
    assert len(figure.axes[0].lines) == 2 + 1  # one seed of layer 2, its mean, the 90 %


def test_every_network_has_a_dot_between_its_two_snapshots():
    times = settling.times(table(["relu1", "relu4"]))
    times.loc[0, ["time", "before", "after"]] = np.nan  # one that never settles: recipe, seed 0, layer 1, CKA
    figure = figures.settling_times(times, epochs=12)
    assert_readable(figure)
    panels = dict(zip(("cka", "probe"), figure.axes, strict=True))
    for measure, axes in panels.items():
        own = times[(times["measure"] == measure)].dropna()
        dots = sorted(line.get_xdata()[0] for line in axes.lines if line.get_marker() in ("o", "s"))
        np.testing.assert_allclose(dots, sorted(own["time"]))
        bars = {tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2} - {(0, 1)}
        assert bars == set(zip(own["before"], own["after"], strict=True)) - {(0, 1)}
        means = [lines.get_segments()[0][0][0] for lines in axes.collections]
        np.testing.assert_allclose(sorted(means), sorted(own.groupby(["run", "layer"])["time"].mean()))
    assert len(times[times["measure"] == "cka"].dropna()) == 7


def test_the_times_of_seven_layers_are_readable():
    figure = figures.settling_times(settling.times(table()), epochs=12)
    assert_readable(figure)
    assert {"the recipe", "a constant rate", "layer 1", "layer 7"} <= {text for text, _ in texts(figure)}


# ---- changes


def test_changes_are_percents_by_layer_and_time():
    rows = [(layer, start, end, 0.7) for layer in LAYERS for start, end in pairwise(EPOCHS)]
    changes = pd.DataFrame(rows, columns=["layer", "from_epoch", "to_epoch", "changed"])
    figure = figures.picture_changes(changes)
    assert_readable(figure)
    (axes,) = figure.axes
    (shown,) = axes.images
    assert shown.get_array().shape == (7, len(EPOCHS) - 1)
    np.testing.assert_allclose(shown.get_array(), 70)  # however far apart the snapshots are
    assert {text.get_text() for text in axes.texts} == {"70"}
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [f"layer {n}" for n in range(1, 8)]


def test_layers_differ_in_colour_and_in_marker():
    lines = figures.curves(table(), measure="cka").axes[0].lines
    looks = [(line.get_color(), line.get_marker()) for line in lines if line.get_marker() != "None"]
    assert len({colour for colour, _ in looks}) == len({marker for _, marker in looks}) == 7


def test_a_seed_far_below_the_means_does_not_stretch_the_axis():
    data = table(["relu1"], (("the recipe", 3),))
    data.loc[(data["seed"] == 0) & (data["epoch"] == EPOCHS[1]), "cka_rescaled"] = -3
    lowest = data.groupby("epoch")["cka_rescaled"].mean().min()
    assert figures.curves(data, measure="cka").axes[0].get_ylim()[0] == pytest.approx(lowest - 0.1)
