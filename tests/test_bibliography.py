"""The book's references: complete, each cited, and those of the time line in agreement with it."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from pybtex.database import Entry, parse_file

BOOK = Path(__file__).resolve().parents[1] / "book"
ENTRIES = parse_file(BOOK / "references.bib").entries
WORKS = pd.read_csv(BOOK / "data" / "related_work.csv")
VENUES = {
    "article": ["journal"],
    "inproceedings": ["booktitle"],
    "techreport": ["institution"],
    "misc": ["howpublished", "note", "eprint"],
}
CITE = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")


def cited(text: str) -> set[str]:
    """The keys that a text cites."""
    return {key.strip() for keys in CITE.findall(text) for key in keys.split(",")}


def prose(page: Path) -> str:
    """The text of a page: a notebook's Markdown cells, or the whole file."""
    if page.suffix == ".md":
        return page.read_text()
    cells = json.loads(page.read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


PAGES = {page.stem: cited(prose(page)) for page in sorted([*BOOK.glob("*.ipynb"), *BOOK.glob("*.md")])}


def test_every_reference_is_cited_and_every_citation_has_its_reference():
    everywhere = set().union(*PAGES.values())
    assert set(ENTRIES) - everywhere == set()
    assert everywhere - set(ENTRIES) == set()


@pytest.mark.parametrize("key", ENTRIES)
def test_a_reference_says_who_what_where_when_and_how_it_is_found(key):
    entry: Entry = ENTRIES[key]
    assert entry.persons["author"]
    assert {"title", "year"} <= set(entry.fields)
    assert any(venue in entry.fields for venue in VENUES[entry.type]), f"{key} lacks {VENUES[entry.type]}"
    assert {"doi", "eprint", "url", "number"} & set(entry.fields)
    assert re.fullmatch(r"10\.\d{4,}/\S+", entry.fields.get("doi", "10.1000/none"))
    assert re.fullmatch(r"\d{4}\.\d{4,5}", entry.fields.get("eprint", "0000.0000"))
    assert ("eprint" in entry.fields) == (entry.fields.get("archivePrefix") == "arXiv")


def test_a_preprint_and_a_doi_belong_to_one_reference():
    for field in ("doi", "eprint", "title"):
        values = [entry.fields[field].lower() for entry in ENTRIES.values() if field in entry.fields]
        twice = {value for value in values if values.count(value) > 1}
        assert twice <= {ENTRIES["zeiler2013"].fields["title"].lower()}, twice  # the preprint and the print


@pytest.mark.parametrize("work", list(WORKS.itertuples()), ids=lambda work: work.key)
def test_a_work_of_the_time_line_is_a_reference_that_the_page_cites(work):
    entry = ENTRIES[work.key]
    assert work.key in PAGES["related"] or work.key == "zeiler2013"
    assert 1 <= work.month <= 12
    # it stands where it first appeared, at most two years before its publication
    assert int(entry.fields["year"]) - 2 <= work.year <= int(entry.fields["year"])
    author = " ".join(entry.persons["author"][0].last_names).strip("{}")
    assert work.label.partition(":")[0] in author or work.key == "zeiler2013"


@pytest.mark.parametrize("work", list(WORKS.itertuples()), ids=lambda work: work.key)
def test_a_work_that_first_appeared_as_a_preprint_stands_in_the_month_of_its_number(work):
    """An arXiv number begins with year and month."""
    if number := ENTRIES[work.key].fields.get("eprint"):
        assert (work.year, work.month) == (2000 + int(number[:2]), int(number[2:4]))
