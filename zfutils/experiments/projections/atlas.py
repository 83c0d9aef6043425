"""The atlas: every map of every layer to browse, beyond what fits on a page of the book (Fig. 2).

A folder of its own: one page (`atlas_page`), and for each map small pictures of its nine strongest
activations, of the same map's with random weights, and of the strongest at several snapshots. The one idea:
plain files that load nothing from elsewhere, so that they can be read from a disk as well as from a server;
without a script the page still shows every map and links its pictures. An atlas is written beside its place
and moved there when complete.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from re import fullmatch, sub

import numpy as np
import pandas as pd
from PIL import Image
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.deconv.top_projections import TopProjections, top_projections
from zfutils.experiments.projections.atlas_page import BOOK, GENERATOR, Entry, Layer, Plate, page, plates
from zfutils.plotting.tiles import GUTTER, block, check, colours_and_mask, eight_bits, in_colour, shades
from zfutils.runtime.files import whole_folder

__all__ = ["at_snapshots", "classes_of", "plates", "stem", "traits_of", "write_atlas"]
Layers = Mapping[str, TopProjections]
Classes = Mapping[str, Sequence[Sequence[str]]]
SMALLEST, LARGEST = 40, 160  # pixels of a tile: smaller windows are enlarged by whole factors
GAP = 2  # pixels between tiles
QUALITY = 75  # of WebP, two thirds of a JPEG's bytes for the same looks; enlarged windows lose nothing
SNAPSHOTS = 6  # that the epoch slider moves through


def write_atlas(
    folder: Path,
    layers: Layers,
    *,
    network: Sequence[Plate],
    pictures: Pixels,
    title: str,
    about: str,
    random: Layers | None = None,
    epochs: Mapping[int, Layers] | None = None,
    traits: Mapping[str, pd.DataFrame] | None = None,
    back: tuple[str, str] = BOOK,
) -> Path:
    """Write all maps of all layers as a page to browse; an older atlas in the same place is replaced.

    Map 17 of layer 3 is `index.html#layer-3-map-17`.

    Args:
        folder: where the atlas goes; made if need be.
        layers: by name ("relu1" …), in the order of the page.
        network: as it is drawn, the way to its layers (`plates`).
        pictures: the set that was searched.
        title: of the page.
        about: what was searched, and with which network; a paragraph.
        random: the same maps of the network with random weights.
        epochs: by epoch, the same maps at a snapshot; the first of each is shown (`at_snapshots`).
        traits: by layer, one row for each map in the order of `layers`: numbers or words that maps can be
            sorted by (`traits_of`).
        back: address of the page above, from the atlas's folder, and what the link to it says.

    Returns:
        The path of the page.

    Raises:
        ValueError: arrays that do not belong together, or two layers that would share a section.
        FileExistsError: the folder holds something that is no atlas.
    """
    folder, epochs = Path(folder), dict(sorted((epochs or {}).items()))
    for by_layer in (layers, random or {}, *epochs.values()):
        for top in by_layer.values():
            check(top)
    stems = Counter(map(stem, layers))
    if twice := [name for name in layers if stems[stem(name)] > 1]:
        raise ValueError(f"layers {', '.join(twice)} would share a section; they need different numbers")
    with whole_folder(folder, is_older=_is_atlas, what="atlas") as fresh:
        shown = []
        for name, top in layers.items():
            of_epochs = {epoch: tops[name] for epoch, tops in epochs.items()}
            table = (traits or {}).get(name, pd.DataFrame(index=range(len(top.maps))))
            shown.append(_layer(fresh, name, top, (random or {}).get(name), of_epochs, table, pictures))
        asked = {"epochs": list(epochs), "classes": pictures.classes, "back": back}
        text = page(shown, network, title=title, about=about, **asked)
        (fresh / "index.html").write_text(text, encoding="utf-8")
        for name in ("atlas.css", "atlas.js"):
            (fresh / name).write_bytes(Path(__file__).with_name(name).read_bytes())
    return folder / "index.html"


def at_snapshots(
    models: Mapping[int, nn.Module], inputs: Inputs, known: Mapping[int, Layers]
) -> dict[int, Layers]:
    """The strongest activation of every map at some of a network's snapshots, the first and last among them.

    Args:
        models: the network by epoch.
        inputs: the images that are searched, as the network sees them.
        known: by epoch, what was found before and need not be searched for again; not empty.
    """
    epochs, layers = sorted(models), list(next(iter(known.values())))
    places = np.linspace(0, len(epochs) - 1, min(SNAPSHOTS, len(epochs))).round().astype(int)
    return {
        epoch: known.get(epoch) or top_projections(models[epoch], inputs, layers=layers, k=1)
        for epoch in (epochs[place] for place in places)
    }


def traits_of(
    values: pd.DataFrame, energy: Mapping[tuple[str, str], pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """What the maps of the trained network can be sorted by, as `write_atlas` takes it.

    Args:
        values: of every map, as `selectivity.measures` gives them.
        energy: parts by (network, layer), as `part_energy.energies` gives them; empty where nothing is known.

    Returns:
        By layer ("relu5"): class selectivity (share of the commonest class among the nine), orientation and
        colour; and with parts, the part that holds most of the energy and its score.
    """
    named = {"class": "class selectivity", "orientation": "orientation", "colour": "colour"}
    chosen = values[(values["network"] == "trained") & values["measure"].isin(list(named))]
    tables = {}
    for layer, of_layer in chosen.groupby("layer"):
        table = of_layer.pivot(index="map", columns="measure", values="value").rename(columns=named)
        parts = energy.get(("trained", f"relu{layer}"))
        if parts is not None:
            by_map = parts.set_index("map").rename(columns={"score": "energy on the part"})
            table = table.join(by_map[["part", "energy on the part"]])
        tables[f"relu{layer}"] = table.reset_index(drop=True)
    return tables


def classes_of(layers: Layers, images: Pixels) -> Classes:
    """The classes of the pictures of every map's strongest activations.

    Args:
        layers: by name.
        images: the set that was searched.
    """
    return {
        name: [[images.classes[i] for i in images.labels[rows].tolist()] for rows in top.strongest.images]
        for name, top in layers.items()
    }


def _is_atlas(folder: Path) -> bool:
    index = folder / "index.html"
    return index.is_file() and GENERATOR in index.read_text(encoding="utf-8", errors="replace")


def stem(name: str) -> str:
    """Of a layer's section and of the folder of its pictures."""
    number = fullmatch(r"(?:conv|relu|fc)(\d+)", name)
    return f"layer-{number[1] if number else sub(r'[^a-z0-9_]+', '-', name.lower()).strip('-')}"


