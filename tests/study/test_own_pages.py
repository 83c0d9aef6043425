"""Pages run on an edition of one's own with two classes, whose names are as odd as names can be.

The edition is what `python -m zfutils new` writes, made as small as the smoke edition; one process runs all
pages that show its pictures or its classes, or read what those recorded. The others are the same in every
edition.
"""

import numpy as np
import pytest
import yaml
from PIL import Image
from test_book import pages, run

from zfutils.data.parts import PartsImages
from zfutils.study import edition, left_out, own_edition
from zfutils.study.places import BOOK
from zfutils.study.study import Study

pytestmark = pytest.mark.slow
KINDS = ("a$b$c `d`", "<5mm & |R|")
EACH = 60
TWO = {"epochs": 2}
THE_SAME = ("10_lenet", "11_maximisation", "13_diagnosis", "14_trial")  # digits, or the maps of one network
WITHOUT_IT = ("deviations", "related", "size", "speed", "your_network")  # nothing that the edition trains


def small(path):
    """Make an edition small: tiny networks, two epochs."""
    made = yaml.safe_load(path.read_text(encoding="utf-8"))
    made["images"] |= {"size": 104, "crop": 96}
    made["network"] = {"width": 0.084, "fc_width": 0.01}
    made["training"] |= TWO | {"snapshots": [0, 1]}
    for name, run_of in made["networks"].items():
        run_of["training"] = {
            "epochs": 1 if name.startswith("trial") else 2,
            "snapshots": [0, 1],
            "may_die": True,
        }
    made["networks"]["evolution"]["network"] = made["network"]
    made["small"]["images"] |= {"size": 104, "crop": 96}
    made["small"] |= {"network": {"width": 0.084, "fc_width": 0.005}, "training": TWO | {"may_die": True}}
    made |= {"digits": None, "pictures": {"invariance": 16, "occlusion": 8}, "speed_seconds": 0.2}
    path.write_text(yaml.safe_dump(made, allow_unicode=True), encoding="utf-8")


@pytest.fixture(scope="module")
def own(tmp_path_factory, patch):
    """The edition's file."""
    book, photographs = tmp_path_factory.mktemp("book"), tmp_path_factory.mktemp("data") / "my pictures"
    (book / "profiles").mkdir()
    (book / "profiles" / "photos.yaml").symlink_to(BOOK / "profiles" / "photos.yaml")
    (book / "data").symlink_to(BOOK / "data")
    drawn = PartsImages("train", n=42 * EACH, size=104, field=104 / 96)
    for label, kind in enumerate(KINDS):
        (photographs / kind).mkdir(parents=True)
        for index in np.flatnonzero(drawn.labels == 7 * label):
            Image.fromarray(drawn[int(index)]).save(photographs / kind / f"{index}.png")
    (photographs / KINDS[0] / "<b>bad.png").touch()
    path = own_edition.new("own", photographs, book / "profiles")
    small(path)
    patch.setattr(edition, "BOOK", book)
    patch.setenv("ZFUTILS_BUILD", str(tmp_path_factory.mktemp("build")))
    return path


def left(page, why):
    """Write the sentence in a page's place, and the records of its claims."""
    output = Study.open("own").folder / "book" / f"{page}.ipynb"
    left_out.leave_out(BOOK / f"{page}.ipynb", output, why, {"edition": "own"})


@pytest.mark.parametrize("page", [page for page in pages() if page not in WITHOUT_IT])
def test_a_page_runs_or_says_why_it_does_not_apply(own, page, monkeypatch):
    same = "it is the same in every edition" if page in THE_SAME else None
    if why := left_out.reason(page, own) or same:
        left(page, why)
        return
    shown = [value for value in run(page, {"edition": "own"}, monkeypatch) if value is not None]
    html = "".join(value._repr_html_() or "" for value in shown if hasattr(value, "_repr_html_"))
    assert "<5mm" not in html
    assert "<b>bad" not in html
    if page == "provenance":
        assert "&lt;b&gt;bad.png: it is empty" in html


def test_no_claim_is_judged_that_needs_what_the_edition_lacks(own):
    for page in ("07_correspondence", "09_transfer"):
        left(page, left_out.reason(page, own))
    records = Study.open("own").records([7, 9])
    assert set(records["this_verdict"].dropna()) == {"not testable at this scale"}
