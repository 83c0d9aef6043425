"""What is published beside a network of the images that it learned from: their mean and their classes.

It is what an image undergoes before the network sees it, whoever has it; and it serves instead of the images
where these are asked for their mean alone.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from zfutils.data.pixels import Pixels
from zfutils.study.places import REFERENCE
from zfutils.training.checkpoints import save_tensors

FILE = "preprocessing.safetensors"
STEPS = 128  # in which a level of 0…255 is kept


def save_preprocessing(images: Pixels, folder: Path) -> None:
    """Keep the mean of a training set, to 1/256 of a level, and the names of its classes beside a network.

    Args:
        images: the set.
        folder: the network's.
    """
    metadata = {"classes": json.dumps(images.classes)}
    save_tensors({"mean": (images.mean * STEPS).round().to(torch.int16)}, folder / FILE, metadata=metadata)


def preprocessing(folder: Path) -> tuple[Float[Tensor, "size size channels"], tuple[str, ...]]:
    """The mean of what a published network learned from, in 0…255, and the names of its classes.

    Args:
        folder: the network's.
    """
    with safe_open(folder / FILE, "pt") as file:
        return file.get_tensor("mean") / STEPS, tuple(json.loads(file.metadata()["classes"]))


def published_mean(identity: Mapping[str, Any]) -> Float[Tensor, "size size channels"] | None:
    """The mean of a set, in 0…255, where a published network learned from just this one; None elsewhere.

    Args:
        identity: of the set, as `Pixels.identity`.
    """
    return next((preprocessing(folder)[0] for folder in learned_from(identity)), None)


def learned_from(identity: Mapping[str, Any]) -> Iterator[Path]:
    """Folders of the published networks that learned from just this set, its bytes included.

    Args:
        identity: of the set, as `Pixels.identity`.
    """
    for record in sorted(REFERENCE.glob("networks/*/network.json")):
        if json.loads(record.read_text())["identity"]["images"] == identity:
            yield record.parent
