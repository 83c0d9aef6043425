"""Networks trained on the target of chapter 9, from scratch or fine-tuned, whose scores are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.experiments.transfer.average_precision import by_label
from zfutils.experiments.transfer.folds import Fold, folds
from zfutils.study.edition import SEVERAL
from zfutils.study.groups import SMALL
from zfutils.study.kept_scores import Wanted, outcomes
from zfutils.study.networks import Networks
from zfutils.study.plans import Plan
from zfutils.training.outcomes import Outcome
from zfutils.training.recipe import Training


@dataclass(frozen=True)
class FromScratch(Wanted):
    """A network like the pretrained one, trained on a fold's pictures alone and asked about the fold's test.

    Its study is `Networks.transferred`. Without a fold it is trained on the training scenes of several
    objects, each once for each of its objects, and asked about the test scenes.
    """

    fold: int | None = None
    per_class: int | None = None

    crops: ClassVar = (1,)

    @cached_property
    def images(self) -> Pixels:
        """What it is trained on."""
        target = self.study.target
        if self.fold is not None:
            rows = drawn(self.study, self.seed)[self.fold].train[self.per_class]
            return target.only(torch.from_numpy(rows))
        scenes = self.study.several
        own = scenes.images.only(torch.from_numpy(scenes.train))
        return by_label(own, scenes.present[scenes.train], classes=target.classes)

    @property
    def recipe(self) -> Training:
        """How, with the largest set of the edition's target."""
        return self.study.profile.transfer.training

    @property
    def start(self) -> Plan | None:
        """The network from whose weights it goes on."""
        return None

    @cached_property
    def plan(self) -> Plan:
        """What the network is trained by.

        Epochs and patience of the recipe are those of the largest set of the edition's target; others are
        gone through until as many pictures were seen, since few pictures would end before anything is learnt.
        """
        spec = self.study.spec(SMALL).for_classes(len(self.images.classes))
        rounds = max(self.study.profile.transfer.per_class) * len(self.images.classes) / len(self.images)
        recipe = gone_through(self.recipe, rounds)
        if self.fold is None:  # may stay at chance, which is shown beside what is pretrained
            recipe = recipe.model_copy(update={"may_die": True})
        return Plan(self.name, spec, recipe, self.images, self.seed, "zfnet", self.start)

    @cached_property
    def asked(self) -> Inputs:
        """The test pictures, centred as its own pictures are."""
        if self.fold is None:
            images, rows = self.study.several.images, self.study.several.test
        else:
            images, rows = self.study.target, drawn(self.study, self.seed)[self.fold].test
        return self.study.inputs(images.centred_by(self.images.mean), torch.from_numpy(rows), network=SMALL)

    @property
    def averaged(self) -> tuple[int, ...]:
        """Average precision needs probabilities: of scenes, and of the fold that they are compared with."""
        most = max(self.study.profile.transfer.per_class)
        return (1,) if self.fold is None or (self.fold, self.per_class) == (0, most) else ()

    @property
    def on_the_spot(self) -> bool:
        """Whether a page trains the network where nothing is kept of it."""
        return self.study.profile.transfer.scratch.trained


@dataclass(frozen=True)
class FineTuned(FromScratch):
    """The pretrained network with a new classifier, all of whose layers are trained on a fold's pictures."""

    @property
    def recipe(self) -> Training:
        """How, with the largest set of the edition's target."""
        return self.study.profile.transfer.fine_tuning

    @property
    def start(self) -> Plan:
        """The pretrained network."""
        return self.study.plan(SMALL, self.seed)

    @property
    def averaged(self) -> tuple[int, ...]:
        """Nothing asks for its probabilities."""
        return ()


def drawn(study: Networks, seed: int) -> list[Fold]:
    """The folds of an edition's target.

    Args:
        study: as `Networks.transferred` gives it.
        seed: of the shuffling.
    """
    target, transfer = study.target, study.profile.transfer
    labels = target.labels.numpy()
    how = {"test_per_class": transfer.test_per_class, "classes": target.classes, "seed": seed}
    return folds(labels, transfer.per_class, transfer.folds, **how)


def gone_through(recipe: Training, rounds: float) -> Training:
    """A recipe whose images are gone through `rounds` times as often."""
    changes = {"epochs": max(2, round(recipe.epochs * rounds))}  # whether a training ended is seen on two
    if recipe.plateau is not None:
        patience = max(1, round(recipe.plateau.patience * rounds))
        changes["plateau"] = recipe.plateau.model_copy(update={"patience": patience})
    return recipe.model_copy(update=changes)


def from_scratch(study: Networks, seed: int = 0) -> list[FromScratch]:
    """All networks from scratch of an edition: of its folds and steps, and of its scenes of several objects.

    Args:
        study: as `Networks.transferred` gives it.
        seed: of the folds and of the networks.
    """
    transfer = study.profile.transfer
    found = [FromScratch(study, f"scratch: {where}", seed, *key) for where, key in _steps(study)]
    if transfer.target in SEVERAL:
        found.append(FromScratch(study, "scratch: several objects", seed))
    return found


def fine_tuned(study: Networks, seed: int = 0) -> list[FineTuned]:
    """All fine-tuned networks of an edition, for the folds and steps of those from scratch; may be none.

    Args:
        study, seed: as for `from_scratch`.
    """
    if study.profile.transfer.fine_tuning is None:
        return []
    return [FineTuned(study, f"fine-tuned: {where}", seed, *key) for where, key in _steps(study)]


def by_step(wanted: Sequence[FromScratch]) -> dict[tuple[int | None, int | None], Outcome]:
    """What is known of networks trained on the target, by fold and pictures a class.

    Args:
        wanted: as `from_scratch` or `fine_tuned` gives them; those that were not run yet are left out.
    """
    found = zip(wanted, outcomes(wanted), strict=True)
    return {(one.fold, one.per_class): outcome for one, outcome in found if outcome}


def _steps(study: Networks) -> list[tuple[str, tuple[int, int]]]:
    """Folds and pictures a class that networks are trained on, in words and as numbers."""
    scratch = study.profile.transfer.scratch
    keys = [(fold, n) for fold in range(scratch.folds) for n in scratch.per_class]
    return [(f"fold {fold}, {n} a class", (fold, n)) for fold, n in keys]
