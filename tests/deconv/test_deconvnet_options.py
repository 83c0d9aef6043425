"""What can be chosen on the way back: rules for shared switches, reversals of ReLU, other switches."""

import pytest
import small
import torch
from deconvnet_cases import (
    REVERSALS,
    RULES,
    agrees,
    chosen,
    noise,
    quarter_zfnet,
    units,
)
from deconvnet_oracle import Oracle
from graph_cases import prepared
from torch import nn

from zfutils.deconv.deconvnet import Deconvnet, Units


@pytest.fixture
def tiny():
    return prepared(small.SPEC.build())


def identity(*above, kernel=3, stride=2, padding=0):
    """A picture as it is, rectified and pooled; then other layers."""
    first = nn.Conv2d(1, 1, 1, bias=False)
    first.weight.data.fill_(1)
    return nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(kernel, stride, padding), *above)


def filtered(*rows):
    """A convolution of one map by one filter, without bias."""
    convolution = nn.Conv2d(1, 1, len(rows), bias=False)
    convolution.weight.data = torch.tensor([[rows]], dtype=torch.float32)
    return convolution


def weighted(*weights):
    """A fully connected layer of one unit, without bias, and the map made a vector."""
    top = nn.Linear(len(weights), 1, bias=False)
    top.weight.data = torch.tensor([weights], dtype=torch.float32)
    return nn.Flatten(), top


def peak(value):
    """A 5×5 picture of nothing but its middle, the maximum of all four 3×3 pools."""
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 2, 2] = value
    return image


def by_all_roads(model, image, layer, unit, **options):
    """One unit by its window, by a recording and by a walk, which must be the same; (h, w)."""
    deconvnet, which = Deconvnet(model, **options), units((0, *unit))
    recording = deconvnet.forward(image, layer)
    found = recording.walk(which)[-1][1]
    for projections in (recording.project(which), deconvnet.project(image, layer, which)):
        torch.testing.assert_close(projections.placed(*image.shape[2:]), found, rtol=0, atol=1e-6)
    return found[0, 0]


# ---- two poolings, one switch


@pytest.mark.parametrize(
    ("shared", "expected"),
    [
        ("add", [0, 0, 48, 0, 0, 0, 0]),  # 32 + 16; the -16 of the third pool is rectified
        ("last", [0, 0, 16, 0, 0, 0, 0]),
        ("largest", [0, 0, 32, 0, 0, 0, 0]),
    ],
)
def test_by_hand_in_one_dimension_two_pools_share_a_switch(shared, expected):
    image = torch.zeros(1, 1, 3, 7)
    image[0, 0, 1] = torch.tensor([1.0, 2, 7, 3, 5, 0, 0])  # pooled to 7, 7, 5: the unit is 14 + 7 - 5 = 16
    found = by_all_roads(identity(*weighted(2, 1, -1)), image, "fc2", (0, 0, 0), shared=shared)
    assert found[1].tolist() == expected
    assert not found[[0, 2]].any()


@pytest.mark.parametrize(("shared", "expected"), [("add", 100), ("last", 20), ("largest", 40)])
def test_by_hand_in_two_dimensions_four_pools_share_a_switch(shared, expected):
    model = identity(filtered((1, 4), (3, 2)))  # the unit is 1 + 4 + 3 + 2 = 10
    found = by_all_roads(model, peak(1), "conv2", (0, 0, 0), shared=shared)
    assert found[2, 2] == expected
    assert found.count_nonzero() == 1


@pytest.mark.parametrize(("shared", "expected"), [("add", 36), ("last", 36), ("largest", 108)])
def test_a_negative_signal_counts_before_it_is_rectified(shared, expected):
    model = identity(filtered((-5, 3), (2, 1)))  # the unit is 36 · 1/6 · (-5 + 3 + 2 + 1) = 36 · 1/6
    found = by_all_roads(model, peak(36), "conv2", (0, 0, 0), shared=shared)
    assert found[2, 2] == expected


@pytest.mark.parametrize("nonlinearity", REVERSALS)
@pytest.mark.parametrize("shared", RULES)
@pytest.mark.parametrize("weight", [3, -3])
def test_pools_that_a_unit_does_not_see_leave_its_switches_alone(shared, nonlinearity, weight):
    options = {"shared": shared, "nonlinearity": nonlinearity}
    found = by_all_roads(identity(filtered((weight,))), peak(2), "conv2", (0, 0, 0), **options)
    assert found[2, 2] == 18  # of four pools with this switch, the unit's own alone has a signal
    assert found.count_nonzero() == 1


def test_by_hand_at_a_padded_border():
    image = 20 - torch.arange(16.0).view(1, 1, 4, 4)
    for place, at, value in [((0, 0), [0, 0], 20), ((0, 1), [0, 1], 19), ((1, 1), [1, 1], 15)]:
        found = by_all_roads(identity(padding=1), image, "pool1", (0, *place))
        assert found.nonzero().tolist() == [at]
        assert found[tuple(at)] == value


def test_of_equal_values_the_first_in_reading_order_is_taken():
    found = by_all_roads(identity(), torch.ones(1, 1, 5, 5), "pool1", (0, 1, 1))
    assert found.nonzero().tolist() == [[2, 2]]


# ---- reversals of ReLU


@pytest.mark.parametrize(
    ("nonlinearity", "expected"),
    [("deconvnet", [2, 0, 2, 0]), ("gradient", [2, -2, 0, 0]), ("guided", [2, 0, 0, 0])],
)
def test_the_three_reversals_of_relu_by_hand(nonlinearity, expected):
    image = torch.tensor([3.0, 1, -2, -4]).view(1, 1, 2, 2)  # the unit is 3 - 1 = 2
    model = nn.Sequential(*identity()[:2], *weighted(1, -1, 1, -1))
    found = by_all_roads(model, image, "fc2", (0, 0, 0), nonlinearity=nonlinearity)
    assert found.flatten().tolist() == expected


