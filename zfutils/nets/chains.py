"""A plain chain of layers, named and checked: what the deconvnet can walk window by window, up and down.

Zeiler & Fergus 2013, §2.1, speak of one chain: filter, rectify, pool, again and again. `chain` brings a model
into that form (this study's networks, any `nn.Sequential`, torchvision's AlexNet and VGG) and refuses by
name and reason what has another form; `graphs` takes that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from zfutils.nets.geometry import Window, output_size
from zfutils.nets.pooling import AVERAGES, BlurPool2d

SKIPPED = (nn.Dropout, nn.Identity)  # of no effect once training has ended
# torchvision's, by name: importing it takes as long as importing PyTorch.
NESTED = {("torchvision.models.alexnet", "AlexNet"), ("torchvision.models.vgg", "VGG")}


# Hooks that set a layer's weight before it runs, from what is trained.
WEIGHT_HOOKS = (WeightNorm, SpectralNorm, BasePruningMethod)


class Step(NamedTuple):
    """One layer of a chain, or one operation of a graph (`graphs`).

    Nodes are numbered: 0 is the picture, and step i gives node i + 1.
    """

    name: str
    kind: str  # conv, relu, pool, average, norm, batchnorm, same-size, flatten, fc or skip; more in a graph
    module: nn.Module | None
    window: Window | None  # what slides; 1 pixel where nothing does; none where a unit sees the whole picture
    inputs: tuple[int, ...]  # the nodes that the signal comes from
    reads: tuple[int, ...]  # all nodes that it needs
    bind: Callable[[Mapping[int, Any]], Callable[..., Any]]  # from all values to a function of the inputs
    refusal: str = ""  # why no signal can go back through it

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of what it gives, from those of what it slides over; 0 or less: nothing."""
        if getattr(self.module, "padding", None) == "same":
            return size
        window, ceil = self.window, getattr(self.module, "ceil_mode", False)
        found = []
        for n in size:
            out = output_size(n + (window.stride - 1) * ceil, window)
            found.append(out - (ceil and (out - 1) * window.stride >= n + window.padding))
        return found[0], found[1]


def layer_type(module: nn.Module) -> type[nn.Module]:
    """What a layer is, whether its weights are parametrised or not."""
    return type(module).__mro__[1] if parametrize.is_parametrized(module) else type(module)


def with_weights_as_used(module: nn.Module) -> nn.Module:
    """The layer itself, once hooks have set the weights that it runs with (weight norm, pruning)."""
    training, module.training = module.training, False  # spectral norm would go on learning
    for hook in module._forward_pre_hooks.values():
        hook(module, ())
    module.training = training
    return module


def out_of_place(module: nn.Module) -> Callable[..., Any]:
    """The layer as a function that leaves what it is given as it is."""
    if not getattr(module, "inplace", False):
        return module

    def run(*args: Any, **kwargs: Any) -> Any:
        module.inplace = False
        try:
            return module(*args, **kwargs)
        finally:
            module.inplace = True

    return run


def refuse_hooks(model: nn.Module) -> None:
    """Refuses a network of which hooks may change what its layers give.

    Raises:
        ValueError: such a hook; names the layer.
    """
    for name, module in model.named_modules():
        before = [h for h in module._forward_pre_hooks.values() if not isinstance(h, WEIGHT_HOOKS)]
        if module._forward_hooks or before:
            raise ValueError(
                f"{name or 'the network'} ({type(module).__name__}) has a forward hook, which may change "
                f"what it gives and has no backward rule; remove it: handle.remove()"
            )


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
    found, flattened, adapted = [], False, ""
    for name, module in chain(model)._modules.items():  # named_children() leaves out what stands there twice
        kind = _kind(name, module)
        if adapted and not flattened and kind not in ("skip", "flatten"):
            raise ValueError(f"{name} ({type(module).__name__}) comes after {adapted}, which may average")
        adapted = name if kind == "same-size" else adapted
        if kind == "flatten" and flattened:
            kind = "skip"
        if (kind == "fc") != flattened and kind not in ("relu", "skip", "flatten"):
            where = "after" if flattened else "before"
            raise ValueError(f"{name} ({type(module).__name__}) stands {where} the map is made a vector")
        flattened = flattened or kind == "flatten"
        read = (len(found),)
        run = out_of_place(module)
        found.append(Step(name, kind, module, window_of(module), read, read, lambda _, run=run: run))
    if not found:
        raise ValueError("the model has no layers")
    return tuple(found)


