"""Networks, pictures and units on which projections are tested, and the comparison with the oracle."""

import re
from collections import Counter, OrderedDict
from dataclasses import replace
from functools import cache

import pytest
import small
import torch
from deconvnet_oracle import Oracle
from graph_cases import prepared
from torch import nn

from zfutils.data.parts import PartsImages
from zfutils.deconv.deconvnet import Deconvnet, Units, chain
from zfutils.nets import zoo
from zfutils.nets.pooling import BlurPool2d

RULES = ("add", "last", "largest")
REVERSALS = ("deconvnet", "guided", "gradient")


# ---- networks


@cache
def quarter_zfnet(side=224):
    """A quarter as wide as the paper's; shared by all that ask, and changed by none."""
    return prepared(zoo.zfnet(image=side).scaled(0.25).build())


def without_norm(*, biases=True):
    spec = zoo.zfnet(20, 128).scaled(0.2)
    spec = replace(spec, convolutions=tuple(replace(c, norm=False) for c in spec.convolutions))
    model = prepared(spec.build())
    for name, parameter in model.named_parameters():
        if name.endswith("bias") and not biases:
            parameter.data.zero_()
    return model


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


def averages():
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.AvgPool2d(3, 2, 1),
        nn.Conv2d(8, 6, 3), nn.ReLU(), nn.MaxPool2d(3, 1), BlurPool2d(2), nn.Conv2d(6, 5, 3), nn.ReLU(),
    )  # fmt: skip


CHAINS = {
    "averages and blurs": averages,
    "BatchNorm2d": lambda: batchnorms(True),
    "BatchNorm2d without weights": lambda: batchnorms(False),
    "nested, in place": nested,
    "one ReLU used twice": one_relu,
    "LocalResponseNorm": pytorchs_norm,
    "groups, gaps between pools": in_groups,
    "ContrastNorm": small.SPEC.build,
}


# ---- pictures


def noise(n, height, width=None, *, seed=0):
    return torch.randn(n, 3, height, width or height, generator=torch.Generator().manual_seed(seed))


def even(n, side, *, seed=0):
    """Pictures of a few even patches, in which most pools see one value nine times."""
    return nn.functional.interpolate(noise(n, 4, seed=seed), side, mode="nearest")


def parts(n, side):
    pictures = PartsImages(split="validation", n=n, size=side)
    pixels = torch.stack([torch.from_numpy(pictures[i]) for i in range(n)])
    return (pixels.permute(0, 3, 1, 2).float() - 128) / 64


# ---- units


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


# ---- the comparison


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
    """Both roads, by windows and by whole images, against the oracle.

    Args:
        few: so many units of `chosen`, the last; all without it.
        windows: the road by windows too. In an even picture most maxima are ties to within rounding, and a
            convolution of a window may round otherwise than one of the whole picture; a unit of a fully
            connected layer has no window, and both roads are one.

    Returns:
        By layer, how many of the patterns are not zero.
    """
    deconvnet = Deconvnet(chain(model), **options)
    names, alive = counted(deconvnet.layers), Counter()
    top = max((names[layer] for layer in layers), key=list(names.values()).index)
    oracles = [Oracle(model, image, top, **options) for image in images]
    for layer in layers:
        recording = deconvnet.forward(images, layer)
        which = Units(*(t[-few:] for t in chosen(recording.activations)))
        roads = [recording.project(which), *([deconvnet.project(images, layer, which)] if windows else [])]
        found = [road.placed(*images.shape[2:]) for road in roads]
        for i, (image, *place) in enumerate(torch.stack(which, 1).tolist()):
            unit = (names[layer], *place)
            expected, value = oracles[image].project(*unit), oracles[image].value(*unit)
            if not agrees(found[0][i], expected):
                switches = {names[pool]: places[image] for pool, places in recording.switches.items()}
                oracle = with_switches(oracles[image], model, images[image], unit[0], switches, **options)
                expected = oracle.project(*unit)
            for road, patterns in zip(roads, found, strict=True):
                assert agrees(patterns[i], expected), (image, unit)
                assert road.values[i].item() == pytest.approx(value, rel=1e-4, abs=1e-5)
            alive[layer] += bool(expected.any())
    return alive
