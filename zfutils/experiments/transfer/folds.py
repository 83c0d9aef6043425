"""Random folds of a set: n training pictures a class, at most 50 for the test (Zeiler & Fergus 2013, §5.2).

A fold's smaller training sets are parts of its larger ones and are tested on the same pictures, so that
every difference (between networks, layers or numbers of pictures) is taken within a fold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int64

from zfutils.runtime.seeds import mixed


@dataclass(frozen=True)
class Fold:
    """Which pictures are trained on, and which are tested."""

    number: int
    train: Mapping[int, Int64[np.ndarray, " n"]]  # by pictures a class; each a part of the next larger
    test: Int64[np.ndarray, " n"]

    def without(self, rows: Sequence[int]) -> "Fold":
        """The same fold with some pictures taken out of training and test."""
        kept = {n: own[~np.isin(own, rows)] for n, own in self.train.items()}
        return Fold(self.number, kept, self.test[~np.isin(self.test, rows)])


def folds(
    labels: Int64[np.ndarray, " n"],
    per_class: Sequence[int],
    count: int,
    *,
    test_per_class: int,
    classes: Sequence[str],
    seed: int = 0,
) -> list[Fold]:
    """Random folds: each class is shuffled, its first pictures are for training, what follows for the test.

    Args:
        labels: of the whole set.
        per_class: training pictures a class; tested are those after the largest of them.
        count: how many folds.
        test_per_class: at most; a class that runs short is tested on what is left, see `short_classes`.
        classes: what the labels are called, for messages.
        seed: of the shuffling.

    Raises:
        ValueError: a class with no picture left for the test; names the class and what it has.
    """
    present, most = np.unique(labels), max(per_class)
    sizes = {int(label): int((labels == label).sum()) for label in present}
    if poor := [label for label, size in sizes.items() if size <= most]:
        names = [f"{classes[label]} ({sizes[label]})" for label in poor]
        needs = f"{most} training pictures and one for the test are needed of each class"
        raise ValueError(f"{needs}; too few has {', '.join(names)}")
    found = []
    for number in range(count):
        rng = np.random.default_rng(mixed(seed, number))
        shuffled = [rng.permutation(np.flatnonzero(labels == label)) for label in present]
        train = {n: np.sort(np.concatenate([own[:n] for own in shuffled])) for n in sorted(set(per_class))}
        test = [own[most : most + test_per_class] for own in shuffled]
        found.append(Fold(number, train, np.sort(np.concatenate(test))))
    return found


def short_classes(
    labels: Int64[np.ndarray, " n"], fold: Fold, classes: Sequence[str], *, test_per_class: int
) -> pd.DataFrame:
    """Classes with fewer test pictures than the others: class, pictures, train (at most), test."""
    of = {"pictures": labels, "train": labels[fold.train[max(fold.train)]], "test": labels[fold.test]}
    counts = {name: np.bincount(own, minlength=len(classes)) for name, own in of.items()}
    table = pd.DataFrame({"class": classes} | counts)
    short = table[(table["pictures"] > 0) & (table["test"] < test_per_class)]
    return short.sort_values(["test", "class"], ignore_index=True)
