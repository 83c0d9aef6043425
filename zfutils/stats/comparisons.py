"""Two arms of the same pictures: what is measured and its control, and their difference picture by picture.

The one idea: whatever is true of both arms, such as a liking for the middle of the picture, leaves the
difference alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from zfutils.stats.formatting import between, rounded
from zfutils.stats.intervals import Interval, bootstrap_interval, paired_difference, where_enough


class Compared(NamedTuple):
    """A difference of two numbers, or their ratio, with its interval."""

    interval: Interval
    arms: tuple[float, float]  # measured, control


@dataclass(frozen=True)
class Comparison:
    """One number of each picture and its control; pictures of which either is not known (NaN) do not count.

    Args:
        measured, control: of the same pictures, in the same order.
        resampled: what the pictures are called.
        seed: of the resampling.
    """

    measured: Float[np.ndarray, " n"]
    control: Float[np.ndarray, " n"]
    resampled: str = "pictures"
    seed: int = 0

    @property
    def difference(self) -> Float[np.ndarray, " n"]:
        """Measured minus control, picture by picture; NaN where either is not known."""
        return self.measured - self.control

    @property
    def interval(self) -> Interval | None:
        """Mean difference, pictures resampled; None where there are too few."""
        return where_enough(paired_difference, *self._known, resampled=self.resampled, seed=self.seed)

    @property
    def arms(self) -> tuple[float, float] | None:
        """Means of what was measured and of the control; None where there are no pictures."""
        measured, control = self._known
        return (float(measured.mean()), float(control.mean())) if len(measured) else None

    @property
    def arms_intervals(self) -> tuple[Interval | None, Interval | None]:
        """The same means with their intervals, pictures resampled; None where there are too few."""
        how = {"resampled": self.resampled, "seed": self.seed}
        return tuple(where_enough(bootstrap_interval, arm, **how) for arm in self._known)

    def beyond(self, other: "Comparison") -> "Comparison":
        """This difference against another one of the same pictures, as of a network with random weights."""
        return replace(self, measured=self.difference, control=other.difference)

    @property
    def n(self) -> int:
        """Pictures that count."""
        return len(self._known[0])

    @property
    def _known(self) -> tuple[np.ndarray, np.ndarray]:
        known = np.isfinite(self.difference)
        return self.measured[known], self.control[known]


def with_others(
    table: Float[np.ndarray, "n n"],
    *,
    among: Bool[np.ndarray, "n n"] | bool = True,
    resampled: str = "pictures",
) -> Comparison:
    """Each picture with its own, and as its control the mean over others.

    Args:
        table: row i is of picture i; its column i belongs to it, the others to other pictures. NaN cells are
            left out.
        among: which others count, picture by picture; by default all.
        resampled: what the pictures are called.
    """
    others = np.where(among, table, np.nan)
    np.fill_diagonal(others, np.nan)
    known = np.isfinite(others).sum(1)
    means = np.where(known > 0, np.nansum(others, axis=1) / np.maximum(known, 1), np.nan)
    return Comparison(np.diagonal(table).astype(float), means, resampled)


NOTHING = Comparison(np.empty(0), np.empty(0))  # where an edition has nothing to measure


def arms_table(
    compared: Mapping[str, Compared | None],
    columns: Sequence[str] = ("comparison", "measured", "control", "difference"),
    *,
    digits: int = 2,
) -> pd.DataFrame:
    """Comparisons in words, one per row: both arms, and their difference with its interval.

    Args:
        compared: by what each is of; None where there was too little for one.
        columns: what the four columns are called.
        digits: after the point.
    """
    rows = []
    for name, found in compared.items():
        interval, arms = found or (None, (None, None))
        rows.append((name, *(rounded(arm, digits=digits) for arm in arms), between(interval, digits=digits)))
    return pd.DataFrame(rows, columns=list(columns))


def comparison_table(
    compared: Mapping[tuple[str, ...], Comparison],
    names: Sequence[str],
    *,
    measured: str = "measured",
    control: str = "control",
    beside: Mapping[str, Sequence[str]] | None = None,
    digits: int = 2,
) -> pd.DataFrame:
    """Comparisons in words, one per row: both arms and their difference, each with its interval.

    Args:
        compared: by what each is of.
        names: of the columns that say so.
        measured, control: what the arms are called.
        beside: further columns, one text per row.
        digits: after the point.
    """
    rows = []
    for of, one in compared.items():
        row = dict(zip(names, of, strict=True))
        arms = zip((measured, control), one.arms or (None, None), one.arms_intervals, strict=True)
        for name, mean, interval in arms:  # what is too little for an interval is shown by its mean alone
            row[name] = between(interval, digits=digits, otherwise=rounded(mean, digits=digits))
        rows.append(row | {"difference": between(one.interval, digits=digits, otherwise="–")})
    return pd.DataFrame(rows).assign(**(beside or {}), n=[one.n for one in compared.values()])
