"""The device that computes, and in which precision: asked of the machine, never assumed.

One device does the work of a study: the first CUDA device, else Apple's, else the processor; `ZFUTILS_DEVICE`
names another. Of several ranks on a machine each has a CUDA device of its own. Networks live there and images
are sent there; results leave it through `to_host` alone.
"""

import ctypes
import inspect
import os
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from zfutils.runtime.ranks import local_rank, local_ranks, ranks

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["auto", "bf16", "float32"]


def chosen_device() -> torch.device:
    """The device of the study: what `ZFUTILS_DEVICE` names, else the best there is.

    Of several ranks on one machine each has the CUDA device of its number.

    Raises:
        ValueError: `ZFUTILS_DEVICE` names no device of this machine (says which there are), there are more
            ranks than CUDA devices, or the CUDA device is older than those that this PyTorch is built for.
    """
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    there = [kind for kind, available in found.items() if available]
    asked = os.environ.get("ZFUTILS_DEVICE") or there[0]
    kind, _, number = asked.partition(":")
    exists = kind in there and (
        not number or (kind == "cuda" and number.isdecimal() and int(number) < torch.cuda.device_count())
    )
    if not exists:
        raise ValueError(f"ZFUTILS_DEVICE is {asked!r}; this machine has {', '.join(there)}")
    if kind == "cuda" and ranks() > 1:
        if local_ranks() > torch.cuda.device_count():
            raise ValueError(
                f"{local_ranks()} ranks on a machine of {torch.cuda.device_count()} CUDA devices; "
                f"start one for each: torchrun --nproc-per-node {torch.cuda.device_count()}"
            )
        asked = f"cuda:{local_rank()}"
    device = torch.device(asked)
    if kind == "cuda":
        name = torch.cuda.get_device_name(device)
        refuse_old(name, torch.cuda.get_device_capability(device), torch.cuda.get_arch_list())
    return device


def refuse_old(name: str, capability: tuple[int, int], built_for: Sequence[str]) -> None:
    """Refuse a GPU that is older than every one that PyTorch was built for.

    Args:
        name: of the GPU.
        capability: its compute capability, major and minor.
        built_for: PyTorch's architectures, "sm_75" say.

    Raises:
        ValueError: it is; says what to set to leave it aside.
    """
    built = [int(found[1]) for found in (re.match(r"sm_(\d+)", one) for one in built_for) if found]
    if built and 10 * capability[0] + capability[1] < min(built):
        raise ValueError(
            f"{name} (sm_{capability[0]}{capability[1]}) is older than the GPUs that this PyTorch is "
            f"built for ({', '.join(built_for)}): set ZFUTILS_DEVICE=cpu to leave it aside"
        )


def device_of(model: nn.Module) -> torch.device:
    """Where a network's weights are; the CPU for one that has none."""
    return next((tensor.device for tensor in _tensors(model)), torch.device("cpu"))


def dtype_of(model: nn.Module) -> torch.dtype:
    """The type that a network computes in, that of its weights; float32 for one that has none."""
    return next((tensor.dtype for tensor in _tensors(model) if tensor.is_floating_point()), torch.float32)


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()


def to_host(values: Tensor) -> np.ndarray:
    """A tensor as a NumPy array, the one way by which results leave the device.

    bf16, which NumPy lacks, becomes float32.
    """
    values = values.detach()
    return (values.float() if values.dtype == torch.bfloat16 else values).cpu().numpy()


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bf16 in hardware; a CPU says so itself."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "mps":
        return False
    capabilities = _cpu_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def _cpu_capabilities() -> dict[str, Any]:
    """What the processor can, by PyTorch's word; older versions do not say."""
    return torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}


def keep_memory() -> None:
    """Ask the C library to keep freed memory instead of handing it back to the kernel.

    A training step frees and asks for the same tens of megabytes again and again; without this, the kernel
    zeroes every page anew each time, which takes up to half of a step on a CPU. Does nothing where the C
    library is not glibc.
    """
    if sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    libc = ctypes.CDLL(None)
    libc.mallopt(mmap_threshold, 1 << 30)
    libc.mallopt(trim_threshold, (1 << 31) - 1)


def image_type(precision: Precision, device: torch.device) -> torch.dtype:
    """The type of the images that a network is given on a device, and in which it computes."""
    bf16 = precision == "bf16" or (precision == "auto" and has_bf16(device))
    return torch.bfloat16 if bf16 else torch.float32


@cache
def fabric_for(precision: Precision, device: torch.device) -> "Fabric":
    """Lightning Fabric on a device, or on those of all ranks, whose gradients it averages.

    One for each precision: making one looks through all installed packages for plug-ins. Lightning is
    imported here, since that takes as long as importing PyTorch, and whatever trains nothing itself does
    without.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision
    from lightning_fabric.strategies import DDPStrategy

    class Bf16(MixedPrecision):
        """bf16 autocast that leaves bf16 inputs as they are (Lightning's own casts them up first)."""

        def convert_input(self, data: Any) -> Any:
            return data

    keep_memory()
    where = {"accelerator": device.type, "devices": 1 if device.index is None else [device.index]}
    if ranks() > 1:
        # Buffers are constants here; PyTorch has renamed the option that leaves them alone.
        options = inspect.signature(DistributedDataParallel).parameters
        sync = {"forward_sync_buffers", "broadcast_buffers"} & set(options)
        strategy = DDPStrategy(**{max(sync): False})
        where |= {"devices": local_ranks(), "num_nodes": ranks() // local_ranks(), "strategy": strategy}
    if image_type(precision, device) == torch.bfloat16:
        fabric = Fabric(**where, plugins=[Bf16("bf16-mixed", device.type)])
    else:
        fabric = Fabric(**where, precision="32-true")
    if ranks() > 1:
        fabric.launch()
    return fabric


def device_name(device: torch.device) -> str:
    """A device in words: a GPU by its name, the processor by its name and the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = _cpu_capabilities().get("cpu_name") or platform.processor() or platform.machine()
    if device.type == "mps":
        return f"{name}, Metal"
    return f"{name}, {torch.get_num_threads()} thread{'s' * (torch.get_num_threads() > 1)}"
