"""The photographs that scikit-image brings along."""

import numpy as np

from zfutils.data.free_photographs import free_photographs


def test_four_photographs_are_there_without_a_download_each_with_its_credit():
    found = free_photographs()
    assert [one.name for one in found] == ["cat", "astronaut", "coffee", "rocket"]
    for one in found:
        assert one.pixels.dtype == np.uint8
        assert one.pixels.shape[2] == 3
        assert one.credit.endswith(("CC0", "public domain"))
