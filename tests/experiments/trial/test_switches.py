"""Switches: shifts counted by hand, losses against numpy, and what poolings that share a switch give."""

from collections import OrderedDict

import numpy as np
import pytest
import small
import torch
from small import only
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.tiles import shuffle_tiles
from zfutils.deconv.units import Units
from zfutils.experiments.trial import faithfulness, shared_switches, switches


def dots(*places, side):
    return Inputs.of(small.dots(*places, side=side))


def shifts(model, inputs, unit, *, layer="relu2", n=3000):
    recording = Deconvnet(model).forward(inputs.tensor(), layer)
    unit = Units(*(torch.tensor([place]) for place in unit))
    return switches.switch_shifts(recording, unit, n, generator=np.random.default_rng(0))


@pytest.fixture(scope="module")
def inputs():
    return small.seen(24)


# ---- how far random switches move a signal


def test_random_switches_move_a_signal_from_its_recorded_place_to_each_of_its_window_alike():
    picture = dots((2 * 4, 2 * 5), side=21)  # after stride 2 at (4, 5): the window 3…5 × 3…5 of unit (1, 1)
    found = shifts(only(small.red(2), nn.MaxPool2d(3, 3)), picture, (0, 0, 1, 1))
    down, right = found.T
    assert np.unique(down).tolist() == [-2, 0, 2]  # from the middle row: a row is two pixels
    assert np.unique(right).tolist() == [-4, -2, 0]  # from the last column
    _, counts = np.unique(found, axis=0, return_counts=True)
    assert counts.tolist() == pytest.approx([3000 / 9] * 9, abs=5 * np.sqrt(3000 / 9))


def test_a_random_switch_stays_in_the_map():
    picture = dots((0, 0), side=6)  # padding 1: the window -1…1 of unit (0, 0) holds rows 0 and 1
    found = shifts(only(small.red(), nn.MaxPool2d(3, 2, 1)), picture, (0, 0, 0, 0))
    assert np.unique(found).tolist() == [0, 1]


def test_shifts_add_up_over_pooling_layers_in_pixels():
    layers = OrderedDict(
        conv1=small.red(), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2, 2), pool2=nn.MaxPool2d(2, 2)
    )
    layers |= {"conv2": nn.Conv2d(1, 1, 1, bias=False), "relu2": nn.ReLU()}
    layers["conv2"].weight.data.fill_(1)
    picture = dots((0, 3), side=8)
    down, right = shifts(nn.Sequential(layers), picture, (0, 0, 0, 0)).T
    # of pool1's place (0, 1) in its window, and pool2's (0, 1), whose places are 2 px apart
    assert np.unique(down).tolist() == [0, 1, 2, 3]
    assert np.unique(right).tolist() == [-3, -2, -1, 0]


def test_paths_are_drawn_by_the_energy_that_passes_and_what_is_negative_does_not():
    model = only(small.red(), nn.MaxPool2d(2, 2))
    model.conv2 = nn.Conv2d(1, 1, 3, bias=False)
    model.conv2.weight.data[:] = torch.tensor([[1.0, 3, -5], [0, 0, 0], [0, 0, 0]])  # of nine poolings
    picture = dots((0, 0), side=6)
    picture.images.pixels[0, 1, 3] = 100
    picture.images.pixels[0, 0, 5] = 1
    found = shifts(model, picture, (0, 0, 0, 0), n=5000)
    # from (0, 0) of the first window with a tenth of the energy, from (1, 1) of the second with the rest
    assert (found[:, 1] == 1).mean() == pytest.approx(0.1 / 2, abs=0.02)
    assert (found[:, 1] == -1).mean() == pytest.approx(0.9 / 2, abs=0.04)
    assert (found[:, 0] == -1).mean() == pytest.approx(0.9 / 2, abs=0.04)


# ---- what is lost


def test_a_pattern_moves_within_its_window_and_zeros_move_in():
    pattern = np.arange(1.0, 7).reshape(1, 2, 3)
    assert switches.moved(pattern, 0, 0).tolist() == pattern.tolist()
    assert switches.moved(pattern, 1, -1).tolist() == [[[0, 0, 0], [2, 3, 0]]]
    assert switches.moved(pattern, -1, 2).tolist() == [[[0, 0, 4], [0, 0, 0]]]
    assert (switches.moved(pattern, 2, 0) == 0).all()
    assert (switches.moved(pattern, 0, -3) == 0).all()


