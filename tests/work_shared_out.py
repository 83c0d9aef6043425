"""What the tests have done by one process and by two ranks: `python work_shared_out.py FOLDER [kill]`."""

import os
import signal
import sys
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import torch
from small import CLASSES, RECIPE, SPEC, pictures

from zfutils.data import stores
from zfutils.data.inputs import Inputs
from zfutils.deconv.top_activations import top_activations
from zfutils.experiments.transfer.features import features
from zfutils.runtime.ranks import Share, agreed, averaged, joined, rank, ranks
from zfutils.training.evaluation import errors, evaluate
from zfutils.training.initialisation import initialise
from zfutils.training.step import Step
from zfutils.training.trainer import train

UNDROPPED = replace(SPEC, dropout=0.0)
LONGER = RECIPE.model_copy(update={"epochs": 6, "snapshots": ()})
STEPS = 50
KILLED_AFTER = 3  # epochs


class Counted:
    """Five grey pictures that note who reads them."""

    classes, names, labels = CLASSES, tuple("abcde"), np.arange(5) % 3
    identity = {"source": "five greys"}  # noqa: RUF012 - as every source has it

    def __init__(self) -> None:
        self.read = 0

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> np.ndarray:
        self.read += 1
        return np.full((8, 8, 3), 40 * index, np.uint8)


def losses(images):
    """The loss of every step, over all ranks."""
    step, rows = Step(UNDROPPED, LONGER, seed=3), torch.arange(len(images))
    how = {"batch": LONGER.batch // ranks(), "side": 32, "scale": LONGER.input_scale}
    shares = {"rank": rank(), "ranks": ranks()}
    passes = (images.shuffled(rows, seed=3, epoch=epoch, **how, **shares) for epoch in count(1))
    batches = islice(chain.from_iterable(passes), STEPS)
    return averaged(torch.stack([step(batch.images, batch.labels) for batch in batches]))


def answers(images):
    """What is asked of a network, of sets that ranks can and cannot share out equally."""
    model = UNDROPPED.build()
    initialise(model, "he", seed=0, paper=SPEC)
    inputs = Inputs.of(images, side=32, scale=LONGER.input_scale)
    found = {}
    for crops in (1, 10):
        scores = evaluate(model, inputs[:45], crops=crops, precision="float32", batch=8)
        found |= {f"probabilities, {crops}": scores.probabilities, f"labels, {crops}": scores.labels}
    tested = errors(model, inputs[:45], precision="float32", batch=8)
    found |= {"ranks": tested.ranks, "log-loss": tested.log_loss}
    found["one picture"] = evaluate(model, inputs[:1], precision="float32").probabilities
    for n in (13, 60):  # of 13, no rank has nine
        for layer, best in top_activations(model, inputs[:n], layers=["relu1", "fc4"], batch=8).items():
            for name in ("values", "images", "rows", "columns"):
                found[f"{layer} {name}, {n}"] = getattr(best, name).numpy()
    rows = features(model, inputs[:45], ["relu1", "relu3"], at_most=32, batch=8)
    return found | {f"features {layer}": values for layer, values in rows.items()}


def trained(folder, images, say=lambda line: None):
    return train(UNDROPPED, images, LONGER, folder, seed=3, paper=SPEC, say=say, resume_every=0.0)


def work(folder):
    """Everything, as arrays by name."""
    images, source = pictures(), Counted()
    network = trained(folder / "network", images)
    found = {"losses": losses(images).numpy(), "history": network.history["loss"].to_numpy()}
    found["training error"] = np.array(network.training_error)
    found |= answers(images)
    store = stores.build(source, folder / "store", progress=False)
    found |= {"store": store.pixels.numpy(), "read": np.array(source.read)}
    return found | {"agreed": np.array(agreed(rank())), "batches": Share.of(45, 8).own.numpy()}


def refused(folder):
    """How a batch is refused that two ranks cannot share out."""
    odd = LONGER.model_copy(update={"batch": 31})
    try:
        train(UNDROPPED, pictures(), odd, folder / "odd", seed=0, paper=SPEC)
    except ValueError as error:
        return str(error)
    return "not at all"


def dies(line):
    if rank() == 1 and f"epoch {KILLED_AFTER}/" in line:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with joined():
        if sys.argv[2:] == ["kill"]:
            trained(folder / "network", pictures(), dies)
        else:
            found = work(folder) | {"refused": np.array(refused(folder))}
            np.savez(folder / f"rank-{rank()}.npz", **found)
            print(f"rank {rank()} is through")
