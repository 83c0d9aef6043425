"""Any network as a graph of named steps, of which the deconvnet knows the way back.

Zeiler & Fergus 2013, §2.1, reverse a chain; residual sums, concatenations and gates came later. `torch.fx`
runs the network once on a stand-in for pictures and lists what it does. The one idea: most operations are
linear in the picture's signal, and the way back through these is their transpose, which autograd knows; what
is not linear needs a rule. Rectifiers, ReLU's kin, are rectified as ReLU is; maxima go back to where they
were taken from; a gate, such as squeeze-and-excitation's, is held at its value; the rest is refused by name.
"""

import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn

from zfutils.nets import chains
from zfutils.nets.chains import Step
from zfutils.nets.geometry import Window
from zfutils.nets.graphs import evaluating, refuse_mixture
from zfutils.nets.pooling import BlurPool2d

# What an operation is, by its name without underscores: a function's, a method's or a module's.
KINDS = {
    "relu": "relu relu6 leakyrelu prelu elu celu selu gelu silu hardswish mish softplus",
    "gate": "sigmoid hardsigmoid tanh softmax softmax2d",
    "maxima": "maxpool2d adaptivemaxpool2d amax",
    "reshape": "flatten view reshape unflatten squeeze unsqueeze",
    "skip": "identity dropout dropout2d alphadropout featuredropout stochasticdepth contiguous clone",
    "pieces": "chunk split",
    "linear": "conv2d convtranspose2d linear avgpool2d adaptiveavgpool2d mean sum batchnorm batchnorm2d "
    "batchnorm1d interpolate upsample pad zeropad2d reflectionpad2d replicationpad2d pixelshuffle "
    "pixelunshuffle channelshuffle permute transpose getitem neg to float double cat concat stack add sub "
    "mul div truediv",
    "norm": "localresponsenorm contrastnorm",
    "average": "blurpool2d",
    "value": "size dim numel getattr len floordiv int",
}
KIND_OF = {word: kind for kind, words in KINDS.items() for word in words.split()}
POINTWISE = ("neg", "add", "sub", "mul", "div", "truediv", "cat", "concat")
POINT = Window(1, 1, 0)
SLIDING = {"conv2d": "conv", "maxpool2d": "pool", "avgpool2d": "average", "batchnorm2d": "batchnorm"}
POOLS = {  # functional pooling: the module that does the same, and the names of its arguments in their order
    "maxpool2d": (nn.MaxPool2d, "kernel_size stride padding dilation ceil_mode return_indices"),
    "avgpool2d": (nn.AvgPool2d, "kernel_size stride padding ceil_mode count_include_pad divisor_override"),
}

IN_NEW_MEMORY = {
    operator.iadd: operator.add,
    operator.imul: operator.mul,
    operator.isub: operator.sub,
    operator.itruediv: operator.truediv,
    torch.relu_: torch.relu,
}


def graph(model: nn.Module) -> tuple[Step, ...]:
    """The steps of any network: those of a plain chain (`chains.steps`), or what `torch.fx` traces.

    A traced step has its module's path as its name ("layer2.1.relu"), a function its own after the path of
    the module that calls it ("layer2.1.add"); what is called again gets a number ("layer2.1.relu_1").

    Raises:
        ValueError: a network that cannot be traced, or one with hooks that may change what a layer gives;
            names the line, or the layer.
    """
    chains.refuse_hooks(model)
    refuse_mixture(model)
    try:
        return chains.steps(model)
    except ValueError:
        return _traced(model)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, qualified_name: str) -> bool:
        own = isinstance(m, nn.LocalResponseNorm | BlurPool2d)
        return own or super().is_leaf_module(m, qualified_name)


