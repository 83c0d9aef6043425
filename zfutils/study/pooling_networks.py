"""The networks that chapter 12 compares under shifts, which are trained once, apart from the book.

A coarse first layer, a fine one, and the fine one whose maxima are blurred before they are subsampled. What
the chapter asks of them needs their weights; so it is asked when they are trained, and kept with their
answers.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from zfutils.deconv.top_projections import top_projections
from zfutils.experiments.pooling.aliasing import energy_beyond_nyquist, subsamplings
from zfutils.experiments.pooling.steadiness import SHIFTS, labels_under_shifts
from zfutils.nets.specs import NetworkSpec
from zfutils.plotting.tiles import colours_and_mask
from zfutils.study import kept_scores
from zfutils.study.kept_scores import Wanted
from zfutils.study.networks import Networks
from zfutils.training.checkpoints import Trained
from zfutils.training.outcomes import Outcome

COARSE, FINE, BLURRED = "coarse, maxima", "fine, maxima", "fine, blurred"
PICTURES = 256  # whose maps are looked at for their frequencies
PROJECTED = ("relu2", "relu3")  # of the first seed, on drawn pictures
MAPS = 9
VERSION = 1  # raised by hand when what is measured changes its meaning


@dataclass(frozen=True)
class OfPooling(Wanted):
    """A network of which labels under shifts, frequencies before subsampling and projections are kept."""

    crops: ClassVar = (1,)

    @property
    def evaluated(self) -> dict[str, Any]:
        """What it is asked about, and what is measured."""
        return super().evaluated | {"pooling": {"version": VERSION, "shifts": list(SHIFTS)}}

    def measured(self, trained: Trained) -> dict[str, np.ndarray]:
        """What chapter 12 shows.

        Returns:
            kept (n, shifts) and correct (n), uint8, as `labels_under_shifts` gives them; beyond, (2,
            subsamplings): `energy_beyond_nyquist` with random weights and trained, in the order of
            `subsamplings`; of the first seed on drawn pictures also one projection of each of `MAPS` maps,
            by layer: uint8 (maps, side, side, 3), grey outside the picture.
        """
        labels = labels_under_shifts(trained.model, self.asked)
        strides = subsamplings(trained.spec)
        beyond = [
            list(energy_beyond_nyquist(model, self.asked[:PICTURES], strides).values())
            for model in (trained.at(0), trained.model)
        ]
        found = {"kept": labels.kept, "correct": labels.correct.astype(np.uint8)}
        found["beyond"] = np.array(beyond, dtype=np.float32)
        first = self.seed == self.study.profile.networks[self.name].seeds[0]
        if first and self.study.profile.images.source == "parts":  # of photographs nothing is kept
            tops = top_projections(trained.model, self.asked, layers=PROJECTED, k=1)
            for layer, top in tops.items():
                some = top.some(MAPS, seed=0)
                found[layer] = np.stack([colours_and_mask(some, i)[0][0] for i in range(len(some.maps))])
        return found


def specs(study: Networks) -> dict[str, NetworkSpec]:
    """These networks as data, by name; none in an edition that lacks them."""
    return {name: study.pooling.spec(name) for name in study.pooling.profile.networks}


def found(study: Networks) -> dict[str, dict[int, Outcome]]:
    """What is kept of them, by name and seed; a network that was not run yet has an empty entry."""
    empty: dict[str, dict[int, Outcome]] = {name: {} for name in (COARSE, FINE, BLURRED)}
    return empty | kept_scores.by_name(kept_scores.every(study.pooling, kind=OfPooling))
