"""The atlas: every map has its picture and its place, every link leads somewhere, nothing comes from afar."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from check_repository import remote
from PIL import Image
from small import CLASSES, pictures, top_projections

from zfutils.experiments.projections import atlas
from zfutils.plotting import tiles


class Page(HTMLParser):
    """A page's links, anchors, pictures and text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links, self.anchors, self.pictures, self.text, self.open = [], [], [], "", []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in ("a", "link"):
            self.links.append(values["href"])
        if tag == "img":
            self.pictures.append(values)
        if "id" in values:
            self.anchors.append(values["id"])
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two layers, the first also with random weights; map 11 of layer 1 never answers, map 9 once."""
    first, second = (
        top_projections(3, side=7, numbers=[20, 11, 9]),
        top_projections(2, side=75, layer="relu2"),
    )
    first.strongest.values[1] = 0
    first.strongest.values[2, 1:] = 0
    classes = {"relu1": [["<wheel> & co"] * 5 + ["eye"] * 4, ["eye"] * 9, ["eye"] * 9]}
    folder = tmp_path_factory.mktemp("pages") / "atlas"
    index = atlas.write_atlas(
        folder,
        {"relu1": first, "relu2": second},
        title="Maps < & >",
        about="Searched in <1,000> pictures.",
        random={"relu1": top_projections(2)},
        classes=classes,
    )
    assert index == folder / "index.html"
    return folder, {path.name: Page(path) for path in folder.glob("*.html")}


def test_every_layer_has_its_page_and_every_map_its_place_in_order(written):
    _, pages = written
    assert set(pages) == {"index.html", "layer-1.html", "layer-2.html", "layer-1-random.html"}
    assert pages["layer-1.html"].anchors == ["map-9", "map-11", "map-20"]
    assert pages["layer-2.html"].anchors == ["map-0", "map-11"]
    assert all(page.open == [] for page in pages.values())  # every tag is closed


def test_every_link_and_picture_leads_somewhere(written):
    folder, pages = written
    for name, page in pages.items():
        for link in page.links + [picture["src"] for picture in page.pictures]:
            file, _, anchor = link.partition("#")
            assert (folder / (file or name)).is_file(), link
            assert not anchor or anchor in pages[file or name].anchors, link
    linked = {link for page in pages.values() for link in page.links}
    assert {p.name for p in folder.glob("*.html")} <= linked
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*.webp")} <= linked


def test_nothing_is_loaded_from_elsewhere_and_no_script_runs(written):
    folder, _ = written
    assert remote(folder) == []
    for path in (*folder.glob("*.html"), folder / "atlas.css"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?:|//|<script|@import|url\(", text), path


def test_pictures_have_their_true_size_and_words_instead(written):
    folder, pages = written
    for page in pages.values():
        for picture in page.pictures:
            with Image.open(folder / picture["src"]) as image:
                assert image.size == (int(picture["width"]), int(picture["height"]))
            assert re.match(r"Map \d+ of layer [12]: projections", picture["alt"])
            assert picture["loading"] == "lazy"


def test_small_windows_are_enlarged_by_a_whole_factor_and_lose_nothing(written):
    folder, _ = written
    top = top_projections(3, side=7)
    picture = np.asarray(Image.open(folder / "layer-1/map-20.webp").convert("RGB"))
    colours, patches, _ = tiles.colours_and_mask(top, 0)
    assert (picture[:42:6, :42:6] == colours[0]).all()  # 7 px at six times their size: 40 at least
    width = 3 * 42 + 2 * 2
    right = picture[:, -width:]
    assert (right[:42:6, :42:6] == patches[0]).all()
    assert set(np.unique(picture[:12, 44:86])) == {tiles.OUTSIDE, tiles.HATCH}  # cut at the border


def test_a_map_that_never_answers_says_so_and_has_no_picture(written):
    folder, pages = written
    page = pages["layer-1.html"]
    assert "Map 11 never answers" in page.text
    assert "3 maps, windows of 7×7 px; 1 never answers." in page.text
    assert [Path(picture["src"]).stem for picture in page.pictures] == ["map-9", "map-20"]
    assert not (folder / "layer-1/map-11.webp").exists()


def test_captions_give_activations_and_classes_and_escape_what_they_are_given(written):
    folder, pages = written
    text = pages["layer-1.html"].text.replace("\u00a0", " ")
    assert "Map 20 activation 9 to 1; 5 × <wheel> & co, 4 × eye" in text
    assert "Map 9 activation 9 to 9, answers to 1 picture only; eye" in text
    assert "Searched in <1,000> pictures." in pages["index.html"].text
    raw = (folder / "layer-1.html").read_text(encoding="utf-8")
    assert "&lt;wheel&gt; &amp; co" in raw
    assert "<wheel>" not in raw


def test_classes_are_those_of_each_maps_own_pictures():
    top = top_projections(2, k=3)
    top.strongest.images[1] = torch.tensor([7, 2, 3])
    striped, level, disc = CLASSES
    assert atlas.classes_of({"relu1": top}, pictures(9)) == {
        "relu1": [[striped, level, disc], [level, disc, striped]]
    }


def test_pages_lead_to_their_layer_with_random_weights_and_back(written):
    _, pages = written
    assert "layer-1-random.html" in pages["layer-1.html"].links
    assert "layer-1.html" in pages["layer-1-random.html"].links
    assert "Layer 1, random weights" in pages["layer-1-random.html"].text
    assert not any("random" in link for link in pages["layer-2.html"].links)


def test_an_older_atlas_is_replaced_and_nothing_is_left_beside(tmp_path):
    folder = tmp_path / "deep" / "atlas"
    about = {"title": "t", "about": "a"}
    atlas.write_atlas(
        folder, {"relu1": top_projections(2), "relu2": top_projections(2, layer="relu2")}, **about
    )
    atlas.write_atlas(folder, {"relu1": top_projections(1)}, **about)
    assert sorted(path.name for path in folder.iterdir()) == [
        "atlas.css", "index.html", "layer-1", "layer-1.html"]  # fmt: skip
    assert [path.name for path in (folder / "layer-1").iterdir()] == ["map-0.webp"]
    assert list(folder.parent.iterdir()) == [folder]


def test_a_failure_leaves_the_older_atlas_as_it_was(tmp_path):
    about = {"title": "t", "about": "a"}
    index = atlas.write_atlas(tmp_path / "atlas", {"relu1": top_projections(1)}, **about)
    before = index.read_bytes()
    with pytest.raises(TypeError):  # classes that are no words, found out after the pictures are drawn
        atlas.write_atlas(
            index.parent, {"relu1": top_projections(2)}, classes={"relu1": [[1, 2], [3, 4]]}, **about
        )
    assert index.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["atlas"]


def test_a_folder_that_is_no_atlas_is_left_alone(tmp_path):
    (tmp_path / "index.html").write_text("<p>a page of one's own</p>")
    with pytest.raises(FileExistsError, match="holds something that is no atlas"):
        atlas.write_atlas(tmp_path, {"relu1": top_projections(1)}, title="t", about="a")
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_wrong_layers_and_classes_are_refused_by_name(tmp_path):
    one, about = {"relu1": top_projections(2)}, {"title": "t", "about": "a"}
    with pytest.raises(ValueError, match="needs at least one layer"):
        atlas.write_atlas(tmp_path / "a", {}, **about)
    with pytest.raises(ValueError, match="'relu9' is not among the atlas's layers: relu1"):
        atlas.write_atlas(tmp_path / "a", one, random={"relu9": top_projections()}, **about)
    with pytest.raises(ValueError, match="relu1 has 2 maps, classes were given for 1"):
        atlas.write_atlas(tmp_path / "a", one, classes={"relu1": [["eye"] * 9]}, **about)
    with pytest.raises(ValueError, match="layers relu1, conv1 would share a page"):
        atlas.write_atlas(tmp_path / "a", one | {"conv1": top_projections()}, **about)
    nothing = top_projections().of(torch.tensor([], dtype=torch.int64))
    with pytest.raises(ValueError, match="0 maps"):
        atlas.write_atlas(tmp_path / "a", {"relu1": nothing}, **about)
    assert list(tmp_path.iterdir()) == []
