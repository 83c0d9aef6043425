"""How large the signal is in every layer, on the way up and on the way back (Zeiler & Fergus 2013, §3).

Initial weights decide whether a network trains at all: where the standard deviation falls from layer to
layer, the logits say the same of every image and hardly a gradient comes back. Standard deviation 0.01 in
every layer ties that fall to the fan-in, and so to the width; that is measured here before any training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import evaluating
from zfutils.nets.layers import layer_by_layer
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import to_host
from zfutils.training.initialisation import initialise
from zfutils.training.recipe import Initialisation

# What centred pixels are multiplied by. Standard deviation 0.01 belongs to the paper's inputs in ±128, the
# rules after He et al. 2015 to inputs of about unit scale.
INPUT_SCALES: Mapping[Initialisation, float] = {
    "literal": 1.0,
    "fan-in": 1.0,
    "he": 1 / 64,
    "small-first": 1 / 64,
}


def by_layer(
    model: nn.Sequential, images: Float[Tensor, "n channels side side"], labels: Int64[Tensor, " n"]
) -> pd.DataFrame:
    """Standard deviation of activations and gradients in every layer of one network.

    In eval mode, without dropout; the model is left as it was, its `grad` included.

    Args:
        model: as `NetworkSpec.build` gives it.
        images: as the network takes them, where its weights are.
        labels: their classes.

    Returns:
        One row for each layer and `quantity`, with columns layer, depth (1 for the first layer), quantity and
        std, taken over images and units or over weights. "activation" is the ReLU's output, in the last
        layer the logits; "activation gradient" is that of each image's own cross-entropy, so that it does
        not depend on how many images there are; "weight gradient" is that of the mean cross-entropy.
    """
    signals: dict[str, Tensor] = {}
    weights: dict[str, Tensor] = {}
    with evaluating(model), torch.enable_grad():
        for layer in layer_by_layer(model, images):
            if isinstance(layer.module, nn.Conv2d | nn.Linear):
                name, weights[layer.name] = layer.name, layer.module.weight
            if isinstance(layer.module, nn.Conv2d | nn.Linear | nn.ReLU):
                signals[name] = layer.output
        loss = nn.functional.cross_entropy(layer.output, labels)
        gradients = torch.autograd.grad(loss, [*signals.values(), *weights.values()])
    rows = []
    for depth, name in enumerate(signals, 1):
        back, weight = gradients[depth - 1] * len(images), gradients[len(signals) + depth - 1]
        measured = {"activation": signals[name], "activation gradient": back, "weight gradient": weight}
        for quantity, values in measured.items():
            std = float(to_host(values.float().std(correction=0)))
            rows.append({"layer": name, "depth": depth, "quantity": quantity, "std": std})
    return pd.DataFrame(rows)


def by_rule(
    specs: Mapping[str, NetworkSpec],
    inputs: Inputs,
    *,
    paper: NetworkSpec,
    seeds: Sequence[int] = (0, 1, 2),
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """`by_layer` of untrained networks: every spec, initialised by every rule from every seed.

    Float32. The global random state is left as it was.

    Args:
        specs: networks by what the table is to call them; all for images of this side.
        inputs: the images; each rule's are multiplied by its own of `INPUT_SCALES`, not by theirs.
        paper: the network at the paper's size, for "fan-in".
        seeds: of the initial weights.
        device: that computes.

    Returns:
        One row for each network, rule, seed, layer and quantity, with columns network, rule, seed and those
        of `by_layer`.
    """
    labels, tables = inputs.labels.to(device), []
    images = {rule: replace(inputs, scale=scale).tensor(device) for rule, scale in INPUT_SCALES.items()}
    for name, spec in specs.items():
        with torch.random.fork_rng(devices=[]):
            model = spec.build().to(device, memory_format=torch.channels_last)
        for rule, seed in product(INPUT_SCALES, seeds):
            initialise(model, rule, seed=seed, paper=paper)
            table = by_layer(model, images[rule], labels)
            tables.append(table.assign(network=name, rule=rule, seed=seed))
    columns = ["network", "rule", "seed", "layer", "depth", "quantity", "std"]
    return pd.concat(tables, ignore_index=True)[columns]


def logits_ratios(table: pd.DataFrame, *, wide: str, narrow: str) -> dict[Initialisation, pd.Series]:
    """log10 of the logits' standard deviation in one network over that in another, seed by seed.

    Args:
        table: as `by_rule` gives it.
        wide, narrow: what the table calls the two networks; the first is divided by the second.

    Returns:
        By rule, powers of ten indexed by seed; NaN where the logits of both are 0.
    """
    last = table.depth == table.groupby("network").depth.transform("max")
    logits = table[last & (table.quantity == "activation")]
    std = logits.pivot(index="seed", columns=["rule", "network"], values="std")
    with np.errstate(divide="ignore", invalid="ignore"):
        return {rule: np.log10(std[rule, wide] / std[rule, narrow]) for rule in table.rule.unique()}
