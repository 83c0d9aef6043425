"""A plain chain of layers, named and checked: what the deconvnet can walk, up and down.

Zeiler & Fergus 2013, §2.1, speak of one chain: filter, rectify, pool, again and again. `chain` brings a model
into that form (this study's networks, any `nn.Sequential`, torchvision's AlexNet and VGG) and refuses by
name and reason what has another form, rather than project through it wrongly.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from zfutils.nets.geometry import Window, output_size
from zfutils.nets.pooling import AVERAGES, BlurPool2d

SKIPPED = (nn.Dropout, nn.Identity)  # of no effect once training has ended
# torchvision's, by name: importing it takes as long as importing PyTorch.
NESTED = {("torchvision.models.alexnet", "AlexNet"), ("torchvision.models.vgg", "VGG")}


class Step(NamedTuple):
    """One layer of a chain."""

    name: str
    kind: str  # conv, relu, pool, average, norm, batchnorm, same-size, flatten, fc or skip
    module: nn.Module
    window: Window  # what slides; 1 pixel where nothing does


def chain(model: nn.Module) -> nn.Sequential:
    """The model as a flat, named sequence of the same modules, whose weights are shared.

    A flat `nn.Sequential` with names keeps them. Nested and numbered ones, AlexNet and VGG are named by
    what stands there: conv1, relu1, pool1, …, fc6, relu6, …, fc8; VGG's convolutions by their block,
    conv1_1, conv1_2, pool1, conv2_1 and so on.

    Args:
        model: `nn.Sequential` of Conv2d, ReLU, MaxPool2d, AvgPool2d, BlurPool2d, LocalResponseNorm,
            BatchNorm2d, Dropout, Identity, then Flatten and Linear, nested or not; torchvision's AlexNet or
            VGG.

    Raises:
        ValueError: anything else; names the layer, what it is and what is allowed.
    """
    kind = type(model)
    if (kind.__module__, kind.__name__) in NESTED:
        blocks = kind.__name__ == "VGG"
        parts = nn.Sequential(model.features, model.avgpool, nn.Flatten(), model.classifier)
        leaves, named = [module for _, module in _leaves(parts)], False
    elif _plain(model):
        found = list(_leaves(model))
        leaves, blocks = [module for _, module in found], False
        named = all("." not in name and not name.isdecimal() for name, _ in found)
    else:
        allowed = "an nn.Sequential, torchvision's AlexNet or VGG"
        raise ValueError(f"{kind.__name__} is no plain chain of layers; allowed are {allowed}")
    names = [name for name, _ in _leaves(model)] if named else _names(leaves, blocks)
    flat = nn.Sequential()
    for name, module in zip(names, leaves, strict=True):
        flat.add_module(name, module)
    return flat


def steps(model: nn.Module) -> tuple[Step, ...]:
    """The layers of a chain, checked, with their geometry.

    Raises:
        ValueError: a layer whose way back is not known, or in a place where it has none; names it.
    """
    found, flattened = [], False
    for name, module in chain(model)._modules.items():  # named_children() leaves out what stands there twice
        kind = _kind(name, module)
        if (kind == "fc") != flattened and kind not in ("relu", "skip", "flatten"):
            where = "after" if flattened else "before"
            raise ValueError(f"{name} ({type(module).__name__}) stands {where} the map is made a vector")
        flattened = flattened or kind == "flatten"
        found.append(Step(name, kind, module, _window(name, module)))
    if not found:
        raise ValueError("the model has no layers")
    return tuple(found)


def sizes(walked: Sequence[Step], images: Float[Tensor, "n channels h w"]) -> list[tuple[int, int]]:
    """Height and width of every step's input, and of the last one's output.

    Args:
        walked: a chain's steps from its first one on.
        images: as the network takes them.

    Raises:
        ValueError: images of another form, a map that vanishes, or a batch norm that is being trained; names
            the layer.
    """
    if images.ndim != 4 or not len(images) or not images.is_floating_point():
        raise ValueError(f"images are float (n, channels, h, w), not {images.dtype} {tuple(images.shape)}")
    first = next((s.module for s in walked if s.kind in ("conv", "batchnorm")), None)
    if (channels := getattr(first, "in_channels", images.shape[1])) != images.shape[1]:
        raise ValueError(f"this network takes images of {channels} channels, not {images.shape[1]}")
    for name, kind, module, _ in walked:
        if kind == "batchnorm" and module.training:
            raise ValueError(f"{name} is in training mode, where an image depends on others: call eval()")
    found = [tuple(images.shape[-2:])]
    for name, _, _, window in walked:
        size = tuple(output_size(n, window) for n in found[-1])
        if min(size) < 1:
            raise ValueError(f"images of {found[0][0]}×{found[0][1]} px are too small: {name} is empty")
        found.append(size)
    _refuse_misfit(walked, found, images.shape[1])
    return found


def _refuse_misfit(walked: Sequence[Step], sizes: list[tuple[int, int]], channels: int) -> None:
    """A fully connected layer takes maps of one size alone; so does an averaging that does nothing."""
    for (name, kind, module, _), (h, w) in zip(walked, sizes, strict=False):
        channels = module.out_channels if kind == "conv" else channels
        if kind == "same-size":
            wanted = module.output_size
            wanted = wanted if isinstance(wanted, tuple) else (wanted, wanted)
            if wanted != (h, w):
                raise ValueError(
                    f"{name} (AdaptiveAvgPool2d) would average a {h}×{w} map; images must give {wanted}"
                )
        elif kind == "fc":
            if channels * h * w != module.in_features:
                raise ValueError(
                    f"images of {sizes[0][0]}×{sizes[0][1]} px give {name} {channels} maps of {h}×{w}, "
                    f"{channels * h * w} values; it takes {module.in_features}"
                )
            return


def _plain(module: nn.Module | None) -> bool:
    """Whether a module does nothing but call its children one after another."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _leaves(model: nn.Module, above: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, module in model._modules.items():
        if _plain(module):
            yield from _leaves(module, f"{above}{name}.")
        elif module is not None:
            yield f"{above}{name}", module


