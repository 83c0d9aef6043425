"""An edition on a folder of one's own pictures: what is in it, and settings that are light to run."""

import json
from pathlib import Path

from zfutils.data.photos import FileImages, folders
from zfutils.runtime.folders import absolute, data_folder
from zfutils.study.profile import Profile

BUDGET = 80_000  # pictures that the main network sees in training; more take proportionally longer
EPOCHS = 5, 40  # at least, at most; a short training has a tenth of them
SNAPSHOTS = 0, 1, 2, 3, 5, 8, 12, 20, 30  # those before the last epoch

FILE = """\
about: {about}
extends: photos

images:
{place}  sets: [{folder}]
  size: 144
  crop: 128
  download: false

# A light budget: one seed, four rows of Table 3, no sweep. What is worth raising first is marked.
network: {{width: 0.25, fc_width: 0.25, dropout: 0.2}} # raise: width 0.5, as in the edition photos
training:
  epochs: {epochs} # raise: to 60, which ends most trainings
  batch: 32
  snapshots: {snapshots} # and the last
networks:
  evolution:
    seeds: [0]
    trained: [0]
    training: &light {{epochs: {epochs}, snapshots: {snapshots}, may_die: true}}
  zfnet: {{seeds: [0], training: *light}} # raise: seeds [0, 1]
  krizhevsky: {{training: *light}}
  trial-recipe: {{training: &short {{epochs: {short}}}}}
  trial-he: {{training: *short}}
  trial-literal: {{training: *short}}
  trial-paper-scale: {{training: *short}}
  trial-no-radius: {{training: *short}}

small:
  images: {{sets: [{folder}], classes: null, per_class: null, size: 72, crop: 64}}
  network: {{width: 0.125, fc_width: 0.05, dropout: 0.2}}
  seeds: [0]
  seeds_of: null
  trained: # raise: further rows
    networks:
      - "krizhevsky: none"
      - "krizhevsky: without layers 3, 4"
      - "krizhevsky: without layers 6, 7"
      - "zfnet: none"
    seeds: [0]
  training: {{epochs: {epochs}, batch: 32, may_die: true}}
  depth: null
  faults: null

transfer: null
digits:
  images: {{source: digits, download: false}}
"""


def new(name: str, images: Path, profiles: Path) -> Path:
    """Write the file of an edition on a folder of pictures, and say what is in the folder.

    Args:
        name: of the edition.
        images: the folder, with `train/` and `val/` or with classes alone.
        profiles: where editions' files lie.

    Returns:
        The file.

    Raises:
        ValueError: the edition is there already, its name is no file's, or there are fewer than two classes.
        MissingData: the folder is not laid out so.
    """
    path = profiles / f"{name}.yaml"
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"{name!r} cannot be an edition's name: letters, digits, - and _ can")
    if path.exists():
        raise ValueError(f"there is an edition {name!r} already; remove {path} or choose another name")
    images = absolute(images)
    splits = {part: folders([images.name], part, size=8, root=images.parent) for part in ("train", "val")}
    train = splits["train"]
    if len(train.classes) < 2:
        raise ValueError(f"{images} has one class, {train.classes[0]}; a network needs two to tell apart")
    _print_counts(splits)
    least, most = EPOCHS
    epochs = min(max(BUDGET // len(train), least), most)
    own_place = images.parent != data_folder()
    pictures = sum(map(len, splits.values()))
    text = FILE.format(  # JSON's strings are YAML's
        about=json.dumps(f"{images.name}: {pictures:,} pictures of {len(train.classes)} classes"),
        folder=json.dumps(images.name),
        place=f"  folder: {json.dumps(str(images.parent))}\n" if own_place else "",
        epochs=epochs,
        snapshots=[epoch for epoch in SNAPSHOTS if epoch < epochs],
        short=max(epochs // 10, 1),
    )
    path.write_text(text, encoding="utf-8")
    try:
        Profile.load(path)
    except ValueError:
        path.unlink()
        raise
    return path


def _print_counts(splits: dict[str, FileImages]) -> None:
    """A line for each class, with its pictures of either split."""
    classes = splits["train"].classes
    width = max(map(len, classes))
    print(f"{'class':{width}}  train    val")
    for label, kind in enumerate(classes):
        train, val = (int((split.labels == label).sum()) for split in splits.values())
        print(f"{kind:{width}}  {train:5,}  {val:5,}")
    passed = {ending for split in splits.values() for ending in split.passed_over}
    if passed:
        print(f"passed over because of their ending: {', '.join(sorted(passed))}")
