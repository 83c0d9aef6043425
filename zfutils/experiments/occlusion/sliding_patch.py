"""What a network says while a patch slides over a picture (Zeiler & Fergus 2013, §4.2).

The paper slides a grey square and follows the probability of the true class, the most probable class, and the
summed activation of the layer-5 map that is strongest on the whole picture. Size, stride and grey level are
not in the paper and are parameters here. Only what the patch reaches is computed again (`incremental`).
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.special import log_softmax, logsumexp
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.data.preprocessing import Preprocessing
from zfutils.data.transformations import blurred
from zfutils.experiments.occlusion.incremental import Incremental, takes
from zfutils.experiments.occlusion.plain import Plain
from zfutils.experiments.occlusion.rectangles import Rectangles, Spans
from zfutils.nets.activations import Images, as_tensor, batches, taken
from zfutils.nets.outline import default_layers
from zfutils.runtime.devices import device_of, dtype_of, to_host
from zfutils.runtime.seeds import mixed

Fill = Literal["grey", "black", "noise", "blurred"]
Measure = Literal["probability", "log-odds", "activation"]
ALONG = 14  # steps along a side, where no patch is given


@dataclass(frozen=True)
class Patch:
    """A square that covers part of an image, and where it goes.

    Its positions form a grid that is centred in the image: one every `stride` pixels along both axes, as
    many as have their centre in the image. Where a patch reaches past the border, what is left of it covers
    the image, so that every pixel is covered by some position.

    Args:
        size: side (pixels).
        stride: from one position to the next (pixels), not more than the size.
        fill: what it shows: "grey", the mean of the training images at each pixel; "black"; "noise", every
            pixel and colour drawn anew; "blurred", the image itself, by a Gaussian whose standard deviation
            is a quarter of the size.

    Raises:
        ValueError: a size or stride below 1, a stride that leaves pixels uncovered, or an unknown fill.
    """

    size: int
    stride: int
    fill: Fill = "grey"

    def __post_init__(self) -> None:
        if self.size < 1 or self.stride < 1:
            raise ValueError(f"size and stride are 1 pixel or more, not {self.size} and {self.stride}")
        if self.stride > self.size:
            raise ValueError(f"a stride of {self.stride} px leaves pixels uncovered by {self.size} px")
        if self.fill not in Fill.__args__:
            raise ValueError(f"fill is one of {', '.join(Fill.__args__)}, not {self.fill!r}")

    def spans(self, side: int) -> Spans:
        """What each position covers along an axis of a picture of that side.

        Raises:
            ValueError: the patch is larger than the picture.
        """
        starts = self._starts(side)
        return Spans(starts.clip(min=0), (starts + self.size).clip(max=side))

    def centres(self, side: int) -> Int64[np.ndarray, " p"]:
        """The pixel under the middle of each position, along an axis; of two, the second."""
        return self._starts(side) + self.size // 2

    def _starts(self, side: int) -> Int64[np.ndarray, " p"]:
        if self.size > side:
            raise ValueError(f"a patch of {self.size} px is larger than the picture of {side} px")
        n = (side - 1) // self.stride + 1
        return (side - (n - 1) * self.stride - self.size) // 2 + self.stride * np.arange(n)

    def rectangles(self, height: int, width: int) -> Rectangles:
        """All positions in a picture, row by row."""
        rows, columns = self.spans(height), self.spans(width)
        p, q = len(rows.starts), len(columns.starts)
        return Rectangles(
            Spans(*(ends.repeat(q) for ends in rows)), Spans(*(np.tile(ends, p) for ends in columns))
        )

    def under(self, values: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n p q"]:
        """Sums of a picture's values under the patch, at each position."""
        n, h, w = values.shape
        total = np.zeros((n, h + 1, w + 1))
        total[:, 1:, 1:] = values.cumsum(1, dtype=np.float64).cumsum(2)
        (top, bottom), (left, right) = self.spans(h), self.spans(w)
        by_row = total[:, bottom] - total[:, top]
        return by_row[:, :, right] - by_row[:, :, left]

    def at_centres(self, values: np.ndarray) -> np.ndarray:
        """A picture's values (n, h, w) at the centre of each position (n, p, q)."""
        rows, columns = (self.centres(side) for side in values.shape[1:3])
        return values[:, rows[:, None], columns]


