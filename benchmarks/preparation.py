"""What one core prepares in a second: JPEG files of ImageNet's size made squares, and pictures drawn."""

import statistics
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from benchmarks import Options, difference, folder, ratios, row, side_by_side
from zfutils.data.decoding import decode
from zfutils.data.parts import PartsImages
from zfutils.study.speed import Row

AS_LARGE = (400, 350)  # of ImageNet's photographs on average (pixels), Russakovsky 2015, §3
SQUARE = 256
FILES, QUALITY = 16, 95
DRAWN = 128  # side of a drawn picture (pixels)
REACH = 150  # of these a second and core


def measure(options: Options) -> Iterator[Row]:
    """Both, in this process alone."""
    paths = photographs(Path(folder().name) / "photographs")
    apart = max(
        difference(path.name, *(torch.tensor(way(path)).float() for way in (ours, plainly)), within=0)
        for path in paths
    )
    files = {way: cycle(paths) for way in (ours, plainly, decoded)}
    ways = {way.__name__: lambda way=way: way(next(files[way])) for way in files}
    seconds = side_by_side(ways, repeats=options.repeats, times=2 * FILES, before=FILES // 2)
    alone = ratios(seconds["decoded"], seconds["plainly"])
    yield row(
        "preparation/JPEG",
        f"a JPEG of {AS_LARGE[0]} × {AS_LARGE[1]} px made a square of {SQUARE} px",
        "Pillow's decoding alone",
        ratios(seconds["decoded"], seconds["ours"]),
        "of its rate",
        ceiling=statistics.median(alone),
        difference=apart,
        context={f"images a second, {way}": 1 / statistics.median(s) for way, s in seconds.items()},
    )
    pictures = iter(PartsImages("train", n=100_000, size=DRAWN))
    drawing = side_by_side(
        {"drawn": partial(next, pictures)}, repeats=options.repeats, times=options.units, before=5
    )
    yield row(
        "preparation/drawing",
        f"pictures of parts drawn at {DRAWN} px",
        "–",
        [1 / s for s in drawing["drawn"]],
        "pictures/s, one core",
        bar=REACH,
    )


def photographs(folder: Path) -> list[Path]:
    """Drawn scenes as JPEG files."""
    folder.mkdir(exist_ok=True)
    scenes = PartsImages("train", n=FILES, size=max(AS_LARGE))
    paths = [folder / f"{index}.JPEG" for index in range(FILES)]
    for index, path in enumerate(paths):
        Image.fromarray(scenes[index][: AS_LARGE[1]]).save(path, quality=QUALITY)
    return paths


def ours(path: Path) -> np.ndarray:
    """As a store is built."""
    return decode(path, SQUARE, fit="crop")


def plainly(path: Path) -> np.ndarray:
    """Pillow's own functions, without a look at what may be wrong with the file."""
    with Image.open(path) as image:
        return np.asarray(ImageOps.fit(image, (SQUARE, SQUARE), Image.Resampling.BICUBIC))


def decoded(path: Path) -> None:
    """Pillow's decoding alone."""
    with Image.open(path) as image:
        image.load()
