"""An edition of one's own: what it holds, what it leaves out, and what is refused."""

import ast
import json
import re

import nbformat
import numpy as np
import pytest
from PIL import Image

from zfutils.data.downloads import MissingData
from zfutils.study import claims, left_out, own_edition
from zfutils.study.places import BOOK
from zfutils.study.profile import Profile
from zfutils.study.study import Study


@pytest.fixture
def profiles(tmp_path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "photos.yaml").write_text((BOOK / "profiles" / "photos.yaml").read_text())
    return folder


def pictures(folder, *, classes, each=10):
    """A folder of classes with random pictures."""
    draw = np.random.default_rng(0)
    for kind in range(classes):
        (folder / f"kind {kind}").mkdir(parents=True)
        for i in range(each):
            drawn = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(drawn).save(folder / f"kind {kind}" / f"{i}.png")
    return folder


@pytest.mark.parametrize(("name", "classes"), [("mine", 2), ('my "own": #1', 3), ("中文", 20)])
def test_a_folder_of_classes_becomes_an_edition_that_finds_its_pictures(
    profiles, tmp_path, name, classes, capsys
):
    folder = pictures(tmp_path / "somewhere" / name, classes=classes)
    path = own_edition.new("own", folder, profiles)
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in said] == [["train", "val"], *[["8", "2"]] * classes]
    study = Study(Profile.load(path), tmp_path / "build")
    assert (len(study.source("train")), len(study.source("validation"))) == (8 * classes, 2 * classes)
    assert len(study.small.source("train").classes) == classes


def test_its_budget_is_light_and_what_does_not_apply_is_taken_out(profiles, tmp_path):
    path = own_edition.new("own", pictures(tmp_path / "mine", classes=2), profiles)
    profile = Profile.load(path)
    assert profile.transfer is profile.small.depth is None
    assert {seed for run in profile.networks.values() for seed in run.seeds} == {0}
    assert len(profile.small.trained.networks) == 4
    assert profile.digits.images.source == "digits", "which come with the book"
    assert not profile.images.download
    assert path.read_text().count("# raise") == 4


@pytest.mark.parametrize(
    ("budget", "epochs", "snapshots", "short"),
    [
        (1600, 40, [0, 1, 2, 3, 5, 8, 12, 20, 30], 4),
        (160, 10, [0, 1, 2, 3, 5, 8], 1),
        (1, 5, [0, 1, 2, 3], 1),
    ],
)
def test_snapshots_and_short_trainings_go_with_the_epochs(
    profiles, tmp_path, monkeypatch, budget, epochs, snapshots, short
):
    monkeypatch.setattr(own_edition, "BUDGET", budget)  # of 16 pictures
    profile = Profile.load(own_edition.new("own", pictures(tmp_path / "mine", classes=2), profiles))
    for training in (profile.training, profile.networks["zfnet"].training):
        assert (training.epochs, list(training.snapshots)) == (epochs, snapshots)
    trials = {run.training.epochs for name, run in profile.networks.items() if name.startswith("trial-")}
    assert trials == {short}


def test_pictures_below_the_data_folder_are_named_without_it(profiles, tmp_path, monkeypatch):
    monkeypatch.setenv("ZFUTILS_DATA", str(tmp_path))
    path = own_edition.new("own", pictures(tmp_path / "mine", classes=2), profiles)
    assert Profile.load(path).images.folder is None
    assert str(tmp_path) not in path.read_text()


@pytest.mark.parametrize(
    ("name", "message"), [("photos", "already"), ("../x", "cannot be"), ("", "cannot be")]
)
def test_a_name_that_is_taken_or_no_name_is_refused(profiles, tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        own_edition.new(name, tmp_path, profiles)


def test_a_folder_that_holds_no_two_classes_is_refused_and_nothing_is_written(profiles, tmp_path):
    with pytest.raises(ValueError, match="has one class"):
        own_edition.new("own", pictures(tmp_path / "one", classes=1), profiles)
    with pytest.raises(MissingData, match="nowhere is not complete"):
        own_edition.new("own", tmp_path / "nowhere", profiles)
    assert [path.name for path in profiles.iterdir()] == ["photos.yaml"]


# ---- chapters that do not apply


def test_chapters_that_do_not_apply_are_left_out_of_own_editions_alone(profiles, tmp_path):
    own = own_edition.new("own", pictures(tmp_path / "mine", classes=2), profiles)
    pages = [page.stem for page in sorted(BOOK.glob("*.ipynb"))]
    assert [page for page in pages if left_out.reason(page, own)] == ["07_correspondence", "09_transfer"]
    for name in ("quick", "smoke", "photos"):
        assert not [page for page in pages if left_out.reason(page, BOOK / "profiles" / f"{name}.yaml")]


def test_a_page_that_is_left_out_says_why_and_its_claims_are_not_judged(tmp_path, monkeypatch):
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    output = tmp_path / "smoke" / "book" / "09_transfer.ipynb"
    left_out.leave_out(BOOK / "09_transfer.ipynb", output, "it has no target", {"edition": "smoke"})
    (cell,) = nbformat.read(output, as_version=4).cells
    assert cell.source == "# Transfer\n\nThe edition *smoke* leaves this chapter out: it has no target."
    paths = (tmp_path / "smoke" / "results" / "claims").glob("*.json")
    records = [json.loads(path.read_text()) for path in paths]
    assert {record["chapter"] for record in records} == {9}
    standing = claims.standing(Study.open("smoke", "09_transfer").claims).values()
    assert {record["claim"] for record in records} == {one.id for one in standing if one.chapter == 9}
    assert {record["estimate"] for record in records} == {None}
    assert all(record["reason"].endswith("it has no target") for record in records)


# ---- sections that do not apply

REFERENCE = re.compile(r"\{(?:numref|ref)\}`(?:[^`<]*<)?([\w-]+)>?`")


@pytest.mark.parametrize("page", sorted(path.stem for path in BOOK.glob("*.ipynb")))
def test_a_figure_that_is_referred_to_is_there_or_a_sentence_in_its_place(page):
    """A cell that shows nothing leaves a reference that leads nowhere, and the HTML is not made.

    Where a figure is shown on a condition, whatever refers to it is shown on the same one.
    """
    cells = nbformat.read(BOOK / f"{page}.ipynb", as_version=4).cells
    asked = {}
    for cell in cells:
        for name in REFERENCE.findall(cell.source):
            asked.setdefault(name, []).append(cell)
    for cell in cells:
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        if name in asked:
            last = ast.parse(cell.source).body[-1]
            assert isinstance(last, ast.Expr), f"{name}: its cell ends in no value"
            if isinstance(last.value, ast.IfExp) and ast.unparse(last.value.orelse) == "None":
                conditions = {_condition(other) for other in asked[name]}
                assert conditions == {ast.unparse(last.value.test)}, f"{name}: or nothing"


def _condition(cell):
    """The condition on which a code cell shows its value; None for a cell that has none."""
    last = ast.parse(cell.source).body[-1] if cell.cell_type == "code" else None
    value = getattr(last, "value", None)
    return ast.unparse(value.test) if isinstance(value, ast.IfExp) else None
