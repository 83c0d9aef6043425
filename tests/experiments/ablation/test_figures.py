"""Figures of chapter 8: what they are given stands in them, and no label covers another."""

import numpy as np
import pandas as pd
import pytest
from drawn import series
from legible import assert_readable, texts
from matplotlib.colors import same_color, to_hex

from zfutils.experiments.ablation import figures
from zfutils.experiments.ablation.contributions import NAMES
from zfutils.nets import zoo
from zfutils.study.places import BOOK

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


# ---- errors against depth and size


def test_every_row_stands_at_its_size_and_its_errors():
    table, seeds = measured()
    figure = figures.errors(table, seeds)
    assert_readable(figure)
    for axes, (split, against) in zip(
        figure.axes, [(s, a) for s in figures.SPLITS for a in figures.AXES], strict=True
    ):
        drawn = means(axes)
        assert list(drawn) == list(table["name"])
        for _, row in table.iterrows():
            x, y, _ = drawn[row["name"]]
            assert y == pytest.approx(row[split])
            assert x == pytest.approx(row[against], abs=0.5 if against == "layers" else 0)
        ends = np.concatenate([ends for _, ends in series(axes)])
        np.testing.assert_allclose(ends, table[[f"{split}_low", f"{split}_high"]])


def test_networks_of_one_depth_stand_beside_one_another():
    figure = figures.errors(*measured())
    places = sorted(x for x, _, _ in means(figure.axes[0]).values())
    assert len(set(places)) == len(places) == 12
    assert np.diff(places).min() > 0.05
    assert [round(x) for x in places] == [4, 6, 6, 7] + [8] * 8


def test_every_seed_is_a_dot_above_its_row():
    table, seeds = measured()
    figure = figures.errors(table, seeds)
    dots = [line for line in figure.axes[1].lines if line.get_marker() == "."]
    drawn = means(figure.axes[1])
    assert len(dots) == 12
    for dot, (name, (x, _, _)) in zip(dots, drawn.items(), strict=True):
        own = seeds[seeds["name"] == name]
        np.testing.assert_allclose(dot.get_ydata(), own["validation"])
        np.testing.assert_allclose(dot.get_xdata(), x)


def test_rows_differ_in_marker_and_networks_in_colour():
    table, seeds = measured()
    drawn = means(figures.errors(table, seeds).axes[0])
    of = {name: line for name, (_, _, line) in drawn.items()}
    for base, rows in zoo.ROWS.items():
        assert len({of[f"{base}: {row}"].get_marker() for row in rows}) == len(rows)
        assert len({to_hex(of[f"{base}: {row}"].get_color()) for row in rows}) == 1
    one, other = (of[f"{base}: none"] for base in zoo.ROWS)
    assert one.get_marker() == other.get_marker()
    assert not same_color(one.get_color(), other.get_color())


def test_an_under_trained_row_has_no_filling_and_says_so():
    short = "krizhevsky: without layers 3, 4, 6, 7"
    figure = figures.errors(*measured(short=[short]))
    assert_readable(figure)
    for name, (_, _, line) in means(figure.axes[2]).items():
        assert same_color(line.get_markerfacecolor(), "white") == (name == short)
    note = "without filling: under-trained"
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
    low, high = figures.errors(table, seeds).axes[2].get_ylim()
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


@pytest.mark.parametrize("draw", [lambda table: figures.errors(table, table), figures.effects])
def test_only_rows_of_table_3_are_shown(draw):
    table = changes().assign(row="without layer 1")
    with pytest.raises(ValueError, match=r"Table 3's rows are shown, none, .*; 'without layer 1' came"):
        draw(table)
    with pytest.raises(ValueError, match="no rows came"):
        draw(table.iloc[:0])
