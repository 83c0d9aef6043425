"""What ImageNet in full takes: hours, disk and memory, worked out from rates that are measured.

A training sees a known number of images, a store has a known number of bytes; machines differ in images a
second. Those of this machine are measured on the spot, on the paper's network at 224 px; those of GPUs come
from `book/reference/gpu.json`, and where nothing was measured there is no number.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn

from zfutils.data.decoding import decode
from zfutils.data.parts import PartsImages
from zfutils.data.pixels import Pixels
from zfutils.nets.specs import NetworkSpec
from zfutils.study import gpu
from zfutils.study.profile import Profile
from zfutils.training.recipe import Training

TRAIN, VALIDATION, CLASSES = 1_281_167, 50_000, 1000  # Russakovsky 2015, Table 2
ARCHIVES = 147_897_477_120 + 6_744_924_160  # bytes of ILSVRC2012_img_train.tar and …_val.tar
AS_LARGE = 400  # side of a typical picture of ImageNet (pixels): 400 × 350 on average, Russakovsky 2015, §3
CROPS = 10
FORWARD = 1 / 3  # of a training step's arithmetic
BYTES = 4  # of a float32

Row = dict[str, Any]


def drawn_photographs(folder: Path, *, n: int, size: int) -> tuple[Pixels, float]:
    """Drawn scenes as JPEG files of ImageNet's size, read back, and how fast one core reads them.

    Args:
        folder: where the files are written.
        n: how many.
        size: side of the square they are cropped to (pixels).

    Returns:
        The pictures as a set, and images per second: reading, decoding, resizing.
    """
    scenes = PartsImages("train", n=n, size=AS_LARGE)
    paths = [folder / f"{index}.JPEG" for index in range(n)]
    for index, path in enumerate(paths):
        Image.fromarray(scenes[index]).save(path, quality=95)
    started = time.perf_counter()
    images = [decode(path, size, fit="crop") for path in paths]
    rate = n / (time.perf_counter() - started)
    pixels = torch.from_numpy(np.stack(images))
    labels, mean = torch.from_numpy(scenes.labels), pixels.float().mean(0)
    return Pixels(pixels, labels, mean, scenes.classes, scenes.names, dict(scenes.identity)), rate


def images_of_a_training(recipe: Training) -> int:
    """How many images a training sees, all epochs together."""
    return recipe.epochs * round(TRAIN * (1 - recipe.held_out))


def hours(recipe: Training, rates: Sequence[Row], decoded: float, *, cores: int) -> pd.DataFrame:
    """What preparation, training and ten crops take, a row for each machine.

    Args:
        recipe: of the network.
        rates: machine, images_per_second in training (NaN where not measured), and where that is from.
        decoded: images per second that one core decodes.
        cores: that decode.
    """
    seen, tested = images_of_a_training(recipe), recipe.epochs * round(TRAIN * recipe.held_out)
    rows = []
    for row in rates:
        rate = row["images_per_second"]
        rows.append(
            row
            | {
                "preparation": (TRAIN + VALIDATION) / (decoded * cores) / 3600,
                "training": (seen + FORWARD * tested) / rate / 3600,
                "ten crops": FORWARD * CROPS * VALIDATION / rate / 3600,
            }
        )
    return pd.DataFrame(rows)


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers with one decimal place; those that are not known as "not measured"."""
    numbers = table.select_dtypes("number")
    said = numbers.map(lambda value: "not measured" if np.isnan(value) else f"{value:,.1f}")
    return table.assign(**said)


def gpu_rates(machines: Sequence[str]) -> list[Row]:
    """Images per second in training the paper's network at 224 px, as kept; NaN where not measured."""
    kept = [row for row in gpu.figures() if row["edition"] == "imagenet"]
    rows = []
    for machine in machines:
        found = [row["images_per_second"] for row in kept if machine in row["device"]]
        origin = "book/reference/gpu.json" if found else "not measured"
        rows.append({"machine": machine, "images_per_second": max(found, default=np.nan), "from": origin})
    return rows


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
        ("kept for the way back, float32", f"{recipe.batch} images × {kept:,} bytes", recipe.batch * kept),
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
