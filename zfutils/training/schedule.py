"""When the rate of a training is lowered and when it ends (Zeiler & Fergus 2013, §3), and where it stands.

The paper lowers the rate by hand when the error on held-out images stops falling; so do plateaus here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from zfutils.runtime.seeds import mixed
from zfutils.training.recipe import Training


@dataclass
class Schedule:
    """The rate over the epochs: lowered after fixed shares of them, or at plateaus; the last ends them."""

    recipe: Training
    rate: float = field(init=False)
    best: float = math.inf
    waited: int = 0
    drops: int = 0
    ended: bool = False

    def __post_init__(self) -> None:
        self.rate = self.recipe.rate

    def after(self, row: Mapping[str, Any]) -> None:
        """Take in what an epoch gave: its number, its loss and its held-out error."""
        if self.recipe.phases is not None:
            phases = self.recipe.phases
            self.drops = phases.phase(row["epoch"] + 1, self.recipe.epochs)
            self.rate = self.recipe.rate * phases.factor**self.drops
        else:
            self._watch(row)

    def _watch(self, row: Mapping[str, Any]) -> None:
        plateau = self.recipe.plateau
        value = row["loss" if plateau.of == "training loss" else "held_out_error"]
        if value < self.best - plateau.least:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited >= plateau.patience:
            self.ended = self.drops == plateau.drops
            if not self.ended:
                self.rate, self.drops, self.waited = self.rate * plateau.factor, self.drops + 1, 0


def held_out_rows(n: int, share: float) -> tuple[Int64[Tensor, " trained"], Int64[Tensor, " held"]]:
    """Training rows and held-out rows; the same for every network of an edition, whatever its seed."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(mixed(n)))
    held = max(1, round(n * share))
    return order[held:].sort().values, order[:held].sort().values


@dataclass
class Progress:
    """Where a training stands after an epoch; what a resume point holds beside the tensors."""

    schedule: Schedule
    epoch: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """Plain data, for a resume point."""
        schedule = {name: value for name, value in vars(self.schedule).items() if name != "recipe"}
        return {**vars(self), "schedule": schedule}

    def restore(self, state: dict[str, Any]) -> None:
        """Take in what `state` gave."""
        for name, value in state["schedule"].items():
            setattr(self.schedule, name, value)
        self.epoch, self.seconds, self.history = state["epoch"], state["seconds"], state["history"]
