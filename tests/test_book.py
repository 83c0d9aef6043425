"""Every page of the book runs on the smoke edition, and once more as a trial with all parameters changed.

With several processes, pages run side by side.
"""

import ast
import json
import os
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from PIL import Image

from zfutils.look.networks import load
from zfutils.runtime import notebooks
from zfutils.study.claims import standing
from zfutils.study.parameters import PAGES
from zfutils.study.places import BOOK, executed_path
from zfutils.study.study import Study


def pages() -> list[str]:
    """The book's notebooks in the order of its contents, so that the pages that read results come last."""
    listed = re.findall(r"file: *(\S+)", (BOOK / "_toc.yml").read_text())
    there = {path.stem for path in BOOK.glob("*.ipynb")}
    return [page for page in listed if page in there] + sorted(there - set(listed))


# Of every parameter of a page, another value than its default; `image` names a picture that the test draws.
TRIALS: dict[str, dict[str, Any]] = {page: {"seed": 1} for page in PAGES} | {
    "03_projections": {"seed": 1, "image": "own.png", "layer": "relu3"},
    "05_invariance": {"seed": 1, "pictures": 8},
    "06_occlusion": {
        "seed": 1,
        "image": "own.png",
        "pictures": 8,
        "patch": 24,
        "fill": "noise",
        "layer": "relu4",
    },
    "07_correspondence": {"seed": 1, "places": 6},
    "your_network": {
        "seed": 1,
        "model": "torchvision:squeezenet1_1",
        "weights": "weights.pt",
        "images": "pictures",
        "layers": "features.3.cat,features.7.cat",
    },
}
CHAPTERS = [page for page in PAGES if page[0].isdigit()]


