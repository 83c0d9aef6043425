"""Pages as the extension leaves them, rendered by Sphinx itself."""

from datetime import date

import numpy as np
import pytest
from PIL import Image
from sphinx.application import Sphinx

from zfutils.study import rendering

OURS = rendering.__name__
PAGE = """
Book
====

A page on :cite:`one`.

.. image:: noise.png

.. image:: white.png

.. raw:: html

   <details><summary aria-label="Toggle hidden content">Show code</summary></details>

.. [one] A reference.
"""


def rendered(folder, extensions):
    """The only page of a book, built with these extensions."""
    source, html = folder / "source", folder / "html"
    source.mkdir()
    (source / "index.rst").write_text(PAGE.replace(":cite:`one`", "[one]_"))
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(source / "noise.png")
    Image.new("RGB", (300, 300), "white").save(source / "white.png")
    config = {"extensions": ["sphinx_thebe", *extensions]}
    app = Sphinx(
        source, None, html, folder / "trees", "html", confoverrides=config, status=None, warning=None
    )
    app.build()
    return (html / "index.html").read_text()


@pytest.mark.parametrize(("extensions", "there"), [((), True), ((OURS,), False)])
def test_a_page_holds_nothing_of_thebe_and_no_label_that_hides_its_text(tmp_path, extensions, there):
    page = rendered(tmp_path, extensions)
    assert "A page on" in page
    for part in ("THEBE_JS_URL", "sphinx-thebe.css", "Toggle hidden content", 'role="list"'):
        assert (part in page) == there, part


def test_a_large_picture_becomes_smaller_and_looks_the_same_and_a_small_one_stays(tmp_path):
    page = rendered(tmp_path, [OURS])
    assert "_images/white.png" in page
    there = tmp_path / "html" / "_images"
    assert sorted(path.name for path in there.iterdir()) == ["noise.webp", "white.png"]
    grey = np.tile(np.arange(0, 256, dtype=np.uint8), (256, 1))
    smooth = Image.fromarray(np.stack([grey, grey.T, grey], axis=2)).resize((1500, 1500))
    (tmp_path / "more").mkdir()
    smooth.save(tmp_path / "more" / "smooth.png", compress_level=0)
    assert rendering.smaller(tmp_path / "more") == {"more/smooth.png": "more/smooth.webp"}
    seen = np.asarray(Image.open(tmp_path / "more" / "smooth.webp").convert("RGB"), float)
    assert np.abs(seen - np.asarray(smooth, float)).max() <= 8


def test_a_picture_links_to_itself_at_full_size(tmp_path):
    assert '<a class="full-size" href="_images/noise.webp"><img ' in rendered(tmp_path, [OURS])


def test_every_page_says_how_to_cite_it():
    text = rendering.citation(date(2026, 3, 1))
    assert "Version 0.1.0, built on 1 March 2026" in text
    assert "The zfutils authors (2026)" in text


def test_a_percentage_stands_on_one_line_but_in_code():
    page = '<p title="5 %">95 % of <b>5</b> % and <code>print("5 %")</code>, <pre>5 %</pre> 4 %</p>'
    mended = (
        '<p title="5 %">95&nbsp;% of <b>5</b> % and <code>print("5 %")</code>, <pre>5 %</pre> 4&nbsp;%</p>'
    )
    assert rendering.unbroken(page) == mended
