"""Pictures of a target set that also stand in the source set (chapter 9, transfer).

Zeiler & Fergus 2013, §5.2: pictures of Caltech-101 and Caltech-256 that also stand in ImageNet are found by
normalised correlation and removed, since a network that was trained on them has an unfair advantage (44 of
9,144 and 243 of 30,607). The one idea that makes it cheap: a thumbnail is the sum of a part that mirroring
keeps and a part whose sign it turns, so the correlation with a picture is the sum of two products of
matrices, and that with its mirror image is their difference.

`SIDE` and `THRESHOLD` were fixed on planted copies and unrelated sets, before any network was tested. Of
6,055 pictures of Caltech-101, none reaches 0.95 with any of Imagenette's and Imagewoof's 18,492 (largest:
0.947, two horizons); of 1,600 held-out pictures of parts none reaches 0.87 with any of 6,000 others, and of
1,600 of the same categories none 0.94. Of 400 planted copies, all are found after JPEG at quality 30, at
half the size, with gamma 1.5, with less contrast, 30 levels brighter, or mirrored; 97 % after JPEG at
quality 10, 99 % with 1.5 % cut off every side, 64 % with 3 %, 15 % with 5 %, and 66 % without their
colours. Larger thumbnails are no better: at 32 px, 19 % are found with 3 % cut off every side. What is
listed is to be looked at: of the 13 pictures of Imagenette's and Imagewoof's validation split that resemble
a training picture so much, five are the same photograph or its neighbour, the others share a plain layout
such as a horizon.
"""

from collections.abc import Iterator

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from zfutils.data.pixels import Pixels
from zfutils.runtime.devices import to_host

SIDE = 16  # pixels of a thumbnail
THRESHOLD = 0.95  # least correlation of a near-duplicate
FLAT = 1.0  # grey levels: a thumbnail with a smaller standard deviation has no pattern to compare
COLUMNS = ("target", "target_name", "source", "source_name", "correlation", "mirrored")  # of the tables
AT_ONCE = 1 << 24  # pixel values that are reduced to thumbnails together (64 MB)
BLOCK = 2048  # pictures of either side compared at once; memory grows with its square (32 MB)


def near_duplicates(source: Pixels, target: Pixels) -> pd.DataFrame:
    """The target's pictures that are in the source too, up to encoding, scale, brightness and mirroring.

    Args:
        source: what a network was trained on.
        target: what it is tried on.

    Returns:
        As `best_matches`, the rows that reach `THRESHOLD` alone, the most alike first.
    """
    found = best_matches(source, target)
    found = found[found["correlation"] >= THRESHOLD]
    return found.sort_values(["correlation", "target"], ascending=[False, True], ignore_index=True)


def best_matches(source: Pixels, target: Pixels) -> pd.DataFrame:
    """For every picture of the target, the source's picture that it is most like, mirrored or not.

    Args:
        source, target: stores of as many channels; their pictures may differ in size.

    Returns:
        One row for each picture of the target, in its order: target, target_name, source, source_name (rows
        and names in the stores), correlation (-1…1), mirrored (the match is with the mirror image). A flat
        picture, `FLAT`, is like no other: correlation 0.
    """
    device = target.pixels.device
    wanted = list(_halves(target))
    best = torch.full((len(target),), -2.0, device=device)
    rows = torch.zeros(len(target), dtype=torch.int64, device=device)
    mirrored = torch.zeros(len(target), dtype=torch.bool, device=device)
    for number, (even, odd) in enumerate(_halves(source)):
        first = number * BLOCK
        even, odd = even.to(device), odd.to(device)
        for start, (target_even, target_odd) in zip(range(0, len(target), BLOCK), wanted, strict=True):
            turning = target_odd @ odd.T
            values, places = (target_even @ even.T).add_(turning.abs()).max(1)
            here = slice(start, start + len(values))
            better = values > best[here]
            best[here] = torch.where(better, values, best[here])
            rows[here] = torch.where(better, first + places, rows[here])
            turned = turning.gather(1, places[:, None])[:, 0] < 0
            mirrored[here] = torch.where(better, turned, mirrored[here])
    chosen = to_host(rows)
    columns = (
        range(len(target)),
        target.names,
        chosen,
        [source.names[row] for row in chosen],
        to_host(best.clamp(-1, 1).double()),
        to_host(mirrored),
    )
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def thumbnails(pictures: Tensor) -> Float[Tensor, "n side side channels"]:
    """Pictures averaged over areas, each channel minus its mean, of unit length: products are correlations.

    Args:
        pictures: uint8 (n, size, size, channels).

    Returns:
        float32, of `SIDE`; 0 throughout for a flat picture.
    """
    side, weights = SIDE, _areas(pictures.shape[1], SIDE).to(pictures.device)
    n, size, _, channels = pictures.shape
    rows = weights @ pictures.float().reshape(n, size, size * channels)
    small = weights @ rows.reshape(n * side, size, channels)
    small = small.reshape(n, side, side, channels)
    small = small - small.mean((1, 2), keepdim=True)
    length = small.flatten(1).norm(dim=1)
    flat = length < FLAT * (side * side * channels) ** 0.5
    return torch.where(flat[:, None, None, None], 0, small / length.clamp_min(1e-6)[:, None, None, None])


def _halves(images: Pixels) -> Iterator[tuple[Tensor, Tensor]]:
    """Thumbnails block by block, as what mirroring keeps and what it turns, (n, features) each."""
    chunk = max(1, min(BLOCK, AT_ONCE // images.pixels[0].numel()))
    for pictures in images.pixels.split(BLOCK):
        small = torch.cat([thumbnails(some) for some in pictures.split(chunk)])
        left, right = small[:, :, : SIDE // 2], small.flip(2)[:, :, : SIDE // 2]
        yield (left + right).flatten(1) / 2**0.5, (left - right).flatten(1) / 2**0.5


def _areas(size: int, side: int) -> Float[Tensor, "side size"]:
    """Share of each of `size` pixels in the mean over each of `side` equal spans."""
    edges = torch.linspace(0, size, side + 1, dtype=torch.float64)
    pixels = torch.arange(size)
    overlap = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (overlap.clamp_min(0) * side / size).float()
