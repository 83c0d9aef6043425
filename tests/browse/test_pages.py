"""Every page of a built edition reads whole in a browser without network: wide, narrow, light, dark."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from .conftest import NARROW

# Waits for every picture, a lazy one too; the addresses of those that cannot be shown.
BROKEN_PICTURES = """() => Promise.all([...document.images].map(async image => {
    image.loading = "eager";
    try { await image.decode(); } catch { return image.src.slice(0, 100); }
})).then(found => found.filter(Boolean))"""
LINKS = """() => [...document.querySelectorAll("a[href], link[rel=next], link[rel=prev]")]
    .map(link => link.getAttribute("href"))"""
# What is wider than the window: the page itself, or a box that scrolls with no table, code or formula in it.
TOO_WIDE = """() => {
    const name = e => `${e.tagName.toLowerCase()}#${e.id}.${e.className}`;
    const may = "table, pre, mjx-container";
    const root = document.scrollingElement, limit = root.clientWidth;
    if (root.scrollWidth > limit)
        return [...document.querySelectorAll("body *")]
            .filter(e => e.getBoundingClientRect().right > limit + 1 && !e.closest(may)).slice(0, 5)
            .map(e => `${name(e)} reaches ${e.getBoundingClientRect().right} px`);
    const scrolls = e => e.scrollWidth > e.clientWidth + 1
        && ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
    return [...document.querySelectorAll("main *")]
        .filter(e => scrolls(e) && !e.querySelector(may) && !e.closest(may))
        .map(e => `${name(e)} scrolls`);
}"""
# Contrast takes nearly all of axe's time, and rows of a table look alike: it is asked of the first of them.
CONTRAST = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
ALIKE = {"exclude": [["table.study tbody tr:nth-child(n+4)"], [".board .line:nth-of-type(n+9)"]]}
# Beside axe's own choice: who says what a control shows should reach it.
OTHERS = {
    "rules": {"label-content-name-mismatch": {"enabled": True}, "color-contrast": {"enabled": False}},
    "resultTypes": ["violations"],
}
LARGEST_PAGE, LARGEST_BOOK = 3_000_000, 80_000_000  # bytes, a page with its pictures


class _Parts(HTMLParser):
    """Collects the ids of a page, and the pictures that it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.pictures: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "img" and not (values.get("src") or "data:").startswith("data:"):
            self.pictures.add(values["src"])


@cache
def parts(page: Path) -> _Parts:
    parser = _Parts()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def dead(links: list[str], page: Path) -> list[str]:
    """Those of a page's links whose file, or whose place in it, is not there."""
    found = []
    for link in sorted(set(links)):
        address = urlsplit(link)
        if address.scheme:
            continue  # of another host, or a letter; nothing is asked of the network
        target = page.parent / unquote(address.path) if address.path else page
        place = unquote(address.fragment)
        if not target.is_file() or (place and target.suffix == ".html" and place not in parts(target).ids):
            found.append(link)
    return found


def test_a_page_loads_whole_without_a_network_and_its_links_lead_somewhere(opened, book, address):
    page = opened(address)
    assert page.evaluate(BROKEN_PICTURES) == []
    assert page.faults == []
    assert dead(page.evaluate(LINKS), book / address) == []


def test_a_page_fits_a_phone(opened, address):
    assert opened(address, width=NARROW).evaluate(TOO_WIDE) == []


def serious(page: Page, **how: Any) -> list[str]:
    """What axe finds serious or critical on a page, how often, and where first."""
    return [
        f"{found['id']}, {len(found['nodes'])} times: {found['nodes'][0]['html'][:200]} "
        f"{found['nodes'][0]['failureSummary']}"
        for found in Axe().run(page, **how).response["violations"]
        if found["impact"] in {"serious", "critical"}
    ]


def test_a_page_has_no_serious_barrier(opened, address):
    assert serious(opened(address), options=OTHERS) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_words_of_a_page_stand_out_from_their_ground(opened, address, theme):
    assert serious(opened(address, theme=theme), context=ALIKE, options=CONTRAST) == []


def test_a_barrier_and_faint_words_are_found(opened):
    page = opened("references.html")
    page.set_content(
        '<html lang="en"><title>Two faults</title><img src="data:,"><p style="color: #eee">faint'
    )
    assert [found.split(",")[0] for found in serious(page, options=OTHERS)] == ["image-alt"]
    assert [found.split(",")[0] for found in serious(page, context=ALIKE, options=CONTRAST)] == [
        "color-contrast"
    ]


def test_a_page_is_light(book, address):
    pictures = [book / address, *((book / address).parent / name for name in parts(book / address).pictures)]
    assert sum(path.stat().st_size for path in pictures) <= LARGEST_PAGE


def test_the_book_is_light(book):
    assert sum(path.stat().st_size for path in book.rglob("*") if path.is_file()) <= LARGEST_BOOK


def test_a_dead_link_is_found(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<p id="here">')
    links = ["page.html#here", "#there", "gone.html", "https://example.org", "page.html"]
    assert dead(links, page) == ["#there", "gone.html"]
