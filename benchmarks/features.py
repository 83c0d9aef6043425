"""Features of Table 7's layers, pooled and kept, against a bare forward pass through the same layers.

Both sides take the same centre crops from a store of pixels, so that what differs is the pooling, the copies
and the joining.
"""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks import Options, row, side_by_side
from zfutils.data.inputs import Inputs
from zfutils.data.parts import PartsImages
from zfutils.data.stores import build
from zfutils.experiments.transfer.features import TABLE_7, features
from zfutils.nets import zoo
from zfutils.nets.layers import layers_of
from zfutils.runtime.devices import chosen_device, keep_memory, to_host
from zfutils.training.initialisation import initialise

AT_MOST = 1.15  # times a bare forward pass


def measure(options: Options) -> list[dict[str, object]]:
    """On parts pictures in a folder that is removed afterwards."""
    keep_memory()
    options = replace(options, precision="float32")
    with tempfile.TemporaryDirectory() as temporary:
        source = PartsImages("validation", n=options.pictures, size=options.image)
        images = build(source, Path(temporary) / "pixels", progress=False)
        spec = zoo.zfnet(len(images.classes), options.image).scaled(options.width)
        model = spec.build().eval()
        initialise(model, "small-first", seed=0, paper=spec)
        model = model.to(device := chosen_device(), memory_format=torch.channels_last)
        inputs = Inputs.of(images, side=options.image, scale=1 / 64)
        walked = model[: list(layers_of(model)).index(TABLE_7[-1]) + 1]

        @torch.no_grad()
        def bare() -> np.ndarray:
            batches = inputs.batches(options.batch, device=device)
            return to_host(torch.cat([walked(batch.images) for batch in batches]))

        extract = partial(features, model, inputs, TABLE_7, batch=options.batch)
        np.testing.assert_array_equal(extract()[TABLE_7[-1]], bare())
        seconds = side_by_side({"bare": bare, "features": extract}, pairs=options.pairs)
    ratios = [b / a for a, b in zip(seconds["bare"], seconds["features"], strict=True)]
    what = f"features of {len(TABLE_7)} layers over a bare forward pass"
    shown = row(what, ratios, "ratio", options, pictures=options.pictures)
    return [shown | {"reach": AT_MOST, "reached": shown["median"] <= AT_MOST}]
