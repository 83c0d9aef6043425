"""Projections against an oracle that back-propagates, against cases worked by hand, and against captum."""

import copy
import re
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import captum.attr
import pytest
import small
import torch
import torchvision
from deconvnet_oracle import Oracle
from torch import nn

from zfutils import checkpoints, networks
from zfutils.deconvnet import Deconvnet, Units, chain
from zfutils.geometry import seen_by
from zfutils.images.parts import PartsImages

REFERENCE = Path(__file__).parent.parent / "book" / "reference" / "networks" / "zfnet-0"
LAYERS = (
    "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "conv4", "relu4",
    "conv5", "relu5", "pool5", "fc6", "relu6", "fc7", "relu7", "fc8",
)  # fmt: skip
RULES = ("add", "last", "largest")
REVERSALS = ("deconvnet", "guided", "gradient")


# ---- what the tests share


def prepared(model, seed=0):
    """Weights by He 2015, biases and statistics that are not zero, eval mode: a bias that counts is seen."""
    draw = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.normal_(0, (2 / module.weight[0].numel()) ** 0.5, generator=draw)
            module.bias.data.normal_(0, 0.1, generator=draw)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=draw)
            module.running_var.uniform_(0.5, 2, generator=draw)
            if module.affine:
                module.bias.data.normal_(0, 0.3, generator=draw)
                module.weight.data.uniform_(-1, 2, generator=draw)
    return model.eval()


@pytest.fixture(scope="module")
def zfnet():
    return prepared(networks.zfnet().scaled(0.25).build())


@pytest.fixture(scope="module")
def trained():
    return checkpoints.load(REFERENCE).model


@pytest.fixture
def tiny():
    return prepared(small.SPEC.build())


def noise(n, height, width=None, *, seed=0):
    return torch.randn(n, 3, height, width or height, generator=torch.Generator().manual_seed(seed))


def even(n, side, *, seed=0):
    """Pictures of a few even patches, in which most pools see one value nine times."""
    return nn.functional.interpolate(noise(n, 4, seed=seed), side, mode="nearest")


def parts(n, side):
    pictures = PartsImages(split="validation", n=n, size=side)
    pixels = torch.stack([torch.from_numpy(pictures[i]) for i in range(n)])
    return (pixels.permute(0, 3, 1, 2).float() - 128) / 64


def units(*rows):
    """From (image, map, row, column) each."""
    return Units(*torch.tensor(rows).T)


def strongest_at(activations, image, places):
    return [(image, int(activations[image, :, r, c].argmax()), r, c) for r, c in places]


