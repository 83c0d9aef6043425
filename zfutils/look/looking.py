"""A network and pictures, looked into: what is chosen, in which order it is computed, and where it goes.

What can be refused is refused before anything is computed; the pages are written beside their place and moved
there when they are complete.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_activations import top_activations
from zfutils.deconv.top_projections import TopProjections, project_top
from zfutils.experiments.occlusion.sliding_patch import Occlusion, occlude
from zfutils.experiments.projections.atlas import stem, write_atlas
from zfutils.experiments.projections.atlas_page import Plate
from zfutils.look import pages
from zfutils.look.drawing import drawing
from zfutils.look.networks import Network, prepared
from zfutils.nets.outline import Line, outline
from zfutils.runtime.files import whole_folder, write_json

MAPS, PICTURES, STRONGEST = 16, 3, 9
COVERED = 32  # positions at a time: what a large network gives for more at 224 px fills the memory
WRITTEN = "files.json"  # names all files of the pages, so that nobody else's is ever removed with them


def look(
    network: Network,
    images: Path | Inputs,
    output: Path,
    *,
    layers: Sequence[str] | None = None,
    maps: int = MAPS,
    pictures: int = PICTURES,
    seed: int = 0,
) -> Path:
    """Write pages about a network: its drawing, strongest maps, an atlas of them, and covered pictures.

    Args:
        network: as `networks.load` gives it.
        images: a folder of pictures, or pictures as the network sees them.
        output: a folder for the pages; older pages in it are replaced.
        layers: to look at; by default the last of each size that can be projected.
        maps: of each layer, chosen by the seed among those that answer.
        pictures: to cover, spread over all of them.
        seed: of the choice.

    Returns:
        The path of the first page.

    Raises:
        ValueError: a layer that is not there or cannot be projected, pictures that the network does not take,
            numbers below 1.
        FileExistsError: the output holds something else, or lies within the pictures.
    """
    if maps < 1 or pictures < 0:
        raise ValueError(f"maps are 1 or more and pictures 0 or more, not {maps} and {pictures}")
    deconvnet, preprocessing = Deconvnet(network.model), network.preprocessing or prepared(network)
    for layer in layers or ():
        deconvnet.index(layer)
    if isinstance(images, Path):
        _refuse_within(output, images)
    with whole_folder(output, is_older=_is_look, what="older look") as fresh:
        if isinstance(images, Path):
            inputs, where = preprocessing.inputs(images, progress=True), f", {images}"
        else:
            inputs, where = images, ""
        inputs = inputs if inputs.images.classes else _by_folder(inputs)
        lines = outline(network.model, inputs[:1].tensor())
        layers = list(layers or deconvnet.default_layers(inputs[:1].tensor()))
        k = min(STRONGEST, len(inputs))
        found = top_activations(network.model, inputs, layers=layers, k=k, progress=True)
        tops = {}
        for layer in layers:
            some = found[layer].some(min(maps, len(found[layer])), seed=seed)
            print(f"projections: {len(some)} of {len(found[layer])} maps of {layer}", flush=True)
            tops[layer] = project_top(deconvnet, inputs, found[layer], maps=some)
        covered = _covered(network, inputs, lines, layers, pictures)
        said = {
            "Network": f"{network.name}, {network.weights}",
            "Images": f"{len(inputs):,}{where}",
            "Preprocessing": pages.described(preprocessing),
            "Maps": f"{maps} of each layer at most, chosen by seed {seed} among those that answer",
        }
        _write(fresh, network, inputs, lines, tops, covered, said, deconvnet)
    return output / "index.html"


def _refuse_within(output: Path, images: Path) -> None:
    """Pages among the pictures would be taken for pictures the next time."""
    if images.resolve() in (output.resolve(), *output.resolve().parents):
        raise FileExistsError(f"{output} lies in the folder of pictures, {images}; name another place")


def _is_look(folder: Path) -> bool:
    """Whether all that a folder holds was written by an earlier look."""
    try:
        written = set(json.loads((folder / WRITTEN).read_text()))
    except (OSError, ValueError):
        return False
    return _files(folder) <= written | {WRITTEN}


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def _by_folder(inputs: Inputs) -> Inputs:
    """The pictures of a folder with the folders in it as their classes; without a name beside such."""
    pixels: Pixels = inputs.images
    folders = [name.partition("/")[0] if "/" in name else "" for name in pixels.names]
    classes = sorted(set(folders))
    labels = torch.tensor([classes.index(name) for name in folders])
    return replace(inputs, images=replace(pixels, classes=tuple(classes), labels=labels))


def _covered(
    network: Network, inputs: Inputs, lines: Sequence[Line], layers: Sequence[str], pictures: int
) -> tuple[Inputs, Occlusion] | None:
    """What the network says of some pictures while they are covered; none where it names no classes."""
    if not pictures or len(lines[-1].shape) != 1:
        return None
    places = np.unique(np.linspace(0, len(inputs) - 1, min(pictures, len(inputs))).round().astype(int))
    some = inputs[torch.from_numpy(places)]
    shapes = {line.name: line.shape for line in lines}
    with_maps = [layer for layer in layers if len(shapes[layer]) == 3]
    layer = (with_maps or [None])[-1]  # followed is the class that the network names
    return some, occlude(network.model, some.unlabelled(), layer=layer, batch=COVERED, progress=True)


def _write(
    folder: Path,
    network: Network,
    inputs: Inputs,
    lines: Sequence[Line],
    tops: dict[str, TopProjections],
    covered: tuple[Inputs, Occlusion] | None,
    said: dict[str, str],
    deconvnet: Deconvnet,
) -> None:
    """All pages of a look."""
    size, name = (inputs.side, inputs.side), network.name
    shapes = {line.name: line.shape for line in lines}
    plates = [Plate("Image", 1, inputs.side, f"{inputs.side} px")]
    for layer in tops:
        maps, *hw = shapes[layer]
        text = f"{maps:,} maps, {'×'.join(map(str, hw))}" if hw else f"{maps:,} units"
        plates.append(Plate(layer, maps, max(hw, default=1), text, (layer,)))
    write_atlas(
        folder / "atlas",
        tops,
        network=plates,
        pictures=inputs.images,
        title=f"Atlas of {name}",
        about=f"{network.weights.capitalize()}; the strongest activations of some maps of each layer in "
        f"{len(inputs):,} images.",
        back=("../index.html", "Back to the overview"),
    )
    (folder / "look.css").write_bytes(Path(__file__).with_name("look.css").read_bytes())
    sections = {layer: f"strongest.html#{stem(layer)}" for layer in tops}
    drawn = "<p>Every step of the network in its order; the lines at the left are the ways of the signal.</p>"
    drawn += drawing(lines, size, sections=sections)
    pages.write_page(folder, "network.html", f"The steps of {name}", drawn)
    pages.write_page(folder, "strongest.html", f"Strongest maps of {name}", pages.strongest(folder, tops))
    body = "<p>The network does not end in one number for each class: nothing was covered.</p>"
    if covered is not None:
        some, found = covered
        names = [inputs.images.names[row] for row in some.rows.tolist()]
        body = pages.occlusion(folder, found, some.pixels(), names, network.classes)
    pages.write_page(folder, "occlusion.html", f"What {name} says of covered images", body)
    rules = pages.rules(deconvnet)
    pages.write_page(
        folder,
        "index.html",
        f"A look into {name}",
        pages.overview(said, lines, list(tops), inputs.images, rules),
    )
    write_json(sorted(_files(folder)), folder / WRITTEN)
