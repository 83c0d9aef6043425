"""How the book was made: images, networks, scores, pages, versions; read from what they left behind."""

import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from zfutils.data.listings import counted
from zfutils.stats.formatting import percent
from zfutils.study.earn import chosen
from zfutils.study.places import REFERENCE
from zfutils.study.study import Study
from zfutils.training.outcomes import NOT_RUN, origin


def images_table(study: Study) -> pd.DataFrame:
    """The splits of the edition: how many images, of which size, and what was set aside."""
    rows = []
    for split, images in (("training", study.train_images), ("validation", study.validation_images)):
        row: dict[str, Any] = {
            "split": split,
            "images": f"{len(images):,}",
            "categories": len(images.classes),
        }
        row |= {"stored (px)": images.size, "seen (px)": study.profile.images.crop}
        row["same bytes, two classes"] = ", ".join(n for n in images.left_out if _of(n, split)) or "none"
        bad = images.undecodable
        row["could not be decoded"] = f"{len(bad)}: {'; '.join(bad)}" if bad else "none"
        rows.append(row | {"skipped, by the file's ending": counted(images.passed_over) or "none"})
    return pd.DataFrame(rows)


def _of(name: str, split: str) -> bool:
    """Whether a file is of a split, or of a set without splits of its own."""
    return name.split("/")[1] != {"training": "val", "validation": "train"}[split]


def networks_table(study: Study) -> pd.DataFrame:
    """The trained networks of the edition: by which recipe, where, and for how long.

    They are its main networks and trials, the one whose features chapter 9 tries elsewhere, and LeNet's.
    """
    rows, studies = [], [study]
    if study.profile.transfer and study.profile.small:
        studies.append(study.transferred)
    if study.profile.digits:
        studies.append(study.digits)
    for trained in itertools.chain.from_iterable(one.trained() for one in studies):
        record = trained.record
        last = trained.history.iloc[-1]
        rows.append(
            {
                "network": trained.folder.name.rsplit("-", 1)[0],
                "recipe": record["identity"]["recipe"],
                "epochs": record["epochs"],
                "held-out error": percent(last["held_out_error"], digits=1),
                **_made(record),
                "from": "the published run" if REFERENCE in trained.folder.parents else "this build",
            }
        )
    return pd.DataFrame(rows)


def scores_table(study: Study) -> pd.DataFrame:
    """The outcomes that stand in the book, one row for each network: made here, or published and kept."""
    rows = []
    for wanted in chosen(study):
        if (outcome := wanted.outcome()) is None:
            continue
        answers, made = outcome.answers[min(outcome.answers)], outcome.made
        rows.append(
            {
                "network": wanted.name,
                "seed": wanted.seed,
                "recipe": outcome.identity["recipe"],
                "epochs": made["epochs"],
                "ended": outcome.ended.why,
                "training error": percent(outcome.training_error, digits=1),
                "error": percent(answers.error(), digits=1),
                **_made(made),
                "scores": origin([outcome.published]),
            }
        )
    return pd.DataFrame(rows or [{"scores": NOT_RUN}])


def _made(record: Mapping[str, Any]) -> dict[str, str]:
    """How long a training took and on what; of a GPU without the size and the kind of its memory."""
    made = {"seconds": f"{record['seconds']:,.0f}", "device": re.sub(r" \d+ ?GB\b.*", "", record["device"])}
    return made | {"precision": record["precision"], "torch": record["versions"]["torch"]}


def pages_table(study: Study) -> pd.DataFrame:
    """The executed pages: which edition, how long, on which platform."""
    rows = []
    for metadata, name in _executed(study):
        row = {"page": name, "edition": metadata["parameters"].get("edition", study.edition)}
        rows.append(row | {"seconds": f"{metadata['seconds']:,.0f}", "platform": metadata["platform"]})
    return pd.DataFrame(rows, columns=["page", "edition", "seconds", "platform"])


def versions_table(study: Study) -> pd.DataFrame:
    """Versions of Python and of every library that the pages ran with."""
    found = {(k, v) for metadata, _ in _executed(study) for k, v in metadata["versions"].items()}
    return pd.DataFrame(sorted(found), columns=["library", "version"])


def _executed(study: Study) -> list[tuple[dict[str, Any], str]]:
    """What papermill left in each executed page: our metadata and the page's name."""
    found = []
    for page in sorted((study.folder / "book").glob("*.ipynb")):
        metadata = json.loads(page.read_text())["metadata"]
        if "zfutils" in metadata and ".failed" not in page.name:
            found.append((metadata["zfutils"], page.stem))
    return found
