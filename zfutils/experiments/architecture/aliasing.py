"""What a network's first maps answer to images, and what their subsampling loses (Fig. 6 b-e).

Zeiler & Fergus 2013, §4.1: some filters never answer, and a stride of 4 aliases. The one idea: compute a
layer at stride 1 and look at its spectrum. A stride of s carries frequencies up to 1 / (2 s) cycles per
pixel, its Nyquist frequency; what lies beyond comes out disguised as something slower.

Frequencies are in cycles per pixel of the map that is subsampled.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import activations
from zfutils.nets.layers import layers_of
from zfutils.runtime.devices import to_host
from zfutils.stats.intervals import bootstrap_interval


def greatest_responses(model: nn.Module, inputs: Inputs, *, batch: int = 32) -> Float[np.ndarray, " maps"]:
    """Greatest response of every layer-1 filter (the ReLU's output) over images and positions.

    Args:
        model: a chain that begins with a convolution.
        inputs: the images; a filter called silent should have been shown 1,000 at least.
        batch: images at a time.

    Raises:
        ValueError: no convolution first.
    """
    name, first = next(iter(layers_of(model).items()))
    if not isinstance(first, nn.Conv2d):
        raise ValueError(f"layer 1 must be a Conv2d, the model begins with {type(first).__name__}")
    peaks = [seen.layers[name].amax((0, 2, 3)) for seen in activations(model, inputs, [name], batch=batch)]
    return to_host(torch.stack(peaks).amax(0).relu())


def energy_beyond_nyquist(
    model: nn.Module, inputs: Inputs, *, upto: str = "pool2", batch: int = 8
) -> pd.DataFrame:
    """How much of each map its subsampling cannot carry: its energy beyond the stride's Nyquist frequency.

    Every convolution and pooling with a stride above 1 is computed at stride 1 on the input that the
    network gives it, a convolution before its ReLU, and measured by `share_beyond_nyquist`. What the
    network itself passes on is every stride-th value of that map.

    Args:
        model: a chain of named layers, as `NetworkSpec.build` gives it.
        inputs: the images, as the network sees them.
        upto: the last convolution or pooling to look at; "conv1" for layer 1 alone.
        batch: images at a time; memory holds that many layer-1 maps at stride 1.

    Returns:
        Columns picture (row of the set), layer, stride, map, share; share is NaN where a map is constant.

    Raises:
        ValueError: `upto` is no such layer, strides that differ between the axes, a map too small for its
            stride.
    """
    windows = layers_of(model, nn.Conv2d, nn.MaxPool2d)
    if upto not in windows:
        raise ValueError(
            f"{upto!r} is no convolution or pooling of this network; it has {', '.join(windows)}"
        )
    reached = list(windows)[: list(windows).index(upto) + 1]
    strides = {name: _stride(name, windows[name]) for name in reached}
    subsampling = {name: stride for name, stride in strides.items() if stride > 1}
    if not subsampling:
        raise ValueError(f"nothing up to {upto!r} subsamples: every stride is 1")
    below = {name: lower for lower, name in pairwise(layers_of(model))}
    asked = [below.get(name, name) for name in subsampling]  # what is below the first layer are the images
    found = []
    for seen in activations(model, inputs, asked, batch=batch):
        for name, stride in subsampling.items():
            given = seen.layers[below[name]] if name in below else seen.images
            full = _at_stride_1(windows[name], given)
            shares = torch.stack([share_beyond_nyquist(one, stride) for one in full])
            found.append(_tidy(name, stride, to_host(seen.rows), to_host(shares)))
    return pd.concat(found, ignore_index=True)


def share_beyond_nyquist(maps: Float[Tensor, "*n h w"], stride: int) -> Float[Tensor, "*n"]:
    """Share of each map's energy at frequencies above 1 / (2 stride) cycles per pixel along either axis.

    The mean is removed and the map weighted by a Hann window, without which the step from one border to
    the opposite one would count as high frequencies; a frequency is told to within about 2 / h.

    Returns:
        In [0, 1]; white noise gives about 1 - 1 / stride². NaN where a map is constant.

    Raises:
        ValueError: a map smaller than twice the stride.
    """
    h, w = maps.shape[-2:]
    if min(h, w) < 2 * stride:
        raise ValueError(f"a map of {h}×{w} px is too small to be measured before a stride of {stride}")
    window = torch.outer(*(torch.hann_window(n, device=maps.device, dtype=maps.dtype) for n in (h, w)))
    mean = (maps * window).sum((-2, -1), keepdim=True) / window.sum()
    centred = maps - mean
    energy = torch.fft.rfft2(centred * window).abs().square()
    rows, columns = torch.arange(h, device=maps.device), torch.arange(w // 2 + 1, device=maps.device)
    beyond = (2 * stride * torch.minimum(rows, h - rows) > h)[:, None] | (2 * stride * columns > w)
    twice = torch.where(
        (columns == 0) | (2 * columns == w), 1, 2
    )  # a real map's other half is the mirror image
    share = (energy * twice * beyond).sum((-2, -1)) / (energy * twice).sum((-2, -1))
    constant = centred.abs().amax((-2, -1)) <= 1e-5 * maps.abs().amax((-2, -1))
    return share.masked_fill(constant, torch.nan)


def per_picture(
    shares: pd.DataFrame, live: Mapping[str, Bool[np.ndarray, " maps"]] | None = None
) -> pd.DataFrame:
    """Mean share of each picture and layer over that layer's maps, or over the live ones.

    Args:
        shares: as `energy_beyond_nyquist` gives it.
        live: for each layer named, which maps count; all of the others count.

    Returns:
        Columns picture, layer, stride, share; layers in the network's order, pictures as they came.

    Raises:
        ValueError: a layer that was not measured, a mask of another length, or no live map at all.
    """
    for layer, mask in (live or {}).items():
        numbers = shares.loc[shares["layer"] == layer, "map"]
        if numbers.empty or len(mask) != numbers.max() + 1 or not np.any(mask):
            measured = f"measured are {', '.join(shares['layer'].unique())}"
            raise ValueError(f"{layer!r} needs a live map in a mask of its maps, got {len(mask)}; {measured}")
        dead = np.flatnonzero(~np.asarray(mask, dtype=bool))
        shares = shares[(shares["layer"] != layer) | ~shares["map"].isin(dead)]
    return shares.groupby(["layer", "stride", "picture"], sort=False, observed=True, as_index=False)[
        "share"
    ].mean()


def aliasing_intervals(pictures: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Mean share of each layer with its interval, pictures resampled.

    Args:
        pictures: as `per_picture` gives it; at least eight pictures a layer.

    Returns:
        Columns layer, stride, estimate, low, high, n (pictures; those without any energy are left out).
    """
    found = []
    for (layer, stride), group in pictures.dropna().groupby(["layer", "stride"], sort=False, observed=True):
        i = bootstrap_interval(group["share"], resampled="pictures", seed=seed)
        found.append((layer, stride, i.estimate, i.low, i.high, i.n))
    return pd.DataFrame(found, columns=["layer", "stride", "estimate", "low", "high", "n"])


def _stride(name: str, module: nn.Conv2d | nn.MaxPool2d) -> int:
    strides = {module.stride} if isinstance(module.stride, int) else set(module.stride)
    if len(strides) > 1:
        raise ValueError(f"{name} has a stride of {module.stride}; both axes must have the same")
    return strides.pop()


@torch.no_grad()
def _at_stride_1(module: nn.Module, x: Tensor) -> Tensor:
    """What a convolution or pooling would give if it moved by one pixel."""
    if isinstance(module, nn.Conv2d):
        return nn.functional.conv2d(
            x, module.weight, module.bias, 1, module.padding, module.dilation, module.groups
        )
    return nn.functional.max_pool2d(x, module.kernel_size, 1, module.padding, module.dilation)


def _tidy(layer: str, stride: int, pictures: np.ndarray, shares: np.ndarray) -> pd.DataFrame:
    n, maps = shares.shape
    return pd.DataFrame(
        {
            "picture": np.repeat(pictures, maps),
            "layer": pd.Categorical.from_codes(np.zeros(n * maps, dtype=int), [layer]),
            "stride": stride,
            "map": np.tile(np.arange(maps), n),
            "share": shares.ravel(),
        }
    )
