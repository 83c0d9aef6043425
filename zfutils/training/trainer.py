"""The paper's training (Zeiler & Fergus 2013, §3): SGD with momentum, a rate lowered at plateaus, dropout,
and filters scaled back to a radius.

Every step sees a full batch. Everything random depends on (seed, epoch) alone, and resume points lie between
epochs, so that a training that was killed ends, on a CPU with the same number of threads, bit for bit where
the unbroken one ends.

Several ranks (`runtime.ranks`) share every batch out: the recipe's `batch` is that of all together, so that a
network is the same recipe's on any number of them, and goes on with another number. Rank 0 alone writes.
"""

import math
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels, prefetched, steps_taken
from zfutils.nets.filters import filter_rms
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import device_name
from zfutils.runtime.files import write_json
from zfutils.runtime.ranks import averaged, rank, ranks, wait
from zfutils.runtime.seeds import mixed
from zfutils.training.checkpoints import Trained, identity, load, resume, save_resume_point, save_tensors
from zfutils.training.death import Death, death, silent_layer
from zfutils.training.evaluation import errors
from zfutils.training.initialisation import radii, take_over
from zfutils.training.recipe import Training
from zfutils.training.schedule import Progress, Schedule, held_out_rows
from zfutils.training.step import Step

LOSSES_CHECKED_EVERY = 50  # steps; a check waits for the device


class TrainingFailed(RuntimeError):
    """A training that was stopped, since nothing would come of it."""


class DivergedError(TrainingFailed):
    """The loss is no longer finite."""


class DeadError(TrainingFailed):
    """The loss is finite and the network no longer learns, by one of the signs of `death.death`."""


