"""Every page of the book runs on the smoke edition, one after the other; the file that takes longest."""

import os
import re

import pytest

from zfutils import notebooks


def pages() -> list[str]:
    """The book's notebooks in the order of its contents, so that the pages that read results come last."""
    listed = re.findall(r"file: *(\S+)", (notebooks.BOOK / "_toc.yml").read_text())
    there = {path.stem for path in notebooks.BOOK.glob("*.ipynb")}
    return [page for page in listed if page in there] + sorted(there - set(listed))


FEWER = {"06_occlusion": {"pictures": 16}}  # where the edition alone does not make a page short


@pytest.mark.parametrize("page", pages())
def test_a_page_of_the_book_runs_on_the_smoke_edition(page):
    source = notebooks.BOOK / f"{page}.ipynb"
    copy = notebooks.executed_path(source, "smoke")
    notebooks.execute(source, copy, {"edition": "smoke"} | FEWER.get(page, {}))
    assert copy.stat().st_size > source.stat().st_size
    assert os.path.commonpath([copy, os.environ["ZFUTILS_BUILD"]]) == os.environ["ZFUTILS_BUILD"]
