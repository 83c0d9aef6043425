"""Figures that answer to the hand: a picture whose state is chosen by pointer, arrow keys or a slider.

The one idea: every state was computed beforehand. The figure is drawn in its first state without a script,
for print and for who runs none; the script (`interactive.js`) exchanges numbers and moves what is shown. It
loads nothing, in the book as in JupyterLab.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from io import BytesIO
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

QUALITY = 80  # of WebP
LONGEST = 16383  # pixels that a WebP picture may have along an axis

Rows = Sequence[tuple[str, float]]  # a bar's name and value


@dataclass(frozen=True)
class Bars:
    """A group of bars below one another; in another state they have other names and values."""

    title: str
    most: float = 1.0  # value of a full bar; what goes beyond is cut, and its number says so
    percent: bool = False  # whether values are shares, written in %

    def written(self, value: float) -> str:
        """A value as it stands beside its bar; NaN is none."""
        if isnan(value):
            return "none"
        return f"{100 * value:.1f}\u00a0%" if self.percent else f"{value:.2f}"


@dataclass(frozen=True)
class Scene:
    """One picture with all its states."""

    name: str
    frames: UInt8[np.ndarray, "frames h w 3"]  # one for every state, or one for all
    labels: Sequence[str]  # of every state
    rows: Sequence[Sequence[Rows]]  # of every state, of every group of bars

    def moved(self, state: int) -> tuple[float, float]:
        """Width and shift of the strip of frames that bring a state's frame into view (% of frame and strip).

        Where there are several, each has its outer columns twice, so that no neighbour shows through.
        """
        frames, width = len(self.frames), self.frames.shape[2]
        if frames == 1:
            return 100, 0
        return 100 * frames * (width + 2) / width, -100 * (state + 1 / (width + 2)) / frames


@dataclass(frozen=True)
class Interactive:
    """Pictures to choose from, each in many states; shown where a cell returns it.

    Args:
        control: what is chosen, such as "angle".
        caption: what to do and what to look for; plain text.
        groups: of bars.
        scenes: all with the same states.
        start: the first state shown.
        square: of a grid of positions: where the square starts and how long it is along either axis, as
            fractions of the picture; states are then the grid's positions, row by row.
        fill: of the square, as CSS.

    Raises:
        ValueError: no scenes, or states, frames and bars that are not as many.
    """

    control: str
    caption: str
    groups: Sequence[Bars]
    scenes: Sequence[Scene]
    start: int = 0
    square: Sequence[tuple[float, float]] = ()
    fill: str = "#808080"

    def __post_init__(self) -> None:
        if not self.scenes:
            raise ValueError("an interactive figure needs at least one picture")
        states = len(self.square) ** 2 or len(self.scenes[0].labels)
        for scene in self.scenes:
            counts = len(scene.labels), len(scene.rows), len(scene.frames)
            if counts[:2] != (states, states) or counts[2] not in (1, states):
                raise ValueError(f"{scene.name}: {states} states, but labels, bars and frames are {counts}")
            if any(len(rows) != len(self.groups) for rows in scene.rows):
                raise ValueError(f"{scene.name}: every state needs {len(self.groups)} groups of bars")
        if not 0 <= self.start < states:
            raise ValueError(f"the first state is {self.start}; there are {states}, counted from 0")

    @property
    def data(self) -> dict[str, Any]:
        """What the script reads."""
        names = sorted({name for s in self.scenes for rows in s.rows for group in rows for name, _ in group})
        number = {name: place for place, name in enumerate(names)}
        return {
            "start": self.start,
            "square": [[round(end, 4) for end in ends] for ends in self.square],
            "groups": [{"most": group.most, "percent": group.percent} for group in self.groups],
            "names": names,
            "scenes": [
                {
                    "image": _webp(scene.frames),
                    "strip": [scene.moved(0), scene.moved(1)],
                    "labels": scene.labels,
                    "rows": [
                        [
                            [[number[name], None if isnan(v) else round(float(v), 4)] for name, v in group]
                            for group in rows
                        ]
                        for rows in scene.rows
                    ],
                }
                for scene in self.scenes
            ],
        }

    def _repr_html_(self) -> str:
        first, data = self.scenes[0], self.data
        text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
        name = f"hand-{sha256(text.encode()).hexdigest()[:8]}"
        bars = "".join(
            f"<p>{escape(group.title)}</p><ul>{''.join(_bar(group, *row) for row in rows)}</ul>"
            for group, rows in zip(self.groups, first.rows[self.start], strict=True)
        )
        return f"""<figure class="hand" id="{name}">
