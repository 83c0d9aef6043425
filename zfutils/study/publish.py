"""The published run: trained networks small enough to be committed, and the numbers they gave.

The last weights of each network are kept whole, in half precision; earlier snapshots of the main network
keep their convolutions, which is what pictures of features need. The networks that chapter 9 tries
elsewhere are in 8 bits. Beside each stands what an image undergoes before the network sees it, so that a
published network serves whoever has none of its training images.
"""

import json
import operator
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.data.preprocessing import LEVELS, Preprocessing
from zfutils.nets.filters import high_share_over_noise
from zfutils.runtime.devices import chosen_device
from zfutils.runtime.files import write_json
from zfutils.stats import intervals
from zfutils.study import records
from zfutils.study.groups import SMALL
from zfutils.study.places import REFERENCE
from zfutils.study.published_sets import preprocessing, save_preprocessing
from zfutils.study.study import Study
from zfutils.training import checkpoints
from zfutils.training.checkpoints import Trained, save_tensors
from zfutils.training.eight_bits import narrowed

LARGEST = 25_000_000  # bytes, all published networks together


@dataclass(frozen=True)
class Published:
    """A published network, ready for images of one's own.

    Attributes:
        model: in eval mode.
        classes: their names.
        trained: spec, history, snapshots and record.
        mean: of the training images, in 0…255, subtracted from an image, (size, size, channels).
    """

    model: nn.Sequential
    classes: tuple[str, ...]
    trained: Trained
    mean: Float[Tensor, "size size channels"]

    @property
    def preprocessing(self) -> Preprocessing:
        """What an image undergoes: squashed to a square, cropped, centred by each pixel's mean, scaled."""
        spec, training = self.trained.spec, self.trained.record["identity"]["training"]
        return Preprocessing(
            spec.image,
            spec.channels,
            mean=self.mean / LEVELS,
            std=1 / (LEVELS * training["input_scale"]),
            size=len(self.mean),
            fit="squash",
        )

    def inputs(self, *images: Path | str | np.ndarray) -> Inputs:
        """Images as the network sees them (`preprocessing`).

        Args:
            images: files, or uint8 arrays (h, w, 3) of any size, RGB.

        Raises:
            ValueError: no image, or another array; an `UndecodableImage` names a file that is no image.
        """
        return self.preprocessing.inputs(images)


def published(name: str = "zfnet") -> Published:
    """A network of the published run, with its classes and what an image undergoes before it is seen.

    Args:
        name: "zfnet" or "krizhevsky", trained on photographs; "quick-source", on drawn scenes.

    Raises:
        ValueError: there is no such network; names those there are.
    """
    folder = REFERENCE / "networks" / f"{name}-0"
    if not (folder / "network.json").is_file():
        there = sorted(
            path.parent.name.removesuffix("-0") for path in REFERENCE.glob("networks/*/network.json")
        )
        raise ValueError(f"no network {name!r} is published; there are {', '.join(there) or 'none'}")
    trained = checkpoints.load(folder, chosen_device())
    mean, classes = preprocessing(folder)
    return Published(trained.model, classes, trained, mean)


def publish_network(
    trained: Trained,
    folder: Path,
    images: Pixels,
    *,
    snapshots: Sequence[int] = (),
    bits: Literal[8, 16] = 16,
) -> None:
    """Write a trained network as a published one.

    Args:
        trained: the network.
        folder: where; one that is there is replaced.
        images: that it was trained on, whose mean and classes are kept.
        snapshots: epochs whose convolutions are kept too, where there are such.
        bits: of a weight: half precision, or 8 with one scale for each row.
    """
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    last = trained.record["epochs"]
    for epoch in sorted({*snapshots, last} & set(trained.snapshots)):
        name = f"epoch-{epoch:04d}.safetensors"
        weights = load_file(trained.folder / name)
        kept = {n: w.half() for n, w in weights.items() if epoch == last or n.startswith("conv")}
        save_tensors(narrowed(weights) if bits == 8 else kept, beside / name)
    save_preprocessing(images, beside)
    write_json(trained.record, beside / "network.json")
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def publish(study: Study, main: str = "zfnet") -> None:
    """Publish what an edition trained and measured, in `book/reference/`.

    Networks that are already published are left as they are; the numbers are those of the pages that were
    executed last. Published records of other chapters stay, with their own commit and date; so do those of
    superseded claims, which no page measures any more.

    Raises:
        ValueError: the networks together are larger than what is committed; records of trials, of several
            commits, or of a working copy that is none.
    """
    rows = records.read(study.claims_folder)
    records.refuse_unpublishable(rows)
    folder = REFERENCE / "networks"
    for name in ("zfnet", "krizhevsky"):
        trained = study.network(name)
        if folder not in trained.folder.parents:
            kept = study.profile.networks[name].training.snapshots if name == main else ()
            publish_network(trained, folder / f"{name}-0", study.train_images, snapshots=kept)
    _refuse_large(folder)
    networks = {name: _numbers(study, name) for name in ("zfnet", "krizhevsky")}
    here = {row["claim"] for row in rows}
    gone = {claim.id for claim in study.claims.values() if claim.superseded} - here
    path = REFERENCE / f"{study.edition}.json"
    before = json.loads(path.read_text())["claims"] if path.is_file() else []
    executed = {row["chapter"] for row in rows}
    elsewhere = {claim.id for claim in study.claims.values() if claim.chapter not in executed}
    stay = [row for row in before if row["claim"] in gone | elsewhere]
    claims = sorted(rows + stay, key=operator.itemgetter("claim"))
    data = {"edition": study.edition, "networks": networks, "claims": claims}
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def publish_source(study: Study) -> None:
    """Publish the network whose features chapter 9 tries elsewhere; to train it takes half an hour.

    Raises:
        ValueError: the edition has no transfer; the networks together are larger than what is committed.
    """
    source, folder = study.transferred, REFERENCE / "networks"
    trained = source.network(SMALL)
    if folder not in trained.folder.parents:
        publish_network(trained, folder / f"{study.edition}-source-0", source.train_images, bits=8)
    _refuse_large(folder)


def _refuse_large(folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    if size > LARGEST:
        raise ValueError(f"the published networks take {size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f} MB")


def _numbers(study: Study, name: str) -> dict[str, Any]:
    """Errors, first layer, epochs, seconds, device, seed and recipe of a published network."""
    trained, n = study.network(name), len(study.validation_images)
    numbers: dict[str, Any] = {"n": n, "resampled": "validation images"}
    for crops in (1, 10):
        scores = study.scores(name, crops=crops)
        for top in (1, 5):
            wrong = intervals.proportion_interval(int(scores.wrong(top).sum()), n, resampled="images")
            ends = {key: round(getattr(wrong, key), 4) for key in ("estimate", "low", "high")}
            numbers[f"top-{top} error, {crops} crop{'s' * (crops > 1)}"] = ends
    with torch.no_grad():
        share, _, _ = high_share_over_noise(trained.model.conv1.weight)
    numbers["layer-1 energy above 0.3 cycles/pixel, of noise's"] = round(share.estimate, 4)
    record = {key: trained.record[key] for key in ("epochs", "seconds", "device", "precision", "versions")}
    return numbers | record | {key: trained.record["identity"][key] for key in ("seed", "recipe")}
