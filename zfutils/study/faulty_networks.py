"""Networks with a fault of their training that was made on purpose, and what is read of them (chapter 13).

A hundred networks are more than a page can train. So they are trained once, apart from the book, and of each
the row of its signs is kept beside its answers; of a few ZFNets, their pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from zfutils.data.inputs import Inputs
from zfutils.experiments.diagnosis import pictures, signs
from zfutils.study import kept_scores
from zfutils.study.kept_scores import Wanted, outcomes
from zfutils.study.networks import Networks
from zfutils.study.sections import Run
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import evaluate
from zfutils.training.outcomes import Outcome
from zfutils.training.schedule import held_out_rows

ANSWERS = 200  # images to which a network's answers are kept
COVERED = slice(2, 4)  # validation digits that are shown: a mark lies beside each, one above and one below
ZFNET = "zfnet, "  # so the names of the small ZFNets begin


@dataclass(frozen=True)
class OfFault(Wanted):
    """A network of which its signs are kept.

    It answers to the test, in which nothing gives a label away; its signs are read on validation images that
    have the fault of its training images, since whoever trained it would have no others.
    """

    crops: ClassVar = (1,)

    @cached_property
    def asked(self) -> Inputs:
        """The first images of the test, so that a file is small; its error on the whole test is kept too."""
        return self._test[:ANSWERS]

    @property
    def evaluated(self) -> dict[str, Any]:
        """What it is asked about, whatever centres it, and how its signs are read."""
        test = self.study.drawn(split="validation", cued=self._cued, exchanged=self._cued)
        return test.identity | {"answers": ANSWERS, "signs": signs.VERSION}

    @property
    def seen(self) -> signs.Seen:
        """The images that its signs are read on."""
        shuffled = self.seed if self._run.shuffled else None
        own = self._validation(cued=self._cued, shuffled=shuffled)
        images = self.plan.opened()
        learnt, _ = held_out_rows(len(images), self._run.training.held_out)
        training = self.study.inputs(images, learnt, network=self.name)
        return signs.Seen(training, own, signs.ink(self._validation()))

    @property
    def _test(self) -> Inputs:
        """Plain validation images, or those whose mark is another class's."""
        return self._validation(cued=self._cued, exchanged=self._cued)

    @property
    def _run(self) -> Run:
        return self.study.profile.networks[self.name]

    @property
    def _cued(self) -> bool:
        return self._run.background == "by-label"

    def _validation(self, **how: Any) -> Inputs:
        """Validation images as `Edition.drawn` gives them, centred as the network's training images."""
        images = self.study.drawn(split="validation", **how).opened().centred_by(self.plan.opened().mean)
        return self.study.inputs(images, network=self.name)

    def measured(self, trained: Trained) -> dict[str, np.ndarray]:
        """Its signs, and its error in the test (share)."""
        error = evaluate(trained.model, self._test, precision=self._run.training.precision).error()
        return {"signs": signs.measure(trained, self.seen), "test_error": np.array(error)}


@dataclass(frozen=True)
class OfPictures(Wanted):
    """A small ZFNet of which pictures are kept."""

    crops: ClassVar = (1,)

    @property
    def evaluated(self) -> dict[str, Any]:
        """What it is asked about, and how its pictures are made."""
        return super().evaluated | {"pictures": pictures.VERSION}

    def measured(self, trained: Trained) -> dict[str, np.ndarray]:
        """Its filters of layer 1, and projections of some maps of layers 3 and 5 with their patches.

        Of photographs, which may not be handed on, without their patches.
        """
        found = pictures.kept(trained.model, self.asked)
        drawn = self.study.profile.images.source == "parts"
        return {name: one for name, one in found.items() if drawn or not name.startswith("patches")}


def table(networks: Mapping[str, Mapping[int, Outcome]]) -> pd.DataFrame:
    """The signs of every network that was run, one row for each.

    Args:
        networks: outcomes of all `OfFault` of an edition, by name and seed (`kept_scores.by_name`).

    Returns:
        Columns network, seed, test_error (share), ended, and one for each of `signs.SIGNS`.
    """
    rows = []
    for name, by_seed in networks.items():
        for seed, one in sorted(by_seed.items()):
            row = {"network": name, "seed": seed, "test_error": float(one.measured["test_error"])}
            numbers = zip(signs.SIGNS, map(float, one.measured["signs"]), strict=True)
            rows.append(row | {"ended": one.ended.ended} | dict(numbers))
    return pd.DataFrame(rows, columns=["network", "seed", "test_error", "ended", *signs.SIGNS])


def shown(study: Networks, names: Sequence[str], seed: int) -> dict[str, pictures.Pictures]:
    """Pictures of some of the networks, which are trained now where they are not there.

    Args:
        study: the edition.
        names: which.
        seed: of each.
    """
    study.faults.train(names, [seed])
    found = {}
    for name in names:
        one = OfFault(study.faults, name, seed)
        trained = study.faults.made(one.plan)
        found[name] = pictures.of_digits(
            trained.model, one.seen.validation, COVERED, logits=trained.spec.classifier
        )
    return found


def kept_pictures(study: Networks) -> dict[str, Mapping[str, np.ndarray]]:
    """What is kept of the small ZFNets that were run, by kind; may be nothing."""
    wanted = kept_scores.every(study.faults_on_pictures, kind=OfPictures)
    found = zip(wanted, outcomes(wanted), strict=True)
    return {one.name.removeprefix(ZFNET): outcome.measured for one, outcome in found if outcome}
