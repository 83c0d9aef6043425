"""Four layers against eight, by the number of training pictures and in a wider network: kept scores.

Tens of thousands of pictures are more than a page can train on. So these networks are trained once, apart
from the book, and a page that reads their scores draws none of their pictures.
"""

from dataclasses import dataclass
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
        return Wanted(self.study.changed(networks=networks), name, self.seed)


def pairs(study: Networks) -> list[Pair]:
    """What is kept of each four-layer network and the eight-layer one beside it, the wider ones last.

    An edition that has no such networks has no pair.
    """
    depth = study.profile.small and study.profile.small.depth
    if not depth:
        return []
    found = kept_scores.by_name(kept_scores.every(study.depth, kind=OfDepth))
    at = [(n, False) for n in depth.train] + [(depth.train[-1], True)]
    return [
        Pair(n, wider, *(found[deep_name(layers, n, wider=wider)] for layers in (4, 8))) for n, wider in at
    ]
