"""The strongest nine of every map of layers 1 to 5, and Table 7's features, against a bare forward pass.

All take the same batches of the same centre crops through the same layers of the paper's network, so that
what differs is the search, or the pooling, the copies and the joining.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks import SCALE, Options, difference, drawn, network, ratios, row, side_by_side, zfnet
from zfutils.data.inputs import Inputs
from zfutils.deconv.top_activations import top_activations
from zfutils.experiments.transfer.features import TABLE_7, features
from zfutils.nets.layers import layers_of
from zfutils.runtime.devices import device_of
from zfutils.study.speed import Row

LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5")
AT_MOST = 1.15  # times a bare forward pass
BATCH = 32


def measure(options: Options) -> Iterator[Row]:
    """Both, on drawn pictures."""
    model = network(zfnet(options))
    inputs = Inputs.of(drawn(options.pictures, options.side), scale=SCALE)

    def bare(last: str, keep: Callable[[Tensor], Tensor]) -> Tensor:
        walked = model[: list(layers_of(model)).index(last) + 1]
        with torch.no_grad():
            return torch.cat(
                [keep(walked(batch.images)) for batch in inputs.batches(BATCH, device=device_of(model))]
            )

    search = partial(top_activations, model, inputs, layers=LAYERS, batch=BATCH)
    extract = partial(features, model, inputs, TABLE_7, batch=BATCH)
    pairs = {
        "strongest": ("the strongest nine of layers 1 to 5", LAYERS[-1], lambda x: x.amax((2, 3)), search),
        "features": ("features of layers 1 to 5 and 7", TABLE_7[-1], lambda x: x, extract),
    }
    for name, (work, last, keep, ours) in pairs.items():
        plain, found = bare(last, keep), ours()[last]
        if name == "strongest":
            apart = difference(name, found.values, plain.topk(found.values.shape[1], 0).values.T)
        else:
            apart = difference(name, torch.from_numpy(found).to(plain.device), plain)
        ways = {"bare": partial(bare, last, lambda x: x.new_empty(0)), "ours": ours}
        seconds = side_by_side(ways, repeats=options.repeats)
        yield row(
            name,
            f"{work}, of {len(inputs)} pictures",
            "a bare forward pass",
            ratios(seconds["ours"], seconds["bare"]),
            "times its seconds",
            bar=AT_MOST,
            at_most=True,
            ceiling=1.0,
            difference=apart,
        )