@dataclass(frozen=True)
class Occlusion:
    """What a network said of n pictures with a patch at each of p × q positions, and without it.

    Attributes:
        patch, layer: what slid over them, and whose map was followed.
        rows: of the set.
        labels: the class that is followed, (n,).
        maps: of each picture the map of the layer that is strongest in sum on the whole picture.
        logits: (n, p, q, classes).
        activations: of that map, summed over its positions, (n, p, q).
        plain_logits, plain_activations: without the patch, (n, classes) and (n,).
    """

    patch: Patch
    layer: str
    rows: Int64[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]
    maps: Int64[np.ndarray, " n"]
    logits: Float[np.ndarray, "n p q classes"]
    activations: Float[np.ndarray, "n p q"]
    plain_logits: Float[np.ndarray, "n classes"]
    plain_activations: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def probabilities(self) -> Float[np.ndarray, "n p q classes"]:
        """Of each class at each position."""
        return np.exp(log_softmax(self.logits.astype(np.float64), axis=-1))

    @property
    def probability(self) -> Float[np.ndarray, "n p q"]:
        """Of the class that is followed."""
        return np.exp(_own(log_softmax(self.logits.astype(np.float64), axis=-1), self.labels))

    @property
    def predicted(self) -> Int64[np.ndarray, "n p q"]:
        """The most probable class at each position."""
        return self.logits.argmax(-1)

    @property
    def plain_predicted(self) -> Int64[np.ndarray, " n"]:
        """The most probable class of the whole picture."""
        return self.plain_logits.argmax(-1)

    @property
    def plain_probability(self) -> Float[np.ndarray, " n"]:
        """Of the class that is followed, on the whole picture."""
        return np.exp(_own(log_softmax(self.plain_logits.astype(np.float64), axis=-1), self.labels))

    def fall(self, measure: Measure = "probability") -> Float[np.ndarray, "n p q"]:
        """How much the patch takes away: the value on the whole picture minus that on the covered one.

        Args:
            measure: the followed class's "probability" or "log-odds" (natural logarithm); or the map's
                summed "activation", as a share of what it is on the whole picture (0 where that is 0).

        Raises:
            ValueError: another measure.
        """
        if measure == "probability":
            return self.plain_probability[:, None, None] - self.probability
        if measure == "log-odds":
            plain, covered = (_log_odds(v, self.labels) for v in (self.plain_logits, self.logits))
            return plain[:, None, None] - covered
        if measure == "activation":
            plain = self.plain_activations[:, None, None].astype(np.float64)
            return (plain - self.activations) / np.where(plain == 0, np.inf, plain)
        raise ValueError(f"measure is one of {', '.join(Measure.__args__)}, not {measure!r}")

    def of(self, places: Int64[np.ndarray, " m"]) -> Self:
        """Some of the pictures, by their positions here."""
        arrays = {k: v[places] for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        return replace(self, **arrays)

    def following(self, labels: Int64[np.ndarray, " n"]) -> Self:
        """The same, with other classes followed.

        Raises:
            ValueError: a label that is no class of the network.
        """
        _check_labels(np.asarray(labels), len(self), self.logits.shape[-1])
        return replace(self, labels=np.asarray(labels, dtype=np.int64))


def occlude(
    model: nn.Module,
    images: Images,
    *,
    patch: Patch | None = None,
    layer: str | None = None,
    labels: Int64[Tensor, " n"] | None = None,
    batch: int = 256,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
    progress: bool = False,
) -> Occlusion:
    """Cover images with a patch, position by position, and keep what the network says.

    Args:
        model: any network (`tracing.graph`) that ends in class scores, used as in evaluation; in a plain
            chain only what the patch reaches is computed again.
        images: in any form that `nets.activations.taken` takes: folder, files, arrays, tensor or `Inputs`.
        patch: the square and its positions; by default a grey one, a quarter of the image's shorter side
            wide, moved by a fourteenth of it.
        layer: whose strongest map is followed; by default the last of `nets.outline.default_layers`, in the
            paper's network layer 5.
        labels: the classes that are followed; by default the true ones, or where these are not known (−1)
            the most probable one of the whole image.
        batch: positions at a time; bounds the memory.
        seed: of noise.
        preprocessing: of files and arrays of bytes; by default what torchvision's weights ask for.
        progress: print a line now and then.

    Raises:
        ValueError: no such layer, a label that is no class of the network, a patch larger than the image,
            images that the network does not take, a batch below 1; of a tensor, a patch that shows pixels.
    """
    if batch < 1:
        raise ValueError(f"batch is {batch}; it must be 1 or more")
    inputs = taken(model, images, preprocessing)
    first = as_tensor(inputs[:1])
    n, shape = len(inputs), tuple(first.shape[1:])
    size = shape[1:]
    if patch is None:
        patch = Patch(max(1, min(size) // 4), max(1, min(size) // ALONG))
    layer = default_layers(model, first)[-1] if layer is None else layer
    positions = patch.rectangles(*size)
    if takes(model, shape):
        network = Incremental(model, layer, positions, shape=shape, batch=batch)
    else:
        network = Plain(model, layer, positions, batch=batch)
    known, rows, found = [], [], []
    for i, view in enumerate(batches(inputs, 1, device=device_of(model), dtype=dtype_of(model)), 1):
        picture, (row,) = view.images[0], view.rows.tolist()
        known.append(int(view.labels))
        rows.append(row)
        answers = network.answers(picture, _shown(patch, picture, inputs, mixed(seed, row)))
        if i == 1 and labels is not None:  # before the other pictures are covered
            labels = to_host(labels).astype(np.int64)
            _check_labels(labels, n, len(answers.plain_logits))
        strongest = answers.plain_sums.argmax(0, keepdim=True)
        sums = (s.index_select(-1, strongest)[..., 0] for s in (answers.sums, answers.plain_sums))
        found.append((strongest[0], answers.logits, answers.plain_logits, *sums))
        if progress and (i % 32 == 0 or i == n):
            print(f"occlusion: {i} of {n} pictures, {len(positions)} positions", flush=True)
    maps, logits, plain_logits, sums, plain_sums = (
        to_host(torch.stack(each)) for each in zip(*found, strict=True)
    )
    if labels is None:
        labels = np.where(np.array(known) < 0, plain_logits.argmax(1), known)
        _check_labels(labels, n, plain_logits.shape[1])
    grid = (n, *(len(patch.centres(side)) for side in size))
    return Occlusion(
        patch,
        layer,
        rows=np.array(rows),
        labels=labels,
        maps=maps,
        logits=logits.reshape(*grid, -1),
        activations=sums.reshape(grid),
        plain_logits=plain_logits,
        plain_activations=plain_sums,
    )


def _shown(patch: Patch, image: Tensor, inputs: Inputs | Tensor, seed: int) -> Tensor:
    """What the patch shows, as a whole picture in the network's units, where 0 is the training mean.

    Raises:
        ValueError: pixels of 0…255, of which a tensor does not say what they are to the network.
    """
    if patch.fill == "grey":
        return torch.zeros_like(image)
    if patch.fill == "blurred":
        sigma = patch.size / 4
        side = min(2 * math.ceil(2 * sigma) + 1, 2 * min(image.shape[1:]) - 1)  # what reflection allows
        return blurred(image, sigma, side=side)
    if isinstance(inputs, Tensor):
        raise ValueError(f"a patch of a preprocessed tensor is grey or blurred, not {patch.fill}")
    colours = torch.zeros(image.shape)
    if patch.fill == "noise":
        generator = torch.Generator().manual_seed(seed)
        colours = torch.randint(256, image.shape, generator=generator)
    return inputs.centred(colours).to(image)


def _own(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n, …) of (n, …, classes): those of each picture's own class."""
    place = labels.reshape(-1, *[1] * (values.ndim - 1))
    return np.take_along_axis(values, place, axis=-1)[..., 0]


def _log_odds(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    others = logits.copy()
    place = np.broadcast_to(labels.reshape(-1, *[1] * (logits.ndim - 1)), (*logits.shape[:-1], 1))
    np.put_along_axis(others, place, -np.inf, axis=-1)
    return _own(logits, labels) - logsumexp(others, axis=-1)


def _check_labels(labels: np.ndarray, n: int, classes: int) -> None:
    if labels.shape != (n,):
        raise ValueError(f"one label for each of {n} pictures, not {labels.shape}")
    if len(wrong := labels[(labels < 0) | (labels >= classes)]):
        raise ValueError(f"label {wrong[0]} is no class of this network, which has 0 … {classes - 1}")