def _layer(
    folder: Path,
    name: str,
    top: TopProjections,
    random: TopProjections | None,
    epochs: Mapping[int, TopProjections],
    traits: pd.DataFrame,
    pictures: Pixels,
) -> Layer:
    """Write a layer's pictures; what its section says."""
    section, classes = stem(name), {}
    (folder / section).mkdir()
    shown = {"trained": top} | ({"random": random} if random else {}) | epochs
    for key, one in shown.items():
        classes[key] = classes_of({name: one}, pictures)[name]
    entries = []
    for index, number in enumerate(top.maps.tolist()):
        captions = {key: _caption(shown[key], index, classes[key]) for key in shown if key not in epochs}
        history = [
            (float(one.strongest.values[index, 0]), classes[epoch][index][0]) for epoch, one in epochs.items()
        ]
        sortable = {"activation": float(top.strongest.values[index, 0])} | {
            key: value if isinstance(value, str) else float(value)
            for key, value in traits.iloc[index].items()
            if value is not None and (isinstance(value, str) or isfinite(value))
        }
        place = folder / section / f"map-{number}"
        drawn = _write_pictures(place, index, top, random, epochs)
        entries.append(Entry(number, captions, sortable, history, drawn))
    return Layer(section, name, top.inside.shape[-1], entries)


def _write_pictures(
    place: Path,
    index: int,
    top: TopProjections,
    random: TopProjections | None,
    epochs: Mapping[int, TopProjections],
) -> dict[str, tuple[int, int]]:
    """The pictures of a map that answers, and their width and height by what they show."""
    drawn = {}
    if top.strongest.values[index, 0] > 0:
        drawn = {"first": _pair(top, index, across=True), "nine": _nine(top, index)}
    if random is not None:
        drawn["random"] = _nine(random, index)
    if epochs:
        pairs = [_pair(one, index, across=False) for one in epochs.values()]
        drawn["epochs"] = np.concatenate(pairs, axis=1)
    sizes = {}
    for what, pixels in drawn.items():
        how = {"quality": QUALITY, "method": 2} if _times(top) == 1 else {"lossless": True, "method": 0}
        Image.fromarray(pixels).save(f"{place}-{what}.webp", **how)
        sizes[what] = pixels.shape[1::-1]
    return sizes


def _times(top: TopProjections) -> int:
    """How many pixels of a picture one of a window becomes along an axis."""
    return -(-SMALLEST // top.inside.shape[-1])


def _tile(top: TopProjections) -> int:
    return min(LARGEST, _times(top) * top.inside.shape[-1])


def _nine(top: TopProjections, index: int) -> np.ndarray:
    """Projections, a gap, and below them patches in the same places."""
    colours, patches, inside = colours_and_mask(top, index)
    above, below = (block(tiles, inside, tile=_tile(top), gap=GAP) for tiles in (colours, patches))
    between = np.full((max(8, _tile(top) // 6), above.shape[1], 3), GUTTER, np.uint8)
    return np.concatenate((above, between, below))


def _pair(top: TopProjections, index: int, *, across: bool) -> np.ndarray:
    """The strongest projection, on a scale of its own, and its patch."""
    answers = bool(top.strongest.values[index, 0] > 0)
    inside = top.inside[index, :1] & answers
    colours = eight_bits(shades(top.projections[index, :1], inside))
    tiles = np.concatenate((in_colour(colours), in_colour(top.patches[index, :1])))
    return block(tiles, inside.repeat(2, 0), tile=_tile(top), gap=0, columns=2 if across else 1)


def _caption(top: TopProjections, index: int, classes: Sequence[Sequence[str]]) -> str:
    """The range of the activations, and the classes of the pictures, the commonest first."""
    values = [float(v) for v in top.strongest.values[index] if v > 0]
    if not values:
        return "never answers"
    text = f"activation {max(values):.3g} to {min(values):.3g}"
    if len(values) < len(top.strongest.values[index]):
        text += f", answers to {len(values)} image{'s' if len(values) > 1 else ''} only"
    common = Counter(filter(None, classes[index][: len(values)])).most_common()
    return (
        text
        + ("; " if common else "")
        + ", ".join(f"{n}\u00a0×\u00a0{name}" if n > 1 else name for name, n in common)
    )
