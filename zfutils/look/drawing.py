"""A network of any form drawn as a page: a line for each step, and at its left the paths of the signal.

The one idea: a value occupies a lane from the step that gives it to the last one that reads it, so that sums,
concatenations and branches are seen as such, however long the network is.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import pandas as pd

from zfutils.nets.geometry import Window
from zfutils.nets.outline import Line

LANE = 12  # screen pixels between lanes
PICTURE = 30  # screen pixels of the picture's longer side, beside what a unit sees of it


class Row(NamedTuple):
    """The lanes of one line: fractions of its height are 0 above, 50 in the middle, 100 below."""

    lane: int  # of what the step gives
    strokes: tuple[tuple[int, int, int, int], ...]  # from lane and height to lane and height


def rows(lines: Sequence[Line]) -> list[Row]:
    """Where the lines' signals run; the picture enters in lane 0."""
    last = {read: i for i, line in enumerate(lines) for read in line.reads}
    lanes, found = {-1: 0}, []
    for i, line in enumerate(lines):
        ended = [lanes[read] for read in line.reads if last[read] == i]
        taken = set(lanes.values()) - set(ended)
        lane = min(ended or [next(n for n in range(len(taken) + 1) if n not in taken)])
        strokes = [(lanes[read], 0, lane, 50) for read in line.reads]
        strokes += [(n, 0, n, 100) for place, n in lanes.items() if last.get(place, -1) > i]
        lanes = {place: n for place, n in lanes.items() if last.get(place, -1) > i}
        if line.place in last:
            lanes[line.place] = lane
            strokes.append((lane, 50, lane, 100))
        found.append(Row(lane, tuple(dict.fromkeys(strokes))))
    return found


def drawing(lines: Sequence[Line], size: tuple[int, int], *, sections: Mapping[str, str]) -> str:
    """The network as a list of steps.

    Args:
        lines: as `nets.outline.outline` gives them.
        size: height and width of the picture (pixels).
        sections: by layer that is looked at, the address that its name leads to.
    """
    drawn = rows(lines)
    width = LANE * (1 + max([n for row in drawn for a, _, b, _ in row.strokes for n in (a, b)], default=0))
    items = []
    for line, row in zip(lines, drawn, strict=True):
        name = f"<b>{escape(line.name)}</b>"
        if line.name in sections:
            name = f'<a href="{escape(sections[line.name])}">{name}</a>'
        items.append(
            f"<li{' class=chosen' if line.name in sections else ''}>{_lanes(row, width)}"
            f"<div>{name} <span>{escape(line.does)}{_slides(line.window)}</span></div>"
            f"<div>{_gives(line.shape)}</div><div>{_sees(line.field, size)}</div>"
            f"{_field(line.field, size)}</li>"
        )
    h, w = size
    return f'<p>Image, {h}×{w} px</p><ol class="steps" style="--lanes: {width}px">{"".join(items)}</ol>'


def steps(lines: Sequence[Line], shown: Sequence[str]) -> pd.DataFrame:
    """The same as a table: what each step does and gives, what a unit sees, and whether it is looked at.

    Args:
        lines: as for `drawing`.
        shown: names of the layers that are looked at.
    """
    return pd.DataFrame(
        {
            "step": line.name,
            "operation": line.does + _slides(line.window),
            "output": _gives(line.shape),
            "a unit sees": f"{line.field.kernel} px" if line.field else "all",
            "step between units": f"{line.field.stride} px" if line.field else "–",
            "looked at": "yes" if line.name in shown else "–",
        }
        for line in lines
    )


def _lanes(row: Row, width: int) -> str:
    x = [LANE // 2 + LANE * n for n in range(width // LANE)]
    lines = "".join(f'<path d="M{x[a]} {top}L{x[b]} {bottom}"/>' for a, top, b, bottom in row.strokes)
    svg = f'<svg viewBox="0 0 {width} 100" preserveAspectRatio="none" aria-hidden="true">{lines}</svg>'
    return f'{svg}<i style="left: {x[row.lane]}px"></i>'


def _slides(window: Window | None) -> str:
    """The window of a step in words, after its name."""
    if window is None:
        return ""
    text = f", {window.kernel}×{window.kernel}"
    text += f", stride {window.stride}" if window.stride > 1 else ""
    return text + (f", padding {window.padding}" if window.padding else "")


def _gives(shape: Sequence[int]) -> str:
    """The maps or units of a step in words."""
    if len(shape) == 3:
        return f"{shape[0]:,} map{'s' if shape[0] > 1 else ''}, {shape[1]}×{shape[2]}"
    return f"{shape[0]:,} units" if len(shape) == 1 else "×".join(map(str, shape))


def _sees(field: Window | None, size: tuple[int, int]) -> str:
    if field is None:
        return "sees all of the image"
    more = ", more than the image" if field.kernel > max(size) else ""
    return f"sees {field.kernel} px every {field.stride} px{more}"


def _field(field: Window | None, size: tuple[int, int]) -> str:
    """The picture, and in its middle what a unit sees."""
    scale = PICTURE / max(size)
    h, w = (scale * n for n in size)
    a, b = (n if field is None else min(scale * field.kernel, n) for n in (h, w))
    inner = f'<rect x="{(w - b) / 2:.1f}" y="{(h - a) / 2:.1f}" width="{b:.1f}" height="{a:.1f}"/>'
    outer = f'<rect class="picture" width="{w:.1f}" height="{h:.1f}"/>'
    return f'<svg class="field" width="{w:.0f}" height="{h:.0f}" aria-hidden="true">{outer}{inner}</svg>'
