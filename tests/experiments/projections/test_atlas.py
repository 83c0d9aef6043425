"""The atlas: every map has its pictures and address, every link leads somewhere, nothing comes from afar."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from check_repository import remote
from PIL import Image
from small import CLASSES, SPEC, pictures, top_projections

from zfutils.data.inputs import Inputs
from zfutils.deconv.top_activations import top_activations
from zfutils.experiments.projections import atlas, selectivity
from zfutils.plotting import tiles

ABOUT = {"network": atlas.plates(SPEC), "pictures": pictures(9), "title": "t", "about": "a"}


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
        if tag not in ("meta", "link", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


SECOND = {"side": 75, "layer": "relu2"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two layers; map 11 of layer 1 never answers, map 9 once; random weights and two epochs of layer 1."""
    first = top_projections(3, side=7, numbers=[20, 11, 9])
    first.strongest.values[1] = 0
    first.strongest.values[2, 1:] = 0
    random = top_projections(3, side=7, numbers=[20, 11, 9])
    layers = {"relu1": first, "relu2": top_projections(2, **SECOND)}
    start = {"relu1": random, "relu2": top_projections(2, **SECOND)}
    table = pd.DataFrame({"selectivity": [0.5, np.nan, 1], "part": ["eye", None, "wheel"]})
    searched = replace(pictures(9), classes=("<wheel> & co", "eye", "<wheel> & co"))
    folder = tmp_path_factory.mktemp("pages") / "atlas"
    index = atlas.write_atlas(
        folder,
        layers,
        network=atlas.plates(SPEC),
        pictures=searched,
        title="Maps < & >",
        about="Searched in <1,000> pictures.",
        random={"relu1": random},
        epochs={4: layers, 0: start},
        traits={"relu1": table},
    )
    assert index == folder / "index.html"
    return folder, Page(index)


def data(folder: Path) -> dict:
    text = (folder / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text)[1])


def test_every_layer_has_its_section_and_every_map_its_address(written):
    _, page = written
    maps = ["layer-1-map-20", "layer-1-map-11", "layer-1-map-9", "layer-2-map-0", "layer-2-map-11"]
    assert [anchor for anchor in page.anchors if "-map-" in anchor] == maps
    assert {"layer-1", "layer-2"} <= set(page.anchors)
    assert page.open == []  # every tag is closed


def test_every_link_and_picture_leads_somewhere_and_the_network_drawn_to_its_layers(written):
    folder, page = written
    assert page.links[1] == "../03_projections.html"  # the built book's page; after the style sheet
    for link in page.links[:1] + page.links[2:] + [p["src"] for p in page.pictures if "src" in p]:
        file, _, anchor = link.partition("#")
        assert (folder / (file or "index.html")).is_file(), link
        assert not anchor or anchor in page.anchors, link
    assert {"#layer-1", "#layer-2"} <= set(page.links)
    assert "Layer 3" in page.text  # drawn, but no part of the atlas


def test_the_pictures_that_the_script_shows_are_there_and_no_others(written):
    folder, _ = written
    maps = data(folder)["maps"].values()
    named = {f"{one['folder']}-{what}.webp" for one in maps for what in one["pictures"]}
    assert named == {path.relative_to(folder).as_posix() for path in folder.rglob("*.webp")}
    assert len(named) == 2 * 4 + 2 + 2 * 3  # of the silent map: random weights and epochs


def test_nothing_is_loaded_from_elsewhere(written):
    folder, _ = written
    assert remote(folder) == []
    for name in ("index.html", "atlas.css", "atlas.js"):
        text = (folder / name).read_text(encoding="utf-8")
        assert not re.search(r"https?:|@import|url\(|fetch\(", text), name


def test_pictures_have_their_true_size_and_words_instead(written):
    folder, page = written
    shown = [picture for picture in page.pictures if "src" in picture]
    assert len(shown) == 4
    for picture in shown:
        with Image.open(folder / picture["src"]) as image:
            assert image.size == (int(picture["width"]), int(picture["height"]))
        assert re.match(r"strongest projection of layer [12], and its patch", picture["alt"])
        assert picture["loading"] == "lazy"


def test_small_windows_are_enlarged_by_a_whole_factor_and_lose_nothing(written):
    folder, _ = written
    top = top_projections(3, side=7)
    picture = np.asarray(Image.open(folder / "layer-1/map-20-nine.webp").convert("RGB"))
    colours, patches, _ = tiles.colours_and_mask(top, 0)
    assert (picture[:42:6, :42:6] == colours[0]).all()  # 7 px at six times their size: 40 at least
    below = picture[-(3 * 42 + 2 * 2) :]
    assert (below[:42:6, :42:6] == patches[0]).all()
    assert set(np.unique(picture[:12, 44:86])) == {tiles.OUTSIDE, tiles.HATCH}  # cut at the border


def test_the_strongest_pair_and_its_history_are_the_first_of_each_epoch(written):
    folder, _ = written
    top = top_projections(3, side=7)
    alone = tiles.eight_bits(tiles.shades(top.projections[0, :1], top.inside[0, :1]))[0]
    first = np.asarray(Image.open(folder / "layer-1/map-20-first.webp").convert("RGB"))
    assert (first[::6, :42:6] == alone).all()
    assert (first[::6, 42::6] == top.patches[0, 0]).all()
    epochs = np.asarray(Image.open(folder / "layer-1/map-20-epochs.webp").convert("RGB"))
    assert epochs.shape == (2 * 42, 2 * 42, 3)
    assert (epochs[42::6, 42::6] == top.patches[0, 0]).all()
    found = data(folder)
    assert found["epochs"] == [0, 4]
    assert found["maps"]["layer-1-map-11"]["history"] == [[9, "<wheel> & co"], [0, "<wheel> & co"]]


