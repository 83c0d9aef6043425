"""Whether a training had come to its end: one test for every network that stands behind a verdict.

A network that is still learning says nothing of what its architecture can do, and the deeper of two, which
learns more slowly, is the one that suffers. The test looks at the training alone, never at what is claimed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zfutils.stats.formatting import percent

LAST = 0.2  # of the epochs, through whose losses a line is fitted; at least two epochs
FALL = 0.02  # of itself; a line that falls by less is flat
LEARNT = 0.01  # training error in eval mode; below it nothing is left to learn
LEFT = 0.9  # of the first epoch's loss; a network that never fell below is still on its first plateau


@dataclass(frozen=True)
class Ended:
    """What the test of an ended training found."""

    ended: bool
    fall: float  # of the fitted line over the last fifth of the epochs, as a share of itself
    training_error: float  # share in [0, 1], in eval mode on centre crops; NaN if not measured
    started: bool = True  # whether the loss ever left its first plateau

    @property
    def why(self) -> str:
        """In words, for a table."""
        if self.training_error <= LEARNT:
            return f"training error at most {percent(LEARNT)}"
        if not self.started:
            return "never left the loss of its first epoch"
        if not self.ended:
            return f"loss still falling, {percent(self.fall, digits=1)} in the last fifth"
        return "loss flat"


def ended(losses: Sequence[float], training_error: float) -> Ended:
    """Test the end of a training: its loss has fallen and is flat, or its training error is 1 % or less.

    Args:
        losses: mean training loss of each epoch, the first after epoch 1.
        training_error: share of the pictures trained on that the network errs on, in eval mode on centre
            crops; NaN where it is not known.

    Raises:
        ValueError: fewer than two epochs, or a loss that is not finite.
    """
    values = np.asarray(losses, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"the end of a training is seen on two finite losses or more, not on {list(values)}")
    last = values[-max(2, math.ceil(LAST * len(values))) :]
    slope, start = np.polynomial.polynomial.polyfit(np.arange(len(last)), last, 1)[::-1]
    fall = -slope * (len(last) - 1) / start
    started = bool(values.min() < LEFT * values[0])
    over = bool((started and fall < FALL) or training_error <= LEARNT)
    return Ended(over, float(fall), float(training_error), started)
