"""When a training is dead: it goes on taking steps and learns nothing any more.

A loss that is not finite stops a training. One whose units have fallen silent, or which gives every picture
the same answer, goes on at the loss of a guess, ln(classes), and ends like any other. So every epoch is
judged, by its mean loss and by what the network's units respond to in a few pictures, always the same ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Any

import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import forward
from zfutils.nets.layers import layers_of

LEARNT = 0.9  # of ln(classes): an epoch whose loss is below has learnt something
CLOSE = 0.01  # of ln(classes): an epoch whose loss is as close to it knows nothing
WHOLE = 20  # steps that such epochs have together, since the loss of one or two steps says little
LEAST_STEPS = 1000  # before a training that has learnt nothing yet is given up
PICTURES = 256  # that the units of every layer are shown
AT_FIRST = 8  # of them; they are nearly always enough to see that no layer is silent


@dataclass(frozen=True)
class Death:
    """Since which epoch a training is dead, and by which sign."""

    since: int
    why: str


def death(
    history: Sequence[Mapping[str, Any]], *, classes: int, epochs: int, steps: int, ended: bool = False
) -> Death | None:
    """Whether a training is dead after the last epoch of its history.

    It is if no unit of some layer responds; if a loss was below 0.9 ln(classes) and has been back within 1 %
    of ln(classes) for a whole epoch, or for as many epochs as have 20 steps; or if no epoch's loss was lower
    than within 1 % of ln(classes) in the first half of the epochs (in all of them, where a plateau ended the
    training) and at least 1,000 steps. A loss far above ln(classes) may be on its way back.

    Args:
        history: one row per epoch: epoch, loss (mean over its steps) and, if there is one, silent_layer; the
            row of epoch 0, before training, is not looked at.
        classes: that the network tells apart.
        epochs: of the recipe, at most.
        steps: taken so far.
        ended: whether a plateau ended the training.

    Returns:
        None where it is alive.
    """
    rows = [row for row in history if row["epoch"] > 0]
    if not rows:
        return None
    chance, losses = math.log(classes), [row["loss"] for row in rows]
    best = list(accumulate(losses, min))
    signs = [
        row.get("silent_layer") is not None
        or (abs(row["loss"] - chance) <= CLOSE * chance and before < LEARNT * chance)
        for row, before in zip(rows, best, strict=True)
    ]
    run = sum(1 for _ in takewhile(bool, reversed(signs)))
    since = len(rows) - run + 1
    said = f"the loss is {losses[-1]:.3f}, that of a guess among {classes} classes is {chance:.3f}"
    layer = rows[-1].get("silent_layer")
    if layer is not None:
        return Death(since, f"no unit of layer {layer} responds to any of the pictures it is shown")
    if run and run * steps >= WHOLE * len(rows):
        return Death(since, f"{said}, and it was {best[-1]:.3f} before")
    if best[-1] >= (1 - CLOSE) * chance and (ended or 2 * len(rows) >= epochs) and steps >= LEAST_STEPS:
        return Death(1, f"{said}, and it was never lower in {len(rows)} epochs of {steps:,} steps")
    return None


def silent_layer(model: nn.Sequential, inputs: Inputs) -> str | None:
    """The first layer of which no unit is above 0 for any picture, in eval mode; None if every layer has one.

    Args:
        model: as `NetworkSpec.build` gives it.
        inputs: the training set as the network sees it, of which it is shown 256 pictures, equally far apart.
    """
    rectified = list(layers_of(model, nn.ReLU))
    some = inputs[torch.linspace(0, len(inputs) - 1, min(PICTURES, len(inputs))).long()]
    silent = rectified
    for shown in (some[:AT_FIRST], some):
        found = forward(model, shown.tensor(), rectified)
        silent = [name for name in rectified if not (found[name] > 0).any()]
        if not silent:
            return None
    return silent[0]