def test_a_map_that_never_answers_says_so_and_shows_nothing(written):
    folder, page = written
    assert "Map 11never answers" in page.text
    assert "3 maps, windows of 7×7 px; 1 never answers." in page.text
    assert not (folder / "layer-1/map-11-nine.webp").exists()


def test_captions_give_activations_and_classes_and_escape_what_they_are_given(written):
    folder, page = written
    text = page.text.replace("\u00a0", " ")
    assert "activation 9 to 1; 6 × <wheel> & co, 3 × eye; on the part eye" in text
    assert "activation 9 to 9, answers to 1 image only; <wheel> & co; on the part wheel" in text
    assert "Searched in <1,000> pictures." in text
    raw = (folder / "index.html").read_text(encoding="utf-8")
    assert "&lt;wheel&gt; &amp; co" in raw
    assert "<wheel>" not in raw


def test_maps_can_be_sorted_by_what_was_measured_of_them(written):
    folder, _ = written
    maps = data(folder)["maps"]
    assert maps["layer-1-map-20"]["traits"] == {"activation": 9, "selectivity": 0.5, "part": "eye"}
    assert maps["layer-1-map-11"]["traits"] == {"activation": 0}
    assert maps["layer-2-map-0"]["traits"] == {"activation": 9}


def test_traits_are_of_the_trained_network_in_the_order_of_its_maps():
    of_maps = selectivity.per_map(1, "trained", np.array([3, 5]), orientation=[0.2, 0.4], texture=[0, 0])
    others = selectivity.per_map(1, "random", np.array([3, 5]), orientation=[0.7, 0.8])
    energy = pd.DataFrame({"map": [5, 3], "part": ["eye", None], "score": [2.0, np.nan]})
    found = atlas.traits_of(pd.concat([of_maps, others]), {("trained", "relu1"): energy})
    assert found["relu1"]["orientation"].tolist() == [0.2, 0.4]
    assert found["relu1"]["part"].tolist()[1] == "eye"
    assert list(found["relu1"]) == ["orientation", "part", "energy on the part"]


def test_snapshots_are_spread_from_first_to_last_and_what_is_known_is_not_searched_again():
    torch.manual_seed(0)
    models = {epoch: SPEC.build().eval() for epoch in (0, 1, 2, 3, 5, 8, 13, 20, 30, 40, 50)}
    inputs, known = Inputs.of(pictures(12), side=32, scale=1 / 64), {0: {"relu1": top_projections(8)}}
    found = atlas.at_snapshots(models, inputs, known)
    assert list(found) == [0, 2, 5, 13, 30, 50]
    assert found[0] is known[0]
    again = top_activations(models[30], inputs, layers=["relu1"], k=1)["relu1"]
    assert torch.equal(found[30]["relu1"].strongest.values, again.values)


def test_classes_are_those_of_each_maps_own_pictures():
    top = top_projections(2, k=3)
    top.strongest.images[1] = torch.tensor([7, 2, 3])
    striped, level, disc = CLASSES
    assert atlas.classes_of({"relu1": top}, pictures(9)) == {
        "relu1": [[striped, level, disc], [level, disc, striped]]
    }


def test_an_older_atlas_is_replaced_and_nothing_is_left_beside(tmp_path):
    folder = tmp_path / "deep" / "atlas"
    atlas.write_atlas(
        folder, {"relu1": top_projections(2), "relu2": top_projections(2, layer="relu2")}, **ABOUT
    )
    atlas.write_atlas(folder, {"relu1": top_projections(1)}, **ABOUT)
    assert {path.name for path in folder.iterdir()} == {"atlas.css", "atlas.js", "index.html", "layer-1"}
    assert {path.name for path in (folder / "layer-1").iterdir()} == {"map-0-first.webp", "map-0-nine.webp"}
    assert list(folder.parent.iterdir()) == [folder]


def test_a_failure_leaves_the_older_atlas_as_it_was(tmp_path):
    index = atlas.write_atlas(tmp_path / "atlas", {"relu1": top_projections(1)}, **ABOUT)
    before = index.read_bytes()
    with pytest.raises(IndexError):  # images that the set lacks, found out after pictures are drawn
        atlas.write_atlas(
            index.parent,
            {"relu1": top_projections(2), "relu2": top_projections(2, k=12, layer="relu2")},
            **ABOUT,
        )
    assert index.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["atlas"]


def test_a_folder_that_is_no_atlas_is_left_alone(tmp_path):
    (tmp_path / "index.html").write_text("<p>a page of one's own</p>")
    with pytest.raises(FileExistsError, match="holds something that is no atlas"):
        atlas.write_atlas(tmp_path, {"relu1": top_projections(1)}, **ABOUT)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_layers_that_would_share_a_section_and_layers_without_maps_are_refused(tmp_path):
    two = {"relu1": top_projections(2), "conv1": top_projections()}
    with pytest.raises(ValueError, match="layers relu1, conv1 would share a section"):
        atlas.write_atlas(tmp_path / "a", two, **ABOUT)
    nothing = top_projections().of(torch.tensor([], dtype=torch.int64))
    with pytest.raises(ValueError, match="0 maps"):
        atlas.write_atlas(tmp_path / "a", {"relu1": nothing}, **ABOUT)
    assert list(tmp_path.iterdir()) == []
