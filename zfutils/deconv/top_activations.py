"""The strongest activations of every feature map over a set of images, in one pass (Fig. 2 and Fig. 4).

Zeiler & Fergus 2013, §4, show for a map the nine strongest activations of a set, each from another image. The
one idea: a map's candidates are ordered by a key of value and image that does not depend on how the images
came, so that batches, shards and orders of reading all end in the same nine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.data.preprocessing import Preprocessing
from zfutils.nets.activations import Images, activations, as_tensor, taken
from zfutils.nets.outline import default_layers
from zfutils.runtime.ranks import Share, stacked

DROPPED_BITS = 7  # of a float32's 24: values are compared at 17 bits, 8e-6 apart, so that rounding ties
IMAGE_BITS = 34


@dataclass(frozen=True)
class TopActivations:
    """The k strongest activations of every map of one layer, strongest first.

    Attributes:
        layer: its name.
        values: the activations, (maps, k).
        images: rows of the set, all different within a map, (maps, k).
        rows, columns: position in the map, 0 in a fully connected layer, (maps, k).
    """

    layer: str
    values: Float[Tensor, "maps k"]
    images: Int64[Tensor, "maps k"]
    rows: Int64[Tensor, "maps k"]
    columns: Int64[Tensor, "maps k"]

    def __len__(self) -> int:
        return len(self.values)

    def of(self, maps: Int64[Tensor, " m"]) -> Self:
        """Those of some of the maps."""
        return type(self)(
            self.layer, self.values[maps], self.images[maps], self.rows[maps], self.columns[maps]
        )

    def on(self, device: torch.device | str) -> Self:
        """The same on a device."""
        return type(self)(self.layer, *(column.to(device) for column in self._columns()))

    def some(self, n: int, *, seed: int) -> Int64[Tensor, " m"]:
        """A random choice of maps, in order, as the paper's figures show them.

        Maps that answer to fewer images than k are left out where n others are there.
        """
        answers = (self.values > 0).all(1).cpu()
        pool = answers.nonzero()[:, 0] if answers.sum() >= n else torch.arange(len(self))
        draw = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))[:n]
        return pool[draw].sort().values.to(self.values.device)

    def _columns(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.values, self.images, self.rows, self.columns


@torch.no_grad()
def top_activations(
    model: nn.Module,
    images: Images,
    *,
    layers: Sequence[str] | None = None,
    k: int = 9,
    batch: int = 64,
    preprocessing: Preprocessing | None = None,
    progress: bool = False,
) -> dict[str, TopActivations]:
    """The k strongest activations of every map of several layers, each from another image, in one pass.

    Values that agree to 17 significant bits count as equal, and the image that stands first in the set goes
    first; so does the position that comes first in reading order. Memory does not grow with the set. Several
    ranks share the images out, and each has the result.

    Args:
        model: any network that `tracing.graph` takes, used as in evaluation.
        images: that are searched, in any form that `nets.activations.taken` takes: a folder, files, arrays,
            a tensor, or `Inputs`, which several ranks share out.
        layers: names of layers: "relu5" is the paper's layer 5; by default the last rectified maps of each
            size (`nets.outline.default_layers`).
        k: how many of each map.
        batch: images at a time.
        preprocessing: of files and arrays of bytes; by default what torchvision's weights ask for.
        progress: print a line now and then.

    Returns:
        By layer, in the order asked for, where the network's weights are.

    Raises:
        ValueError: no such layer; fewer images than k; an activation that is NaN (names the layer and the
            image).
    """
    inputs = taken(model, images, preprocessing)
    if layers is None:
        layers = default_layers(model, as_tensor(inputs[:1]))
    if not 1 <= k <= len(inputs):
        raise ValueError(f"{k} activations of different images were asked for, of a set of {len(inputs)}")
    share = Share.of(len(inputs), batch)
    if isinstance(inputs, Tensor) and not share.whole:
        raise ValueError("several ranks share out an Inputs, not a tensor")
    found: dict[str, TopActivations] = {}
    done = 0
    for seen in activations(model, inputs if share.whole else inputs[share.own], layers, batch=share.batch):
        for layer, x in seen.layers.items():
            found[layer] = _updated(found.get(layer), layer, x, seen.rows, k)
        done += len(seen.rows)
        if progress and (done % (16 * batch) < len(seen.rows) or done == len(inputs)):
            print(f"strongest activations: {done:,} of {len(inputs):,} images", flush=True)
    return found if share.whole else {layer: _of_all_ranks(best, k) for layer, best in found.items()}


def _of_all_ranks(best: TopActivations, k: int) -> TopActivations:
    """The k strongest of all ranks, from those of this rank's images, which may be fewer."""
    columns = [
        nn.functional.pad(column, (0, k - column.shape[1]), value=-math.inf if number == 0 else 0)
        for number, column in enumerate(best._columns())
    ]
    every = [stacked(column).transpose(0, 1).flatten(1) for column in columns]  # (maps, ranks × k)
    order = _keys(every[0], every[1]).argsort(1, descending=True)[:, :k]
    return TopActivations(best.layer, *(column.gather(1, order) for column in every))


def _updated(best: TopActivations | None, layer: str, x: Tensor, images: Tensor, k: int) -> TopActivations:
    """What is kept after one more batch; only the maps that enter are searched for the place."""
    maps_of = x[:, :, None, None] if x.ndim == 2 else x
    peaks = greatest(maps_of).T
    if peaks.isnan().any():
        where = images[peaks.isnan().any(0)][0]
        raise ValueError(f"{layer} gives NaN for image {int(where)} of the set")
    came = images.expand(len(peaks), -1)
    values = peaks if best is None else torch.cat([best.values, peaks], 1)
    numbers = came if best is None else torch.cat([best.images, came], 1)
    keys = _keys(values, numbers)
    order = keys.topk(min(k, keys.shape[1]), sorted=True).indices
    kept = 0 if best is None else best.values.shape[1]
    places = [torch.zeros_like(order), torch.zeros_like(order)]
    if best is not None:
        places = [t.gather(1, order.clamp(max=kept - 1)) for t in (best.rows, best.columns)]
    maps, ranks = (order >= kept).nonzero(as_tuple=True)
    if len(maps):
        entered = maps_of[order[maps, ranks] - kept, maps].flatten(1)
        first = rounded(entered).argmax(1)  # of equals the first
        places[0][maps, ranks], places[1][maps, ranks] = first // x.shape[-1], first % x.shape[-1]
        if x.ndim == 2:
            places[1][maps, ranks] = 0
    return TopActivations(layer, values.gather(1, order), numbers.gather(1, order), *places)


def greatest(maps: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n maps"]:
    """The largest value of every map; NaN where any is.

    One axis after the other in the order of memory: on a CPU, PyTorch takes four times as long for both axes
    of 24 maps at once.
    """
    return maps.permute(0, 2, 3, 1).amax(1).amax(1)


def rounded(values: Float[Tensor, "*shape"]) -> Int64[Tensor, "*shape"]:
    """Whole numbers in the order of the values, equal where the values agree to 17 significant bits."""
    bits = values.float().contiguous().view(torch.int32).long()
    ordered = torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    return (ordered + (1 << (DROPPED_BITS - 1))) >> DROPPED_BITS


def _keys(values: Tensor, images: Tensor) -> Tensor:
    """Keys that are greater for a stronger activation, and among equals for an earlier image."""
    return (rounded(values) << IMAGE_BITS) - images
