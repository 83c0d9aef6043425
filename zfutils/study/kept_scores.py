"""Scores that are kept: what trained networks answer, found by what made the networks.

A claim over many networks cannot be trained while the book is built. So each network leaves its outcome
(answers, training error, history, device, seconds) in a small file, named after all that it depends on: spec,
recipe, training images, seed, and the images it was asked about. A change of any of these asks for another
file, so that no outcome of another network is ever served. What was made here lies in the build folder, and
what is published in `book/reference/scores/<edition>/`; another edition that asks for the same network reads
it there.
"""

import json
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from zfutils.data.inputs import Inputs
from zfutils.runtime.files import whole
from zfutils.runtime.parallel import trainings
from zfutils.runtime.ranks import agreed, rank, wait
from zfutils.study.networks import Networks, done
from zfutils.study.places import REFERENCE
from zfutils.study.plans import Plan, plain
from zfutils.training.checkpoints import Trained, portable
from zfutils.training.outcomes import Outcome
from zfutils.training.trainer import TrainingFailed

# Rows whose networks are averaged in ensembles, for which their probabilities are kept too.
AVERAGED = ("krizhevsky: none", "zfnet: none", "zfnet: layers 3, 4, 5: 512, 1024, 512 maps")


@dataclass(frozen=True)
class Wanted:
    """A network of an edition whose outcome is wanted, on the edition's validation images."""

    study: Networks
    name: str
    seed: int

    crops: ClassVar[Sequence[int]] = (1, 10)
    takes_minutes: ClassVar = False  # to ask it, so that a published outcome serves where it was trained too

    @cached_property
    def plan(self) -> Plan:
        """What the network is trained by."""
        return self.study.plan(self.name, self.seed)

    @cached_property
    def asked(self) -> Inputs:
        """What it is asked about."""
        return self.study.inputs(self.study.validation_images, network=self.name)

    @property
    def evaluated(self) -> dict[str, Any]:
        """Identity of what it is asked about."""
        return self.asked.identity

    @property
    def averaged(self) -> Sequence[int]:
        """The numbers of crops of which probabilities are kept."""
        return (10,) if self.name in AVERAGED else ()

    def measured(self, trained: Trained) -> dict[str, np.ndarray]:
        """What a chapter asks of the network besides its answers, as arrays of numbers; nothing here."""
        return {}

    @property
    def on_the_spot(self) -> bool:
        """Whether a page trains the network where nothing is kept of it."""
        return self.seed in self.study.seeds(self.name)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that the outcome depends on; the same on every machine."""
        made_of = {"network": self.plan.identity, "evaluated": self.evaluated}
        return portable(json.loads(json.dumps(made_of)))

    @property
    def file_name(self) -> str:
        """NAME-SEED-HASH.npz."""
        text = json.dumps(self.identity, sort_keys=True)
        digest = blake2b(text.encode(), digest_size=4).hexdigest()
        return f"{plain(self.name)}-{self.seed}-{digest}.npz"

    @property
    def here(self) -> Path:
        """Where the outcome lies that is made on this machine."""
        return self.study.folder / "scores" / self.file_name

    @property
    def published(self) -> Path:
        """Where the published one lies."""
        return folder(self.study.edition) / self.file_name

    def own(self) -> Outcome | None:
        """The outcome that was made on this machine, where there is one."""
        return self._read(self.here, published=False)

    def kept(self) -> Outcome | None:
        """The published outcome, the edition's own or another's, where there is one; none under `FRESH=1`."""
        if self.study.fresh:
            return None
        others = sorted(folder("").glob(f"*/{self.file_name}"))
        paths = dict.fromkeys((self.published, *others))
        found = (self._read(path, published=True) for path in paths)
        return next((one for one in found if one), None)

    def outcome(self) -> Outcome | None:
        """This machine's outcome, else the published one."""
        return self.own() or self.kept()

    def _read(self, path: Path, *, published: bool) -> Outcome | None:
        if not path.is_file():
            return None
        try:
            found = Outcome.load(path, published=published)
        except ValueError as error:
            warnings.warn(f"{error}; it is left aside", stacklevel=2)
            return None
        made_of = {"network": found.identity, "evaluated": found.evaluated}
        return found if portable(made_of) == self.identity else None

    def earn(self) -> Outcome:
        """This machine's outcome; the network is trained, or its training goes on, where it has not ended."""
        trained = self.study.made(self.plan)
        how = {"crops": self.crops, "probabilities": self.averaged, "measured": self.measured(trained)}
        found = replace(Outcome.of(trained, self.asked, **how), evaluated=self.evaluated)
        if not rank():
            found.save(self.here)
        wait()
        return Outcome.load(self.here)

    def publish(self, published: Path) -> Outcome:
        """Publish this machine's outcome, earned where it is not there.

        Args:
            published: the file that is written.
        """
        found = self.own() if agreed(self.own() is not None) else self.earn()
        if not rank():
            published.parent.mkdir(parents=True, exist_ok=True)
            with whole(published) as beside:
                shutil.copyfile(self.here, beside)
        return found

    def light(self) -> Self:
        """The same without the images that it has opened, to be sent to another process."""
        return replace(self, study=replace(self.study))


