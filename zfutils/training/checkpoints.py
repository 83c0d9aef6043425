"""Trained networks on disk: safetensors and JSON, so that nothing is executed on loading.

A network is a folder: `epoch-NNNN.safetensors` for every snapshot and `network.json`, written last, with
what makes it the network that was asked for: spec, seed, recipe and images. A file is written beside its
place and renamed, so that a half-written one is never read.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from zfutils.data.pixels import Pixels
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.files import whole
from zfutils.training.eight_bits import widened
from zfutils.training.ended import Ended, ended
from zfutils.training.initialisation import initialise
from zfutils.training.recipe import Training

RECIPE = 3  # raised by hand when training changes its meaning, so that older networks are trained again


@dataclass
class Trained:
    """A trained network with its history, and where its snapshots lie."""

    spec: NetworkSpec
    model: nn.Sequential
    history: pd.DataFrame  # one row an epoch, from epoch 0, before training
    record: dict[str, Any]  # identity, seed, versions, device, seconds
    folder: Path
    device: torch.device  # where the network is, at every epoch

    @property
    def snapshots(self) -> tuple[int, ...]:
        """Epochs whose weights can be had, the last one included; 0 is before training."""
        kept = {int(p.stem.split("-")[1]) for p in self.folder.glob("epoch-*.safetensors")}
        return tuple(sorted(kept | ({0} if self._seeded else set())))

    @property
    def seconds(self) -> float:
        """What the training took."""
        return self.record["seconds"]

    @property
    def _seeded(self) -> bool:
        """Whether the seed gives the initial weights (older records lack what "fan-in" needs besides)."""
        made = self.record["identity"]
        return "start" not in made and (
            "paper" in self.record or made["training"]["initialisation"] != "fan-in"
        )

    @property
    def training_error(self) -> float:
        """Error on the pictures trained on, in eval mode on centre crops, in [0, 1]; NaN if not measured."""
        return self.record.get("training_error", math.nan)

    @property
    def ended(self) -> Ended:
        """Whether the training had come to its end."""
        return ended(self.history["loss"][1:], self.training_error)

    @property
    def models(self) -> Mapping[int, nn.Sequential]:
        """The network at every snapshot, by epoch; each is loaded when it is asked for, and not kept."""
        return _Snapshots(self)

    def at(self, epoch: int) -> nn.Sequential:
        """The network as it was after an epoch.

        A published network's snapshots before the last hold its convolutions; its fully connected layers are
        then those of epoch 0, which the seed gives.

        Raises:
            ValueError: no snapshot of that epoch; names those there are.
        """
        if epoch not in self.snapshots:
            raise ValueError(f"no snapshot of epoch {epoch}; there are {', '.join(map(str, self.snapshots))}")
        model, made = self.spec.build(), self.record["identity"]
        if self._seeded:
            paper = NetworkSpec.from_dict(self.record["paper"]) if "paper" in self.record else self.spec
            initialise(model, made["training"]["initialisation"], seed=made["seed"], paper=paper)
        path = self.folder / f"epoch-{epoch:04d}.safetensors"
        if epoch > 0 or path.is_file():
            set_weights(model, path, convolutions_alone=True)
        return model.eval().to(self.device)


def share_ended(networks: Iterable[Trained]) -> float:
    """Share of some networks whose training had come to its end."""
    found = [network.ended.ended for network in networks]
    return sum(found) / len(found)


class _Snapshots(Mapping[int, nn.Sequential]):
    def __init__(self, trained: Trained) -> None:
        self._trained = trained

    def __getitem__(self, epoch: int) -> nn.Sequential:
        if epoch not in self._trained.snapshots:
            raise KeyError(epoch)
        return self._trained.at(epoch)

    def __iter__(self) -> Iterator[int]:
        return iter(self._trained.snapshots)

    def __len__(self) -> int:
        return len(self._trained.snapshots)


def identity(
    spec: NetworkSpec,
    recipe: Training,
    images: Pixels,
    seed: int,
    *,
    start: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What makes a trained network the one that is asked for; plain data.

    What a plateau watches is named only if it is not the paper's held-out error, `may_die` only if it is
    true, and of plateau and phases the one that lowers the rate, so that networks trained when there was no
    choice are still found.

    Args:
        spec, recipe, images, seed: as for `trainer.train`.
        start: identity of the network from whose weights it goes on.
    """
    training = recipe.model_dump(exclude_none=True, exclude=None if recipe.may_die else {"may_die"})
    training["radius"] = recipe.radius
    if recipe.plateau is not None:
        training["plateau"] = recipe.plateau.model_dump(exclude_defaults=True)
    made_of = {
        "recipe": RECIPE,
        "spec": spec.to_dict(),
        "training": training,
        "images": images.identity,
        "seed": seed,
    } | ({"start": start} if start else {})
    return json.loads(json.dumps(made_of))


