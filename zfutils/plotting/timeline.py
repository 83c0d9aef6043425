"""Works on a time axis, one band of rows per strand, each with a label that meets no other.

The one idea: labels are measured before anything is placed, and each work takes the first row of its band in
which its label is free. The figure is as high as the fullest years need.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from zfutils.plotting.style import CYCLE, FAINT, INK, MARKERS, RC, WIDTH, new, styled

COLUMNS = ("key", "year", "month", "strand", "label")
LABEL = {"size": 9, "weight": "normal"}
HEADING = {"size": 9.5, "weight": "bold"}
ROW, SIDE, BELOW, ABOVE, GAP = 0.175, 0.15, 0.3, 0.1, 0.08  # inches

Span = tuple[float, float]  # begin and end within a row (inches)


@dataclass(frozen=True)
class Entry:
    """A work on the axis: its label stands to the right of its marker.

    It stands to the left where the axis ends, or where it would lie across the line.
    """

    at: float  # inches from the axis' left end
    label: str
    line: float  # where a line is drawn from top to bottom, likewise

    @property
    def turned(self) -> bool:
        end = self.at + self._length
        crosses = self.at < self.line < end and self.at - self._length >= 0
        return end - GAP > WIDTH - 2 * SIDE or crosses

    @property
    def _length(self) -> float:
        return 2 * GAP + _width(self.label, **LABEL)

    @property
    def span(self) -> Span:
        length = self._length
        return (self.at - length, self.at + GAP) if self.turned else (self.at - GAP, self.at + length)


@styled
def timeline(works: pd.DataFrame, *, marked: str) -> Figure:
    """Works by the month in which they appeared.

    Args:
        works: one row per work: key, year, month (1 to 12), strand, label. Strands stand in the order in
            which the table first names them.
        marked: the key of the work through which a line is drawn from top to bottom.

    Raises:
        ValueError: a column is missing, no work has the key, or there are more strands than colours.
    """
    if absent := [name for name in COLUMNS if name not in works]:
        raise ValueError(f"the table of works lacks {', '.join(absent)}; expected {', '.join(COLUMNS)}")
    if marked not in set(works["key"]):
        raise ValueError(f"no work has the key {marked!r}; expected one of {', '.join(works['key'])}")
    strands = list(dict.fromkeys(works["strand"]))
    if len(strands) > len(CYCLE):
        raise ValueError(f"{len(CYCLE)} strands can be told apart, got {len(strands)}")
    works = works.assign(time=works["year"] + (works["month"] - 0.5) / 12).sort_values("time", kind="stable")
    first, last = int(works["time"].min()), int(works["time"].max()) + 1
    inches = (WIDTH - 2 * SIDE) / (last - first)  # of a year
    line = (works.loc[works["key"] == marked, "time"].item() - first) * inches
    bands = {
        strand: [Entry((time - first) * inches, label, line) for time, label in of_strand.to_numpy()]
        for strand, of_strand in works.groupby("strand")[["time", "label"]]
    }
    rows = {
        strand: first_free_rows([one.span for one in band], taken=(0, GAP + _width(strand, **HEADING)))
        for strand, band in bands.items()
    }
    figure, axes = _frame(sum(1 + max(of_band) for of_band in rows.values()))
    axes.axvline(line, color=INK, linewidth=1, linestyle="--", zorder=0.5)
    top = 0
    for strand, colour, marker in zip(strands, CYCLE, MARKERS, strict=False):
        _draw(axes, top, strand, bands[strand], rows[strand], colour=colour, marker=marker)
        top += 1 + max(rows[strand])
        if strand != strands[-1]:
            axes.axhline(top - 0.5, color=FAINT, linewidth=0.6)
    shown = [year for year in range(first + 1, last + 1) if year % 2 == 0]
    axes.set_xticks([(year - first) * inches for year in shown], shown)
    return figure


def first_free_rows(spans: Iterable[Span], *, taken: Span) -> list[int]:
    """The row of each span: the first in which it meets no earlier one.

    Args:
        spans: begin and end of each, in the order in which they choose.
        taken: what the first row holds already.
    """
    rows: list[list[Span]] = [[taken]]
    chosen = []
    for begin, end in spans:
        free = (n for n, row in enumerate(rows) if all(end <= left or right <= begin for left, right in row))
        number = next(free, len(rows))
        if number == len(rows):
            rows.append([])
        rows[number].append((begin, end))
        chosen.append(number)
    return chosen


@cache
def _width(text: str, size: float, weight: str) -> float:
    """How wide a text is drawn (inches)."""
    family = FontProperties(family=RC["font.sans-serif"], weight=weight)
    return TextPath((0, 0), text, size=size, prop=family).get_extents().width / 72


def _frame(rows: int) -> tuple[Figure, Axes]:
    """An empty figure of so many rows, whose horizontal unit is the inch."""
    figure = new(height=rows * ROW + BELOW + ABOVE, layout="none")
    height = figure.get_figheight()
    figure.subplots_adjust(SIDE / WIDTH, BELOW / height, 1 - SIDE / WIDTH, 1 - ABOVE / height)
    axes = figure.subplots()
    axes.set(xlim=(0, WIDTH - 2 * SIDE), ylim=(rows - 0.3, -0.5), yticks=[], axisbelow=True)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    return figure, axes


def _draw(
    axes: Axes, top: int, strand: str, band: Sequence[Entry], rows: Sequence[int], *, colour: str, marker: str
) -> None:
    """One strand: its name in the row `top`, and each work's marker and label, in rows counted from there."""
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    axes.text(0, top, strand, va="center_baseline", bbox=behind, **HEADING)
    for one, row in zip(band, rows, strict=True):
        axes.plot(one.at, top + row, marker, color=colour, markersize=5, zorder=3)
        side, align = (-GAP, "right") if one.turned else (GAP, "left")
        axes.text(one.at + side, top + row, one.label, ha=align, va="center_baseline", bbox=behind, **LABEL)