def lost(model, inputs, *, shifts=16, **how):
    """Both tables as one."""
    changed = switches.lost_with_other_switches(model, inputs, **how)
    return changed.merge(switches.lost_by_moving(model, inputs, shifts=shifts, **how), on="picture")


def test_without_pooling_nothing_is_lost(inputs):
    table = lost(only(nn.Conv2d(3, 6, 5)), inputs[:6], layer="relu1")
    assert table[[*switches.CHANGES, "moved"]].to_numpy() == pytest.approx(0, abs=1e-9)
    assert (table["shift"] == 0).all()


def test_a_projection_of_one_pixel_loses_as_much_by_random_switches_as_by_moving():
    places = np.random.default_rng(0).integers(0, 15, (400, 2))
    model = only(small.red(), nn.MaxPool2d(3, 3))
    table = lost(model, dots(*places, side=15), layer="relu2", maps_a_picture=1, shifts=4)
    apart = 1 - 1 / 26**2  # one of 27 values is not zero: elsewhere it correlates by -1 / 26
    assert set(table["random"].round(6)) == {0, round(apart, 6)}
    assert table["random"].mean() == pytest.approx(8 / 9, abs=0.05)
    assert table["moved"].mean() == pytest.approx(8 / 9, abs=0.05)
    middle = (places % 3 == 1).all(1)
    assert table["centred"].to_numpy() == pytest.approx(np.where(middle, 0, apart))
    pool, within = np.divmod(places, 3)  # another picture's dot stands in another pooling, or is this one's
    other = switches.partners(400, seed=0).numpy()
    there = np.where((pool == pool[other]).all(1)[:, None], within[other], 0)  # of equals, the first place
    same = (there == within).all(1)
    assert table["another"].to_numpy() == pytest.approx(np.where(same, 0, apart))


def test_losses_are_those_of_numpys_correlations_of_the_same_units(inputs):
    model, some = small.built(), inputs.at(torch.tensor([7, 2, 11, 5]))
    table = lost(model, some, layer="relu2", maps_a_picture=2, shifts=3, seed=4)
    pictures, deconvnet = some.tensor(), Deconvnet(model)
    units = faithfulness.units_of(deconvnet, some, "relu2", 2, 32)
    whole = deconvnet.project(pictures, "relu2", units).pixels.numpy()
    recording = deconvnet.forward(pictures, "relu2")
    random = Deconvnet(model, switches="random", seed=4).project(pictures, "relu2", units).pixels.numpy()

    def share(one, other):
        return 1 - np.corrcoef(one.ravel(), other.ravel())[0, 1] ** 2

    of_random, of_moved = np.empty(len(whole)), np.empty(len(whole))
    for i, one in enumerate(whole):  # windows of relu2 lie inside these pictures
        generator = np.random.default_rng(switches.mixed(4, i))
        unit = Units(*(t[i : i + 1] for t in units))
        by = switches.switch_shifts(recording, unit, 3, generator=generator).tolist()
        of_random[i] = share(one, random[i])
        of_moved[i] = np.mean([share(one, switches.moved(one, *shift)) for shift in by])
    assert table["picture"].tolist() == [7, 2, 11, 5]
    for column, expected in (("random", of_random), ("moved", of_moved)):
        means = [expected[units.images.numpy() == place].mean() for place in range(4)]
        assert table[column].to_numpy() == pytest.approx(means, abs=1e-5)


def test_losses_repeat_and_do_not_depend_on_the_batch_but_for_the_random_switches(inputs):
    model, how = small.built(), {"layer": "relu2", "maps_a_picture": 2, "shifts": 2}
    tables = [lost(model, inputs[:7], **how, batch=b) for b in (32, 32, 3)]
    np.testing.assert_array_equal(tables[0], tables[1])
    same = ["picture", "centred", "tiles", "another", "moved", "shift"]
    np.testing.assert_allclose(tables[0][same], tables[2][same], atol=1e-4)
    with pytest.raises(ValueError, match="sees the whole image"):
        switches.lost_with_other_switches(model, inputs[:7], layer="fc3")


# ---- another picture's switches


