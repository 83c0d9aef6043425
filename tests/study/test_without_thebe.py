"""Pages without a script for a remote kernel, rendered by Sphinx itself."""

import pytest
from sphinx.application import Sphinx

OURS = "zfutils.study.without_thebe"


@pytest.mark.parametrize(("extensions", "scripts"), [((), True), ((OURS,), False)])
def test_a_page_holds_no_script_of_thebe(tmp_path, extensions, scripts):
    source, html = tmp_path / "source", tmp_path / "html"
    source.mkdir()
    (source / "index.rst").write_text("Book\n====\n\nA page.\n")
    config = {"extensions": ["sphinx_thebe", *extensions]}
    app = Sphinx(
        source, None, html, tmp_path / "trees", "html", confoverrides=config, status=None, warning=None
    )
    app.build()
    page = (html / "index.html").read_text()
    assert "A page." in page
    assert ("THEBE_JS_URL" in page) == scripts
