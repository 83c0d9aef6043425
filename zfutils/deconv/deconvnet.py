"""What a unit sees: a single activation brought back to pixels (Zeiler & Fergus 2013, §2.1 and Fig. 1).

All other activations of the layer are set to zero, then, layer by layer downwards: unpool into the places
that the pooling took its maxima from (the switches), rectify, filter with the same filters transposed. Biases
play no part, contrast normalisation is left out, and pooling that averages is reversed by its transpose. The
one idea here: a unit depends on its window of the picture alone, so recording and projecting are done on that
window, with the values of the whole picture.

What the paper leaves open, and what is chosen: two poolings that overlap can share a switch, and then
their signals add, as in back-propagation.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.deconv import unpooling
from zfutils.deconv.recording import Recording, Trace
from zfutils.deconv.units import Projections, Units
from zfutils.deconv.unpooling import Frame, Shared, Switches
from zfutils.nets import chains, pooling
from zfutils.nets.chains import chain
from zfutils.nets.geometry import Window, receptive_field
from zfutils.runtime.devices import device_of, dtype_of

__all__ = ["Deconvnet", "Projections", "Recording", "Units", "chain"]
Nonlinearity = Literal["deconvnet", "guided", "gradient"]


class Deconvnet:
    """A chain of layers that can be walked back to pixels.

    Args:
        model: what `chains.chain` takes; used as in evaluation, and left as it is.
        nonlinearity: how a ReLU is reversed. "deconvnet" rectifies the signal (the paper), "gradient" lets
            it pass where the activation was positive (Simonyan 2014), "guided" asks both (Springenberg 2014).
        shared: what becomes of signals that one switch receives from two poolings: "add", as the adjoint
            does; the "last" in reading order alone, as a stock unpooling writes; the "largest" alone.
        switches: "recorded" on the way up; "centred" in each window, or drawn at "random" in it, to see
            what the recorded ones contribute (Mahendran & Vedaldi 2016).
        seed: of random switches.

    Raises:
        ValueError: an unknown option, or a layer whose way back is not known; names it.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        nonlinearity: Nonlinearity = "deconvnet",
        shared: Shared = "add",
        switches: Switches = "recorded",
        seed: int = 0,
    ) -> None:
        options = {"nonlinearity": nonlinearity, "shared": shared, "switches": switches}
        for (name, came), allowed in zip(options.items(), (Nonlinearity, Shared, Switches), strict=True):
            if came not in allowed.__args__:
                raise ValueError(f"{name} is one of {', '.join(allowed.__args__)}, not {came!r}")
        self.model, self.steps = model, chains.steps(model)
        self.nonlinearity, self.shared, self.switches, self.seed = nonlinearity, shared, switches, seed

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that a projection can start from."""
        return tuple(s.name for s in self.steps if s.kind in ("conv", "relu", "pool", "average", "fc"))

    def index(self, layer: str) -> int:
        """The place of a layer in the chain.

        Raises:
            ValueError: no such layer; names those there are.
        """
        if layer not in self.layers:
            raise ValueError(f"layer {layer!r} is not in this network; it has {', '.join(self.layers)}")
        return next(i for i, step in enumerate(self.steps) if step.name == layer)

    def window(self, layer: str, side: int | None = None) -> Window:
        """Receptive field of a layer's units (pixels).

        Args:
            layer: of the units.
            side: of the images, which is what a unit of a fully connected layer sees.

        Raises:
            ValueError: no such layer, or a fully connected one and no side is given.
        """
        end = self.index(layer)
        if self._vector(end):
            if side is None:
                raise ValueError(f"a unit of {layer} sees the whole image, whatever its size")
            return Window(side, 1, 0)
        return receptive_field([step.window for step in self.steps[: end + 1]])

    def _vector(self, end: int) -> bool:
        return any(step.kind == "flatten" for step in self.steps[: end + 1])

    @torch.no_grad()
    def forward(self, images: Float[Tensor, "n channels h w"], upto: str) -> Recording:
        """The way up: activations of a layer, and the switches of every pooling below it.

        Args:
            images: as the network takes them, of any size at which no map vanishes; sent where its weights
                are, in their type.
            upto: where the way up ends.

        Raises:
            ValueError: no such layer, images of another form, a map that vanishes; names the layer.
        """
        end = self.index(upto)
        images, sizes = self._taken(images, end)
        activations, trace = self._up(images, end, sizes, None)
        return Recording(self, upto, activations, trace)

    @torch.no_grad()
    def project(
        self,
        images: Float[Tensor, "n channels h w"],
        layer: str,
        units: Units,
        *,
        batch: int = 32,
    ) -> Projections:
        """Pixel patterns of single activations, each recorded and projected on its own window.

        Equal to `forward(images, layer).project(units)` but for random switches, which are drawn for each
        unit anew, and but for maxima that tie to the last bits, as in a picture of even patches: there a
        convolution of a window may round otherwise than one of the whole picture, and another of them win.

        Args:
            images: as for `forward`.
            layer: of the units.
            units: which activations.
            batch: units at a time; bounds the memory.

        Raises:
            ValueError: no such layer, images of another form, a unit that is not there.
        """
        end = self.index(layer)
        images, sizes = self._taken(images, end)
        units = units.on(images.device)
        self._check(units, layer, images, end, sizes)
        if self._vector(end):
            found = []
            for part in units.split(batch):
                chosen, place = part.images.unique(return_inverse=True)
                recording = self.forward(images[chosen], layer)
                found.append(recording.project(part._replace(images=place), batch=batch))
            return Projections.joined(found)
        return Projections.joined([self._on_windows(images, end, part, sizes) for part in units.split(batch)])

    def _taken(self, images: Tensor, end: int) -> tuple[Tensor, list[tuple[int, int]]]:
        """Images where the network is, in its type, and the sizes of maps that they give up to a layer."""
        sizes = chains.sizes(self.steps[: end + 1], images)
        return images.to(device_of(self.model), dtype_of(self.model)), sizes

    def _on_windows(self, images: Tensor, end: int, units: Units, sizes: list) -> Projections:
        frames = self._frames(units, end, sizes)
        activations, trace = self._up(frames[0].cut(images, units.images), end, sizes, frames)
        return self._seeded(activations[:, :, 0, 0], end, units, trace)

    def _seeded(self, activations: Tensor, end: int, units: Units, trace: Trace) -> Projections:
        """Patterns of units, on their windows, from the activations (n, maps) at their places."""
        values = activations.gather(1, units.maps[:, None])
        seed = torch.zeros_like(activations).scatter_(1, units.maps[:, None], values)
        seed = seed[:, :, None, None].contiguous(memory_format=torch.channels_last)
        pixels = self._down(seed, end, trace)
        return Projections(pixels, trace.frames[0].tops, trace.frames[0].lefts, values[:, 0])

    # ---- the two ways; on whole images where there are no frames, otherwise on windows

    def _up(
        self, x: Tensor, end: int, sizes: list[tuple[int, int]], frames: list[Frame] | None
    ) -> tuple[Tensor, Trace]:
        trace = Trace({}, {}, sizes, frames)
        x = x.contiguous(memory_format=torch.channels_last)
        if self.steps[0].kind != "conv":
            x = x.clone()  # what follows works in place, and these are the caller's images
        random = self.switches == "random"
        generator = torch.Generator(x.device).manual_seed(self.seed) if random else None
        for i, (name, kind, module, window) in enumerate(self.steps[: end + 1]):
            if kind in ("conv", "pool", "average"):
                beyond = -torch.inf if kind == "pool" else 0.0
                x = unpooling.pad(x, window, beyond) if frames is None else frames[i].fill_(x, beyond)
            if kind == "conv":
                x = nn.functional.conv2d(x, module.weight, module.bias, window.stride, 0, 1, module.groups)
            elif kind == "pool":
                x, taken = unpooling.pool(x, window)
                frame = Frame.whole(x, sizes[i + 1]) if frames is None else frames[i + 1]
                trace.switches[name] = unpooling.chosen(
                    taken, window, sizes[i], frame, self.switches, generator=generator
                )
            elif kind == "average":
                x = pooling.averaged(x, module)
            elif kind == "relu":
                x = x.relu_()
                if self.nonlinearity != "deconvnet":
                    trace.signs[name] = x > 0
            elif kind not in ("same-size", "skip"):
                x = module(x)
        return x, trace

    def _down(self, signal: Tensor, end: int, trace: Trace) -> Tensor:
        for i in range(end, -1, -1):
            signal = self._back(i, signal, trace)
        return signal

    def _back(self, i: int, signal: Tensor, trace: Trace) -> Tensor:
        """The signal below a step, from the signal above it, which may be overwritten."""
        name, kind, module, window = self.steps[i]
        if kind == "conv":
            weight, groups = module.weight, module.groups
            signal = nn.functional.conv_transpose2d(signal, weight, None, window.stride, 0, 0, groups)
        elif kind == "pool":
            signal = unpooling.unpool(signal, trace.switches[name], window, self.shared)
        elif kind == "average":
            signal = pooling.spread(signal, module)
        elif kind == "relu":
            signal = signal if self.nonlinearity == "gradient" else signal.relu_()
            return signal if self.nonlinearity == "deconvnet" else signal.mul_(trace.signs[name])
        elif kind == "fc":
            return signal @ module.weight
        elif kind == "flatten":
            return signal.unflatten(1, (-1, *trace.sizes[i])).contiguous(memory_format=torch.channels_last)
        elif kind == "batchnorm":
            factor = (module.running_var + module.eps).rsqrt()
            return signal * (factor if module.weight is None else factor * module.weight)[:, None, None]
        else:
            return signal  # contrast norm is left out; dropout and identity are of no effect
        if trace.frames is None:
            return unpooling.crop(signal, window, trace.sizes[i])
        return trace.frames[i].fill_(signal, 0.0)

    # ---- geometry and refusals

    def _check(self, units: Units, layer: str, images: Tensor, end: int, sizes: list) -> None:
        if not len(units.images):
            raise ValueError("no units to project")
        rows, columns = (1, 1) if self._vector(end) else sizes[end + 1]
        maps = next(
            (
                s.module.out_channels if s.kind == "conv" else s.module.out_features
                for s in reversed(self.steps[: end + 1])
                if s.kind in ("conv", "fc")
            ),
            images.shape[1],
        )
        for (name, came), most in zip(
            units._asdict().items(), (len(images), maps, rows, columns), strict=True
        ):
            if came.min() < 0 or came.max() >= most:
                wrong = came[(came < 0) | (came >= most)][0]
                raise ValueError(f"{layer} has {name} 0…{most - 1} here, not {wrong}")

    def _frames(self, units: Units, end: int, sizes: list) -> list[Frame]:
        """Where each unit's window lies in every step's input, first to last; the unit itself comes last."""
        frame = Frame(units.rows, units.columns, 1, 1, sizes[end + 1])
        frames = [frame]
        for step, size in zip(reversed(self.steps[: end + 1]), reversed(sizes[: end + 1]), strict=True):
            frame = frame.below(step.window, size)
            frames.append(frame)
        return frames[::-1]
