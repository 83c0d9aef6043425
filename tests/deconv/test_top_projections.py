"""Projections beside patches: each is its unit's, cut by the unit's window, at its place."""

from dataclasses import replace

import numpy as np
import pytest
import small
import torch
from deconvnet_cases import agrees
from deconvnet_oracle import Oracle
from graph_cases import prepared
from PIL import Image

from zfutils.data import UndecodableImage
from zfutils.data.inputs import Inputs
from zfutils.data.own_picture import own_picture
from zfutils.data.preprocessing import Preprocessing
from zfutils.deconv.deconvnet import Deconvnet, Units
from zfutils.deconv.top_activations import top_activations
from zfutils.deconv.top_projections import project_top, strongest_maps, top_projections

HOW = {"side": 32, "scale": 1 / 64}
MARGIN = (40 - 32) // 2  # stored pictures are 40 px


@pytest.fixture(scope="module")
def images():
    return small.pictures(40)


@pytest.fixture(scope="module")
def inputs(images):
    return Inputs.of(images, **HOW)


@pytest.fixture(scope="module")
def model():
    return small.built()


@pytest.fixture(scope="module")
def found(model, inputs):
    return top_activations(model, inputs, layers=["relu1", "relu2", "relu3"])


@pytest.fixture(scope="module", params=["relu1", "relu2"])
def nine(request, model, inputs, found):
    return project_top(Deconvnet(model), inputs, found[request.param])


