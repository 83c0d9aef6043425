"""Chapters that do not apply to an edition: their page says why, and their claims are not judged.

Nothing is judged on pictures that no network of the edition saw, and no target is looked for that the edition
does not name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zfutils.study.editions import read

DOGS = "imagewoof2-160"  # the photographs whose faces are marked
NO_FACES = "it has neither the marked faces of dogs nor drawn animals, and no network of it saw such faces"


def reason(page: str, profile: Path) -> str | None:
    """Why a page does not apply to an edition; None where it does.

    Args:
        page: its notebook's name.
        profile: the edition's file.
    """
    if page not in ("07_correspondence", "09_transfer"):
        return None
    data = read(profile)
    if page == "09_transfer" and (data.get("transfer") is None or data.get("small") is None):
        return "it names no set to transfer to"
    images = data.get("images") or {}
    faceless = images.get("source") == "photos" and DOGS not in images.get("sets", ())
    if page == "07_correspondence" and faceless:
        return NO_FACES
    return None


def leave_out(page: Path, output: Path, why: str, parameters: Mapping[str, Any]) -> None:
    """Write the page that says so, and the records of the chapter's claims.

    Args:
        page: the source notebook.
        output: its executed copy.
        why: as `reason` gives it.
        parameters: the edition's name, and the page's own.
    """
    from zfutils.runtime import notebooks
    from zfutils.study import claims
    from zfutils.study.study import Study

    given = {name: value for name, value in parameters.items() if name != "edition"}
    edition = parameters["edition"]
    study = Study.open(edition, page.stem, **given)
    for claim in claims.standing(study.claims).values():
        if claim.chapter == int(page.stem[:2]):
            with study.claim(claim.id) as record:
                record.measured(None, otherwise=f"the edition leaves this chapter out: {why}")
    notebooks.write_sentence(
        page, output, f"The edition *{edition}* leaves this chapter out: {why}.", parameters
    )
