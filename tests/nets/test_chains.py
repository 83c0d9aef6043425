"""Chains of layers: how they are named, that every one can be walked back, and what is refused by name."""

from collections import OrderedDict

import pytest
import small
import torch
import torchvision
from deconvnet_cases import (
    CHAINS,
    REVERSALS,
    check_against_oracle,
    even,
    noise,
    units,
)
from graph_cases import LAYERS, compare, picture, prepared, torchvisions
from torch import nn

from zfutils.deconv.deconvnet import Deconvnet, Units
from zfutils.nets.chains import chain, steps
from zfutils.nets.pooling import AVERAGES


@pytest.fixture
def tiny():
    return prepared(small.SPEC.build())


# ---- names


def test_vggs_convolutions_are_named_by_their_block_and_alexnets_by_their_number():
    with torch.device("meta"):
        vgg, alexnet = torchvision.models.vgg11_bn(), torchvision.models.alexnet()
    assert Deconvnet(chain(alexnet)).layers == (
        "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "conv4", "relu4",
        "conv5", "relu5", "pool5", "fc6", "relu6", "fc7", "relu7", "fc8",
    )  # fmt: skip
    blocks = [(1,), (1,), (1, 2), (1, 2), (1, 2)]  # configuration A of Simonyan & Zisserman 2015
    expected = []
    for block, convolutions in enumerate(blocks, start=1):
        for i in convolutions:
            expected += [f"conv{block}_{i}", f"relu{block}_{i}"]
        expected.append(f"pool{block}")
    assert list(Deconvnet(chain(vgg)).layers) == [*expected, "fc6", "relu6", "fc7", "relu7", "fc8"]
    assert list(chain(vgg)._modules)[:4] == ["conv1_1", "bn1_1", "relu1_1", "pool1"]


def test_a_flat_network_with_names_keeps_them_and_its_modules():
    named = nn.Sequential(OrderedDict(edges=nn.Conv2d(3, 4, 3), squash=nn.ReLU(), shrink=nn.MaxPool2d(2)))
    assert dict(chain(named)._modules) == dict(named._modules)
    assert Deconvnet(named).layers == ("edges", "squash", "shrink")


def test_nested_and_numbered_networks_are_named_by_what_stands_there():
    first, last = nn.Conv2d(3, 4, 3), nn.Linear(8, 2)
    block = nn.Sequential(OrderedDict(edges=first, squash=nn.ReLU(), again=nn.ReLU()))
    model = nn.Sequential(block, nn.BatchNorm2d(4), nn.Conv2d(4, 8, 1), nn.Flatten(), nn.Dropout(), last)
    found = chain(model)._modules
    assert list(found) == ["conv1", "relu1", "relu-2", "bn1", "conv2", "flatten-5", "skip-6", "fc3"]
    assert found["conv1"] is first
    assert found["fc3"] is last


def test_every_step_knows_its_kind_and_what_slides():
    found = [(step.name, step.kind, *step.window) for step in steps(small.SPEC.build())]
    assert found == [
        ("conv1", "conv", 5, 2, 0), ("relu1", "relu", 1, 1, 0), ("pool1", "pool", 3, 2, 1),
        ("norm1", "norm", 1, 1, 0), ("conv2", "conv", 3, 1, 1), ("relu2", "relu", 1, 1, 0),
        ("pool2", "pool", 3, 2, 0), ("flatten", "flatten", 1, 1, 0), ("fc3", "fc", 1, 1, 0),
        ("relu3", "relu", 1, 1, 0), ("drop3", "skip", 1, 1, 0), ("fc4", "fc", 1, 1, 0),
    ]  # fmt: skip


# ---- the way back


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_alexnet_and_vgg_agree_up_to_the_last_layer(name):
    alive = check_against_oracle(
        torchvisions(name, torch.float32), noise(1, 224), ["fc8"], few=1, windows=False
    )
    assert alive["fc8"] == 1


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "vgg11_bn", "vgg16", "vgg16_bn"])
def test_the_convolutions_of_alexnet_and_vgg_agree(name):
    model, images = torchvisions(name, torch.float32), noise(1, 64 if name == "alexnet" else 40)
    layers = Deconvnet(chain(model)).layers
    layers = layers[: layers.index("pool5" if name == "alexnet" else "conv4_2")][::-6]
    assert check_against_oracle(model, images, layers, few=1) == dict.fromkeys(layers, 1)
    assert torch.equal(chain(model)(images), model(images))


