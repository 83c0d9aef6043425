"""How fast GPUs train: figures kept in `book/reference/gpu.json` for a reader whose machine has none.

`python -m zfutils measure`, on a machine with a GPU, appends to them; chapter 2 shows the last ones.
"""

import json
import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd
import torch

from zfutils.experiments.training.throughput import throughput
from zfutils.runtime.devices import device_name
from zfutils.runtime.files import whole
from zfutils.study.places import REFERENCE
from zfutils.study.records import commit
from zfutils.study.study import Study

FIGURES = REFERENCE / "gpu.json"


def figures() -> list[Mapping[str, Any]]:
    """The last figures of each GPU, precision and edition, as `keep` wrote them."""
    last = {(row["device"], row["precision"], row["edition"]): row for row in _kept()}
    return list(last.values())


def best(machine: str, edition: str) -> Mapping[str, Any] | None:
    """The fastest of the figures of a GPU whose name holds a word, for an edition; None without any."""
    rows = [row for row in figures() if machine in row["device"] and row["edition"] == edition]
    return max(rows, key=lambda row: row["images_per_second"], default=None)


def keep(speed: pd.DataFrame, edition: str) -> None:
    """Append figures to those there are, with date, versions and commit.

    Args:
        speed: as `throughput.throughput` gives it.
        edition: whose ZFNet was trained.
    """
    versions = {"torch": version("torch"), "cuda": torch.version.cuda, "python": platform.python_version()}
    date = time.strftime("%Y-%m-%d", time.gmtime())
    made = {"edition": edition, "date": date, "versions": versions, "commit": commit()}
    rows = [*_kept(), *(row | made for row in speed.to_dict("records"))]
    with whole(FIGURES) as beside:
        beside.write_text(json.dumps(rows, indent=1) + "\n")


def measure(study: Study) -> pd.DataFrame:
    """Time the training of the edition's ZFNet on the study's GPU, and keep the figures.

    Returns:
        As `throughput.throughput`.

    Raises:
        ValueError: the study's device is a processor; names it.
    """
    if study.device.type == "cpu":
        raise ValueError(f"figures are kept of GPUs; this is a processor, {device_name(study.device)}")
    recipe = study.profile.training
    speed = throughput(study.spec("zfnet"), study.train_images, recipe, device=study.device)
    keep(speed, study.edition)
    return speed


def _kept() -> list[dict[str, Any]]:
    return json.loads(FIGURES.read_text())
