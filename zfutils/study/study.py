"""One edition of the study, opened: its images, its trained networks, its claims and where results go.

A page opens it with its parameters; what the page then measures for a registered claim is recorded with them.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import pandas as pd

from zfutils.nets.zoo import NETWORKS
from zfutils.runtime.devices import device_name
from zfutils.runtime.parallel import take_share
from zfutils.stats.formatting import duration
from zfutils.study import claims, claims_file, records
from zfutils.study.display import Paragraph, Said, code
from zfutils.study.networks import Networks
from zfutils.study.parameters import Page, read
from zfutils.study.places import BOOK, REFERENCE
from zfutils.study.records import Recording, Timed


@dataclass(frozen=True)
class Study(Networks):
    """One edition of the study, opened with `Study.open("quick")`; everything else follows from it.

    A page of the book opens it with its name and parameters, which are checked, and by which its records are
    official or a trial's.
    """

    page: str | None = None
    parameters: Page | None = None
    opened: float = field(default_factory=time.perf_counter, compare=False)  # when (s of that clock)

    @classmethod
    def open(cls, edition: str = "quick", page: str | None = None, **given: Any) -> Self:
        """The edition in `book/profiles/<edition>.yaml`, for a page or for no page.

        `FRESH=1` in the environment leaves published networks and kept scores aside.

        Args:
            edition: its name.
            page: "06_occlusion", say.
            given: the page's parameters; those that are left out have their default.

        Raises:
            FileNotFoundError: there is no such edition; names those there are.
            ValueError: its file is not valid, or a parameter is unknown or out of range; names what is
                allowed.
        """
        study = super().open(edition)
        take_share()
        if page is None:
            if given:
                raise ValueError(f"parameters ({', '.join(given)}) belong to a page; name it")
            return study
        layers = tuple(f"relu{layer[-1]}" for layer in NETWORKS["zfnet"]().layers[:-1])
        parameters = read(page, given, layers=layers, side=study.profile.images.crop)
        return replace(study, page=page, parameters=parameters)

    # ---- results

    def browsable(self, name: str) -> Path:
        """A folder for pages that the book hands on as they are, linked as `name/…`; a trial has its own."""
        if self.official:
            return self.folder / "book" / "extra" / name
        return self.claims_folder.with_name(name)

    @cached_property
    def claims(self) -> dict[str, claims.Claim]:
        """The registered claims of all chapters, by id."""
        return claims_file.load(BOOK / "claims.yaml")

    @property
    def claims_folder(self) -> Path:
        """Where the records of claims lie: the edition's, or those of a trial with its parameters."""
        results = self.folder / "results"
        if self.official:
            return results / "claims"
        text = json.dumps([self.page, self.parameters.model_dump()])
        digest = blake2b(text.encode(), digest_size=4).hexdigest()
        return results / "trials" / f"{self.page}-{digest}" / "claims"

    def claim(self, claim: str, *, after: Timed | Iterable[Timed] = ()) -> Recording:
        """Measure a registered claim and keep what came out, with the verdict of its rule::

            with study.claim("occlusion-points-at-an-object-off-centre", after=occluding) as claim:
                claim.measured(interval, arms=(own, others), conditions={"ended": 1})

        The record knows the page's parameters and seed, the device and the seconds. It is official when the
        page runs with its default parameters, and lies apart otherwise.

        Args:
            claim: id of a registered claim.
            after: work whose seconds count too: stopwatches, trained networks.

        Raises:
            ValueError: no such claim is registered, it is planned or was superseded, or the study was opened
                without its page.
        """
        if claim not in self.claims:
            raise ValueError(
                f"no claim {claim!r} is registered in claims.yaml; there are {', '.join(self.claims)}"
            )
        if claim not in claims.standing(self.claims):
            registered = self.claims[claim]
            later = (
                f"superseded by {', '.join(registered.superseded.by)}" if registered.superseded else "planned"
            )
            raise ValueError(f"{claim!r} is {later} in claims.yaml, and no page measures it")
        if self.parameters is None:
            raise ValueError(
                'claims are recorded by a page: open the study as Study.open(edition, "06_occlusion")'
            )
        work = tuple(after) if isinstance(after, Iterable) else (after,)
        how = device_name(self.device), dict(self.parameters), self.official
        return Recording(self.claims[claim], self.claims_folder, self.edition, *how, work)

    @property
    def official(self) -> bool:
        """Whether the page runs with its default parameters, so that its records are the edition's."""
        return self.parameters is None or self.parameters == type(self.parameters)()

    def note(self) -> Paragraph | None:
        """What a page says at its top where its records are kept apart; nothing where they are official."""
        if self.official:
            return None
        changed = self.parameters.model_dump(exclude_defaults=True)
        words = ", ".join(code(f"{name} = {value!r}") for name, value in changed.items())
        return Said(
            f"This is a trial with {words}. Its records are kept apart; the scoreboard does not show them."
        )

    def took(self, **timed: Timed) -> Paragraph:
        """What a page says at its end: how long it has taken, and how much of that for which of its parts.

        Args:
            timed: work of the page, by a name that can follow "seconds for", with _ for a space.
        """
        whole = duration(time.perf_counter() - self.opened)
        of_it = [
            f"{duration(one.seconds)} for {name.replace('_', ' ')}"
            for name, one in timed.items()
            if one.seconds >= 0.5  # less is no part of the page's time
        ]
        parts = f", of which {', '.join(of_it)}" if of_it else ""
        return Paragraph(
            f"This run of the page took {whole}{parts} ({device_name(self.device)}). Networks that "
            "were there before are not counted; {doc}`provenance` has the seconds of each training."
        )

    @cached_property
    def published_records(self) -> list[dict[str, Any]]:
        """The records of the published run, those of superseded claims among them; none if there is none."""
        path = REFERENCE / "photos.json"
        return json.loads(path.read_text())["claims"] if path.is_file() else []

    def records(self, chapters: Iterable[int] | None = None) -> pd.DataFrame:
        """One row for every standing claim: what this run and the published run measured.

        Args:
            chapters: which; default all that are registered.

        Raises:
            ValueError: a chapter that stands in the book left out one of its claims; names them.
        """
        chosen = {claim.chapter for claim in self.claims.values()} if chapters is None else set(chapters)
        return records.side_by_side(
            (claim for claim in claims.standing(self.claims).values() if claim.chapter in chosen),
            this=records.read(self.claims_folder),
            published=self.published_records,
            written={int(path.name[:2]) for path in BOOK.glob("[0-9][0-9]_*.ipynb")},
        )
