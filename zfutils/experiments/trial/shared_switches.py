"""What two poolings give that share a switch, by the rule that the paper leaves open (chapter 14)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.experiments.trial.correlations import correlation, inside_picture
from zfutils.experiments.trial.faithfulness import by_picture, units_of
from zfutils.runtime.devices import to_host


def shared_switches(
    model: nn.Module,
    inputs: Inputs,
    *,
    layers: Sequence[str] = ("relu3", "relu5"),
    maps_a_picture: int = 4,
    batch: int = 32,
) -> pd.DataFrame:
    """What the rule for switches that two poolings share changes in projections, against adding up.

    Args:
        layers: convolutional ones; the other arguments are as in `faithfulness.recovery`.

    Returns:
        One row per layer, picture and rule: layer, picture, rule (last or largest), correlation (Pearson,
        over pixels and colours of the window) and difference (norm of the difference over the norm of the
        projection by adding up), means over the picture's maps; maps (how many).

    Raises:
        ValueError: as `faithfulness.recovery`.
    """
    pictures, tables = inputs.tensor(), []
    for layer in layers:
        units = units_of(Deconvnet(model), inputs, layer, maps_a_picture, batch)
        added = Deconvnet(model).project(pictures, layer, units, batch=batch)
        inside, pixels = inside_picture(added, pictures.shape[-2:]), to_host(added.pixels)
        for rule in ("last", "largest"):
            other = Deconvnet(model, shared=rule).project(pictures, layer, units, batch=batch)
            alike = [correlation(*three) for three in zip(pixels, to_host(other.pixels), inside, strict=True)]
            apart, whole = (p.flatten(1).norm(dim=1) for p in (other.pixels - added.pixels, added.pixels))
            values = {"correlation": np.array(alike), "difference": to_host(apart / whole)}
            tables.append(by_picture(inputs, units, **values).assign(layer=layer, rule=rule))
    return pd.concat(tables, ignore_index=True)[
        ["layer", "picture", "rule", "correlation", "difference", "maps"]
    ]


def switch_sharing(model: nn.Module, inputs: Inputs, *, batch: int = 8) -> pd.DataFrame:
    """Share of positive pooled outputs whose maximum is another pooling's maximum too.

    Returns:
        One row per picture and pooling layer: picture, layer, share; NaN where no output is positive.
    """
    deconvnet, found = Deconvnet(model), []
    for step in (s for s in deconvnet.steps if s.kind == "pool"):
        below = deconvnet.steps[step.inputs[0] - 1].name
        for seen in inputs.batches(batch):
            maps = deconvnet.forward(seen.images, below).activations
            pooled, taken = nn.functional.max_pool2d(maps, *step.window, return_indices=True)
            taken = taken.flatten(2)
            counts = torch.zeros_like(maps.flatten(2), dtype=torch.int64)
            counts.scatter_add_(2, taken, torch.ones_like(taken))
            shared = (counts.gather(2, taken) > 1).flatten(1)
            positive = (pooled > 0).flatten(1)
            share = to_host((shared & positive).sum(1) / positive.sum(1))
            found.append(pd.DataFrame({"picture": to_host(seen.rows), "layer": step.name, "share": share}))
    return pd.concat(found, ignore_index=True)
