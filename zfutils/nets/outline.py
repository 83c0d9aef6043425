"""A network in outline: what each step does, how large its maps are, and what a unit sees of the picture.

Sizes are those of one picture that is taken up through the network; receptive fields come from the windows of
the steps below (`graphs.fields`), so that a graph of any form has its own Fig. 3.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.nets import chains, graphs
from zfutils.nets.chains import Step
from zfutils.nets.geometry import Window
from zfutils.nets.tracing import graph
from zfutils.runtime.devices import device_of, dtype_of

HIDDEN = ("value", "constant", "pieces")  # steps that give no maps of their own
ANSWERS = ("relu", "add", "concat")  # steps after which maps are looked at
MOST = 5  # layers that are looked at where none is named


class Line(NamedTuple):
    """One step of a network, as it is drawn."""

    place: int  # of the step
    name: str
    does: str  # "Conv2d", "ReLU", "add"
    window: Window | None  # that slides, where one does
    shape: tuple[int, ...]  # (maps, h, w) or (units) of what it gives
    field: Window | None  # of the picture that a unit sees (pixels); none: all of it
    reads: tuple[int, ...]  # places of the lines that it reads; -1 is the picture


def outline(model: nn.Module, images: Float[Tensor, "n channels h w"]) -> list[Line]:
    """The steps of a network in their order.

    Args:
        model: any network that `tracing.graph` takes.
        images: as the network takes them; the first alone is used.

    Raises:
        ValueError: a network that cannot be traced, or a picture that a step cannot take; names it.
    """
    steps = graph(model)
    picture = images[:1].to(device_of(model), dtype_of(model))
    lines = []
    for place, value in _values(model, steps, picture):
        step = steps[place]
        if step.kind in HIDDEN or not isinstance(value, Tensor):
            continue
        sees = graphs.fields(steps, place)
        slides = step.window if step.window is not None and step.window.kernel > 1 else None
        slides = step.window if step.kind in ("conv", "pool", "average") else slides
        reads = tuple(dict.fromkeys(above for node in step.reads for above in _drawn(steps, node)))
        does = step.name.rpartition(".")[2].rstrip("_0123456789")
        does = chains.layer_type(step.module).__name__ if step.module is not None else does
        field = sees and sees[0]
        lines.append(Line(place, step.name, does, slides, tuple(value.shape[1:]), field, reads))
    return lines


def default_layers(model: nn.Module, images: Float[Tensor, "n channels h w"]) -> list[str]:
    """The layers that are looked at where none is named: the last rectified maps of each size.

    A sum or a concatenation counts as rectified; in a network that rectifies nothing it is the last
    convolution. Of more than five sizes five are taken, the first and the last among them.

    Raises:
        ValueError: a network without maps, or as for `outline`.
    """
    steps = graph(model)
    lines = [line for line in outline(model, images) if len(line.shape) == 3 and max(line.shape[1:]) > 1]
    rectified = [line for line in lines if steps[line.place].kind in ANSWERS]
    convolved = [line for line in lines if steps[line.place].kind == "conv"]
    last = {line.shape[1:]: line.name for line in rectified or convolved}
    if not last:
        raise ValueError(f"{type(model).__name__} has no layer with maps that are larger than one pixel")
    names = list(last.values())
    places = torch.linspace(0, len(names) - 1, min(MOST, len(names))).round().int().tolist()
    return [names[place] for place in places]


def _values(
    model: nn.Module, steps: Sequence[Step], picture: Tensor
) -> Iterator[tuple[int, Tensor | object]]:
    """What every step gives for a picture, one after another."""
    values: dict[int, object] = {0: picture}
    last = graphs.last_reads(steps, range(len(steps)))
    with graphs.evaluating(model):
        for i in range(len(steps)):
            values[i + 1] = graphs.run(steps, values, i)
            yield i, values[i + 1]
            for node in last.get(i, ()):
                del values[node]


def _drawn(steps: Sequence[Step], node: int) -> Iterator[int]:
    """The lines that a node stands for: its own, or those that a hidden step reads."""
    if not node or steps[node - 1].kind not in HIDDEN:
        yield node - 1
        return
    for below in steps[node - 1].reads if steps[node - 1].kind == "pieces" else ():
        yield from _drawn(steps, below)