# ---- switches


def test_switches_are_kept_of_the_pools_up_to_the_layer():
    images, deconvnet = noise(1, 64), Deconvnet(quarter_zfnet(128))
    assert not deconvnet.forward(images, "relu1").switches
    assert set(deconvnet.forward(images, "pool1").switches) == {"pool1"}
    switches = deconvnet.forward(images, "relu3").switches
    assert {name: (t.dtype, *t.shape) for name, t in switches.items()} == {
        "pool1": (torch.uint8, 1, 24, 15, 15),
        "pool2": (torch.uint8, 1, 64, 3, 3),
    }


def test_random_switches_repeat_with_their_seed(tiny):
    images, unit = noise(1, 32), units((0, 3, 2, 2))

    def drawn(seed):
        deconvnet = Deconvnet(tiny, switches="random", seed=seed)
        recording = deconvnet.forward(images, "conv2")
        projections = deconvnet.project(images, "conv2", unit), recording.project(unit)
        return [recording.switches["pool1"], *(p.pixels for p in projections)]

    for first, again, other in zip(drawn(1), drawn(1), drawn(2), strict=True):
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


@pytest.mark.parametrize("nonlinearity", REVERSALS)
@pytest.mark.parametrize("shared", RULES)
@pytest.mark.parametrize("switches", ["recorded", "centred", "random"])
def test_every_rule_agrees_with_the_oracle_given_the_switches(tiny, switches, shared, nonlinearity):
    image = noise(1, 32)
    options = {"nonlinearity": nonlinearity, "shared": shared}
    deconvnet = Deconvnet(tiny, switches=switches, **options)
    oracle = Oracle(tiny, image[0], "fc4", switches=deconvnet.forward(image, "fc4").switches, **options)
    for layer in ("pool1", "conv2", "pool2", "fc4"):
        recording = deconvnet.forward(image, layer)
        which = Units(*(t[-2:] for t in chosen(recording.activations)))
        roads = [recording.project(which).placed(32, 32)]
        if switches != "random":  # those are drawn anew on each unit's window
            roads.append(deconvnet.project(image, layer, which).placed(32, 32))
        for i, (_, *unit) in enumerate(torch.stack(which, 1).tolist()):
            expected = oracle.project(layer, *unit)
            assert all(agrees(patterns[i], expected) for patterns in roads), (layer, unit)
            assert agrees(recording.walk(Units(*(t[[i]] for t in which)))[-1][1][0], expected), (layer, unit)


def test_by_hand_an_activation_goes_where_another_pictures_switch_points():
    model = identity(kernel=2)
    own, other = (torch.tensor(rows).view(1, 1, 2, 2) for rows in ([7.0, 3, 0, -2], [1.0, 0, 0, 5]))
    for nonlinearity, expected in (("deconvnet", [0, 0, 0, 7]), ("gradient", [0] * 4), ("guided", [0] * 4)):
        # the two others remember the ReLU that was off
        deconvnet = Deconvnet(model, nonlinearity=nonlinearity)
        recording = deconvnet.forward(own, "pool1")
        changed = recording.with_switches(deconvnet.forward(other, "pool1").switches)
        for which, wanted in ((changed, expected), (recording, [7, 0, 0, 0])):
            assert which.project(units((0, 0, 0, 0))).pixels.flatten().tolist() == wanted
            assert which.project_maps(0).flatten().tolist() == wanted


def test_switches_of_other_poolings_or_of_more_pictures_are_refused(tiny):
    recording = Deconvnet(tiny).forward(noise(2, 32), "relu2")
    for images, layer in ((noise(3, 32), "relu2"), (noise(2, 32), "pool2"), (noise(2, 40), "relu2")):
        with pytest.raises(ValueError, match="relu2 has switches of"):
            recording.with_switches(Deconvnet(tiny).forward(images, layer).switches)


# ---- signals that are no activations


@pytest.mark.parametrize("nonlinearity", REVERSALS)
@pytest.mark.parametrize("layer", ["relu2", "fc4"])
def test_any_signal_goes_down_in_the_picture_that_it_is_given(tiny, nonlinearity, layer):
    images, draw = noise(3, 32), torch.Generator().manual_seed(0)
    recording = Deconvnet(tiny, nonlinearity=nonlinearity).forward(images, layer)
    seed = torch.randn(2, *recording.activations.shape[1:], generator=draw)
    seed = seed.abs() if layer == "relu2" else seed  # the oracle rectifies at the layer itself
    before, which = seed.clone(), torch.tensor([2, 0])
    steps = dict(recording.signals(seed, which))
    assert torch.equal(seed, before)
    assert list(steps)[-1] == "conv1: filtered"
    for i, image in enumerate(which):
        oracle = Oracle(tiny, images[image], layer, nonlinearity=nonlinearity)
        assert agrees(steps["conv1: filtered"][i], oracle._down(layer, seed[i : i + 1]))
    for wrong, of in ((seed[:, 1:], which), (seed, which[:1])):
        with pytest.raises(ValueError, match=f"{layer} takes signals"):
            next(recording.signals(wrong, of))


# ---- refusals


@pytest.mark.parametrize("option", ["nonlinearity", "shared", "switches"])
def test_an_unknown_option_is_refused_with_those_there_are(tiny, option):
    with pytest.raises(ValueError, match=rf"{option} is one of \w+, \w+, \w+, not 'first'"):
        Deconvnet(tiny, **{option: "first"})
