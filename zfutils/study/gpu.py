"""How fast GPUs train: figures kept in `book/reference/gpu.json` for a reader whose machine has none.

`python -m zfutils measure`, on a machine with a GPU, appends to them; chapter 2 and the page on speed show
the last ones.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile

from zfutils.experiments.training.throughput import full_batches, synchronise, throughput, timed
from zfutils.runtime.devices import device_name
from zfutils.runtime.files import whole
from zfutils.stats.formatting import percent
from zfutils.study.display import Paragraph
from zfutils.study.places import REFERENCE
from zfutils.study.records import commit
from zfutils.study.study import Study
from zfutils.training.step import Step

FIGURES = REFERENCE / "gpu.json"
AIMS = {"H100": 15_000, "H200": 25_000}  # images/s in training the paper's network at 224 px
NOT = "not measured"
KINDS = {"conv": "convolutions", "pool": "pooling"}  # by what PyTorch calls its operations


def figures() -> list[Mapping[str, Any]]:
    """The last figures of each GPU, precision and edition, as `keep` wrote them."""
    last = {(row["device"], row["precision"], row["edition"]): row for row in _kept()}
    return list(last.values())


def best(machine: str, edition: str) -> Mapping[str, Any] | None:
    """The fastest of the figures of a GPU whose name holds a word, for an edition; None without any."""
    rows = [row for row in figures() if machine in row["device"] and row["edition"] == edition]
    return max(rows, key=lambda row: row["images_per_second"], default=None)


def table() -> pd.DataFrame:
    """Training of the paper's network at 224 px on GPUs, as kept in gpu.json, beside what is aimed at."""
    rows = []
    for machine, aim in AIMS.items():
        row = dict.fromkeys(
            ("images/s", "of the rate of matrix products", "from the store, of images/s"), NOT
        )
        found = best(machine, "imagenet")
        if found is not None:
            shares = (found["fraction"], found["from_store"])
            row = dict(zip(row, (f"{found['images_per_second']:,.0f}", *map(percent, shares)), strict=True))
        rows.append({"GPU": machine, "aim (images/s)": f"{aim:,}"} | row)
    return pd.DataFrame(rows)


def in_words() -> Paragraph:
    """How far the GPUs that were measured are from what is aimed at, and where the time of a step goes."""
    said = []
    for machine, aim in AIMS.items():
        if (found := best(machine, "imagenet")) is None:
            continue
        rate, shares = found["images_per_second"], found["shares"]
        needed = 1 - shares["all else"]
        said.append(
            f"The {machine} reaches {percent(rate / aim)} of the aim. Of its time convolutions take "
            f"{percent(shares['convolutions'])} and pooling {percent(shares['pooling'])}; with all else free "
            f"it would train at about {round(rate / needed, -2):,.0f} images/s."
        )
    return Paragraph(" ".join(said) or "No GPU was measured.")


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
        As `throughput.throughput`, with two more columns: from_store, the rate on batches from the store as a
        share of that on one fixed batch, and shares, of the GPU's time by kind of operation (`shares`).

    Raises:
        ValueError: the study's device is a processor; names it.
    """
    if study.device.type == "cpu":
        raise ValueError(f"figures are kept of GPUs; this is a processor, {device_name(study.device)}")
    spec, images, recipe = study.spec("zfnet"), study.train_images, study.profile.training
    speed = throughput(spec, images, recipe, device=study.device)
    more = []
    for row in speed.itertuples():
        step = Step(spec, recipe.model_copy(update={"precision": row.precision}), device=study.device)
        batches = full_batches(step, spec, images)
        fixed = next(batches)

        def take(step=step, batches=batches) -> None:
            batch = next(batches)
            step(batch.images, batch.labels)

        seconds = statistics.median(timed(take, study.device, seconds=2.0))
        own = shares(lambda step=step, fixed=fixed: step(fixed.images, fixed.labels), study.device)
        more.append({"from_store": row.step_seconds / seconds, "shares": own})
    speed = speed.join(pd.DataFrame(more))
    keep(speed, study.edition)
    return speed


def shares(run: Callable[[], object], device: torch.device, *, times: int = 5) -> dict[str, float]:
    """Of the time that a device works, the shares of convolutions, of pooling and of all else.

    Args:
        run: what is done.
        device: that does it; of a CPU it is the time of the thread that runs it.
        times: how often.
    """
    on_gpu = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu) as found:
        for _ in range(times):
            run()
        synchronise(device)
    took = dict.fromkeys((*KINDS.values(), "all else"), 0.0)
    for event in found.key_averages():
        if event.key.startswith("aten::"):  # the rest are names of the same kernels, or of what calls them
            kind = next((KINDS[word] for word in KINDS if word in event.key), "all else")
            took[kind] += event.self_device_time_total if on_gpu else event.self_cpu_time_total
    return {kind: one / sum(took.values()) for kind, one in took.items()}


def _kept() -> list[dict[str, Any]]:
    return json.loads(FIGURES.read_text())
