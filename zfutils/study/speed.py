"""What `make bench` measured: read, checked, and brought into the tables, the figures and the words of pages.

A benchmark compares two ways of doing the same whose values were seen to agree; its row says how far the
faster one may get (the ceiling, from counting the work) and what it has to reach (the bar). The numbers
belong to one machine and stand in one file, so that the page, the README and the page on size agree.
"""

import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from zfutils.plotting.estimates import estimates
from zfutils.plotting.style import BLUE, FAINT, INK, MARKERS, VERMILLION, new, styled
from zfutils.runtime.files import whole
from zfutils.stats.formatting import HARD, bracketed, percent, ranged, rounded
from zfutils.stats.growth import exponent
from zfutils.stats.intervals import Interval
from zfutils.study.display import Paragraph
from zfutils.study.places import REFERENCE, ROOT
from zfutils.training.recipe import Strict

FIGURES = REFERENCE / "benchmarks.json"
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)  # of a ratio's logarithmic axis
README = ROOT / "README.md"
PARAGRAPH = re.compile(r"(?ms)^`make bench`.*?(?=\n\n)")
ENDS = ("median", "low", "high")


class Row(Strict):
    """One comparison: median and quartiles over repeats."""

    name: str
    work: str
    against: str
    unit: str
    median: float
    low: float
    high: float
    repeats: int
    bar: float | None = None
    at_most: bool = False  # the bar is what must not be exceeded; otherwise what must be reached
    ceiling: float | None = None
    difference: float | None = None  # greatest, between the values of both sides, of their greatest value
    precision: str
    threads: int
    device: str
    torch: str
    took: float = 0.0  # seconds of measuring
    context: dict[str, float] = Field(default_factory=dict)

    def __str__(self) -> str:
        verdict = {None: "", True: ", reached", False: ", MISSED"}[self.reached]
        bar = "" if self.bar is None else f" (bar {_number(self.bar)}{verdict})"
        return f"{self.work}, against {self.against}: {_measured(self)}{bar}"

    @property
    def reached(self) -> bool | None:
        """Whether the median is on the right side of the bar; None without one."""
        if self.bar is None:
            return None
        return self.median <= self.bar if self.at_most else self.median >= self.bar

    @property
    def share(self) -> float | None:
        """Of the ceiling, where one is known; of what is to be small, of how far it could come down."""
        if self.ceiling is None:
            return None
        return self.ceiling / self.median if self.at_most else self.median / self.ceiling


class Growth(Strict):
    """What one piece of work costs at several sizes; a process of its own measured each."""

    name: str
    work: str
    along: str
    expected: float  # exponent, by counting the work
    sizes: tuple[float, ...]
    seconds: tuple[tuple[float, ...], ...]  # (sizes, repeats)
    memory: tuple[float | None, ...]  # peak beyond what was there before, bytes; None where nobody says
    took: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.work}, along {self.along}: exponent {_ends(self.exponent)}, counted {self.expected:.2f}"
        )

    @property
    def exponent(self) -> Interval:
        """Fitted to the seconds."""
        return exponent(self.sizes, self.seconds)


class Benchmarks(Strict):
    """One run of all of them."""

    date: str
    commit: str | None
    quick: bool  # fewer repeats and smaller samples
    cores: int
    seconds: float
    rows: tuple[Row, ...]
    growth: tuple[Growth, ...]

    def row(self, name: str) -> Row:
        """A row by its name.

        Raises:
            KeyError: there is none of that name; says which there are.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no row {name!r}; there are {', '.join(row.name for row in self.rows)}")

    @property
    def machine(self) -> str:
        """Where and when, in words."""
        row = self.rows[0]
        threads = f"{row.threads} thread{'s' * (row.threads > 1)}"
        return f"{row.device}, {self.cores} cores, {threads}, PyTorch {row.torch}, {self.date}"


def read(path: Path = FIGURES) -> Benchmarks | None:
    """The kept run; None where none was kept yet.

    Raises:
        ValueError: a file of another form; names what is wrong.
    """
    return Benchmarks.model_validate_json(path.read_text()) if path.is_file() else None


def keep(run: Benchmarks, path: Path = FIGURES) -> None:
    """Write a run in place of the one that was kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as beside:
        beside.write_text(json.dumps(run.model_dump(), indent=1, ensure_ascii=False) + "\n")


