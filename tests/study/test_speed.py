"""What `make bench` kept: read whole, shown with bars and ceilings, and the same in the README."""

import pandas as pd
import pytest
from pydantic import ValidationError

from zfutils.stats.formatting import HARD
from zfutils.study import speed


def row(name, median, **more):
    how = {"precision": "float32", "threads": 2, "device": "a processor", "torch": "2.14", "took": 3.2}
    ends = {"low": 0.9 * median, "median": median, "high": 1.1 * median}
    given = {"work": f"work of {name}", "against": "a peer", "unit": "times as fast", "repeats": 5}
    return speed.Row(name=name, **ends, **given | how | more)


RUN = speed.Benchmarks(
    date="2030-01-02",
    commit=None,
    quick=False,
    cores=2,
    seconds=600,
    rows=(
        row("occlusion/captum", 4.5, bar=4.59, ceiling=5.1, difference=2e-6, context={"seconds": 0.94}),
        row("strongest", 1.12, bar=1.15, at_most=True, unit="times its seconds"),
        row("features", 1.2, bar=1.15, at_most=True),
        row("training/128 px", 0.96, bar=0.95),
        row("training/224 px", 0.99, bar=0.95, context={"images a second": 68.0}),
        row("training/cold", 0.97, bar=0.95),
        row("training/ImageFolder", 1.61),
        row("projections/atlas", 6.2, bar=5.0, context={"seconds": 33.6}),
        row("preparation/JPEG", 0.8, ceiling=0.8, context={"images a second, ours": 250.0}),
    ),
    growth=(
        speed.Growth(
            name="images",
            work="a search",
            along="images",
            expected=1.0,
            sizes=(10, 20, 40),
            seconds=((1.0, 1.1), (2.0, 2.2), (4.0, 4.4)),
            memory=(3e6, None, 5e6),
        ),
    ),
)


def test_a_run_is_read_as_it_was_kept_and_another_form_is_refused(tmp_path):
    path = tmp_path / "benchmarks.json"
    assert speed.read(path) is None
    speed.keep(RUN, path)
    assert speed.read(path) == RUN
    path.write_text(path.read_text().replace('"quick"', '"quickly"'))
    with pytest.raises(ValidationError, match="quickly"):
        speed.read(path)


def test_a_row_reaches_its_bar_from_the_right_side():
    assert [RUN.row(name).reached for name in ("strongest", "features")] == [True, False]
    assert [RUN.row(name).reached for name in ("projections/atlas", "occlusion/captum")] == [True, False]
    assert RUN.row("training/ImageFolder").reached is None
    assert RUN.row("occlusion/captum").share == pytest.approx(4.5 / 5.1)
    assert row("a", 1.25, bar=1.5, ceiling=1.0, at_most=True).share == pytest.approx(0.8)
    with pytest.raises(KeyError, match="strongest"):
        RUN.row("weakest")


def test_the_table_says_what_was_measured_and_what_it_had_to_reach():
    table = speed.rows_table(RUN.rows).set_index("work")
    assert [cell.replace(HARD, " ") for cell in table.loc["work of occlusion/captum"]] == [
        "a peer",
        "4.5 [4.05, 4.95] times as fast",
        "≥ 4.59",
        "no",
        "5.1",
        "88 %",
        "2e-06",
        "float32, 5 repeats, 3 s",
    ]
    assert table.loc["work of strongest", "to reach"] == "≤ 1.15"
    assert table.loc["work of training/ImageFolder", "to reach"] == "–"


def test_what_is_missed_is_named_with_its_number_and_its_bar():
    assert speed.reached_in_words(RUN.rows).text == (
        "5 of 7 bars are reached. Missed: work of occlusion/captum, against a peer (4.5 of 4.59); work of "
        "features, against a peer (1.2 of 1.15)."
    )
    assert speed.reached_in_words([row("a", 2.0, bar=1.0)]).text == "1 of 1 bars are reached."


def test_growth_is_shown_with_its_exponent_and_its_memory():
    (shown,) = speed.growth_table(RUN.growth).to_dict("records")
    assert shown["exponent"].replace(HARD, " ") == "1.00 [1.00, 1.00]"
    assert (shown["by counting"], shown["seconds"], shown["peak memory (MB)"]) == (
        "1.00",
        "1.05 to 4.2",
        "3 to 5",
    )


def test_figures_are_drawn_of_every_row_with_a_bar_and_every_growth():
    (axes,) = speed.bars(RUN.rows).axes
    labels = [label.get_text().replace("\n", " ").replace("\u00a0", " ") for label in axes.get_yticklabels()]
    assert labels == [
        f"{row.work}, against {row.against}{' (at most)' * row.at_most}"
        for row in RUN.rows
        if row.bar is not None
    ]
    shown = [axes for axes in speed.curves(RUN.growth).axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["a search"]


def test_the_readme_takes_the_figures_of_the_kept_run():
    text = speed.with_paragraph("Before.\n\n`make bench` said\nthis.\n\nAfter.\n", RUN)
    assert text.startswith(
        "Before.\n\n`make bench` (a processor, 2 cores, 2 threads, PyTorch 2.14, 2030-01-02)"
    )
    assert text.endswith("\n\nAfter.\n")
    words = " ".join(text.split())
    assert "0.96 of the rate on one fixed batch to a small network at 128 px, 0.99 to the paper's" in words
    assert (
        "takes 0.9 s, 4.5 times less than with captum's `Occlusion`, where arithmetic would allow 5.1"
        in words
    )
    with pytest.raises(ValueError, match="paragraphs"):
        speed.with_paragraph("Nothing.\n\n", RUN)


def test_what_is_kept_has_the_rows_that_the_pages_read_and_the_readme_agrees():
    readme = speed.README.read_text()
    if (run := speed.read()) is None:
        assert "`make bench`, last run on the version before" in readme
        return
    assert speed.with_paragraph(readme, run) == readme
    assert {each.name for each in RUN.rows} <= {each.name for each in run.rows}
    assert not run.quick
    assert isinstance(speed.rows_table(run.rows), pd.DataFrame)
