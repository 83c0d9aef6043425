"""Networks that are no chains, with random weights, and their comparison with the oracle."""

from functools import cache

import torch
import torchvision
from graph_oracle import Oracle
from torch import nn

from zfutils.deconv.deconvnet import Deconvnet, Units

# By network: three layers as `zfutils` names them, with the module that gives the same, and at which call.
LAYERS = {
    "alexnet": {"relu2": ("features.4", 0), "pool5": ("features.12", 0), "fc8": ("classifier.6", 0)},
    "vgg16_bn": {"relu2_2": ("features.12", 0), "conv4_1": ("features.24", 0), "relu6": ("classifier.1", 0)},
    "squeezenet1_0": {
        "features.3.expand3x3_activation": ("features.3.expand3x3_activation", 0),
        "features.9.cat": ("features.9", 0),
        "classifier.2": ("classifier.2", 0),
    },
    "googlenet": {
        "conv2.relu": ("conv2", 0),
        "inception3a.cat": ("inception3a", 0),
        "inception4c.branch4.1.conv": ("inception4c.branch4.1.conv", 0),
    },
    "resnet18": {
        "layer1.1.relu": ("layer1.1.relu", 0),
        "layer2.1.relu_1": ("layer2.1", 0),
        "fc": ("fc", 0),
    },
    "resnet50": {
        "layer1.2.relu_2": ("layer1.2", 0),
        "layer3.1.conv2": ("layer3.1.conv2", 0),
        "layer4.2.relu_2": ("layer4.2", 0),
    },
    "mobilenet_v3_small": {
        "features.0.2": ("features.0.2", 0),
        "features.3.add": ("features.3", 0),
        "features.6.block.2.mul": ("features.6.block.2", 0),
    },
}


def prepared(model: nn.Module, seed: int = 0) -> nn.Module:
    """Weights by He 2015, biases and statistics that are not zero, eval mode: a bias that counts is seen."""
    draw = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.ConvTranspose2d):
            module.weight.data.normal_(0, (2 / module.weight[0].numel()) ** 0.5, generator=draw)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=draw)
            module.running_var.uniform_(0.5, 2, generator=draw)
            if module.affine:
                module.weight.data.uniform_(-0.5, 1.5, generator=draw)
        if getattr(module, "bias", None) is not None:
            module.bias.data.normal_(0, 0.1, generator=draw)
    return model.eval()


@cache
def torchvisions(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A network of torchvision's with random weights and narrow fully connected layers; changed by none."""
    with torch.device("meta"):
        options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
        model = getattr(torchvision.models, name)(**options)
        if name.startswith(("alexnet", "vgg")):
            inputs = next(m for m in model.classifier if isinstance(m, nn.Linear)).in_features
            for i, module in enumerate(model.classifier):
                if isinstance(module, nn.Linear):
                    model.classifier[i], inputs = nn.Linear(inputs, 24), 24
    return prepared(model.to_empty(device="cpu").to(dtype))


def picture(height: int, width: int, dtype: torch.dtype = torch.float64, *, channels: int = 3, seed: int = 0):
    return torch.randn(1, channels, height, width, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def units_of(activations: torch.Tensor) -> Units:
    """The strongest unit, and the strongest half-way along the last column."""
    if activations.ndim == 2:
        rows = [(0, int(activations.argmax()), 0, 0)]
    else:
        h, w = activations.shape[2:]
        places = [divmod(int(activations[0].amax(0).argmax()), w), (h // 2, w - 1)]
        rows = [(0, int(activations[0, :, r, c].argmax()), r, c) for r, c in dict.fromkeys(places)]
    return Units(*torch.tensor(rows).T)


def compare(
    model: nn.Module, image: torch.Tensor, layers: dict[str, tuple[str, int]], within: float, **options
) -> int:
    """Both roads against the oracle, max|a−b| ≤ within·max|b|; how many patterns are not zero."""
    oracle, deconvnet, alive = Oracle(model, image[0], **options), Deconvnet(model, **options), 0
    for layer, (module, call) in layers.items():
        recording = deconvnet.forward(image, layer)
        given = oracle.outputs[module][call].detach()
        assert (recording.activations - given).abs().max() <= within * given.abs().max()
        units = units_of(recording.activations)
        roads = [recording.project(units), deconvnet.project(image, layer, units)]
        found = [road.placed(*image.shape[2:]) for road in roads]
        for i, (_, *unit) in enumerate(torch.stack(units, 1).tolist()):
            expected = oracle.project(module, call, tuple(unit[: given.ndim - 1]))
            for patterns in found:
                off = (patterns[i] - expected).abs().max() / expected.abs().max().clamp(min=1e-300)
                assert off <= within, f"{layer}, unit {unit}: {off:.1e}"
            alive += bool(expected.any())
    return alive
