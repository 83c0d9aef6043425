"""One step of the paper's training (Zeiler & Fergus 2013, §3): SGD with momentum, filters scaled back."""

from contextlib import AbstractContextManager

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import chosen_device, fabric_for, image_type
from zfutils.training.initialisation import initialise, radii, renormalise
from zfutils.training.recipe import Training


def same_random_state() -> AbstractContextManager:
    """Leaves the global random state as it was (building a network and dropout draw from it)."""
    return torch.random.fork_rng(devices=[torch.cuda.current_device()] if torch.cuda.is_available() else [])


class Step:
    """A network on the device that trains, and what changes its weights once.

    `model` is the bare network, `optimizer` the bare optimizer: what a resume point keeps.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        recipe: Training,
        *,
        device: torch.device | None = None,
        seed: int = 0,
        paper: NetworkSpec | None = None,
    ) -> None:
        """Build and initialise the network.

        Args:
            spec: the network.
            recipe: precision, rate, momentum, decay, initialisation, radius and input scale.
            device: that trains; default `chosen_device()`.
            seed: of the weights.
            paper: the network at the paper's size (for the "fan-in" initialisation); default the spec itself.
        """
        self.recipe = recipe
        self.device = device or chosen_device()
        self.fabric = fabric_for(recipe.precision, self.device)
        self.dtype = image_type(recipe.precision, self.device)
        with same_random_state():
            self.model = spec.build().to(memory_format=torch.channels_last)
        initialise(self.model, recipe.initialisation, seed=seed, paper=paper or spec)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            recipe.rate,
            momentum=recipe.momentum,
            weight_decay=recipe.decay,
            fused=True,  # one pass over the weights instead of several
        )
        self.wrapped, self.stepping = self.fabric.setup(self.model, self.optimizer)  # as Fabric runs them
        self.limited = [(self.model.get_submodule(n).weight, r) for n, r in radii(self.model, recipe).items()]

    def __call__(self, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> Tensor:
        """Forward, backward, update, renormalise; returns the loss."""
        loss = nn.functional.cross_entropy(self.wrapped(images), labels)
        self.stepping.zero_grad()
        self.fabric.backward(loss)
        self.stepping.step()
        self.renormalise()
        return loss.detach()

    def renormalise(self) -> None:
        """Scale the filters that have grown beyond their radius back to it."""
        for weight, radius in self.limited:
            renormalise(weight, radius)
