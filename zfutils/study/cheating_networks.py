"""A small network that learnt what is around the objects, and honest ones, for chapter 6's test by occlusion.

A page that trains such networks shows their maps. On photographs they take too long for a page; they are
trained once, apart from the book, and what the chapter asks of them is kept with their answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float

from zfutils.data.inputs import Inputs
from zfutils.experiments.occlusion.background_shortcut import background_share
from zfutils.experiments.occlusion.sliding_patch import Patch, occlude
from zfutils.study import kept_scores
from zfutils.study.kept_scores import Wanted
from zfutils.study.networks import Networks
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import evaluate
from zfutils.training.outcomes import Outcome

CHEAT, HONEST, OTHER = "cheat", "honest", "honest, another seed"
SCENES = 2000  # validation pictures at most; of photographs all three networks named an eighth
VERSION = 1  # raised by hand when what is measured changes its meaning


@dataclass(frozen=True)
class OfCheat(Wanted):
    """A network of which answers to cued scenes are kept, and the share of its falls on their background.

    It is asked about scenes with their class's own cue, and whether it names those with another class's.
    """

    crops: ClassVar = (1,)

    def scenes(self, *, exchanged: bool) -> Inputs:
        """Cued validation pictures as it sees them."""
        images = self.study.cued("validation", exchanged=exchanged, most=SCENES).opened()
        return self.study.inputs(images, network=self.name)

    @cached_property
    def asked(self) -> Inputs:
        """Scenes with their class's own cue."""
        return self.scenes(exchanged=False)

    @property
    def evaluated(self) -> dict[str, Any]:
        """What it is asked about, without building it, and what is measured."""
        store = self.study.cued("validation", most=SCENES)
        return store.identity | {"cheat": {"version": VERSION}}

    def measured(self, trained: Trained) -> dict[str, np.ndarray]:
        """What chapter 6 asks of it.

        Returns:
            right and right_exchanged (n), uint8: whether it names the class of each scene with its class's
            cue, and with another class's; share (n), float32: `background_share` of each scene with its
            class's cue, under a grey square a quarter of the side wide, moved by half of that.
        """
        both = [self.asked, self.scenes(exchanged=True)]
        right = [~evaluate(trained.model, one, precision="float32").wrong() for one in both]
        side = self.asked.side
        covered = occlude(trained.model, self.asked, patch=Patch(side // 4, side // 8), progress=True)
        share = background_share(covered, self.study.objects(self.asked))
        names = ("right", "right_exchanged")
        found = {name: one.astype(np.uint8) for name, one in zip(names, right, strict=True)}
        return found | {"share": share.astype(np.float32)}


def found(study: Networks) -> dict[str, Outcome]:
    """What is kept of `CHEAT`, `HONEST` and `OTHER`; empty unless all three were run."""
    runs = kept_scores.by_name(kept_scores.every(study.cheats, kind=OfCheat))
    wanted = {CHEAT: (CHEAT, 0), HONEST: (HONEST, 0), OTHER: (HONEST, 1)}
    there = {label: runs.get(name, {}).get(seed) for label, (name, seed) in wanted.items()}
    return {} if None in there.values() else there


def correct(
    outcomes: Mapping[str, Outcome],
) -> dict[str, tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]]:
    """Whether each network names each scene's class, with its class's cue and with another's."""
    return {
        label: (one.measured["right"].astype(bool), one.measured["right_exchanged"].astype(bool))
        for label, one in outcomes.items()
    }


def shares(outcomes: Mapping[str, Outcome]) -> dict[str, Float[np.ndarray, " m"]]:
    """The share of the falls on the background, for the scenes that every network names correctly."""
    named = np.logical_and.reduce([own for own, _ in correct(outcomes).values()] or [np.zeros(0, bool)])
    return {label: one.measured["share"][named] for label, one in outcomes.items()}
