"""Pictures of chapter 9's target that the source has too, kept beside the network that learned from it.

To look for them asks for every picture of the source, and to draw 13,000 scenes takes longer than the rest of
the chapter.
"""

import json
from typing import Any

import pandas as pd

from zfutils.data.pixels import Pixels
from zfutils.experiments.transfer.near_duplicates import COLUMNS, SIDE, THRESHOLD, near_duplicates
from zfutils.runtime.files import write_json
from zfutils.study.networks import Networks
from zfutils.study.published_sets import learned_from

FILE = "near-duplicates.json"


def copies(study: Networks) -> tuple[pd.DataFrame, bool]:
    """The target's pictures that the source has too, up to what `near_duplicates` takes for the same.

    Args:
        study: as `Networks.transferred` gives it.

    Returns:
        Them, as `near_duplicates` gives them; and whether that is kept of a published network, so that the
        source was not built for it (`FRESH=1` leaves it aside).
    """
    for folder in () if study.fresh else learned_from(study.train_store.identity):
        record = json.loads((folder / FILE).read_text()) if (folder / FILE).is_file() else {}
        found = record.pop("found", None)
        if record == _compared(study.target):
            return pd.DataFrame(found, columns=list(COLUMNS)), True
    return near_duplicates(study.train_images, study.target), False


def publish(study: Networks) -> None:
    """Keep them beside every published network that learned from the source.

    Args:
        study: as `Networks.transferred` gives it.
    """
    found = near_duplicates(study.train_images, study.target).to_dict("records")
    for folder in learned_from(study.train_store.identity):
        write_json(_compared(study.target) | {"found": found}, folder / FILE)


def _compared(target: Pixels) -> dict[str, Any]:
    """All that the near-duplicates depend on besides the source."""
    return {"target": target.identity, "threshold": THRESHOLD, "side": SIDE}
