"""How alike two layers' features are, and what they are good for (chapter 4, feature evolution).

Zeiler & Fergus 2013, §4 and Fig. 4, judge by eye when a layer has converged. Here two numbers do: debiased
linear CKA says how alike two sets of features are whatever their rotation and scale, and a linear probe says
how much they tell of the class. The one idea of the debiasing: a picture is always like itself, so the
Gram matrices' diagonals are left out; with them, any two networks with many maps would look alike.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import activations
from zfutils.runtime.devices import to_host

FEWEST_FOR_PROBE = 10  # training pictures, a fifth of which is held out
PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001)  # of a probe, as multiples of the number of training pictures
HELD_OUT = 0.2  # share of the training pictures that chooses the penalty


class ConstantFeatures(ValueError):
    """Features that are the same for every picture, or for every picture but one: nothing to compare."""


def pooled_features(
    model: nn.Module, inputs: Inputs, *, layers: Sequence[str], batch: int = 256
) -> dict[str, Float[np.ndarray, "n maps"]]:
    """What layers say of images: one number for each map, convolutional maps averaged over positions.

    Args:
        model: a chain of layers (`chains.chain`), used as in evaluation.
        inputs: the images, as the network sees them.
        layers: names such as "relu1".
        batch: images at a time.

    Returns:
        Features by layer, in the order of `layers`, in the type of the weights.

    Raises:
        ValueError: no layers, or one that the model lacks.
    """
    found: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for seen in activations(model, inputs, layers, batch=batch):
        for layer, x in seen.layers.items():
            found[layer].append(x.mean((2, 3)) if x.ndim == 4 else x)
    return {layer: to_host(torch.cat(parts)) for layer, parts in found.items()}


def debiased_cka(first: Float[np.ndarray, "n a"], second: Float[np.ndarray, "n b"]) -> float:
    """Debiased linear CKA of two sets of features of the same pictures, four at least.

    1 for features that are the same up to rotation and scale, 0 in expectation for unrelated ones, and
    negative by chance; always in [-1, 1]. Neither means nor the number of maps matter. With features X and
    Y centred, HSIC's unbiased estimate is, but for a factor that cancels,

        |X'Y|² - Σ p q + Σ p Σ q / ((n - 1)(n - 2)) - 2 Σ p q / (n - 2),    p = |x|², q = |y|² of each row,

    the general formula for Gram matrices without their diagonals, whose row sums are -p and -q once the
    features are centred. So no n × n matrix is needed.

    Raises:
        ValueError: values that are not finite.
        ConstantFeatures: features that are constant, or that differ in one picture alone; a ValueError.

    Source: Song et al. 2012, eq. 5 (unbiased HSIC); Kornblith et al. 2019 (CKA); Nguyen et al. 2021.
    """
    x, y = _centred(first, "first"), _centred(second, "second")
    own = []
    for name, z in (("first", x), ("second", y)):
        squares = np.square(z.T @ z).sum()
        own.append(_hsic(squares, z, z))
        # What the diagonal's removal leaves of features that differ in one picture is rounding.
        if own[-1] <= 1e-12 * squares:
            raise ConstantFeatures(
                f"the {name} features are constant but for one picture at most; CKA says nothing"
            )
    return float(np.clip(_hsic(np.square(x.T @ y).sum(), x, y) / np.sqrt(own[0] * own[1]), -1, 1))


def probe_accuracy(
    train_features: Float[np.ndarray, "n d"],
    train_labels: Int[np.ndarray, " n"],
    test_features: Float[np.ndarray, "m d"],
    test_labels: Int[np.ndarray, " m"],
) -> float:
    """Accuracy of a linear probe: a ridge classifier on standardised features.

    The penalty is one of five, chosen by accuracy on a fifth of the training pictures that the fit does not
    see (of equals, the strongest); then all of them are fitted. Test pictures choose nothing: features are
    standardised by the training pictures too. Features that are constant there say nothing and weigh 0.

    Args:
        train_features, train_labels: what the probe learns from; at least ten pictures of two classes.
        test_features, test_labels: what it is scored on; a class that training lacks is always missed.

    Returns:
        Share of the test pictures, in [0, 1].

    Raises:
        ValueError: too few training pictures or classes, and what scikit-learn refuses: lengths or numbers
            of features that do not match, features that are not finite.

    Source: Alain & Bengio 2016, linear classifier probes.
    """
    x, y = np.asarray(train_features, dtype=np.float64), np.asarray(train_labels)
    test, truth = np.asarray(test_features, dtype=np.float64), np.asarray(test_labels)
    if len(x) < FEWEST_FOR_PROBE or len(np.unique(y)) < 2:
        has = f"{len(x)} of {len(np.unique(y))}"
        raise ValueError(f"a probe needs {FEWEST_FOR_PROBE} training pictures of 2 classes, got {has}")
    order = np.random.default_rng(0).permutation(len(x))
    scaler = StandardScaler().fit(x)
    # The penalty keeps the equations well conditioned, and float32 takes half the time.
    x, test = (scaler.transform(features).astype(np.float32) for features in (x, test))
    held, kept = np.split(order, [int(HELD_OUT * len(order))])
    scores = [
        _ridge(x[kept], y[kept], penalty).score(x[held], y[held]) if len(np.unique(y[kept])) > 1 else 0.0
        for penalty in PENALTIES
    ]
    return float(_ridge(x, y, PENALTIES[int(np.argmax(scores))]).score(test, truth))


def _ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> RidgeClassifier:
    return RidgeClassifier(alpha=penalty * len(x), solver="cholesky").fit(x, y)


def _centred(features: np.ndarray, name: str) -> np.ndarray:
    x = np.asarray(features, dtype=np.float64)
    if not np.isfinite(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} values of the {name} features are not finite")
    if (x == x[0]).all():
        raise ConstantFeatures(f"the {name} features are constant; CKA says nothing")
    return x - x.mean(0)


def _hsic(squares: float, x: np.ndarray, y: np.ndarray) -> float:
    """n (n - 3) times unbiased HSIC of centred features, linear kernels; `squares` is |x'y|²."""
    n, p, q = len(x), np.square(x).sum(1), np.square(y).sum(1)
    diagonal = p @ q
    shared = p.sum() * q.sum() / ((n - 1) * (n - 2))
    return float(squares - diagonal + shared - 2 * diagonal / (n - 2))
