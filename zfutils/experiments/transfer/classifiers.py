"""The two classifiers on frozen features: a softmax and a linear SVM, both scikit-learn's (§5.2, §5.3).

Features are standardised and divided by the root of their number, so that a vector's mean squared length is 1
in every layer and one grid of C serves all. Scaler, C and classifier see training pictures alone: `fit` is
given no others. C is chosen on a split of them, a quarter of each class, and then everything is fitted again
on all. Where no class has two pictures there is nothing to split, and C is `UNSPLIT`.

The weights of a regularised softmax are sums of the training pictures' features. So where there are fewer
pictures than features, these are told by their coordinates in an orthonormal basis of the pictures' span: the
optimum is the same, and a step towards it costs as much less as there are fewer coordinates.

On matrices as small as these several threads spend most of their time waiting for each other, so that a fit
has one; and it is in float32, as the features are, which takes about half the time of float64.

The SVM is libsvm's, one class against one. liblinear's, one against the rest, took 10 to 40 s a fit for
Caltech-101's 101 classes, this one 0.2 s.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int64
from scipy.linalg import qr
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

Kind = Literal["softmax", "svm"]
GRID = (0.1, 1.0, 10.0, 100.0)  # of C, fixed before anything was measured on a test picture
UNSPLIT = 10.0
QUARTER = 4


@dataclass(frozen=True)
class Fitted:
    """A classifier with all that was fitted or chosen on the way."""

    strength: float  # C: the larger, the less regularised
    held_out: float  # accuracy on the split that chose C, mean over classes; NaN where nothing was split
    scaler: StandardScaler
    model: LogisticRegression | SVC
    axes: Float[np.ndarray, "features given"] | None  # what scaled features are multiplied by for the model

    def predict(self, x: Float[np.ndarray, "m features"]) -> Int64[np.ndarray, " m"]:
        """The class of each row."""
        return self.model.predict(self._given(x))

    def probabilities(self, x: Float[np.ndarray, "m features"], classes: int) -> Float[np.ndarray, "m c"]:
        """A softmax's probabilities of the classes 0 … classes − 1; 0 for one it was never shown."""
        found = np.zeros((len(x), classes))
        found[:, self.model.classes_] = self.model.predict_proba(self._given(x))
        return found

    def _given(self, x: np.ndarray) -> np.ndarray:
        return _along(self.axes, _scaled(self.scaler, x))


@threadpool_limits.wrap(limits=1)
def fit(
    x: Float[np.ndarray, "n features"],
    labels: Int64[np.ndarray, " n"],
    *,
    kind: Kind = "softmax",
    grid: Sequence[float] = GRID,
    seed: int = 0,
) -> Fitted:
    """Fit a classifier to training pictures, C chosen on a split of them.

    Args:
        x: features, of training pictures and no others.
        labels: their classes.
        kind: "softmax" (logistic regression over all classes at once) or "svm" (linear).
        grid: the values of C that are tried; of equally good ones the smallest is taken. A single one is
            taken as it is.
        seed: of the split.

    Raises:
        ValueError: a single class, or features that do not fit the labels or are not finite; scikit-learn's.
    """
    apart = held_out(labels, seed=seed)
    strength, best = grid[0] if len(grid) == 1 else UNSPLIT, math.nan
    if apart.any() and len(grid) > 1:
        scaler = StandardScaler().fit(x[~apart])
        seen, unseen = _scaled(scaler, x[~apart]), _scaled(scaler, x[apart])
        scores = _tried(kind, sorted(grid), seen, labels[~apart], unseen, labels[apart])
        best = max(scores.values())
        strength = next(c for c, score in scores.items() if score == best)
    scaler = StandardScaler().fit(x)
    seen = _scaled(scaler, x)
    axes = _axes(kind, seen)
    model = _quietly(_model(kind, strength), _along(axes, seen), labels)
    return Fitted(strength, best, scaler, model, axes)


def held_out(labels: Int64[np.ndarray, " n"], *, seed: int = 0) -> np.ndarray:
    """bool (n,): which training pictures choose C: a quarter of each class that has two at least."""
    rng, apart = np.random.default_rng(seed), np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        if len(own) > 1:
            apart[own[: max(1, len(own) // QUARTER)]] = True
    return apart


def per_class_accuracy(
    labels: Int64[np.ndarray, " n"], predicted: Int64[np.ndarray, " n"]
) -> Float[np.ndarray, " classes"]:
    """Share of each class's pictures that are called by it, classes in order; only those that there are."""
    return np.array([(predicted[labels == label] == label).mean() for label in np.unique(labels)])


def _tried(
    kind: Kind,
    grid: Sequence[float],
    seen: np.ndarray,
    labels: np.ndarray,
    unseen: np.ndarray,
    truth: np.ndarray,
) -> dict[float, float]:
    """Accuracy on the pictures held out, mean over their classes, by C."""
    axes = _axes(kind, seen)
    seen, unseen = _along(axes, seen), _along(axes, unseen)
    model, scores = _model(kind, grid[0]), {}
    if kind == "softmax":
        model.set_params(warm_start=True)  # each C starts where the one before it ended
    for c in grid:
        predicted = _quietly(model.set_params(C=c), seen, labels).predict(unseen)
        scores[c] = float(per_class_accuracy(truth, predicted).mean())
    return scores


def _axes(
    kind: Kind, seen: Float32[np.ndarray, "n features"]
) -> Float32[np.ndarray, "features given"] | None:
    """What features are multiplied by: for an SVM the training pictures, for a softmax their span's basis.

    None where a softmax is given the features themselves, because they are no more than the pictures.
    """
    if kind == "svm":
        return seen.T
    pictures = np.unique(seen, axis=0)  # a scene of several objects is an example of each of them
    return qr(pictures.T, mode="economic")[0] if len(pictures) < seen.shape[1] else None


def _along(axes: np.ndarray | None, scaled: np.ndarray) -> np.ndarray:
    return scaled if axes is None else scaled @ axes


def _model(kind: Kind, strength: float) -> LogisticRegression | SVC:
    if kind == "svm":
        return SVC(C=strength, kernel="precomputed")
    return LogisticRegression(C=strength, max_iter=5000)


def _quietly(model: LogisticRegression | SVC, x: np.ndarray, labels: np.ndarray) -> LogisticRegression | SVC:
    """Fit without the warning that there are few pictures for so many classes, which is the point here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        return model.fit(x, labels)


def _scaled(scaler: StandardScaler, x: np.ndarray) -> Float32[np.ndarray, "n features"]:
    return (scaler.transform(x.astype(np.float64)) / math.sqrt(x.shape[1])).astype(np.float32)
