"""Tiles of a unit's window that change places: what is in the window stays, its arrangement does not."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zfutils.nets.geometry import Span, Window, seen_by

TILES = 4  # along a side of the window
SMALLEST_TILE = 4  # pixels; smaller ones would hold no edge


def shuffle_tiles(
    picture: Float[Tensor, "channels h w"], row: int, column: int, field: Window, *, seed: int
) -> bool:
    """Let the tiles of a unit's window change places, in the picture given.

    Args:
        picture: is changed in place.
        row, column: the unit's position in its map.
        field: receptive field of its layer.
        seed: of the cycle in which every tile takes another's place.

    Returns:
        Whether anything moved: False where the picture holds fewer than two tiles of the window.
    """
    tile = max(SMALLEST_TILE, field.kernel // TILES)
    (top, down), (left, right) = (
        _grid(seen_by(unit, field), size, tile)
        for unit, size in zip((row, column), picture.shape[1:], strict=True)
    )
    n = down * right
    if n < 2:
        return False
    part = picture[:, top : top + down * tile, left : left + right * tile]
    tiles = part.unflatten(2, (right, tile)).unflatten(1, (down, tile)).transpose(2, 3).flatten(1, 2)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    cycled = torch.empty_like(tiles)
    cycled[:, order] = tiles[:, order.roll(1)]
    part.copy_(cycled.unflatten(1, (down, right)).transpose(2, 3).flatten(3, 4).flatten(1, 2))
    return True


def _grid(span: Span, size: int, tile: int) -> tuple[int, int]:
    """Where tiles begin along an axis, in the middle of what the picture holds of a span, and how many."""
    start, stop = max(span.start, 0), min(span.stop, size)
    n = max(stop - start, 0) // tile
    return start + (stop - start - n * tile) // 2, n
