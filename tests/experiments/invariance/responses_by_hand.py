"""What a network answers to transformed pictures, given by hand."""

import numpy as np

from zfutils.experiments.invariance.feature_distances import Responses


def answers(amounts, distances, *, kind="translation", layers=("relu1",), probabilities=None, units=1.0):
    """Distances (n, amounts) or (n, amounts, layers) as the `Responses` that hold them."""
    distances = np.array(distances, dtype=float).reshape(len(distances), len(amounts), len(layers))
    n = len(distances)
    chances = np.full((n, len(amounts)), 0.5) if probabilities is None else np.array(probabilities)
    numbers = (distances, chances, np.full(n, 0.9), np.full(len(layers), units))
    return Responses(kind, np.array(amounts, dtype=float), layers, np.arange(n), *numbers)