@pytest.mark.parametrize("nonlinearity", REVERSALS)
@pytest.mark.parametrize("name", CHAINS)
def test_other_chains_agree_in_every_layer(name, nonlinearity):
    model = prepared(CHAINS[name]())
    layers = Deconvnet(model).layers
    assert len(layers) == sum(
        isinstance(m, (nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Linear, *AVERAGES))
        for m in chain(model)._modules.values()
    )
    images = torch.cat([noise(1, 32), even(1, 32)])
    alive = check_against_oracle(model, images, layers, nonlinearity=nonlinearity)
    assert alive.total() > 5 * len(layers)


# ---- layers that are refused


def layer_between(module):
    return nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 4, 3), middle=module, conv2=nn.Conv2d(4, 4, 3)))


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.AvgPool2d(2, ceil_mode=True), r"middle.*AvgPool2d.*ceil_mode"),
        (nn.AvgPool2d(2, padding=1, count_include_pad=False), r"middle.*AvgPool2d.*count_include_pad"),
        (nn.AvgPool2d((2, 3)), r"middle.*AvgPool2d.*kernel_size is \(2, 3\)"),
        (nn.LPPool2d(2, 2), r"middle.*LPPool2d.*MaxPool2d"),
        (nn.GELU(), r"middle.*GELU.*ReLU"),
        (nn.Dropout2d(), r"middle.*Dropout2d.*Dropout"),
        (nn.ConvTranspose2d(4, 4, 3), r"middle.*ConvTranspose2d"),
        (nn.MaxPool2d(3, 2, return_indices=True), r"middle.*MaxPool2d.*return_indices"),
        (nn.MaxPool2d(3, 2, dilation=2), r"middle.*MaxPool2d.*dilation is 2"),
        (nn.MaxPool2d((3, 2), 2), r"middle.*MaxPool2d.*kernel_size is \(3, 2\)"),
        (nn.MaxPool2d(17, 2), r"middle.*MaxPool2d.*kernel"),
        (nn.Conv2d(4, 4, 3, stride=(1, 2)), r"middle.*Conv2d.*stride is \(1, 2\)"),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), r"middle.*Conv2d.*'reflect'"),
        (nn.BatchNorm2d(4, track_running_stats=False), r"middle.*BatchNorm2d.*running statistics"),
        (nn.Linear(4, 4), r"middle.*Linear.*vector"),
        (nn.Flatten(0), r"middle.*Flatten.*keep images apart"),
        (nn.Flatten(), r"conv2 \(Conv2d\) stands after the map is made a vector"),
        (Residual(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()), r"Residual"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_layer_that_is_no_part_of_a_plain_chain_is_refused_with_the_reason(module, message):
    with pytest.raises(ValueError, match=message):
        steps(layer_between(module).eval())


def test_a_network_without_layers_is_refused():
    with pytest.raises(ValueError, match="the model has no layers"):
        steps(nn.Sequential())


def test_networks_that_are_no_plain_chain_are_refused():
    with torch.device("meta"):
        model = torchvision.models.resnet18()
    for refused in (chain, steps):
        with pytest.raises(ValueError, match=r"ResNet.*plain chain.*nn\.Sequential.*AlexNet.*VGG"):
            refused(model)


def test_a_batchnorm_in_training_mode_is_refused():
    model = CHAINS["BatchNorm2d"]().train()
    with pytest.raises(ValueError, match=r"bn1.*training mode.*eval"):
        Deconvnet(model).project(noise(2, 32), "relu2", units((0, 0, 0, 0)))


def test_an_adaptive_pool_that_averages_is_reversed_by_its_transpose():
    model, image = torchvisions("alexnet"), picture(128, 144)  # maps of 3×3 become 6×6
    assert compare(model, image, {"fc8": LAYERS["alexnet"]["fc8"]}, 1e-12) == 1


# ---- units and images that are refused


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
        (torch.zeros(1, 3, 32, 32, dtype=torch.int64), r"uint8.*not int64"),
        (torch.zeros(32, 32), r"\(1, 32\)|\(32, 32\)"),
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
