"""Networks whose filters chapters 1 and 2 look at, which are trained once, apart from the book.

What renormalisation does shows only where it binds: on inputs in ±128, in a training that ended, under a
radius that filters reach. And of 24 filters in layer 1 hardly one could be dead. So the edition has small
networks under several radii and small networks with all of the paper's filters in layer 1, and keeps of each,
beside its answers, the few numbers that the claims compare.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from zfutils.nets.filters import filter_rms, greatest_responses
from zfutils.runtime.devices import to_host
from zfutils.study.kept_scores import Wanted, outcomes
from zfutils.study.networks import Networks
from zfutils.training.checkpoints import Trained, share_ended
from zfutils.training.outcomes import Outcome

PICTURES = 2000  # that every filter is shown, at most; silent is what answers to none of 1,000 or more
PAPERS = 0.1  # the radius (Zeiler & Fergus 2013, §3)
SWEEP: Mapping[float | None, str] = {  # names by radius, from none to the smallest
    None: "no radius",
    PAPERS: "radius 0.1",
    0.05: "radius 0.05",
    0.02: "radius 0.02",
}
FULL_WIDTH = {"Krizhevsky": "krizhevsky, 96 filters", "ZFNet": "zfnet, 96 filters"}


@dataclass(frozen=True)
class OfFilters(Wanted):
    """A network of which its filters are asked too."""

    def measured(self, trained: Trained) -> dict[str, np.ndarray]:
        """The size of its filters, and what layer 1 responds to.

        Returns:
            rms and response, (2, filters of layer 1), before training and after: RMS of the weights, and the
            greatest response to the validation pictures; largest_rms, (epochs + 1, convolutions): the largest
            RMS of each convolution's filters before training and after every epoch.
        """
        models = (trained.at(0), trained.model)
        shown = self.asked[:PICTURES]
        largest = trained.history[[f"rms_max_{conv.name}" for conv in trained.spec.convolutions]]
        return {
            "rms": np.stack([to_host(filter_rms(model.conv1.weight)) for model in models]),
            "response": np.stack([greatest_responses(model, shown) for model in models]),
            "largest_rms": largest.to_numpy(dtype=np.float32),
        }


def sweep(study: Networks) -> dict[float | None, Outcome | None]:
    """What is kept of ZFNet trained under each radius of `SWEEP`; None where it was not run yet."""
    found = _first_seeds(study)
    return {radius: found.get(name) for radius, name in SWEEP.items()}


def full_width(study: Networks) -> dict[str, Outcome | None]:
    """What is kept of both networks with the paper's 96 filters in layer 1; None where it was not run yet."""
    found = _first_seeds(study)
    return {label: found.get(name) for label, name in FULL_WIDTH.items()}


def passed(largest: float) -> float:
    """The largest radius of the sweep that filters pass; the smallest one where they pass none.

    Args:
        largest: RMS of the largest filter.
    """
    radii = sorted((radius for radius in SWEEP if radius is not None), reverse=True)
    return next((radius for radius in radii if largest > radius), radii[-1])


def twins(
    sweep: Mapping[float | None, Outcome | None], largest: float, *names: str
) -> Iterator[tuple[str, float, tuple[Outcome, Outcome], dict[str, float]]]:
    """Pairs of networks that differ in the radius alone: without one, and with one that claims compare.

    Args:
        sweep: outcomes by radius.
        largest: RMS of the largest filter without a radius.
        names: of the pair with the paper's radius, and of that with the largest one that filters pass.

    Returns:
        Name, radius, the pair, and what a claim's condition compares: the share of the two whose training
        ended, and how far the largest filter came, in multiples of the paper's radius. No pair of which a
        network was not run yet.
    """
    for name, radius in zip(names, (PAPERS, passed(largest)), strict=True):
        pair = sweep[None], sweep[radius]
        if all(pair):
            yield name, radius, pair, {"ended": share_ended(pair), "reach": largest / PAPERS}


def _first_seeds(study: Networks) -> dict[str, Outcome | None]:
    """The outcome of each network's first seed, by name; none in an edition that has no small networks."""
    wanted = [
        OfFilters(study.filters, name, run.seeds[0]) for name, run in study.filters.profile.networks.items()
    ]
    return dict(zip((one.name for one in wanted), outcomes(wanted), strict=True))
