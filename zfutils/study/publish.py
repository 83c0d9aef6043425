"""The published run: trained networks small enough to be committed, and the numbers they gave.

The last weights of each network are kept whole, in half precision; earlier snapshots of the main network keep
their convolutions, which is what pictures of features need.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from zfutils.nets.filters import filter_table, layer_high_share
from zfutils.runtime.files import write_json
from zfutils.stats import intervals
from zfutils.study import records
from zfutils.study.places import REFERENCE
from zfutils.study.study import Study
from zfutils.training.checkpoints import Trained, save_tensors

LARGEST = 25_000_000  # bytes, all published networks together
SNAPSHOTS = (
    1,
    2,
    5,
    10,
    20,
    30,
)  # of the main network, besides its last; the paper's Fig. 4 has 40 and 64 too


def publish_network(trained: Trained, folder: Path, *, snapshots: Sequence[int] = ()) -> None:
    """Write a trained network as a published one.

    Args:
        trained: the network.
        folder: where; one that is there is replaced.
        snapshots: epochs whose convolutions are kept too, where there are such.
    """
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    last = trained.record["epochs"]
    for epoch in sorted({*snapshots, last} & set(trained.snapshots)):
        name = f"epoch-{epoch:04d}.safetensors"
        weights = load_file(trained.folder / name)
        kept = {n: w.half() for n, w in weights.items() if epoch == last or n.startswith("conv")}
        save_tensors(kept, beside / name)
    write_json(trained.record, beside / "network.json")
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def publish(study: Study, main: str = "zfnet") -> None:
    """Publish what an edition trained and measured, in `book/reference/`.

    Networks that are already published are left as they are; the numbers are those of the pages that were
    executed last.

    Raises:
        ValueError: the networks together are larger than what is committed.
    """
    folder = REFERENCE / "networks"
    for name in ("zfnet", "krizhevsky"):
        trained = study.network(name)
        if folder not in trained.folder.parents:
            publish_network(trained, folder / f"{name}-0", snapshots=SNAPSHOTS if name == main else ())
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    if size > LARGEST:
        raise ValueError(f"the published networks take {size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f} MB")
    networks = {name: _numbers(study, name) for name in ("zfnet", "krizhevsky")}
    data = {"edition": study.edition, "networks": networks, "claims": records.read(study.claims_folder)}
    path = REFERENCE / f"{study.edition}.json"
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


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
        share = layer_high_share(filter_table(trained.model.conv1.weight), padded=False)
    numbers["layer-1 energy above 0.3 cycles/pixel"] = round(share.estimate, 4)
    record = {key: trained.record[key] for key in ("epochs", "seconds", "device", "precision", "versions")}
    return numbers | record | {key: trained.record["identity"][key] for key in ("seed", "recipe")}
