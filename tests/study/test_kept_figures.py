"""Figures of the published run: kept by a page, published, and shown by the same page of any edition."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from zfutils.plotting.style import bare, new
from zfutils.study import kept_figures
from zfutils.study.places import BOOK
from zfutils.study.study import Study

PAGE = "03_projections"


@pytest.fixture
def reference(tmp_path, monkeypatch):
    """Nothing is published, and the working copy is a commit."""
    monkeypatch.setattr(kept_figures, "FOLDER", tmp_path / "figures")
    monkeypatch.setattr(kept_figures, "commit", lambda: "abc")
    return tmp_path / "figures"


@pytest.fixture
def page(tmp_path):
    """The page of an edition of photographs in a build folder of its own, with parameters."""
    smoke = Study.open("smoke").profile
    images = smoke.images.model_copy(update={"source": "photos", "sets": ("apples", "pears")})

    of_photographs = smoke.model_copy(update={"images": images})

    def opened(profile=of_photographs, **given):
        return replace(Study.open("smoke", PAGE, **given), folder=tmp_path / "build", profile=profile)

    return opened


def drawn(level=0.5):
    figure = new(width=2, height=1)
    bare(figure.subplots()).imshow(np.full((4, 8), level), vmin=0, vmax=1)
    return figure


def keep(study, name="one", **how):
    figure = drawn(**how)
    assert kept_figures.keep(study, name, figure, n=1234, of="validation photographs") is figure


def test_a_figure_that_a_page_kept_is_shown_once_it_is_published(page, reference):
    assert kept_figures.shown(PAGE, "one") is None
    assert kept_figures.origin(PAGE, "one", "quick") == ""
    assert (
        "no such figure" in kept_figures.introduced(PAGE, "one", "quick", "See the figure.")._repr_markdown_()
    )
    keep(page())
    (path,) = kept_figures.publish(page())
    assert path == reference / f"{PAGE}-one.png"
    found = kept_figures.shown(PAGE, "one")
    assert found._repr_png_() == path.read_bytes()
    assert kept_figures.introduced(PAGE, "one", "quick", "See.").text == "See."
    assert kept_figures.origin(PAGE, "one", "quick") == (
        "Made from: apples and pears, 1,234 validation photographs, seed 0."
    )
    assert "further up" in kept_figures.origin(PAGE, "one", "smoke"), "the page is of the same edition"
    with Image.open(path) as opened:
        assert opened.mode == "P", "a palette takes a third of the room"


def test_of_several_networks_no_single_seed_is_named(page, reference):
    kept_figures.keep(page(), "one", drawn(), n=5, of="networks")
    kept_figures.publish(page())
    assert (
        kept_figures.origin(PAGE, "one", "quick")
        == "Made from: apples and pears, 5 networks, of several seeds."
    )


def test_of_networks_from_one_seed_it_is_named(page, reference):
    kept_figures.keep(page(), "one", drawn(), n=4, of="networks", seeds={3})
    kept_figures.keep(page(), "two", drawn(), n=4, of="networks", seeds={1, 0})
    kept_figures.publish(page())
    assert kept_figures.origin(PAGE, "one", "quick").endswith(" 4 networks, seed 3.")
    assert kept_figures.origin(PAGE, "two", "quick").endswith(" 4 networks, of several seeds.")


def test_of_a_trial_and_of_drawn_pictures_nothing_is_kept(page, reference):
    keep(page(seed=1))
    keep(page(Study.open("smoke").profile))
    assert kept_figures.publish(page()) == []


def test_what_other_pages_published_stays_and_what_is_kept_anew_replaces_its_own(page, reference):
    keep(page())
    keep(page(), "other")
    kept_figures.publish(page())
    other = (reference / f"{PAGE}-other.png").read_bytes()
    before = (reference / f"{PAGE}-one.png").read_bytes()
    for path in (page().folder / "results" / "figures").glob("*other*"):
        path.unlink()
    keep(page(), level=0.9)
    kept_figures.publish(page())
    assert (reference / f"{PAGE}-other.png").read_bytes() == other
    assert (reference / f"{PAGE}-one.png").read_bytes() != before


def test_figures_of_a_changed_working_copy_and_too_many_are_refused(page, reference, monkeypatch):
    keep(page())
    monkeypatch.setattr(kept_figures, "LARGEST", 100)
    with pytest.raises(ValueError, match="MB"):
        kept_figures.publish(page())
    monkeypatch.undo()
    monkeypatch.setattr(kept_figures, "FOLDER", reference)
    about = page().folder / "results" / "figures" / f"{PAGE}-one.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "commit": "abc+"}))
    with pytest.raises(ValueError, match=r"abc\+"):
        kept_figures.publish(page())
    assert not reference.exists()


def test_the_published_figures_are_small_and_say_where_they_come_from():
    there = sorted(kept_figures.FOLDER.glob("*.png"))
    assert sum(path.stat().st_size for path in there) < kept_figures.LARGEST
    for path in there:
        page, name = path.stem.split("-", 1)
        assert kept_figures.origin(page, name, "quick").count(",") >= 2


def test_a_figure_that_a_page_speaks_of_is_published_or_introduced_only_where_it_is():
    pages = {path.stem: path.read_text() for path in BOOK.glob("[0-9][0-9]_*.ipynb")}
    called = re.compile(r'kept_figures\.shown\(\\"(\w+)\\", \\"([\w-]+)\\"')
    shown = [(page, *found) for page, text in pages.items() for found in called.findall(text)]
    assert len(shown) >= 10
    for page, of, name in shown:
        assert page == of
        waits = "kept_figures.introduced(" in pages[page]
        assert waits or (kept_figures.FOLDER / f"{page}-{name}.png").is_file()
