"""Projections of single activations against captum's `NeuronDeconvolution`, layer by layer and all together.

Both sides have the same module, ZFNet at 224 px and the paper's width with initial weights, the same pictures
and the same units, the nine strongest of each map. The contrast norm is left out of that module, since captum
goes back through it and the paper does not: without it both give the same values, which is checked here.
captum is held to its best batch. What a projection costs does not depend on the unit, so that both sides are
measured on a sample of each layer's; the whole atlas is projected once besides, in a process of its own.
"""

import json
import math
import statistics
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial

import torch
from captum.attr import NeuronDeconvolution
from torch import Tensor, nn

from benchmarks import SCALE, Options, difference, drawn, network, ratios, row, side_by_side, zfnet
from benchmarks.alone import Measured, in_a_process, measured
from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_activations import TopActivations, top_activations
from zfutils.deconv.units import Projections, Units
from zfutils.nets import chains, graphs
from zfutils.runtime.devices import device_of, keep_memory
from zfutils.study.speed import Row

LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5")
PROJECTED = 96  # pictures, at most
BATCHES = (4, 16, 48)  # captum's, of which the best is taken
BAR, MEMORY = 5.0, 4.0  # times as fast as captum; GiB


def measure(options: Options) -> Iterator[Row]:
    """All of it, on drawn pictures."""
    images, model, deconvnet, found = searched(options)
    rest = zfnet(options).multiply_adds
    seconds: dict[str, list[float]] = {"ours": [0.0] * options.repeats, "captum": [0.0] * options.repeats}
    least = plain = worst = units = 0.0
    for layer in LAYERS:
        every = strongest(found[layer])
        draw = torch.randperm(len(every.maps), generator=torch.Generator().manual_seed(0))[: options.units]
        sample = Units(*(t[draw] for t in every))
        project = partial(deconvnet.project, images, layer, sample)
        theirs = {batch: partial(captum, model, images, layer, sample, batch) for batch in BATCHES}
        apart = difference(layer, *placed(project(), theirs[BATCHES[0]](), images))
        trial = side_by_side(theirs, repeats=1)
        best = min(trial, key=lambda batch: trial[batch])
        took = side_by_side({"ours": project, "captum": theirs[best]}, repeats=options.repeats)
        window, whole = (2 * up for up in multiply_adds(deconvnet, layer, images[:1]))
        whole += rest - whole / 2  # captum goes all the way up
        yield row(
            f"projections/{layer}",
            f"projections of {layer.replace('relu', 'layer ')}",
            f"captum's NeuronDeconvolution, {best} at a time",
            ratios(took["captum"], took["ours"]),
            "times as fast",
            ceiling=whole / window,
            difference=apart,
            context={"projections a second": len(draw) / statistics.median(took["ours"])},
        )
        for way, values in took.items():
            each = [s * len(every.maps) / len(draw) for s in values]
            seconds[way] = [a + b for a, b in zip(seconds[way], each, strict=True)]
        least, plain = least + window * len(every.maps), plain + whole * len(every.maps)
        worst, units = max(worst, apart), units + len(every.maps)
    context = {"seconds": statistics.median(seconds["ours"])}
    if options.atlas:
        alone = in_a_process("benchmarks.projections", json.dumps(asdict(options)))
        context = {"seconds": alone["seconds"][0]}
    yield row(
        "projections/atlas",
        f"all {units:,.0f} projections of layers 1 to 5",
        "captum's NeuronDeconvolution, at its best in each layer",
        ratios(seconds["captum"], seconds["ours"]),
        "times as fast",
        bar=BAR,
        ceiling=plain / least,
        difference=worst,
        context=context,
    )
    if options.atlas and alone["peak"]:
        yield row(
            "projections/memory",
            "the same in a process of its own, all kept: peak memory",
            "–",
            [alone["peak"] / 2**30],
            "GiB",
            bar=MEMORY,
            at_most=True,
        )


def searched(options: Options) -> tuple[Tensor, nn.Module, Deconvnet, dict[str, TopActivations]]:
    """Pictures, the network without contrast norm, its deconvnet, and the strongest activations."""
    keep_memory()
    spec = zfnet(options)
    model = network(replace(spec, convolutions=tuple(replace(c, norm=False) for c in spec.convolutions)))
    inputs = Inputs.of(drawn(options.pictures, options.side), scale=SCALE)[:PROJECTED]
    found = top_activations(model, inputs, layers=LAYERS, batch=16)
    return inputs.tensor(device_of(model)), model, Deconvnet(model), found


def strongest(found: TopActivations) -> Units:
    """All of them as units."""
    maps = torch.arange(len(found), device=found.images.device)[:, None].expand_as(found.images)
    return Units(*(t.flatten() for t in (found.images, maps, found.rows, found.columns)))


def captum(model: nn.Module, images: Tensor, layer: str, units: Units, batch: int) -> Tensor:
    """captum's patterns, one picture a unit, many units in one batch."""
    method, found = NeuronDeconvolution(model, model.get_submodule(layer)), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in units.split(batch):
            at = torch.arange(len(part.maps))

            def of_each(x: Tensor, at: Tensor = at, part: Units = part) -> Tensor:
                return x[at, part.maps, part.rows, part.columns]

            inputs = images[part.images].contiguous(memory_format=torch.channels_last)
            found.append(method.attribute(inputs, of_each))
    return torch.cat(found).detach()


def placed(ours: Projections, theirs: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides' patterns on the whole picture, each divided by its greatest value.

    Theirs project a signal of 1 where ours has the activation.
    """
    patterns = ours.placed(*images.shape[-2:]), theirs * ours.values[:, None, None, None]
    size = patterns[1].abs().amax((1, 2, 3), keepdim=True).clamp(min=torch.finfo().tiny)
    return patterns[0] / size, patterns[1] / size


def multiply_adds(deconvnet: Deconvnet, layer: str, images: Tensor) -> tuple[float, float]:
    """Of convolutions up to a layer, one way, for one unit: on its window, and on the whole picture."""
    end = deconvnet.index(layer)
    fields, order = deconvnet.fields(end), graphs.needed(deconvnet.steps, end)
    sizes = chains.sizes(deconvnet.steps, images, only=order)
    window = whole = 0.0
    for i in order:
        if deconvnet.steps[i].kind == "conv":
            each, size = deconvnet.steps[i].module.weight.numel(), sizes[i + 1]
            seen = size if fields is None else [min(fields[i + 1].kernel, n) for n in size]
            window, whole = window + each * math.prod(seen), whole + each * math.prod(size)
    return window, whole


def atlas(options: Options) -> Measured:
    """Project the whole atlas in this process, and keep it."""
    images, _, deconvnet, found = searched(options)
    units = {layer: strongest(found[layer]) for layer in LAYERS}
    kept: list[Projections] = []

    def project() -> None:
        kept.extend(deconvnet.project(images, layer, units[layer]) for layer in LAYERS)

    return measured(project, repeats=1, warm_up=0)


if __name__ == "__main__":
    print(json.dumps(atlas(Options(**json.loads(sys.argv[1])))))
