"""Several processes that run one program on shares of the same images: the ranks of `torchrun`.

Every rank calls the same functions in the same order. Training, `evaluate`, `top_activations` and `features`
share their images out and give every rank the whole result; rank 0 alone writes files and prints, and what
only one process can do, it does first while the others wait. All ranks must see the same files. In a process
that has not joined others there is one rank, and nothing here does anything.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Int64, Shaped
from torch import Tensor

# As long as a large set may take to be prepared; nobody waits for a rank that died, since torchrun ends all.
PATIENCE = timedelta(days=7)

Value = TypeVar("Value")


def started() -> int:
    """How many processes `torchrun` started together, this one included; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined() -> Iterator[None]:
    """Work together with the processes that `torchrun` started beside this one, where it did.

    GPUs talk through NCCL, everything else through Gloo. Ranks other than 0 print nothing.
    """
    if started() == 1:
        yield
        return
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(local_rank() % torch.cuda.device_count())
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=PATIENCE)
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere) if rank() else nullcontext():
            yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Which of the ranks this process is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def ranks() -> int:
    """How many ranks work together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def local_rank() -> int:
    """Which of the ranks of its machine this process is, from 0."""
    return int(os.environ["LOCAL_RANK"]) if started() > 1 else 0


def local_ranks() -> int:
    """How many of the ranks are on this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if started() > 1 else 1


def wait() -> None:
    """Wait until every rank has come here, so that what rank 0 wrote is there for all."""
    if ranks() > 1:
        dist.all_reduce(torch.zeros(1))


def agreed(value: Value) -> Value:
    """Rank 0's value, for all: what a file system says may differ between ranks for a moment."""
    if ranks() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


@contextmanager
def in_turn() -> Iterator[None]:
    """Rank 0 first, the others once it is through, so that they find what it made."""
    if rank():
        agreed(None)
    yield
    if not rank():
        agreed(None)


def averaged(values: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """The mean over the ranks of a tensor that each of them has."""
    if ranks() == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / ranks()


def stacked(values: Shaped[Tensor, "..."]) -> Shaped[Tensor, "ranks ..."]:
    """A tensor of every rank, each of the same shape, one after the other."""
    if ranks() == 1:
        return values[None]
    found = [torch.empty_like(values, memory_format=torch.contiguous_format) for _ in range(ranks())]
    dist.all_gather(found, values.contiguous())
    return torch.stack(found)


@dataclass(frozen=True)
class Share:
    """Which of n images each rank works on: every `ranks()`-th batch of those that one process would form.

    With one rank, or with fewer images than ranks, every rank works on all of them.
    """

    parts: tuple[Int64[Tensor, " m"], ...]  # positions, one part for each rank, or one for all
    batch: int  # images at a time, at most as many as leave every rank a batch

    @classmethod
    def of(cls, n: int, batch: int) -> Self:
        """The shares of n images, `batch` at a time."""
        if ranks() == 1 or n < ranks():
            return cls((torch.arange(n),), batch)
        batch = max(1, min(batch, n // ranks()))
        batches = torch.arange(n).split(batch)
        return cls(tuple(torch.cat(batches[r :: ranks()]) for r in range(ranks())), batch)

    @property
    def whole(self) -> bool:
        """Whether this rank works on all images."""
        return len(self.parts) == 1

    @property
    def own(self) -> Int64[Tensor, " m"]:
        """Positions of the images that this rank works on."""
        return self.parts[0 if self.whole else rank()]

    def gathered(self, rows: Shaped[Tensor, "m ..."]) -> Shaped[Tensor, "n ..."]:
        """What all ranks found, in the order of the images, from the rows of this rank's."""
        if self.whole:
            return rows
        longest = max(map(len, self.parts))
        padded = rows.new_zeros(longest, *rows.shape[1:])
        padded[: len(rows)] = rows
        found = rows.new_empty(sum(map(len, self.parts)), *rows.shape[1:])
        for part, values in zip(self.parts, stacked(padded), strict=True):
            found[part.to(rows.device)] = values[: len(part)]
        return found