def chosen(activations):
    """Each image's strongest unit; of the first image also at corners and edges, of vectors the weakest."""
    n = len(activations)
    if activations.ndim == 2:
        weakest = (0, int(activations[0].argmin()), 0, 0)
        return units(weakest, *((i, int(activations[i].argmax()), 0, 0) for i in range(n)))
    height, width = activations.shape[2:]
    middle, bottom, right = (height // 2, width // 2), height - 1, width - 1
    places = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
    places += [(0, middle[1]), (middle[0], 0), (bottom, middle[1]), (middle[0], right)]
    found = strongest_at(activations, 0, places)
    for i in range(n):
        flat = int(activations[i].amax(0).argmax())
        found += strongest_at(activations, i, [divmod(flat, width)])
    return units(*found)


def agrees(found, expected):
    """max|a−b| ≤ 1e-5·max|b|; both zero agree too."""
    return (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def counted(layers):
    """The oracle's names, which count the layers with weights: conv1_2 of VGG is conv2."""
    number, names = 0, {}
    for layer in layers:
        kind = re.match("[a-z]+", layer)[0]
        number += kind in ("conv", "fc")
        names[layer] = f"{kind}{number}"
    return names


def taken_from(places, pool):
    """Rows and columns that switches point to, each (…, h, w), in the map that is pooled."""
    kernel, stride, padding = pool
    places = places.long()
    rows = torch.arange(places.shape[-2])[:, None] * stride - padding + places // kernel
    return rows, torch.arange(places.shape[-1]) * stride - padding + places % kernel


def with_switches(oracle, model, image, layer, switches, **options):
    """The oracle with recorded switches, once each is shown to point to a maximum to within the last bits.

    A way up that adds in another order finds another maximum where two values differ by rounding, and both
    are right: of VGG's millions of pools a few do.
    """
    for pool, places in switches.items():
        below, module = oracle.pools[pool]
        rows, columns = taken_from(places, (module.kernel_size, module.stride, module.padding))
        found, largest = (
            below[0, torch.arange(len(rows))[:, None, None], rows, columns],
            oracle.activations[pool],
        )
        assert (largest[0] - found).max() <= 1e-5 * largest.abs().max()
    switches = {pool: places[None] for pool, places in switches.items()}
    return Oracle(model, image, layer, switches=switches, **options)


def check_against_oracle(model, images, layers, *, few=0, windows=True, **options):
    """Both roads, by windows and by whole images, against the oracle; returns how many patterns are not zero.

    Args:
        few: so many units of `chosen`, the last; all without it.
        windows: the road by windows too. In an even picture most maxima are ties to within rounding, and a
            convolution of a window may round otherwise than one of the whole picture.
    """
    deconvnet = Deconvnet(chain(model), **options)
    names, alive = counted(deconvnet.layers), 0
    top = max((names[layer] for layer in layers), key=list(names.values()).index)
    oracles = [Oracle(model, image, top, **options) for image in images]
    for layer in layers:
        recording = deconvnet.forward(images, layer)
        which = Units(*(t[-few:] for t in chosen(recording.activations)))
        by_window, by_recording = deconvnet.project(images, layer, which), recording.project(which)
        found = (by_window.placed(*images.shape[2:]), by_recording.placed(*images.shape[2:]))
        for i, (image, *place) in enumerate(torch.stack(which, 1).tolist()):
            unit = (names[layer], *place)
            expected, value = oracles[image].project(*unit), oracles[image].value(*unit)
            if not agrees(found[1][i], expected):
                switches = {names[pool]: places[image] for pool, places in recording.switches.items()}
                oracle = with_switches(oracles[image], model, images[image], unit[0], switches, **options)
                expected = oracle.project(*unit)
            assert agrees(found[0][i], expected) or not windows, (image, unit)
            assert agrees(found[1][i], expected), (image, unit)
            assert by_window.values[i].item() == pytest.approx(value, rel=1e-4, abs=1e-5)
            assert by_recording.values[i].item() == pytest.approx(value, rel=1e-4, abs=1e-5)
            alive += bool(expected.any())
    return alive


# ---- against the oracle, on ZFNet


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_of_zfnet_agrees_with_back_propagation(zfnet, layer):
    images = torch.cat([noise(1, 224), parts(1, 224)])
    assert check_against_oracle(zfnet, images, [layer], few=2) >= 1


@pytest.mark.parametrize("nonlinearity", ["deconvnet", "guided", "gradient"])
def test_even_pictures_agree(zfnet, nonlinearity):
    layers, options = ["conv2", "relu3", "relu5", "pool5", "fc8"], {"nonlinearity": nonlinearity}
    assert check_against_oracle(zfnet, even(1, 224), layers, few=3, windows=False, **options) >= 4


def test_exact_ties_go_to_the_first_place_by_both_roads():
    generator = torch.Generator().manual_seed(0)
    first = (nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    model = nn.Sequential(*first, nn.Conv2d(4, 5, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2))
    for parameter in model.parameters():  # whole numbers add up to the same sum in every order
        parameter.data = torch.randint(-2, 3, parameter.shape, generator=generator).float()
    images = even(2, 40).round()
    recording = Deconvnet(model).forward(images, "pool2")
    maps, height, width = recording.activations.shape[1:]
    every = torch.cartesian_prod(*(torch.arange(n) for n in (2, maps, height, width)))
    which = units(*every.tolist())
    by_window, by_recording = Deconvnet(model).project(images, "pool2", which), recording.project(which)
    assert torch.equal(by_window.pixels, by_recording.pixels)
    oracles = [Oracle(model, image, "pool2") for image in images]
    ties = 0
    for (image, *place), pattern in zip(every.tolist(), by_window.placed(40, 40), strict=True):
        expected = oracles[image].project("pool2", *place)
        assert torch.equal(pattern, expected)
        ties += bool(expected.any())
    assert ties > 50


@pytest.mark.parametrize("layer", ["relu1", "pool2", "conv3", "relu5", "pool5"])
def test_units_at_corners_and_edges_agree(zfnet, layer):
    assert check_against_oracle(zfnet, noise(1, 224, seed=1), [layer]) == 9


@pytest.mark.parametrize("images", [noise(1, 224), parts(1, 224)], ids=["noise", "parts"])
def test_a_trained_network_agrees(trained, images):
    layers = ["conv1", "relu1", "relu2", "pool2", "relu3", "conv4", "relu5", "pool5"]
    assert check_against_oracle(trained, images, layers, few=2) >= 12


def test_a_trained_networks_fully_connected_layers_agree(trained):
    images = torch.cat([parts(1, 128), even(1, 128)])  # a unit there sees the whole picture
    assert check_against_oracle(trained, images, ["fc6", "relu6", "relu7", "fc8"]) >= 10


def test_the_papers_width_agrees():
    model = prepared(networks.zfnet().scaled(1, fc_width=1 / 64).build())
    assert check_against_oracle(model, noise(1, 224), ["relu2", "relu5", "fc8"], few=1) == 3


@pytest.mark.parametrize("nonlinearity", ["guided", "gradient"])
def test_guided_and_gradient_agree(zfnet, nonlinearity):
    layers = ["conv2", "relu3", "pool5", "fc8"]
    assert check_against_oracle(zfnet, noise(1, 224), layers, few=3, nonlinearity=nonlinearity) >= 8


def test_an_image_that_is_zero_everywhere_agrees(zfnet):
    assert check_against_oracle(zfnet, torch.zeros(1, 3, 224, 224), ["relu3", "pool5"], few=2) == 4


@pytest.mark.parametrize("size", [(150, 211), (97, 64)])
def test_images_need_not_be_square_and_a_batch_may_be_of_one(zfnet, size):
    assert check_against_oracle(zfnet, noise(1, *size), ["pool1", "conv3", "relu5"]) > 20


@pytest.mark.parametrize("layer", ["conv1", "relu1", "pool1", "relu3", "pool5", "fc6", "fc8"])
def test_a_whole_map_agrees_with_the_oracle_seeded_with_it(zfnet, layer):
    images, maps = noise(2, 224), torch.tensor([3, 11])
    found = Deconvnet(zfnet).forward(images, layer).project_maps(maps)
    for image, unit, pattern in zip(images, maps.tolist(), found, strict=True):
        expected = Oracle(zfnet, image, layer).project_map(layer, unit)
        assert agrees(pattern, expected)
        assert expected.any() or layer == "fc6"


# ---- against the oracle, on other chains


def narrow(build):
    """A torchvision network with all its convolutions and few fully connected units."""
    with torch.device("meta"):
        model = build()
    inputs = next(m for m in model.classifier if isinstance(m, nn.Linear)).in_features
    for i, module in enumerate(model.classifier):
        if isinstance(module, nn.Linear):
            model.classifier[i], inputs = nn.Linear(inputs, 24), 24
    return prepared(model.to_empty(device="cpu"))


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_alexnet_and_vgg_agree_up_to_the_last_layer(name):
    model = narrow(getattr(torchvision.models, name))
    last = Deconvnet(chain(model)).layers[-1]
    assert last == "fc8"
    assert check_against_oracle(model, noise(1, 224), [last], few=1) == 1


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "vgg11_bn", "vgg16", "vgg16_bn"])
def test_the_convolutions_of_alexnet_and_vgg_agree(name):
    model, images = narrow(getattr(torchvision.models, name)), noise(1, 64 if name == "alexnet" else 40)
    layers = Deconvnet(chain(model)).layers
    layers = layers[: layers.index("pool5" if name == "alexnet" else "conv4_2")][::-6]
    assert check_against_oracle(model, images, layers, few=1) == len(layers)
    assert torch.equal(chain(model)(images), model(images))


def batchnorms(affine):
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, 2), nn.BatchNorm2d(8, affine=affine), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(8, 6, 3, padding=1), nn.BatchNorm2d(6, affine=affine), nn.ReLU(), nn.MaxPool2d(2),
    )  # fmt: skip


