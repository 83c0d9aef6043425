"""What was measured for the registered claims, kept in files, one a claim, and laid side by side."""

import json
import time
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zfutils.runtime.devices import device_name
from zfutils.runtime.files import write_json
from zfutils.stats.intervals import Interval
from zfutils.study.claims import Claim, Measurement


def write(
    claim: Claim,
    interval: Interval | None,
    folder: Path,
    *,
    edition: str,
    n: int | None,
    p: float | None,
    detectable: float | None,
    seconds: float,
    seed: int,
    context: Mapping[str, Any],
) -> None:
    """Keep a measurement in `folder`, with the verdict of the claim's rule; see `Study.record`."""
    ends = (interval.estimate, interval.low, interval.high) if interval else (None, None, None)
    count = n if n is not None else (interval.n if interval else 0)
    measured = Measurement(*ends, n=count, edition=edition, p=p, detectable=detectable)
    row = {
        "claim": claim.id,
        "chapter": claim.chapter,
        "edition": edition,
        **dict(zip(("estimate", "low", "high"), ends, strict=True)),
        "n": count,
        "p": p,
        "detectable": detectable,
        "verdict": str(claim.verdict(measured)),
        "resampled": interval.resampled if interval else None,
        "seed": seed,
        "device": device_name(),
        "seconds": round(seconds, 2),
        "at": time.strftime("%Y-%m-%d", time.gmtime()),
        "context": context,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_json(row, folder / f"{claim.id}.json")


def read(folder: Path) -> list[dict[str, Any]]:
    """What `write` kept, in the order of the claims' names."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def side_by_side(
    claims: Iterable[Claim],
    *,
    this: Iterable[Mapping[str, Any]],
    published: Iterable[Mapping[str, Any]],
    written: Container[int],
) -> pd.DataFrame:
    """One row for every claim: what this run and the published run measured.

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
    lacking = [c.id for c in claims if c.chapter in written and c.id not in runs["this"]]
    if lacking:
        raise ValueError(f"claims without a record: {', '.join(lacking)}")
    rows = []
    for claim in claims:
        row: dict[str, Any] = {"claim": claim.id, "chapter": claim.chapter, "kind": claim.kind}
        for run, found in runs.items():
            measured = found.get(claim.id, {})
            row |= {f"{run}_{k}": measured.get(k) for k in ("estimate", "low", "high", "n", "verdict")}
        rows.append(row)
    return pd.DataFrame(rows).replace({None: np.nan})