def _traced(model: nn.Module) -> tuple[Step, ...]:
    before = set(vars(model))
    with evaluating(model):
        try:
            traced = _Tracer().trace(model)
        except Exception as error:  # whatever a forward raises that is given a stand-in for a picture
            raise ValueError(_untraceable(model, error)) from None
        finally:
            kept = {name: vars(model).pop(name) for name in set(vars(model)) - before}
    steps, places = [], {}
    for node in traced.nodes:
        if node.op == "placeholder":
            if places and not node.args:
                raise ValueError(
                    f"{type(model).__name__} takes {node.name!r} beside the picture; give it a default"
                )
            places[node] = 0 if not places else partial(operator.getitem, node.args, 0)
        elif node.op == "get_attr":
            places[node] = (
                partial(kept.get, node.target)
                if node.target in kept
                else partial(_weight, model, node.target)
            )
        elif node.op != "output":
            building = _Building(model, node, steps, places)
            steps.append(building.step())
            places[node] = len(steps)
            if building.in_place:  # whoever reads afterwards what it overwrote, reads what it gave
                places[node.args[0]] = len(steps)
    if not steps:
        raise ValueError("the model has no layers")
    return tuple(steps)


def _weight(model: nn.Module, path: str) -> Tensor:
    """A tensor of the model that no picture changes, as it is when it is used."""
    return operator.attrgetter(path)(model)


def _untraceable(model: nn.Module, error: Exception) -> str:
    trace, line = error.__traceback__, ""
    while trace:
        code = trace.tb_frame.f_code
        if "/torch/" not in code.co_filename and code.co_filename != __file__:
            line = f"{code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    name = type(model).__name__
    return (
        f"{name} cannot be traced at {line or 'its forward'}: {error}. What its forward does may not "
        f"depend on the values in a picture; ask a part without that alone, as Deconvnet(model.features)"
    )


