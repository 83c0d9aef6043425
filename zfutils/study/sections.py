"""The sections of an edition: images, networks and the studies that an edition has beside its main one.

What is out of range is refused with what is allowed; `zfutils.study.profile` puts the sections together.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from zfutils.data.decoding import Fit
from zfutils.nets.pooling import Pooling
from zfutils.nets.specs import DROPOUT
from zfutils.nets.zoo import ROWS
from zfutils.training.recipe import Count, Strict, Training


class Images(Strict):
    """Which images, and at which size they are stored and cropped."""

    source: Literal["parts", "photos", "digits", "MNIST"] = Field(
        description="digits: the part of MNIST that comes with the book; MNIST: the whole, below ZFUTILS_DATA"
    )
    size: int = Field(ge=16, description="side of a stored image, pixels")
    crop: int = Field(ge=16, description="side of what the network sees, pixels")
    fit: Fit = Field(
        "squash", description="photos: how they become squares; crop: the centre, the shorter side being size"
    )
    train: int | None = Field(None, ge=64, description="parts, digits: training pictures")
    validation: int | None = Field(None, ge=32, description="parts, digits: validation pictures")
    seed: int = Field(0, ge=0, description="parts: which world is drawn")
    folder: str | None = Field(None, description="photos: where the sets lie; null: below ZFUTILS_DATA")
    sets: tuple[str, ...] = Field(
        (), description="photos: folders with train/ and val/, or with classes alone, below ZFUTILS_DATA"
    )
    download: bool = Field(False, description="photos: fetch a set that is missing")
    per_class: int | None = Field(
        None, ge=2, description="photos: use this many training images a class at most"
    )
    classes: int | None = Field(
        None, ge=2, description="photos: the first so many classes of the sets; null: all"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.crop > self.size:
            raise ValueError(f"crop ({self.crop} px) is larger than size ({self.size} px)")
        if self.source == "parts" and (self.train is None or self.validation is None or self.sets):
            raise ValueError("source 'parts' needs train and validation, and has no sets")
        if self.source == "photos" and not self.sets:
            raise ValueError(
                "source 'photos' needs sets, the folders with train/ and val/ below ZFUTILS_DATA"
            )
        if twice := [name for name in self.sets if self.sets.count(name) > 1]:
            raise ValueError(f"sets names {twice[0]!r} twice")
        chosen = [name for name in ("folder", "per_class", "classes") if getattr(self, name) is not None]
        if chosen and self.source != "photos":
            raise ValueError(f"{chosen[0]} is of photographs; source {self.source!r} has no such choice")
        return self


class Network(Strict):
    """How wide the edition's networks are, as a factor of the paper's, and what goes with it."""

    width: float = Field(gt=0, le=1)
    fc_width: float = Field(gt=0, le=2)
    dropout: float = Field(DROPOUT, ge=0, lt=1, description="on layers 6 and 7")
    full_first_layer: bool = Field(False, description="layer 1 with as many filters as the paper's")
    geometry: Literal["to scale", "the paper's"] = Field(
        "to scale", description="whether layers see the paper's share of the picture, or the paper's pixels"
    )


class Run(Strict):
    """One network to train: which of the paper's, from which seeds, and where its recipe differs."""

    base: Literal["zfnet", "krizhevsky", "lenet5"] = "zfnet"
    network: Network | None = Field(None, description="its own width, where it is not the edition's")
    row: str = Field("none", description="its change, a row of Table 3")
    pooling: Pooling = Field("max", description="blurred: maxima, then a blur before the subsampling")
    pictures: int | None = Field(
        None, ge=64, description="how many to train on, where it is not the edition's number"
    )
    background: Literal["independent", "by-label", "by-chance"] = Field(
        "independent",
        description="what is around a training picture's object: its own; its label's; another's by chance",
    )
    shuffled: bool = Field(False, description="whether training labels are shuffled, by the run's seed")
    first_window: tuple[int, int, int] | None = Field(
        None, description="kernel, stride and padding of layer 1 (pixels), where they are not the network's"
    )
    seeds: tuple[Count, ...] = Field((0,), min_length=1)
    trained: tuple[Count, ...] | None = Field(
        None, description="seeds that a page trains where nothing is kept of them; null: all"
    )
    training: Training
    about: str = ""


class Number(Strict):
    """Another number of images than the edition's; what is left out is the same."""

    train: int | None = Field(None, ge=64, description="parts: training pictures")
    per_class: int | None = Field(
        None, ge=2, description="photos: training images a class at most; null: all"
    )
    classes: int | None = Field(
        None, ge=2, description="photos: the first so many classes of the sets; null: all"
    )


class SmallImages(Number):
    """Where the images of many small networks differ from the edition's; what is left out is the same."""

    size: int = Field(ge=16, description="side of a stored image, pixels")
    crop: int = Field(ge=16, description="side of what the network sees, pixels")
    sets: tuple[str, ...] | None = Field(None, min_length=1, description="photos: other folders")


