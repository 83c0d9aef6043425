"""A picture of one's own, put on the same road as a set of pictures."""

from pathlib import Path

import torch

from zfutils.data.decoding import decode
from zfutils.data.pixels import Pixels


def own_picture(path: Path | str, like: Pixels) -> Pixels:
    """A picture of one's own, as a set of one, squashed to the size of another set and centred as it is.

    Args:
        path: a file; where it is empty, the other set's first image stands in.
        like: the other set.

    Raises:
        UndecodableImage: the file is missing, broken or no image; names it.
    """
    picture = like.pixels[:1] if path == "" else torch.from_numpy(decode(Path(path), like.size).copy())[None]
    label = torch.zeros(1, dtype=torch.int64)
    return Pixels(picture, label, like.mean, ("own picture",), (str(path),), {"source": "own picture"})
