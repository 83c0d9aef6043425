"""One edition's images: where they come from, and their stores in the build folder."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float, Int8, Int64
from torch import Tensor

from zfutils.data import ImageSource, downloads, photos, stores, tiny_imagenet, transfer_sets
from zfutils.data.cued_photographs import CuedPhotographs, photograph
from zfutils.data.digits import Digits, MarkedDigits
from zfutils.data.inputs import Inputs
from zfutils.data.part_masks import object_masks
from zfutils.data.parts import PartsImages, categories
from zfutils.data.parts.cued import CuedParts
from zfutils.data.parts.pairs import PairedParts
from zfutils.data.parts.several import SeveralParts
from zfutils.data.photos import FileImages
from zfutils.data.pixels import Pixels
from zfutils.data.shuffled import ShuffledLabels
from zfutils.runtime.devices import keep_memory
from zfutils.runtime.folders import absolute, build_folder, data_folder
from zfutils.study.places import BOOK
from zfutils.study.profile import Profile
from zfutils.study.published_sets import published_mean
from zfutils.study.sections import Transfer

TARGET_FOLDERS = {"caltech101": "caltech101", "caltech256": "caltech256", "voc2012": "VOCdevkit/VOC2012"}
SEVERAL = ("held-out", "voc2012")  # targets that have pictures of several objects
PAIRED_SCENES = 504  # multiples of 42 categories; a network tells what is in about a third of them
CUED_SCENES = 400  # of the validation pictures, before their own and before another class's background


class Scenes(NamedTuple):
    """Pictures of several objects, what is in them, and which of them are for training and for the test."""

    images: Pixels
    present: Int8[np.ndarray, "n classes"]  # 1 there, 0 not, -1 difficult: neither trained on nor scored
    train: Int64[np.ndarray, " t"]  # rows
    test: Int64[np.ndarray, " n-t"]


@dataclass(frozen=True)
class Edition:
    """An edition with its images; `Study` adds its networks and results."""

    profile: Profile
    folder: Path
    fresh: bool = False

    @classmethod
    def open(cls, edition: str = "quick") -> Self:
        """The edition in `book/profiles/<edition>.yaml`.

        `FRESH=1` in the environment leaves published networks and kept scores aside.

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

    def changed(self, **sections: Any) -> Self:
        """The same edition with other sections of its profile."""
        return replace(self, profile=self.profile.model_copy(update=sections))

    def source(
        self, split: Literal["train", "validation"], *, size: int | None = None, n: int | None = None
    ) -> ImageSource:
        """Where a split's images come from, one by one.

        Args:
            split: which.
            size: side of the images (pixels); parts show as much more of the world as they are larger than
                the edition's.
            n: how many; default the edition's number. Of photographs as many of each class, the first ones.

        Raises:
            ValueError: photographs that cannot be n, with as many of each class.
        """
        images = self.profile.images
        part: photos.Split = "train" if split == "train" else "val"
        n, size = n or {"train": images.train, "validation": images.validation}[split], size or images.size
        if images.source == "digits":
            return Digits.part(BOOK / "data" / "digits" / "digits.npz", part, n=n, size=size)
        if images.source == "MNIST":
            if images.download:
                downloads.fetch_missing(["MNIST"])
            return Digits.whole(part, n=n, size=size)
        if images.source == "parts":
            field = size / images.crop  # a crop shows as much as a picture of its size would
            return PartsImages(split, n=n, size=size, seed=images.seed, field=field)
        root = data_folder() if images.folder is None else absolute(images.folder)
        if images.download:
            downloads.fetch_missing(images.sets, root)
        limit = images.per_class if split == "train" else None
        which = {"root": root, "per_class": limit, "first_classes": images.classes}
        found = photos.folders(images.sets, part, size=size, **which)
        return (found if n is None else found.first_of_each(n)).fitted(images.fit)

    @cached_property
    def train_store(self) -> stores.Store:
        """The training images, whose classes and identity are known before they are built."""
        return self.drawn()

    @cached_property
    def train_images(self) -> Pixels:
        """The training images; built where they are not there yet."""
        return self.train_store.opened()

    @cached_property
    def train_mean(self) -> Float[Tensor, "size size channels"]:
        """The mean of the training images, in 0…255.

        It is kept with a published network that learned from just these images, which then need not be built
        for it; `FRESH=1` leaves it aside.
        """
        kept = None if self.fresh else published_mean(self.train_store.identity)
        return self.train_images.mean if kept is None else kept

    @cached_property
    def validation_images(self) -> Pixels:
        """The reported images, never trained on and never chosen by, centred as the training images."""
        store = stores.build(self.source("validation"), self.folder / "pixels" / "validation")
        return store.centred_by(self.train_mean)

    def drawn(
        self,
        n: int | None = None,
        *,
        split: Literal["train", "validation"] = "train",
        cued: bool = False,
        exchanged: bool = False,
        shuffled: int | None = None,
    ) -> stores.Store:
        """Another number of pictures, or pictures with a fault, drawn when they are asked for.

        Args:
            n: how many; default the edition's number.
            split: of which; training pictures by default.
            cued: what is around the object gives the class away (`CuedParts`, `CuedPhotographs`,
                `MarkedDigits`).
            exchanged: it points to another class.
            shuffled: labels are shuffled by this seed.

        Raises:
            ValueError: more photographs than there are, or a cue in photographs whose objects have no box.
        """
        source, name = self.source(split, n=n), split if n is None else f"{split}-{n}"
        if cued:
            source, name = self._cued(source, exchanged), f"cued-{name}" + "-exchanged" * exchanged
        if shuffled is not None:
            source, name = ShuffledLabels(source, seed=shuffled), f"{name}-shuffled-{shuffled}"
        return stores.Store(source, self.folder / "pixels" / name)

    def _cued(self, source: ImageSource, exchanged: bool) -> ImageSource:
        if isinstance(source, Digits):
            return MarkedDigits(source, exchanged=exchanged)
        if isinstance(source, PartsImages):
            return CuedParts(source, exchanged=exchanged)
        if isinstance(source, FileImages) and self.boxed:
            boxes = tiny_imagenet.boxes(source.root, source.names)
            return CuedPhotographs(source, boxes, exchanged=exchanged)
        raise ValueError(f"the edition {self.edition} has no scenes whose background can be exchanged")

    @property
    def boxed(self) -> bool:
        """Whether every photograph has a box around its object."""
        return self.profile.images.sets == (tiny_imagenet.NAME,)

    def objects(self, inputs: Inputs) -> Bool[np.ndarray, "n side side"]:
        """Where the object of each validation picture is: its parts, or the box around it.

        Args:
            inputs: validation pictures as a network sees them, or cued ones, in which objects stand likewise.

        Raises:
            ValueError: photographs whose objects have no box.
        """
        source = self.source("validation")
        if isinstance(source, PartsImages):
            return object_masks(source, inputs)
        if not self.boxed:
            raise ValueError(f"the edition {self.edition} does not know where its pictures' objects are")
        names = [photograph(inputs.images.names[row]) for row in inputs.rows.tolist()]
        found = tiny_imagenet.boxes(data_folder(), names)
        return tiny_imagenet.box_masks(found, source.size, side=inputs.side)

    def cued(
        self, split: Literal["train", "validation"], *, exchanged: bool = False, most: int = CUED_SCENES
    ) -> stores.Store:
        """Pictures before their class's own background, or before another class's (`CuedParts`).

        Centred as the training images, so that every network is shown the same.

        Args:
            split: of which.
            exchanged: before another class's.
            most: how many of the validation pictures at most.

        Raises:
            ValueError: photographs whose objects have no box.
        """
        n = None if split == "train" else min(len(self.source(split)), most)
        store = self.drawn(n, split=split, cued=True, exchanged=exchanged)
        return replace(store, centred_as=self.train_store)

    def pairs(self, *, alone: bool = False) -> PairedParts:
        """Scenes of two objects, `PAIRED_SCENES` at most, or of the first of the two alone.

        Raises:
            ValueError: an edition of photographs, which has no such scenes.
        """
        whole = self.source("validation")
        if not isinstance(whole, PartsImages):
            raise ValueError(f"the edition {self.edition} has no scenes of two objects")
        n = min(len(whole), PAIRED_SCENES)
        how = {"size": whole.size, "seed": whole.seed, "field": whole.field}
        return PairedParts("validation", n=n, **how, alone=alone)

    def paired_images(self, *, alone: bool = False) -> Pixels:
        """The pictures of `pairs`, centred as the training images."""
        folder = self.folder / "pixels" / ("alone" if alone else "pairs")
        return stores.build(self.pairs(alone=alone), folder).centred_by(self.train_mean)

    @property
    def _transfer(self) -> Transfer:
        if self.profile.transfer is None:
            raise ValueError(f"the edition {self.edition} has no section 'transfer'")
        return self.profile.transfer

    @cached_property
    def target(self) -> Pixels:
        """What the features are tried on (chapter 9), one label a picture, centred as the training images.

        Of VOC 2012 those pictures that show one class alone.

        Raises:
            ValueError: the edition has no transfer.
        """
        images, target = self.profile.images, self._transfer.target
        if images.download:
            downloads.fetch_missing([TARGET_FOLDERS[target]])
        source: ImageSource
        if target == "held-out":
            each = max(self._transfer.per_class) + self._transfer.test_per_class
            n = len(categories(held_out=True)) * each
            field = images.size / images.crop
            source = PartsImages("train", n=n, size=images.size, seed=images.seed, field=field, held_out=True)
        elif target == "voc2012":
            alone = transfer_sets.of_one_class(transfer_sets.voc2012_whole(size=images.size))
            source = alone.fitted(images.fit)
        else:
            read = {"caltech101": transfer_sets.caltech101, "caltech256": transfer_sets.caltech256}[target]
            source = read(size=images.size).fitted(images.fit)
        return stores.build(source, self.folder / "pixels" / "target").centred_by(self.train_mean)

    @cached_property
    def several(self) -> Scenes | None:
        """Pictures of several objects of the target's classes; None where the target has none.

        VOC 2012 is split as it is published, into its train and val lists; of drawn scenes, as many are for
        training and for the test as of pictures of one object.

        Raises:
            ValueError: the edition has no transfer.
        """
        images, target = self.profile.images, self._transfer.target
        if target not in SEVERAL:
            return None
        if target == "held-out":
            n, field = len(self.target), images.size / images.crop
            source = SeveralParts("train", n=n, size=images.size, seed=images.seed, field=field)
            learnt = source.names[: len(source.classes) * max(self._transfer.per_class)]
        else:
            source = transfer_sets.voc2012_whole(size=images.size).fitted(images.fit)
            learnt = transfer_sets.voc2012("train", size=images.size).names
        store = stores.build(source, self.folder / "pixels" / "several").centred_by(self.train_mean)
        of_training = np.isin(store.names, learnt)
        rows = np.flatnonzero(of_training), np.flatnonzero(~of_training)
        return Scenes(store, transfer_sets.presence(source, store.names), *rows)

    def prepare(self) -> None:
        """Build the pixels of every split."""
        for images in (self.train_images, self.validation_images):
            print(f"{len(images):,} images of {len(images.classes)} classes, {images.size} px")