def _names(leaves: list[nn.Module], blocks: bool) -> list[str]:
    """Names by kind; a layer's number counts convolutions, or VGG's blocks of them, and then fc layers."""
    words = {kind: kind for kind in ("conv", "relu", "pool", "average", "norm", "fc")} | {"batchnorm": "bn"}
    names: list[str] = []
    number = within = 0
    for position, module in enumerate(leaves):
        kind = _kind(str(position), module)
        if kind == "fc" or (kind == "conv" and not within):
            number += 1
        if kind in ("pool", "fc"):
            within = 0
        elif kind == "conv" and blocks:
            within += 1
        name = f"{words.get(kind, kind)}{number}" + (f"_{within}" if within else "")
        names.append(name if kind in words and name not in names else f"{kind}-{position}")
    return names


def _kind(name: str, module: nn.Module) -> str:
    kinds: dict[type, str] = {
        nn.Conv2d: "conv",
        nn.ReLU: "relu",
        nn.MaxPool2d: "pool",
        nn.AvgPool2d: "average",
        BlurPool2d: "average",
        nn.BatchNorm2d: "batchnorm",
        nn.AdaptiveAvgPool2d: "same-size",
        nn.Flatten: "flatten",
        nn.Linear: "fc",
        **dict.fromkeys(SKIPPED, "skip"),
    }
    if isinstance(module, nn.LocalResponseNorm):
        return "norm"
    if type(module) not in kinds:
        allowed = ", ".join(sorted(t.__name__ for t in (*kinds, nn.LocalResponseNorm)))
        raise ValueError(
            f"{name} is a {type(module).__name__}, whose way back is not known; known: {allowed}"
        )
    kind = kinds[type(module)]
    if reason := _unsuitable(module):
        raise ValueError(f"{name} ({type(module).__name__}) cannot be projected through: {reason}")
    return kind


def _unsuitable(module: nn.Module) -> str:
    """Why a layer of a known kind cannot be walked back; empty where it can."""
    refusals: dict[type, Callable] = {
        nn.Conv2d: lambda m: (
            (m.padding_mode != "zeros" and f"padding_mode is {m.padding_mode!r}, not 'zeros'")
            or (isinstance(m.padding, str) and f"padding is {m.padding!r}, not a number of pixels")
            or _not_square(m)
        ),
        nn.MaxPool2d: lambda m: (
            (m.ceil_mode and "ceil_mode is on")
            or (m.return_indices and "return_indices is on")
            or (_one(m.kernel_size) > 16 and f"its kernel is {m.kernel_size}, more than 16 pixels")
            or _not_square(m)
        ),
        nn.AvgPool2d: lambda m: (
            (m.ceil_mode and "ceil_mode is on")
            or (not m.count_include_pad and _one(m.padding) and "count_include_pad is off")
            or _not_square(m)
        ),
        nn.BatchNorm2d: lambda m: m.running_mean is None and "it keeps no running statistics",
        nn.Flatten: lambda m: (m.start_dim, m.end_dim) != (1, -1) and "it does not keep images apart",
    }
    return refusals.get(type(module), lambda _: "")(module) or ""


def _not_square(module: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) -> str:
    for name in ("kernel_size", "stride", "padding", "dilation"):
        value = getattr(module, name, 1)  # an average is never dilated
        if isinstance(value, tuple) and len(set(value)) > 1:
            return f"{name} is {value}, not the same along both axes"
    dilation = getattr(module, "dilation", 1)
    return f"dilation is {dilation}, not 1" if _one(dilation) != 1 else ""


def _one(value: int | tuple[int, ...]) -> int:
    return value[0] if isinstance(value, tuple) else value


def _window(name: str, module: nn.Module) -> Window:
    if isinstance(module, (nn.Conv2d, nn.MaxPool2d, *AVERAGES)):
        return Window(_one(module.kernel_size), _one(module.stride), _one(module.padding))
    return Window(1, 1, 0)
