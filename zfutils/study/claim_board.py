"""All claims at one glance: a strip of tiles, and one line for each with its effect drawn to scale.

HTML without a library. A verdict has a shape and a word beside its colour; without a script all lines show.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

from zfutils.stats.formatting import HARD, significant
from zfutils.study import records
from zfutils.study.claims import ENDS, Claim, Verdict
from zfutils.study.discussion import TESTED, by_claim
from zfutils.study.display import Html
from zfutils.study.places import page_of
from zfutils.study.register import card, entries
from zfutils.study.rules import Condition
from zfutils.study.scoreboard import KINDS, NOTHING, RUNS, explained
from zfutils.study.study import Study
from zfutils.training.outcomes import NOT_RUN

SHAPES = {
    Verdict.REPRODUCED: "●",
    Verdict.PARTLY: "◐",
    Verdict.NOT_REPRODUCED: "✕",
    Verdict.NOT_TESTABLE: "–",
    NOT_RUN: "○",
}
HEADINGS = {"paper": "The paper", "later-work": "Later work", "gate": "Gates"}  # by kind
WIDTH, HEIGHT, MARGIN = 170, 40, 8  # of an interval plot (pixels)
AT = {"this": 11, "published": 27}  # height of a run's interval in it (pixels)


def verdict_of(row: Mapping[str, Any], run: str) -> str:
    """A run's verdict on a claim, or that it was not run."""
    return row[f"{run}_verdict"] or NOT_RUN


def decided(row: Mapping[str, Any]) -> str:
    """The verdict of this run where it tested the claim, else of the published run."""
    return verdict_of(row, deciding(row) or next(iter(RUNS)))


def deciding(row: Mapping[str, Any]) -> str | None:
    """Which run decides: this one where it tested the claim, else the published one, where that did."""
    return next((run for run in RUNS if verdict_of(row, run) in TESTED), None)


def tiles(study: Study) -> Html:
    """A tile for every claim, kind by kind, each a link to its line; the shapes explained and counted above.

    The verdict is this run's where it tested the claim, else the published run's.
    """
    rows = by_claim(study.records())
    shown = {name: decided(row) for name, row in rows.items()}
    whose = {name: RUNS.get(deciding(row), "either run") for name, row in rows.items()}
    counts = "".join(
        f'<li><span class="tile {_word(verdict)}" aria-hidden="true">{shape}</span> '
        f"{list(shown.values()).count(verdict)} {verdict}</li>"
        for verdict, shape in SHAPES.items()
    )
    borrowed = list(whose.values()).count(RUNS["published"])
    counts += (
        f'<li><span class="tile borrowed" aria-hidden="true">&nbsp;</span> {borrowed} of these judged by the '
        f"{RUNS['published']} alone</li>"
    )
    strips = []
    for kind, title in HEADINGS.items():
        found = [study.claims[name] for name in rows if study.claims[name].kind == kind]
        links = "".join(_tile(claim, shown[claim.id], whose[claim.id]) for claim in found)
        strips.append(f"<p>{title}, {len(found)}</p><ul class='tiles'>{links}</ul>")
    return Html(f'<div class="strip"><ul class="tiles legend">{counts}</ul>{"".join(strips)}</div>')


def board(study: Study) -> Html:
    """One line for each claim: verdicts, effect, the paper's value, its section and its registration."""
    rows, papers = by_claim(study.records()), _papers_values(study)
    parts = [_filters(study, rows)]
    for kind, title in HEADINGS.items():
        lines = [
            _line(study, study.claims[name], row, papers.get(name))
            for name, row in rows.items()
            if study.claims[name].kind == kind
        ]
        heading = f"<h3>{title} ({len(lines)})</h3>"
        parts.append(f"<section>{heading}{''.join(lines)}</section>")
    return Html(f'<div class="board">{"".join(parts)}</div>')