def test_every_projection_is_that_of_its_unit_in_the_whole_picture(nine, model, inputs):
    layer = nine.strongest.layer
    for m, k in ((0, 0), (3, 8), (7, 4)):
        picture = inputs.at(nine.strongest.images[m, [k]]).tensor()
        at = (nine.strongest.rows[m, k], nine.strongest.columns[m, k])
        unit = Units(*(torch.tensor([int(v)]) for v in (0, m, *at)))
        alone = Deconvnet(model).forward(picture, layer).project(unit)
        expected = alone.pixels[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(nine.projections[m, k], expected, atol=1e-6 * np.abs(expected).max())
        assert (nine.tops[m, k], nine.lefts[m, k]) == (alone.tops.item(), alone.lefts.item())


def test_every_patch_is_the_picture_under_the_window(nine, images):
    side = nine.patches.shape[2]
    padded = np.pad(
        images.pixels.numpy()[:, MARGIN:-MARGIN, MARGIN:-MARGIN], ((0, 0), (side,) * 2, (side,) * 2, (0, 0))
    )
    lies = np.pad(np.ones((32, 32), dtype=bool), side)
    for m, k in np.ndindex(nine.tops.shape):
        top, left = nine.tops[m, k] + side, nine.lefts[m, k] + side
        window = slice(top, top + side), slice(left, left + side)
        assert (nine.patches[m, k] == padded[nine.strongest.images[m, k]][window]).all()
        assert (nine.inside[m, k] == lies[window]).all()


@pytest.mark.parametrize("nine", ["relu2"], indirect=True)
def test_some_windows_reach_past_the_border_and_nothing_is_projected_there(nine):
    assert not nine.inside.all()
    assert np.abs(nine.projections[~nine.inside]).max() == 0
    assert np.abs(nine.projections).max() > 0


def test_some_of_the_maps_are_the_same_as_taken_from_all(nine, model, inputs, found):
    maps = torch.tensor([6, 1])
    few = project_top(Deconvnet(model), inputs, found[nine.strongest.layer], maps=maps)
    chosen = nine.of(maps)
    assert few.maps.tolist() == chosen.maps.tolist() == [6, 1]
    assert (few.patches == chosen.patches).all()
    scale = np.abs(chosen.projections).max()
    np.testing.assert_allclose(few.projections, chosen.projections, atol=1e-6 * scale)


def test_a_random_choice_of_maps_is_that_of_their_strongest_activations(nine):
    few = nine.some(3, seed=4)
    chosen = nine.strongest.some(3, seed=4)
    assert few.maps.tolist() == chosen.tolist()
    assert (few.projections == nine.projections[chosen]).all()
    assert torch.equal(few.strongest.images, nine.strongest.images[chosen])
    assert nine.of(torch.tensor([5, 2, 0])).some(2, seed=0).maps.tolist() in ([5, 2], [5, 0], [2, 0])


def test_top_projections_are_the_search_and_the_projection_of_every_layer(model, inputs):
    some = inputs[3:40:3]
    found = top_projections(model, some, layers=["relu2", "relu1"], k=4)
    assert list(found) == ["relu2", "relu1"]
    searched = top_activations(model, some, layers=["relu1", "relu2"], k=4)
    for layer, nine in found.items():
        alone = project_top(Deconvnet(model), some, searched[layer])
        assert nine.maps.tolist() == list(range(len(searched[layer])))
        for name in ("values", "images", "rows", "columns"):
            assert torch.equal(getattr(nine.strongest, name), getattr(searched[layer], name))
        for name in ("projections", "patches", "inside", "tops", "lefts"):
            assert (getattr(nine, name) == getattr(alone, name)).all()
        assert np.isin(nine.strongest.images, some.rows).all()
        assert np.abs(nine.projections).max() > 0


def test_a_unit_of_a_fully_connected_layer_sees_the_whole_picture(inputs):
    model = prepared(small.SPEC.build())
    for layer, nine in top_projections(model, inputs[:6], layers=["relu3", "fc4"], k=2).items():
        assert nine.projections.shape == (len(nine.maps), 2, 32, 32, 3)
        assert nine.inside.all()
        assert not nine.tops.any()
        assert not nine.lefts.any()
        for m, k in [(m, k) for m in nine.strongest.values[:, 1].topk(2).indices.tolist() for k in (0, 1)]:
            picture = inputs.at(nine.strongest.images[m, [k]])
            assert (nine.patches[m, k] == picture.pixels()[0]).all()
            oracle = Oracle(model, picture.tensor()[0], layer)
            assert nine.strongest.values[m, k].item() == pytest.approx(oracle.value(layer, m), rel=1e-4)
            expected = oracle.project(layer, m)
            assert expected.any()
            assert agrees(torch.from_numpy(nine.projections[m, k]).permute(2, 0, 1), expected)


def test_pictures_may_have_one_channel(images):
    grey = replace(images, pixels=images.pixels[..., :1], mean=images.mean[..., :1])
    inputs = Inputs.of(grey, torch.arange(12), **HOW)
    model = prepared(replace(small.SPEC, channels=1).build())
    for layer, nine in top_projections(model, inputs, layers=["relu2", "fc4"], k=3).items():
        side = 17 if layer == "relu2" else 32
        assert nine.projections.shape == nine.patches.shape == (len(nine.maps), 3, side, side, 1)
        picture = inputs.at(nine.strongest.images[1, [0]]).tensor()[0]
        at = [1, int(nine.strongest.rows[1, 0]), int(nine.strongest.columns[1, 0])]
        whole = Oracle(model, picture, layer).project(layer, *at)
        top, left = int(nine.tops[1, 0]), int(nine.lefts[1, 0])
        padded = torch.nn.functional.pad(whole, (side,) * 4)
        window = padded[:, top + side : top + 2 * side, left + side : left + 2 * side]
        assert window.any()
        assert agrees(torch.from_numpy(nine.projections[1, 0]).permute(2, 0, 1), window)


def test_a_network_in_double_precision_projects_its_images_in_double(inputs):
    model = prepared(small.SPEC.build()).double()
    deconvnet, found = Deconvnet(model), top_activations(model, inputs[:4], layers=["relu2"], k=2)["relu2"]
    assert found.values.dtype == torch.float64
    recording = deconvnet.forward(inputs[:4].tensor(), "relu2")  # float32; sent in the network's type
    unit = recording.strongest(5)
    patterns = deconvnet.project(inputs[:4].tensor(), "relu2", unit).pixels
    expected = recording.project(unit).pixels
    assert patterns.dtype == expected.dtype == torch.float64
    assert (patterns - expected).abs().max() <= 1e-14 * expected.abs().max()
    single = Deconvnet(prepared(small.SPEC.build())).project(inputs[:4].tensor(), "relu2", unit).pixels
    assert agrees(single.double(), expected)


def test_maps_that_are_not_there_are_refused(model, inputs, found):
    with pytest.raises(ValueError, match=r"relu1 has maps 0…7, asked for were \[8\]"):
        project_top(Deconvnet(model), inputs, found["relu1"], maps=torch.tensor([8]))


def test_a_picture_of_ones_own_gives_its_strongest_maps(tmp_path, model, images):
    path = tmp_path / "own.png"
    Image.fromarray(images.pixels[7].numpy()).resize((80, 60), Image.Resampling.NEAREST).save(path)
    picture = own_picture(path, images)
    assert picture.pixels.shape == (1, 40, 40, 3)
    assert torch.equal(picture.mean, images.mean)
    own = Inputs.of(picture, **HOW)
    for layer in ("relu2", "relu3"):
        nine = strongest_maps(Deconvnet(model), own, layer, k=5)
        activations = Deconvnet(model).forward(own.tensor(), layer).activations[0]
        peaks = activations.reshape(len(activations), -1).amax(1)
        assert nine.maps.tolist() == peaks.argsort(descending=True)[:5].tolist()
        assert nine.projections.shape[:2] == (5, 1)


def test_without_a_picture_of_ones_own_the_first_of_the_set_stands_in(images):
    picture = own_picture("", images)
    assert len(picture) == 1
    assert torch.equal(picture.pixels[0], images.pixels[0])
    assert torch.equal(
        Inputs.of(picture, **HOW).tensor(), Inputs.of(images, torch.tensor([0]), **HOW).tensor()
    )


def test_a_file_that_is_no_picture_is_named(tmp_path, images):
    (tmp_path / "note.txt").write_text("no picture")
    with pytest.raises(UndecodableImage, match=r"note\.txt"):
        own_picture(tmp_path / "note.txt", images)


def test_a_window_that_is_larger_than_the_picture_is_the_picture(images):
    torch.manual_seed(1)
    wide = torch.nn.Conv2d(4, 3, 41, padding=20)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), wide)
    inputs, deconvnet = Inputs.of(images, torch.arange(5), side=40, scale=1 / 64), Deconvnet(model)
    assert deconvnet.window("conv2").kernel == 43
    nine = project_top(deconvnet, inputs, top_activations(model, inputs, layers=["conv2"], k=2)["conv2"])
    assert nine.patches.shape == nine.projections.shape == (3, 2, 40, 40, 3)
    assert (nine.patches[1, 0] == inputs.at(nine.strongest.images[1, [0]]).pixels()[0]).all()
    assert nine.inside.all()
    place = (nine.strongest.rows[1, [0]], nine.strongest.columns[1, [0]])
    unit = Units(torch.tensor([0]), torch.tensor([1]), *place)
    windowed = deconvnet.project(inputs.at(nine.strongest.images[1, [0]]).tensor(), "conv2", unit)
    expected = windowed.placed(40, 40)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(nine.projections[1, 0], expected, atol=1e-6 * np.abs(expected).max())


def test_projections_are_shown_in_the_colours_of_the_picture_whatever_each_channels_scale():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.ReLU())
    inputs = Preprocessing(16, mean=0.5, std=(0.5, 0.25, 0.1)).inputs(pixels)
    top = top_projections(model, inputs, k=2)["relu1"]
    # the pattern is activation × filter; a unit of a channel is 255·std levels, but for one factor
    filters = model[0].weight.detach()[1].permute(1, 2, 0).numpy()
    scales = np.array(inputs.scale)
    expected = top.strongest.values[1, 0].item() * filters * scales.mean() / scales
    np.testing.assert_allclose(top.projections[1, 0], expected, rtol=1e-5)
