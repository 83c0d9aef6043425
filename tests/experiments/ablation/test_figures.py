"""Figures of chapter 8: what they are given stands in them, and no label covers another."""

import numpy as np
import pandas as pd
import pytest
from drawn import series
from legible import assert_readable, texts
from matplotlib.colors import same_color

from zfutils.experiments.ablation import figures
from zfutils.nets.zoo import ROWS
from zfutils.study.places import BOOK

NAMES = [f"{base}: {row}" for base, rows in ROWS.items() for row in rows]
PAPER = pd.read_csv(BOOK / "data" / "table_3.csv")
DEPTHS = {"without layers 3, 4": 6, "without layer 7": 7, "without layers 6, 7": 6}
DEPTHS |= {"without layers 3, 4, 6, 7": 4}


def measured(*, intervals=True, short=()):
    """All twelve rows, with errors like the paper's, and three seeds each."""
    rows, seeds = [], []
    for i, name in enumerate(NAMES):
        base, _, row = name.partition(": ")
        said = PAPER[(PAPER["base"] == base) & (PAPER["row"] == row)].iloc[0]
        found = {"name": name, "base": base, "row": row, "seeds": 3}
        for split, column in (("train", "train"), ("validation", "top1")):
            ends = (said[column] - 3, said[column] + 2) if intervals else (np.nan, np.nan)
            found |= dict(zip((split, f"{split}_low", f"{split}_high"), (said[column], *ends), strict=True))
        found |= {"layers": DEPTHS.get(row, 8), "parameters": int(2e5 * 1.4**i)}
        rows.append(found | {"under_trained": int(name in short)})
        for seed in range(3):
            each = {"validation": said["top1"] + seed - 1, "train": said["train"] - seed + 1}
            seeds.append({"name": name, "base": base, "row": row, "seed": seed} | each)
    return pd.DataFrame(rows), pd.DataFrame(seeds)


def changes(*, intervals=True):
    rows = []
    for i, name in enumerate(n for n in NAMES if not n.endswith(": none")):
        base, _, row = name.partition(": ")
        for measure in ("validation", "train"):
            estimate = 2.0 * i - 5 + 3 * (measure == "train")
            found = {"name": name, "base": base, "row": row, "measure": measure, "estimate": estimate}
            ends = (estimate - 1.5, estimate + 2.5, 1.0 + 0.2 * i) if intervals else (np.nan,) * 3
            found |= dict(zip(("low", "high", "detectable"), ends, strict=True))
            rows.append(found | {"paper": estimate / 2 + 1, "testable": True})
    return pd.DataFrame(rows)


def means(axes):
    """By name, where the marker of a row stands, and the marker itself."""
    return {line.get_label(): (*line.get_xydata()[0], line) for line, _ in series(axes)}


# ---- errors, row by row


def test_every_row_stands_in_its_line_at_its_errors():
    table, seeds = measured()
    figure = figures.errors(table, seeds)
    assert_readable(figure)
    for axes, split in zip(figure.axes, figures.SPLITS, strict=True):
        drawn = means(axes)
        assert list(drawn) == list(table["name"])
        for line, (_, row) in enumerate(table.iterrows()):
            x, y, marker = drawn[row["name"]]
            assert (x, y) == (pytest.approx(row[split]), line)
            assert same_color(marker.get_color(), figures.BASES[row["base"]][1])
        ends = np.concatenate([ends for _, ends in series(axes)])
        np.testing.assert_allclose(ends, table[[f"{split}_low", f"{split}_high"]])
    assert "ZFNet, whole\n8 layers, 2.11 million" in {text for text, _ in texts(figure)}


def test_every_seed_is_a_dot_below_its_rows_mean():
    table, seeds = measured()
    figure = figures.errors(table, seeds)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    assert len(dots) == 12
    for line, (dot, name) in enumerate(zip(dots, table["name"], strict=True)):
        np.testing.assert_allclose(dot.get_xdata(), seeds[seeds["name"] == name]["validation"])
        assert (dot.get_ydata() > line).all()
    alone = figures.errors(table, seeds[seeds["seed"] == 0])
    assert not [line for line in alone.axes[0].lines if line.get_marker() == "."]


def test_an_under_trained_row_has_no_filling_and_says_so():
    short = "krizhevsky: without layers 3, 4, 6, 7"
    figure = figures.errors(*measured(short=[short]))
    assert_readable(figure)
    for name, (_, _, line) in means(figure.axes[1]).items():
        assert same_color(line.get_markerfacecolor(), "white") == (name == short)
    note = "under-trained"
    assert note in {text for text, _ in texts(figure)}
    assert note not in {text for text, _ in texts(figures.errors(*measured()))}


def test_errors_without_intervals_and_of_some_rows_are_shown_too():
    table, seeds = measured(intervals=False)
    assert_readable(figures.errors(table, seeds))
    few = table["name"].isin(["zfnet: none", "zfnet: layers 6, 7: 2048 units"])
    figure = figures.errors(table[few], seeds)
    assert_readable(figure)
    assert "Krizhevsky" not in {text for text, _ in texts(figure)}


def test_the_limits_hold_every_seed_and_stay_between_0_and_100():
    table, seeds = measured()
    seeds["train"] = np.linspace(0, 100, len(seeds))
    low, high = figures.errors(table, seeds).axes[1].get_xlim()
    assert (low, high) == (0, 100)


# ---- effects


def test_every_effect_stands_in_its_line_beside_the_papers():
    table = changes()
    figure = figures.effects(table)
    assert_readable(figure)
    names = list(dict.fromkeys(table["name"]))
    for axes, measure in zip(figure.axes, figures.SPLITS, strict=True):
        own = table[table["measure"] == measure].set_index("name").loc[names].reset_index()
        bars = axes.containers[0]
        np.testing.assert_allclose([bar.get_x() for bar in bars], -own["detectable"])
        np.testing.assert_allclose([bar.get_width() for bar in bars], 2 * own["detectable"])
        for (line, ends), base in zip(series(axes), figures.BASES, strict=True):
            some = own[own["base"] == base]
            np.testing.assert_allclose(line.get_xdata(), some["estimate"])
            np.testing.assert_array_equal(np.rint(line.get_ydata()), some.index)
            np.testing.assert_allclose(ends, some[["low", "high"]])
        (paper,) = [line for line in axes.lines if line.get_marker() == "D"]
        np.testing.assert_allclose(paper.get_xdata(), own["paper"])
        np.testing.assert_array_equal(np.rint(paper.get_ydata().astype(float)), own.index)
        assert paper.get_markerfacecolor() == "white"
    labels = {text for text, _ in texts(figure)}
    assert {"Krizhevsky, without 3, 4", "ZFNet, both wider", "the paper"} <= labels


def test_effects_of_one_seed_are_shown_without_intervals():
    figure = figures.effects(changes(intervals=False))
    assert_readable(figure)
    assert [bar.get_width() for bar in figure.axes[0].containers[0]] == [0] * 10
