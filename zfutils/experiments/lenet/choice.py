"""Which digits are measured and shown: so many of each class by the seed, and single ones for figures."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from zfutils.experiments.lenet.covering import Covered


def of_each_class(labels: Int64[Tensor, " n"], count: int, *, seed: int) -> Int64[Tensor, " m"]:
    """Rows of so many digits of each class, class after class, drawn without replacement.

    Args:
        labels: of the set.
        count: of each class; a class that has fewer gives all.
        seed: of the draw.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return order[first_of_each_class(labels[order], count)]


def first_of_each_class(labels: Int64[Tensor, " n"], count: int = 1) -> Int64[Tensor, " m"]:
    """Positions of the first digits of each class in a list of digits."""
    return torch.cat([(labels == label).nonzero()[:count, 0] for label in labels.unique()])


def most_misread(covered: Covered) -> Int64[np.ndarray, " classes"]:
    """Of each class the digit that is read as another class at the most positions, the first of equals.

    A digit that is misread whole is taken only where its class has no other.
    """
    changed = (covered.read != covered.labels[:, None, None]).mean((1, 2))
    changed[covered.read_whole != covered.labels] -= 2
    own = [np.flatnonzero(covered.labels == label) for label in np.unique(covered.labels)]
    return np.array([rows[changed[rows].argmax()] for rows in own])


def most_active(activations: Float[np.ndarray, "n maps"], count: int) -> list[int]:
    """The maps with the largest sums over some digits of their strongest activation, in the layer's order."""
    return sorted(np.argsort(-activations.sum(0), kind="stable")[:count].tolist())