@dataclass
class _Run:
    """What one training works on."""

    spec: NetworkSpec
    seed: int
    folder: Path
    step: Step
    images: Pixels
    trained: Tensor
    held: Tensor
    progress: Progress
    label: str

    def epoch(self) -> float:
        """The steps of one epoch; returns the mean loss."""
        number, recipe = self.progress.epoch, self.step.recipe
        # Dropout, another one in each rank.
        torch.manual_seed(mixed(self.seed, number, 1, *([rank()] if rank() else [])))
        self.step.model.train()
        for group in self.step.optimizer.param_groups:
            group["lr"] = self.progress.schedule.rate
        batches = self.images.shuffled(
            self.trained,
            seed=self.seed,
            epoch=number,
            batch=min(recipe.batch, len(self.trained)) // ranks(),
            side=self.spec.image,
            scale=recipe.input_scale,
            dtype=self.step.dtype,
            rank=rank(),
            ranks=ranks(),
        )
        before = self._steps_taken(number - 1)
        steps = self._steps_taken(number) - before
        losses: list[Tensor] = []  # of this rank's images
        batches = prefetched(batches, self.step.device)
        quiet = bool(rank()) or not sys.stderr.isatty()
        bar = tqdm(batches, self.label, steps, leave=False, disable=quiet)
        for taken, batch in enumerate(bar, 1):
            losses.append(self.step(batch.images, batch.labels))
            if taken % LOSSES_CHECKED_EVERY == 0 or taken == steps:
                self._refuse_divergence(losses, before)
        return averaged(torch.stack(losses).mean()).item()

    def as_seen(self) -> Inputs:
        """The training set as the network sees it when it is tested."""
        return Inputs.of(self.images, side=self.spec.image, scale=self.step.recipe.input_scale)

    def _steps_taken(self, epochs: int) -> int:
        return steps_taken(len(self.trained), batch=self.step.recipe.batch, epochs=epochs)

    def _refuse_divergence(self, losses: list[Tensor], before: int) -> None:
        values = averaged(torch.stack(losses))
        finite = values.isfinite()
        if not finite.all():
            step = int((~finite).nonzero()[0])
            raise self._diverged(f"the loss is {values[step].item()}", before + step + 1)
        if not all(p.isfinite().all() for p in self.step.model.parameters()):
            raise self._diverged("a weight is no longer finite", before + len(losses))

    def _diverged(self, what: str, step: int) -> DivergedError:
        return DivergedError(
            f"{self.label}: {what} at step {step} (epoch {self.progress.epoch}, rate "
            f"{self.progress.schedule.rate:g}); the last good snapshot is {self._last_snapshot()}"
        )

    def _last_snapshot(self, before: float = math.inf) -> str:
        kept = sorted(self.folder.glob("epoch-*.safetensors"))
        names = [path.name for path in kept if int(path.stem.split("-")[1]) < before]
        return f"{names[-1] if names else 'none'} in {self.folder}"

    def death(self) -> Death | None:
        """Whether the network is dead after the epochs so far."""
        progress, recipe = self.progress, self.step.recipe
        return death(
            progress.history,
            classes=len(self.images.classes),
            epochs=recipe.epochs,
            steps=self._steps_taken(progress.epoch),
            ended=progress.schedule.ended,
        )

    def refuse_death(self) -> None:
        """Stop a training that is dead, unless it may be."""
        dead = self.death()
        if dead is None or self.step.recipe.may_die:
            return
        last = self.progress.history[-1]
        raise DeadError(
            f"{self.label}: dead since epoch {dead.since}, seen after epoch {last['epoch']} (rate "
            f"{last['rate']:g}): {dead.why}; the last snapshot that was alive is "
            f"{self._last_snapshot(dead.since)}; try a lower rate (a higher one if the loss never fell), "
            f"another initialisation or smaller batches, or keep it with 'may_die: true'"
        )

    def note(self, loss: float, seconds: float) -> dict[str, Any]:
        """Measure the network after an epoch and add the row to the history."""
        model, recipe = self.step.model, self.step.recipe
        seen = self.as_seen()
        held = errors(model, seen.at(self.held), precision=recipe.precision)
        epoch = self.progress.epoch
        row: dict[str, Any] = {"epoch": epoch, "loss": loss}
        row |= {"held_out_error": held.error(), "held_out_loss": float(held.log_loss.mean())}
        steps = self._steps_taken(epoch) - self._steps_taken(epoch - 1)
        speed = steps * min(recipe.batch, len(self.trained)) / seconds if seconds else math.nan
        row |= {"rate": self.progress.schedule.rate, "images_per_second": speed}
        limits = radii(model, recipe)
        for name in (n for n in self.spec.layers if n.startswith("conv")):
            rms = filter_rms(model.get_submodule(name).weight)
            row |= {f"rms_max_{name}": rms.max().item(), f"rms_median_{name}": rms.median().item()}
            at = (rms >= limits.get(name, math.inf) * (1 - 1e-3)).float().mean().item()
            row[f"at_radius_{name}"] = at
        silent = silent_layer(model, seen)
        row |= {"silent_layer": silent} if silent else {}
        self.progress.history.append(row)
        return row

    def keep_snapshot(self) -> None:
        """Write the weights as they are after this epoch, where the recipe asks for it."""
        if self.progress.epoch in self.step.recipe.snapshots and not rank():
            path = self.folder / f"epoch-{self.progress.epoch:04d}.safetensors"
            save_tensors(self.step.model.state_dict(), path)


def _refuse_misfit(spec: NetworkSpec, images: Pixels, batch: int) -> None:
    if batch % ranks():
        raise ValueError(
            f"a step of {batch} images cannot be shared out equally among {ranks()} ranks; as many ranks as "
            f"divide it can train {spec.name}"
        )
    channels, classes = images.pixels.shape[3], len(images.classes)
    if images.size < spec.image or channels != spec.channels or classes > spec.classes:
        raise ValueError(
            f"{spec.name} sees {spec.image} px in {spec.channels} channels and tells {spec.classes} classes; "
            f"the images have {images.size} px in {channels} channels and {classes} classes"
        )


