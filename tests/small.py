"""A world of three classes, and a network for it, small enough to be trained within a test."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.deconv.top_activations import TopActivations
from zfutils.deconv.top_projections import TopProjections
from zfutils.nets.geometry import Window
from zfutils.nets.specs import Convolution, Dense, NetworkSpec
from zfutils.training.recipe import Plateau, Training

CLASSES = ("upright stripes", "level stripes", "a disc")

SPEC = NetworkSpec(
    "tiny",
    (
        Convolution("conv1", 8, Window(5, 2, 0), Window(3, 2, 1), norm=True),
        Convolution("conv2", 12, Window(3, 1, 1), Window(3, 2, 0)),
    ),
    (Dense("fc3", 24),),
    "fc4",
    classes=3,
    image=32,
)

PLAIN = replace(  # without contrast norm, which a gradient would not pass straight through
    SPEC, convolutions=tuple(replace(c, norm=False) for c in SPEC.convolutions)
)

RECIPE = Training(
    epochs=4,
    batch=32,
    rate=0.05,
    input_scale=1 / 64,
    initialisation="he",
    held_out=0.1,
    plateau=Plateau(factor=0.2, patience=4, drops=2),
    snapshots=(0, 1, 2),
    precision="float32",
)


def pictures(n: int = 320, *, size: int = 40, seed: int = 0) -> Pixels:
    """Noisy pictures, the classes in turn."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    images = np.empty((n, size, size, 3), dtype=np.uint8)
    for i in range(n):
        phase, wave = draw.uniform(0, 6), draw.uniform(6, 9)
        patterns = (np.sin(6.3 * x / wave + phase), np.sin(6.3 * y / wave + phase))
        disc = 2.0 * (np.hypot(x - draw.uniform(15, 25), y - draw.uniform(15, 25)) < 9) - 1
        pattern = (*patterns, disc)[i % 3][..., None] * draw.uniform(40, 90, 3)
        images[i] = (128 + pattern + draw.normal(0, 15, (size, size, 3))).clip(0, 255)
    pixels = torch.from_numpy(images)
    labels = torch.arange(n) % 3
    names = tuple(f"picture-{i}" for i in range(n))
    return Pixels(pixels, labels, pixels.float().mean(0), CLASSES, names, {"pictures": n, "seed": seed})


def built(spec: NetworkSpec = SPEC, *, seed: int = 0) -> nn.Module:
    """The network with random weights."""
    torch.manual_seed(seed)
    return spec.build().eval()


def seen(n: int) -> Inputs:
    """The first pictures as the network sees them."""
    return Inputs.of(pictures(n), side=SPEC.image, scale=RECIPE.input_scale)


def stored(images, labels=None, *, mean=0.0) -> Pixels:
    """Pictures of one's own, (n, h, w, channels), of one class unless told, with one level as their mean."""
    images = torch.as_tensor(images, dtype=torch.uint8)
    labels = torch.zeros(len(images), dtype=torch.int64) if labels is None else torch.as_tensor(labels)
    names = tuple(f"picture-{i}" for i in range(len(images)))
    return Pixels(images, labels, torch.full(images.shape[1:], mean), tuple("abcdefghij"), names, {})


def dots(*places, side: int, bright: int = 200) -> Pixels:
    """Black pictures with one bright pixel each, at a row and column."""
    images = torch.zeros(len(places), side, side, 3, dtype=torch.uint8)
    for image, (row, column) in zip(images, places, strict=True):
        image[row, column] = bright
    return stored(images)


def red(stride: int = 1) -> nn.Conv2d:
    """A convolution of one pixel that takes the first colour."""
    conv = nn.Conv2d(3, 1, 1, stride, bias=False)
    conv.weight.data[:] = torch.tensor([1.0, 0, 0])[None, :, None, None]
    return conv


def top_projections(maps=2, k=9, side=7, *, layer="relu1", numbers=None, channels=3):
    """Random windows; of every map's second one the two upper rows lie outside the picture."""
    draw = np.random.default_rng(0)
    shape = (maps, k, side, side)
    inside = np.ones(shape, bool)
    inside[:, 1:2, :2] = False
    values = torch.arange(k, 0, -1.0).expand(maps, k).clone()
    zero = torch.zeros(maps, k, dtype=torch.int64)
    return TopProjections(
        TopActivations(layer, values, zero + torch.arange(k), zero, zero),
        torch.arange(maps) * 11 if numbers is None else torch.tensor(numbers),
        (draw.normal(size=(*shape, channels)) * inside[..., None]).astype(np.float32),
        draw.integers(0, 256, (*shape, channels)).astype(np.uint8) * inside[..., None],
        inside,
        zero.numpy(),
        zero.numpy(),
    )


def only(conv: nn.Conv2d, pool: nn.Module | None = None) -> nn.Sequential:
    """A network of one convolution, with its ReLU and perhaps a pooling that a second one reads."""
    layers = OrderedDict(conv1=conv, relu1=nn.ReLU())
    if pool is not None:
        layers |= {"pool1": pool, "conv2": nn.Conv2d(len(conv.weight), 2, 1, bias=False), "relu2": nn.ReLU()}
        layers["conv2"].weight.data.fill_(1)
    return nn.Sequential(layers)
