"""A built edition in a real browser: the system's Chromium, steered by Playwright, with the network off.

    pytest tests/browse --book _build/quick/html      (`make browse`)

Its pages are read from the disk, as a reader opens them. `make test` leaves this folder out, because it needs
a browser and a finished build.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDE, NARROW = 1300, 390  # pixels: a desktop window, a phone


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--book", type=Path, help="folder of a built edition's HTML")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `address` is run for every page of the edition."""
    if "address" in metafunc.fixturenames:
        folder = html_of(metafunc.config)
        every = sorted(page.relative_to(folder) for page in folder.rglob("*.html"))
        pages = [str(page) for page in every if page.parts[0] != "_static"]  # of the theme: no pages
        metafunc.parametrize("address", pages)


def html_of(config: pytest.Config) -> Path:
    """The built edition's folder.

    Raises:
        pytest.UsageError: none was named, or it holds no pages.
    """
    folder = config.getoption("book")
    if folder is None or not (folder / "index.html").is_file():
        raise pytest.UsageError(f"--book names the HTML of a built edition (`make book`), got {folder}")
    return folder.resolve()


@pytest.fixture(scope="session")
def book(pytestconfig: pytest.Config) -> Path:
    return html_of(pytestconfig)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.exit(f"no browser was found on PATH; one of {', '.join(BROWSERS)} is needed", returncode=3)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--disable-gpu", "--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Browser, book: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page of the edition by its address, once loaded; `width` in pixels, `theme` light or dark.

    `kept` is what the browser's local storage holds from an earlier visit.

    The page's `faults` list what its scripts and the browser complained of, and what could not be loaded.
    """
    contexts = []

    def open_page(
        address: str,
        *,
        width: int = WIDE,
        theme: str = "light",
        kept: Mapping[str, str] = MappingProxyType({}),
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, offline=True
        )
        contexts.append(context)
        context.add_init_script(f"Object.assign(localStorage, {json.dumps(dict(kept))})")
        page = context.new_page()
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(f"script: {error}"))
        page.on("console", lambda line: line.type == "error" and page.faults.append(line.text))
        page.on("requestfailed", lambda request: page.faults.append(f"not loaded: {request.url}"))
        page.on(
            "request",
            lambda request: request.url.startswith("http") and page.faults.append(f"remote: {request.url}"),
        )
        page.goto(f"{book.as_uri()}/{address}", wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()