def nested():
    first = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.Sequential(nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)))
    second = nn.Sequential(OrderedDict(a=nn.Conv2d(8, 6, 3), b=nn.ReLU(inplace=True), c=nn.Dropout()))
    return nn.Sequential(first, nn.Identity(), second, nn.Flatten(), nn.Linear(96, 5))


def one_relu():
    relu = nn.ReLU()
    return nn.Sequential(nn.Conv2d(3, 8, 5, 2), relu, nn.MaxPool2d(3, 2), nn.Conv2d(8, 6, 3), relu)


def pytorchs_norm():
    norm = nn.LocalResponseNorm(5, alpha=0.5, k=2.0)
    return nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.ReLU(), norm, nn.MaxPool2d(3, 2), nn.Conv2d(8, 6, 3))


def in_groups():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2, 3), nn.Conv2d(8, 6, 3, 2, 1, groups=2), nn.ReLU()
    )


CHAINS = {
    "BatchNorm2d": lambda: batchnorms(True),
    "BatchNorm2d without weights": lambda: batchnorms(False),
    "nested, in place": nested,
    "one ReLU used twice": one_relu,
    "LocalResponseNorm": pytorchs_norm,
    "groups, gaps between pools": in_groups,
    "ContrastNorm": small.SPEC.build,
}


@pytest.mark.parametrize("nonlinearity", REVERSALS)
@pytest.mark.parametrize("name", CHAINS)
def test_other_chains_agree_in_every_layer(name, nonlinearity):
    model = prepared(CHAINS[name]())
    layers = Deconvnet(model).layers
    assert len(layers) == sum(
        isinstance(m, nn.Conv2d | nn.ReLU | nn.MaxPool2d | nn.Linear) for m in chain(model)._modules.values()
    )
    images = torch.cat([noise(1, 32), even(1, 32)])
    assert check_against_oracle(model, images, layers, nonlinearity=nonlinearity) > 5 * len(layers)