def test_every_picture_has_another_one_for_partner_and_is_the_partner_of_one():
    for n in (2, 3, 40):
        found = switches.partners(n, seed=3)
        assert sorted(found.tolist()) == list(range(n))
        assert (found != torch.arange(n)).all()
    assert not torch.equal(switches.partners(40, seed=3), switches.partners(40, seed=4))


def test_by_the_deconvnet_another_pictures_switches_give_that_pictures_projection_but_for_a_factor(inputs):
    model, pictures = small.built(), inputs[:6].tensor()
    deconvnet = Deconvnet(model)
    units = faithfulness.units_of(deconvnet, inputs[:6], "relu2", 3, 32)
    found = switches.with_other_switches(deconvnet, pictures, "relu2", units, seed=1)["another"]
    there = units._replace(images=switches.partners(6, seed=1)[units.images])
    own = deconvnet.project(pictures, "relu2", there)
    alive = own.values > 0
    assert alive.sum() > 3
    factor = (found.values / own.values)[alive][:, None, None, None]
    torch.testing.assert_close(found.pixels[alive], own.pixels[alive] * factor, rtol=1e-4, atol=1e-6)
    assert (factor != 1).all()


def test_tiles_are_shuffled_in_the_units_window_and_the_switches_recorded_anew(inputs):
    model, pictures = small.built(), inputs[:2].tensor()
    deconvnet, before = Deconvnet(model), pictures.clone()
    units = faithfulness.units_of(deconvnet, inputs[:2], "relu2", 2, 32)
    found = switches.with_other_switches(deconvnet, pictures, "relu2", units, seed=1)["tiles"]
    assert torch.equal(pictures, before)
    for i, (image, row, column) in enumerate(torch.stack([units.images, *units[2:]], 1).tolist()):
        shuffle_tiles(before[image].copy_(pictures[image]), row, column, deconvnet.window("relu2"),
                      seed=switches.mixed(1, image))  # fmt: skip
        unit = Units(*(t[i : i + 1] for t in units))
        other = deconvnet.forward(before, "relu2")
        expected = other.project(unit)
        if expected.values > 0:
            factor = found.values[i] / expected.values
            torch.testing.assert_close(found.pixels[i], (expected.pixels * factor)[0], rtol=1e-4, atol=1e-6)


# ---- shared switches


def test_poolings_that_do_not_overlap_share_nothing(inputs):
    apart = only(nn.Conv2d(3, 6, 5), nn.MaxPool2d(2, 2))
    table = shared_switches.shared_switches(apart, inputs[:4], layers=["relu2"])
    assert table["rule"].unique().tolist() == ["last", "largest"]
    assert table["correlation"].to_numpy() == pytest.approx(1)
    assert table["difference"].to_numpy() == pytest.approx(0)
    sharing = shared_switches.switch_sharing(apart, inputs[:4])
    assert sharing["share"].tolist() == [0] * 4


def test_a_maximum_that_two_poolings_see_is_shared_by_both():
    one = small.dots((2, 2), side=5)  # the middle is seen by all four poolings of 3 px, stride 2
    one.pixels[0, 0, 4] = 250
    sharing = shared_switches.switch_sharing(only(small.red(), nn.MaxPool2d(3, 2)), Inputs.of(one))
    assert sharing["share"].tolist() == [0.75]  # the upper right pooling has the corner's pixel alone


def test_where_a_switch_is_shared_the_last_signal_replaces_the_sum():
    one = small.dots((2, 2), side=5)  # all four poolings take it
    one.pixels[0, 0, 0] = 100
    conv = nn.Conv2d(3, 1, 1, bias=False)
    conv.weight.data.fill_(1)
    model = only(conv, nn.MaxPool2d(3, 2))
    model.conv2 = nn.Conv2d(1, 1, 2, bias=False)
    model.conv2.weight.data = torch.tensor([[[[1.0, 2], [3, 4]]]])
    table = shared_switches.shared_switches(model, Inputs.of(one), layers=["relu2"], maps_a_picture=1)
    table = table.set_index("rule")
    # one pixel holds everything: 1 + 2 + 3 + 4 by adding up, 4 by the last and by the largest
    assert table["difference"].tolist() == pytest.approx([0.6, 0.6])
    assert table["correlation"].tolist() == pytest.approx([1, 1])
