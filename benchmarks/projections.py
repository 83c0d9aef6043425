"""Projections of single activations against captum's `NeuronDeconvolution`, layer by layer; the search
for the strongest activations against a bare forward pass; peak memory.

Both sides have the same module, ZFNet at 224 px and the paper's width with initial weights, the same pictures
and the same units, the nine strongest of each map. The contrast norm is left out of that module, since captum
goes back through it and the paper does not: without it both give the same values, which is checked here.
captum is held to its best batch. Its rate does not depend on the layer much, so that it is measured on a
sample of each layer's units; ours is measured on the same sample, and on the whole atlas besides.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from captum.attr import NeuronDeconvolution
from torch import Tensor, nn

from benchmarks import Options, row, side_by_side
from zfutils.data.inputs import Inputs
from zfutils.data.parts import PartsImages
from zfutils.data.stores import build
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_activations import TopActivations, top_activations
from zfutils.deconv.units import Units
from zfutils.nets import zoo
from zfutils.nets.geometry import receptive_field
from zfutils.nets.layers import layers_of
from zfutils.nets.specs import NetworkSpec
from zfutils.runtime.devices import chosen_device, device_of, keep_memory
from zfutils.training.initialisation import initialise

SIDE = 224
SCALE = 1 / 64
PICTURES = 96  # that are projected from
SEARCHED = 480  # a search spends most on the first of a set, when every map's strongest keep changing
LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5")
BATCHES = (4, 16, 48)  # captum's, of which the best is taken
EQUAL = 1e-5  # of the greatest value


def measure(options: Options) -> list[dict[str, object]]:
    """All of it, on parts pictures in a folder that is removed afterwards."""
    keep_memory()
    options = replace(options, precision="float32")
    with tempfile.TemporaryDirectory() as temporary:
        inputs, (spec, model) = _inputs(SEARCHED, Path(temporary)), _network()
        found = top_activations(model, inputs[:PICTURES], layers=LAYERS, batch=32)
        return [
            *_against_captum(spec, model, inputs[:PICTURES].tensor(device_of(model)), found, options),
            *_search(model, inputs, options),
            _peak_memory(options),
        ]


def _inputs(n: int, folder: Path) -> Inputs:
    images = build(PartsImages("validation", n=n, size=SIDE), folder, progress=False)
    return Inputs.of(images, scale=SCALE)


def _network() -> tuple[NetworkSpec, nn.Sequential]:
    spec = zoo.zfnet(image=SIDE)
    spec = replace(spec, convolutions=tuple(replace(c, norm=False) for c in spec.convolutions))
    model = spec.build()
    initialise(model, "he", seed=0)
    return spec, model.eval().to(chosen_device(), memory_format=torch.channels_last)


def _units(found: TopActivations) -> Units:
    maps = torch.arange(len(found), device=found.images.device)[:, None].expand_as(found.images)
    return Units(*(t.flatten() for t in (found.images, maps, found.rows, found.columns)))


def _against_captum(
    spec: NetworkSpec, model: nn.Module, images: Tensor, found: dict[str, TopActivations], options: Options
) -> list[dict[str, object]]:
    deconvnet, rows = Deconvnet(model), []
    captum_seconds = ours_seconds = 0.0
    for layer in LAYERS:
        every = _units(found[layer])
        draw = torch.randperm(len(every.maps), generator=torch.Generator().manual_seed(0))[: options.units]
        sample = Units(*(t[draw] for t in every))
        worst = _difference(deconvnet, model, images, layer, sample)
        best = min(BATCHES, key=lambda batch: _once(partial(_captum, model, images, layer, sample, batch)))
        ways = {
            "ours": partial(deconvnet.project, images, layer, sample),
            "captum": partial(_captum, model, images, layer, sample, best),
        }
        seconds = side_by_side(ways, pairs=options.pairs)
        whole = side_by_side({"ours": partial(deconvnet.project, images, layer, every)}, pairs=1)["ours"][0]
        each = {way: statistics.median(s) / len(draw) for way, s in seconds.items()}
        captum_seconds += each["captum"] * len(every.maps)
        ours_seconds += whole
        rates = [len(draw) / s for s in seconds["captum"]]
        window = _window_share(spec, layer)
        context = {"units": len(every.maps), "greatest difference": worst}
        ratios = [b / a for a, b in zip(seconds["ours"], seconds["captum"], strict=True)]
        rows += [
            row(f"projections, {layer}, captum (batch {best})", rates, "a second", options, **context),
            row(
                f"projections, {layer}, ours (all)", [len(every.maps) / whole], "a second", options, **context
            ),
            row(
                f"projections, {layer}, ours over captum",
                ratios,
                "ratio",
                options,
                ceiling=1 / window,
                **context,
            ),
        ]
    ratio = captum_seconds / ours_seconds
    units = sum(found[layer].images.numel() for layer in LAYERS)
    whole = f"projections, whole atlas of {units:,}"
    return [
        *rows,
        row(f"{whole}, ours", [ours_seconds], "s", options),
        row(f"{whole}, captum (from the samples)", [captum_seconds], "s", options),
        row(f"{whole}, ours over captum", [ratio], "ratio", options, reach=5.0),
    ]


def _captum(model: nn.Module, images: Tensor, layer: str, units: Units, batch: int) -> Tensor:
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


def _difference(deconvnet: Deconvnet, model: nn.Module, images: Tensor, layer: str, units: Units) -> float:
    """Greatest difference between ours and captum's, of the greatest value of each pattern.

    captum projects a signal of 1 where ours has the activation.

    Raises:
        ValueError: it is larger than what rounding explains.
    """
    few = Units(*(t[:16] for t in units))
    ours = deconvnet.project(images, layer, few)
    theirs = _captum(model, images, layer, few, 16) * ours.values[:, None, None, None]
    placed = ours.placed(*images.shape[-2:])
    size = theirs.abs().amax((1, 2, 3)).clamp(min=torch.finfo().tiny)
    worst = float(((placed - theirs).abs().amax((1, 2, 3)) / size).max())
    if worst > EQUAL:
        raise ValueError(f"{layer}: projections differ from captum's by {worst:.2g} of their greatest value")
    return worst


def _once(way) -> float:
    return side_by_side({"once": way}, pairs=1)["once"][0]


def _window_share(spec: NetworkSpec, layer: str) -> float:
    """Multiply-adds on a unit's window, up and down, over those that captum needs: the ceiling's inverse."""
    stages = [stage for stage in spec.stages() if stage.window is not None]
    end = next(i for i, s in enumerate(stages) if s.name == layer.replace("relu", "conv"))
    whole = sum(s.multiply_adds for s in stages)  # captum's forward pass goes through all convolutions
    backward = sum(s.multiply_adds for s in stages[: end + 1])
    here = 0.0
    for i in range(end + 1):
        # What this stage has to compute for one unit of the last: the window of the stages above it.
        side = receptive_field([s.window for s in stages[i + 1 : end + 1]]).kernel if i < end else 1
        here += stages[i].multiply_adds * side**2 / stages[i].size ** 2
    return 2 * here / (whole + backward)


def _search(model: nn.Sequential, inputs: Inputs, options: Options) -> list[dict[str, object]]:
    convolutions = model[: list(layers_of(model)).index("relu5") + 1]

    @torch.no_grad()
    def bare() -> None:
        for batch in inputs.batches(32, device=device_of(model)):
            convolutions(batch.images)

    search = partial(top_activations, model, inputs, layers=LAYERS, batch=32)
    seconds = side_by_side({"bare": bare, "search": search}, pairs=options.pairs)
    ratios = [b / a for a, b in zip(seconds["bare"], seconds["search"], strict=True)]
    shown = row(
        "strongest nine of layers 1–5 over a bare forward pass",
        ratios,
        "ratio",
        options,
        pictures=len(inputs),
    )
    return [shown | {"reach": 1.15, "reached": shown["median"] <= 1.15}]


def _peak_memory(options: Options) -> dict[str, object]:
    """Peak resident memory of a process that projects the atlas and keeps what it gets."""
    code = "from benchmarks import projections; projections.atlas_alone()"
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    peak = float(ended.stdout) / 2**30
    shown = row("projections, whole atlas, peak memory of the process", [peak], "GiB", options)
    return shown | {"reach": 4.0, "reached": peak <= 4.0}


def atlas_alone() -> None:
    """Search and project the whole atlas in this process; print its peak resident memory (bytes)."""
    with tempfile.TemporaryDirectory() as temporary:
        inputs, (_, model) = _inputs(32, Path(temporary)), _network()
        deconvnet, images = Deconvnet(model), inputs.tensor(device_of(model))
        found = top_activations(model, inputs, layers=LAYERS, batch=16)
        for layer in LAYERS:
            for part in _units(found[layer]).split(256):
                deconvnet.project(images, layer, part)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