def without_norm(*, biases=True):
    spec = networks.zfnet(20, 128).scaled(0.2)
    spec = replace(spec, convolutions=tuple(replace(c, norm=False) for c in spec.convolutions))
    model = prepared(spec.build())
    for name, parameter in model.named_parameters():
        if name.endswith("bias") and not biases:
            parameter.data.zero_()
    return model


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations:UserWarning")
@pytest.mark.parametrize(
    ("layer", "place"), [("relu1", (5, 9)), ("relu3", (0, 6)), ("pool5", (2, 2)), ("fc8", ())]
)
def test_without_norm_the_pattern_is_captums(layer, place):
    model, image = without_norm(), noise(1, 128).requires_grad_()
    recording = Deconvnet(model).forward(image, layer)
    unit = int(recording.activations[(0, slice(None), *place)].argmax())
    theirs = captum.attr.NeuronDeconvolution(model, getattr(model, layer)).attribute(image, (unit, *place))
    ours = recording.project(units((0, unit, *(place or (0, 0)))))
    assert ours.values.item() > 0
    assert theirs.any()
    assert agrees(ours.placed(128, 128), theirs.detach() * ours.values)  # captum starts from 1


# ---- by hand


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


@pytest.mark.parametrize(
    ("nonlinearity", "expected"),
    [("deconvnet", [2, 0, 2, 0]), ("gradient", [2, -2, 0, 0]), ("guided", [2, 0, 0, 0])],
)
def test_the_three_reversals_of_relu_by_hand(nonlinearity, expected):
    image = torch.tensor([3.0, 1, -2, -4]).view(1, 1, 2, 2)  # the unit is 3 - 1 = 2
    model = nn.Sequential(*identity()[:2], *weighted(1, -1, 1, -1))
    found = by_all_roads(model, image, "fc2", (0, 0, 0), nonlinearity=nonlinearity)
    assert found.flatten().tolist() == expected


# ---- switches, and the rules for shared ones


@pytest.mark.parametrize(
    "pool", [(3, 2, 0), (3, 2, 1), (2, 2, 0), (2, 1, 1), (3, 3, 1), (2, 3, 0), (5, 1, 2)]
)
@pytest.mark.parametrize(
    "images", [noise(2, 23, 18), even(2, 20), torch.zeros(1, 3, 9, 12)], ids=["noise", "even", "zero"]
)
def test_recorded_switches_are_pytorchs(pool, images):
    model = prepared(nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(*pool)))
    below = Deconvnet(model).forward(images, "relu1").activations
    recording = Deconvnet(model).forward(images, "pool1")
    expected, places = nn.functional.max_pool2d(below, *pool, return_indices=True)
    rows, columns = taken_from(recording.switches["pool1"], pool)
    assert torch.equal(recording.activations, expected)
    assert torch.equal(rows * below.shape[3] + columns, places)


def test_switches_are_kept_of_the_pools_up_to_the_layer(zfnet):
    images, deconvnet = noise(1, 64), Deconvnet(zfnet)
    assert not deconvnet.forward(images, "relu1").switches
    assert set(deconvnet.forward(images, "pool1").switches) == {"pool1"}
    switches = deconvnet.forward(images, "relu3").switches
    assert {name: (t.dtype, *t.shape) for name, t in switches.items()} == {
        "pool1": (torch.uint8, 1, 24, 15, 15),
        "pool2": (torch.uint8, 1, 64, 3, 3),
    }


@pytest.mark.parametrize("pool", [(3, 2, 1), (2, 1, 1), (5, 1, 2), (3, 2, 0)])
@pytest.mark.parametrize("rule", ["centred", "random"])
def test_switches_that_are_not_recorded_lie_in_the_map_too(rule, pool):
    model = prepared(nn.Sequential(nn.Conv2d(3, 40, 3), nn.ReLU(), nn.MaxPool2d(*pool)))
    switches = Deconvnet(model, switches=rule).forward(noise(1, 16, 19), "pool1").switches["pool1"]
    for places, size in zip(taken_from(switches, pool), (14, 17), strict=True):
        assert places.min() >= 0
        assert places.max() < size
    inside = switches[:, :, 2:-2, 2:-2]
    middle = pool[0] // 2 * (pool[0] + 1)
    assert set(inside.unique().tolist()) == ({middle} if rule == "centred" else set(range(pool[0] ** 2)))


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
    for layer in ("pool1", "conv2", "pool2", "fc4"):
        recording = deconvnet.forward(image, layer)
        which = Units(*(t[-3:] for t in chosen(recording.activations)))
        oracle = Oracle(tiny, image[0], layer, switches=recording.switches, **options)
        roads = [recording.project(which).placed(32, 32)]
        if switches != "random":  # those are drawn anew on each unit's window
            roads.append(deconvnet.project(image, layer, which).placed(32, 32))
        for i, (_, *unit) in enumerate(torch.stack(which, 1).tolist()):
            expected = oracle.project(layer, *unit)
            assert all(agrees(patterns[i], expected) for patterns in roads), (layer, unit)
            assert agrees(recording.walk(Units(*(t[[i]] for t in which)))[-1][1][0], expected), (layer, unit)