def same_network(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a reference network is the one that is asked for, whichever recipe it was made by.

    Photographs are told by their names here, so that a reference network serves whoever has the official
    archive of a set, whose files differ from ours in bytes and in nothing else. The number of the recipe is
    left aside, since the numbers of the published run are those of its own networks.
    """
    alike = [{k: v for k, v in portable(one).items() if k != "recipe"} for one in (found, wanted)]
    return alike[0] == alike[1]


def portable(identity: dict[str, Any]) -> dict[str, Any]:
    """An identity without the bytes of photographs, which differ between archives of the same set."""
    return {k: portable(v) if isinstance(v, dict) else v for k, v in identity.items() if k != "content"}


def load(folder: Path, device: torch.device | str = "cpu") -> Trained:
    """A trained network from its folder, on a device; nothing in it is executed.

    Raises:
        FileNotFoundError: there is none, or its training has not ended.
        ValueError: the weights are truncated or are another network's; names the file.
    """
    path = folder / "network.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no finished network")
    try:
        record = json.loads(path.read_text())
        spec = NetworkSpec.from_dict(record["identity"]["spec"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is truncated or no network's record: {error!r}") from None
    model = spec.build()
    set_weights(model, folder / f"epoch-{record['epochs']:04d}.safetensors")
    device = torch.device(device)
    return Trained(spec, model.eval().to(device), pd.DataFrame(record["history"]), record, folder, device)


def set_weights(model: nn.Sequential, path: Path, *, convolutions_alone: bool = False) -> None:
    """Put weights from a file into a model; those in 8 or 16 bits are widened.

    Args:
        model: as `NetworkSpec.build` gives it.
        path: a safetensors file.
        convolutions_alone: the file may lack the fully connected layers (a reference network's snapshot),
            which then stay as built.

    Raises:
        ValueError: the file is truncated, holds another network's weights, or values that are not finite;
            names it.
    """
    try:
        weights = widened(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(
            f"{path} is missing, truncated or no safetensors file of a network: {error}"
        ) from None
    own = model.state_dict()
    foreign = [n for n, w in weights.items() if n not in own or own[n].shape != w.shape]
    lacking = [n for n in own if n not in weights and not (convolutions_alone and n.startswith("fc"))]
    if foreign or lacking:
        raise ValueError(f"{path} holds another network's weights: {(foreign + lacking)[0]} does not fit")
    if spoilt := [n for n, w in weights.items() if not w.isfinite().all()]:
        raise ValueError(f"{path} is damaged: {spoilt[0]} holds values that are no finite numbers")
    model.load_state_dict(weights, strict=False)


def save_resume_point(
    path: Path, state: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write weights, momentum and all else (plain data) that the next epoch needs, in one file."""
    tensors = {f"weight/{name}": p for name, p in model.named_parameters()}
    for name, parameter in model.named_parameters():
        momentum = optimizer.state[parameter].get("momentum_buffer")  # SGD keeps none at momentum 0
        if momentum is not None:
            tensors[f"momentum/{name}"] = momentum
    save_tensors(tensors, path, metadata={"state": json.dumps(state)})


def resume(
    path: Path, wanted: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Put a resume point into model and optimizer; returns the rest of its state.

    Returns:
        What was saved as `state`; None, and nothing changed, where there is no file or it is of another
        identity than `wanted`.

    Raises:
        ValueError: the file is truncated or no resume point; names it.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            state, names = json.loads(file.metadata()["state"]), set(file.keys())
            if state["identity"] != wanted:
                return None
            for name, parameter in model.named_parameters():
                with torch.no_grad():
                    parameter.copy_(file.get_tensor(f"weight/{name}"))
                if f"momentum/{name}" in names:
                    momentum = torch.empty_like(parameter).copy_(file.get_tensor(f"momentum/{name}"))
                    optimizer.state[parameter]["momentum_buffer"] = momentum
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is truncated or no resume point ({error}); remove {path.parent} to start anew"
        ) from None
    return state


def save_tensors(tensors: dict[str, Tensor], path: Path, *, metadata: dict[str, str] | None = None) -> None:
    """Write tensors, whole or not at all.

    Raises:
        OSError: the disk is full or read-only; names the file.
    """
    with whole(path) as beside:
        try:
            save_file({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, beside, metadata)
        except SafetensorError as error:
            raise OSError(f"{path} could not be written: {error}") from None
