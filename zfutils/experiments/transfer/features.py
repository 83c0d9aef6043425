"""Features of a frozen network, layer by layer, and what needs no network (Zeiler & Fergus 2013, §5.2, §5.3).

The paper keeps layers 1 to 7 as they are and trains a new softmax, or an SVM, on what a layer gives; it does
not say what becomes of the large maps of layers 1 to 5. Here they are pooled: each map is cut into k × k
regions and the largest value of each is kept, as the network's own pooling does it, with the largest k
that leaves at most 1,200 features. So every layer, trained or random, gives vectors of about the same length.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.nets.activations import activations
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import to_host
from zfutils.runtime.ranks import Share

TABLE_7 = ("relu1", "relu2", "relu3", "relu4", "relu5", "relu7")  # the paper leaves layer 6 out
AT_MOST = 1200  # features of a layer with maps
BINS = 8  # of each colour
SMALL = 16  # side of the pictures whose pixels are features


def pooled_side(maps: int, size: int, *, at_most: int = AT_MOST) -> int:
    """Into how many regions along either side a map is pooled.

    Args:
        maps: of the layer.
        size: side of a map.
        at_most: features of the layer; a layer of more maps than that keeps one for each.
    """
    return max(1, min(size, math.isqrt(at_most // maps)))


def pooled_sizes(spec: NetworkSpec, layers: Sequence[str]) -> pd.DataFrame:
    """How large each layer is, and what is left after pooling.

    Args:
        spec: the network.
        layers: names such as "relu5".

    Returns:
        Columns layer, maps, size, pooled (both sides of a map; 1 for a fully connected layer) and features.

    Raises:
        ValueError: a layer that is not there; names those that are.
    """
    stages = {f"relu{s.name[-1]}": s for s in spec.stages() if s.kind != "pool" and s.name != spec.classifier}
    if unknown := [layer for layer in layers if layer not in stages]:
        raise ValueError(f"layer {unknown[0]!r} is not in {spec.name}; it has {', '.join(stages)}")
    rows = []
    for layer in layers:
        stage = stages[layer]
        side = pooled_side(stage.maps, stage.size)
        rows.append((layer, stage.maps, stage.size, side, stage.maps * side**2))
    return pd.DataFrame(rows, columns=["layer", "maps", "size", "pooled", "features"])


def features(
    model: nn.Module,
    inputs: Inputs,
    layers: Sequence[str],
    *,
    at_most: int = AT_MOST,
    batch: int = 128,
    progress: bool = False,
) -> dict[str, Float[np.ndarray, "n features"]]:
    """Frozen features: a vector for each image from each of several layers, in one pass through a network.

    A layer with maps is pooled: each map is cut into k × k regions and the largest value of each is kept,
    with the largest k that leaves `at_most` features. A fully connected layer is taken as it is. Several
    ranks share the images out, and each has all rows.

    Args:
        model: a chain of layers (`nets.chains.chain`), on any device; in eval mode here, and left in the mode
            that it was in.
        inputs: the images as the network sees them.
        layers: names in the chain: "relu5" is the paper's layer 5, the last name the logits.
        at_most: features of a layer with maps; one of more maps than that keeps one feature for each.
        batch: images at a time; bounds the memory.
        progress: print a line now and then.

    Returns:
        By layer in the order asked for, one row for each image in their order; float32, as the weights are.

    Raises:
        ValueError: no layer, or one that is not there (names those that are); images that a layer cannot
            take.

    Source: Zeiler & Fergus 2013, §5.2 (a classifier on frozen layers), Table 7 (layer by layer).
    """
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    done, share = 0, Share.of(len(inputs), batch)
    for part in activations(model, inputs if share.whole else inputs[share.own], layers, batch=share.batch):
        for layer, values in part.layers.items():
            found[layer].append(to_host(_pooled(values, at_most)))
        done += len(part.rows)
        if progress and (done // share.batch % 16 == 0 or done == len(share.own)):
            print(f"features: {done:,} of {len(share.own):,} images", flush=True)
    rows = {layer: np.concatenate(parts) for layer, parts in found.items()}
    if share.whole:
        return rows
    return {layer: to_host(share.gathered(torch.from_numpy(values))) for layer, values in rows.items()}


def colour_histogram(images: Pixels) -> Float[np.ndarray, "n features"]:
    """Share of a whole image's pixels in each cell of colour space, `BINS` along a colour or the one grey."""
    n, channels = len(images), images.pixels.shape[-1]
    found = np.empty((n, BINS**channels), dtype=np.float32)
    steps = BINS ** np.arange(channels)[::-1]
    for i in range(n):
        pixels = to_host(images.pixels[i]).reshape(-1, channels).astype(np.int64)
        found[i] = np.bincount((pixels * BINS // 256) @ steps, minlength=BINS**channels) / len(pixels)
    return found


def raw_pixels(images: Pixels) -> Float[np.ndarray, "n features"]:
    """The whole image itself, made `SMALL` by averaging: what needs no features at all."""
    small = []
    for part in images.pixels.split(256):
        maps = part.permute(0, 3, 1, 2).float() / 255
        small.append(to_host(nn.functional.adaptive_avg_pool2d(maps, SMALL).flatten(1)))
    return np.concatenate(small)


def _pooled(x: Tensor, at_most: int) -> Float[Tensor, "n features"]:
    if x.ndim == 2:
        return x
    side = pooled_side(x.shape[1], x.shape[-1], at_most=at_most)
    return nn.functional.adaptive_max_pool2d(x, side).flatten(1)
