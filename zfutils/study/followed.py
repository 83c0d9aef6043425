"""The networks that chapter 4 follows through their snapshots; their curves are kept with their answers."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch

from zfutils.data.inputs import Inputs
from zfutils.experiments.evolution import trajectories
from zfutils.study.kept_scores import Wanted
from zfutils.study.networks import Networks
from zfutils.training.checkpoints import Trained

PICTURES = 1000  # that probes learn from, and as many that they are scored on and that CKA compares
AT_STEP_0 = "loss_at_step_0"  # name of an array


@dataclass(frozen=True)
class Followed(Wanted):
    """A network of which the curves of its layers are kept besides its answers.

    Its file is another one when the curves would be: by `trajectories.VERSION`, the layers and the pictures.
    """

    crops: ClassVar = (1,)
    takes_minutes: ClassVar = True

    @cached_property
    def pictures(self) -> tuple[Inputs, Inputs]:
        """Training and validation pictures that the curves are of, the same for every seed."""
        draw = torch.Generator().manual_seed(0)
        sets = (self.study.train_images, self.study.validation_images)
        whole = [self.study.inputs(images, network=self.name) for images in sets]
        learnt, tested = (inputs[torch.randperm(len(inputs), generator=draw)[:PICTURES]] for inputs in whole)
        return learnt, tested

    @property
    def evaluated(self) -> dict[str, Any]:
        """What it is asked about, and what its curves are of."""
        curves = {"version": trajectories.VERSION, "layers": list(trajectories.LAYERS)}
        curves |= dict(zip(("learnt", "tested"), (one.identity for one in self.pictures), strict=True))
        return super().evaluated | {"curves": curves}

    def measured(self, trained: Trained) -> dict[str, np.ndarray]:
        """The curves, as `trajectories.measure` gives them, and the loss before training (nats).

        That is the loss on pictures held out from training, which at step 0 are as new as all others.
        """
        curves = trajectories.measure(trained.models, *self.pictures, name=f"{self.name}, seed {self.seed}")
        history = trained.history.set_index("epoch")
        return curves | {AT_STEP_0: np.array(history.at[0, "held_out_loss"])}


def followed_name(study: Networks) -> str:
    """The network of an edition that chapter 4 follows: its own, or the main ZFNet."""
    return "evolution" if "evolution" in study.profile.networks else "zfnet"


def followed(study: Networks) -> list[Followed]:
    """The networks that chapter 4 follows, one for each of the edition's seeds."""
    name = followed_name(study)
    return [Followed(study, name, seed) for seed in study.profile.networks[name].seeds]