<style>{_file("interactive.css")}</style>
{_choice(name, [scene.name for scene in self.scenes])}
<div class="stage"><div>
{self._picture(data)}
{self._slider(name)}
</div><div class="bars">{bars}</div></div>
<p class="state" aria-live="polite">{escape(first.labels[self.start])}</p>
<figcaption>{escape(self.caption)}</figcaption>
<script type="application/json">{text}</script>
<script>{_file("interactive.js")}</script>
</figure>"""

    def _picture(self, data: dict[str, Any]) -> str:
        """The first scene's picture in its first state, with the square on it where there is one."""
        scene, square, role = self.scenes[0], "", ""
        height, width = scene.frames.shape[1:3]
        if self.square:
            row, column = divmod(self.start, len(self.square))
            (left, across), (top, down) = self.square[column], self.square[row]
            ends = {"left": left, "top": top, "width": across, "height": down}
            place = ";".join(f"{side}:{100 * end:.2f}%" for side, end in ends.items())
            square = f'<span class="square" style="{place};background:{escape(self.fill)}"></span>'
            label = f"{self.control}: move it with the pointer or the arrow keys"
            role = f' role="application" tabindex="0" aria-label="{escape(label)}"'
        wide, shift = scene.moved(self.start)
        return (
            f'<div class="picture"{role} style="aspect-ratio:{width}/{height}">'
            f'<img src="{data["scenes"][0]["image"]}" alt="{escape(scene.name)}" '
            f'style="width:{wide:.4f}%;translate:{shift:.4f}%">{square}</div>'
        )

    def _slider(self, name: str) -> str:
        if self.square:
            return ""
        last = len(self.scenes[0].labels) - 1
        return (
            f'<label class="script" for="{name}-state">{escape(self.control)}</label>'
            f'<input class="script" type="range" id="{name}-state" max="{last}" value="{self.start}">'
        )


def _choice(name: str, scenes: Sequence[str]) -> str:
    """Buttons to choose the picture by, numbered where names repeat; none where there is one alone."""
    if len(set(scenes)) < len(scenes):
        scenes = [f"{place}. {scene}" for place, scene in enumerate(scenes, 1)]
    buttons = "".join(
        f'<label><input type="radio" name="{name}" value="{place}"{"" if place else " checked"}> '
        f"{escape(scene)}</label>"
        for place, scene in enumerate(scenes)
    )
    return f'<fieldset class="script"><legend>Image</legend>{buttons}</fieldset>' if scenes[1:] else ""


def _bar(group: Bars, name: str, value: float) -> str:
    width = 0 if isnan(value) else 100 * min(max(value / group.most, 0), 1)
    bar = f"<i><s style='width:{width:.2f}%'></s></i>"
    return f"<li><b>{escape(name)}</b>{bar}<span>{group.written(value)}</span></li>"


def _webp(frames: UInt8[np.ndarray, "frames h w 3"]) -> str:
    """Frames side by side (`Scene.moved`), as an address that holds the picture itself."""
    if len(frames) > 1:
        frames = np.pad(frames, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="edge")
    strip, page = np.concatenate(list(frames), axis=1), BytesIO()
    if strip.shape[1] > LONGEST:
        raise ValueError(f"{len(frames)} frames are {strip.shape[1]} px wide side by side, above {LONGEST}")
    Image.fromarray(strip).save(page, "webp", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{b64encode(page.getvalue()).decode()}"


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8").strip()