def train(
    spec: NetworkSpec,
    images: Pixels,
    recipe: Training,
    folder: Path,
    *,
    seed: int,
    paper: NetworkSpec,
    start: Trained | None = None,
    device: torch.device | None = None,
    label: str | None = None,
    say: Callable[[str], None] | None = None,
    resume_every: float = 5.0,
) -> Trained:
    """Train a network, or go on where an interrupted training stopped.

    Args:
        spec: the network; its image size is the crop.
        images: the training set.
        recipe: how.
        folder: where the training lies; an unfinished one of another identity there is replaced.
        seed: of weights, order, crops and dropout.
        paper: the network at the paper's size (for the "fan-in" initialisation).
        start: a network like this one but for its classes, from whose weights it goes on; the classifier
            starts anew.
        device: that trains; default `chosen_device()`.
        label: what progress and errors call it; default the spec's name and the seed.
        say: takes a line an epoch; default print.
        resume_every: the least time between two resume points (seconds); epochs of a few pictures take less
            time than writing one.

    Raises:
        DivergedError: the loss is not finite; names the step and the last good snapshot.
        DeadError: the network no longer learns, and the recipe does not say `may_die`; names the epoch, the
            sign, the last snapshot that was alive and what to try.
        ValueError: the images do not fit the network, or `start` does not; a batch cannot be shared out
            equally among the ranks; the folder's resume point is truncated.
    """
    rows = held_out_rows(len(images), recipe.held_out)
    _refuse_misfit(spec, images, min(recipe.batch, len(rows[0])))
    say = say or (lambda line: print(line, flush=True))
    wanted = identity(spec, recipe, images, seed, start=start and start.record["identity"])
    step = Step(spec, recipe, device=device, seed=seed, paper=paper)
    if start is not None:
        take_over(step.model, start.model, but=spec.classifier)
    progress = Progress(Schedule(recipe))
    state = resume(folder / "resume.safetensors", wanted, step.model, step.optimizer)
    wait()  # every rank has read the folder
    if state is not None:
        progress.restore(state)
    elif not rank():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    images = images.resident(step.device)
    label = label or f"{spec.name} seed {seed}"
    run = _Run(spec, seed, folder, step, images, *rows, progress, label)
    if not progress.history:
        run.note(math.nan, 0)
        run.keep_snapshot()
    resumed_at = progress.epoch
    started = saved = time.perf_counter()
    while progress.epoch < recipe.epochs and not progress.schedule.ended:
        epoch_started, rate = time.perf_counter(), progress.schedule.rate
        progress.epoch += 1
        loss = run.epoch()
        row = run.note(loss, time.perf_counter() - epoch_started)
        progress.schedule.after(row)
        run.refuse_death()
        run.keep_snapshot()
        progress.seconds += time.perf_counter() - epoch_started
        if time.perf_counter() - saved >= resume_every and not rank():
            state = {"identity": wanted, **progress.state()}
            save_resume_point(folder / "resume.safetensors", state, step.model, step.optimizer)
            saved = time.perf_counter()
        each = (time.perf_counter() - started) / (progress.epoch - resumed_at)
        say(
            f"{run.label}  epoch {progress.epoch}/{recipe.epochs}  loss {loss:.3f}  held-out error "
            f"{row['held_out_error']:.1%}  rate {rate:g}  {row['images_per_second']:,.0f} images/s  "
            f"at most {each * (recipe.epochs - progress.epoch) / 60:.1f} min left"
        )
    learnt = errors(step.model, run.as_seen().at(run.trained), precision=recipe.precision)
    record = {
        "identity": wanted,
        "paper": paper.to_dict(),
        "epochs": progress.epoch,
        "seconds": progress.seconds,
        "trained_on": len(run.trained),
        "training_error": learnt.error(),
        "device": f"{ranks()} × " * (ranks() > 1) + device_name(step.device),
        "precision": str(step.dtype).removeprefix("torch."),
        "versions": {"torch": version("torch"), "python": platform.python_version()},
        "history": progress.history,
    }
    if dead := run.death():
        record["dead"] = asdict(dead)
    if not rank():
        save_tensors(step.model.state_dict(), folder / f"epoch-{progress.epoch:04d}.safetensors")
        write_json(record, folder / "network.json")
        (folder / "resume.safetensors").unlink(missing_ok=True)
    wait()
    return load(folder, step.device)
