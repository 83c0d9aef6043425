"""What ImageNet in full takes: hours, disk and memory, worked out from rates that are measured.

A training sees a known number of images, a store has a known number of bytes; machines differ in images a
second. Those of a processor come from what `make bench` kept, those of GPUs from `book/reference/gpu.json`;
where nothing was measured there is no number.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from zfutils.nets.specs import NetworkSpec
from zfutils.study import gpu
from zfutils.study.gpu import NOT
from zfutils.study.profile import Profile
from zfutils.study.speed import Benchmarks
from zfutils.training.recipe import Training

TRAIN, VALIDATION, CLASSES = 1_281_167, 50_000, 1000  # Russakovsky 2015, Table 2
ARCHIVES = 147_897_477_120 + 6_744_924_160  # bytes of ILSVRC2012_img_train.tar and …_val.tar
CROPS = 10
FORWARD = 1 / 3  # of a training step's arithmetic
BYTES = 4  # of a float32

Row = dict[str, Any]


class Rates(NamedTuple):
    """What was measured: training on several machines, decoding on the first."""

    training: list[Row]  # machine, images_per_second (NaN where not measured), from
    decoded: float  # images a second that one core decodes and makes squares
    cores: int

    @property
    def table(self) -> pd.DataFrame:
        """One row for each machine."""
        columns = {"images_per_second": "images/s in training"}
        decoded = [self.decoded, *[np.nan] * (len(self.training) - 1)]
        rates = pd.DataFrame(self.training).rename(columns=columns)
        return rates.assign(**{"JPEG files/s of one core": decoded})


def rates(run: Benchmarks | None, gpus: Sequence[str]) -> Rates:
    """The rates of the machine that `make bench` ran on, and of GPUs.

    Args:
        run: its kept run, if there is one.
        gpus: words in their names.
    """
    found = [_gpu_rate(machine) for machine in gpus]
    if run is None:
        return Rates(
            [{"machine": "a processor", "images_per_second": np.nan, "from": NOT}, *found], np.nan, 1
        )
    training = run.row("training/224 px")
    rate = {"images_per_second": training.context["images a second"], "from": "make bench"}
    here = {"machine": f"{training.device}, {run.cores} cores"} | rate
    return Rates([here, *found], run.row("preparation/JPEG").context["images a second, ours"], run.cores)


def _gpu_rate(machine: str) -> Row:
    kept = gpu.best(machine, "imagenet")
    rate = np.nan if kept is None else kept["images_per_second"]
    return {"machine": machine, "images_per_second": rate, "from": NOT if kept is None else "zfutils measure"}


def images_of_a_training(recipe: Training) -> int:
    """How many images a training sees, all epochs together."""
    return recipe.epochs * round(TRAIN * (1 - recipe.held_out))


def hours(recipe: Training, rates: Rates) -> pd.DataFrame:
    """What preparation, training and ten crops take, a row for each machine.

    Args:
        recipe: of the network.
        rates: as `rates` gives them; preparation is the first machine's.
    """
    seen, tested = images_of_a_training(recipe), recipe.epochs * round(TRAIN * recipe.held_out)
    rows = []
    for row in rates.training:
        rate = row["images_per_second"]
        rows.append(
            row
            | {
                "preparation": (TRAIN + VALIDATION) / (rates.decoded * rates.cores) / 3600,
                "training": (seen + FORWARD * tested) / rate / 3600,
                "ten crops": FORWARD * CROPS * VALIDATION / rate / 3600,
            }
        )
    return pd.DataFrame(rows)


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers with one decimal place, or none from 100 on; those that are not known as "not measured"."""
    numbers = table.select_dtypes("number")
    return table.assign(**numbers.map(_said))


def _said(value: float) -> str:
    if np.isnan(value):
        return NOT
    return "under 0.1" if 0 < value < 0.1 else f"{value:,.{0 if value >= 100 else 1}f}"


def disk(profile: Profile, spec: NetworkSpec) -> pd.DataFrame:
    """What lies on disk, in GB, with the arithmetic."""
    weights = _weights(spec)
    side, kept = profile.images.size, len(profile.training.snapshots) + 1
    store = (TRAIN + VALIDATION) * side**2 * spec.channels
    return _table(
        ("the official archives", "training and validation", ARCHIVES),
        ("the pixel stores", f"{TRAIN + VALIDATION:,} × {side}² × {spec.channels} bytes", store),
        ("one network", f"{kept} snapshots × {weights:,} × {BYTES} bytes", kept * weights * BYTES),
        ("its resume point", f"2 × {weights:,} × {BYTES} bytes", 2 * weights * BYTES),
    )


def memory(recipe: Training, spec: NetworkSpec) -> pd.DataFrame:
    """What a training holds in memory beside the pixels, in GB, with the arithmetic."""
    weights, kept = _weights(spec), kept_for_the_way_back(spec)
    return _table(
        ("weights, gradients, momentum", f"3 × {weights:,} × {BYTES} bytes", 3 * weights * BYTES),
        (
            "activations kept for the backward pass, float32",
            f"{recipe.batch} images × {kept:,} bytes",
            recipe.batch * kept,
        ),
    )


def kept_for_the_way_back(spec: NetworkSpec) -> int:
    """Bytes that a forward pass of one image in float32 leaves for the backward pass, counted."""
    model, kept = spec.build(), {}
    own = {parameter.data_ptr() for parameter in model.parameters()}

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    images = torch.zeros(1, spec.channels, spec.image, spec.image)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = nn.functional.cross_entropy(model(images), torch.zeros(1, dtype=torch.int64))
    total = sum(kept.values())
    del loss
    return total


def _weights(spec: NetworkSpec) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in spec.build().parameters())


def _table(*rows: tuple[str, str, int]) -> pd.DataFrame:
    found = [(what, how, size / 1e9) for what, how, size in rows]
    return pd.DataFrame(found, columns=["what", "arithmetic", "GB"])
