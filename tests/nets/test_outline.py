"""A network in outline: sizes, windows and receptive fields of every step, and the layers that are chosen."""

import numpy as np
import pytest
import torch
from graph_cases import picture, torchvisions
from torch import nn

from zfutils.nets import zoo
from zfutils.nets.activations import as_tensor, taken
from zfutils.nets.geometry import Window
from zfutils.nets.outline import default_layers, outline


class Two(nn.Module):
    """Two paths that meet in a sum, and a classifier."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 5, 2, 2), nn.Conv2d(3, 4, 3, 2, 1)
        self.relu, self.fc = nn.ReLU(), nn.Linear(4, 7)

    def forward(self, x):
        x = self.relu(self.a(x) + self.b(x))
        return self.fc(x.mean((2, 3)).view(x.size(0), -1))


def test_every_step_has_its_size_window_and_receptive_field_by_hand():
    lines = outline(Two(), torch.zeros(2, 3, 9, 12))
    assert [(line.name, line.does, line.shape) for line in lines] == [
        ("a", "Conv2d", (4, 5, 6)),
        ("b", "Conv2d", (4, 5, 6)),
        ("add", "add", (4, 5, 6)),
        ("relu", "ReLU", (4, 5, 6)),
        ("mean", "mean", (4,)),
        ("view", "view", (4,)),
        ("fc", "Linear", (7,)),
    ]
    assert [line.window for line in lines[:4]] == [Window(5, 2, 2), Window(3, 2, 1), None, None]
    assert [line.field for line in lines[:4]] == [Window(5, 2, 2), Window(3, 2, 1), *[Window(5, 2, 2)] * 2]
    assert all(line.field is None for line in lines[4:])
    places = {line.place: line.name for line in lines} | {-1: "picture"}
    assert [[places[read] for read in line.reads] for line in lines] == [
        ["picture"], ["picture"], ["a", "b"], ["add"], ["relu"], ["mean"], ["view"],
    ]  # fmt: skip


def test_the_last_rectified_maps_of_each_size_are_chosen():
    images = torch.zeros(1, 3, 64, 64)
    assert default_layers(Two(), images) == ["relu"]
    resnet = torchvisions("resnet18")
    assert default_layers(resnet, picture(64, 64)) == [
        "relu", "layer1.1.relu_1", "layer2.1.relu_1", "layer3.1.relu_1", "layer4.1.relu_1",
    ]  # fmt: skip
    assert default_layers(zoo.zfnet(10).build(), torch.zeros(1, 3, 224, 224)) == ["relu1", "relu2", "relu5"]
    assert default_layers(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Conv2d(2, 2, 3)), images) == ["conv1", "conv2"]


def test_a_network_without_maps_has_no_layers_to_choose():
    with pytest.raises(ValueError, match="no layer with maps"):
        default_layers(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), torch.zeros(1, 3, 2, 2))


def test_pictures_are_taken_in_any_form():
    model, levels = Two(), np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    seen = as_tensor(taken(model, levels))
    assert torch.equal(as_tensor(taken(model, torch.from_numpy(levels).permute(0, 3, 1, 2))), seen)
    assert torch.equal(as_tensor(taken(model, [levels[0], levels[1]])), seen)
    assert torch.equal(as_tensor(taken(model, levels[1])), seen[1:])
    assert torch.equal(taken(model, seen[0]), seen[:1])
    assert torch.equal(taken(model, seen.numpy()), seen)
    grey = nn.Sequential(nn.Conv2d(1, 2, 3))
    assert as_tensor(taken(grey, levels[..., :1])).shape == (2, 1, 224, 224)