def interval_plot(claim: Claim, row: Mapping[str, Any]) -> str:
    """The intervals of both runs with the thresholds of the rule, as an SVG that says its numbers.

    A dot is this run's estimate, a square the published run's, a broken line a threshold for 'reproduced', a
    dotted one for 'partly', and a tick on the axis stands where the control shows as much.
    """
    measured = {run: [row[f"{run}_{key}"] for key in ENDS] for run in RUNS}
    measured = {run: ends for run, ends in measured.items() if None not in ends}
    if not measured:
        return "<span>not measured</span>"
    bounds, weaker = thresholds(claim.rule.reproduced), thresholds(claim.rule.partly)
    nothing = float(NOTHING.get(claim.rule.verdict_on, 0))
    values = [nothing, *bounds, *weaker, *(end for ends in measured.values() for end in ends)]
    least, most = min(values), max(values)
    x = {v: MARGIN + (WIDTH - 2 * MARGIN) * (v - least) / ((most - least) or 1) for v in values}
    uprights = [("bound", at, 2) for at in bounds] + [("bound partly", at, 2) for at in weaker]
    uprights.append(("axis", nothing, HEIGHT - 8))
    marks = [
        f'<line class="{kind}" x1="{x[at]:.1f}" x2="{x[at]:.1f}" y1="{top}" y2="{HEIGHT - 3}"/>'
        for kind, at, top in uprights
    ]
    for run, (estimate, low, high) in measured.items():
        y = AT[run]
        marks.append(f'<line class="{run}" x1="{x[low]:.1f}" x2="{x[high]:.1f}" y1="{y}" y2="{y}"/>')
        marks.append(
            f'<circle class="{run}" cx="{x[estimate]:.1f}" cy="{y}" r="4"/>'
            if run == "this"
            else f'<rect class="{run}" x="{x[estimate] - 3.5:.1f}" y="{y - 3.5}" width="7" height="7"/>'
        )
    said = "; ".join(f"{RUNS[run]} {significant(*ends)}" for run, ends in measured.items())
    label = f"{said} {claim.unit}; threshold {', '.join(f'{bound:g}' for bound in bounds) or 'none'}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(label)}"><line class="axis" x1="{MARGIN}" x2="{WIDTH - MARGIN}" '
        f'y1="{HEIGHT - 3}" y2="{HEIGHT - 3}"/>{"".join(marks)}</svg>'
    )


def thresholds(asked: Condition | None) -> list[float]:
    """The values that the estimate or an end of its interval must pass; none where nothing is asked."""
    return sorted({part.number for part in asked.parts if part.name in ENDS}) if asked else []


def _line(study: Study, claim: Claim, row: Mapping[str, Any], paper: Any) -> str:
    verdicts = "".join(
        f'<dt>{title}</dt><dd><span class="tile {_word(verdict_of(row, run))}" aria-hidden="true">'
        f"{SHAPES[verdict_of(row, run)]}</span> {verdict_of(row, run)}</dd>"
        for run, title in RUNS.items()
    )
    numbers = [
        f"{title} {significant(*(row[f'{run}_{key}'] for key in ENDS))}"
        for run, title in RUNS.items()
        if row[f"{run}_estimate"] is not None
    ]
    if isinstance(paper, int | float):
        numbers.append(f"the paper {paper:.3g}")
    effect = [escape("; ".join(numbers) + f" ({claim.unit})")] if numbers else []
    effect += [
        escape(f"{title}: {explained(row[f'{run}_reason'], claim)}")
        for run, title in RUNS.items()
        if row[f"{run}_reason"]
    ]
    return (
        f'<article class="line" id="claim-{claim.id}" data-chapter="{claim.chapter}" '
        f'data-kind="{claim.kind}" data-verdict="{_word(decided(row))}"><dl>{verdicts}</dl>'
        f"<div>{interval_plot(claim, row)}</div>"
        f"<div><p>{escape(claim.says)} "
        f'<a href="{page_of(claim.chapter)}.html#{claim.id}">Chapter{HARD}{claim.chapter}</a></p>'
        f"<p class='numbers'>{'<br>'.join(effect)}</p><details><summary>Registration</summary>"
        f"{card(claim, entries(study, claim))}</details></div></article>"
    )


def _filters(study: Study, rows: Mapping[str, Any]) -> str:
    """Three choices that a script makes work; hidden without one."""
    chapters = {str(c): f"{c}" for c in sorted({study.claims[name].chapter for name in rows})}
    choices = {
        "chapter": chapters,
        "kind": KINDS,
        "verdict": {_word(verdict): str(verdict) for verdict in SHAPES},
    }
    fields = "".join(
        f'<label>{name.capitalize()} <select name="{name}"><option value="">all</option>'
        + "".join(f'<option value="{escape(k)}">{escape(v)}</option>' for k, v in options.items())
        + "</select></label>"
        for name, options in choices.items()
    )
    return f'<form class="filters" hidden>{fields}<output aria-live="polite"></output></form>'


def _papers_values(study: Study) -> dict[str, Any]:
    """The paper's own value of a claim's quantity, where a record gives it."""
    both = [*study.published_records, *records.read(study.claims_folder)]
    return {row["claim"]: (row.get("context") or {}).get("of_paper") for row in both}


def _tile(claim: Claim, verdict: str, run: str) -> str:
    said = escape(f"{claim.says} ({verdict}, {run})")
    look = f"tile {_word(verdict)}{' borrowed' * (run == RUNS['published'])}"
    return (
        f'<li><a class="{look}" href="scoreboard.html#claim-{claim.id}" title="{said}">'
        f'<span aria-hidden="true">{SHAPES[verdict]}</span>'
        f'<span class="visually-hidden">{said}</span></a></li>'
    )


def _word(verdict: str) -> str:
    """A verdict as a class of the style sheet."""
    return str(verdict).replace(" ", "-")
