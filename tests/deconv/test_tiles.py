"""Tiles of a window that change places."""

import torch

from zfutils.deconv.tiles import shuffle_tiles
from zfutils.nets.geometry import Window


def test_every_tile_of_the_window_moves_and_nothing_else_changes():
    before = torch.arange(3 * 40 * 40, dtype=torch.float32).reshape(3, 40, 40)
    after = before.clone()
    field = Window(18, 4, 0)  # four tiles of 4 px along a side and a rim of one pixel
    assert shuffle_tiles(after, 2, 3, field, seed=0)
    window = torch.zeros(40, 40, dtype=torch.bool)
    window[9:25, 13:29] = True
    assert torch.equal(after[:, ~window], before[:, ~window])

    def tiles(picture):
        part = picture[:, 9:25, 13:29]
        return [part[:, y : y + 4, x : x + 4] for y in range(0, 16, 4) for x in range(0, 16, 4)]

    old, new = tiles(before), tiles(after)
    came = [[torch.equal(n, o) for o in old].index(True) for n in new]
    assert sorted(came) == list(range(16))
    assert all(i != j for i, j in enumerate(came))
    again, other = before.clone(), before.clone()
    shuffle_tiles(again, 2, 3, field, seed=0)
    shuffle_tiles(other, 2, 3, field, seed=1)
    assert torch.equal(again, after)
    assert not torch.equal(other, after)


def test_a_window_that_the_border_cuts_is_shuffled_where_it_lies_in_the_picture():
    before = torch.rand(1, 20, 20, generator=torch.Generator().manual_seed(0))
    after, field = before.clone(), Window(16, 4, 8)
    assert shuffle_tiles(after, 0, 2, field, seed=0)  # rows -8…8, columns 0…16: 2 × 4 tiles
    assert (after != before)[0, :8, :16].all()
    assert torch.equal(after[:, 8:], before[:, 8:])
    assert torch.equal(after[:, :, 16:], before[:, :, 16:])
    corner = before.clone()
    assert not shuffle_tiles(corner, 0, 0, Window(16, 4, 12), seed=0)  # one tile alone
    assert torch.equal(corner, before)