class _Building:
    """One node of the traced graph on its way to a step."""

    def __init__(
        self, model: nn.Module, node: fx.Node, steps: list[Step], places: dict[fx.Node, Any]
    ) -> None:
        self.node, self.steps = node, steps
        self.places = {read: places[read] for read in node.all_input_nodes}  # as they are here
        self.module = model.get_submodule(node.target) if node.op == "call_module" else None
        name = chains.layer_type(self.module).__name__ if self.module is not None else node.target
        name = name if isinstance(name, str) else getattr(name, "__name__", str(name))
        self.called = name.rstrip("_")
        word = self.called.lower().replace("_", "")
        inplace = getattr(self.module, "inplace", node.kwargs.get("inplace", False))
        self.in_place = inplace or name.endswith("_") or node.target in IN_NEW_MEMORY
        self.word = word[1:] if word in ("iadd", "imul", "isub", "itruediv") else word
        self.reads = tuple(p for n in node.all_input_nodes if isinstance(p := places[n], int))
        self.signals = tuple(p for p in self.reads if not p or steps[p - 1].kind not in ("value", "constant"))
        self.inputs = self.signals

    def step(self) -> Step:
        kind, refusal, window, module = KIND_OF.get(self.word, "unknown"), "", None, self.module
        below = self.steps[self.signals[0] - 1].kind if self.signals and self.signals[0] else ""
        if not self.signals or kind == "value":
            self.inputs = ()
            return self._as("value" if self.reads else "constant")
        if self.word in ("mul", "div", "truediv") and len(self.signals) > 1:
            gates = [p for p in self.signals if self._gate(p)]
            if self.word == "mul" and len(self.signals) - len(gates) == len(gates) == 1:
                kind, self.inputs = "scaled", tuple(p for p in self.signals if p not in gates)
            else:
                kind, refusal = "unknown", "combines two signals, of which not one alone is a gate"
        if module is None:
            module = nn.ReLU() if self.word == "relu" else self._pool() if self.word in POOLS else None
        if module is not None:
            kind, window, refusal = self._layer(kind, module)
        elif self.word == "getitem" and below == "pieces":
            return self._piece(self.steps[self.signals[0] - 1])
        elif self.word == "add" and len(self.signals) == 2 and not self.node.kwargs:
            kind, window = "add", POINT
        elif self.word in ("cat", "concat") and self._along_maps():
            kind, window = "concat", POINT
        elif kind in ("relu", "skip") or (self.word in POINTWISE and kind == "linear" and self._everywhere()):
            window = POINT
        if kind in ("unknown", "gate"):
            refusal = refusal or ("is a gate, which is held" if kind == "gate" else "has no backward rule")
            refusal += "; choose a layer below it, or put nn.ReLU or a linear layer in its place"
        return self._as(kind, module, window, refusal)

    def _as(
        self, kind: str, module: nn.Module | None = None, window: Window | None = None, why: str = ""
    ) -> Step:
        why = f"{self.called} {why}" if why else ""
        return Step(self._name(), kind, module, window, self.inputs, self.reads, self._bind, why)

    def _piece(self, pieces: Step) -> Step:
        """One part of what was split, straight from what was."""
        index = self.node.args[1]

        def bind(values: Mapping[int, Any]) -> Callable[..., Tensor]:
            return lambda x: pieces.bind(values)(x)[index]

        return Step(self._name(), "linear", None, None, pieces.inputs, pieces.reads, bind)

    def _name(self) -> str:
        above = [path for path, _ in self.node.meta.get("nn_module_stack", {}).values()]
        name = self.node.target if self.module is not None else ".".join([*above[-1:], self.called])
        there, number, free = {step.name for step in self.steps}, 0, name
        while free in there:
            number += 1
            free = f"{name}_{number}"
        return free

    def _bind(self, values: Mapping[int, Any]) -> Callable[..., Any]:
        """What the node does, as a function of its inputs; all else that it reads stays as it is."""

        def run(*inputs: Tensor) -> Any:
            given = dict(zip(self.inputs, inputs, strict=True))

            def look(node: fx.Node) -> Any:
                place = self.places[node]
                return place() if callable(place) else given[place] if place in given else values[place]

            args, kwargs = fx.map_arg((self.node.args, self.node.kwargs), look)
            kwargs = {name: value for name, value in kwargs.items() if name != "inplace"}
            if self.module is not None:
                return chains.out_of_place(self.module)(*args, **kwargs)
            if self.node.op == "call_method":  # what is viewed may lie in memory otherwise than in the model
                name = "reshape" if self.called == "view" else self.called
                return getattr(args[0], name)(*args[1:], **kwargs)
            return IN_NEW_MEMORY.get(self.node.target, self.node.target)(*args, **kwargs)

        return run

    def _gate(self, place: int) -> bool:
        """Whether a node is the output of a gate, reshaped or interpolated perhaps."""
        while place:
            step = self.steps[place - 1]
            if step.kind == "gate":
                return True
            if step.kind not in ("reshape", "skip") or len(step.inputs) != 1:
                return False
            place = step.inputs[0]
        return False

    def _layer(self, kind: str, module: nn.Module) -> tuple[str, Window | None, str]:
        """A module's kind, its window where it slides over one, and why it cannot be reversed."""
        reason = chains.unsuitable(module)
        if "statistics" in reason or "indices" in reason:
            return "unknown", None, f"cannot be reversed: {reason}"
        if self.word == "linear":
            return "fc", None, ""
        if self.word in SLIDING and not reason:
            return SLIDING[self.word], chains.window_of(module), ""
        return kind, chains.window_of(module) if kind in ("relu", "skip", "norm", "average") else None, ""

    def _pool(self) -> nn.Module | None:
        """The module that does what a functional pooling does, if its arguments are numbers."""
        layer, names = POOLS[self.word]
        given = dict(zip(names.split(), self.node.args[1:], strict=False))
        given |= {k: v for k, v in self.node.kwargs.items() if k not in ("input", "self")}
        if len(self.node.all_input_nodes) > 1:
            return None
        return layer(**{k: v for k, v in given.items() if v not in (None, ())})

    def _along_maps(self) -> bool:
        args = self.node.args
        return (args[1] if len(args) > 1 else self.node.kwargs.get("dim", 0)) in (1, -3)

    def _everywhere(self) -> bool:
        """Whether it reads, beside its signals, nothing but what is the same everywhere in a map."""
        read = [place() for n in self.node.all_input_nodes if callable(place := self.places[n])]
        shapes = [t.shape for t in read if isinstance(t, Tensor)]
        same = all(not shape or (len(shape) >= 3 and shape[-2:] == (1, 1)) for shape in shapes)
        return same and self.reads == self.signals
