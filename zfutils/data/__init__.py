"""Where images come from, and the one road from there to the device.

A source gives images one by one (`parts` draws them, `photos` decodes files); `stores` turns any source
into a memory map, and `pixels` is what training reads of it.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np


class UndecodableImage(ValueError):
    """An image file that cannot be decoded; it is set aside by name and the rest goes on."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class ImageSource(Protocol):
    """Images with labels, one at a time, in any order."""

    classes: tuple[str, ...]
    labels: np.ndarray  # int64 (n,)
    names: tuple[str, ...]  # (n,), unique
    identity: Mapping[str, Any]  # plain data, equal exactly when the images are

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray:
        """Image `index`, uint8 (size, size, channels); raises `UndecodableImage`."""
        ...