# ---- tables


def rows_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Every comparison: what was measured, what it has to reach, and what counting the work would allow."""
    columns = {
        "work": lambda row: row.work,
        "against": lambda row: row.against,
        "measured": _measured,
        "to reach": lambda row: "–" if row.bar is None else f"{'≤' * row.at_most or '≥'} {_number(row.bar)}",
        "reached": lambda row: {None: "–", True: "yes", False: "no"}[row.reached],
        "ceiling": lambda row: _number(row.ceiling),
        "share of it": lambda row: "–" if row.share is None else percent(row.share),
        "values differ by": lambda row: "–" if row.difference is None else f"{row.difference:.1g}",
        "how": lambda row: (
            f"{row.precision}, {row.repeats} repeat{'s' * (row.repeats > 1)}, "
            + (f"{row.took:.0f} s" if row.took >= 1 else "under 1 s")
        ),
    }
    return pd.DataFrame([{name: cell(row) for name, cell in columns.items()} for row in rows])


def growth_table(growth: Sequence[Growth]) -> pd.DataFrame:
    """How each piece of work grows: the fitted exponent, the one that counting gives, and peak memory."""
    columns = {
        "work": lambda each: each.work,
        "along": lambda each: each.along,
        "sizes": lambda each: ", ".join(f"{size:g}" for size in each.sizes),
        "exponent": lambda each: _ends(each.exponent),
        "by counting": lambda each: rounded(each.expected, digits=2),
        "seconds": lambda each: " to ".join(_number(np.median(each.seconds[end])) for end in (0, -1)),
        "peak memory (MB)": lambda each: " to ".join(_megabytes(each.memory[end]) for end in (0, -1)),
        "repeats": lambda each: each.exponent.n,
    }
    return pd.DataFrame([{name: cell(each) for name, cell in columns.items()} for each in growth])


def reached_in_words(rows: Sequence[Row]) -> Paragraph:
    """How many bars are reached, and which are missed and by what."""
    barred = [row for row in rows if row.bar is not None]
    missed = [row for row in barred if not row.reached]
    listed = "; ".join(f"{_compared(row)} ({_number(row.median)} of {_number(row.bar)})" for row in missed)
    end = f" Missed: {listed}." if missed else ""
    return Paragraph(f"{len(barred) - len(missed)} of {len(barred)} bars are reached.{end}")


def _measured(row: Row) -> str:
    ends = "" if row.repeats == 1 else bracketed(_number(row.low), _number(row.high))
    return f"{_number(row.median)}{ends} {row.unit}"


def _number(value: float | None) -> str:
    """Three digits that count."""
    return "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ends(interval: Interval) -> str:
    return ranged(interval.estimate, interval.low, interval.high, digits=2)


def _megabytes(size: float | None) -> str:
    return "not measured" if size is None else f"{size / 1e6:,.0f}"


# ---- figures


@styled
def bars(rows: Sequence[Row]) -> Figure:
    """Each comparison that has to reach something, over that: median, quartiles, and what counting allows."""
    shown = [row for row in rows if row.bar is not None]
    figure = new(height=0.9 + 0.5 * len(shown))
    axes = figure.subplots()
    for missed, colour in enumerate((BLUE, VERMILLION)):
        places = [i for i, row in enumerate(shown) if (row.reached is False) == missed]
        table = pd.DataFrame([{end: getattr(shown[i], end) / shown[i].bar for end in ENDS} for i in places])
        look = {"color": colour, "marker": MARKERS[missed], "ls": "", "label": ("reached", "missed")[missed]}
        if places:
            estimates(axes, places, table, columns=ENDS, along="y", **look)
    ceilings = [(row.ceiling / row.bar, i) for i, row in enumerate(shown) if row.ceiling is not None]
    axes.plot(*zip(*ceilings, strict=True), "|", color=INK, markersize=13, label="ceiling, by counting")
    axes.axvline(1, color=FAINT, linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(shown)), [_called(row) for row in shown], fontsize=8.5)
    axes.invert_yaxis()
    axes.set(xlabel="measured over what is to be reached", ylabel="", xscale="log")
    ticks = [t for t in TICKS if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _called(row: Row) -> str:
    """A comparison in a few short lines."""
    return textwrap.fill(f"{_compared(row)}{f' (at{HARD}most)' * row.at_most}", 46)


def _compared(row: Row) -> str:
    return row.work + (f", against {row.against}" if row.against != "–" else "")


@styled
def curves(growth: Sequence[Growth]) -> Figure:
    """Seconds against size, each with the line that counting the work gives through its least work."""
    lines = -(-len(growth) // 3)
    figure = new(height=2.4 * lines)
    panels = figure.subplots(lines, 3, squeeze=False).flat
    for axes, each in zip(panels, growth, strict=False):
        seconds = np.array(each.seconds)
        ends = np.median(seconds, 1), seconds.min(1), seconds.max(1)
        table = pd.DataFrame(dict(zip(ENDS, ends, strict=True)))
        counted = ends[0][0] * (np.array(each.sizes) / each.sizes[0]) ** each.expected
        axes.plot(each.sizes, counted, color=FAINT, linestyle="--")
        estimates(axes, each.sizes, table, columns=ENDS, color=BLUE, marker="o", ls="")
        axes.set(
            xscale="log",
            yscale="log",
            xlabel=each.along,
            ylabel="seconds",
            title=textwrap.fill(each.work, 20),
        )
        axes.set_ylim(min(*ends[1], *counted) / 2, 2 * max(*ends[2], *counted))
        slowest, fastest = max(ends[0]), min(ends[0])
        named = [fastest, slowest] if slowest > 1.5 * fastest else [fastest]  # or they would touch
        for axis, ticks in ((axes.xaxis, each.sizes), (axes.yaxis, named)):
            axis.set_ticks(ticks, [_number(tick) for tick in ticks])
            axis.set_ticks([], minor=True)
    for axes in [*figure.axes][len(growth) :]:
        axes.set_visible(False)
    return figure


# ---- words


def paragraph(run: Benchmarks) -> str:
    """The figures that the README gives, as prose."""

    def times(name: str, digits: int = 1) -> str:
        return f"{run.row(name).median:.{digits}f}"

    small, paper = (row for row in run.rows if row.name.startswith("training/") and row.name.endswith(" px"))
    atlas, occlusion = run.row("projections/atlas"), run.row("occlusion/captum")
    sides = [row.name.removeprefix("training/") for row in (small, paper)]
    text = f"""
        `make bench` ({run.machine}{", with QUICK=1" * run.quick}) compares: the pixel store feeds
        {small.median:.2f} of the rate on one fixed batch to a small network at {sides[0]}, {paper.median:.2f}
        to the paper's at {sides[1]}, {times("training/cold", 2)} where nothing of the store is in memory, and
        {times("training/ImageFolder")} times the rate of `ImageFolder` with a `DataLoader`; the search for
        the strongest nine takes {times("strongest", 2)} times a bare forward pass, features of six layers
        {times("features", 2)} times one; {atlas.work} take {atlas.context["seconds"]:.0f} s,
        {atlas.median:.1f} times less than with captum's `NeuronDeconvolution`; {occlusion.work} takes
        {occlusion.context["seconds"]:.1f} s, {occlusion.median:.1f} times less than with captum's
        `Occlusion`, where arithmetic would allow {occlusion.ceiling:.1f} times."""
    return textwrap.fill(" ".join(text.split()), 112, break_long_words=False, break_on_hyphens=False)


def with_paragraph(readme: str, run: Benchmarks) -> str:
    """The README with the run's figures in place of those of another one.

    Raises:
        ValueError: it has no paragraph on `make bench`, or several.
    """
    found, n = re.subn(PARAGRAPH, lambda _: paragraph(run), readme)
    if n != 1:
        raise ValueError(f"the README has {n} paragraphs that begin with `make bench`; expected one")
    return found
