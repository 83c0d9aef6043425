"""Images of a memory map are read from the disk before they are needed."""

import os
import sys
import time

import numpy as np
import pytest
import torch

from benchmarks.disk import drop, in_memory
from zfutils.data import windows

N, BYTES = 64, 256 * 256 * 3


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say what is in memory")
def test_images_that_are_going_to_be_needed_are_read_and_others_are_not(tmp_path):
    path = tmp_path / "pixels.npy"
    pixels = np.random.default_rng(0).integers(0, 256, (N, 256, 256, 3), dtype=np.uint8)
    with path.open("wb") as file:
        np.save(file, pixels)
        file.flush()
        os.fsync(file.fileno())
    drop(path)
    if in_memory(path):
        pytest.skip("this file system does not let go of files")
    stack = torch.from_numpy(np.load(path, mmap_mode="c"))
    windows.read_ahead(stack, torch.tensor([50, 3, 20]))
    until = time.monotonic() + 30
    while in_memory(path) < 3 / N and time.monotonic() < until:
        time.sleep(0.01)
    assert 3 / N <= in_memory(path) < 4 / N  # but for the header's page and the pages at either end
    assert torch.equal(stack[50], torch.from_numpy(pixels[50]))


def test_images_that_lie_in_no_file_are_left_alone():
    stack = torch.arange(4 * 7 * 5 * 3).to(torch.uint8).reshape(4, 7, 5, 3)
    before = stack.clone()
    windows.read_ahead(stack, torch.tensor([3, 0]))
    assert torch.equal(stack, before)
