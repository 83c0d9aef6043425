"""Projections beside patches: each is its unit's, cut by the unit's window, at its place."""

import numpy as np
import pytest
import small
import torch
from PIL import Image

from zfutils.data import UndecodableImage
from zfutils.data.own_picture import own_picture
from zfutils.deconv.deconvnet import Deconvnet, Units
from zfutils.deconv.top_activations import top_activations
from zfutils.deconv.top_projections import strongest_maps, survey, top_nine

HOW = {"side": 32, "scale": 1 / 64}
MARGIN = (40 - 32) // 2  # stored pictures are 40 px


@pytest.fixture(scope="module")
def images():
    return small.pictures(40)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return small.SPEC.build().eval()


@pytest.fixture(scope="module")
def found(model, images):
    return top_activations(model, images, torch.arange(40), layers=["relu1", "relu2", "relu3"], **HOW)


@pytest.fixture(scope="module", params=["relu1", "relu2"])
def nine(request, model, images, found):
    return top_nine(Deconvnet(model), images, found[request.param], batch=5, **HOW)


def test_every_projection_is_that_of_its_unit_in_the_whole_picture(nine, model, images):
    layer = nine.strongest.layer
    for m, k in ((0, 0), (3, 8), (7, 4)):
        row = nine.strongest.images[m, k]
        (view,) = next(images.views(row[None], crops=1, batch=1, **HOW))
        at = (nine.strongest.rows[m, k], nine.strongest.columns[m, k])
        unit = Units(*(torch.tensor([int(v)]) for v in (0, m, *at)))
        alone = Deconvnet(model).forward(view.images, layer).project(unit)
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


def test_some_of_the_maps_are_the_same_as_taken_from_all(nine, model, images, found):
    maps = torch.tensor([6, 1])
    few = top_nine(Deconvnet(model), images, found[nine.strongest.layer], maps=maps, **HOW)
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


def test_a_survey_is_the_search_and_the_projection_of_every_layer(model, images):
    rows = torch.arange(3, 40, 3)
    found = survey(model, images, rows, layers=["relu2", "relu1"], k=4, **HOW)
    assert list(found) == ["relu2", "relu1"]
    searched = top_activations(model, images, rows, layers=["relu1", "relu2"], k=4, **HOW)
    for layer, nine in found.items():
        alone = top_nine(Deconvnet(model), images, searched[layer], **HOW)
        assert nine.maps.tolist() == list(range(len(searched[layer])))
        for name in ("values", "images", "rows", "columns"):
            assert torch.equal(getattr(nine.strongest, name), getattr(searched[layer], name))
        for name in ("projections", "patches", "inside", "tops", "lefts"):
            assert (getattr(nine, name) == getattr(alone, name)).all()
        assert np.isin(nine.strongest.images, rows).all()
        assert np.abs(nine.projections).max() > 0


def test_maps_that_are_not_there_and_layers_without_a_window_are_refused(model, images, found):
    with pytest.raises(ValueError, match=r"relu1 has maps 0…7, asked for were \[8\]"):
        top_nine(Deconvnet(model), images, found["relu1"], maps=torch.tensor([8]), **HOW)
    with pytest.raises(ValueError, match="a unit of relu3 sees the whole image"):
        top_nine(Deconvnet(model), images, found["relu3"], **HOW)


def test_a_picture_of_ones_own_gives_its_strongest_maps(tmp_path, model, images):
    path = tmp_path / "own.png"
    Image.fromarray(images.pixels[7].numpy()).resize((80, 60), Image.Resampling.NEAREST).save(path)
    picture = own_picture(path, images)
    assert picture.pixels.shape == (1, 40, 40, 3)
    assert torch.equal(picture.mean, images.mean)
    nine = strongest_maps(Deconvnet(model), model, picture, "relu2", k=5, **HOW)
    (view,) = next(picture.views(torch.zeros(1, dtype=torch.int64), crops=1, batch=1, **HOW))
    peaks = Deconvnet(model).forward(view.images, "relu2").activations.amax((2, 3))[0]
    assert nine.maps.tolist() == peaks.argsort(descending=True)[:5].tolist()
    assert nine.projections.shape[:2] == (5, 1)


def test_without_a_picture_of_ones_own_the_first_of_the_set_stands_in(images):
    picture = own_picture("", images)
    assert len(picture) == 1
    assert torch.equal(picture.pixels[0], images.pixels[0])
    views = [next(p.views(torch.tensor([0]), crops=1, batch=1, **HOW))[0].images for p in (picture, images)]
    assert torch.equal(*views)


def test_a_file_that_is_no_picture_is_named(tmp_path, images):
    (tmp_path / "note.txt").write_text("no picture")
    with pytest.raises(UndecodableImage, match=r"note\.txt"):
        own_picture(tmp_path / "note.txt", images)
