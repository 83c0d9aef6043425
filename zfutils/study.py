"""One edition of the study, opened: its images, its trained networks, its claims and where results go.

The only module that knows where things lie. A network is loaded if it is there and the same (spec, seed,
recipe, images), from the reference networks of the published run or from the build folder, and is trained
on the spot otherwise, by whichever notebook asks first.
"""

import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from joblib import cpu_count

from zfutils import checkpoints, claims, training
from zfutils.checkpoints import Trained
from zfutils.devices import device_name, keep_memory
from zfutils.evaluation import Scores, evaluate
from zfutils.images import ImageSource, photos, pixels
from zfutils.images.parts import PartsImages
from zfutils.images.pixels import Pixels
from zfutils.networks import NETWORKS, NetworkSpec, wide
from zfutils.profiles import Profile, Run
from zfutils.statistics import Interval

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
REFERENCE = BOOK / "reference"


def build_folder() -> Path:
    """Where everything generated lies: `ZFUTILS_BUILD`, or `_build/` of the working copy."""
    return Path(os.environ.get("ZFUTILS_BUILD") or ROOT / "_build").resolve()


@dataclass(frozen=True)
class Study:
    """One edition. Open it with `Study.open("quick")`; everything else follows from it."""

    profile: Profile
    folder: Path
    fresh: bool = False

    @classmethod
    def open(cls, edition: str = "quick") -> "Study":
        """The edition in `book/profiles/<edition>.yaml`.

        `FRESH=1` in the environment leaves the published reference networks aside.

        Raises:
            FileNotFoundError: there is no such edition; names those there are.
            ValueError: its file is not valid; names each key.
        """
        profile = Profile.load(BOOK / "profiles" / f"{edition}.yaml")
        keep_memory()
        return cls(profile, build_folder() / edition, os.environ.get("FRESH") == "1")

    @property
    def edition(self) -> str:
        """The edition's name."""
        return self.profile.name

    # ---- images

    def source(self, split: Literal["train", "validation"], *, size: int | None = None) -> ImageSource:
        """Where a split's images come from, one by one.

        Args:
            split: which.
            size: side of the images (pixels); parts show as much more of the world as they are larger than
                the edition's.
        """
        images = self.profile.images
        if images.source == "parts":
            n = {"train": images.train, "validation": images.validation}[split]
            size = size or images.size
            field = size / images.crop  # a crop shows as much as a picture of its size would
            return PartsImages(split, n=n, size=size, seed=images.seed, field=field)
        if images.download:
            photos.fetch_missing(images.sets)
        part: photos.Split = "train" if split == "train" else "val"
        limit = images.per_class if split == "train" else None
        return photos.folders(images.sets, part, size=size or images.size, per_class=limit)

    @cached_property
    def train_images(self) -> Pixels:
        """The training images; built where they are not there yet."""
        return pixels.build(self.source("train"), self.folder / "pixels" / "train")

    @cached_property
    def validation_images(self) -> Pixels:
        """The reported images, never trained on and never chosen by, centred as the training images."""
        store = pixels.build(self.source("validation"), self.folder / "pixels" / "validation")
        return store.centred_as(self.train_images)

    @cached_property
    def searched_images(self) -> Pixels:
        """The validation images in which the strongest activations of the convolutions are searched.

        A window of layer 5 is larger than what a network is trained on, so parts are drawn again at the same
        pixel scale with more of the world around them; photographs are taken as they are stored. Centred as
        the training images, whose mean goes on beyond their border as it is there.
        """
        images = self.profile.images
        if images.search is None:
            return self.validation_images
        source = self.source("validation", size=images.search)
        store = pixels.build(source, self.folder / "pixels" / "searched")
        return store.centred_as(self.train_images, beyond=True)

    def prepare(self) -> None:
        """Build the pixels of every split."""
        for images in (self.train_images, self.validation_images, self.searched_images):
            print(f"{len(images):,} images of {len(images.classes)} classes, {images.size} px")

    # ---- networks

    def _run(self, name: str) -> Run:
        if name not in self.profile.networks:
            there = ", ".join(self.profile.networks)
            raise ValueError(f"the edition {self.edition} has no network {name!r}; it has {there}")
        return self.profile.networks[name]

    def spec(self, name: str) -> NetworkSpec:
        """A network of the edition, as data: at its width, image size and number of classes."""
        run = self._run(name)
        size = run.network or self.profile.network
        base = NETWORKS[run.base](len(self.train_images.classes), self.profile.images.crop)
        spec = base.scaled(size.width, fc_width=size.fc_width)
        return replace(wide(spec) if run.wide else spec, norm_alpha=run.training.norm_alpha)

    def _wanted(self, name: str, seed: int) -> dict[str, Any]:
        return checkpoints.identity(self.spec(name), self._run(name).training, self.train_images, seed)

    def _network_folder(self, name: str, seed: int) -> Path:
        digest = blake2b(json.dumps(self._wanted(name, seed)).encode(), digest_size=4).hexdigest()
        return self.folder / "networks" / f"{name}-{seed}-{digest}"

    def _there(self, name: str, seed: int) -> Path | None:
        """The folder of a finished network that is the one asked for."""
        reference = REFERENCE / "networks" / f"{name}-{seed}"
        if not self.fresh and (reference / "network.json").is_file():
            found = json.loads((reference / "network.json").read_text())["identity"]
            if checkpoints.same_network(found, self._wanted(name, seed)):
                return reference
        own = self._network_folder(name, seed)
        return own if (own / "network.json").is_file() else None

    def network(self, name: str, seed: int = 0) -> Trained:
        """A trained network: loaded, or trained now under a lock, with all cores.

        Args:
            name: one of the edition's `networks`.
            seed: of weights, order, crops and dropout.

        Raises:
            ValueError: the edition has no such network; names those it has.
        """
        there = self._there(name, seed)
        if there is not None:
            return checkpoints.load(there)
        folder = self._network_folder(name, seed)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if self._there(name, seed) is None:
                run = self._run(name)
                training.train(
                    self.spec(name),
                    self.train_images,
                    run.training,
                    folder,
                    seed=seed,
                    paper=NETWORKS[run.base](),
                    label=f"{name} seed {seed}",
                )
        return checkpoints.load(folder)

    def trained(self) -> list[Trained]:
        """Every network of the edition that is there, with every seed, the published one's first."""
        folders = [
            *(REFERENCE / "networks").glob("*/network.json"),
            *self.folder.glob("networks/*/network.json"),
        ]
        wanted = {self._there(n, s) for n in self.profile.networks for s in self.profile.networks[n].seeds}
        return [checkpoints.load(f.parent) for f in sorted(folders) if f.parent in wanted]

    def train(self, names: Iterable[str], seeds: Iterable[int] | None = None) -> None:
        """Train the networks that are not there yet, side by side on a CPU, one thread each.

        Args:
            names: of the edition's `networks`.
            seeds: each network is trained from each; by default from its own in the edition.
        """
        chosen = None if seeds is None else tuple(seeds)
        wanted = [(n, s) for n in names for s in (self._run(n).seeds if chosen is None else chosen)]
        missing = [job for job in wanted if self._there(*job) is None]
        if torch.cuda.is_available() or len(missing) == 1:
            for name, seed in missing:
                self.network(name, seed)
        elif missing:
            longest_first = sorted(missing, key=lambda job: -self._work(job[0]))
            # Not joblib's pool, which replaces a worker whose memory grows, as a training's does.
            workers = min(cpu_count(), len(missing))
            one_thread = partial(torch.set_num_threads, 1)
            with ProcessPoolExecutor(workers, get_context("spawn"), one_thread) as pool:
                jobs = [pool.submit(_train_one, self.edition, *job) for job in longest_first]
                for job in jobs:
                    job.result()

    def _work(self, name: str) -> int:
        return self.spec(name).multiply_adds * self._run(name).training.epochs

    def scores(
        self,
        name: str,
        seed: int = 0,
        *,
        crops: Literal[1, 10] = 10,
        split: Literal["validation", "train"] = "validation",
    ) -> Scores:
        """What a network says of a split; computed once and kept.

        Args:
            name, seed: which network.
            crops: the centre crop, or the mean over ten.
        """
        trained = self.network(name, seed)
        kept = (
            self.folder
            / "results"
            / "scores"
            / f"{self._network_folder(name, seed).name}-{split}-{crops}.npz"
        )
        images = self.validation_images if split == "validation" else self.train_images
        wanted = json.dumps([trained.record["seconds"], images.identity])
        if kept.is_file():
            with np.load(kept) as file:
                if str(file["of"]) == wanted:
                    return Scores(file["probabilities"], file["labels"])
        found = evaluate(
            trained.model, images, self._run(name).training, side=trained.spec.image, crops=crops
        )
        kept.parent.mkdir(parents=True, exist_ok=True)
        beside = kept.with_suffix(".new.npz")
        np.savez(beside, probabilities=found.probabilities, labels=found.labels, of=wanted)
        beside.replace(kept)
        return found

    # ---- results

    def browsable(self, name: str) -> Path:
        """A folder for pages that the book hands on as they are; they are linked as `name/…`."""
        return self.folder / "book" / "extra" / name

    @cached_property
    def claims(self) -> dict[str, claims.Claim]:
        """The registered claims of all chapters, by id."""
        return claims.load(BOOK / "claims.yaml")

    def record(
        self,
        claim: str,
        interval: Interval | None,
        *,
        n: int | None = None,
        p: float | None = None,
        detectable: float | None = None,
        seconds: float,
        seed: int = 0,
        **context: Any,
    ) -> None:
        """Keep what this edition measured for a claim, with the verdict of the rule registered before.

        Args:
            claim: id of a registered claim.
            interval: estimate and 95 % interval, in the claim's unit; None where nothing could be measured.
            n: how many were measured, where it is not the interval's.
            p, detectable: where the claim's rule asks for them.
            seconds: what the measurement took.
            context: controls and whatever else the number needs beside it; plain data.

        Raises:
            ValueError: no such claim is registered.
        """
        if claim not in self.claims:
            raise ValueError(
                f"no claim {claim!r} is registered in claims.yaml; there are {', '.join(self.claims)}"
            )
        registered = self.claims[claim]
        ends = (interval.estimate, interval.low, interval.high) if interval else (None, None, None)
        count = n if n is not None else (interval.n if interval else 0)
        measured = claims.Measurement(*ends, n=count, edition=self.edition, p=p, detectable=detectable)
        verdict = registered.verdict(measured)
        row = {
            "claim": claim,
            "chapter": registered.chapter,
            "edition": self.edition,
            **dict(zip(("estimate", "low", "high"), ends, strict=True)),
            "n": count,
            "p": p,
            "detectable": detectable,
            "verdict": str(verdict),
            "resampled": interval.resampled if interval else None,
            "seed": seed,
            "device": device_name(),
            "seconds": round(seconds, 2),
            "at": time.strftime("%Y-%m-%d", time.gmtime()),
            "context": context,
        }
        folder = self.folder / "results" / "claims"
        folder.mkdir(parents=True, exist_ok=True)
        checkpoints.write_json(row, folder / f"{claim}.json")

    def records(self, chapters: Iterable[int] | None = None) -> pd.DataFrame:
        """One row for every claim: what this run and the published run measured.

        Args:
            chapters: which; default all that are registered.

        Raises:
            ValueError: a chapter that stands in the book left out one of its claims; names them.
        """
        chosen = set(range(1, 10) if chapters is None else chapters)
        this = _by_claim(
            json.loads(p.read_text()) for p in (self.folder / "results" / "claims").glob("*.json")
        )
        published = _by_claim(published_run().get("claims", []))
        wanted = [claim for claim in self.claims.values() if claim.chapter in chosen]
        written = {int(path.name[:2]) for path in BOOK.glob("[0-9][0-9]_*.ipynb")}
        lacking = [claim.id for claim in wanted if claim.chapter in written and claim.id not in this]
        if lacking:
            raise ValueError(f"claims without a record: {', '.join(lacking)}")
        rows = []
        for claim in wanted:
            row: dict[str, Any] = {"claim": claim.id, "chapter": claim.chapter, "kind": claim.kind}
            for run, found in (("this", this), ("published", published)):
                measured = found.get(claim.id, {})
                row |= {f"{run}_{k}": measured.get(k) for k in ("estimate", "low", "high", "n", "verdict")}
            rows.append(row)
        return pd.DataFrame(rows).replace({None: np.nan})


def published_run() -> dict[str, Any]:
    """The numbers of the published run on photographs; empty where there is none."""
    path = REFERENCE / "photos.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def _by_claim(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["claim"]: row for row in rows}


def _train_one(edition: str, name: str, seed: int) -> None:
    Study.open(edition).network(name, seed)
