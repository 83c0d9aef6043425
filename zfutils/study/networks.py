"""One edition's trained networks: what they are, where they lie, and their training where they are missing.

A network is loaded if it is there and the same (spec, seed, recipe, images), from the reference networks of
the published run or from the build folder, and is trained on the spot otherwise, by whichever page asks
first.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Int64
from torch import Tensor

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.data.stores import Store
from zfutils.nets.geometry import Window
from zfutils.nets.specs import NetworkSpec
from zfutils.nets.zoo import NETWORKS, table_3
from zfutils.runtime.devices import chosen_device
from zfutils.runtime.files import whole
from zfutils.runtime.parallel import trainings
from zfutils.runtime.ranks import agreed, rank, wait
from zfutils.study.groups import Groups
from zfutils.study.places import REFERENCE
from zfutils.study.plans import Plan, plain
from zfutils.study.sections import Run
from zfutils.training import checkpoints, trainer
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import Scores, evaluate


@dataclass(frozen=True)
class Networks(Groups):
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

    # ---- networks

    def _run(self, name: str) -> Run:
        if name not in self.profile.networks:
            there = ", ".join(self.profile.networks)
            raise ValueError(f"the edition {self.edition} has no network {name!r}; it has {there}")
        return self.profile.networks[name]

    def seeds(self, name: str) -> tuple[int, ...]:
        """Seeds from which pages train a network of the edition; of further ones they show what is kept."""
        run = self._run(name)
        return run.seeds if run.trained is None else run.trained

    def spec(self, name: str) -> NetworkSpec:
        """A network of the edition, as data: at its width, image size and number of classes."""
        run = self._run(name)
        size = run.network or self.profile.network
        classes, side = len(self.train_store.source.classes), self.profile.images.crop
        wide = NETWORKS[run.base]
        base = wide(classes).at(side) if size.geometry == "to scale" else wide(classes, side)
        scaled = base.scaled(size.width, fc_width=size.fc_width)
        if size.full_first_layer:
            first = base.convolutions[0]
            scaled = scaled.with_maps(**{first.name: first.maps})
        if run.first_window is not None:
            first = replace(scaled.convolutions[0], window=Window(*run.first_window))
            scaled = replace(scaled, convolutions=(first, *scaled.convolutions[1:]))
        rows = {"none": scaled} if run.base == "lenet5" else table_3(scaled)
        if run.row not in rows:
            raise ValueError(f"networks.{name}.row is {run.row!r}; there are {', '.join(rows)}")
        alpha = run.training.norm_alpha
        return replace(rows[run.row], norm_alpha=alpha, dropout=size.dropout, pooling=run.pooling)

    def _trained_on(self, name: str, seed: int) -> Store:
        run = self._run(name)
        cued, exchanged = run.background != "independent", run.background == "by-chance"
        if run.pictures is None and not run.shuffled:
            return self.cued("train", exchanged=exchanged) if cued else self.train_store
        shuffled = seed if run.shuffled else None
        return self.drawn(run.pictures, cued=cued, exchanged=exchanged, shuffled=shuffled)

    def plan(self, name: str, seed: int = 0) -> Plan:
        """What a network of the edition is trained by.

        Raises:
            ValueError: the edition has no such network; names those it has.
        """
        run = self._run(name)
        return Plan(name, self.spec(name), run.training, self._trained_on(name, seed), seed, run.base)

    def place(self, plan: Plan) -> Path:
        """The folder in which a network lies that is trained here."""
        return self.folder / "networks" / f"{plain(plan.name)}-{plan.seed}-{plan.digest}"

    def find(self, plan: Plan) -> Path | None:
        """The folder of a finished network that is the one planned, whatever it was called."""
        return agreed(self._found(plan))

    def _found(self, plan: Plan) -> Path | None:
        published = () if self.fresh else sorted(REFERENCE.glob(f"networks/*-{plan.seed}/network.json"))
        for record in published:
            if checkpoints.same_network(json.loads(record.read_text())["identity"], plan.identity):
                return record.parent
        own = self.folder.glob(f"networks/*-{plan.seed}-{plan.digest}/network.json")
        return next((record.parent for record in sorted(own)), None)

    def made(self, plan: Plan) -> Trained:
        """The network that is planned: loaded, or trained now under a lock, with all cores and all ranks."""
        there = self.find(plan)
        if there is not None:
            return checkpoints.load(there, self.device)
        folder = self.place(plan)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with nullcontext() if rank() else FileLock(folder.with_suffix(".lock")):
            if not agreed((folder / "network.json").is_file()):
                how = {"seed": plan.seed, "paper": NETWORKS[plan.base](), "device": self.device}
                how["start"] = self.made(plan.start) if plan.start else None
                label = f"{plan.name} seed {plan.seed}"
                trainer.train(plan.spec, plan.opened(), plan.recipe, folder, label=label, **how)
        return checkpoints.load(folder, self.device)

    def network(self, name: str, seed: int = 0) -> Trained:
        """A trained network: loaded, or trained now.

        Args:
            name: one of the edition's `networks`.
            seed: of weights, order, crops and dropout.

        Raises:
            ValueError: the edition has no such network; names those it has.
        """
        return self.made(self.plan(name, seed))

    def trained(self) -> list[Trained]:
        """Every network of the edition that is there, with every seed, the published one's first."""
        runs = self.profile.networks.items()
        found = {self.find(self.plan(name, seed)) for name, run in runs for seed in run.seeds}
        return [checkpoints.load(folder, self.device) for folder in sorted(found - {None})]

    def train(self, names: Iterable[str], seeds: Sequence[int] | None = None) -> None:
        """Train the networks that are not there yet, side by side.

        Args:
            names: of the edition's `networks`.
            seeds: each network is trained from each; by default from its own in the edition.
        """
        wanted = [(n, s) for n in names for s in (self._run(n).seeds if seeds is None else seeds)]
        missing = [job for job in wanted if self.find(self.plan(*job)) is None]
        missing.sort(key=lambda job: -self.plan(*job).work)
        done([partial(replace(self).network, *job) for job in missing], self.device)

    def scores(self, name: str, seed: int = 0, *, crops: Literal[1, 10] = 10) -> Scores:
        """What a network says of the validation images; computed once and kept.

        Args:
            name, seed: which network.
            crops: the centre crop, or the mean over ten.
        """
        trained, images = self.network(name, seed), self.validation_images
        called = self.place(self.plan(name, seed)).name
        kept = self.folder / "results" / "scores" / f"{called}-validation-{crops}.npz"
        rounded = REFERENCE in trained.folder.parents  # published weights are in fewer bits
        wanted = json.dumps([trained.record["seconds"], rounded, images.identity])
        if agreed(kept.is_file()):
            with np.load(kept) as file:
                if str(file["of"]) == wanted:
                    return Scores(file["probabilities"], file["labels"])
        precision = self._run(name).training.precision
        inputs = self.inputs(images, network=name)
        found = evaluate(trained.model, inputs, crops=crops, precision=precision)
        if not rank():
            kept.parent.mkdir(parents=True, exist_ok=True)
            with whole(kept) as beside, beside.open("wb") as file:
                np.savez(file, probabilities=found.probabilities, labels=found.labels, of=wanted)
        wait()
        return found


def done(jobs: Sequence[Callable[[], object]], device: torch.device) -> None:
    """Do `trainings` and hand nothing back: networks and what they answer lie on disk."""
    for _ in trainings(_silently, jobs, device):
        pass


def _silently(job: Callable[[], object]) -> None:
    job()