# ---- what a projection is


def test_a_seed_twice_as_large_gives_a_pattern_twice_as_large(tiny):
    images, which, deconvnet = noise(2, 32), units((0, 7, 0, 3), (1, 7, 4, 4)), Deconvnet(tiny)
    before = deconvnet.project(images, "conv2", which)
    for values in (tiny.conv2.weight.data, tiny.conv2.bias.data):
        values[7] *= 2
    after = deconvnet.project(images, "conv2", which)
    assert before.pixels.flatten(1).any(1).all()
    assert torch.equal(after.values, 2 * before.values)
    assert torch.equal(after.pixels, 4 * before.pixels)  # twice by the seed, twice by the filter itself


def test_without_norm_and_biases_the_pattern_is_as_many_times_stronger_as_the_picture():
    deconvnet, images = Deconvnet(without_norm(biases=False)), noise(1, 128)
    for layer in ("relu1", "pool5", "fc8"):
        which = chosen(deconvnet.forward(images, layer).activations)
        before = deconvnet.project(images, layer, which).pixels
        assert before.any()
        assert torch.equal(deconvnet.project(4 * images, layer, which).pixels, 4 * before)


@pytest.mark.parametrize("layer", ["conv1", "relu1"])
def test_where_no_relu_lies_between_a_map_is_the_sum_of_its_units(zfnet, layer):
    recording = Deconvnet(zfnet).forward(noise(1, 21), layer)
    side = recording.activations.shape[2]
    every = units(*((0, 5, r, c) for r in range(side) for c in range(side)))
    expected = recording.project(every).placed(21, 21).sum(0)
    assert expected.any()
    assert agrees(recording.project_maps(torch.tensor([5]))[0], expected)


def test_the_pattern_in_the_whole_image_lies_in_the_units_receptive_field(zfnet):
    deconvnet, images = Deconvnet(zfnet), noise(1, 128)
    for stage in networks.zfnet(image=128).stages():
        if stage.field is None:
            continue
        recording = deconvnet.forward(images, stage.name)
        which = chosen(recording.activations)
        projections = recording.project(which)
        assert deconvnet.window(stage.name) == stage.field
        for i, (_, _, row, column) in enumerate(torch.stack(which, 1).tolist()):
            rows, columns = seen_by(row, stage.field), seen_by(column, stage.field)
            assert (projections.tops[i], projections.lefts[i]) == (rows.start, columns.start)
            pattern = recording.walk(Units(*(t[[i]] for t in which)))[-1][1][0]
            assert pattern.any()
            pattern[:, max(rows.start, 0) : rows.stop, max(columns.start, 0) : columns.stop] = 0
            assert not pattern.any()


def test_a_window_beyond_the_border_is_zero_there(zfnet):
    images, which = noise(1, 128), units((0, 3, 0, 0), (0, 3, 6, 6))
    found = Deconvnet(zfnet).project(images, "conv5", which)
    assert found.pixels.shape == (2, 3, 139, 139)
    for pixels, top, left in zip(found.pixels, found.tops.tolist(), found.lefts.tolist(), strict=True):
        rows, columns = (torch.arange(139) + start for start in (top, left))
        outside = ((rows < 0) | (rows >= 128))[:, None] | ((columns < 0) | (columns >= 128))
        assert outside.any()
        assert not pixels[:, outside].any()
        assert pixels[:, ~outside].any()


def test_nothing_outside_its_window_changes_a_projection(zfnet):
    images, deconvnet, which = noise(1, 160), Deconvnet(zfnet), units((0, 9, 4, 3))
    rows, columns = seen_by(4, deconvnet.window("relu3")), seen_by(3, deconvnet.window("relu3"))
    others = noise(1, 160, seed=5)
    inside = (..., slice(rows.start, rows.stop), slice(columns.start, columns.stop))
    others[inside] = images[inside]
    for layer in ("conv3", "relu3"):
        before, after = (deconvnet.project(i, layer, which) for i in (images, others))
        assert torch.equal(before.pixels, after.pixels)
        assert agrees(deconvnet.forward(others, layer).project(which).pixels, before.pixels)
    assert before.pixels.shape == (1, 3, 75, 75)


