"""Draws a small ImageNet and a smaller Caltech-101, for the edition imagenet-rehearsal.

    python tests/rehearsal_tree.py FOLDER     then ZFUTILS_DATA=FOLDER make book EDITION=imagenet-rehearsal

Drawn scenes in ImageNet's layout, wide and tall, and among them what is awkward in ImageNet itself: a PNG
that is called .JPEG, CMYK, grey, a turned picture, one that breaks off, and files that are no pictures.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from zfutils.data.parts import PartsImages

SIDE = 280  # of a drawn scene, of which a picture shows 256 px along its shorter side (pixels)
EACH = {"train": 4, "val": 1}  # pictures of a class
TARGET = 16  # pictures of a class of the little Caltech-101
ORIENTATION = 0x0112  # of EXIF


def picture(source: PartsImages, index: int) -> Image.Image:
    """A scene, wide or tall."""
    scene = source[index]
    wide = scene[12:-12] if index % 2 else scene[:, 12:-12]
    return Image.fromarray(np.ascontiguousarray(wide))


def tree(root: Path) -> Path:
    """Write both sets below a data folder; returns that of ImageNet."""
    folder = root / "imagenet-rehearsal"
    for split, drawn in (("train", "train"), ("val", "validation")):
        n = len(PartsImages(drawn, n=64, size=SIDE).classes) * EACH[split]
        source = PartsImages(drawn, n=n, size=SIDE, field=280 / 224)
        for index, label in enumerate(source.labels):
            number = f"n{label:08d}"
            path = folder / split / number / f"{number}_{index}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(source, index).save(path, quality=90)
    awkward(sorted((folder / "train").glob("*/*.JPEG")))
    held = PartsImages("train", n=20 * TARGET, size=96, held_out=True)
    for index, label in enumerate(held.labels):
        kind = held.classes[label].replace(" ", "_")
        path = root / "caltech101" / "101_ObjectCategories" / kind / f"image_{index:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(held[index]).save(path)
    return folder


def awkward(paths: list[Path]) -> None:
    """Make some of the files what ImageNet's own are here and there."""
    png, cmyk, grey, turned, broken = paths[1:40:8]
    with Image.open(png) as image:
        image.save(png, format="PNG")
    for path, mode in ((cmyk, "CMYK"), (grey, "L")):
        with Image.open(path) as image:
            image.convert(mode).save(path)
    with Image.open(turned) as image:
        exif = image.getexif()
        exif[ORIENTATION] = 6
        image.rotate(90, expand=True).save(turned, exif=exif)
    broken.write_bytes(broken.read_bytes()[:4000])
    (broken.parent / "._hidden.JPEG").write_bytes(b"\0" * 82)
    (broken.parent / "notes.txt").write_text("no picture\n")


if __name__ == "__main__":
    tree(Path(sys.argv[1]))
