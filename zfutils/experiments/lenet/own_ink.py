"""Whether something lies on the ink of its own digit, beyond what lies on any digit's ink.

All digits stand in the middle, and whatever prefers the middle lies on ink. The one idea: each digit's
pattern is laid on its own ink and on that of other digits, so that the difference is due to this digit.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from zfutils.experiments.lenet.patterns import Patterns
from zfutils.stats.comparisons import Comparison, with_others

INK = 128  # of 255; pixels from here on are ink


def ink(pixels: UInt8[np.ndarray, "n h w 1"]) -> Bool[np.ndarray, "n h w"]:
    """Where a digit's ink is."""
    return pixels[..., 0] >= INK


def energy_on(
    patterns: Float[np.ndarray, "n k h w"], ink: Bool[np.ndarray, "m h w"]
) -> Float[np.ndarray, "n m"]:
    """Share of the energy of each digit's patterns on the ink of each digit.

    Args:
        patterns: of k units of each digit; energy is the square. The share is the mean over the units whose
            pattern is not zero.
        ink: of the digits.

    Returns:
        Row i of digit i's patterns; NaN where all of them are zero.
    """
    energy = np.square(patterns.reshape(*patterns.shape[:2], -1).astype(np.float64))
    total = energy.sum(2, keepdims=True)
    energy = np.divide(energy, total, out=np.zeros_like(energy), where=total > 0).sum(1)
    active = (total > 0).sum((1, 2))[:, None]
    mean = np.divide(energy, active, out=np.full_like(energy, np.nan), where=active > 0)
    return mean @ ink.reshape(len(ink), -1).T.astype(np.float64)


def fall_on(falls: Float[np.ndarray, "n p q"], ink: Bool[np.ndarray, "m p q"]) -> Float[np.ndarray, "n m"]:
    """Mean fall at the positions on the ink of each digit, minus that at the other positions.

    Args:
        falls: of each digit, by position of the square.
        ink: of each digit, at the centres of the positions.

    Returns:
        Row i of digit i's falls; NaN in the column of a digit that has ink at every position or at none.
    """
    on = ink.reshape(len(ink), -1).astype(np.float64)
    counts = on.sum(1, keepdims=True), (1 - on).sum(1, keepdims=True)
    known = (counts[0] > 0) & (counts[1] > 0)
    weights = np.full_like(on, np.nan)
    np.subtract(on / np.maximum(counts[0], 1), (1 - on) / np.maximum(counts[1], 1), out=weights, where=known)
    return falls.reshape(len(falls), -1).astype(np.float64) @ weights.T


def own_and_others(
    table: Float[np.ndarray, "n n"], labels: Int64[np.ndarray, " n"], *, same_class: bool = False
) -> Comparison:
    """Each digit on its own ink, and as its control the mean over the ink of other digits.

    Args:
        table: row i is of digit i, column j of digit j's ink; NaN cells are left out.
        labels: of the digits.
        same_class: the control is the rest of the digit's class; otherwise all digits of other classes.
    """
    same = labels[:, None] == labels
    return with_others(table, among=same if same_class else ~same, resampled="digits")


Network = tuple[str, str]  # pooling and weights


def of_projections(
    projected: Mapping[Network, Mapping[str, Patterns]],
    inks: Bool[np.ndarray, "n h w"],
    labels: Int64[np.ndarray, " n"],
) -> dict[Network, dict[str, Comparison]]:
    """The energy of projections on their own digit's ink and on that of other classes' digits.

    Args:
        projected: by network, then by layer.
        inks, labels: of the digits.

    Returns:
        By network, then by layer.
    """
    return {
        network: {name: own_and_others(energy_on(p.pixels, inks), labels) for name, p in layers.items()}
        for network, layers in projected.items()
    }


def due_to_training(
    trained: Mapping[str, Comparison], random: Mapping[str, Comparison]
) -> dict[tuple[str], Comparison]:
    """What trained weights put on their own digit's ink beyond random ones, layer by layer."""
    return {(layer,): one.beyond(random[layer]) for layer, one in trained.items()}