@pytest.mark.parametrize("layer", ["relu2", "pool2"])
def test_a_map_without_activations_has_a_pattern_of_zeros(zfnet, layer):
    model = copy.deepcopy(zfnet)
    model.conv2.bias.data[4] = -1e6
    deconvnet, images, which = Deconvnet(model), noise(2, 64), units((0, 4, 1, 1), (1, 4, 0, 0))
    recording = deconvnet.forward(images, layer)
    for projections in (deconvnet.project(images, layer, which), recording.project(which)):
        assert not projections.values.any()
        assert not projections.pixels.any()
    assert not recording.project_maps(torch.tensor([4, 4])).any()
    assert not any(signal.any() for _, signal in recording.walk(units((0, 4, 1, 1))))


@pytest.mark.parametrize("layer", ["conv1", "relu2", "pool5", "fc8"])
def test_a_walk_ends_in_the_projection_and_says_what_each_step_did(zfnet, layer):
    images, deconvnet = noise(2, 224), Deconvnet(zfnet)
    recording = deconvnet.forward(images, layer)
    which = Units(*(t[-1:] for t in chosen(recording.activations)))  # of the second image
    steps = recording.walk(which)
    unit = (0, which.maps, which.rows, which.columns)[: recording.activations.ndim]
    name, seed = steps[0]
    assert name == layer
    assert seed.count_nonzero() == 1
    assert seed[unit] == recording.project(which).values
    assert agrees(steps[-1][1], deconvnet.project(images, layer, which).placed(224, 224))
    signals = dict(steps)
    assert [name for name, _ in steps if "rectified" in name] == [
        f"relu{i}: rectified" for i in range(7, 0, -1) if LAYERS.index(f"relu{i}") < LAYERS.index(layer)
        and f"relu{i}" != layer
    ]  # fmt: skip
    if layer == "relu2":
        assert list(signals)[1:] == [
            "conv2: filtered", "pool1: unpooled", "relu1: rectified", "conv1: filtered",
        ]  # fmt: skip
        unpooled, weights = signals["pool1: unpooled"], (zfnet.conv2.weight, zfnet.conv1.weight)
        assert unpooled.min() < 0
        assert torch.equal(signals["relu1: rectified"], unpooled.clamp(min=0))
        for name, below, weight, padding in [
            ("conv2: filtered", seed, weights[0], 0),
            ("conv1: filtered", signals["relu1: rectified"], weights[1], 1),
        ]:
            expected = nn.functional.conv_transpose2d(below, weight, None, 2, padding)
            height, width = expected.shape[2:]
            assert agrees(signals[name][:, :, :height, :width], expected)
            assert not signals[name][:, :, height:].any()


# ---- how it is computed


def test_projections_repeat_bit_for_bit(zfnet):
    images, deconvnet = noise(2, 128), Deconvnet(zfnet)
    for layer in ("pool2", "relu5", "fc6"):
        images = noise(2, 224) if layer == "fc6" else images
        which = chosen(deconvnet.forward(images, layer).activations)
        first, again = (deconvnet.project(images, layer, which) for _ in range(2))
        assert torch.equal(first.pixels, again.pixels)
        first, again = (deconvnet.forward(images, layer) for _ in range(2))
        assert torch.equal(first.project(which).pixels, again.project(which).pixels)
        maps = which.maps[-2:]
        assert torch.equal(first.project_maps(maps), again.project_maps(maps))


@pytest.mark.parametrize("layer", ["relu1", "pool5", "fc7"])
def test_the_order_of_units_and_the_size_of_batches_do_not_matter(trained, layer):
    images, deconvnet = parts(3, 128), Deconvnet(trained)
    recording = deconvnet.forward(images, layer)
    which = Units(*(t[-4:] for t in chosen(recording.activations)))
    whole = deconvnet.project(images, layer, which)
    order = torch.randperm(len(which.maps), generator=torch.Generator().manual_seed(0))
    shuffled = Units(*(t[order] for t in which))
    for road in (lambda *a, **k: deconvnet.project(images, layer, *a, **k), recording.project):
        for batch in (1, 3, 100):
            found = road(shuffled, batch=batch)
            assert torch.equal(found.tops, whole.tops[order])
            assert torch.equal(found.lefts, whole.lefts[order])
            torch.testing.assert_close(found.values, whole.values[order])
            for pattern, expected in zip(found.pixels, whole.pixels[order], strict=True):
                assert agrees(pattern, expected)


def everything_about(model):
    """All that a careless visitor could leave behind."""
    found = {}
    for name, module in model.named_modules():
        kept = {k: v for k, v in vars(module).items() if k not in ("_parameters", "_buffers", "_modules")}
        found[name] = {k: len(v) if "hook" in k and v is not None else v for k, v in kept.items()}
    for name, t in (*model.named_parameters(), *model.named_buffers()):
        found[name, "tensor"] = (t.data_ptr(), t.stride(), t.dtype, t.requires_grad, t.grad, t.tolist())
    return found


