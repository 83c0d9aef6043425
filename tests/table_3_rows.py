"""Networks of Table 3 by what they would answer, without any training."""

import numpy as np
import pandas as pd
from small import RECIPE, SPEC

from zfutils.training.evaluation import Scores
from zfutils.training.outcomes import Answers, Outcome


def erring(count, n=20, classes=8):
    """Scores that err on so many of n pictures; a wrong answer has the true class third."""
    labels, rows = np.arange(n) % classes, np.arange(n)
    probabilities = np.full((n, classes), 0.01)
    probabilities[rows, (labels + 1) % classes] = np.where(rows < count, 0.5, 0.2)
    probabilities[rows, (labels + 2) % classes] = np.where(rows < count, 0.4, 0.1)
    probabilities[rows, labels] = 0.3
    return Scores(probabilities, labels)


def outcome(count, *, train=0.1, epochs=8, seconds=12.0, spec=SPEC, ended=True, n=20, classes=8, **how):
    """A network that errs on so many of n pictures, with as many epochs and a loss that is flat or not."""
    losses = np.linspace(2, 1, epochs) if not ended else np.r_[3.0, np.full(epochs - 1, 1.5)]
    history = pd.DataFrame({"epoch": range(1, epochs + 1), "loss": losses})
    identity = {"training": RECIPE.model_dump(), "spec": spec.to_dict(), "seed": 0}
    made = {"epochs": epochs, "seconds": seconds, "training_error": train}
    answers = dict.fromkeys((1, 10), Answers.of(erring(count, n, classes)))
    return Outcome(identity, {}, made, history, answers, **how)


def of_seeds(*counts, **how):
    """Networks of seeds 0, 1, …, each of which errs on so many pictures."""
    return {seed: outcome(count, **how) for seed, count in enumerate(counts)}
