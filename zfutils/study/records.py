"""What was measured for the registered claims, kept in files, one for each claim, and laid side by side.

A record says how it was made: edition, parameters, seed, device, seconds and commit. It is official when the
page ran with its defaults.
"""

import json
import math
import subprocess
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from zfutils.runtime.files import write_json
from zfutils.runtime.folders import ROOT
from zfutils.stats.intervals import Interval
from zfutils.study.claims import Claim, Measurement
from zfutils.training.outcomes import NOT_RUN

TOO_FEW = "too few were measured for an interval"
ROUNDING = 1e-3  # of the larger number; sums in another order, in single precision


class Timed(Protocol):
    """Work that took a time: a stopwatch that ran, a network that was trained."""

    @property
    def seconds(self) -> float: ...


class Stopwatch:
    """Adds up the seconds of the `with` blocks that it is given."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds += time.perf_counter() - self._started


@dataclass
class Recording:
    """A claim while it is measured: a context manager that writes the record at its end (`Study.claim`).

    It takes an interval, or the reason why nothing could be measured; an error within it writes nothing.
    """

    claim: Claim
    folder: Path  # of the records
    edition: str
    device: str
    parameters: Mapping[str, Any]  # of the page
    official: bool
    after: Sequence[Timed] = ()
    _row: dict[str, Any] | None = field(default=None, init=False)

    def measured(
        self,
        interval: Interval | None,
        *,
        otherwise: str = TOO_FEW,
        n: int | None = None,
        p: float | None = None,
        detectable: float | None = None,
        arms: tuple[float, float] | None = None,
        conditions: Mapping[str, float] | None = None,
        **beside: Any,
    ) -> None:
        """Take in what was measured.

        Args:
            interval: estimate and 95 % interval, in the claim's unit; None where nothing could be measured.
            otherwise: why, in that case.
            n: how many were measured, where it is not the interval's.
            p, detectable: where the claim's rule asks for them.
            arms: what was measured and its control, where the verdict is taken on their difference or ratio.
            conditions: every number that the claim's condition compares, by name.
            beside: what stands beside the number; plain data.

        Raises:
            ValueError: the arms are missing, or their difference or ratio is not the estimate; a condition
                is missing or unknown.
        """
        self._check_arms(interval, arms)
        conditions = {name: float(value) for name, value in (conditions or {}).items()}
        measurement = Measurement(interval, self.edition, n, p, detectable, conditions)
        missed = "; ".join(self.claim.missed(measurement)) if interval else otherwise
        self._row = {
            "claim": self.claim.id,
            "chapter": self.claim.chapter,
            "edition": self.edition,
            **measurement.values,
            "verdict": str(self.claim.verdict(measurement)),
            "resampled": interval.resampled if interval else None,
            "reason": missed or None,
            "arms": arms and dict(zip(("measured", "control"), map(float, arms), strict=True)),
            "conditions": conditions,
            "context": beside,
        }

    def asked(self, known: Mapping[str, float | None]) -> dict[str, float] | None:
        """Those of some numbers that the claim's condition compares; None where one of them is not known.

        Args:
            known: by name, for several claims together.
        """
        wanted = {name: known[name] for name in self.claim.where}
        return None if None in wanted.values() else wanted

    def _check_arms(self, interval: Interval | None, arms: tuple[float, float] | None) -> None:
        """Whether the claim's control is in the number, as its rule says."""
        taken = self.claim.rule.verdict_on
        if interval is None or (taken is None and arms is None):
            return
        if taken is None or arms is None:
            needs = f"is taken on {taken}: give both as arms" if taken else "names no control: it has no arms"
            raise ValueError(f"the verdict of {self.claim.id!r} {needs}")
        measured, control = arms
        expected = measured / control if taken == "measured / control" else measured - control
        if not math.isclose(interval.estimate, expected, rel_tol=ROUNDING, abs_tol=ROUNDING * abs(measured)):
            raise ValueError(
                f"{self.claim.id!r}: the estimate is {interval.estimate:g}, but {taken} is {expected:g}"
            )

    def __enter__(self) -> Self:
        self._watch = Stopwatch().__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._watch.__exit__()
        if kind is not None:
            return
        if self._row is None:
            raise RuntimeError(f"the claim {self.claim.id!r} was opened and nothing was recorded for it")
        seconds = self._watch.seconds + sum(work.seconds for work in self.after)
        made = {
            "seed": self.parameters.get("seed", 0),
            "parameters": self.parameters,
            "official": self.official,
            "device": self.device,
            "seconds": round(seconds, 2),
            "at": time.strftime("%Y-%m-%d", time.gmtime()),
            "commit": commit(),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._row | made, self.folder / f"{self.claim.id}.json")


@cache
def commit() -> str | None:
    """The commit of the working copy, with a plus sign where its code or pages differ from it.

    None where there is no working copy.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", ROOT, *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "zfutils", "book", ":!book/reference")
        return git("rev-parse", "HEAD") + "+" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return None


def refuse_unpublishable(rows: Iterable[Mapping[str, Any]]) -> None:
    """Let records pass that are official and come from one commit.

    Raises:
        ValueError: a record of a trial, records of several commits, or of a changed working copy; names them.
    """
    rows = list(rows)
    if trials := [row["claim"] for row in rows if not row.get("official")]:
        raise ValueError(f"not made with their page's default parameters: {', '.join(trials)}")
    commits = {str(row.get("commit")) for row in rows}
    if len(commits) > 1:
        raise ValueError(f"the records come from {len(commits)} commits ({', '.join(sorted(commits))})")
    if unclear := [one for one in commits if one == "None" or one.endswith("+")]:
        raise ValueError(f"the records come from a working copy that is no commit ({unclear[0]})")


def read(folder: Path) -> list[dict[str, Any]]:
    """What was recorded in a folder, in the order of the claims' names."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def side_by_side(
    claims: Iterable[Claim],
    *,
    this: Iterable[Mapping[str, Any]],
    published: Iterable[Mapping[str, Any]],
    written: Container[int],
) -> pd.DataFrame:
    """One row for every claim: what this run and the published run measured.

    A claim whose run is published may be without a record of this run. Where a claim's networks were not run
    yet there is no verdict, and the reason names them.

    Args:
        claims: which.
        this, published: records of either run.
        written: the chapters that stand in the book.

    Raises:
        ValueError: a chapter that stands in the book left out one of its claims; names them.
    """
    claims = list(claims)
    runs = {"this": {row["claim"]: row for row in this}}
    runs["published"] = {row["claim"]: row for row in published}
    due = [c.id for c in claims if c.chapter in written and c.run != "published"]
    lacking = [name for name in due if name not in runs["this"]]
    if lacking:
        raise ValueError(f"claims without a record: {', '.join(lacking)}")
    rows = []
    for claim in claims:
        row: dict[str, Any] = {"claim": claim.id, "chapter": claim.chapter, "kind": claim.kind}
        for run, found in runs.items():
            measured = found.get(claim.id, {})
            keys = ("estimate", "low", "high", "n", "verdict", "reason")
            row |= {f"{run}_{key}": measured.get(key) for key in keys}
            if str(measured.get("reason")).startswith(NOT_RUN):
                row[f"{run}_verdict"] = None
        rows.append(row)
    return pd.DataFrame(rows).replace({None: np.nan})
