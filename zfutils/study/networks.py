"""One edition's trained networks: what they are, where they lie, and their training where they are missing.

A network is loaded if it is there and the same (spec, seed, recipe, images), from the reference networks of
the published run or from the build folder, and is trained on the spot otherwise, by whichever page asks
first.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Int64
from torch import Tensor

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.nets.specs import NetworkSpec
from zfutils.nets.zoo import NETWORKS, ROWS, table_3
from zfutils.runtime.devices import chosen_device
from zfutils.runtime.files import whole
from zfutils.runtime.parallel import side_by_side
from zfutils.study.edition import Edition
from zfutils.study.places import REFERENCE
from zfutils.study.profile import Run
from zfutils.training import checkpoints, trainer
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import Scores, evaluate
from zfutils.training.recipe import Training

SMALL = "zfnet: none"  # among the small networks, the one that is also trained from scratch for transfer


@dataclass(frozen=True)
class Networks(Edition):
    """An edition's images and networks; `Study` adds its pages and results."""

    @cached_property
    def device(self) -> torch.device:
        """The device of the study: where its networks live and images are sent (`ZFUTILS_DEVICE`)."""
        return chosen_device()

    def inputs(
        self, images: Pixels, rows: Int64[Tensor, " n"] | None = None, *, network: str = "zfnet"
    ) -> Inputs:
        """Images as a network of the edition sees them: its crop, on the scale that it was trained on.

        Args:
            images: one of the edition's sets.
            rows: which of them; default all.
            network: whose side and scale.
        """
        run = self._run(network)
        side, scale = self.profile.images.crop, run.training.input_scale
        return Inputs.of(images, rows, side=side, scale=scale)

    @cached_property
    def small(self) -> Self:
        """The edition's many small networks, as a study of its own, with images of their size.

        Its networks are the rows that Table 3 has for either network, such as "krizhevsky: without layer 7".

        Raises:
            ValueError: the edition has no small networks.
        """
        small = self.profile.small
        if small is None:
            raise ValueError(f"the edition {self.edition} has no section 'small'")
        images = self.profile.images.model_copy(update=small.images.model_dump() | {"search": None})
        networks = {
            f"{base}: {row}": Run(base=base, row=row, seeds=small.seeds, training=small.training)
            for base, rows in ROWS.items()
            for row in rows
        }
        changes = {"images": images, "network": small.network, "training": small.training}
        profile = self.profile.model_copy(update=changes | {"networks": networks, "small": None})
        return replace(self, profile=profile, folder=self.folder / "small")

    # ---- networks

    def _run(self, name: str) -> Run:
        if name not in self.profile.networks:
            there = ", ".join(self.profile.networks)
            raise ValueError(f"the edition {self.edition} has no network {name!r}; it has {there}")
        return self.profile.networks[name]

    def spec(self, name: str) -> NetworkSpec:
        """A network of the edition, as data: at its width, image size and number of classes."""
        run = self._run(name)
        size = run.network or self.profile.network
        base = NETWORKS[run.base](len(self.train_images.classes), self.profile.images.crop)
        rows = table_3(base.scaled(size.width, fc_width=size.fc_width))
        if run.row not in rows:
            raise ValueError(f"networks.{name}.row is {run.row!r}; Table 3 has {', '.join(rows)}")
        return replace(rows[run.row], norm_alpha=run.training.norm_alpha)

    def _trained_on(self, name: str) -> Pixels:
        return self.cued_images("train") if self._run(name).background == "by-label" else self.train_images

    def _wanted(self, name: str, seed: int) -> dict[str, Any]:
        return checkpoints.identity(self.spec(name), self._run(name).training, self._trained_on(name), seed)

    def _network_folder(self, name: str, wanted: dict[str, Any]) -> Path:
        digest = blake2b(json.dumps(wanted).encode(), digest_size=4).hexdigest()
        plain = re.sub(r"[^a-z0-9]+", "-", name)
        return self.folder / "networks" / f"{plain}-{wanted['seed']}-{digest}"

    def _there(self, name: str, seed: int) -> Path | None:
        """The folder of a finished network that is the one asked for."""
        wanted, reference = self._wanted(name, seed), REFERENCE / "networks" / f"{name}-{seed}"
        if not self.fresh and (reference / "network.json").is_file():
            found = json.loads((reference / "network.json").read_text())["identity"]
            if checkpoints.same_network(found, wanted):
                return reference
        own = self._network_folder(name, wanted)
        return own if (own / "network.json").is_file() else None

    def network(self, name: str, seed: int = 0) -> Trained:
        """A trained network: loaded, or trained now under a lock, with all cores.

        Args:
            name: one of the edition's `networks`.
            seed: of weights, order, crops and dropout.

        Raises:
            ValueError: the edition has no such network; names those it has.
        """
        there = self._there(name, seed)
        if there is not None:
            return checkpoints.load(there, self.device)
        run = self._run(name)
        return self._trained(name, self.spec(name), run.training, self._trained_on(name), seed, run.base)

    def _trained(
        self, name: str, spec: NetworkSpec, recipe: Training, images: Pixels, seed: int, base: str
    ) -> Trained:
        """A network in the build folder, trained under a lock where it is not there."""
        folder = self._network_folder(name, checkpoints.identity(spec, recipe, images, seed))
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not (folder / "network.json").is_file():
                paper, label = NETWORKS[base](), f"{name} seed {seed}"
                how = {"seed": seed, "paper": paper, "label": label, "device": self.device}
                trainer.train(spec, images, recipe, folder, **how)
        return checkpoints.load(folder, self.device)

    def trained(self) -> list[Trained]:
        """Every network of the edition that is there, with every seed, the published one's first."""
        folders = [
            *(REFERENCE / "networks").glob("*/network.json"),
            *self.folder.glob("networks/*/network.json"),
        ]
        wanted = {self._there(n, s) for n in self.profile.networks for s in self.profile.networks[n].seeds}
        return [checkpoints.load(f.parent, self.device) for f in sorted(folders) if f.parent in wanted]

    def train(self, names: Iterable[str], seeds: Iterable[int] | None = None) -> None:
        """Train the networks that are not there yet, side by side on a CPU, one thread each.

        Args:
            names: of the edition's `networks`.
            seeds: each network is trained from each; by default from its own in the edition.
        """
        chosen = None if seeds is None else tuple(seeds)
        wanted = [(n, s) for n in names for s in (self._run(n).seeds if chosen is None else chosen)]
        missing = [job for job in wanted if self._there(*job) is None]
        missing.sort(key=lambda job: -self._work(job[0]))
        _finish([partial(replace(self).network, *job) for job in missing], self.device)

    def _work(self, name: str) -> int:
        return self.spec(name).multiply_adds * self._run(name).training.epochs

    def scratch(self, images: Pixels, seed: int = 0) -> Trained:
        """A network like the small ZFNet, trained on other images alone (chapter 9).

        Epochs and patience of the recipe are those of the largest set of the edition's target; others are
        gone through until as many pictures were seen, since few pictures would end before anything is learnt.

        Args:
            images: all that it is trained on.
            seed: of weights, order, crops and dropout.

        Raises:
            ValueError: the edition has no transfer.
        """
        return self.small._trained("scratch", *self._from_scratch(images), seed, "zfnet")

    def train_scratch(self, sets: Iterable[Pixels], seed: int = 0) -> None:
        """Train `scratch` on each of several sets where it is not there, side by side as `train` does."""
        missing = []
        for images in sorted(sets, key=len, reverse=True):
            wanted = checkpoints.identity(*self._from_scratch(images), seed)
            if not (self.small._network_folder("scratch", wanted) / "network.json").is_file():
                missing.append(partial(replace(self).scratch, images, seed))
        _finish(missing, self.device)

    def _from_scratch(self, images: Pixels) -> tuple[NetworkSpec, Training, Pixels]:
        spec, recipe = self.small.spec(SMALL).on(classes=len(images.classes)), self._transfer.training
        rounds = max(self._transfer.per_class) * len(images.classes) / len(images)
        patience = max(1, round(recipe.plateau.patience * rounds))
        plateau = recipe.plateau.model_copy(update={"patience": patience})
        changes = {"epochs": max(1, round(recipe.epochs * rounds)), "plateau": plateau}
        return spec, recipe.model_copy(update=changes), images

    def scores(
        self,
        name: str,
        seed: int = 0,
        *,
        crops: Literal[1, 10] = 10,
        split: Literal["validation", "train"] = "validation",
    ) -> Scores:
        """What a network says of a split; computed once and kept.

        Args:
            name, seed: which network.
            crops: the centre crop, or the mean over ten.
        """
        trained = self.network(name, seed)
        images = self.validation_images if split == "validation" else self.train_images
        called = self._network_folder(name, self._wanted(name, seed)).name
        kept = self.folder / "results" / "scores" / f"{called}-{split}-{crops}.npz"
        halved = REFERENCE in trained.folder.parents  # published weights are in half precision
        wanted = json.dumps([trained.record["seconds"], halved, images.identity])
        if kept.is_file():
            with np.load(kept) as file:
                if str(file["of"]) == wanted:
                    return Scores(file["probabilities"], file["labels"])
        precision = self._run(name).training.precision
        inputs = self.inputs(images, network=name)
        found = evaluate(trained.model, inputs, crops=crops, precision=precision)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with whole(kept) as beside, beside.open("wb") as file:
            np.savez(file, probabilities=found.probabilities, labels=found.labels, of=wanted)
        return found


def _finish(trainings: Sequence[Callable[[], Trained]], device: torch.device) -> None:
    """Run trainings: one after the other on a GPU, side by side on a CPU."""
    for _ in side_by_side(_finished, trainings, workers=None if device.type == "cpu" else 1):
        pass


def _finished(one: Callable[[], Trained]) -> None:
    """Train, and hand nothing back: the network lies on disk."""
    one()
