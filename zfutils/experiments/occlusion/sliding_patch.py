"""What a network says while a patch covers one place of a picture after another (Zeiler & Fergus 2013, §4.2).

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
from torchvision.transforms.functional import gaussian_blur

from zfutils.data.pixels import Pixels
from zfutils.experiments.occlusion.incremental import Incremental
from zfutils.experiments.occlusion.rectangles import Rectangles, Spans
from zfutils.runtime.seeds import mixed

Fill = Literal["grey", "black", "noise", "blurred"]
Measure = Literal["probability", "log-odds", "activation"]


@dataclass(frozen=True)
class Patch:
    """A square that covers part of a picture, and where it goes.

    Its positions form a grid that is centred in the picture: one every `stride` pixels along both axes, as
    many as have their centre in the picture. Where a patch reaches past the border, what is left of it covers
    the picture, so that every pixel is covered by some position.

    Args:
        size: side (pixels).
        stride: from one position to the next (pixels), not more than the size.
        fill: what it shows: "grey", the mean of the training images at each pixel; "black"; "noise", every
            pixel and colour drawn anew; "blurred", the picture itself, by a Gaussian whose standard deviation
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
    """What a network said of n pictures with a patch at each of p × q positions, and without it."""

    patch: Patch
    layer: str
    rows: Int64[np.ndarray, " n"]  # of the set
    labels: Int64[np.ndarray, " n"]  # the class that is followed
    maps: Int64[np.ndarray, " n"]  # of the layer, strongest in sum on the whole picture
    logits: Float[np.ndarray, "n p q classes"]
    activations: Float[np.ndarray, "n p q"]  # of that map, summed over its positions
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
        """How much the patch takes away: less on the covered than on the whole picture is above 0.

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
        """Some of the pictures, by their place here."""
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
    images: Pixels,
    chosen: Int64[Tensor, " n"],
    *,
    patch: Patch,
    layer: str = "relu5",
    labels: Int64[Tensor, " n"] | None = None,
    side: int,
    scale: float,
    batch: int = 256,
    seed: int = 0,
    progress: bool = False,
) -> Occlusion:
    """Cover pictures with a patch, position by position, and keep what the network says.

    Args:
        model: a chain of layers (`chains.chain`) that ends in class scores, used as in evaluation.
        images: the set, centred as in training.
        chosen: which of its images.
        patch: the square and its positions.
        layer: whose strongest map is followed; "relu5" is the paper's layer 5.
        labels: the classes that are followed; by default the true ones.
        side: of the centre crop (pixels).
        scale: what centred pixels are multiplied by, as in training.
        batch: positions at a time; bounds the memory.
        seed: of noise.
        progress: print a line now and then.

    Raises:
        ValueError: no such layer, a label that is no class of the network, a patch larger than the picture,
            no pictures, a batch below 1.
    """
    if not len(chosen):
        raise ValueError("no pictures to cover")
    labels = images.labels[chosen] if labels is None else labels
    network, rectangles = Incremental(model, layer), patch.rectangles(side, side)
    classes = next((s.module.out_features for s in reversed(network.above) if s.kind == "fc"), None)
    _check_labels(labels.cpu().numpy(), len(chosen), classes)
    device, grid = next(model.parameters()).device, [len(patch.centres(side))] * 2
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("logits", "sums", "plain", "plain_sums")}
    maps = []
    for i, (view,) in enumerate(images.views(chosen, crops=1, batch=1, side=side, scale=scale)):
        image = view.images[0].float()
        filled = _filled(image, images, patch, scale, mixed(seed, int(view.rows[0])))
        answers = network.answers(image.to(device), filled.to(device), rectangles, batch=batch)
        strongest = int(answers.plain_sums.argmax())
        maps.append(strongest)
        found["logits"].append(answers.logits.cpu().numpy().reshape(*grid, -1))
        found["sums"].append(answers.sums[:, strongest].cpu().numpy().reshape(grid))
        found["plain"].append(answers.plain_logits.cpu().numpy())
        found["plain_sums"].append(answers.plain_sums[strongest].cpu().numpy())
        if progress and ((i + 1) % 32 == 0 or i + 1 == len(chosen)):
            print(f"occlusion: {i + 1} of {len(chosen)} pictures, {len(rectangles)} positions", flush=True)
    arrays = {name: np.stack(values) for name, values in found.items()}
    return Occlusion(
        patch,
        layer,
        chosen.cpu().numpy(),
        labels.cpu().numpy().astype(np.int64),
        np.array(maps),
        arrays["logits"],
        arrays["sums"],
        arrays["plain"],
        arrays["plain_sums"],
    )


def _filled(image: Tensor, images: Pixels, patch: Patch, scale: float, seed: int) -> Tensor:
    """What the patch shows, as a whole picture in the network's units, where 0 is the mean."""
    if patch.fill == "grey":
        return torch.zeros_like(image)
    if patch.fill == "blurred":
        sigma = patch.size / 4
        side = min(2 * math.ceil(2 * sigma) + 1, 2 * min(image.shape[1:]) - 1)  # what reflection allows
        return gaussian_blur(image, [side, side], [sigma, sigma])
    corner, side = (images.size - image.shape[1]) // 2, image.shape[1]
    mean = images.mean[corner : corner + side, corner : corner + side].permute(2, 0, 1)
    if patch.fill == "black":
        return -scale * mean
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(256, image.shape, generator=generator).to(mean)
    return scale * (noise - mean)


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


def _check_labels(labels: np.ndarray, n: int, classes: int | None) -> None:
    if labels.shape != (n,):
        raise ValueError(f"one label for each of {n} pictures, not {labels.shape}")
    wrong = labels[(labels < 0) | (labels >= classes)] if classes else labels[:0]
    if len(wrong):
        raise ValueError(f"label {wrong[0]} is no class of this network, which has 0 … {classes - 1}")
