"""Which device trains, and in which precision: asked of the machine, never assumed."""

import ctypes
import platform
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["auto", "bf16", "float32"]


def has_bf16() -> bool:
    """Whether the device that trains multiplies bf16 in hardware; a CPU says so itself."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


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


def image_type(precision: Precision) -> torch.dtype:
    """The type of the images that a network is given, and that it computes in where that is bf16."""
    bf16 = precision == "bf16" or (precision == "auto" and has_bf16())
    return torch.bfloat16 if bf16 else torch.float32


@cache
def fabric_for(precision: Precision) -> "Fabric":
    """Lightning Fabric on the best device.

    One a precision: making one looks through all installed packages for plug-ins. Lightning is imported here,
    since that takes as long as importing PyTorch, and whatever trains nothing itself does without.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision

    class Bf16(MixedPrecision):
        """bf16 autocast that leaves bf16 inputs as they are (Lightning's own casts them up first)."""

        def convert_input(self, data: Any) -> Any:
            return data

    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    keep_memory()
    if image_type(precision) == torch.bfloat16:
        return Fabric(accelerator=accelerator, devices=1, plugins=[Bf16("bf16-mixed", accelerator)])
    return Fabric(accelerator=accelerator, devices=1, precision="32-true")


def device_name() -> str:
    """The device that trains, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} thread{'s' * (torch.get_num_threads() > 1)}"