@pytest.mark.parametrize("name", CHAINS)
def test_nothing_is_left_behind(name):
    model, images = prepared(CHAINS[name]()), noise(2, 32).requires_grad_()
    next(model.parameters()).requires_grad_(False)
    before, pictures = everything_about(model), images.detach().clone()
    deconvnet = Deconvnet(model, nonlinearity="guided")
    for layer in deconvnet.layers:
        recording = deconvnet.forward(images, layer)
        kept = recording.activations.clone()
        which = chosen(recording.activations)
        found = [recording.project(which), deconvnet.project(images, layer, which)]
        walked = recording.walk(Units(*(t[:1] for t in which)))
        patterns = [p.pixels for p in found] + [recording.project_maps(which.maps[:2])]
        assert not any(t.requires_grad for t in (kept, *patterns, *(signal for _, signal in walked)))
        assert torch.equal(recording.activations, kept)
    assert everything_about(model) == before
    assert torch.equal(images, pictures)
    assert torch.is_grad_enabled()


def test_a_model_in_training_mode_is_used_as_in_evaluation_and_stays_in_it(tiny):
    images, which = noise(1, 32), units((0, 1, 0, 0))
    expected = Deconvnet(tiny).project(images, "fc4", which).pixels
    tiny.train()
    assert torch.equal(Deconvnet(tiny).project(images, "fc4", which).pixels, expected)
    assert all(module.training for module in tiny.modules())


def test_relus_in_place_overwrite_neither_activations_nor_pictures():
    model = prepared(nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)))
    images, deconvnet = noise(1, 12).contiguous(memory_format=torch.channels_last), Deconvnet(model)
    before = images.clone()
    activations = deconvnet.forward(images, "conv1").activations
    expected = model[1](images.relu()).detach()
    assert expected.min() < 0
    assert agrees(activations, expected)
    deconvnet.project(images, "relu1", units((0, 0, 3, 3)))
    assert torch.equal(images, before)


# ---- refusals