def folder(edition: str) -> Path:
    """Where an edition's published outcomes lie."""
    return REFERENCE / "scores" / edition


Kind = TypeVar("Kind", bound=Wanted)


def every(study: Networks, seeds: Sequence[int] | None = None, *, kind: type[Kind] = Wanted) -> list[Kind]:
    """All networks of a study with their seeds, or with others.

    Args:
        study: whose networks.
        seeds: of each; default its own.
        kind: what is asked of them.
    """
    runs = study.profile.networks.items()
    return [kind(study, name, s) for name, run in runs for s in (run.seeds if seeds is None else seeds)]


def outcomes(wanted: Sequence[Wanted]) -> list[Outcome | None]:
    """The outcomes that a page shows: made here, or published; None for a network that was not run yet.

    Networks that were trained here and were not asked yet are asked now, but for what takes minutes and is
    kept; those that a page trains itself are trained where nothing is kept of them, under `FRESH=1` all.

    Args:
        wanted: of which networks.
    """
    todo = []
    for one in wanted:
        if one.own() is None:
            kept = one.kept() is not None
            asks = one.study.find(one.plan) is not None and not (kept and one.takes_minutes)
            if asks or (not kept and (one.on_the_spot or one.study.fresh)):
                todo.append(one)
    if todo:
        done([one.light().earn for one in todo], todo[0].study.device)
    return [one.outcome() for one in wanted]


def by_name(wanted: Sequence[Wanted]) -> dict[str, dict[int, Outcome]]:
    """`outcomes` by name and seed; a network that was not run yet from any seed has an empty entry."""
    found: dict[str, dict[int, Outcome]] = {one.name: {} for one in wanted}
    for one, outcome in zip(wanted, outcomes(wanted), strict=True):
        if outcome is not None:
            found[one.name][one.seed] = outcome
    return found


def once(wanted: Iterable[Wanted]) -> list[Wanted]:
    """Each network under the first of its names alone, the longest training first."""
    found: dict[tuple[Path, str], Wanted] = {}
    for one in sorted(wanted, key=lambda one: -one.plan.work):
        found.setdefault((one.study.folder, one.plan.digest), one)
    return list(found.values())


def publish(wanted: Sequence[Wanted]) -> Iterator[tuple[Wanted, Outcome | TrainingFailed]]:
    """Earn and publish outcomes, each as soon as its network has ended; drop weights that no page needs.

    A network that is wanted under several names is trained once.

    Args:
        wanted: of which networks; the longest trainings come first.

    Yields:
        Each with its outcome, or with the reason why its training was stopped; the others go on.
    """
    first = once(wanted)
    again = [one for one in wanted if not any(one is other for other in first)]
    for ordered in (first, again):
        if ordered:
            jobs = [(one.light(), one.published) for one in ordered]
            yield from zip(ordered, trainings(_publish, jobs, ordered[0].study.device), strict=True)
    for one in wanted:
        if not one.on_the_spot and not rank():
            shutil.rmtree(one.study.place(one.plan), ignore_errors=True)


def _publish(job: tuple[Wanted, Path]) -> Outcome | TrainingFailed:
    wanted, published = job
    try:
        return wanted.publish(published)
    except TrainingFailed as error:
        return error
