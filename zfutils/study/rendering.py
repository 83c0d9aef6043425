"""A Sphinx extension for what Jupyter Book and its theme leave undone (`_config.yml`).

A page is read without a network, by everyone: it loads no script for a remote kernel, names its controls by
the text they show, says how to cite it, and hands on the clean notebook that it was executed from. A figure
links to its picture at full size. Large pictures are stored as WebP, a tenth of their bytes as PNG; figures
in notebooks stay PNG, which every reader of notebooks shows.
"""

import re
from datetime import date
from html import escape
from pathlib import Path
from shutil import copyfile
from typing import Any

import yaml
from PIL import Image

from zfutils.study.places import BOOK, ROOT

HEAVY = 150_000  # bytes of a picture: a larger one is stored as WebP
QUALITY = 86  # of WebP: no difference is seen at twice the size
PICTURE = re.compile(r'<img\b[^>]*\bsrc="(_images/[^"]+)"[^>]*>')
CODE_OR_PERCENT = re.compile(r"<(pre|code|script|style)\b.*?</\1>|<[^>]*>|(?P<percent>(?<=\d) %)", re.DOTALL)
MENDED = {  # text in the theme's markup: what stands there instead
    # A label that hides the visible text is not what someone says who sees that text.
    '<summary aria-label="Toggle hidden content">': "<summary>",
    'title="Search" aria-label="Search" data-bs-placement': "data-bs-placement",
    ' data-mode="light" title="Light"': ' data-mode="light"',
    ' data-mode="dark"  title="Dark"': ' data-mode="dark"',
    ' data-mode="auto"  title="System Settings"': ' data-mode="auto"',
    # A list may hold nothing but its items, and docutils puts links back among the references.
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    ' role="doc-biblioentry"': "",
}


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx, after the extensions of Jupyter Book."""
    for listeners in list(app.events.listeners.values()):
        for one in list(listeners):
            if one.handler.__module__ == "sphinx_thebe":
                app.disconnect(one.id)
    app.registry.css_files[:] = [one for one in app.registry.css_files if "thebe" not in one[0]]
    app.connect("config-inited", _say_how_to_cite)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def citation(today: date) -> str:
    """Version, date, authors and how to cite, as HTML, from CITATION.cff."""
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    authors = " and ".join(author["name"] for author in about["authors"])
    built = f"{today.day} {today:%B %Y}"
    return (
        f"<p>Version {about['version']}, built on {built}. To cite: {escape(authors)} ({today.year}). "
        f"<cite>{escape(about['title'])}</cite>, version {about['version']}.</p>"
    )


def _say_how_to_cite(app: Any, config: Any) -> None:
    config.html_theme_options["extra_footer"] = citation(date.today())


def _finish(app: Any, error: Exception | None) -> None:
    """Mend the written pages, make their pictures smaller and links, and put clean notebooks beside them."""
    if error is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    changes = MENDED | smaller(folder / "_images")
    for page in folder.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        for old, new in changes.items():
            text = text.replace(old, new)
        text = PICTURE.sub(r'<a class="full-size" href="\1">\g<0></a>', text)
        page.write_text(unbroken(text), encoding="utf-8")
    for executed in folder.glob("_sources/*.ipynb"):
        if (source := BOOK / executed.name).is_file():
            copyfile(source, executed)


def unbroken(page: str) -> str:
    """A page's HTML with each percentage on one line, but for what is code."""
    return CODE_OR_PERCENT.sub(lambda found: "&nbsp;%" if found["percent"] else found[0], page)


def smaller(folder: Path) -> dict[str, str]:
    """Store the large PNG pictures of a folder as WebP; their old and new names with the folder's."""
    renamed = {}
    for picture in sorted(folder.glob("*.png")):
        if picture.stat().st_size > HEAVY:
            new = picture.with_suffix(".webp")
            Image.open(picture).convert("RGB").save(new, quality=QUALITY, method=3)
            picture.unlink()
            renamed[f"{folder.name}/{picture.name}"] = f"{folder.name}/{new.name}"
    return renamed
