"""Four layers against eight, by the number of training pictures and in a wider network: kept scores.

Tens of thousands of pictures are more than a page can train on. So these networks are trained once, apart
from the book, and a page that reads their scores draws none of their pictures.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from zfutils.data.inputs import Inputs
from zfutils.experiments.ablation.depth import Pair
from zfutils.study import kept_scores
from zfutils.study.kept_scores import Wanted
from zfutils.study.networks import Networks
from zfutils.study.plans import deep_name
from zfutils.training.outcomes import Outcome


@dataclass(frozen=True)
class OfDepth(Wanted):
    """A network trained on a number of pictures of its own."""

    crops: ClassVar = (1,)

    @cached_property
    def asked(self) -> Inputs:
        """The validation pictures, centred as its own pictures are."""
        images = self.study.validation_images.centred_by(self.plan.opened().mean)
        return self.study.inputs(images, network=self.name)

    @property
    def evaluated(self) -> dict[str, Any]:
        """Identity of the validation pictures, whatever centres them."""
        return self.study.validation_images.identity

    def kept(self) -> Outcome | None:
        """The published outcome, which a row of Table 3 has where it was trained on as many pictures."""
        return super().kept() or (self._row.kept() if self._is_row else None)

    @property
    def _is_row(self) -> bool:
        run = self.study.profile.networks[self.name]
        return run.network is None and run.pictures == len(self.study.source("train"))

    @property
    def _row(self) -> Wanted:
        """The same network as a row of Table 3."""
        run = self.study.profile.networks[self.name]
        name = f"{run.base}: {run.row}"
        networks = {name: run.model_copy(update={"pictures": None})}
        profile = self.study.profile.model_copy(update={"networks": networks})
        return Wanted(replace(self.study, profile=profile), name, self.seed)


def every(study: Networks, seeds: Iterable[int] | None = None) -> list[OfDepth]:
    """All such networks of an edition that has small ones, with their seeds or with others; may be none."""
    if study.profile.small.depth is None:
        return []
    return kept_scores.every(study.depth, seeds, kind=OfDepth)


def pairs(study: Networks) -> list[Pair]:
    """What is kept of each four-layer network and the eight-layer one beside it, the wider ones last.

    An edition that has no such networks has no pair.
    """
    if study.profile.small is None or study.profile.small.depth is None:
        return []
    found, sizes = kept_scores.by_name(every(study)), study.profile.small.depth.train
    at = [(n, False) for n in sizes] + [(sizes[-1], True)]
    return [
        Pair(n, wider, *(found[deep_name(layers, n, wider=wider)] for layers in (4, 8))) for n, wider in at
    ]
