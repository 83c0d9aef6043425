"""Features of a frozen network, layer by layer, and what needs no network (Zeiler & Fergus 2013, §5.2, §5.3).

The paper keeps layers 1 to 7 as they are and trains a new softmax, or an SVM, on what a layer gives; it does
not say what becomes of the large maps of layers 1 to 5. Here they are pooled: each map is cut into k × k
regions and the largest value of each is kept, as the network's own pooling does it, with the largest k
that leaves at most 1,200 features. So every layer, trained or random, gives vectors of about the same length.

The one idea: the chain is walked once, no further than the last layer that is asked for.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.data.pixels import Pixels
from zfutils.nets.specs import NetworkSpec

LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5", "relu6", "relu7")
TABLE_7 = ("relu1", "relu2", "relu3", "relu4", "relu5", "relu7")  # the paper leaves layer 6 out
AT_MOST = 1200  # features of a layer with maps
BINS = 8  # of each colour


def pooled_side(maps: int, size: int, *, at_most: int = AT_MOST) -> int:
    """Into how many regions along either side a map is pooled.

    Args:
        maps: of the layer.
        size: side of a map.
        at_most: features of the layer; a layer of more maps than that keeps one a map.
    """
    return max(1, min(size, math.isqrt(at_most // maps)))


def pooled_sizes(spec: NetworkSpec, layers: Sequence[str], *, at_most: int = AT_MOST) -> pd.DataFrame:
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
    _known(layers, tuple(stages), spec.name)
    rows = []
    for layer in layers:
        stage = stages[layer]
        side = pooled_side(stage.maps, stage.size, at_most=at_most)
        rows.append((layer, stage.maps, stage.size, side, stage.maps * side**2))
    return pd.DataFrame(rows, columns=["layer", "maps", "size", "pooled", "features"])


@torch.no_grad()
def features(
    model: nn.Sequential,
    images: Pixels,
    layers: Sequence[str],
    *,
    side: int,
    scale: float,
    at_most: int = AT_MOST,
    batch: int = 128,
    progress: bool = False,
) -> dict[str, Float[np.ndarray, "n features"]]:
    """What layers give for the centre crop of every image, in one pass through a network in eval mode.

    Args:
        model: named layers in their order, as `NetworkSpec.build` gives it; it is left as it was.
        images: centred as the network's training images.
        layers: after which of them; maps are pooled to `pooled_side` regions a side.
        side: of the crop (pixels).
        scale: centred pixels are multiplied by this, as in training.
        at_most: features of a layer with maps.
        batch: images at a time.
        progress: print a line now and then.

    Returns:
        float32, by layer in the order asked for.

    Raises:
        ValueError: a layer that is not there, or none is asked for; names those that are.
    """
    steps = dict(model.named_children())
    _known(layers, tuple(name for name in steps if name.startswith("relu")), "this network")
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    last = max(list(steps).index(layer) for layer in layers)
    walked, done = list(steps.items())[: last + 1], 0
    found: dict[str, Tensor] = {}
    was_training = model.training
    model.eval()
    try:
        views = images.views(torch.arange(len(images)), crops=1, batch=batch, side=side, scale=scale)
        for (view,) in views:
            x = view.images.to(device)
            for name, module in walked:
                x = module(x)
                if name in layers:
                    pooled = _pooled(x, at_most)
                    if not done:
                        found[name] = torch.empty(len(images), pooled.shape[1])
                    found[name][done : done + len(pooled)] = pooled
            done += len(view.rows)
            if progress and (done // batch % 16 == 0 or done == len(images)):
                print(f"features: {done:,} of {len(images):,} images", flush=True)
    finally:
        model.train(was_training)
    return {layer: found[layer].numpy() for layer in layers}


def colour_histogram(images: Pixels, *, bins: int = BINS) -> Float[np.ndarray, "n features"]:
    """Share of an image's pixels in each cell of colour space: what colour alone tells.

    Args:
        images: whole, not cropped.
        bins: along each of the three colours (or the one grey).

    Raises:
        ValueError: fewer than 2 bins, or more than 256.
    """
    if not 2 <= bins <= 256:
        raise ValueError(f"a histogram has 2 to 256 bins a colour, not {bins}")
    n, channels = len(images), images.pixels.shape[-1]
    found = np.empty((n, bins**channels), dtype=np.float32)
    steps = bins ** np.arange(channels)[::-1]
    for i in range(n):
        pixels = images.pixels[i].cpu().numpy().reshape(-1, channels).astype(np.int64)
        found[i] = np.bincount((pixels * bins // 256) @ steps, minlength=bins**channels) / len(pixels)
    return found


def raw_pixels(images: Pixels, *, size: int = 16, batch: int = 256) -> Float[np.ndarray, "n features"]:
    """The image itself, made small by averaging: what needs no features at all.

    Args:
        images: whole, not cropped.
        size: side of what is left (pixels).
        batch: images at a time.

    Raises:
        ValueError: larger than the images, or below 1.
    """
    if not 1 <= size <= images.size:
        raise ValueError(f"images of {images.size} px cannot be made {size} px small")
    small = []
    for part in images.pixels.split(batch):
        maps = part.permute(0, 3, 1, 2).float() / 255
        small.append(nn.functional.adaptive_avg_pool2d(maps, size).flatten(1).cpu())
    return torch.cat(small).numpy()


def _pooled(x: Tensor, at_most: int) -> Float[Tensor, "n features"]:
    if x.ndim == 2:
        return x
    side = pooled_side(x.shape[1], x.shape[-1], at_most=at_most)
    return nn.functional.adaptive_max_pool2d(x, side).flatten(1)


def _known(layers: Sequence[str], there: Sequence[str], where: str) -> None:
    if not layers:
        raise ValueError(f"no layer is asked for; {where} has {', '.join(there)}")
    if unknown := [layer for layer in layers if layer not in there]:
        raise ValueError(f"layer {unknown[0]!r} is not in {where}; it has {', '.join(there)}")
