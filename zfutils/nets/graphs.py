"""A network as steps that read what others give: what a step needs, what a unit sees, what steps give.

A chain is the graph in which each step reads the one before it (`chains`); any other network is traced
(`tracing`). The one idea: what a unit sees of every node below is one window again, the hull of those of all
paths down to it, as long as the paths step through the picture alike.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from zfutils.nets.chains import Step
from zfutils.nets.geometry import Window


@contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """Networks in eval mode, without gradients; each module gets its own mode back, whatever happens."""
    modes = [(module, module.training) for model in models for module in model.modules()]
    try:
        for model in models:
            model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def needed(steps: Sequence[Step], end: int) -> list[int]:
    """The steps that a step needs, itself the last."""
    return _ancestors(steps, end, lambda step: step.reads)[::-1]


def way_down(steps: Sequence[Step], end: int) -> list[int]:
    """The steps that a signal passes from a step down to the picture, itself the first."""
    return _ancestors(steps, end, lambda step: step.inputs)


def _ancestors(steps: Sequence[Step], end: int, nodes: Callable[[Step], tuple[int, ...]]) -> list[int]:
    wanted, found = {end + 1}, []
    for i in range(end, -1, -1):
        if i + 1 in wanted:
            found.append(i)
            wanted.update(nodes(steps[i]))
    return found


def values_of(steps: Sequence[Step], picture: Tensor, ends: Sequence[int]) -> dict[int, Any]:
    """What some steps give for pictures; what no later step reads is let go on the way.

    Raises:
        ValueError: a step that cannot take what comes to it; names it.
    """
    order = sorted({i for end in ends for i in needed(steps, end)})
    values, last = {0: picture}, last_reads(steps, order)
    for i in order:
        values[i + 1] = run(steps, values, i)
        for node in last.get(i, ()):
            if node - 1 not in ends:
                del values[node]
    return {end: values[end + 1] for end in ends}


def last_reads(steps: Sequence[Step], order: Sequence[int]) -> dict[int, set[int]]:
    """By step, the nodes that it is the last to read."""
    by_node = {node: i for i in order for node in steps[i].reads}
    found: dict[int, set[int]] = {}
    for node, i in by_node.items():
        found.setdefault(i, set()).add(node)
    return found


def fields(steps: Sequence[Step], end: int) -> dict[int, Window] | None:
    """What one unit of a step's output sees of every node below; none where that is the whole of one.

    Paths that meet in a sum or a concatenation see different windows, of which the hull is taken.
    """
    found = {end + 1: Window(1, 1, 0)}
    for i in range(end, -1, -1):
        if (above := found.get(i + 1)) is None:
            continue
        if (window := steps[i].window) is None or steps[i].kind == "flatten":
            return None
        seen = below(above, window)
        for node in steps[i].reads:
            hull = found.get(node, seen)
            if hull.stride != seen.stride:
                return None
            stop = max(w.kernel - w.padding for w in (hull, seen))
            padding = max(hull.padding, seen.padding)
            found[node] = Window(stop + padding, seen.stride, padding)
    return found if 0 in found else None


def below(field: Window, window: Window) -> Window:
    """What is seen below a sliding window of what is seen above it."""
    kernel = (field.kernel - 1) * window.stride + window.kernel
    return Window(kernel, field.stride * window.stride, field.padding * window.stride + window.padding)


def refuse_mixture(model: nn.Module) -> None:
    """Refuses a network whose weights lie on several devices or are of several types; names both.

    Raises:
        ValueError: that.
    """
    tensors = [t for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()]
    for what, found in (("devices", {t.device for t in tensors}), ("types", {t.dtype for t in tensors})):
        if len(found) > 1:
            raise ValueError(
                f"the network's weights are of several {what}: {' and '.join(sorted(map(str, found)))}"
            )


@contextmanager
def naming(step: Step, *inputs: Any) -> Iterator[None]:
    """Turns what a step raises into a ValueError that names it and the shapes that came to it."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, ValueError) as error:
        kind = type(step.module).__name__ if step.module is not None else step.kind
        came = ", ".join(str(tuple(x.shape)) for x in inputs if isinstance(x, Tensor))
        raise ValueError(f"{step.name} ({kind}) cannot take what comes to it, {came}: {error}") from None


def run(steps: Sequence[Step], values: Mapping[int, Any], i: int) -> Any:
    """What a step gives, from the values of the nodes before it.

    Raises:
        ValueError: it cannot take them; names the step.
    """
    inputs = [values[node] for node in steps[i].inputs]
    with naming(steps[i], *inputs):
        return steps[i].bind(values)(*inputs)