def layer_between(module):
    return nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 4, 3), middle=module, conv2=nn.Conv2d(4, 4, 3)))


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.AvgPool2d(2), r"middle.*AvgPool2d.*MaxPool2d"),
        (nn.GELU(), r"middle.*GELU.*ReLU"),
        (nn.Dropout2d(), r"middle.*Dropout2d.*Dropout"),
        (nn.ConvTranspose2d(4, 4, 3), r"middle.*ConvTranspose2d"),
        (nn.MaxPool2d(3, 2, ceil_mode=True), r"middle.*MaxPool2d.*ceil_mode"),
        (nn.MaxPool2d(3, 2, return_indices=True), r"middle.*MaxPool2d.*return_indices"),
        (nn.MaxPool2d(3, 2, dilation=2), r"middle.*MaxPool2d.*dilation is 2"),
        (nn.MaxPool2d((3, 2), 2), r"middle.*MaxPool2d.*kernel_size is \(3, 2\)"),
        (nn.MaxPool2d(17, 2), r"middle.*MaxPool2d.*kernel"),
        (nn.Conv2d(4, 4, 3, dilation=2), r"middle.*Conv2d.*dilation is .*2.*not 1"),
        (nn.Conv2d(4, 4, 3, stride=(1, 2)), r"middle.*Conv2d.*stride is \(1, 2\)"),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), r"middle.*Conv2d.*'reflect'"),
        (nn.Conv2d(4, 4, 3, padding="same"), r"middle.*Conv2d.*'same'"),
        (nn.BatchNorm2d(4, track_running_stats=False), r"middle.*BatchNorm2d.*running statistics"),
        (nn.Linear(4, 4), r"middle.*Linear.*vector"),
        (Residual(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()), r"Residual"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_layer_whose_way_back_is_not_known_is_refused_with_the_reason(module, message):
    with pytest.raises(ValueError, match=message):
        Deconvnet(layer_between(module).eval())


def test_networks_that_are_no_plain_chain_are_refused():
    with torch.device("meta"):
        model = torchvision.models.resnet18()
    for refused in (chain, Deconvnet):
        with pytest.raises(ValueError, match=r"ResNet.*plain chain.*nn\.Sequential.*AlexNet.*VGG"):
            refused(model)


def test_a_batchnorm_in_training_mode_is_refused():
    model = batchnorms(True).train()
    with pytest.raises(ValueError, match=r"bn1.*training mode.*eval"):
        Deconvnet(model).project(noise(2, 32), "relu2", units((0, 0, 0, 0)))


def test_an_adaptive_pool_that_averages_is_refused_at_that_image_size():
    model = narrow(torchvision.models.alexnet)
    deconvnet, images = Deconvnet(chain(model)), noise(1, 128)
    assert deconvnet.project(images, "pool5", units((0, 0, 0, 0))).pixels.shape[0] == 1
    for refused in (
        lambda: deconvnet.forward(images, "fc8"),
        lambda: deconvnet.project(images, "fc8", units((0, 0, 0, 0))),
    ):
        with pytest.raises(ValueError, match=r"AdaptiveAvgPool2d.*average.*3×3.*\(6, 6\)"):
            refused()


@pytest.mark.parametrize("option", ["nonlinearity", "shared", "switches"])
def test_an_unknown_option_is_refused_with_those_there_are(tiny, option):
    with pytest.raises(ValueError, match=rf"{option} is one of \w+, \w+, \w+, not 'first'"):
        Deconvnet(tiny, **{option: "first"})


def test_an_unknown_layer_is_refused_with_those_there_are(tiny):
    deconvnet, images = Deconvnet(tiny), noise(1, 32)
    for refused in (
        lambda: deconvnet.forward(images, "conv6"),
        lambda: deconvnet.project(images, "conv6", units((0, 0, 0, 0))),
        lambda: deconvnet.window("conv6"),
    ):
        with pytest.raises(ValueError, match=r"'conv6' is not in this network; it has conv1, relu1, .*fc4"):
            refused()
    with pytest.raises(ValueError, match=r"norm1"):
        deconvnet.forward(images, "norm1")
    with pytest.raises(ValueError, match=r"fc3 sees the whole image"):
        deconvnet.window("fc3")


@pytest.mark.parametrize(
    ("layer", "unit", "message"),
    [
        ("relu2", (2, 0, 0, 0), r"relu2 has images 0…1 here, not 2"),
        ("relu2", (0, 12, 0, 0), r"relu2 has maps 0…11 here, not 12"),
        ("relu2", (0, 0, 7, 0), r"relu2 has rows 0…6 here, not 7"),
        ("relu2", (0, 0, 0, -1), r"relu2 has columns 0…6 here, not -1"),
        ("fc4", (0, 3, 0, 0), r"fc4 has maps 0…2 here, not 3"),
        ("fc4", (0, 0, 1, 0), r"fc4 has rows 0…0 here, not 1"),
    ],
)
def test_a_unit_that_is_not_there_is_refused(tiny, layer, unit, message):
    deconvnet, images = Deconvnet(tiny), noise(2, 32)
    recording, which = deconvnet.forward(images, layer), units((0, 0, 0, 0), unit)
    for refused in (
        lambda: deconvnet.project(images, layer, which),
        lambda: recording.project(which),
        lambda: recording.walk(units(unit)),
    ):
        with pytest.raises(ValueError, match=message):
            refused()


def test_whole_maps_that_are_not_there_are_refused(tiny):
    recording = Deconvnet(tiny).forward(noise(2, 32), "relu2")
    with pytest.raises(ValueError, match=r"maps 0…11 here, not 12"):
        recording.project_maps(torch.tensor([0, 12]))
    with pytest.raises(ValueError, match=r"one map for each of 2 images"):
        recording.project_maps(torch.tensor([0]))


def test_no_units_and_two_to_walk_down_are_refused(tiny):
    deconvnet, images = Deconvnet(tiny), noise(1, 32)
    none = Units(*torch.empty(4, 0, dtype=torch.int64))
    for refused in (
        lambda: deconvnet.project(images, "relu2", none),
        lambda: deconvnet.forward(images, "relu2").project(none),
    ):
        with pytest.raises(ValueError, match="no units"):
            refused()
    with pytest.raises(ValueError, match="one unit is walked down, not 2"):
        deconvnet.forward(images, "relu2").walk(units((0, 0, 0, 0), (0, 1, 0, 0)))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 4, 32, 32), r"takes images of 3 channels, not 4"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), r"float.*not torch\.uint8"),
        (torch.zeros(3, 32, 32), r"\(n, channels, h, w\).*\(3, 32, 32\)"),
        (torch.zeros(0, 3, 32, 32), r"\(0, 3, 32, 32\)"),
        (torch.zeros(1, 3, 32, 4), r"32×4 px are too small: conv1"),
    ],
)
def test_images_that_do_not_fit_are_refused(tiny, images, message):
    for refused in (
        lambda: Deconvnet(tiny).forward(images, "relu2"),
        lambda: Deconvnet(tiny).project(images, "relu2", units((0, 0, 0, 0))),
    ):
        with pytest.raises(ValueError, match=message):
            refused()


def test_an_image_of_another_size_than_the_fully_connected_layers_take_is_refused(tiny):
    deconvnet, images = Deconvnet(tiny), noise(1, 48)
    assert deconvnet.forward(images, "pool2").activations.shape == (1, 12, 5, 5)
    for refused in (
        lambda: deconvnet.forward(images, "fc4"),
        lambda: deconvnet.project(images, "fc4", units((0, 0, 0, 0))),
    ):
        with pytest.raises(ValueError, match=r"fc3"):
            refused()
