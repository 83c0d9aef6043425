"""A network as data, and the module it builds (Zeiler & Fergus 2013, Fig. 3).

`NetworkSpec` holds what the paper's figure shows: convolutions, each with its pooling and contrast norm,
then fully connected layers. The module is a plain `nn.Sequential` whose names are the paper's (conv1, relu1,
pool1, norm1, …).
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from torch import nn

from zfutils.nets import pooling
from zfutils.nets.contrast_norm import NORM_ALPHA, ContrastNorm
from zfutils.nets.geometry import Window, output_size, receptive_field
from zfutils.nets.pooling import Pooling
from zfutils.nets.scale import Stem, to_scale

DROPOUT = 0.5  # on fc6 and fc7, Zeiler & Fergus 2013, §3


@dataclass(frozen=True)
class Convolution:
    """A convolution with ReLU, and what follows it: pooling and contrast norm, where present."""

    name: str
    maps: int
    window: Window
    pool: Window | None = None
    norm: bool = False


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with ReLU and dropout."""

    name: str
    units: int


@dataclass(frozen=True)
class Stage:
    """One line of the paper's Fig. 3: what a layer makes of its input, and what it costs for one image."""

    name: str
    kind: str  # "conv", "pool" or "fc"
    window: Window | None
    maps: int
    size: int  # side of the map; 1 for a fully connected layer
    field: Window | None  # of the input image; None for a fully connected layer, which sees all of it
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class NetworkSpec:
    """A network, as data.

    `convolutions` and `dense` are in order; the classifier (`classifier`, `classes` outputs) comes last.
    `image` is the side of the square input (pixels), `channels` its colours.
    """

    name: str
    convolutions: tuple[Convolution, ...]
    dense: tuple[Dense, ...]
    classifier: str
    classes: int
    image: int = 224
    channels: int = 3
    dropout: float = DROPOUT
    norm_alpha: float = NORM_ALPHA
    pooling: Pooling = "max"  # of every convolution that is pooled

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise ValueError(f"{self.name}: a classifier needs at least 2 classes, not {self.classes}")
        if not self.convolutions:
            raise ValueError(f"{self.name}: without a convolution there is no network to look into")
        self.stages()  # refuses a network in which a map vanishes

    # ---- what it holds

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of all layers with weights, first to last."""
        return (*(c.name for c in self.convolutions), *(d.name for d in self.dense), self.classifier)

    def stages(self) -> tuple[Stage, ...]:
        """Size, receptive field, parameters and multiply-adds of every layer, first to last.

        Raises:
            ValueError: where a map vanishes because the image is too small; names the layer.
        """
        stages: list[Stage] = []
        windows: list[Window] = []
        maps, size = self.channels, self.image
        for conv in self.convolutions:
            for name, kind, window in self._windows(conv):
                windows.append(window)
                before, size = size, output_size(size, window)
                if size < 1:
                    raise ValueError(
                        f"{self.name}: an image of {self.image} px is too small, the map vanishes at {name} "
                        f"(a {window.kernel} px window, padding {window.padding}, on a map of {before} px)"
                    )
                weights = maps * conv.maps * window.kernel**2 if kind == "conv" else 0
                parameters = weights + conv.maps if kind == "conv" else 0
                maps = conv.maps
                field = receptive_field(windows)
                stages.append(Stage(name, kind, window, maps, size, field, parameters, weights * size**2))
        inputs = maps * size**2
        for name, units in (*((d.name, d.units) for d in self.dense), (self.classifier, self.classes)):
            weights = inputs * units
            stages.append(Stage(name, "fc", None, units, 1, None, weights + units, weights))
            inputs = units
        return tuple(stages)

    def _windows(self, conv: Convolution) -> list[tuple[str, str, Window]]:
        """Name, kind and window of what slides in a layer: the convolution, then what pools it."""
        found = [(conv.name, "conv", conv.window)]
        if conv.pool is not None:
            for word, module in pooling.layers(self.pooling, *conv.pool).items():
                window = Window(module.kernel_size, module.stride, module.padding)
                found.append((conv.name.replace("conv", word), "pool", window))
        return found

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(stage.parameters for stage in self.stages())

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of a forward pass over one image (convolutions and fully connected layers)."""
        return sum(stage.multiply_adds for stage in self.stages())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as it stands in a saved network's JSON; the paper's max pooling goes without saying."""
        data = asdict(self)
        return data if self.pooling != "max" else {k: v for k, v in data.items() if k != "pooling"}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The spec that `to_dict` wrote."""
        convolutions = tuple(
            Convolution(**{**c, "window": Window(*c["window"]), "pool": c["pool"] and Window(*c["pool"])})
            for c in data["convolutions"]
        )
        dense = tuple(Dense(**d) for d in data["dense"])
        return cls(**{**data, "convolutions": convolutions, "dense": dense})

    # ---- edits

    def _known(self, *names: str) -> None:
        allowed = self.layers[:-1]
        for name in names:
            if name not in allowed:
                raise ValueError(
                    f"layer {name!r} is not in {self.name}, or is its classifier; it has {', '.join(allowed)}"
                )

    def without(self, *names: str) -> Self:
        """The network with these layers taken out (Table 3); a convolution takes its pooling along."""
        self._known(*names)
        return replace(
            self,
            name=f"{self.name} without {', '.join(names)}",
            convolutions=tuple(c for c in self.convolutions if c.name not in names),
            dense=tuple(d for d in self.dense if d.name not in names),
        )

    def with_fc(self, units: int) -> Self:
        """The network with `units` units in every fully connected layer but the classifier (Table 3)."""
        dense = tuple(replace(d, units=units) for d in self.dense)
        return replace(self, name=f"{self.name} fc {units}", dense=dense)

    def with_maps(self, **maps: int) -> Self:
        """The network with another number of maps in the named convolutions (Table 3)."""
        self._known(*maps)
        convolutions = tuple(replace(c, maps=maps.get(c.name, c.maps)) for c in self.convolutions)
        wide = "-".join(str(n) for n in maps.values())
        return replace(self, name=f"{self.name} {wide}", convolutions=convolutions)

    def scaled(self, width: float, *, fc_width: float | None = None) -> Self:
        """All maps times `width`, all fully connected units times `fc_width` (default `width`)."""
        fc_width = width if fc_width is None else fc_width
        if width <= 0 or fc_width <= 0:
            raise ValueError(f"a network's width is a positive factor, not {min(width, fc_width)}")
        convolutions = tuple(replace(c, maps=max(1, round(c.maps * width))) for c in self.convolutions)
        dense = tuple(replace(d, units=max(1, round(d.units * fc_width))) for d in self.dense)
        return replace(self, convolutions=convolutions, dense=dense)

    def for_classes(self, classes: int) -> Self:
        """The same network for another number of classes."""
        return replace(self, classes=classes)

    def at(self, image: int) -> Self:
        """The network at 224 px brought to another size of picture: each layer sees the paper's share of it.

        Args:
            image: side of the picture (px), one of the sizes in `zfutils.nets.scale`.

        Raises:
            ValueError: a size that is not there, naming the nearest; a network that is not one of the paper's
                at 224 px, or an edit of it.
        """
        below = self.convolutions[:2]
        windows = [w for c in below for w in (c.window, c.pool) if w is not None]
        if len(windows) < 4:
            raise ValueError(
                f"{self.name} lacks layer 1, layer 2 or their pooling: nothing to bring to scale"
            )
        stem = to_scale(Stem(*windows), image)
        pairs = zip(below, ((stem.conv1, stem.pool1), (stem.conv2, stem.pool2)), strict=True)
        scaled = tuple(replace(c, window=window, pool=pool) for c, (window, pool) in pairs)
        return replace(self, image=image, convolutions=scaled + self.convolutions[2:])

    # ---- the module

    def build(self) -> nn.Sequential:
        """The module: named conv1, relu1, pool1, norm1, …, flatten, fc6, relu6, drop6, …; logits come out.

        Takes images, float (n, channels, image, image); returns logits, float (n, classes). Weights are
        PyTorch's own at this point; `training.initialise` sets them.
        """
        modules = nn.Sequential()
        maps = self.channels
        for conv in self.convolutions:
            number = conv.name.removeprefix("conv")
            modules.add_module(conv.name, nn.Conv2d(maps, conv.maps, *conv.window))
            modules.add_module(f"relu{number}", nn.ReLU())
            if conv.pool is not None:
                for word, module in pooling.layers(self.pooling, *conv.pool).items():
                    modules.add_module(f"{word}{number}", module)
            if conv.norm:
                modules.add_module(f"norm{number}", ContrastNorm(conv.maps, self.norm_alpha))
            maps = conv.maps
        modules.add_module("flatten", nn.Flatten())
        last = [stage for stage in self.stages() if stage.kind != "fc"][-1]
        inputs = last.maps * last.size**2
        for dense in self.dense:
            number = dense.name.removeprefix("fc")
            modules.add_module(dense.name, nn.Linear(inputs, dense.units))
            modules.add_module(f"relu{number}", nn.ReLU())
            if self.dropout:
                modules.add_module(f"drop{number}", nn.Dropout(self.dropout))
            inputs = dense.units
        modules.add_module(self.classifier, nn.Linear(inputs, self.classes))
        return modules
