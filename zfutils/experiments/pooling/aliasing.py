"""How much of a map cannot pass its subsampling without aliasing: energy beyond the Nyquist frequency.

A convolution with a stride, and a pooling, compute a map at every position and keep every s-th. What the map
holds beyond 1 / 2s cycles per position then returns as a lower frequency (Azulay & Weiss 2018; Zhang 2019).
The one idea: the map before the subsampling is what the same layer gives at stride 1.
"""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import activations
from zfutils.nets.chains import chain
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import to_host


def subsamplings(spec: NetworkSpec) -> dict[str, int]:
    """The layers of a network that keep only some positions, with their strides, first to last."""
    windows = {stage.name: stage.window for stage in spec.stages() if stage.window}
    return {name: window.stride for name, window in windows.items() if window.stride > 1}


def energy_beyond_nyquist(
    model: nn.Module, inputs: Inputs, strides: Mapping[str, int], *, batch: int = 64
) -> dict[str, float]:
    """Share of the energy before each subsampling that is beyond the Nyquist frequency of what is kept.

    Args:
        model: a chain of layers, used as in evaluation.
        inputs: pictures; the share is the mean over them.
        strides: by layer, as `subsamplings` gives them.
        batch: pictures at a time.

    Returns:
        By layer; white noise has 1 − 1 / stride². NaN where all maps of all pictures are even.
    """
    found = {}
    for name, stride in strides.items():
        dense = copy.deepcopy(chain(model))
        layer = getattr(dense, name)
        layer.stride = (1, 1) if isinstance(layer, nn.Conv2d) else 1
        shares = [
            to_host(share_beyond(seen.layers[name], stride))
            for seen in activations(dense, inputs, [name], batch=batch)
        ]
        values = np.concatenate(shares)
        found[name] = float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else np.nan
    return found


def share_beyond(maps: Float[Tensor, "n maps h w"], stride: int) -> Float[Tensor, " n"]:
    """Share of each picture's energy, over all its maps, beyond 1 / 2·stride cycles along either axis.

    The mean of each map is subtracted and the map weighted by a Hann window, without which its borders would
    count as high frequencies.

    Args:
        maps: at every position.
        stride: every so many positions are kept.

    Returns:
        NaN where a picture's maps are even.
    """
    maps = maps.float()
    windows, along = zip(*(_axis(size, maps) for size in maps.shape[-2:]), strict=True)
    window = torch.outer(*windows)
    mean = (maps * window).sum((-2, -1), keepdim=True) / window.sum()
    power = torch.fft.fft2((maps - mean) * window).abs().square().sum(1)
    beyond = torch.maximum(along[0][:, None], along[1][None]) > 1 / (2 * stride) + 1e-6
    return (power * beyond).sum((-2, -1)) / power.sum((-2, -1))


def _axis(size: int, like: Tensor) -> tuple[Float[Tensor, " size"], Float[Tensor, " size"]]:
    """A Hann window without its zero ends, and the absolute frequencies (cycles per position)."""
    window = torch.hann_window(size + 2, periodic=False, device=like.device)[1:-1]
    return window, torch.fft.fftfreq(size, device=like.device).abs()