@pytest.fixture
def together(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build folder for the pages of all processes: they load what others trained and read their results."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "pages"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("ZFUTILS_BUILD", os.fspath(folder))
    return folder


@pytest.mark.parametrize("page", pages())
def test_a_page_of_the_book_runs_on_the_smoke_edition(page, together, kernels, request):
    source = BOOK / f"{page}.ipynb"
    copy = executed_path(source, "smoke")
    if not page[0].isdigit():  # it reads what the pages before it recorded, in whichever process
        listed = pages()
        wait_for_pages(listed[: listed.index(page)], together, request)
    try:
        notebooks.execute(source, copy, {"edition": "smoke"}, command=kernels)
    finally:
        (together / f"{page}.ended").touch()
    assert copy.stat().st_size > source.stat().st_size
    assert copy.is_relative_to(together)


@pytest.mark.slow
@pytest.mark.parametrize("page", CHAPTERS)
def test_a_trial_of_a_page_keeps_its_records_apart(page, together, tmp_path, request, monkeypatch):
    wait_for_pages([page], together, request)
    results, parameters = together / "smoke" / "results", dict(TRIALS[page])
    official = recorded_officially(page)
    if "image" in parameters:
        parameters["image"] = str(drawn(tmp_path / parameters["image"]))
    shown = run(page, {"edition": "smoke"} | parameters, monkeypatch)

    assert recorded(results / "claims", chapter=int(page[:2])) == official
    (folder,) = results.glob(f"trials/{page}-*/claims")
    trial = {name: json.loads(text) for name, text in recorded(folder).items()}
    assert trial
    assert set(trial) <= set(official)
    for record in trial.values():
        assert (record["official"], record["parameters"], record["seed"]) == (False, parameters, 1)
    top = next(value for value in shown if value is not None)._repr_markdown_()
    assert top.startswith("*This is a trial with `seed = 1`")
    assert all(f"`{name} = {value!r}`" in top for name, value in parameters.items())
    assert "Its records are kept apart; the scoreboard does not show them." in top


@pytest.mark.slow
def test_a_network_and_pictures_of_ones_own_are_a_trial_of_their_page(together, tmp_path, monkeypatch):
    own = TRIALS["your_network"]
    (tmp_path / "pictures").mkdir()
    for i in range(3):
        drawn(tmp_path / "pictures" / f"{i}.png")
    torch.save(load(own["model"], seed=3).model.state_dict(), tmp_path / "weights.pt")
    places = {name: str(tmp_path / own[name]) for name in ("weights", "images")}
    shown = run("your_network", {"edition": "smoke"} | own | places, monkeypatch)
    assert shown[0]._repr_markdown_().startswith("*This is a trial")
    (index,) = together.glob("smoke/results/trials/your_network-*/look/index.html")
    assert "weights of weights.pt" in index.read_text()


def run(page: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Run a page's cells in this process; what they would show.

    Half the work of executing it: no kernel that imports everything again, and figures that nobody draws.
    """
    code = [c for c in nbformat.read(BOOK / f"{page}.ipynb", as_version=4).cells if c.cell_type == "code"]
    module, shown = ModuleType("page"), []
    module.display = shown.append
    monkeypatch.setitem(sys.modules, "page", module)
    monkeypatch.chdir(BOOK)
    with matplotlib.rc_context():
        for number, cell in enumerate(code):
            tree = ast.parse(cell.source)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, f"{page}, code cell {number + 1}", "exec"), vars(module))
            if "parameters" in cell.metadata.get("tags", []):
                assert set(parameters) <= set(vars(module))
                vars(module).update(parameters)
            if last:
                shown.append(eval(compile(ast.Expression(last.value), page, "eval"), vars(module)))
    plt.close("all")
    return shown


def recorded_officially(page: str) -> dict[str, bytes]:
    """Records of the claims that stand in a chapter: those of its page, else some without numbers."""
    study, chapter = Study.open("smoke", page), int(page[:2])
    folder = study.folder / "results" / "claims"
    for claim in standing(study.claims).values():
        if claim.chapter == chapter and not (folder / f"{claim.id}.json").is_file():
            with study.claim(claim.id) as record:
                record.measured(None, otherwise="not asked here")
    return recorded(folder, chapter=chapter)


def recorded(folder: Path, *, chapter: int | None = None) -> dict[str, bytes]:
    """The records of claims in a folder, as they are written, of one chapter or of all."""
    found = {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    return {n: text for n, text in found.items() if chapter in (None, json.loads(text)["chapter"])}


def drawn(path: Path) -> Path:
    """A picture file with a red disc on a grey ground."""
    image = Image.new("RGB", (120, 90), (120, 130, 140))
    image.paste((200, 40, 30), (40, 20, 90, 70))
    image.save(path)
    return path


def wait_for_pages(names: Iterable[str], folder: Path, request: pytest.FixtureRequest) -> None:
    """Wait until the pages have ended that are tested in this session too, in whichever process."""
    run = test_a_page_of_the_book_runs_on_the_smoke_edition.__name__
    tested = {item.callspec.params["page"] for item in request.session.items if item.originalname == run}
    wait_for(folder / f"{name}.ended" for name in names if name in tested)


def wait_for(files: Iterable[Path], *, seconds: int = 600) -> None:
    """Wait until the files are there; a process that died leaves none."""
    for file in files:
        for _ in range(10 * seconds):
            if file.exists():
                break
            time.sleep(0.1)
        assert file.exists(), f"no {file.name} after {seconds} s"


# ---- parameters


def test_every_chapter_has_its_parameters_and_every_parameter_is_tried():
    assert [page for page in pages() if page[0].isdigit()] == CHAPTERS
    for page, kind in PAGES.items():
        tried = kind.model_validate(TRIALS[page])
        assert {name for name, value in tried if value != getattr(kind(), name)} == set(kind.model_fields)


def type_of(annotation: Any) -> str:
    """What a page's first cell calls a type: of a few allowed texts, that it is a text."""
    literal = get_origin(annotation) is Literal
    return type(get_args(annotation)[0]).__name__ if literal else annotation.__name__


@pytest.mark.parametrize("page", pages())
def test_a_page_declares_the_parameters_that_the_study_knows_with_the_same_defaults(page):
    """Otherwise a run of JupyterLab with an edited default would be taken for the official one."""
    code = next(c for c in nbformat.read(BOOK / f"{page}.ipynb", as_version=4).cells if c.cell_type == "code")
    assert "parameters" in code.metadata.tags
    declared = {
        line.target.id: (ast.unparse(line.annotation), ast.literal_eval(line.value))
        for line in ast.parse(code.source).body
    }
    fields = PAGES[page].model_fields if page in PAGES else {}
    expected = {name: (type_of(field.annotation), field.default) for name, field in fields.items()}
    assert declared == {"edition": ("str", "quick")} | expected
    assert all("  # " in line for line in code.source.splitlines()), "a parameter has no comment"


@pytest.mark.parametrize("page", pages())
def test_a_cell_does_one_thing_in_at_most_15_lines_of_code(page):
    for cell in nbformat.read(BOOK / f"{page}.ipynb", as_version=4).cells:
        lines = [line.strip() for line in cell.source.splitlines()] if cell.cell_type == "code" else []
        assert len([line for line in lines if line and not line.startswith("#")]) <= 15, cell.source


@pytest.mark.parametrize(
    ("page", "given", "message"),
    [
        (
            "06_occlusion",
            {"fill": "pink"},
            "fill is 'pink': Input should be 'grey', 'black', 'noise' or 'blurred'",
        ),
        ("06_occlusion", {"layer": "conv9"}, "layer is 'conv9'; it must be one of relu1, .*, relu7"),
        ("03_projections", {"layer": "fc8"}, "layer is 'fc8'; it must be one of relu1, .*, relu7"),
        ("06_occlusion", {"patch": 1000}, "patch is 1000 px; the pictures have 96 px"),
        ("06_occlusion", {"pictures": -1}, "pictures is -1: Input should be greater than or equal to 0"),
        ("03_projections", {"image": "nowhere.png"}, "image is '/.*/nowhere.png', which is no file"),
        ("your_network", {"weights": "w.pt"}, "weights is '/.*/w.pt', which is no file, nor DEFAULT"),
        ("your_network", {"images": "nowhere"}, "images is '/.*/nowhere', which is no folder"),
        ("07_correspondence", {"places": 0}, "places is 0: Input should be greater than or equal to 2"),
        ("01_architecture", {"seed": -1}, "seed is -1: Input should be greater than or equal to 0"),
        ("01_architecture", {"seed": "two"}, "seed is 'two': Input should be a valid integer"),
        ("04_evolution", {"epochs": 3}, "there is no parameter 'epochs'; there are seed"),
        ("10_nothing", {}, "there is no page '10_nothing'; there are 01_architecture, "),
    ],
)
def test_a_wrong_value_is_refused_when_the_study_is_opened(page, given, message):
    with pytest.raises(ValueError, match=message):
        Study.open("smoke", page, **given)
