"""Figures of chapter 7: what they are given stands in them, and no label covers another."""

import numpy as np
import pandas as pd
import pytest
from drawn import series
from legible import assert_readable, texts

from zfutils.experiments.correspondence import figures
from zfutils.experiments.correspondence.comparisons import OVER_PLACES
from zfutils.experiments.correspondence.consistency import MEASURES
from zfutils.experiments.correspondence.faces import PARTS
from zfutils.experiments.correspondence.occluders import PLACE
from zfutils.experiments.correspondence.sign_changes import PAPER

COVERED = (*PARTS, PLACE)
DRAW = np.random.default_rng(0)


def pictures(*shape):
    return DRAW.integers(0, 256, (*shape, 16, 16, 3), dtype=np.uint8)


def summary(start=0.1, *, missing=False):
    rows = []
    for layer in ("relu5", "relu7"):
        for k, name in enumerate(COVERED):
            row = {"layer": layer, "occluded": name}
            for m, measure in enumerate(MEASURES):
                value = start + 0.01 * k + 0.2 * m + 0.1 * (layer == "relu7")
                ends = (np.nan, np.nan) if missing else (value - 0.004, value + 0.006)
                row |= dict(zip((measure, f"{measure}_low", f"{measure}_high"), (value, *ends), strict=True))
            rows.append(row)
    return pd.DataFrame(rows)


# ---- faces


def test_fig_8_has_a_column_a_face_and_a_line_a_way_of_covering():
    shown = pictures(5, 5)
    names = ["uncovered", *PARTS, "random place"]
    figure = figures.fig_8(shown, names)
    assert_readable(figure)
    assert {"uncovered", "right\neye", "left\neye", "nose", "random\nplace"} <= {t for t, _ in texts(figure)}
    placed = {
        tuple(np.round(image.get_extent()[::3], 6)): np.asarray(image.get_array())
        for image in figure.axes[0].images
    }
    assert len(placed) == 25
    order = sorted(placed, key=lambda place: (place[1], place[0]))  # top, then left
    for number, place in enumerate(order):
        np.testing.assert_array_equal(placed[place], shown[number // 5, number % 5])


@pytest.mark.parametrize("n", [1, 8, 11])
def test_every_face_of_the_contact_sheet_bears_its_three_points(n):
    points = DRAW.uniform(2, 14, (n, 3, 2))
    figure = figures.contact_sheet(pictures(n), points)
    assert_readable(figure)
    (axes,) = figure.axes
    assert len(axes.images) == n
    marks = [line for line in axes.lines if len(line.get_xdata()) and line.get_markeredgecolor() != "white"]
    assert len(marks) == 3 * n
    for i, image in enumerate(axes.images):
        left, right, bottom, top = image.get_extent()
        for k, line in enumerate(marks[3 * i : 3 * i + 3]):
            x, y = line.get_xdata()[0], line.get_ydata()[0]
            assert (x - left) / (right - left) == pytest.approx(points[i, k, 0] / 16)
            assert (y - top) / (bottom - top) == pytest.approx(points[i, k, 1] / 16)
    assert len({line.get_marker() for line in marks[:3]}) == 3


# ---- numbers


@pytest.mark.parametrize("measure", MEASURES)
def test_every_value_stands_in_its_line_with_its_interval(measure):
    tables = {"trained": summary(), "random weights": summary(0.3)}
    figure = figures.sign_changes(tables, measure=measure)
    assert_readable(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["layer 5", "layer 7"]
    for axes, layer in zip(figure.axes, ("relu5", "relu7"), strict=True):
        for (line, ends), table in zip(series(axes), tables.values(), strict=True):
            own = table[table["layer"] == layer]
            np.testing.assert_allclose(line.get_xdata(), own[measure])
            assert np.rint(line.get_ydata()).tolist() == [0, 1, 2, 3]
            np.testing.assert_allclose(ends, own[[f"{measure}_low", f"{measure}_high"]])


def test_the_papers_values_stand_in_the_lines_of_their_parts():
    figure = figures.sign_changes({"trained": summary()}, paper=PAPER)
    assert_readable(figure)
    assert "the paper, five faces" in {text for text, _ in texts(figure)}
    for axes, layer in zip(figure.axes, ("relu5", "relu7"), strict=True):
        line, ends = series(axes)[1]
        np.testing.assert_allclose(line.get_xdata(), PAPER[layer])
        np.testing.assert_allclose(np.diff(ends, axis=1)[:, 0] / 2, PAPER[f"{layer}_spread"])
        assert np.rint(line.get_ydata()).tolist() == [0, 1, 2, 3]  # its random row at ours


def test_values_without_an_interval_are_shown_too():
    figure = figures.sign_changes({"trained": summary(missing=True)})
    assert_readable(figure)
    ((line, ends),) = series(figure.axes[0])
    assert line.get_xdata()[0] == pytest.approx(0.1)
    assert np.isnan(ends).all()


def test_advantages_stand_in_lines_of_their_own():
    rows = [
        {"layer": layer, "occluded": name, "advantage": 0.1 * k, "advantage_low": 0.1 * k - 0.05,
         "advantage_high": 0.1 * k + 0.02}
        for layer in ("relu5", "relu7")
        for k, name in enumerate((*PARTS, OVER_PLACES))
    ]  # fmt: skip
    figure = figures.sign_changes({"trained": pd.DataFrame(rows)}, measure="advantage")
    assert_readable(figure)
    ((line, ends),) = series(figure.axes[1])
    np.testing.assert_allclose(line.get_xdata(), [0, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(ends[3], [0.25, 0.32])
    assert "all parts over\nrandom places" in {text for text, _ in texts(figure)}
