"""Figures of the published run that hold no photograph, kept so that every edition's pages can show them.

Photographs must not be handed on, but projections, maps and curves may. A page of the published edition keeps
such a figure; it is published into `book/reference/figures/`, and the same page of any edition shows it.
"""

import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from zfutils.runtime.files import whole
from zfutils.study.display import Paragraph, Said
from zfutils.study.places import REFERENCE
from zfutils.study.records import commit
from zfutils.study.study import Study

FOLDER = REFERENCE / "figures"
LARGEST = 15_000_000  # bytes, all of them together
COLOURS = 256
SAME = " This page is of the published edition itself, so it shows the same results as the figure further up."


def keep(
    study: Study,
    name: str,
    figure: Figure,
    *,
    n: int,
    of: str,
    seeds: Collection[int] | None = None,
    sets: Sequence[str] | None = None,
) -> Figure:
    """Keep a figure of this page with what it was made of, and hand it on to be shown.

    Of a trial and of an edition that is drawn nothing is kept.

    Args:
        study: the edition, opened by a page.
        name: of the figure, once on its page.
        figure: one that holds no photograph and no patch of one.
        n: how many things it was made from.
        of: what these are, "validation photographs" say.
        seeds: that networks were trained from; default several, where `of` is "networks".
        sets: which data sets it is of; default those of the edition's main networks.
    """
    if not study.official or study.profile.images.source != "photos":
        return figure
    page = BytesIO()
    figure.savefig(page, format="png")
    colours = Image.open(page).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    about = {
        "edition": study.edition,
        "sets": list(study.profile.images.sets if sets is None else sets),
        "n": n,
        "of": of,
        "seed": study.parameters.seed,
        "commit": commit(),
    }
    if seeds is not None:
        about["seeds"] = sorted(seeds)
    path = _own(study) / f"{study.page}-{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as beside:
        colours.save(beside, format="png", optimize=True)
    with whole(path.with_suffix(".json")) as beside:
        beside.write_text(json.dumps(about, indent=1) + "\n")
    return figure


def publish(study: Study) -> list[Path]:
    """Publish the figures that an edition's pages kept; those of other pages stay.

    Returns:
        What was written.

    Raises:
        ValueError: a figure of a working copy that is no commit; figures that together are too large.
    """
    kept = sorted(_own(study).glob("*.png"))
    for path in kept:
        made = str(_about(path)["commit"])
        if made == "None" or made.endswith("+"):
            raise ValueError(f"{path.name} comes from a working copy that is no commit ({made})")
    there = {path.name: path for path in [*FOLDER.glob("*.png"), *kept]}
    size = sum(path.stat().st_size for path in there.values())
    if size > LARGEST:
        raise ValueError(f"the published figures take {size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f} MB")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in kept:
        for one in (path, path.with_suffix(".json")):
            with whole(FOLDER / one.name) as beside:
                shutil.copyfile(one, beside)
    return [FOLDER / path.name for path in kept]


@dataclass(frozen=True)
class Shown:
    """A published figure, as a notebook shows it."""

    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png


def shown(page: str, name: str) -> Shown | None:
    """A published figure; nothing where there is none yet, so that no caption stands alone."""
    path = FOLDER / f"{page}-{name}.png"
    return Shown(path.read_bytes()) if path.is_file() else None


def introduced(page: str, name: str, edition: str, words: str) -> Paragraph | Said:
    """What a page says before a figure that need not be published yet.

    Args:
        page, name, edition: as for `origin`.
        words: Markdown, which may refer to the figure.
    """
    if origin(page, name, edition):
        return Paragraph(words)
    return Said("The published run has no such figure yet; `make book EDITION=photos` draws it.")


def origin(page: str, name: str, edition: str) -> str:
    """Where a published figure comes from, in words: sets, number, seed; nothing where there is none.

    Args:
        page, name: of the figure.
        edition: that the page is of, which may be the published figure's own.
    """
    path = FOLDER / f"{page}-{name}.png"
    if not path.is_file():
        return ""
    about = _about(path)
    seeds = about.get("seeds", [] if about["of"] == "networks" else [about["seed"]])
    seed = f"seed {seeds[0]}" if len(seeds) == 1 else "of several seeds"
    said = f"Made from: {' and '.join(about['sets'])}, {about['n']:,} {about['of']}, {seed}."
    return said + SAME * (about["edition"] == edition)


def _own(study: Study) -> Path:
    return study.folder / "results" / "figures"


def _about(path: Path) -> dict[str, Any]:
    return json.loads(path.with_suffix(".json").read_text())