class Trained(Strict):
    """Which of many networks a page trains itself; of the others it shows what is kept."""

    networks: tuple[str, ...] = Field(description='base and row of Table 3, such as "zfnet: none"')
    seeds: tuple[Count, ...]

    def seeds_of(self, network: str) -> tuple[int, ...]:
        """From which seeds a page trains a network."""
        return self.seeds if network in self.networks else ()


class Depth(Strict):
    """Four layers against eight, by the number of training pictures and, at the most, in a wider network."""

    train: tuple[Annotated[int, Field(ge=64)], ...] = Field(
        min_length=2, description="numbers of training pictures, the smallest first"
    )
    wider: Network = Field(description="the second width")
    seeds: tuple[Count, ...] = Field(min_length=1)
    wider_seeds: tuple[Count, ...] | None = Field(None, min_length=1, description="null: the same seeds")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.train) != sorted(set(self.train)):
            raise ValueError(f"train must grow from number to number (came: {self.train})")
        return self


class Small(Strict):
    """Many small networks with one recipe for all: the rows of Tables 2 and 3 (chapters 8 and 9)."""

    images: SmallImages
    network: Network
    seeds: tuple[Count, ...] = Field(min_length=1)
    seeds_of: dict[str, Annotated[tuple[Count, ...], Field(min_length=1)]] = Field(
        {}, description="rows of Table 3 that have other seeds"
    )
    trained: Trained | None = Field(None, description="what a page trains itself; null: everything")
    settings: dict[str, Run] = Field({}, description="other settings of the recipe that were tried on a row")
    filters: dict[str, Run] = Field({}, description="networks whose filters chapters 1 and 2 look at")
    pooling: dict[str, Run] = Field({}, description="networks that chapter 12 compares under shifts")
    faults: dict[str, Run] = Field({}, description="chapter 13: networks with a fault each, and without")
    cheats: dict[str, Run] = Field({}, description="chapter 6: a network that learnt a cue, and honest ones")
    depth: Depth | None = Field(None, description="chapter 8: where depth begins to pay; null: not asked")
    training: Training

    @model_validator(mode="after")
    def _rows(self) -> Self:
        names = [f"{base}: {row}" for base, rows in ROWS.items() for row in rows]
        rows = list(dict.fromkeys(row for rows in ROWS.values() for row in rows))
        if unknown := [row for row in self.seeds_of if row not in rows]:
            raise ValueError(
                f"seeds_of has {unknown[0]!r}; Table 3 has the rows {', '.join(map(repr, rows))}"
            )
        if self.trained and (unknown := [name for name in self.trained.networks if name not in names]):
            raise ValueError(f"trained.networks has {unknown[0]!r}; there are {', '.join(map(repr, names))}")
        return self


class Source(Number):
    """The network whose features are tried elsewhere: like the small ZFNet, on more pictures."""

    training: Training


class Scratch(Strict):
    """Which steps of a transfer are trained from scratch too, and fine-tuned."""

    per_class: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    folds: int = Field(ge=1)
    trained: bool = Field(True, description="whether a page trains those of which nothing is kept")


class Transfer(Strict):
    """What the features are tried on elsewhere (chapter 9)."""

    target: Literal["held-out", "caltech101", "caltech256", "voc2012"]
    per_class: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=1, description="training pictures a class"
    )
    folds: int = Field(ge=1)
    test_per_class: int = Field(50, ge=1, description="pictures tested, at most (Zeiler & Fergus 2013, §5.2)")
    source: Source | None = Field(None, description="null: the small ZFNet itself")
    scratch: Scratch
    training: Training = Field(description="the recipe of the networks from scratch")
    fine_tuning: Training | None = Field(None, description="likewise, from the source's weights; null: none")

    @model_validator(mode="after")
    def _steps(self) -> Self:
        if unknown := set(self.scratch.per_class) - set(self.per_class):
            raise ValueError(f"scratch.per_class has {min(unknown)}, which per_class lacks")
        if self.scratch.folds > self.folds:
            raise ValueError(f"scratch has {self.scratch.folds} folds, more than the {self.folds} there are")
        return self


class DigitNetworks(Strict):
    """LeNet-5 on handwritten digits (chapters 10 and 13)."""

    images: Images
    network: Network = Network(width=1, fc_width=1, dropout=0, geometry="the paper's")
    training: Training
    networks: dict[str, Run]
    faults: dict[str, Run] = Field({}, description="chapter 13: networks with a fault each, and without")

    @model_validator(mode="after")
    def _digits(self) -> Self:
        if self.images.source not in ("digits", "MNIST"):
            raise ValueError(f"images.source {self.images.source!r} is not of digits: 'digits' or 'MNIST'")
        runs = {**self.networks, **self.faults}
        if other := [name for name, run in runs.items() if run.base != "lenet5"]:
            raise ValueError(f"networks.{other[0]}.base must be lenet5, which takes digits")
        return self


class Pictures(Strict):
    """How many pictures chapters 5 and 6 measure, at most, where the page does not say otherwise."""

    invariance: int = Field(64, ge=4)
    occlusion: int = Field(128, ge=4)
