"""A small tree in Tiny-ImageNet's own layout."""

import numpy as np
from PIL import Image

WORDS = {"n02": "crane, wading bird", "n01": "crane, machine", "n03": "lemon"}


def draw(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((64, 64, 3), level, np.uint8)).save(path)


def written(root):
    """Three classes of two training pictures and a validation picture each, below a data folder."""
    folder = root / "tiny-imagenet-200"
    folder.mkdir(parents=True)
    (folder / "wnids.txt").write_text("n02\nn01\nn03\n")
    words = {**WORDS, "n09": "something else"}
    (folder / "words.txt").write_text("".join(f"{wnid}\t{text}\n" for wnid, text in words.items()))
    annotations = ""
    for k, wnid in enumerate(WORDS):
        listed = ""
        for i in range(2):
            draw(folder / "train" / wnid / "images" / f"{wnid}_{i}.JPEG", 20 * k + 7 * i)
            listed += f"{wnid}_{i}.JPEG\t{k}\t{i}\t{40 + k}\t{50 + i}\n"
        (folder / "train" / wnid / f"{wnid}_boxes.txt").write_text(listed)
        draw(folder / "val" / "images" / f"val_{k}.JPEG", 130 + 20 * k)
        annotations += f"val_{k}.JPEG\t{wnid}\t1\t2\t3\t{4 + k}\n"
    (folder / "val" / "val_annotations.txt").write_text(annotations)
    return root
