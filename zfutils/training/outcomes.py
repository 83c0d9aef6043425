"""What is kept of a trained network without its weights: its answers to a set of images, how it was made.

Claims over many networks need their answers alone. Those of one network fit in ten kilobytes, so that they
can be kept beside the book and read where nobody trains the network again. A file is safe to load: arrays and
JSON.
"""

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64

from zfutils.data.inputs import Inputs
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.files import whole
from zfutils.training.checkpoints import Trained
from zfutils.training.ended import Ended, ended
from zfutils.training.evaluation import Ranked, Scores, evaluate

# Columns that are kept, for the epochs from 1.
HISTORY = ("epoch", "loss", "held_out_error", "held_out_loss", "rate")
MEASURED = "measured-"  # before the name of an array that a chapter measured
NOT_RUN = "not run yet"  # what is said in place of an outcome
PLACES = 3  # of a probability that is kept; a hundred classes' then take a fifth of the room
# Of a network's record.
MADE = ("epochs", "seconds", "trained_on", "training_error", "device", "precision", "versions")


@dataclass(frozen=True)
class Answers(Ranked):
    """What a network answers, picture by picture: enough for its errors; ensembles need probabilities too."""

    labels: Int64[np.ndarray, " n"]
    predicted: Int64[np.ndarray, " n"]
    ranks: Int64[np.ndarray, " n"]  # of the true class; 0 is right
    log_loss: Float[np.ndarray, " n"]  # of the true class (nats)
    classes: int
    probabilities: Float[np.ndarray, "n classes"] | None = None  # where they are kept, in thousandths

    @classmethod
    def of(cls, scores: Scores, *, probabilities: bool = False) -> Self:
        """The answers in given probabilities, which are kept or not."""
        kept = scores.probabilities if probabilities else None
        predicted = scores.probabilities.argmax(1)
        return cls(scores.labels, predicted, scores.ranks, scores.log_loss(), scores.classes, kept)

    def scores(self) -> Scores:
        """The probabilities as `evaluate` gives them.

        Raises:
            ValueError: they were not kept.
        """
        if self.probabilities is None:
            raise ValueError("of this network answers were kept, and no probabilities")
        return Scores(self.probabilities, self.labels)


@dataclass(frozen=True)
class Outcome:
    """A trained network's answers, and how it was made."""

    identity: dict[str, Any]  # of the network, as `checkpoints.identity` gives it
    evaluated: dict[str, Any]  # identity of the images that it was asked about
    made: dict[str, Any]  # epochs, seconds, training_error (share), device, precision, versions
    history: pd.DataFrame  # one row for each epoch: `HISTORY`
    answers: Mapping[int, Answers]  # by number of crops
    published: bool = False  # whether it was read from the published files, and not made here
    measured: Mapping[str, np.ndarray] = field(default_factory=dict)  # what a chapter measured on the network

    @classmethod
    def of(
        cls,
        trained: Trained,
        asked: Inputs,
        *,
        crops: Sequence[int],
        probabilities: Sequence[int] = (),
        measured: Mapping[str, np.ndarray] | None = None,
    ) -> Self:
        """Ask a trained network about images.

        Args:
            trained: the network.
            asked: the images, as it sees them.
            crops: 1, 10 or both.
            probabilities: of which of them the probabilities are kept too.
            measured: arrays of numbers that a chapter took from the network, by name.
        """
        record = trained.record
        precision = record["identity"]["training"]["precision"]
        history = trained.history.reindex(columns=list(HISTORY)).iloc[1:].reset_index(drop=True)
        made = {key: record.get(key) for key in MADE} | {"training_error": trained.training_error}
        answers = {}
        for number in crops:
            scores = evaluate(trained.model, asked, crops=number, precision=precision)
            answers[number] = Answers.of(scores, probabilities=number in probabilities)
        return cls(record["identity"], asked.identity, made, history, answers, measured=measured or {})

    @property
    def spec(self) -> NetworkSpec:
        """The network, as data."""
        return NetworkSpec.from_dict(self.identity["spec"])

    @property
    def seconds(self) -> float:
        """What the training took."""
        return self.made["seconds"]

    @property
    def training_error(self) -> float:
        """Share of the pictures trained on that it errs on, centre crops in eval mode; NaN if not known."""
        return self.made["training_error"]

    @property
    def ended(self) -> Ended:
        """Whether the training had come to its end."""
        return ended(self.history["loss"], self.training_error)

    def save(self, path: Path) -> None:
        """Write one compressed file, whole or not at all."""
        history = {name: [float(f"{value:.5g}") for value in column] for name, column in self.history.items()}
        record = {"identity": self.identity, "evaluated": self.evaluated, "made": self.made}
        labels, classes = next((one.labels, one.classes) for one in self.answers.values())
        record |= {"history": history, "classes": classes}
        small = np.min_scalar_type(classes)
        arrays = {"record": np.frombuffer(json.dumps(record).encode(), np.uint8)}
        arrays["labels"] = labels.astype(small)
        for crops, one in self.answers.items():
            arrays[f"predicted-{crops}"] = one.predicted.astype(small)
            arrays[f"ranks-{crops}"] = one.ranks.astype(small)
            arrays[f"log_loss-{crops}"] = one.log_loss.astype(np.float16)
            if one.probabilities is not None:
                arrays[f"probabilities-{crops}"] = one.probabilities.round(PLACES).astype(np.float16)
        arrays |= {f"{MEASURED}{name}": values for name, values in self.measured.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path, *, published: bool = False) -> Self:
        """Read what `save` wrote; nothing in it is executed.

        Args:
            path: the file.
            published: whether it is one of the published files.

        Raises:
            ValueError: the file is damaged or holds something else; names it.
        """
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = dict(file)
            record = json.loads(arrays["record"].tobytes())
            labels, classes = arrays["labels"].astype(np.int64), record["classes"]
            answers = {
                int(name.partition("-")[2]): _answers(arrays, name.partition("-")[2], labels, classes)
                for name in arrays
                if name.startswith("ranks-")
            }
            history = pd.DataFrame(record["history"], columns=list(HISTORY))
            parts = (record["identity"], record["evaluated"], record["made"])
            measured = {n.removeprefix(MEASURED): a for n, a in arrays.items() if n.startswith(MEASURED)}
            return cls(*parts, history, answers, published, measured)
        except (KeyError, TypeError, ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path} is damaged or holds no scores ({error!r})") from None


def origin(published: Iterable[bool]) -> str:
    """Whose outcomes stand in a row: this machine's, published ones that were kept, or both.

    Args:
        published: of each of them, whether it is.
    """
    flags = list(published)
    kept = sum(flags)
    here = len(flags) - kept
    if not flags:
        return NOT_RUN
    return f"{here} here, {kept} kept" if here and kept else "kept" if kept else "here"


def _answers(arrays: Mapping[str, np.ndarray], crops: str, labels: np.ndarray, classes: int) -> Answers:
    predicted, ranks = (arrays[f"{name}-{crops}"].astype(np.int64) for name in ("predicted", "ranks"))
    log_loss = arrays[f"log_loss-{crops}"].astype(np.float32)
    probabilities = arrays.get(f"probabilities-{crops}")
    shapes = {one.shape for one in (labels, predicted, ranks, log_loss)}
    if shapes != {labels.shape} or max(predicted.max(), ranks.max(), labels.max()) >= classes:
        raise ValueError("its arrays do not fit together")
    if probabilities is not None:
        probabilities = probabilities.astype(np.float32)
    return Answers(labels, predicted, ranks, log_loss, classes, probabilities)
