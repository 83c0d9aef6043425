"""The way up, which leaves a trace, and the way down, which follows it (Zeiler & Fergus 2013, §2.1).

Both go step by step through a chain or a graph, on whole images or on the windows of single units. A step
that is linear in the signal is reversed by its transpose; switches, gates and slopes are those of the way up.
Where paths meet on the way down, their signals add.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from zfutils.deconv import unpooling
from zfutils.deconv.units import Projections, Units
from zfutils.deconv.unpooling import Frame, Shared, Switches
from zfutils.nets import chains, graphs, pooling
from zfutils.nets.chains import Step
from zfutils.nets.geometry import Window

Nonlinearity = Literal["deconvnet", "guided", "gradient"]
# Kinds of steps that give a tensor in memory of its own, which the only step that reads it may overwrite.
FRESH = ("conv", "pool", "average", "relu", "batchnorm", "norm", "add", "concat", "fc")


class Trace(NamedTuple):
    """What the way up leaves for the way down."""

    switches: dict[str, Tensor]  # by pooling: uint8 (n, maps, h, w), row × kernel + column in its window
    signs: dict[str, Tensor]  # by rectifier: whether it let the activation pass, or its slope; if it matters
    held: dict[str, Tensor]  # by gated step: the gate; by maxima without switches: what they were taken from
    shapes: dict[int, tuple[int, ...]]  # by node: (maps, h, w) or (units)
    linear: dict[str, Callable[..., Tensor]]  # by linear step: the step, to be transposed
    fields: dict[int, Window] | None  # by node: what a unit sees of it; none: whole images
    frames: dict[int, Frame] | None  # by node: where the windows lie

    def of(self, images: Tensor) -> "Trace":
        """The same for some of the images."""
        kept = {name: getattr(self, name).items() for name in ("switches", "signs", "held")}
        return self._replace(**{name: {n: t[images] for n, t in tensors} for name, tensors in kept.items()})


class Ways(NamedTuple):
    """Up and down through the steps of a network, by chosen rules (`deconvnet.Deconvnet`)."""

    steps: Sequence[Step]
    nonlinearity: Nonlinearity
    shared: Shared
    switches: Switches
    seed: int

    # ---- up

    def up(
        self,
        x: Tensor,
        end: int,
        fields: dict[int, Window] | None = None,
        frames: dict[int, Frame] | None = None,
    ) -> tuple[Tensor, Trace]:
        """What a step gives for images, or for windows of them, and what the way down needs."""
        order = graphs.needed(self.steps, end)
        readers = [node for i in order for node in set(self.steps[i].reads)]
        alone = {node for node in readers if readers.count(node) == 1 and self._fresh(node, frames)}
        trace = Trace({}, {}, {}, {0: tuple(x.shape[1:])}, {}, fields, frames)
        values = {0: x.contiguous(memory_format=torch.channels_last)}
        last = graphs.last_reads(self.steps, order)
        random = self.switches == "random"
        generator = torch.Generator(x.device).manual_seed(self.seed) if random else None
        for i in order:
            values[i + 1] = self._step(i, values, alone, trace, generator)
            if isinstance(values[i + 1], Tensor):
                trace.shapes[i + 1] = tuple(values[i + 1].shape[1:])
            for node in last.get(i, ()):
                del values[node]
        return values[end + 1], trace

    def _fresh(self, node: int, frames: Mapping[int, Frame] | None) -> bool:
        return self.steps[node - 1].kind in FRESH if node else frames is not None

    def _step(
        self, i: int, values: dict[int, Any], alone: set[int], trace: Trace, generator: torch.Generator | None
    ) -> Any:
        """What a step gives; it may overwrite what it alone reads, and leaves its trace."""
        name, kind, module, window, inputs, reads, bind, _ = self.steps[i]
        if trace.frames is not None:
            values = values | {node: self._seen(values[node], i, node, trace) for node in inputs}
        x = values[inputs[0]] if inputs else None
        if kind in ("conv", "pool", "average"):
            size = tuple(x.shape[2:])
            beyond = -torch.inf if kind == "pool" else 0.0
            if trace.frames is None:
                x = unpooling.pad(x, window, beyond, self.steps[i].size(size))
            else:
                frame = self._frame(i, inputs[0], trace)
                x, size = frame.fill_(x if inputs[0] in alone else x.clone(), beyond), frame.of
        if kind == "conv":
            layer = chains.with_weights_as_used(module)
            how = (window.stride, 0, module.dilation, module.groups)
            with graphs.naming(self.steps[i], x):
                return nn.functional.conv2d(x, layer.weight, layer.bias, *how)
        if kind == "pool":
            x, taken = unpooling.pool(x, window)
            frame = Frame.whole(x, tuple(x.shape[2:])) if trace.frames is None else trace.frames[i + 1]
            how = (window, size, frame, self.switches)
            trace.switches[name] = unpooling.chosen(taken, *how, generator=generator)
            return x
        if kind == "average":
            return pooling.averaged(x, module)
        if kind == "skip":
            return x
        if kind == "relu":
            return self._rectified(i, values, inputs[0] in alone, trace)
        others = {node: values[node] for node in reads if node not in inputs}
        if kind == "maxima":
            if (self.shared, self.switches) != ("add", "recorded"):
                raise ValueError(
                    f"{name} takes its maxima in no square windows; only recorded switches add there"
                )
            trace.held[name] = x
        elif kind == "scaled":
            (trace.held[name],) = others.values()
        if kind in ("linear", "same-size", "maxima"):
            trace.linear[name] = bind(others)
        return graphs.run(self.steps, values, i)

    def _rectified(self, i: int, values: dict[int, Any], alone: bool, trace: Trace) -> Tensor:
        step = self.steps[i]
        x, plain = values[step.inputs[0]], isinstance(step.module, nn.ReLU)
        if self.nonlinearity != "deconvnet" and not plain:
            trace.signs[step.name] = _transposed(step.bind(values), [x], torch.ones_like(x))[0]
        if not plain:
            return graphs.run(self.steps, values, i)
        y = x.relu_() if alone else x.relu()
        if self.nonlinearity != "deconvnet":
            trace.signs[step.name] = y > 0
        return y

    # ---- down

    def down(self, signal: Tensor, end: int, trace: Trace) -> Tensor:
        """The pixel pattern of a signal at a step, which may be overwritten."""
        pattern = None
        for step, below in self.descent(signal, end, trace):
            for node, part in zip(step.inputs, below, strict=True):
                if not node:
                    pattern = part if pattern is None else pattern + part
        return pattern

    def descent(self, signal: Tensor, end: int, trace: Trace) -> Iterator[tuple[Step, tuple[Tensor, ...]]]:
        """The same step by step: each one that a signal passes, and the signals that come out of it below."""
        signals = {end + 1: signal}
        for i in graphs.way_down(self.steps, end):
            step, below = self.steps[i], self._back(i, signals.pop(i + 1), trace)
            if trace.frames is not None:
                below = tuple(self._embedded(s, i, n, trace) for n, s in zip(step.inputs, below, strict=True))
            yield step, below
            for node, part in zip(step.inputs, below, strict=True):
                signals[node] = signals[node] + part if node in signals else part

    def reverse(self, step: Step, signal: Tensor, trace: Trace) -> Tensor:
        """One of the paper's three steps reversed, pooling, filtering or rectifying (§2.1).

        Args:
            step: a convolution, a max pooling or a rectifier.
            signal: from above, (n, maps, h, w); it may be overwritten.
            trace: what the way up left.

        Returns:
            The signal below, with the step's padding still around it.
        """
        name, kind, module, window, *_ = step
        if kind == "pool":  # each value goes where its maximum was
            switches = trace.switches[name]
            return unpooling.unpool(signal, switches, window, self.shared)
        if kind == "conv":  # the same filters, transposed; no biases
            weight = chains.with_weights_as_used(module).weight
            how = (None, window.stride, 0, 0, module.groups, module.dilation)
            return nn.functional.conv_transpose2d(signal, weight, *how)
        if self.nonlinearity != "gradient":
            signal = signal.relu_()
        if self.nonlinearity == "deconvnet":  # what was active is not asked
            return signal
        return signal.mul_(trace.signs[name])

    def _back(self, i: int, signal: Tensor, trace: Trace) -> tuple[Tensor, ...]:
        """The signals below a step, from the signal above it, which may be overwritten."""
        name, kind, module, window, inputs, *_ = self.steps[i]
        if kind in ("conv", "pool", "average"):
            average = kind == "average"
            signal = pooling.spread(signal, module) if average else self.reverse(self.steps[i], signal, trace)
            if trace.frames is None:
                return (unpooling.crop(signal, window, trace.shapes[inputs[0]][1:]),)
            return (self._frame(i, inputs[0], trace).fill_(signal, 0.0),)
        if kind == "relu":
            return (self.reverse(self.steps[i], signal, trace),)
        if kind == "fc":
            return (signal @ chains.with_weights_as_used(module).weight,)
        if kind in ("skip", "norm"):
            return (signal,)  # dropout is of no effect, contrast norm is left out
        if kind == "batchnorm":
            factor = (module.running_var + module.eps).rsqrt()
            factor = factor if module.weight is None else factor * module.weight
            return (signal * factor[:, None, None],)
        shapes = [(len(signal), *trace.shapes[node]) for node in inputs]
        if trace.frames is not None:
            shapes = [(*shape[:2], *signal.shape[2:]) for shape in shapes]
        if kind in ("flatten", "reshape"):
            signal = signal.reshape(shapes[0])
            return (signal.contiguous(memory_format=torch.channels_last) if signal.ndim == 4 else signal,)
        if kind == "add":
            return tuple(
                s.sum_to_size(shape) for s, shape in zip((signal, signal.clone()), shapes, strict=True)
            )
        if kind == "concat":
            return signal.split([shape[1] for shape in shapes], 1)
        if kind == "scaled":
            return ((signal * trace.held[name]).sum_to_size(shapes[0]),)
        if kind == "same-size" and signal.shape == shapes[0]:
            return (signal,)
        at = [trace.held[name]] if kind == "maxima" else [signal.new_zeros(shape) for shape in shapes]
        return _transposed(trace.linear[name], at, signal)

    def seeded(self, activations: Tensor, end: int, units: Units, trace: Trace) -> Projections:
        """Patterns of units, on their windows, from the activations (n, maps) at their places."""
        values = activations.gather(1, units.maps[:, None])
        seed = torch.zeros_like(activations).scatter_(1, units.maps[:, None], values)
        seed = seed[:, :, None, None].contiguous(memory_format=torch.channels_last)
        pixels = self.down(seed, end, trace)
        return Projections(pixels, trace.frames[0].tops, trace.frames[0].lefts, values[:, 0])

    # ---- windows: a step may see less of a node than all its readers together

    def _part(self, i: int, node: int, trace: Trace) -> tuple[int, Window, Window]:
        """Where in a node's window a step's own begins (pixels); the step's own; the node's."""
        own, whole = graphs.below(trace.fields[i + 1], self.steps[i].window), trace.fields[node]
        return whole.padding - own.padding, own, whole

    def _seen(self, x: Tensor, i: int, node: int, trace: Trace) -> Tensor:
        start, own, whole = self._part(i, node, trace)
        here = slice(start, start + own.kernel)
        return x if own == whole else x[:, :, here, here]

    def _embedded(self, signal: Tensor, i: int, node: int, trace: Trace) -> Tensor:
        start, own, whole = self._part(i, node, trace)
        after = whole.kernel - own.kernel - start
        return signal if own == whole else nn.functional.pad(signal, (start, after, start, after))

    def _frame(self, i: int, node: int, trace: Trace) -> Frame:
        _, own, whole = self._part(i, node, trace)
        frame = trace.frames[node]
        return frame if own == whole else trace.frames[i + 1].below(self.steps[i].window, frame.of)


def _transposed(step: Any, at: Sequence[Tensor], signal: Tensor) -> tuple[Tensor, ...]:
    """The signals below a step, by its derivative at its inputs; where it is linear, any will do."""
    with torch.enable_grad():
        inputs = [x.detach().requires_grad_() for x in at]
        found = torch.autograd.grad(step(*inputs), inputs, signal)
    return tuple(x.contiguous() if 0 in x.stride() else x for x in found)
