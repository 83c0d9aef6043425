"""The networks that an edition's pages train themselves, trained before the first page.

A page trains what it needs and lacks, whichever page asks first; then a single network takes all cores, and
that is slower than several side by side with a core each. So `make book` has all of them trained at once.
What the first pages would wait for together, or work out twice, comes after that: the validation images, and
what the two main networks answer to them.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from zfutils.runtime.parallel import trainings
from zfutils.runtime.ranks import agreed
from zfutils.study import kept_scores, target_networks
from zfutils.study.groups import SMALL
from zfutils.study.kept_scores import Wanted
from zfutils.study.networks import Networks, done
from zfutils.training.trainer import TrainingFailed

MAIN = ("zfnet", "krizhevsky")  # of which chapters 1, 2, 6 and 8 show errors
CROPS = (10, 1)


def lacking(study: Networks) -> list[Wanted]:
    """The networks that the edition's pages would train, the longest training first.

    Args:
        study: the edition; under `FRESH=1` what is published of it counts for nothing.
    """
    needed = (*_with_weights(study), *_with_scores(study))
    return kept_scores.once(one for one in needed if one.on_the_spot and one.study.find(one.plan) is None)


def train(study: Networks) -> None:
    """Train them, side by side; of one that diverges or dies the page that asks for it says why.

    Then the validation images are drawn and the main networks are asked about them (`Networks.scores`).
    """
    jobs = [one.light() for one in lacking(study)]
    for failed in trainings(_made, jobs, study.device):
        if failed is not None:
            print(failed, flush=True)
    study.prepare()
    there = [name for name in MAIN if name in study.profile.networks and study.find(study.plan(name))]
    asked = [partial(replace(study).scores, name, crops=crops) for crops in CROPS for name in there]
    done(asked, study.device)


def _with_weights(study: Networks) -> Iterator[Wanted]:
    """Networks that pages look into."""
    yield from kept_scores.every(study)
    if study.profile.digits is not None:
        yield from kept_scores.every(study.digits)
    yield from kept_scores.every(study.faults)
    if study.profile.transfer is not None and study.profile.small is not None:
        yield Wanted(study.transferred, SMALL, 0)


def _with_scores(study: Networks) -> Iterator[Wanted]:
    """Networks of which pages show what they answer, where nothing is kept of that."""
    every = [] if study.profile.small is None else kept_scores.every(study.small)
    if study.profile.transfer is not None and every and study.profile.transfer.scratch.trained:
        every += target_networks.from_scratch(study.transferred)
        every += target_networks.fine_tuned(study.transferred)
    lacks = agreed([one.own() is None and one.kept() is None for one in every])
    yield from (one for one, nothing in zip(every, lacks, strict=True) if nothing)


def _made(one: Wanted) -> TrainingFailed | None:
    """Train, and hand back what stopped it, if anything did: the network lies on disk."""
    try:
        one.study.made(one.plan)
    except TrainingFailed as error:
        return error
    return None
