"""A look into a network: pages are whole, links lead somewhere, what cannot be done is refused first."""

import re
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from check_repository import remote
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import get_model_weights

from zfutils.__main__ import main
from zfutils.look.networks import load

SOURCE = """
import torch
from torch import nn
from zfutils import Preprocessing

class Net(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        self.a = nn.Conv2d(channels, 6, 3, 2, 1)
        self.b = nn.Conv2d(6, 6, 3, padding=1)
        self.relu, self.pool, self.fc = nn.ReLU(), nn.MaxPool2d(2), nn.Linear(6, 4)

    def forward(self, x):
        x = self.relu(self.a(x))
        x = self.pool(self.relu(self.b(x) + x))
        return self.fc(x.mean((2, 3)))

class Published:
    model = Net()
    preprocessing = Preprocessing(24, mean=0.5, std=0.5)
    classes = ("tench", "<b>", "dog & cat", "kite")

net = Net().eval()
grey = Net(1)
unreadable = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.Conv2d(4, 4, 3))
number = 3

def made():
    return Published()

def needs(what):
    return what
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the user stands: a module, a folder of pictures, weights."""
    folder = tmp_path_factory.mktemp("a place")
    (folder / "own_networks.py").write_text(SOURCE)
    draw = np.random.default_rng(0)
    for kind in ("cats", "dogs & <co>"):
        (folder / "pictures" / kind).mkdir(parents=True)
        for i in range(6):
            pixels = draw.integers(0, 256, (30, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / kind / f"{i}.png")
    (folder / "broken").mkdir()
    for path in ("pictures/cats/empty.jpg", "broken/a.jpg", "broken/b.png"):
        (folder / path).touch()
    (folder / "pictures" / "notes.txt").touch()
    return folder


@pytest.fixture(autouse=True)
def standing(place, monkeypatch):
    monkeypatch.chdir(place)
    yield
    sys.modules.pop("own_networks", None)


def look(*words, out="out", model="own_networks:made"):
    return main(["look", "--model", model, "--images", "pictures", "-o", out, "--maps", "3", *words])


@pytest.fixture(scope="module")
def pages(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert look() == 0
        sys.modules.pop("own_networks", None)
    return place / "out"


def test_every_page_is_written_and_every_link_and_picture_is_there(pages):
    found = sorted(pages.rglob("*.html"))
    names = {path.relative_to(pages).as_posix() for path in found}
    assert names == {"index.html", "network.html", "strongest.html", "occlusion.html", "atlas/index.html"}
    anchors = {path.resolve(): set(re.findall(r'id="([^"]+)"', path.read_text())) for path in found}
    for page in found:
        for address in re.findall(r'(?:href|src)="([^"]+)"', page.read_text()):
            file, _, anchor = address.partition("#")
            target = (page.parent / file).resolve() if file else page.resolve()
            assert target.is_file(), f"{page}: {address}"
            assert not anchor or anchor in anchors[target], f"{page}: {address}"


def test_nothing_is_loaded_from_elsewhere_and_names_are_literal(pages):
    assert remote(pages) == []
    for path in pages.rglob("*.html"):
        assert "<b>;" not in path.read_text()
        assert "<co>" not in path.read_text()
    assert "&lt;b&gt;" in (pages / "occlusion.html").read_text()
    assert "dogs &amp; &lt;co&gt;" in (pages / "atlas/index.html").read_text()


def test_the_overview_says_what_was_looked_at_and_what_was_set_aside(pages):
    text = (pages / "index.html").read_text()
    assert "12, " in text
    assert "cats/empty.jpg: it is empty" in text
    assert "1 .txt" in text
    assert "the middle of each of 24 px; RGB; mean 0.5; standard deviation 0.5" in text
    assert re.findall(r'<td class="number">([^<]*)</td>', text) == ["6", "12×12", "7"], "by hand: 3 + 2·2"


def test_the_most_probable_class_of_a_picture_is_the_networks_own(pages, place):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        network = load("own_networks:made")
        sys.modules.pop("own_networks")
    text = (pages / "occlusion.html").read_text()
    found = re.findall(r"<h2>([^<]*)</h2><p>Most probable: \S+.*? \((\d)\), ([\d.]+)", text)
    assert len(found) == 3
    for heading, label, percent in found:
        image = network.preprocessing.inputs(place / "pictures" / unescape(heading)).tensor()
        expected = 100 * network.model(image).softmax(1)[0]
        assert int(label) == expected.argmax()
        assert float(percent) == pytest.approx(expected.max().item(), abs=0.06)


def test_older_pages_are_replaced_and_anything_else_is_left_alone(pages, place, capsys):
    before = (pages / "index.html").stat().st_mtime_ns
    assert look("--layers", "relu_1", "--pictures", "0") == 0
    assert (pages / "index.html").stat().st_mtime_ns != before
    assert "nothing was covered" in (pages / "occlusion.html").read_text()
    (pages / "my notes.md").write_text("kept")
    assert look() == 2
    assert "no older look" in capsys.readouterr().err
    assert (pages / "my notes.md").read_text() == "kept"
    (pages / "my notes.md").unlink()
    assert look(out="pictures/pages") == 2
    assert "lies in the folder of pictures" in capsys.readouterr().err
    assert not (place / "pictures" / "pages").exists()


@pytest.mark.parametrize(
    ("words", "model", "telling"),
    [
        ((), "resnet18", "torchvision:NAME or module:NAME"),
        ((), "torchvision:resnet81", "no classifier 'resnet81'; it has .*resnet18"),
        ((), "nowhere:net", "'nowhere' cannot be imported from .*a place"),
        ((), "own_networks:nett", "no 'nett'; it has .*net"),
        ((), "own_networks:number", "a int, which is no nn.Module"),
        ((), "own_networks:needs", "without arguments"),
        (("--weights", "DEFAULT"), "own_networks:net", "DEFAULT weights are torchvision's"),
        (("--weights", "gone.pt"), "own_networks:net", "no file of weights .*gone.pt"),
        (("--weights", "own_networks.py"), "own_networks:net", "ends in .safetensors, .pt, .pth"),
        (("--layers", "layer9"), "own_networks:net", "'layer9' is not in this network; it has a, relu"),
        (("--layers", "2"), "own_networks:unreadable", r"1 \(Sigmoid is a gate.*put nn.ReLU"),
        (("--mean", "1", "2"), "own_networks:net", "mean has 2 numbers for 3 channels"),
        (("--side", "0"), "own_networks:net", "1 or more, not 0"),
        (("--maps", "0"), "own_networks:net", "maps are 1 or more"),
        (("--channels", "1"), "own_networks:net", "takes images of 3 channels, not 1|expected input"),
        (("--images", "broken"), "own_networks:net", "none of the 2 images can be decoded"),
        (("--images", "nowhere"), "own_networks:net", "nowhere holds no picture|No such file"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(words, model, telling, capsys, place):
    assert look(*words, model=model, out="refused") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("zfutils: ")
    assert re.search(telling, said), said
    assert not (place / "refused").exists()


def test_a_network_of_one_channel_is_looked_into_in_grey(place):
    assert look("--side", "20", "--pictures", "1", model="own_networks:grey", out="grey") == 0
    assert "; grey; " in (place / "grey" / "index.html").read_text()
    with Image.open(next((place / "grey" / "atlas").rglob("*-nine.webp"))) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(pixels - pixels.mean(-1, keepdims=True)).max() < 2


# ---- weights


def states(place):
    return {n: t + 1 for n, t in load("own_networks:net").model.state_dict().items()}


@pytest.mark.parametrize("kind", ["safetensors", "pt", "pth", "below", "wrapped"])
def test_weights_are_those_of_the_file_in_whatever_form(place, kind, tmp_path):
    weights = states(place)
    path = tmp_path / f"weights.{kind if kind in ('safetensors', 'pth') else 'pt'}"
    if kind == "safetensors":
        save_file(weights, path)
    else:
        given = {f"module.{n}": t for n, t in weights.items()} if kind == "wrapped" else weights
        torch.save({"state_dict": given, "epoch": 3} if kind == "below" else given, path)
    found = load("own_networks:net", str(path))
    assert found.weights == f"weights of {path.name}"
    assert all(torch.equal(t, weights[n]) for n, t in found.model.state_dict().items())


class Evil:
    def __reduce__(self):
        return open, ("executed", "w")


@pytest.mark.parametrize(
    ("change", "telling"),
    [
        (lambda w: w.pop("fc.bias"), "the file has no fc.bias"),
        (lambda w: w.update(other=torch.zeros(1)), "the network has no other"),
        (lambda w: w.update({"a.bias": torch.zeros(7)}), "another shape: a.bias"),
        (lambda w: w.update(code=Evil()), "more than tensors"),
    ],
)
def test_weights_that_do_not_fit_or_hold_more_are_refused_and_nothing_is_executed(
    place, tmp_path, change, telling
):
    weights = states(place)
    change(weights)
    torch.save(weights, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=telling):
        load("own_networks:net", str(tmp_path / "w.pt"))
    assert not (place / "executed").exists()


def test_a_truncated_file_of_weights_is_refused_by_name(place, tmp_path):
    save_file(states(place), tmp_path / "w.safetensors")
    torch.save(states(place), tmp_path / "w.pt")
    for path in sorted(tmp_path.iterdir()):
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(ValueError, match=re.escape(path.name)):
            load("own_networks:net", str(path))


def test_random_weights_are_said_and_depend_on_the_seed():
    one, same, other = (load("torchvision:squeezenet1_1", seed=seed) for seed in (1, 1, 2))
    assert one.weights == "random weights"
    assert (one.preprocessing.side, one.preprocessing.size, one.classes) == (224, 256, ())
    first, again, different = (network.model.features[0].weight for network in (one, same, other))
    assert torch.equal(first, again)
    assert not torch.equal(first, different)


def test_default_weights_are_torchvisions_and_refused_by_name_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(
        ValueError, match=r"DEFAULT weights of squeezenet1_1 cannot be fetched.*--weights FILE"
    ):
        load("torchvision:squeezenet1_1", "DEFAULT")
    url = get_model_weights("squeezenet1_1").DEFAULT.url
    weights = load("torchvision:squeezenet1_1", seed=5).model.state_dict()
    (tmp_path / "checkpoints").mkdir(exist_ok=True)
    torch.save(weights, tmp_path / "checkpoints" / Path(url).name)
    found = load("torchvision:squeezenet1_1", "DEFAULT")
    assert torch.equal(found.model.features[0].weight, weights["features.0.weight"])
    assert found.classes[0] == "tench"
    file = load("torchvision:squeezenet1_1", str(tmp_path / "checkpoints" / Path(url).name))
    assert file.classes == found.classes, "a file of that name is torchvision's own"
    assert torch.equal(file.model.features[0].weight, found.model.features[0].weight)


def test_files_of_torchvision_s_that_want_another_scale_of_inputs_get_it(tmp_path):
    url = get_model_weights("googlenet").DEFAULT.url
    weights = load("torchvision:googlenet").model.state_dict()
    torch.save(weights, path := tmp_path / Path(url).name)
    torch.save(weights, tmp_path / "own.pt")
    assert load("torchvision:googlenet", str(path)).model.transform_input
    assert not load("torchvision:googlenet", str(tmp_path / "own.pt")).model.transform_input
