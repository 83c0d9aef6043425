"""What the scoreboard shows of a claim, and how it counts."""

import json
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from zfutils.stats.intervals import Interval
from zfutils.study import claim_board, claims, front_page, scoreboard
from zfutils.study.discussion import groups
from zfutils.study.places import BOOK, ROOT, page_of
from zfutils.study.study import Study
from zfutils.training.outcomes import NOT_RUN

SCALE = "invariance-linear-in-scale"
DOUBLED = "training-twice-as-long-gains-little"  # its networks are trained apart from the book
TEN_CROPS = Interval(2.0, 1.0, 3.0, 1500, "validation pictures")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study in which every standing claim was recorded without a measurement, but for the doubled run."""
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    opened = Study.open("smoke", "02_training")
    for claim in claims.standing(opened.claims):
        if claim != DOUBLED:
            with opened.claim(claim) as one:
                one.measured(None, otherwise="a test")
    return opened


def shown(study, claim, run="this run"):
    table = scoreboard.claims_table(study, 2).data
    (row,) = table.index[table["claim"].str.contains(f'#claim-{claim}"')]
    return table.loc[row, run]


def test_every_standing_claim_is_counted_once_in_each_run(study):
    counts = scoreboard.verdict_counts(study)
    standing = claims.standing(study.claims).values()
    for _, of_run in counts.groupby("run"):
        numbers = of_run.set_index("kind").drop(columns="run").sum(axis=1)
        for kind, name in scoreboard.KINDS.items():
            assert numbers[name] == sum(claim.kind == kind for claim in standing)


def test_the_papers_claims_are_counted_by_chapter_without_the_other_kinds(study):
    by_chapter = scoreboard.verdicts_by_chapter(study)
    by_kind = scoreboard.verdict_counts(study)
    paper = by_kind[by_kind["kind"] == scoreboard.KINDS["paper"]].set_index("run").drop(columns="kind")
    assert by_chapter.groupby("run").sum().drop(columns="chapter").loc[paper.index].equals(paper)


def test_a_claim_that_is_run_apart_shows_the_published_record_or_that_it_was_not_run(study):
    assert shown(study, DOUBLED) == NOT_RUN
    published = {
        "claim": DOUBLED,
        "verdict": "reproduced",
        "estimate": 0.5,
        "low": 0.2,
        "high": 0.8,
        "n": 7850,
    }
    study.published_records.append(published)
    assert shown(study, DOUBLED) == "see the published run"
    assert shown(study, DOUBLED, "published run") == (
        "<b>reproduced</b><br>0.5\u00a0[0.2,\u00a00.8] points<br>n\u00a0=\u00a07,850"
    )
    with study.claim(DOUBLED) as claim:
        claim.measured(TEN_CROPS, arms=(30.0, 28.0))
    assert "2\u00a0[1,\u00a03]" in shown(study, DOUBLED)


def test_a_claim_stands_with_its_bounds_in_words_and_what_its_interval_is_over(study):
    table = scoreboard.claims_table(study, 2).data
    (found,) = [text for text in table["claim"] if "#claim-training-ten-crops-decided" in text]
    assert found.endswith(
        "<small>Reproduced: whole interval above 0.5; partly: whole interval above 0.<br>"
        "n: images. Interval over: validation images, paired.</small>"
    )


def test_a_difference_of_the_other_sign_is_told_beside_its_verdict(study):
    name = "training-ten-crops-decided"
    study.published_records[:] = [
        {"claim": name, "verdict": "not reproduced", "estimate": -2, "low": -3, "high": -1, "n": 1500}
    ]
    assert shown(study, name, "published run").startswith("<b>not reproduced</b>, the other way round<br>")
    study.published_records[0]["high"] = 1
    assert shown(study, name, "published run").startswith("<b>not reproduced</b><br>")


def test_a_reason_names_what_was_compared_and_not_the_word_of_the_rule(study):
    claim = study.claims["training-renormalisation-where-it-binds"]
    said = scoreboard.explained("ended is 0, must be ≥ 1; n is 5, must be ≥ 1,000; a test", claim)
    assert said.split("; ") == [
        "share of the networks whose training ended: 0, must be ≥\u00a01",
        "images: 5, must be ≥\u00a01,000",
        "a test",
    ]
    assert scoreboard.explained("gone is 1, must be < 0", claim) == "gone is 1, must be <\u00a00"


def test_a_number_without_a_verdict_stands_with_the_reason_first(study):
    with study.claim("training-ten-crops-decided") as claim:
        claim.measured(TEN_CROPS, arms=(20.0, 18.0), conditions={"ended": 1.0})
    assert shown(study, "training-ten-crops-decided") == (
        "<b>not testable at this scale</b><br>registered for every edition but smoke (this is smoke)"
        "<br>2\u00a0[1,\u00a03] points<br>n\u00a0=\u00a01,500"
    )
    assert shown(study, "training-initialisation-pair") == "<b>not testable at this scale</b><br>a test"


def test_what_was_known_of_a_number_stands_beside_its_rule(study):
    table = scoreboard.claims_table(study, 14).data
    known = [text for text in table["claim"] if "Known when this was written: " in text]
    own = [claim for claim in claims.standing(study.claims).values() if claim.chapter == 14 and claim.known]
    assert len(known) == len(own) >= 3
    assert "Known" not in "".join(scoreboard.claims_table(study, 2).data["claim"])


def test_what_both_runs_have_in_common_stands_once(study):
    same = {"verdict": "not testable at this scale", "reason": "a test", "n": 0}
    study.published_records[:] = [{"claim": one} | same for one in study.claims]
    assert list(scoreboard.claims_table(study, 14).data)[2:] == [scoreboard.BOTH]
    assert set(scoreboard.verdict_counts(study).query("kind != 'gate'")["run"]) == {scoreboard.BOTH}
    study.published_records[:] = [
        {"claim": "trial-own-edges", "verdict": "reproduced", "estimate": 1, "n": 64}
    ]
    assert list(scoreboard.claims_table(study, 14).data)[2:] == [*scoreboard.RUNS.values()]
    later = scoreboard.verdict_counts(study).query("kind == 'later work'")
    assert later["run"].tolist() == [*scoreboard.RUNS.values()]


def test_an_interval_is_drawn_to_scale_with_its_threshold(study):
    """0 to 3 on 154 px between margins of 8: 1 at 59.3, 2 at 110.7, 3 at 162; threshold 0.5 at 33.7."""
    claim = study.claims["training-ten-crops-decided"]
    row = dict.fromkeys(("published_low", "published_estimate", "published_high"))
    row |= {"this_low": 1.0, "this_estimate": 2.0, "this_high": 3.0}
    assert claim_board.thresholds(claim.rule.reproduced) == [0.5]
    drawn = claim_board.interval_plot(claim, row)
    assert '<line class="this" x1="59.3" x2="162.0"' in drawn
    assert '<circle class="this" cx="110.7"' in drawn
    assert '<line class="bound" x1="33.7" x2="33.7"' in drawn
    assert '<line class="axis" x1="8.0" x2="8.0"' in drawn, "a tick where the control shows as much"
    assert "published" not in drawn
    assert claim_board.interval_plot(claim, row | {"this_low": None}) == "<span>not measured</span>"


def test_every_standing_claim_has_a_tile_that_leads_to_its_line(study):
    strip, lines = claim_board.tiles(study).text, claim_board.board(study).text
    standing = list(claims.standing(study.claims))
    assert strip.count('<a class="tile') == lines.count('class="line"') == len(standing)
    for claim in standing:
        assert f'href="scoreboard.html#claim-{claim}"' in strip
        assert f'id="claim-{claim}"' in lines


def test_every_line_leads_to_the_section_that_decides_its_claim(study):
    """A target of MyST, `(name)=`, is found above one heading of the claim's chapter."""
    lines = claim_board.board(study).text
    for name, claim in claims.standing(study.claims).items():
        page = page_of(claim.chapter)
        assert f'href="{page}.html#{name}"' in lines
        cells = json.loads((BOOK / f"{page}.ipynb").read_text())["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        sections = re.findall(rf"^\({name}\)=\n(?:\(.+\)=\n)*#+ (.+)", text, re.MULTILINE)
        assert len(sections) == 1
        assert sections[0] not in ("What came out", "Change it")


def test_a_tile_with_the_published_runs_verdict_says_so_and_a_line_why_there_is_none(study):
    lines = claim_board.board(study).text
    assert "this run: a test" in lines
    row = next(r for r in study.published_records if r["claim"] == "training-ten-crops-decided")
    strip = claim_board.tiles(study).text
    assert f"({row['verdict']}, published run)" in strip
    borrowed = strip.count(' borrowed" href')
    assert f"{borrowed} of these judged by the published run alone" in strip
    study.published_records.clear()
    assert 'borrowed" href' not in claim_board.tiles(study).text


def test_a_claim_is_shown_with_the_verdict_of_the_run_that_tested_it():
    row = {"this_verdict": claims.Verdict.NOT_TESTABLE, "published_verdict": claims.Verdict.PARTLY}
    assert claim_board.decided(row) == claims.Verdict.PARTLY
    assert claim_board.decided(row | {"this_verdict": claims.Verdict.REPRODUCED}) == "reproduced"
    assert claim_board.decided(row | {"published_verdict": None}) == "not testable at this scale"
    assert claim_board.decided(dict.fromkeys(row)) == NOT_RUN


def test_the_front_page_says_of_each_finding_how_it_came_out_and_where(study):
    *said, _, others = front_page.findings(study).text.splitlines()
    assert len(said) == 6
    assert others.count("*") == 2 * (len(groups("paper")) - 6)
    assert all(re.search(r"\]\(\d\d_\w+\.ipynb\), \d claims\)\. In this run it \w+", line) for line in said)


def test_the_same_verdicts_of_both_runs_are_said_once(study):
    def said():
        (line,) = [one for one in front_page.findings(study).text.splitlines() if "05_invariance" in one]
        return line

    same = {"verdict": "not testable at this scale", "reason": "a test", "n": 0}
    study.published_records[:] = [{"claim": one} | same for one in study.claims]
    assert said().endswith("The published run, on photographs, gave the same verdicts.")
    study.published_records.pop(
        next(i for i, one in enumerate(study.published_records) if one["claim"] == SCALE)
    )
    assert "In the published run, on photographs, it" in said()


def test_a_statement_stands_with_its_tally_and_the_claims_that_failed(study):
    study.published_records.clear()
    with study.claim("projections-class-hierarchy-over-random") as claim:
        claim.measured(Interval(0, -1, 1, 64, "maps"), arms=(1.0, 1.0), conditions={"ended": 1})
    path = study.claims_folder / "projections-class-hierarchy-over-random.json"
    record = json.loads(path.read_text()) | {"verdict": "not reproduced"}
    path.write_text(json.dumps(record))
    (line,) = [line for line in front_page.findings(study).text.splitlines() if "03_projections" in line]
    assert "it could not be tested as a whole; the one of 3 claims that had a verdict did not hold: 1" in line
    assert "1 not reproduced, 2 without a verdict. In the published run" in line
    assert line.endswith(
        "Not found in this run: that a map's nine strongest images share a class more often in layer 5 "
        "than in layer 2."
    )


def test_the_headline_takes_its_panels_from_the_published_figure():
    panels = front_page.panels(np.asarray(Image.open(front_page.PROJECTIONS).convert("RGB")))
    assert (len(panels), {len(row) for row in panels}) == (5, {4})
    sides = {side for row in panels for panel in row for side in panel.shape[:2]}
    assert max(sides) - min(sides) <= 3


def test_the_readme_shows_what_the_records_say():
    readme = (ROOT / "README.md").read_text()
    assert front_page.results() in readme
    committed = np.asarray(Image.open(ROOT / front_page.COMMITTED).convert("RGB"), float)
    page = BytesIO()
    front_page.headline().savefig(page, format="png")
    drawn = np.asarray(Image.open(page).convert("RGB"), float)
    assert committed.shape == drawn.shape
    assert np.abs(committed - drawn).mean() < 6  # of 255: WebP rounds, another figure would differ by tens
