"""The front page: the headline figure and what was found, from what the runs left.

The figure takes its panels from the published figure of chapter 3, which holds projections and no photograph.
"""

import json

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from PIL import Image

from zfutils.plotting.style import WIDTH, bare, new, styled
from zfutils.stats.formatting import ranged
from zfutils.study.claims import Verdict
from zfutils.study.closing import enumerated
from zfutils.study.discussion import WORDS, Group, Records, by_claim, groups, tally
from zfutils.study.display import Paragraph
from zfutils.study.kept_figures import FOLDER
from zfutils.study.places import REFERENCE, page_of
from zfutils.study.scoreboard import OTHER_WAY, side
from zfutils.study.study import Study

PROJECTIONS = FOLDER / "03_projections-projections.png"
COMMITTED = "book/_static/projections.webp"  # the headline figure for the README, from the root
TRAINED, RANDOM = 1, -1  # columns of the published figure that the headline shows
WHITE, FULL = 250, 0.6  # from this level on a pixel is white; more of a line than this are a panel's
FINDINGS = (3, 5, 6, 7, 8, 9)  # chapters, of each the first statement of the discussion


def panels(page: UInt8[np.ndarray, "h w 3"]) -> list[list[UInt8[np.ndarray, "side side 3"]]]:
    """The pictures of a figure that stand in rows and columns on white, without the writing between them."""
    inked = (page < WHITE).any(axis=2)
    rows = _runs(inked.mean(axis=1) > FULL)
    columns = _runs(inked[np.r_[tuple(rows)]].mean(axis=0) > FULL)
    return [[page[row, column] for column in columns] for row in rows]


def _runs(shown: np.ndarray) -> list[slice]:
    """Where a line of booleans is true, as slices; a gap of a few pixels within a picture is bridged."""
    edges = np.flatnonzero(np.diff(np.r_[0, shown.astype(int), 0]))
    found: list[slice] = []
    for start, stop in edges.reshape(-1, 2):
        if found and start - found[-1].stop < 6:
            start = found.pop().start
        found.append(slice(int(start), int(stop)))
    return [one for one in found if one.stop - one.start > 20]


@styled
def headline() -> Figure:
    """One map of each layer: its nine projections, and below those of the network with random weights."""
    grid = panels(np.asarray(Image.open(PROJECTIONS).convert("RGB")))
    figure = new(height=WIDTH * 0.45)
    axes = figure.subplots(2, len(grid))
    for layer, row in enumerate(grid):
        for line, column in enumerate((TRAINED, RANDOM)):
            bare(axes[line, layer]).imshow(row[column])
        axes[0, layer].set_title(f"layer {layer + 1}", loc="center")
    axes[0, 0].set_ylabel("trained")
    axes[1, 0].set_ylabel("random weights")
    return figure


def findings(study: Study) -> Paragraph:
    """Six statements of the paper: how they came out in both runs, and which of their claims failed.

    A last line says how the paper's other statements came out in this run.
    """
    records = by_claim(study.records())
    by_chapter = {
        study.claims[next(iter(group.claims))].chapter: group for group in reversed(groups("paper"))
    }
    shown, lines = [by_chapter[chapter] for chapter in FINDINGS], []
    for chapter, group in zip(FINDINGS, shown, strict=True):
        rows = [records.get(name, {}) for name in group.claims]
        ours = [row.get("this_verdict") for row in rows]
        counted, elsewhere = (_counted(study, group, records, run) for run in ("this", "published"))
        here, there = (group.outcome(records, run) for run in ("this", "published"))
        published = f"In the published run, on photographs, it {there}: {elsewhere}."
        if ours == [row.get("published_verdict") for row in rows]:
            published = "The published run, on photographs, gave the same verdicts."
        clauses = zip(ours, group.claims.values(), strict=True)
        failed = [clause for verdict, clause in clauses if verdict == Verdict.NOT_REPRODUCED]
        failed *= len(failed) < len(rows)  # where all failed, the tally says it
        lines.append(
            f"- *{group.title}* ([chapter {chapter}]({page_of(chapter)}.ipynb), {len(rows)} claims). "
            f"In this run it {here}: {counted}. {published}"
            + (f" Not found in this run: {enumerated('that', failed, 'or')}." if failed else "")
        )
    others = [
        f"*{group.title}* ({group.outcome(records, 'this')})"
        for group in groups("paper")
        if group not in shown
    ]
    lines.append(
        f"\nThe paper's other statements stand in the [discussion](discussion.ipynb): {'; '.join(others)}."
    )
    return Paragraph("\n".join(lines))


def _counted(study: Study, group: Group, records: Records, run: str) -> str:
    """The verdicts of a group's claims, and whether all that were not reproduced came out the other way."""
    rows = {name: records[name] for name in group.claims if name in records}
    failed = [name for name, row in rows.items() if row[f"{run}_verdict"] == Verdict.NOT_REPRODUCED]
    other_way = failed and all(OTHER_WAY in side(study.claims[name], rows[name], run) for name in failed)
    verdicts = [records.get(name, {}).get(f"{run}_verdict") for name in group.claims]
    said, word = tally(verdicts), WORDS[Verdict.NOT_REPRODUCED].lower()
    return said.replace(word, f"{word} ({OTHER_WAY})") if other_way else said


def results() -> str:
    """The published run's networks and their errors, as a table of Markdown."""
    networks = json.loads((REFERENCE / "photos.json").read_text())["networks"]
    columns = ["top-1 error, 1 crop", "top-1 error, 10 crops", "top-5 error, 10 crops"]
    lines = ["| network | " + " | ".join(columns) + " | n |", "|---" * (len(columns) + 2) + "|"]
    for name, found in networks.items():
        if all(column in found for column in columns):
            cells = [
                ranged(*(100 * found[column][end] for end in ("estimate", "low", "high")), unit=" %")
                for column in columns
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + f" | {found['n']:,} |")
    return "\n".join(lines)