def sizes(
    walked: Sequence[Step], images: Float[Tensor, "n channels h w"], *, only: Sequence[int] | None = None
) -> list[tuple[int, int] | None]:
    """Height and width of the picture and of what each step gives, by node; none where the picture tells.

    Args:
        walked: the steps of a chain or a graph from the first one on.
        images: as the network takes them.
        only: the steps that are looked at; all by default.

    Raises:
        ValueError: images of another form, a map that vanishes, or a batch norm that is being trained; names
            the layer.
    """
    if images.ndim != 4 or not len(images) or not images.is_floating_point():
        raise ValueError(f"images are float (n, channels, h, w), not {images.dtype} {tuple(images.shape)}")
    wanted = set(range(len(walked)) if only is None else only)
    plain = all(step.inputs == (i,) for i, step in enumerate(walked))
    sees = [s.module for s in walked if s.kind in ("conv", "batchnorm") and (plain or s.inputs == (0,))]
    channels = getattr(sees[0], "in_channels", images.shape[1]) if sees else images.shape[1]
    if channels != images.shape[1]:
        raise ValueError(f"this network takes images of {channels} channels, not {images.shape[1]}")
    for i in sorted(wanted):
        name, module = walked[i].name, walked[i].module
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
            raise ValueError(f"{name} is in training mode, where an image depends on others: call eval()")
    found: list[tuple[int, int] | None] = [tuple(images.shape[-2:])]
    for i, step in enumerate(walked):
        size = found[step.inputs[0]] if step.inputs and step.window and i in wanted else None
        size = _adapted(step.module) if step.kind == "same-size" else size and step.size(size)
        if size and min(size) < 1:
            raise ValueError(f"images of {found[0][0]}×{found[0][1]} px are too small: {step.name} is empty")
        found.append(size)
    if plain:
        _refuse_misfit(walked[: max(wanted) + 1], found, images.shape[1])
    return found


def _refuse_misfit(walked: Sequence[Step], sizes: list, channels: int) -> None:
    """A fully connected layer takes maps of one size alone."""
    for step, size in zip(walked, sizes, strict=False):
        channels = step.module.out_channels if step.kind == "conv" else channels
        if step.kind == "fc" and size:
            h, w = size
            if channels * h * w != step.module.in_features:
                raise ValueError(
                    f"images of {sizes[0][0]}×{sizes[0][1]} px give {step.name} {channels} maps of {h}×{w}, "
                    f"{channels * h * w} values; it takes {step.module.in_features}"
                )
            return


def _adapted(module: nn.AdaptiveAvgPool2d) -> tuple[int, int]:
    """Height and width of the maps that an adaptive pooling gives."""
    size = module.output_size
    return size if isinstance(size, tuple) else (size, size)


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
    if layer_type(module) not in kinds:
        allowed = ", ".join(sorted(t.__name__ for t in (*kinds, nn.LocalResponseNorm)))
        raise ValueError(
            f"{name} is a {type(module).__name__}, whose way back is not known; known: {allowed}"
        )
    kind = kinds[layer_type(module)]
    if reason := unsuitable(module):
        raise ValueError(f"{name} ({type(module).__name__}) cannot be projected through: {reason}")
    return kind


def unsuitable(module: nn.Module) -> str:
    """Why a layer of a known kind cannot be walked window by window; empty where it can."""
    refusals: dict[type, Callable] = {
        nn.Conv2d: lambda m: (
            (m.padding_mode != "zeros" and f"padding_mode is {m.padding_mode!r}, not 'zeros'")
            or _not_square(m)
        ),
        nn.MaxPool2d: lambda m: (
            (m.return_indices and "return_indices is on")
            or (_one(m.kernel_size) > 16 and f"its kernel is {m.kernel_size}, more than 16 pixels")
            or (_one(m.dilation) != 1 and f"dilation is {m.dilation}, not 1")
            or _not_square(m)
        ),
        nn.AvgPool2d: lambda m: (
            (m.ceil_mode and "ceil_mode is on")
            or (not m.count_include_pad and _one(m.padding) and "count_include_pad is off")
            or _not_square(m)
        ),
        nn.AdaptiveAvgPool2d: lambda m: None in _adapted(m) and "one of its sizes is the map's own",
        nn.BatchNorm2d: lambda m: m.running_mean is None and "it keeps no running statistics",
        nn.Flatten: lambda m: (m.start_dim, m.end_dim) != (1, -1) and "it does not keep images apart",
    }
    return refusals.get(layer_type(module), lambda _: "")(module) or ""


def _not_square(module: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) -> str:
    for name in ("kernel_size", "stride", "padding", "dilation"):
        value = getattr(module, name, 1)  # an average is never dilated
        if isinstance(value, tuple) and len(set(value)) > 1:
            return f"{name} is {value}, not the same along both axes"
    return ""


def _one(value: int | tuple[int, ...]) -> int:
    return value[0] if isinstance(value, tuple) else value


def window_of(module: nn.Module) -> Window:
    """What a layer slides over its maps: how far it reaches, dilated or not; 1 pixel where nothing slides."""
    if not isinstance(module, (nn.Conv2d, nn.MaxPool2d, *AVERAGES)):
        return Window(1, 1, 0)
    reach = (_one(module.kernel_size) - 1) * _one(getattr(module, "dilation", 1))
    padding = reach // 2 if module.padding == "same" else 0 if module.padding == "valid" else module.padding
    return Window(reach + 1, _one(module.stride), _one(padding))
